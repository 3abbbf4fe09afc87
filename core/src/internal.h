/*
 * internal.h - the layers of the library's cold code and their interfaces. Not installed.
 *
 *     writer.c reader.c queue.c loader.c    handles that users open and close
 *     remove.c typed.c key.c image.c        other calls by name or value
 *     info.c liveness.c prefault.c align.c  queries of an open handle
 *     ring.c wait.c                         the slow paths of the hot operations
 *     mapping.c guard.c fork.c              the mapped file: truncation, fork
 *     robust_lock.c futex.c                 the lock of shared writers; sleeping and waking
 *     file.c allocate.c layout.c            the file: open, check, create
 *     directory.c clock.c error.c           names, clocks, messages
 *     descriptor.c                          descriptors above 2
 *     diagnose.c                            the causes of errors: struct kymo_diagnostic
 *     schema.c text*.c time.c metrics.c     schema.h, text.h, metrics.h
 *     activity.c                            what text_info.c and metrics.c state of writers
 *
 * Each layer calls only the layers below it. Functions return 0 or a negative errno.
 */
#ifndef KYMO_INTERNAL_H
#define KYMO_INTERNAL_H

#include <kymo/kymo.h>

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

/* ---- layout.c: the header's bytes ---- */

/* Sets everything in the header that follows from the options. */
int kymo_layout_plan(struct kymo_header *header);
/* The header that these options describe, with its layout planned. -EINVAL, -EOVERFLOW, with the
 * cause in *diagnostic. */
int kymo_layout_from_options(struct kymo_header *header, const struct kymo_options *options,
                             struct kymo_diagnostic *diagnostic);
/* Sets creator, host and times; then the checksum over the header and its fields. */
void kymo_layout_sign(struct kymo_header *header, const struct kymo_field *fields);
uint64_t kymo_layout_checksum(const struct kymo_header *header, const struct kymo_field *fields);
/* 1 if the segment was made in another boot, or on another machine; 0 also if that is unknown. */
int kymo_layout_is_of_other_boot(const struct kymo_header *header);
/* 1 if the times of this clock count from the boot. */
int kymo_clock_counts_from_boot(uint32_t clock);

/* ---- schema.c ---- */

/* 1 if the name is well-formed and ends within size. */
int kymo_field_name_is_valid(const char *name, size_t size);

/* ---- diagnose.c: every `diagnostic` may be NULL ---- */

/* The first step of a call: no cause so far. */
void kymo_report_begin(struct kymo_diagnostic *diagnostic);
/* Writes the cause of the error, and returns the error. */
__attribute__((format(printf, 3, 4))) int kymo_report(struct kymo_diagnostic *diagnostic, int error,
                                                      const char *format, ...);
/* The last step of a call: an error without a cause so far gets its general text. */
int kymo_report_end(struct kymo_diagnostic *diagnostic, int error);
/* -EPROTONOSUPPORT: the caller was compiled for another layout version. */
int kymo_report_major(struct kymo_diagnostic *diagnostic, uint32_t major);
/* The directory of the segments can't be opened. */
int kymo_report_directory(struct kymo_diagnostic *diagnostic, int error);
/* 0 if each option by itself is valid. */
int kymo_options_check(const struct kymo_options *options, struct kymo_diagnostic *diagnostic);
/* 0 if both describe the same payload, else 1, and *diagnostic names the difference. */
int kymo_schema_difference(const struct kymo_schema *theirs, const struct kymo_schema *ours,
                           struct kymo_diagnostic *diagnostic);
/* 0 if a segment with the first header may be resumed as one with the second, else 1, likewise. */
int kymo_layout_difference(const struct kymo_header *theirs, const struct kymo_field *their_fields,
                           const struct kymo_header *ours, const struct kymo_field *our_fields,
                           struct kymo_diagnostic *diagnostic);

/* ---- descriptor.c: each call that makes a descriptor is an argument of kymo_descriptor ---- */

/* Moves the result of open(2) or a like call above 2, with FD_CLOEXEC; or returns -errno. */
int kymo_descriptor(int fd);

/* ---- directory.c ---- */

/* A descriptor of kymo_directory(), for openat(2) alone. */
int kymo_directory_open(void);
/* The same for readdir(3). */
int kymo_directory_read(DIR **listing);
/* The names in it that do not begin with a dot, sorted, as one block for free(). */
int kymo_directory_names(char ***names, size_t *count);

#define KYMO_UNFINISHED_PREFIX ".kymo-"

/* ---- file.c: a segment's file, checked but not mapped ---- */

struct kymo_file {
    int fd;
    struct stat status;
    struct kymo_header header;
    struct kymo_field *fields; /* header.field_count of them, or NULL */
};

/* Opens name in the directory with flags O_RDONLY or O_RDWR and checks its whole header (F: any
 * content is handled safely). `diagnostic` may be NULL. */
int kymo_file_open(int directory, const char *name, int flags, struct kymo_file *file,
                   struct kymo_diagnostic *diagnostic);
/* Also releases its locks: a copy of the descriptor, which a child has until it execs, holds none. */
void kymo_file_close(struct kymo_file *file);
/* The number of records that wait in a queue for its consumer; 0 for other kinds, and if its counters
 * are invalid. */
int kymo_file_waiting(const struct kymo_file *file, uint64_t *waiting);
/* A copy of the writer's page. */
int kymo_file_read_control(const struct kymo_file *file, struct kymo_control *control);
/* As pwrite(2), all of the bytes. */
int kymo_file_write(int fd, const void *bytes, size_t len, off_t offset);
/* 0 if the name still refers to this file; -EAGAIN if it does not. */
int kymo_file_check_name(const struct kymo_file *file, int directory, const char *name);
/* A second open file description of the same inode. */
int kymo_file_reopen(int fd, int flags);
/* Locks one or more bytes of the file until the description is closed; -EBUSY. */
int kymo_file_lock(int fd, uint64_t start, uint64_t count);
/* The same, shared with other descriptions; also converts an exclusive lock into a shared one. */
int kymo_file_lock_shared(int fd, uint64_t start);
void kymo_file_unlock(int fd, uint64_t start);
/* Releases every lock of this description, also for its copies in other processes. */
void kymo_file_unlock_all(int fd);
/* 1 if another description holds the byte exclusively, 0 if none does. */
int kymo_file_is_locked(int fd, uint64_t start);
/* 1 if another description holds the byte, exclusively or shared. */
int kymo_file_is_shared(int fd, uint64_t start);
/* Creates a file with this header, locked for its writer, without a name or with a hidden one. It
 * gets the owner and group of `old`, and without a mode its permissions; NULL: those of a new file. */
int kymo_file_create(int directory, const struct kymo_header *header,
                     const struct kymo_field *fields, uint32_t mode, const struct kymo_file *old,
                     struct kymo_file *file, char unfinished[64]);
/* Links a new file under its name, complete from the first instant (I: atomic creation): -EEXIST,
 * or replaces the file of that name. */
int kymo_file_link(int fd, int directory, const char *name, char unfinished[64], int replace);
/* Removes the hidden name of a file that is not linked; "" has none. */
void kymo_file_discard(int directory, const char *unfinished);

/* ---- allocate.c ---- */

/* Allocates these bytes of the file. `mode`: as of fallocate(2): 0, or FALLOC_FL_KEEP_SIZE, which fills
 * holes, but does not extend a file that is truncated concurrently. -ENOSPC; -EINTR: a signal
 * interrupted each of 1000 attempts in succession. */
int kymo_file_allocate(int fd, int mode, uint64_t offset, uint64_t size);

/* ---- fork.c ---- */

/* The library's one lock, recursive: while a thread holds it, no thread forks. */
void kymo_library_lock(void);
void kymo_library_unlock(void);
/* Adds the segment to the list: a forked child closes the lock's descriptor and sets
 * *segment->limit to 0. */
void kymo_fork_watch(struct kymo_segment *segment);
/* The address at which a listed segment of this process maps that file, or NULL. */
unsigned char *kymo_fork_find(uint64_t device, uint64_t inode);
/* Removes it from the list, and closes the descriptor. */
void kymo_fork_forget(struct kymo_segment *segment);

/* ---- robust_lock.c ---- */

/* A process's slot of a shared lock. */
struct kymo_lock_slot {
    uint32_t *word;      /* the lock, in shared memory */
    uint64_t *takeovers; /* how often it was taken from a dead owner */
    uint64_t first;      /* the byte of the file that is lock slot 0 */
    int fd;              /* the description that holds the byte of this slot */
    uint32_t number;
};

/* Claims a free lock slot. -EBUSY: all 1024 are in use. */
int kymo_lock_slot_claim(struct kymo_lock_slot *slot);
/* 0, or 1 if it was taken from a dead owner, whose change may be incomplete. -ETIMEDOUT. */
int kymo_robust_lock(const struct kymo_lock_slot *slot, uint64_t deadline);
void kymo_robust_unlock(const struct kymo_lock_slot *slot);

/* ---- mapping.c ---- */

struct kymo_segment;

enum kymo_role { KYMO_READING, KYMO_WRITING, KYMO_CONSUMING };

/* The cold part of a handle. */
struct kymo_segment {
    char name[KYMO_NAME_LIMIT + 1];
    struct kymo_header header;
    struct kymo_field *fields;
    struct kymo_schema schema;
    unsigned char *map;
    uint64_t device; /* identity of the file */
    uint64_t inode;
    int fd;              /* readers: to query the writer's lock; others: the lock, never mapped */
    enum kymo_role role; /* all but readers hold a lock */
    enum kymo_time_policy time_policy; /* of this writer */
    int is_of_other_boot;
    int orphan; /* inherited by fork: the mapping and the lock are the parent's */
    struct kymo_ring *ring;
    struct kymo_guard_entry *guard;
    /* Readers: the bell's page, mapped writable by the first blocking call that may. */
    struct kymo_bell *bell;
    uint32_t bell_tried; /* 1 once that was tried */
    struct kymo_guard_entry *bell_guard;
    /* Holders of a lock: the list in fork.c, and the handle's limit, which is 0 in a child. */
    uint64_t *limit;
    struct kymo_segment *next;
    /* Shared writers and consumers: the lock slot, and how long one call waits for the lock, ns. */
    struct kymo_lock_slot lock_slot;
    uint64_t lock_timeout;
    int waits_for_producer; /* of a consumer: no -EPIPE */
};

/* Claims a lock slot, then takes the lock; returns as kymo_robust_lock. */
int kymo_robust_lock_join(struct kymo_segment *segment, uint32_t *word, uint64_t *takeovers,
                          uint64_t first);

/* Takes ownership of file's descriptor and fields, also on failure, maps the file, and fills in
 * ring. */
int kymo_mapping_open(struct kymo_segment **out, const char *name, struct kymo_file *file,
                      enum kymo_role role, struct kymo_ring *ring);
void kymo_mapping_close(struct kymo_segment *segment);
/* The bell to sleep on; sets *may_write to 1 if it is writable. */
struct kymo_bell *kymo_mapping_bell(struct kymo_segment *segment, int *may_write);

/* Retires the generation that is mapped there, by its writer or under the writer's lock, and wakes all who
 * wait (I: atomic replacement). */
void kymo_mapping_end(unsigned char *map, const struct kymo_header *header);

/* The end of a generation (I: atomic replacement): everything that can fail is done before its name
 * changes. */
struct kymo_retirement {
    unsigned char *map; /* NULL if its pages have no memory: readers then find the name's absence */
    size_t size;
    struct kymo_header header;
    struct kymo_guard_entry *guard;
    uint32_t damaged;
};

/* Maps what the file's end changes. The caller holds its lock. */
int kymo_retirement_begin(struct kymo_retirement *retirement, const struct kymo_file *file);
/* Marks the generation RETIRED and wakes its readers. */
void kymo_retirement_commit(const struct kymo_retirement *retirement);
void kymo_retirement_end(struct kymo_retirement *retirement);

/* ---- queue.c ---- */

/* Sets the producer's limit to the end of the free slots; -EAGAIN: full. */
int kymo_queue_find_limit(struct kymo_writer *writer);

/* ---- guard.c ---- */

/* Registers a mapping; a fault in it sets *damaged to 1. NULL if memory ran out: the mapping is
 * then unguarded. */
struct kymo_guard_entry *kymo_guard_add(const void *map, size_t size, int writable,
                                        uint32_t *damaged);
void kymo_guard_drop(struct kymo_guard_entry *entry);

/* ---- futex.c ---- */

/* Sleeps while *word is `seen`, until `until` (CLOCK_MONOTONIC ns) at most; may return early.
 * -EBADMSG if the page no longer exists. */
int kymo_futex_wait(uint32_t *word, uint32_t seen, uint64_t until);
void kymo_futex_wake(uint32_t *word, int count);

/* Rings the bell: wakes all its waiters. */
void kymo_bell_ring(struct kymo_bell *bell);

/* ---- info.c ---- */

/* The inode of /proc/self/ns/pid; 0 if /proc is missing. */
uint32_t kymo_pid_namespace(void);

/* ---- writer.c ---- */

/* Completes the steps of a dead writer: counts a complete record, and wakes the waiters. */
void kymo_writer_adopt(struct kymo_writer *writer);
/* Loads head and the newest time from the segment. */
void kymo_writer_catch_up(struct kymo_writer *writer);

#endif
