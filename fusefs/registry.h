/*
 * registry.h - which segments there are now: found by scanning and watching the directory, looked
 * up by name without a lock.
 *
 * One struct segment stands for one generation of a name, or for a file that is no segment and why.
 * Whoever gets one from here holds it and drops it; what it points to stays until then, even if the
 * name is taken by another generation or goes. All functions may be called from any thread.
 */
#ifndef KYMOFS_REGISTRY_H
#define KYMOFS_REGISTRY_H

#include <stdbool.h>
#include <sys/types.h>

#include <kymo/kymo.h>

struct registry;

struct segment {
    const char *name;
    struct kymo_reader *reader; /* NULL where error is not 0, or the segment has departed */
    int error;                  /* why the file can't be shown, as from kymo_reader_open */
    dev_t device;               /* with `inode`: what the generation is known by */
    ino_t inode;
    uint64_t created; /* ns since 1970 */
    uint64_t size;    /* bytes of the file */
    /* These change; read them with kymo_load_relaxed32. */
    uint32_t uid;
    uint32_t gid;
    uint32_t mode;    /* who may read it, as 0444 or less */
    uint32_t gone;    /* 1: the name leads to something else by now, or to nothing */
    uint32_t exact;   /* the tree's own */
    uint32_t remains; /* 1: has gone, and this one's reader shows what it held last */
};

/* What the registry tells while it runs. Called with no lock held, by the thread that found out. */
struct registry_listener {
    void *context;
    /* What was known about the name holds no more: it was replaced, removed, or has other
     * permissions. Called by the registry's own thread alone. */
    void (*changed)(void *context, const char *name);
    /* Called by that thread, too, a second after something changed, or after registry_tidy_soon.
     * Returns whether it wants to be called again, in twice the time, up to a minute. May be NULL. */
    bool (*tidy)(void *context);
    /* A file is not shown, and why. May be NULL. */
    void (*skipped)(void *context, const char *name, const char *reason);
};

/* Scans kymo_directory(). 0, -ENOENT, -ENOTDIR, -EACCES, -ENOMEM, -EMFILE. */
int registry_open(struct registry **registry, const struct registry_listener *listener);

/* Everything that was found in it must have been dropped before. NULL is fine. */
void registry_close(struct registry *registry);

/* Starts the thread that watches, with all signals blocked. 0, or -EAGAIN. */
int registry_start(struct registry *registry);

/* Has the thread call `tidy` within 20 ms. */
void registry_tidy_soon(struct registry *registry);

/* Ends that thread: no call to `changed` comes after. */
void registry_stop(struct registry *registry);

/*
 * The segment of that name, as the directory has it at this moment.
 * -ENOENT: there is none, nor may be. Else why the file of that name can't be shown.
 */
int registry_find(struct registry *registry, const char *name, struct segment **segment);

/* A segment of that name that has gone since, CLOCK_MONOTONIC ns: without a reader, for its
 * attributes alone. -ENOENT: none, or so long ago that it is forgotten. */
int registry_find_departed(struct registry *registry, const char *name, uint64_t since,
                           struct segment **segment);

/* All segments in order of name, everything included that happened before the call. Returns how
 * many, or -ENOMEM. Drop each, then free the list. */
ssize_t registry_list(struct registry *registry, struct segment ***segments);

/* What stays of a segment that has gone when its mapping does: the same without a reader, held. NULL
 * where memory was short. */
struct segment *segment_remember(struct segment *segment);

/* How many segments have gone so far. */
uint64_t registry_departures(struct registry *registry);

/* Whether the segment is what its name leads to, as far as one can tell by looking at it. */
bool segment_is_current(const struct segment *segment);

/* The same, as the directory has it at this moment: where another has taken the name, or nobody has
 * it, the segment is known to have gone from now on. */
bool registry_is_current(struct registry *registry, const struct segment *segment);

/* Whether the same people may read both (K). */
bool segment_same_owner(const struct segment *one, const struct segment *other);

/* How many files of the directory are not shown. */
uint64_t registry_skipped(struct registry *registry);

/* K: whether mode bits alone do not say who may read that path. */
bool registry_has_access_list(const char *path);

void segment_hold(struct segment *segment);
void segment_drop(struct segment *segment); /* NULL is fine */

#endif
