/*
 * node.h - the files of the view: which there are, what they are called, and who may read them.
 *
 * A node is one file, directory or link. What it can do stands in the row of its kind; a new kind
 * of file is one row in node.c, and the functions that it names. Nothing here knows of FUSE.
 */
#ifndef KYMOFS_NODE_H
#define KYMOFS_NODE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "caller.h"
#include "moment.h"
#include "query.h"
#include "registry.h"

struct node;
struct node_kind;
struct listing;

/* The longest name of a file. */
#define NODE_NAME_LIMIT 255

/* What a file reports as its size where that never exceeds it: it is also st_blksize, which makes
 * readers that ask for the size read to the end all the same. */
#define NODE_PAGE 4096

enum node_type { NODE_DIRECTORY, NODE_FILE, NODE_LINK };

enum node_flags {
    NODE_LISTED = 1,    /* stands in its directory; else it is found by name alone */
    NODE_RAW = 2,       /* there is a NAME.raw as well, with the record's bytes */
    NODE_CONSTANT = 4,  /* the content never changes */
    NODE_AT_HEAD = 8,   /* the content changes only when a record is published */
    NODE_PERSONAL = 16, /* the content is another for each caller (K), and long in the making */
    NODE_STREAM = 32,   /* no content: each open waits for what is published from then on */
    NODE_PRESENT = 64   /* shows what is now: missing below at/ */
};

/* Which node of a directory: without its name and its place. */
struct node_key {
    const struct node_kind *kind;
    struct segment *segment; /* NULL above the segments; held by whoever holds the key */
    struct moment *moment;   /* NULL: as of now; held likewise */
    uint64_t number;         /* the kind's own: which record, which element */
    bool raw;
};

static inline void node_key_hold(const struct node_key *key)
{
    if (key->segment)
        segment_hold(key->segment);
    moment_hold(key->moment);
}

static inline void node_key_drop(const struct node_key *key)
{
    segment_drop(key->segment);
    moment_drop(key->moment);
}

struct node {
    struct node_key key;
    struct node *parent; /* NULL for the root */
    uint64_t inode;      /* the same for the same file as long as its generation lives */
    const char *name;
};

/* On whose behalf personal content is made, and from what. */
struct request {
    struct registry *registry;
    const struct caller *caller;
    uint64_t
        modified; /* out: when what the content shows was last written, ns since 1970; 0: never */
};

/* One row. Functions return 0 or a negative errno unless they say otherwise. */
struct node_kind {
    const char *name; /* as README has it; where match is NULL also the file's name */
    const struct node_kind *parent;
    const struct node_kind *also_in; /* another parent, or NULL */
    enum node_type type;
    unsigned int flags;
    enum query_kind question; /* where it is one */
    /* Takes a name without ".raw", fills key->number, or key->segment or key->moment, held. -ENOENT:
     * not of this kind. -EINVAL: of this kind, and malformed. */
    int (*match)(struct registry *registry, const struct node *directory, const char *name,
                 struct node_key *key);
    /* Whether a segment has a file of that name; NULL: each has. */
    bool (*is_there)(const struct node *directory);
    /* Adds what is listed; NULL: the name, once. */
    int (*list)(struct registry *registry, const struct node *directory,
                const struct node_kind *kind, struct listing *listing);
    /* The position of the record that the file shows at this moment. */
    int (*find)(const struct node *node, uint64_t *pos);
    /* The whole content, or the link's target. Called through node_render. */
    int (*render)(const struct node *node, struct kymo_text *text);
    /* The same for NODE_PERSONAL. */
    int (*render_for)(const struct node *node, struct request *request, struct kymo_text *text);
    /* The content is not longer than this, bytes; NULL: not longer than NODE_PAGE. */
    uint64_t (*limit)(const struct node *node);
    const char *help;
};

extern const struct node_kind node_kinds[];
extern const size_t node_kind_count;
extern const struct node_kind *const node_root;
extern const struct node_kind *const node_segment;

/* ---- what a node shows, where its segment has a reader ---- */

static inline const struct kymo_reader *node_reader(const struct node *node)
{
    return node->key.segment->reader;
}

static inline const struct kymo_ring *node_ring(const struct node *node)
{
    return &node_reader(node)->ring;
}

static inline const struct kymo_schema *node_schema(const struct node *node)
{
    return kymo_segment_schema(node_reader(node)->segment);
}

static inline enum kymo_clock node_clock(const struct node *node)
{
    return kymo_segment_clock(node_reader(node)->segment);
}

/* What time it is where the node is, ns on its segment's clock: now, or its moment. 0 on KYMO_USER
 * without a moment. */
static inline uint64_t node_now(const struct node *node)
{
    const enum kymo_clock clock = node_clock(node);

    return node->key.moment ? node->key.moment->time[clock] : kymo_clock_now(clock);
}

/* The whole content, or a link's target, as of now or of the node's moment. */
static inline int node_render(const struct node *node, struct kymo_text *text)
{
    return node->key.moment && node->key.segment ? moment_render(node, text)
                                                 : node->key.kind->render(node, text);
}

/* What to say of records that were overwritten while they were read, again and again: those of now
 * are others already, those of a moment have gone. */
static inline int node_overtaken(const struct node *node)
{
    return node->key.moment ? -ESTALE : -EAGAIN;
}

/* What the node's name asks, as of now. -EINVAL, -ERANGE. */
int node_question(const struct node *node, struct query *query);

/* ---- names ---- */

/* Which node the directory has under that name. The key is held. -ENOENT; -EINVAL
 * for a malformed query; for a segment also as registry_find. */
int node_match(struct registry *registry, const struct node *directory, const char *name,
               struct node_key *key);

/* The same for a name that the directory had at some time since, CLOCK_MONOTONIC ns. */
int node_match_departed(struct registry *registry, const struct node *directory, const char *name,
                        uint64_t since, struct node_key *key);

/* The number by which stat knows the file: of the segment's device and inode and the path below. */
uint64_t node_inode(const struct node *directory, const struct node_key *key, const char *name);

/* ---- directories ---- */

struct listing_entry {
    struct node_key key;
    uint64_t inode;
    char *name;
};

/* Begin with {0}. */
struct listing {
    struct listing_entry *entries;
    size_t count;
    size_t capacity;
    int error; /* 0, or -ENOMEM: entries are missing */
};

/* All listed files of the directory, into an empty listing. */
int node_list(struct registry *registry, const struct node *directory, struct listing *listing);
void listing_free(struct listing *listing);

/* For a row's list: adds that file, and its NAME.raw where there is one. */
void listing_add(struct listing *listing, const struct node_key *key, const char *name);

/* ---- attributes ---- */

/* All that stat says but for the size of content that may be longer than NODE_PAGE. */
void node_attributes(const struct node *node, struct stat *attributes);

/* When the segment was last written to, as far as one can tell; ns since 1970. */
uint64_t segment_modified(const struct segment *segment);

/* Whether the size has to be taken from the content. */
bool node_is_large(const struct node *node);

static inline bool node_has(const struct node *node, enum node_flags flag)
{
    return (node->key.kind->flags & (unsigned int)flag) != 0;
}

#endif
