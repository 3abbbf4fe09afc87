/*
 * segment.h - segments by name: create, open, close, inspect, list, remove.
 *
 *     #include <kymo/segment.h>
 *
 *     #include <string.h>
 *
 *     int create_value(struct kymo_writer **writer, const char *name)
 *     {
 *         struct kymo_options options;
 *
 *         memset(&options, 0, sizeof(options));
 *         options.size = sizeof(double);
 *         return kymo_writer_open(writer, name, &options);
 *     }
 *
 * The functions here allocate memory and make system calls. They open handles whose hot operations
 * (ring.h, value.h, series.h) do neither.
 *
 * Every function returns 0 or a count, or a negative errno; the value of errno is undefined. A
 * segment name is [A-Za-z0-9_][A-Za-z0-9_.-]* of at most 200 bytes and none of "metrics.prom",
 * "README" and "at"; else -EINVAL, or -ENAMETOOLONG. Segments are files of kymo_directory().
 *
 * Concurrency: any number of threads may use a reader at once. A writer, and a cursor, belong to
 * one thread at a time. Do not close a handle that another thread uses.
 *
 * Promises (A to K): kymo(7).
 */
#ifndef KYMO_SEGMENT_H
#define KYMO_SEGMENT_H

#include <kymo/atomic.h>
#include <kymo/layout.h>
#include <kymo/schema.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The longest segment name, bytes. */
#define KYMO_NAME_LIMIT 200

/* A deadline that never comes. Deadlines are absolute, in ns of CLOCK_MONOTONIC. */
#define KYMO_FOREVER UINT64_MAX

struct kymo_segment; /* the cold half of a handle: file, mapping, checked header */

/* Where the parts of a mapped ring are. Private memory, written at open; shared by both handles. */
struct kymo_ring {
    unsigned char *slots;
    uint64_t *times;
    struct kymo_control *control;
    uint64_t mask;    /* depth - 1 */
    uint64_t stride;  /* bytes */
    uint64_t first;   /* the first record's position */
    uint32_t size;    /* bytes: the largest payload */
    uint32_t damaged; /* not 0 once the file has lost a page under this mapping (guard below) */
};

/* A reader: maps the segment read-only and changes nothing about it (promise B). */
struct kymo_reader {
    struct kymo_ring ring;
    struct kymo_segment *segment;
};

/* The one that publishes. */
struct kymo_writer {
    struct kymo_ring ring;
    struct kymo_bell *bell;
    uint64_t pos;         /* the next position; equal to head between calls */
    uint64_t limit;       /* from this position on, publishing takes the slow path */
    uint64_t time;        /* of the newest record, ns */
    uint32_t wake_always; /* 1: ring the bell at each publish */
    uint32_t loaned;      /* 1: between loan and commit or abort */
    struct kymo_segment *segment;
};

/* What to do about a segment that already has the name. In none of them is a segment taken from a
 * writer that is alive (-EBUSY), nor a file removed that is not a kymo segment (-EBADMSG). */
enum kymo_existing {
    KYMO_OPEN_OR_CREATE =
        0,            /* resume where the layout is the same, start a new generation where not */
    KYMO_REPLACE = 1, /* start a new generation */
    KYMO_OPEN_EXISTING =
        2,              /* resume; -ENOENT where there is none, -EEXIST where the layout differs */
    KYMO_CREATE_NEW = 3 /* -EEXIST where there is one */
};

/* How to create a segment. All zero but size or schema is a good choice. */
struct kymo_options {
    enum kymo_kind kind;
    enum kymo_clock clock;
    enum kymo_time_policy time_policy; /* of this writer, also when it resumes a segment */
    enum kymo_wake_policy wake_policy;
    enum kymo_existing existing;
    uint32_t flags;     /* of enum kymo_segment_flags */
    uint64_t depth;     /* slots: a power of two from 2 to 2^40; 0: 64, or 2 for a value */
    uint32_t size;      /* bytes: the largest payload, to 2^30; 0: what the schema says */
    uint32_t alignment; /* bytes: of the payload, a power of two up to the page; 0: 8, or 64 for
                         * payloads of 512 bytes and more */
    uint32_t mode;      /* permissions of the file, 0777 at most, taken as they are; 0: 0666 less
                         * the umask */
    uint64_t first;     /* the first record's position, below 2^62; to test with */
    const struct kymo_schema *schema;     /* copied; NULL: the payload is bytes */
    const struct kymo_geometry *geometry; /* copied; NULL: no image */
    const struct kymo_origin *origin;     /* copied; NULL: the segment is no copy */
    uint64_t type_id;                     /* of a payload without schema; 0: unknown */
};

/*
 * The directory of the segments: $KYMO_DIR, else /dev/shm. Read from the environment at each call.
 */
KYMO_EXPORT const char *kymo_directory(void);

/* Returns 0 where the name may be one of a segment, else -EINVAL or -ENAMETOOLONG. */
KYMO_EXPORT int kymo_name_check(const char *name);

/* The same, with the cause in *diagnostic; its text is "" for 0. */
KYMO_EXPORT int kymo_name_diagnose(const char *name, struct kymo_diagnostic *diagnostic);

/* The time now on that clock, ns; 0 for KYMO_USER. Calls no kernel where the vDSO has the clock. */
KYMO_EXPORT uint64_t kymo_clock_now(enum kymo_clock clock);

/*
 * Bytes of the file that a segment with these options has, into *bytes.
 * -EINVAL: an option is out of its range, or the schema does not fit. -EOVERFLOW: beyond 2^62.
 */
KYMO_EXPORT int kymo_segment_size(const struct kymo_options *options, uint64_t *bytes);

/* The id of a payload type that has no schema, from its C name and shape; never 0. A "struct " in
 * front of the name does not count. */
KYMO_EXPORT uint64_t kymo_type_id(const char *name, uint32_t size, uint32_t alignment);

/*
 * The origin's position of a copy's record: `first` is the copy's (struct kymo_info), `pos` and
 * `flags` the record's. Exact while the copy lacks fewer than 2^32 records of its origin.
 */
KYMO_INLINE uint64_t kymo_origin_pos(const struct kymo_origin *origin, uint64_t first, uint64_t pos,
                                     uint32_t flags);

/*
 * Opens the segment for publishing: creates it, resumes it, or puts a new generation in its place,
 * as options->existing says. options NULL: KYMO_OPEN_EXISTING with whatever layout it has. Resuming
 * keeps the history, and adopts a record that a killed writer had completed but not yet counted.
 *
 * -EBUSY: another writer is alive. -ENOENT, -EEXIST: see enum kymo_existing. -EBADMSG: the name is
 * held by something that is not a sound segment. -EPROTONOSUPPORT: by one of another layout
 * version, byte order, page or word size. -ENOSPC: the file system lacks kymo_segment_size bytes.
 * -EINVAL, -EOVERFLOW: options. -EACCES, -EPERM, -ENOMEM, -EMFILE: as from the kernel. -EAGAIN: the
 * name changed hands over and over, or its owner has a lease on the file (fcntl) and is being told.
 *
 * In a forked child the handle is dead: publishing there is -EPERM, and the parent keeps its lock.
 */
KYMO_INLINE int kymo_writer_open(struct kymo_writer **writer, const char *name,
                                 const struct kymo_options *options);

/*
 * The same; the cause of a failure is written into *diagnostic. After a success its text is "",
 * unless a new generation replaced one of another layout: then it names the difference. Each call
 * writes its own diagnostic only, so any number of threads may open at once.
 */
KYMO_INLINE int kymo_writer_open_diagnosed(struct kymo_writer **writer, const char *name,
                                           const struct kymo_options *options,
                                           struct kymo_diagnostic *diagnostic);

/* The cause of `error`, which the last loan, commit, abort, publish or push with this writer
 * returned; `len` and `time` are those of the call, 0 if it has none. */
KYMO_EXPORT void kymo_writer_diagnose(const struct kymo_writer *writer, int error, size_t len,
                                      uint64_t time, struct kymo_diagnostic *diagnostic);

/* Ends cleanly: the segment stays, reads as CLOSED, and can be resumed. NULL is fine. */
KYMO_EXPORT void kymo_writer_close(struct kymo_writer *writer);

/* Removes the segment with the writer that has it open, and closes the writer whatever it returns:
 * 0, -EBUSY where another of several writers is alive, or the kernel's -EACCES, -EPERM. Readers get
 * -EIDRM. */
KYMO_EXPORT int kymo_writer_remove(struct kymo_writer *writer);

/* How long one publish of a shared writer may wait for another living one, ns; 1 s unless set here.
 * -EINVAL: not a shared-writer segment. */
KYMO_EXPORT int kymo_writer_set_lock_timeout(struct kymo_writer *writer, uint64_t timeout);

/* Says "I am alive" for writers that publish seldom. Stores one word; -EPERM in a forked child. */
KYMO_EXPORT int kymo_writer_heartbeat(struct kymo_writer *writer);

/*
 * Opens the segment for reading.
 * -ENOENT, -EACCES, -ENOMEM, -EMFILE: as from the kernel. -EBADMSG: not a regular file, not a kymo
 * segment, or its header does not hold (kymo_segment_check says what is wrong). -EPROTONOSUPPORT:
 * other layout version, byte order, page or word size. -EIDRM: the name leads to a generation whose
 * replacement was never finished. -EAGAIN: its owner has a lease on the file, and is being told.
 */
KYMO_INLINE int kymo_reader_open(struct kymo_reader **reader, const char *name);

/* The same; the cause of a failure is written into *diagnostic. */
KYMO_INLINE int kymo_reader_open_diagnosed(struct kymo_reader **reader, const char *name,
                                           struct kymo_diagnostic *diagnostic);

/* NULL is fine. */
KYMO_EXPORT void kymo_reader_close(struct kymo_reader *reader);

/* What a mapping may be asked for ahead of time. */
enum kymo_prefault {
    KYMO_PREFAULT = 1,   /* every page mapped now, so that no first touch enters the kernel */
    KYMO_HUGE_PAGES = 2, /* huge pages, where the kernel gives them: those of 2 MiB and more */
    KYMO_LOCKED = 4      /* kept from being swapped out */
};

/* What a mapping has got, bytes; shared memory that another process obtained counts as well. */
struct kymo_residence {
    uint64_t mapped;
    uint64_t resident; /* in memory */
    uint64_t huge;     /* mapped by huge pages */
    uint64_t locked;
};

/*
 * Asks for the `wanted` bits of enum kymo_prefault on this handle's mapping, one by one, and says
 * what was really obtained: the kernel grants a request for huge pages and may still give none.
 * `residence` may be NULL. Returns the bits that the kernel granted, or -EINVAL: unknown bits;
 * -EPERM: a forked child's handle. Slow, and best called once, before the work begins.
 */
KYMO_EXPORT int kymo_segment_prefault(struct kymo_segment *segment, unsigned int wanted,
                                      struct kymo_residence *residence);

/* Everything that the header and the writer's page say, as one copy. */
struct kymo_info {
    char name[KYMO_NAME_LIMIT + 1];
    enum kymo_kind kind;
    enum kymo_clock clock;
    enum kymo_wake_policy wake_policy;
    uint32_t flags;
    uint32_t layout_major;
    uint32_t layout_minor;
    uint64_t depth;     /* slots */
    uint64_t stride;    /* bytes */
    uint32_t size;      /* bytes */
    uint32_t alignment; /* bytes */
    uint64_t file_size; /* bytes */
    uint64_t first;
    uint64_t type_id; /* 0: unknown */
    struct kymo_geometry geometry;
    struct kymo_origin origin; /* uuid 0: the segment is no copy */
    struct kymo_schema schema; /* valid as long as the handle; count 0 where there is none */
    uint64_t created_monotonic;
    uint64_t created_realtime;
    uint32_t creator_pid;
    uint32_t creator_uid;
    char creator[16];
    uint8_t uuid[16];
    char boot_id[40];
    char host[64];
    uint64_t device; /* st_dev, st_ino: the generation's identity on this machine */
    uint64_t inode;
    uint32_t uid; /* the file's owner, group and permissions */
    uint32_t gid;
    uint32_t mode;
    /* As of the call: */
    enum kymo_state state;
    uint64_t head;
    uint64_t heartbeat; /* CLOCK_MONOTONIC ns, 0: none */
    uint64_t opened;    /* CLOCK_MONOTONIC ns */
    uint32_t writer_pid;
    uint32_t writers;
    enum kymo_time_policy time_policy; /* of the writer that opened last */
    uint64_t rejected;
    uint64_t clamped;
    uint64_t aborted;
    uint64_t wakes;
    uint64_t adopted;
    uint64_t takeovers;
    uint64_t frozen_realtime; /* ns since 1970; 0: no frozen copy */
    uint64_t frozen_time;     /* ns on the segment's clock */
    uint64_t frozen_missing;  /* records */
};

/* -EBADMSG where the mapping is damaged (guard below). */
KYMO_EXPORT int kymo_segment_info(const struct kymo_segment *segment, struct kymo_info *info);

/* The fields that the payload has; count 0 where it is bytes. Valid as long as the handle. */
KYMO_EXPORT const struct kymo_schema *kymo_segment_schema(const struct kymo_segment *segment);

/* The clock of the segment's times. */
KYMO_EXPORT enum kymo_clock kymo_segment_clock(const struct kymo_segment *segment);

enum kymo_liveness {
    KYMO_LIVE_UNKNOWN = 0, /* the kernel would not say */
    KYMO_LIVE_ALIVE = 1,   /* a process holds the writer's lock */
    KYMO_LIVE_STALLED = 2, /* it does, but has shown no sign of life for longer than the limit */
    KYMO_LIVE_CLOSED = 3,  /* the last writer ended cleanly */
    KYMO_LIVE_DEAD = 4     /* the last writer ended without a word: killed, or crashed */
};

/*
 * Returns an enum kymo_liveness: the kernel's word (promise H), from the lock that only a living
 * writer can hold. `limit`, ns: STALLED where the writer's newest heartbeat and newest record are
 * both older; KYMO_FOREVER never says so. On KYMO_USER only heartbeats have an age.
 * -EIDRM: this generation was replaced or removed. -EBADMSG: damaged.
 */
KYMO_EXPORT int kymo_segment_liveness(const struct kymo_segment *segment, uint64_t limit);

/* "alive", "stalled", "closed", "dead", "unknown". */
KYMO_EXPORT const char *kymo_liveness_text(int liveness);
KYMO_EXPORT const char *kymo_kind_text(enum kymo_kind kind);
KYMO_EXPORT const char *kymo_clock_text(enum kymo_clock clock);
/* The clock of that name into *clock, or -EINVAL. */
KYMO_EXPORT int kymo_clock_parse(const char *text, enum kymo_clock *clock);

/* One file of the directory. */
struct kymo_entry {
    const char *name;
    int error;          /* 0: a sound segment; else why it can't be opened, as from reader_open */
    const char *reason; /* in words; "" where error is 0 */
};

/*
 * Calls visit for each file in the directory in order of name, sound segments and others alike, but
 * not for names that begin with a dot. Stops where visit returns other than 0 and returns that;
 * else returns 0, or -ENOENT, -EACCES, -ENOMEM for the directory itself.
 */
KYMO_EXPORT int kymo_segment_list(int (*visit)(void *context, const struct kymo_entry *entry),
                                  void *context);

/* 1 where the name is a sound segment, 0 where there is nothing, else why it can't be opened. */
KYMO_EXPORT int kymo_segment_exists(const char *name);

/* As kymo_reader_open returns, with the reason in words ("" for 0) in text[size]. */
KYMO_EXPORT int kymo_segment_check(const char *name, char *text, size_t size);

/*
 * Removes a segment that has no living writer; its readers get -EIDRM.
 * -EBUSY: a writer is alive. -ENOENT. -EBADMSG, -EPROTONOSUPPORT: not a segment of ours to remove.
 * -EACCES, -EPERM: as from the kernel.
 */
KYMO_EXPORT int kymo_segment_remove(const char *name);

/*
 * Removes the segment if its writer died without a word, as kymo_segment_remove does. Returns 1
 * where it was removed, 0 where it is alive or ended cleanly, else as kymo_segment_remove.
 */
KYMO_EXPORT int kymo_segment_reap(const char *name);

/* Removes unfinished segments that creators killed half-way left behind. Returns how many. */
KYMO_EXPORT int kymo_segment_reap_unfinished(void);

/*
 * The guard against truncation (promise F). A file in shared memory can be cut short while it is
 * mapped; touching the lost part raises SIGBUS. With the guard installed, a fault inside a mapping
 * of this library puts a zero page there and marks the handle: its operations then return
 * -EBADMSG. Any other SIGBUS goes to the handler that was there before.
 *
 * Installing is for programs, not for libraries: the handler is the process's. Installed twice, it
 * stays until removed twice. Returns 0, or the kernel's error.
 */
KYMO_EXPORT int kymo_guard_install(void);
KYMO_EXPORT void kymo_guard_remove(void);
/* How many faults the guard has caught in this process. */
KYMO_EXPORT uint64_t kymo_guard_caught(void);

/* One sentence for an error of this library, negative or positive: what is wrong and what to do.
 * Never NULL; errors that are not in DESIGN's list read as strerror has them. */
KYMO_EXPORT const char *kymo_error_text(int error);

/* "0.2.0": the version of the library, which is not that of the layout. */
KYMO_EXPORT const char *kymo_version(void);

#ifdef __cplusplus
}
#endif

#include <kymo/impl/segment.h>

#endif
