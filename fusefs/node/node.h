/*
 * node.h - the files of the mount: their names, kinds and attributes.
 *
 * A node is a name in a directory, nothing else: what it refers to is looked up by node_resolve() for
 * each request, so that every reply shows the segment that has the name at that moment. What a file
 * can do is in the row of its kind; a new kind of file is one row in kinds.c and the functions that the
 * row names. Nothing here includes libfuse.
 */
#ifndef KYMOFS_NODE_H
#define KYMOFS_NODE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "render/history.h"
#include "render/render.h"
#include "render/request.h"

/* The longest file name, bytes. */
#define NODE_NAME_LIMIT 255

/* st_blksize, and the size up to which a file keeps its node when its content changes. */
#define NODE_PAGE 4096

enum node_type { NODE_DIRECTORY, NODE_FILE, NODE_LINK };

enum node_flags {
    NODE_LISTED = 1,      /* in its directory's listing; others are found by name only */
    NODE_RAW = 2,         /* NAME.raw exists as well, with the payload's bytes */
    NODE_CONSTANT = 4,    /* the content does not change while the segment exists */
    NODE_AT_HEAD = 8,     /* the content changes only when a record is published */
    NODE_PER_CALLER = 16, /* the content depends on the caller and on the current time */
    NODE_STREAM = 32,     /* no content: each open blocks for records published later */
    NODE_PRESENT = 64,    /* shows the present only: missing below at/ */
    NODE_LARGE = 128,     /* may exceed a page: see inode_table.h on versions */
    NODE_MANY = 256       /* the number of names is not limited */
};

struct node_kind;
struct listing;

/* A name in a directory. */
struct node {
    const struct node_kind *kind;
    const struct node *parent; /* NULL for the root */
    const char *name;
    uint64_t ino; /* st_ino: derived from the path */
};

/* One row. Functions return 0 or a negative errno unless stated otherwise. */
struct node_kind {
    const char *name;      /* as the mount's README spells it; the file's name if is_name is NULL */
    const char *path_name; /* the second spelling of a query, or NULL */
    const struct node_kind *parent;
    const struct node_kind *also_in; /* another parent, or NULL */
    enum node_type type;
    unsigned int flags;
    enum query_kind query; /* of a file with a path_name */
    /* Whether a name, without ".raw", has the syntax of this kind. NULL: equal to `name`. */
    bool (*is_name)(const char *name);
    /* Completes the request by the name without ".raw": segment, instant or number. -ENOENT: there is
     * no such file now. NULL: nothing to complete. */
    int (*resolve)(struct request *request, const struct node *node, const char *name);
    /* Whether the request's segment has this file; NULL: each has. */
    bool (*exists)(const struct request *request);
    /* Adds the names to the listing of the request's directory; NULL: `name`. */
    int (*list)(const struct request *request, const struct node_kind *kind,
                struct listing *listing);
    /* The position of the record that the file shows. */
    int (*find)(const struct request *request, uint64_t *pos);
    /* The content, or the target of a link; NULL: a history, or NODE_PER_CALLER. */
    int (*render)(struct request *request, struct kymo_text *text);
    /* A bound of the content's length, bytes; NULL: NODE_PAGE, if not NODE_LARGE. */
    uint64_t (*limit)(const struct request *request);
    enum history_format history; /* if render is NULL */
    const char *help;            /* for the mount's README; NULL: not mentioned */
};

extern const struct node_kind node_kinds[];
extern const size_t node_kind_count;
extern const struct node_kind *const node_root;

static inline bool node_has(const struct node *node, enum node_flags flag)
{
    return (node->kind->flags & (unsigned int)flag) != 0;
}

/* ---- names ---- */

/* The kind that a name in the directory would have, by its syntax alone, and `ino`. 0, -ENOENT,
 * -ENAMETOOLONG. `name` must remain as long as the node. */
int node_init(struct node *node, const struct node *directory, const char *name);

/* Whether the kind's files are in that directory. */
bool node_kind_is_in(const struct node_kind *kind, const struct node *directory);

/* Whether the node is below at/. */
bool node_is_as_of(const struct node *node);
/* Whether the node is a segment's directory or below one. */
bool node_is_in_segment(const struct node *node);

/* st_ino of that name in the directory. */
uint64_t node_ino(const struct node *directory, const char *name);

/* ---- what a node refers to now ---- */

/*
 * Looks up everything on the node's path and checks that the caller may search each directory above
 * it (K). Fills all of the request but registry, credentials and budget, which the caller has set.
 * Without a segment, request->status is that of the segments' directory. End with node_release(),
 * whatever is returned.
 * -ENOENT; -EACCES; -EINVAL: a malformed query or instant; for segments also as registry_find() and
 * segment_acquire().
 */
int node_resolve(struct request *request, const struct node *node);

/* The same, and checks that the caller may read the node itself. */
int node_resolve_to_read(struct request *request, const struct node *node);

void node_release(struct request *request);

/* ---- directories ---- */

struct listing_entry {
    size_t name; /* offset in listing.names */
    uint64_t ino;
    enum node_type type;
};

/* Begin with {0}. */
struct listing {
    struct kymo_text names; /* each with its terminating zero */
    struct listing_entry *entries;
    size_t count;
    size_t capacity;
    int error; /* 0, or -ENOMEM: entries are missing */
};

/* Adds all listed files of the resolved directory to an empty listing. */
int node_list(const struct request *request, const struct node *directory, struct listing *listing);
void listing_free(struct listing *listing);

/* For a row's list: adds that name, and NAME.raw if the kind has one. */
void listing_add(struct listing *listing, const struct node_kind *kind, const char *name);

static inline const char *listing_name(const struct listing *listing, size_t index)
{
    return listing->names.data + listing->entries[index].name;
}

/* ---- attributes ---- */

/* What stat() returns for the resolved node, but for the size of a file. */
void node_attributes(struct request *request, const struct node *node, struct stat *attributes);

/* The same for a directory whose segment does not exist now: empty, and readable by all. It stays
 * usable as a working directory until the segment is created again. */
void node_attributes_absent(const struct node *node, struct stat *attributes);

/* ---- content ---- */

/* Whether the resolved file's content may exceed NODE_PAGE. */
bool node_is_large(const struct request *request);

static inline bool node_is_history(const struct request *request)
{
    const struct node_kind *kind = request->kind;

    return kind->type == NODE_FILE && !kind->render &&
           !(kind->flags & (NODE_PER_CALLER | NODE_STREAM));
}

static inline enum history_format node_history_format(const struct request *request)
{
    return request->query.csv ? HISTORY_CSV : request->kind->history;
}

/* The content of a file that is not a history, or the target of a link. *modified: when it was last
 * written, if that is another time than the segment's, ns since 1970. */
int node_render(struct request *request, struct kymo_text *text, uint64_t *modified);

/* Identifies a content: two contents of a file with equal versions are equal. */
struct node_version {
    uint64_t words[4];
};

/* The version that an open would have now. Of content that depends on the current time no two are
 * equal. Errors as of the content. */
int node_version(const struct request *request, struct node_version *version);

static inline bool node_version_equal(const struct node_version *one,
                                      const struct node_version *other)
{
    return memcmp(one, other, sizeof(*one)) == 0;
}

/* The records of a history as of now. */
int node_find_span(const struct request *request, struct history_span *span);

/* Whether making the content, or measuring it, is proportional to many records or segments. */
bool node_is_bulk(const struct request *request);

/* The mount's README. */
int node_render_readme(struct request *request, struct kymo_text *text);

#endif
