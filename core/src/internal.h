/*
 * internal.h - the layers of the library's cold code, and what they hand each other. Never installed.
 *
 *     writer.c reader.c queue.c loader.c    what users open and close
 *     remove.c typed.c key.c image.c        what else they call by name or value
 *     info.c liveness.c prefault.c align.c  questions to an open handle
 *     ring.c wait.c                         the slow paths of the hot operations
 *     mapping.c guard.c fork.c              the file in memory: when it shrinks, when we fork
 *     robust_lock.c futex.c                 the lock of several writers; sleeping and waking
 *     file.c layout.c                       the file on disk: found, checked, made
 *     directory.c clock.c error.c           names, time, words
 *     diagnose.c                            the causes of errors: struct kymo_diagnostic
 *     schema.c text*.c time.c metrics*.c    meaning and spelling: schema.h, text.h, metrics.h
 *
 * Each layer calls those below it. Everything here returns 0 or a negative errno.
 */
#ifndef KYMO_INTERNAL_H
#define KYMO_INTERNAL_H

#include <kymo/kymo.h>

#include <stdio.h>
#include <sys/stat.h>

/* ---- layout.c: the header's bytes ---- */

/* Fills in everything of the header that follows from what the user chose. */
int kymo_layout_plan(struct kymo_header *header);
/* The header that these options describe, with its layout planned. -EINVAL, -EOVERFLOW, with the cause
 * in *diagnostic. */
int kymo_layout_from_options(struct kymo_header *header, const struct kymo_options *options,
                             struct kymo_diagnostic *diagnostic);
/* Who made it, where, when; then the checksum, over the header and its fields. */
void kymo_layout_sign(struct kymo_header *header, const struct kymo_field *fields);
uint64_t kymo_layout_checksum(const struct kymo_header *header, const struct kymo_field *fields);

/* ---- schema.c ---- */

/* 1 if the name is well-formed and ends within size. */
int kymo_field_name_holds(const char *name, size_t size);

/* ---- diagnose.c: all diagnostics may be NULL ---- */

/* Writes the cause of the error, and returns the error. */
__attribute__((format(printf, 3, 4))) int kymo_report(struct kymo_diagnostic *diagnostic, int error,
                                                      const char *format, ...);
/* The last step of a call: an error whose cause was not written yet gets its general text. */
int kymo_report_end(struct kymo_diagnostic *diagnostic, int error);
/* -EPROTONOSUPPORT: the caller was compiled for another layout version. */
int kymo_report_major(struct kymo_diagnostic *diagnostic, uint32_t major);
/* The directory of the segments can't be opened. */
int kymo_report_directory(struct kymo_diagnostic *diagnostic, int error);
/* Whether each option by itself is valid. */
int kymo_options_check(const struct kymo_options *options, struct kymo_diagnostic *diagnostic);
/* 0 if both describe the same payload, else 1, and *diagnostic names the difference. */
int kymo_schema_difference(const struct kymo_schema *theirs, const struct kymo_schema *ours,
                           struct kymo_diagnostic *diagnostic);
/* 0 if a segment with the first header may be resumed as one with the second, else 1, likewise. */
int kymo_layout_difference(const struct kymo_header *theirs, const struct kymo_field *their_fields,
                           const struct kymo_header *ours, const struct kymo_field *our_fields,
                           struct kymo_diagnostic *diagnostic);

/* ---- directory.c ---- */

/* A descriptor of kymo_directory(). */
int kymo_directory_open(void);
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

/* Opens name in the directory with flags O_RDONLY or O_RDWR and checks all of its header (promise
 * F). `diagnostic` may be NULL. */
int kymo_file_open(int directory, const char *name, int flags, struct kymo_file *file,
                   struct kymo_diagnostic *diagnostic);
void kymo_file_close(struct kymo_file *file);
/* 1 where the name still leads to this file. */
int kymo_file_is_named(const struct kymo_file *file, int directory, const char *name);
/* A second open file description of the same inode. */
int kymo_file_reopen(int fd, int flags);
/* Locks one byte, or some, of the file for as long as the description lives; -EBUSY. */
int kymo_file_lock(int fd, uint64_t start, uint64_t count);
/* The same beside others who lock it shared; also turns our own lock into a shared one. */
int kymo_file_lock_shared(int fd, uint64_t start);
void kymo_file_unlock(int fd, uint64_t start);
/* 1 where another description has the byte for itself, 0 where none does. */
int kymo_file_is_locked(int fd, uint64_t start);
/* The same where it may be shared. */
int kymo_file_is_shared(int fd, uint64_t start);
/* A new file with this header, locked for its writer, under no name yet or a hidden one. */
int kymo_file_create(int directory, const struct kymo_header *header,
                     const struct kymo_field *fields, uint32_t mode, struct kymo_file *file,
                     char unfinished[64]);
/* Gives a new file its name, complete from the first instant (promise I): -EEXIST, or over whatever
 * has the name. */
int kymo_file_link(struct kymo_file *file, int directory, const char *name, char unfinished[64],
                   int replace);

/* ---- fork.c ---- */

/* The library's one lock, recursive: while it is held, no thread forks. */
void kymo_library_lock(void);
void kymo_library_unlock(void);
/* From here on a forked child closes the lock's descriptor and finds *segment->limit 0. */
void kymo_fork_watch(struct kymo_segment *segment);
/* Where a watched segment of this process has that file mapped; NULL: none has. */
unsigned char *kymo_fork_find(uint64_t device, uint64_t inode);
/* Ends that, and closes the descriptor. */
void kymo_fork_forget(struct kymo_segment *segment);

/* ---- robust_lock.c ---- */

/* A process's place at a shared lock. */
struct kymo_lock_slot {
    uint32_t *word;      /* the lock, in shared memory */
    uint64_t *takeovers; /* how often it was taken from a dead owner */
    uint64_t first;      /* the byte of the file that is lock slot 0 */
    int fd;              /* the description that holds the lock slot's byte */
    uint32_t number;
};

/* Takes a free lock slot. -EBUSY: all 1024 are taken. */
int kymo_lock_slot_claim(struct kymo_lock_slot *slot);
/* 0, or 1 where a dead owner had it: what it guards may be half-done. -ETIMEDOUT. */
int kymo_robust_lock(const struct kymo_lock_slot *slot, uint64_t deadline);
void kymo_robust_unlock(const struct kymo_lock_slot *slot);

/* ---- mapping.c ---- */

struct kymo_segment;

enum kymo_role { KYMO_READING, KYMO_WRITING, KYMO_CONSUMING };

/* The cold half of a handle. */
struct kymo_segment {
    char name[KYMO_NAME_LIMIT + 1];
    struct kymo_header header;
    struct kymo_field *fields;
    struct kymo_schema schema;
    unsigned char *map;
    uint64_t device; /* whose file this is */
    uint64_t inode;
    int fd;              /* readers: to ask about the writer; others: the lock, never mapped */
    enum kymo_role role; /* all but readers hold a lock */
    enum kymo_time_policy time_policy; /* of this writer */
    int orphan; /* came through fork: the mapping and the lock are the parent's */
    struct kymo_ring *ring;
    struct kymo_guard_entry *guard;
    /* Readers: the bell's page, mapped writable by the first blocking call that may. */
    struct kymo_bell *bell;
    uint32_t bell_tried; /* 1 once that is settled, for good */
    struct kymo_guard_entry *bell_guard;
    /* Holders of a lock: the list in fork.c, and the handle's limit, which a child finds 0. */
    uint64_t *limit;
    struct kymo_segment *next;
    /* Shared writers and consumers: how the lock is taken, how long one call waits for it, ns. */
    struct kymo_lock_slot lock_slot;
    uint64_t lock_timeout;
};

/* Joins those who share a lock: takes a lock slot, then the lock, as kymo_robust_lock. */
int kymo_robust_lock_join(struct kymo_segment *segment, uint32_t *word, uint64_t *takeovers,
                          uint64_t first);

/* Takes over file's descriptor and fields, maps it, and fills in ring. The descriptor is closed and
 * the fields are freed on failure as well. */
int kymo_mapping_open(struct kymo_segment **segment, const char *name, struct kymo_file *file,
                      enum kymo_role role, struct kymo_ring *ring);
void kymo_mapping_close(struct kymo_segment *segment);
/* The bell to sleep on: writable where *may_write is set to 1. */
struct kymo_bell *kymo_mapping_bell(struct kymo_segment *segment, int *may_write);

/* Retires the generation in this locked file, and wakes its readers (promise I). */
int kymo_mapping_retire(const struct kymo_file *file);

/* ---- queue.c ---- */

/* Sets the producer's limit to where its consumer lets it go; -EAGAIN: full. */
int kymo_queue_find_limit(struct kymo_writer *writer);

/* ---- guard.c ---- */

/* Registers a mapping; *damaged is set to 1 by a fault in it. NULL where memory ran out: the
 * mapping is then unguarded. */
struct kymo_guard_entry *kymo_guard_add(const void *map, size_t size, int writable,
                                        uint32_t *damaged);
void kymo_guard_drop(struct kymo_guard_entry *entry);

/* ---- futex.c ---- */

/* Sleeps while *word is `seen`, until `until` (CLOCK_MONOTONIC ns) at most; may return early.
 * -EBADMSG where the page is gone. */
int kymo_futex_wait(uint32_t *word, uint32_t seen, uint64_t until);
void kymo_futex_wake(uint32_t *word, int count);

/* Rings the bell: wakes everybody who sleeps on it. */
void kymo_bell_ring(struct kymo_bell *bell);

/* ---- writer.c ---- */

/* Does what a dead writer did not get to: counts a complete record, wakes who waits for it. */
void kymo_writer_adopt(struct kymo_writer *writer);
/* Takes head and the newest time from the segment. */
void kymo_writer_catch_up(struct kymo_writer *writer);

#endif
