/*
 * tree_internal.h - what the files of the tree share. Only these include it:
 *
 *     tree.c           known nodes: found by name, taken up, forgotten, opened
 *     tree_content.c   snapshots: made, kept for the next open, within a limit of memory
 *     tree_walk.c      who walks through the view, and who was sent back to look again
 *     tree_tidy.c      names that the kernel had better forget
 *
 * The lock is held for a few memory accesses, never while content is made or the kernel is called.
 */
#ifndef KYMOFS_TREE_INTERNAL_H
#define KYMOFS_TREE_INTERNAL_H

#include <pthread.h>

#include "tree.h"

/* A node and what the tree has to know about it. */
struct known {
    struct node node;
    struct known *next;        /* in its bucket */
    uint64_t references;       /* from outside, and from children */
    struct snapshot *snapshot; /* an exact node's content; NULL where there is none, or no more */
    uint64_t size;             /* what that has or had, bytes */
    uint64_t walked;           /* when the walk began in which it was last opened */
    bool exact;
    bool current; /* lookups find it; false once a newer one has the name */
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

/*
 * A name that a segment's directory did not have. The kernel remembers that as well, and where the
 * segment goes at that very moment, it may keep the directory for its sake.
 */
struct vain {
    struct known *directory; /* known once more; NULL: there is none */
    char *name;
};

/* The newest are remembered: more than are asked for in the second before they are looked through. */
#define VAIN_LIMIT 4096

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
    size_t mask; /* buckets - 1 */
    size_t count;
    uint32_t unlisted; /* of these: how many are not listed; read without the lock, too */
    struct vain vain[VAIN_LIMIT]; /* in a circle */
    size_t vain_next;
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

static inline struct known *known_of(struct node *node)
{
    return (struct known *)node;
}

/* ---- tree.c ---- */

/* Drops references, and frees what nobody refers to any more, up towards the root. */
void known_drop(struct tree *tree, struct known *known, uint64_t count);

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

bool has_gone(const struct node *node);
/* Remembers a name that the directory did not have. */
void vain_add(struct tree *tree, struct known *directory, const char *name);
void vain_clear(struct tree *tree);

#endif
