/*
 * registry.h - the segments of the directory, by name.
 *
 * One struct segment stands for one generation of a name whose header has been validated. It is found
 * without a lock, and remains while it is held, even after its name has been replaced or removed. Its
 * file is opened and mapped only while the segment is acquired, or as long as descriptors and address
 * space suffice: both are shared by the owners of the segments (base/shares.h), so that no user's
 * segments prevent those of another from being shown. All functions may be called from any thread.
 */
#ifndef KYMOFS_REGISTRY_H
#define KYMOFS_REGISTRY_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <kymo/kymo.h>

#include "base/credentials.h"

struct registry;

/* What render/ keeps for a segment. Freed with the segment. */
struct segment_cache {
    void (*free)(struct segment_cache *cache);
};

struct segment {
    const char *name;
    enum kymo_clock clock;
    dev_t device; /* with `inode`: the identity of the generation */
    ino_t inode;
    uint64_t size;    /* bytes of the file */
    uint64_t created; /* ns since 1970 */
    uint32_t
        retired; /* 1: the name refers to another generation, or to nothing; kymo_load_relaxed32 */
    const struct kymo_reader *reader;   /* valid while the segment is acquired */
    struct segment_cache *record_cache; /* render/'s; set once, by segment_cache_set() */
};

/* Called without a lock held. */
struct registry_listener {
    void *context;
    /* A name was replaced or removed, or may have changed owner, mode or ACL. Called by the registry's
     * thread. */
    void (*changed)(void *context, const char *name);
    /* A file is not shown, and why. Called by any thread, once for each name and cause as long as the
     * name exists. The callee limits lines about names that are created over and over. May be NULL. */
    void (*skipped)(void *context, const char *name, const char *reason);
};

/* Scans kymo_directory(). 0, -ENOENT, -ENOTDIR, -EACCES, -ENAMETOOLONG, -ENOMEM, -EMFILE. */
int registry_open(struct registry **registry, const struct registry_listener *listener);

/* Every segment must have been dropped. NULL is allowed. */
void registry_close(struct registry *registry);

/* Starts the thread that watches the directory, with all signals blocked. 0, or -EAGAIN. */
int registry_start(struct registry *registry);
/* Ends it: no call of `changed` comes later. */
void registry_stop(struct registry *registry);

/*
 * The generation that has the name now, held, and what lstat() returns for it. `segment` may be NULL.
 * -ENOENT: no such file, or not a valid name. Otherwise why the file cannot be shown, as from
 * kymo_segment_check().
 */
int registry_find(struct registry *registry, const char *name, struct segment **segment,
                  struct stat *status);

/* All segments in order of name, held; includes all that happened before the call. Returns their
 * number, or -ENOMEM. Drop each, then free the array. */
ssize_t registry_list(struct registry *registry, struct segment ***segments);

/* Segments in the table, and files of the directory that are not shown. */
uint64_t registry_count(struct registry *registry);
uint64_t registry_skipped(struct registry *registry);

/* Status of the segments' directory; if it does not exist, that of an empty one that all may read. 0, or
 * a negative errno. */
int registry_directory_status(struct registry *registry, struct stat *status);

/* K (the same to every caller that may read it): 0 if the caller has `permission`, S_IROTH, S_IXOTH or
 * both, on the directory; else as credentials_check(). */
int registry_check_directory(struct registry *registry, struct credentials *credentials,
                             mode_t permission);
/* 0 if the caller, which may search the directory, may read the segment whose status registry_find()
 * returned; else as credentials_check(). */
int registry_check_segment(struct registry *registry, struct credentials *credentials,
                           const char *name, const struct stat *status);

/* Sets segment->reader until segment_release(). -EMFILE, -ENOMEM: beyond the owner's share even
 * without the owner's unused segments; else as kymo_reader_open(), -EIDRM if the name refers to
 * another generation by now and the file was not open. Acquired more than once: released as often. */
int segment_acquire(struct segment *segment);
void segment_release(struct segment *segment);

/* Closes the unused readers of large segments, whose mapped pages count as this daemon's memory. */
void registry_unmap_unused(struct registry *registry);

void segment_hold(struct segment *segment);
void segment_drop(struct segment *segment); /* NULL is allowed */

/* Whether neither the name's entry nor the ring is marked as retired. The segment is acquired. */
bool segment_is_current(const struct segment *segment);

/* Stores the cache unless there is one; returns the one that is stored. `cache` NULL: stores nothing,
 * and returns NULL if there is none. */
struct segment_cache *segment_cache_set(struct segment *segment, struct segment_cache *cache);

#endif
