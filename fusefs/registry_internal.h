/*
 * registry_internal.h - what the files of the registry share. Only these include it:
 *
 *     registry.c         the table, the directory that it follows, lookups, the thread
 *     registry_entry.c   one generation: opened while there is room, who may read it, held and dropped
 */
#ifndef KYMOFS_REGISTRY_INTERNAL_H
#define KYMOFS_REGISTRY_INTERNAL_H

#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>

#include "registry.h"

#define URCU_API_MAP
#include <urcu/urcu-memb.h>

#include <urcu/rculfhash.h>

/* Names that the listener has to hear of. */
struct news {
    char **names;
    size_t count;
    size_t capacity;
};

/* A segment that has gone: an entry without a reader, that is in no table. */
struct departed {
    struct segment *segment;
    uint64_t when; /* CLOCK_MONOTONIC ns */
};

#define DEPARTED_LIMIT 256

struct registry {
    struct cds_lfht *table;
    struct registry_listener listener;
    pthread_mutex_t lock; /* of all below, and of changing the table */
    int inotify;
    int watch;    /* -1: there is no directory */
    dev_t device; /* with `inode`: the directory that is watched */
    ino_t inode;
    struct news changed;
    struct news skipped;
    uint64_t skipped_count;
    unsigned long capacity;                   /* segments that may be open at once */
    unsigned long opened;                     /* that are; changed without the lock */
    bool crowded;                             /* some could not be opened for want of room */
    struct departed departed[DEPARTED_LIMIT]; /* the newest, in a circle */
    uint64_t departed_count;                  /* ever */
    int wake;        /* an eventfd: for the thread to look at `changed`, or to stop */
    uint32_t untidy; /* not under the lock: 1 where somebody wants `tidy` to be called */
    bool stop;
    bool started;
    pthread_t thread;
};

struct entry {
    struct segment segment;
    struct registry *registry; /* that has counted it as open; NULL: none has */
    struct segment *shell;     /* what stays of it when it has gone, held; NULL until then */
    struct cds_lfht_node node;
    struct rcu_head rcu;
    unsigned long holders;
    struct timespec changed; /* st_ctim */
    char name[];
};

static inline struct entry *entry_of(const struct segment *segment)
{
    return caa_container_of(segment, struct entry, segment);
}

/* ---- registry_entry.c ---- */

/* Where the directory has that name. */
void segment_path(const char *name, char path[PATH_MAX]);
/* K: who may read the file, in mode bits. Where these do not say it all, nobody but the owner. */
uint32_t path_mode(const char *path, mode_t mode);
/* Whether it is the segment's generation that is there now. */
bool path_leads_to(const char *path, const struct segment *segment);

/* How many segments may be open at once. */
unsigned long room_find(void);
bool room_is_left(const struct registry *registry);

struct entry *entry_new(const char *name);
/* What is there now under the name; `status` is what lstat said a moment ago. Where it can't be shown
 * the entry says why. NULL: it has gone since, or no memory. Under the registry's lock. */
struct entry *entry_open_present(struct registry *registry, const char *name, const char *path,
                                 const struct stat *status);
/* The table's own hold ends a grace period after the entry left it (RCU-1): pairs with the hold
 * that entry_find takes inside its read-side section. */
void entry_release(struct rcu_head *rcu);

/* Whether the entry is what the directory has, contents included. */
bool entry_holds(const struct entry *entry, const struct stat *status);
bool entry_owner_holds(const struct segment *segment, const struct stat *status, uint32_t mode);

#endif
