/*
 * registry_internal.h - what the files of the registry share; only these include it. A file uses those
 * below it:
 *
 *     lookup.c      lookups, lists, access, the thread; everything public but segment_*
 *     directory.c   inotify and scans: brings the table up to date with the directory
 *     table.c       the RCU hash table of entries; one name revalidated
 *     entry.c       one generation: validated, held, dropped
 *     readers.c     its reader: opened on demand, closed when its owner's share is exhausted
 */
#ifndef KYMOFS_REGISTRY_INTERNAL_H
#define KYMOFS_REGISTRY_INTERNAL_H

#include <limits.h>
#include <pthread.h>
#include <stdio.h>

#include "base/shares.h"
#include "registry.h"

#define URCU_API_MAP
#include <urcu/urcu-memb.h>

#include <urcu/rculfhash.h>

/* Names that the listener is called for, once the lock is released. */
struct notice {
    struct notice *next;
    const char *reason;
    char name[];
};

struct notices {
    struct notice *first;
    struct notice *last;
};

struct open_reader {
    struct entry *entry;
    uint32_t uid; /* the owner, whose share the reader counts against */
};

struct readers {
    pthread_mutex_t lock; /* a leaf: nothing is called with it held but shares_*() */
    struct shares *handles;
    struct shares *space; /* of addresses, bytes */
    struct open_reader *open;
    size_t count;
    size_t capacity;
    uint64_t random;
};

struct registry {
    struct cds_lfht *table;
    char directory[PATH_MAX]; /* ends with a slash */
    size_t directory_len;
    struct registry_listener listener;
    struct readers readers;
    pthread_mutex_t lock; /* of all below, and of changing the table */
    unsigned long buckets;
    uint64_t shown;         /* entries without an error */
    uint64_t skipped;       /* entries with one */
    uint64_t transient;     /* of these, entries with a transient error */
    struct entry *unlinked; /* that left the table and wait for a grace period */
    struct notices changed_names;
    struct notices skipped_names;
    int inotify;
    int watch;    /* -1: there is no directory */
    dev_t device; /* with `inode`: the directory that is watched */
    ino_t inode;
    int wake; /* an eventfd, for the thread */
    uint32_t stop;
    bool started;
    pthread_t thread;
};

struct entry {
    struct segment segment;
    struct registry *registry;
    struct cds_lfht_node node;
    struct entry *next; /* in registry->unlinked */
    uint32_t holders;
    uint32_t pins;           /* of the reader: readers.c */
    uint32_t suspect;        /* 1: the reader could not be opened although the file was valid */
    int error;               /* why the file is not shown; 0: a segment */
    struct timespec changed; /* its st_ctim then */
    uint64_t reported[3]; /* errors that the listener was called for under this name, a bit each */
    struct kymo_reader *reader;
    size_t index; /* in readers->open */
    char name[];
};

/* Whether the error may end without a change of the file. */
static inline bool error_is_transient(int error)
{
    return error == -ENOMEM || error == -EMFILE || error == -ENFILE || error == -EAGAIN;
}

/* `name` has at most NAME_MAX bytes. */
static inline void segment_path(const struct registry *registry, const char *name,
                                char path[PATH_MAX])
{
    memcpy(path, registry->directory, registry->directory_len);
    strcpy(path + registry->directory_len, name);
}

static inline struct entry *entry_of(const struct segment *segment)
{
    return caa_container_of(segment, struct entry, segment);
}

/* ---- readers.c ---- */

/* 0, or -ENOMEM. */
int readers_open(struct readers *readers);
void readers_close(struct readers *readers);

void reader_init(struct entry *entry);
/* Whether the file must be validated again: its ring is retired or damaged, or cannot be opened. */
bool reader_is_stale(struct entry *entry);
/* Closes the reader as soon as it is not in use: the entry has left the table. */
void reader_retire(struct entry *entry);
/* The same at once: it is not in use. */
void reader_close(struct entry *entry);

/* Closes the unused readers of at least that size, bytes. */
void readers_close_unused(struct readers *readers, uint64_t size);

/* ---- entry.c ---- */

/* Long enough for kymo_segment_check(). */
#define REASON_SIZE 256

/*
 * The generation that has the name now, validated, with one hold; `status` is set to that file's.
 * 0, also if the file cannot be shown: entry->error and `reason` say why. -ENOENT, -ENOMEM, or why
 * lstat() failed.
 */
int entry_discover(struct registry *registry, const char *name, struct entry **entry,
                   struct stat *status, char reason[REASON_SIZE]);

/* Whether the entry still stands for the file with that status. */
bool entry_matches(struct entry *entry, const struct stat *status);

/* ---- table.c ---- */

/* The entry of that name, held; or NULL. */
struct entry *table_find(struct registry *registry, const char *name);

struct segments {
    struct segment **segments; /* held */
    size_t count;
    size_t capacity;
};

/* Adds those that `wanted` selects. 0, or -ENOMEM. */
int table_list(struct registry *registry, bool (*wanted)(const struct entry *entry),
               struct segments *list);
void segments_free(struct segments *list);

/* Waits for a grace period, and ends the table's hold of the entries that have left it. */
void table_reclaim(struct registry *registry);
/* 0, or -ENOMEM. */
int table_open(struct registry *registry);
void table_close(struct registry *registry);

/* The rest is called with the registry's lock held. */

/* Revalidates the name. 0: the entry that the table has now, held, and its file's status; it may have
 * an error. Otherwise as entry_discover(), and the table has no entry. */
int table_refresh(struct registry *registry, const char *name, struct entry **entry,
                  struct stat *status);
void notices_add(struct notices *notices, const char *name, const char *reason);

/* ---- directory.c ---- */

/* 0, or a negative errno of inotify, or of the directory. */
int directory_open(struct registry *registry);
void directory_close(struct registry *registry);
void directory_scan(struct registry *registry);
/* Brings the table up to date with everything that happened before the call. */
void directory_apply_events(struct registry *registry);

#endif
