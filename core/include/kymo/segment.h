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
 * one thread at a time; functions that take its const struct kymo_segment * may run in other
 * threads concurrently. Functions without a handle may run in any threads and processes
 * concurrently, also for the same name. Do not close a handle that another thread uses.
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

/* No deadline. Deadlines are absolute, in ns of CLOCK_MONOTONIC. */
#define KYMO_FOREVER UINT64_MAX

struct kymo_segment; /* the cold part of a handle: file, mapping, checked header */

/* The addresses and sizes of a mapped ring: private memory, set at open, part of both handles. */
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

/* A writer: publishes records. */
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

/*
 * What to do with an existing segment of that name. No value takes a segment from a writer that is
 * alive (-EBUSY), removes a file that is not a kymo segment (-EBADMSG), or starts a new generation of
 * a queue that holds records (-ENOTEMPTY). A new generation has the owner, group and permissions,
 * also the access list, of the one before.
 *
 * The layout is the same if kind, clock, wake policy, flags, size, depth, alignment, geometry, type
 * id and schema (all but its helps) are equal. Options that are 0 are equal to any value: depth,
 * alignment, type_id, origin; and the payload, if size, schema and geometry are all 0. Times that
 * count from another boot (kymo_segment_is_of_other_boot) are another layout, too.
 */
enum kymo_existing {
    KYMO_OPEN_OR_CREATE = 0, /* resume if the layout is the same, else start a new generation */
    KYMO_REPLACE = 1,        /* start a new generation */
    KYMO_OPEN_EXISTING = 2,  /* resume; -ENOENT if there is none, -EEXIST if its layout differs */
    KYMO_CREATE_NEW = 3      /* -EEXIST if there is one */
};

/* How to create a segment. Usually only size, schema or geometry need to be set. */
struct kymo_options {
    enum kymo_kind kind;
    enum kymo_clock clock;
    enum kymo_time_policy time_policy; /* of this writer, also when it resumes a segment */
    enum kymo_wake_policy wake_policy;
    enum kymo_existing existing;
    uint32_t flags;     /* of enum kymo_segment_flags */
    uint64_t depth;     /* slots: a power of two from 2 to 2^40; 0: those of the resumed segment,
                         * in a new one 64, or 2 for a value */
    uint32_t size;      /* bytes: the largest payload, to 2^30; 0: that of the schema, else of the
                         * geometry, else of the existing segment */
    uint32_t alignment; /* bytes: of the payload, a power of two up to the page; 0: that of the
                         * resumed segment, in a new one 8, or 64 for 512 bytes and more */
    uint32_t mode;      /* permissions of a new file, 0777 at most, not changed by the umask; 0:
                         * those of the generation before, else 0666 less the umask */
    uint64_t first;     /* the first record's position, below 2^62; for copies and tests */
    const struct kymo_schema *schema;     /* copied; NULL: the payload is bytes */
    const struct kymo_geometry *geometry; /* copied; NULL: no image */
    const struct kymo_origin *origin;     /* copied; NULL: the segment is no copy */
    uint64_t type_id;                     /* of a payload without schema; 0: unknown */
};

/*
 * The directory of the segments: $KYMO_DIR, else /dev/shm. Read from the environment at each call,
 * with secure_getenv(3); must not run concurrently with setenv(3).
 */
KYMO_EXPORT const char *kymo_directory(void);

/* 0 if a segment may have that name, else -EINVAL or -ENAMETOOLONG. */
KYMO_EXPORT int kymo_name_check(const char *name);

/* The same, with the cause in *diagnostic; its text is "" for 0. */
KYMO_EXPORT int kymo_name_diagnose(const char *name, struct kymo_diagnostic *diagnostic);

/* The current time of that clock, ns; 0 for KYMO_USER. No system call if the vDSO has the clock. */
KYMO_EXPORT uint64_t kymo_clock_now(enum kymo_clock clock);

/*
 * Bytes of the file of a new segment with these options, into *bytes.
 * -EINVAL (kymo_options_diagnose): an option is out of its range, the schema does not fit, or size,
 * schema and geometry are all 0. -EOVERFLOW: more than 2^62 bytes.
 */
KYMO_EXPORT int kymo_segment_size(const struct kymo_options *options, uint64_t *bytes);

/* 0 if a new segment may have these options, else as kymo_segment_size, with the cause in
 * *diagnostic; its text is "" for 0. */
KYMO_EXPORT int kymo_options_diagnose(const struct kymo_options *options,
                                      struct kymo_diagnostic *diagnostic);

/* The id of a payload type that has no schema, from its C name, its size and its alignment,
 * both in bytes; never 0. A leading "struct ", "union " or "enum " is ignored. */
KYMO_EXPORT uint64_t kymo_type_id(const char *name, uint32_t size, uint32_t alignment);

/*
 * The origin's position of a copy's record: `first` is the copy's (struct kymo_info), `pos` and
 * `flags` the record's. Exact while the copy lacks fewer than 2^32 records of its origin.
 */
KYMO_INLINE uint64_t kymo_origin_pos(const struct kymo_origin *origin, uint64_t first, uint64_t pos,
                                     uint32_t flags);

/*
 * Opens the segment for publishing: creates it, resumes it, or replaces it by a new generation, as
 * options->existing selects. options NULL: KYMO_OPEN_EXISTING with any layout. Resuming keeps the
 * history, and adopts a record that a killed writer had completed but not yet counted.
 *
 * -EBUSY: another writer is alive, or all 1024 lock slots of shared writers are in use. -ENOENT,
 * -EEXIST: see enum kymo_existing. -EBADMSG: the file of that name is not a valid segment.
 * -EPROTONOSUPPORT: it is one of another layout version, byte order, page or word size. -ENOSPC:
 * the file system lacks kymo_segment_size bytes, or those that a resumed file with holes needs.
 * -EINTR: signals interrupted each of 1000 attempts to allocate. -EINVAL, -EOVERFLOW: options.
 * -ENOTEMPTY: a queue of another layout holds records. -EPERM: the owner and group of the generation
 * before can't be kept. -EACCES, -EPERM, -ENOMEM, -EMFILE: as from the kernel. -EAGAIN: the name was
 * replaced during each of 100 attempts, or the kernel is breaking a lease (fcntl) on the file.
 * -ETIMEDOUT: another shared writer held the lock for 1 s.
 *
 * After an error the directory, the existing segment and its history are as before. The library
 * holds no descriptor below 3.
 *
 * In a forked child the handle is unusable: publishing there is -EPERM, and the parent keeps its
 * lock.
 */
KYMO_INLINE int kymo_writer_open(struct kymo_writer **writer, const char *name,
                                 const struct kymo_options *options);

/*
 * The same, with the cause of a failure in *diagnostic. After a success its text is "", unless a
 * new generation replaced one of another layout: then it is the difference.
 */
KYMO_INLINE int kymo_writer_open_diagnosed(struct kymo_writer **writer, const char *name,
                                           const struct kymo_options *options,
                                           struct kymo_diagnostic *diagnostic);

/* The cause of `error`, which the last loan, commit, abort, publish or push with this writer
 * returned; `len` and `time` are those of the call, 0 if it has none. */
KYMO_EXPORT void kymo_writer_diagnose(const struct kymo_writer *writer, int error, size_t len,
                                      uint64_t time, struct kymo_diagnostic *diagnostic);

/* Ends cleanly: the segment stays, its state is CLOSED, and it can be resumed. NULL is allowed. */
KYMO_EXPORT void kymo_writer_close(struct kymo_writer *writer);

/* Removes the writer's segment; its readers get -EIDRM. Always closes the writer. Returns 0;
 * -EBUSY: another shared writer is alive; -EPERM: a forked child's handle; or the kernel's -EACCES,
 * -EPERM, -EMFILE. */
KYMO_EXPORT int kymo_writer_remove(struct kymo_writer *writer);

/* How long one publish of a shared writer may wait for another one that is alive, ns; default 1 s.
 * -EINVAL: not a shared-writer segment. */
KYMO_EXPORT int kymo_writer_set_lock_timeout(struct kymo_writer *writer, uint64_t timeout);

/*
 * Shows that a writer that publishes rarely is alive, and checks that its segment still exists: one
 * system call, to be made about once a second. -EIDRM: the file was removed, so that no new reader
 * finds it: close the writer and open it again. -EPERM: a forked child's handle.
 */
KYMO_EXPORT int kymo_writer_heartbeat(struct kymo_writer *writer);

/*
 * Opens the segment for reading.
 * -ENOENT, -EACCES, -ENOMEM, -EMFILE: as from the kernel. -EBADMSG: not a regular file, not a kymo
 * segment, or its header is invalid. -EPROTONOSUPPORT: other layout version, byte order, page or
 * word size. -EIDRM: the generation is retired, e.g. it was replaced during this call. -EAGAIN: the
 * kernel is breaking a lease (fcntl) on the file.
 */
KYMO_INLINE int kymo_reader_open(struct kymo_reader **reader, const char *name);

/* The same, with the cause of a failure in *diagnostic. */
KYMO_INLINE int kymo_reader_open_diagnosed(struct kymo_reader **reader, const char *name,
                                           struct kymo_diagnostic *diagnostic);

/* NULL is allowed. */
KYMO_EXPORT void kymo_reader_close(struct kymo_reader *reader);

/* Requests for a mapping. */
enum kymo_prefault {
    KYMO_PREFAULT = 1,   /* every page mapped now, so that no first touch enters the kernel */
    KYMO_HUGE_PAGES = 2, /* huge pages, for segments of 2 MiB and more */
    KYMO_LOCKED = 4      /* not swapped out */
};

/* What a mapping has, bytes; shared memory that another process obtained counts as well. */
struct kymo_residence {
    uint64_t mapped;
    uint64_t resident; /* in memory */
    uint64_t huge;     /* mapped by huge pages */
    uint64_t locked;
};

/*
 * Requests the `wanted` bits of enum kymo_prefault for this handle's mapping, one by one, and
 * reports what was obtained: the kernel may accept a request for huge pages and provide none.
 * `residence` may be NULL. Returns the bits that the kernel granted, or -EINVAL: unknown bits;
 * -EPERM: a forked child's handle. Slow: call it once, before the first record.
 */
KYMO_EXPORT int kymo_segment_prefault(struct kymo_segment *segment, unsigned int wanted,
                                      struct kymo_residence *residence);

/* The content of the header and the writer's page, as one copy. */
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
    struct kymo_schema schema; /* valid as long as the handle; count 0 if there is none */
    uint64_t created_monotonic;
    uint64_t created_realtime;
    uint32_t creator_pid;
    uint32_t creator_uid;
    char creator[16];
    uint8_t uuid[16];
    char boot_id[40];
    uint32_t is_of_other_boot; /* 1: made in another boot than this one, or on another machine */
    char host[64];
    uint64_t device; /* st_dev, st_ino: the generation's identity on this machine */
    uint64_t inode;
    uint32_t uid; /* the file's owner, group and permissions */
    uint32_t gid;
    uint32_t mode;
    /* As of the call: */
    enum kymo_state state;
    uint64_t head;
    uint64_t heartbeat;  /* CLOCK_MONOTONIC ns, 0: none */
    uint64_t opened;     /* CLOCK_MONOTONIC ns */
    uint32_t writer_pid; /* 0 if the writer's PID namespace is another one than the caller's */
    uint32_t writer_foreign_pid; /* then its PID there; else 0 */
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

/* -EBADMSG if the mapping is damaged (guard below). A forked child's writer: only the header's
 * part, the rest is 0. */
KYMO_EXPORT int kymo_segment_info(const struct kymo_segment *segment, struct kymo_info *info);

/* The fields of the payload; count 0 if it is bytes. Valid as long as the handle. */
KYMO_EXPORT const struct kymo_schema *kymo_segment_schema(const struct kymo_segment *segment);

/* The clock of the segment's times. */
KYMO_EXPORT enum kymo_clock kymo_segment_clock(const struct kymo_segment *segment);

/* 1 if the segment's times count from another boot than this one (clocks KYMO_MONOTONIC and
 * KYMO_BOOTTIME): they have no age, and a writer starts a new generation. Else 0. */
KYMO_EXPORT int kymo_segment_is_of_other_boot(const struct kymo_segment *segment);

enum kymo_liveness {
    KYMO_LIVE_UNKNOWN = 0, /* the kernel returned an error */
    KYMO_LIVE_ALIVE = 1,   /* a process holds the writer's lock */
    KYMO_LIVE_STALLED = 2, /* one does; its newest record and heartbeat exceed the limit */
    KYMO_LIVE_CLOSED = 3,  /* the last writer ended cleanly */
    KYMO_LIVE_DEAD = 4     /* the last writer ended without closing: killed, or crashed */
};

/*
 * Returns an enum kymo_liveness, derived from a kernel lock that only a living writer can hold
 * (promise H). `limit`, ns: STALLED if the writer's newest heartbeat and newest record are both
 * older; never with KYMO_FOREVER. On KYMO_USER only heartbeats have an age.
 * -EIDRM: this generation was replaced or removed. -EBADMSG: the mapping is damaged.
 */
KYMO_EXPORT int kymo_segment_liveness(const struct kymo_segment *segment, uint64_t limit);

/* Names of enumerators: "alive", "stalled", "closed", "dead", "unknown"; "ring"; "monotonic". */
KYMO_EXPORT const char *kymo_liveness_text(int liveness);
KYMO_EXPORT const char *kymo_kind_text(enum kymo_kind kind);
KYMO_EXPORT const char *kymo_clock_text(enum kymo_clock clock);
/* The clock of that name into *clock, or -EINVAL. */
KYMO_EXPORT int kymo_clock_parse(const char *text, enum kymo_clock *clock);

/* One file of the directory. */
struct kymo_entry {
    const char *name;
    int error;          /* 0: a valid segment; else as from kymo_reader_open */
    const char *reason; /* the diagnostic; "" if error is 0 */
};

/*
 * Calls visit for each file in the directory in order of name, valid segments and others alike, but
 * not for names that begin with a dot. Stops when visit returns other than 0 and returns that; else
 * returns 0, or -ENOENT, -EACCES, -EMFILE, -ENOMEM for the directory itself. No lock is held during
 * visit, which may call any function.
 */
KYMO_EXPORT int kymo_segment_list(int (*visit)(void *context, const struct kymo_entry *entry),
                                  void *context);

/* 1 if the name is a valid segment, 0 if there is no such file, else as kymo_segment_check. */
KYMO_EXPORT int kymo_segment_exists(const char *name);

/* Returns as kymo_reader_open, but never -EIDRM; the diagnostic ("" for 0) is in text, a buffer of
 * `size` bytes. */
KYMO_EXPORT int kymo_segment_check(const char *name, char *text, size_t size);

/*
 * Removes a segment that has no living writer; its readers get -EIDRM.
 * -EBUSY: a writer is alive. -ENOENT. -EBADMSG, -EPROTONOSUPPORT, -EAGAIN: as
 * kymo_reader_open; such a file is not removed. -EACCES, -EPERM, -ENOMEM, -EMFILE: as from the
 * kernel.
 */
KYMO_EXPORT int kymo_segment_remove(const char *name);

/*
 * Removes the segment if its writer died without closing. Returns 1 if it was removed, 0 if the
 * writer is alive or ended cleanly, or if it is a queue that holds records, for which read permission
 * suffices; else as kymo_segment_remove.
 */
KYMO_EXPORT int kymo_segment_reap(const char *name);

/* Removes the unfinished segments of killed creators. Returns how many, or -ENOENT, -EACCES,
 * -EMFILE, -ENOMEM for the directory. */
KYMO_EXPORT int kymo_segment_reap_unfinished(void);

/*
 * The guard against truncation (promise F). A file in shared memory can be truncated while it is
 * mapped; an access to the lost part raises SIGBUS. With the guard installed, a fault inside a
 * mapping of this library puts a zero page there and marks the handle: its operations then return
 * -EBADMSG. Any other SIGBUS is passed to the previous handler.
 *
 * The handler is the process's: programs install it, libraries do not. Installed twice, it stays
 * until it is removed twice. Returns 0, or the error of sigaction(2).
 */
KYMO_EXPORT int kymo_guard_install(void);
KYMO_EXPORT void kymo_guard_remove(void);
/* How many faults the guard has caught in this process. */
KYMO_EXPORT uint64_t kymo_guard_caught(void);

/* One sentence for an error of this library, negative or positive: what is wrong and what to do.
 * Never NULL; for other errors as strerror(3). */
KYMO_EXPORT const char *kymo_error_text(int error);

/* "0.2.0": the library's version, not the layout's. */
KYMO_EXPORT const char *kymo_version(void);

#ifdef __cplusplus
}
#endif

#include <kymo/impl/segment.h>

#endif
