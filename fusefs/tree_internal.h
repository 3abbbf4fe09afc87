/*
 * tree_internal.h - what the files of the tree share. Only these include it:
 *
 *     tree.c           known nodes: found by name or number, taken up, forgotten, opened
 *     tree_content.c   snapshots: made, kept for the next open, within a limit of memory
 *     tree_walk.c      who walks through the view, and who was sent back to look again
 *     tree_tidy.c      what is let go before the kernel forgets it
 *
 * The lock is held for a few memory accesses, never while content is made or the kernel is called.
 */
#ifndef KYMOFS_TREE_INTERNAL_H
#define KYMOFS_TREE_INTERNAL_H

#include <pthread.h>
#include <time.h>

#include "tree.h"

/* A node and what the tree has to know about it. */
struct known {
    struct node node;
    struct known *next;        /* in its bucket, by inode */
    struct known *next_number; /* likewise, by number */
    uint64_t number;
    uint64_t references;       /* of all kinds: outside, and by children, open files, requests */
    uint64_t outside;          /* of these: those that the kernel has counted */
    uint64_t busy;             /* requests and open files of it, and of what is below */
    struct snapshot *snapshot; /* an exact node's content; NULL where there is none, or no more */
    uint64_t size;             /* what that has or had, bytes */
    uint64_t walked;           /* when the walk began in which it was last opened */
    struct known *older;       /* where it is spare */
    struct known *newer;
    uint64_t used;   /* when it, or what is below, was last in use; coarse ns */
    uint64_t spared; /* when it became spare, or was last in use itself since; likewise */
    bool exact;
    bool current; /* lookups find it; false once a newer one has the name */
    bool spare;   /* in one of the lists of those */
    char name[];
};

/* Somebody who has listed the root, and is still at it. */
struct walk {
    uint64_t thread; /* 0: nobody; read without the lock, too */
    uint64_t began;  /* CLOCK_MONOTONIC ns: when he listed the root */
    uint64_t seen;   /* when he last asked for a name or a listing, or opened something */
};

/* A caller who was sent back to look again. */
struct way {
    uint64_t thread; /* 0: nobody; read without the lock, too */
    uint64_t since;  /* CLOCK_MONOTONIC ns */
};

/* Nodes that may be forgotten before the kernel says so: nobody comes by them twice. */
struct spare {
    struct known *oldest; /* by when they were last in use */
    struct known *newest;
    uint32_t count; /* read without the lock, too */
    uint32_t most;  /* until it is time to tidy up; likewise */
};

#define WALKS 64

/* Who has not asked for so long, ns, walks no more. */
#define WALK_PAUSE UINT64_C(1000000000)

/* And who has been at it for so long rather looks at the same names again and again. */
#define WALK_LIMIT UINT64_C(60000000000)

/* A place for each thread of so many that were started one after another. */
#define WAYS 4096

/* Who was sent back has found something or nothing within, ns. */
#define SECOND_WAY UINT64_C(1000000000)

struct tree {
    struct registry *registry;
    pthread_mutex_t lock; /* of all below, and of all known nodes but their struct node */
    struct known **buckets;
    struct known **numbers;
    size_t mask; /* buckets - 1, of both */
    size_t count;
    uint64_t last_number;
    struct spare spare[2]; /* files and links, directories */
    uint64_t departures; /* of the registry, when we last looked for nodes that hold one of them */
    uint32_t look_again; /* 1: some may; without the lock */
    struct walk walks[WALKS];     /* by thread */
    struct way second_ways[WAYS]; /* by thread */
    struct snapshot *snapshots;   /* all that there are */
    struct snapshot *oldest;      /* of those that nodes keep */
    struct snapshot *newest;
    uint64_t kept;   /* bytes of those */
    uint64_t memory; /* bytes that all contents take, small ones apart */
    uint64_t memory_limit;
    struct known *root;
};

/* CLOCK_MONOTONIC as of the last tick, ns: for what takes seconds. */
static inline uint64_t coarse_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static inline struct known *known_of(struct node *node)
{
    return (struct known *)node;
}

/* ---- tree.c ---- */

/* Whether nodes of that file have become exact (tree_make_exact), and this is not one of them. */
bool is_outgrown(const struct node *node);

/* Under the lock: takes out of the tables, and puts before `dead`, the node that nobody refers to any
 * more when `count` of its references are dropped, and whatever only it referred to. */
struct known *known_unref(struct tree *tree, struct known *known, uint64_t count,
                          struct known *dead);
/* Frees such a list. Not under the lock: the last one to hold a segment closes it. */
void known_free_all(struct tree *tree, struct known *dead);

/* ---- tree_content.c ---- */

/* What is different when the content is, where has_version. */
uint64_t version_of(const struct node *node);
bool has_version(const struct node *node);

/* 0 and a snapshot with one holder, or an error of the library. */
int snapshot_make(struct tree *tree, const struct node *node, const struct caller *caller,
                  struct snapshot **out);

/* Gives the node the snapshot, whose hold is the caller's, to keep. Under the lock. */
void snapshot_keep(struct tree *tree, struct known *known, struct snapshot *snapshot);
/* Takes the snapshot from the node that keeps it. Under the lock; the hold passes to the caller. */
void snapshot_let_go(struct tree *tree, struct snapshot *snapshot);
/* Lets go of the oldest where more is kept than should be. */
void snapshot_keep_less(struct tree *tree);

/* ---- tree_walk.c ---- */

void walk_begin(struct tree *tree, const struct caller *caller);
/* Returns since when the caller walks; UINT64_MAX: he does not. */
uint64_t walk_goes_on(struct tree *tree, const struct caller *caller);
static inline bool is_walking(uint64_t since)
{
    return since != UINT64_MAX;
}

/* ---- tree_tidy.c ---- */

void tree_tidy_begin(struct tree *tree);

/* Under the lock: at the beginning of a node's life, at its end, and each time it is asked about. */
void spare_begin(struct tree *tree, struct known *known);
void spare_end(struct tree *tree, struct known *known);
void spare_use(struct tree *tree, struct known *known, uint64_t now);

/* A node was taken up: where its segment has gone already, nothing else would make us look. */
void tidy_look_again(struct tree *tree, const struct node *node);

#endif
