/*
 * ring.h - records in a ring: publish, read the newest or any that remains, wait for more.
 *
 *     #include <kymo/ring.h>
 *
 *     int publish_twice(struct kymo_writer *writer, uint64_t time, double value)
 *     {
 *         int error = kymo_ring_publish(writer, &value, sizeof(value), time, 0);
 *
 *         return error ? error : kymo_ring_publish(writer, &value, sizeof(value), time, 0);
 *     }
 *
 *     int read_newest(const struct kymo_reader *reader, double *value)
 *     {
 *         struct kymo_record record;
 *
 *         return kymo_ring_latest(reader, value, sizeof(*value), &record);
 *     }
 *
 * Concurrency: one writer (its handle in one thread at a time) and any number of readers, in any
 * processes. Progress: publishing is wait-free and never looks at readers; a read of a given
 * position is wait-free; kymo_ring_latest retries only while the writer laps it, KYMO_RETRIES
 * times.
 *
 * The inline functions allocate no memory and make no system call (J: hot paths), except that a
 * publish makes one if a reader waits. Positions count records from the ring's first; the newest is
 * head - 1. kymo_ring_back and the time queries read the newest depth - 1, as kymo_ring_available
 * counts them. A read by position and a cursor also read the record at head - depth, until the
 * writer begins the next one in its slot.
 *
 * Every read returns 0, or
 *   -ENODATA   no record published yet, or not yet at that position
 *   -ESTALE    the record has been overwritten
 *   -EIDRM     this generation was replaced or removed: reopen
 *   -EMSGSIZE  the record is larger than the buffer (record->len has its size)
 *   -EAGAIN    lapped KYMO_RETRIES times in a row
 *   -EBADMSG   the mapping is damaged, or the length in a slot exceeds the slot
 * and fills *record, unless it is NULL, only with 0 and -EMSGSIZE. The content of the buffer is
 * undefined after an error.
 *
 * Promises (A to K): kymo(7).
 */
#ifndef KYMO_RING_H
#define KYMO_RING_H

#include <errno.h>

#include <kymo/segment.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Retries of a read of the newest record before it returns -EAGAIN. */
#ifndef KYMO_RETRIES
#define KYMO_RETRIES 64
#endif

/* The content of a slot, without the payload. */
struct kymo_record {
    uint64_t pos;
    uint64_t time; /* ns on the segment's clock */
    uint64_t tag;  /* chosen by the writer */
    uint32_t len;  /* bytes of payload */
    uint32_t flags;
};

/* A record read in place: valid until kymo_ring_validate returns an error. */
struct kymo_view {
    struct kymo_record record;
    const void *payload;
};

/* Reads each record once, in order. One thread at a time; the reader must outlive it. */
struct kymo_cursor {
    const struct kymo_reader *reader;
    uint64_t next; /* the position that kymo_cursor_next returns next */
};

/* ---- the state of a ring: `ring` is the member of that name of a reader or writer ---- */

/* Slots of the ring. */
KYMO_INLINE uint64_t kymo_ring_depth(const struct kymo_ring *ring);

/* The next position. Every record before it has been published. */
KYMO_INLINE uint64_t kymo_ring_head(const struct kymo_ring *ring);

/* Records published so far, including the overwritten ones. */
KYMO_INLINE uint64_t kymo_ring_written(const struct kymo_ring *ring);

/* Records that kymo_ring_back and the time queries can read: back 0 to available - 1. At most
 * depth - 1, since the oldest slot is overwritten next. */
KYMO_INLINE uint64_t kymo_ring_available(const struct kymo_ring *ring);

/* 1 once this generation was replaced or removed. */
KYMO_INLINE int kymo_ring_retired(const struct kymo_ring *ring);

/* 1 if the generation has ended and has no record at pos or after it. */
KYMO_INLINE int kymo_ring_is_over(const struct kymo_ring *ring, uint64_t pos);

/* Stores the position of the record `back` behind the newest into *pos. -ENODATA, -ESTALE, -EIDRM,
 * -EBADMSG: as all reads. */
KYMO_INLINE int kymo_ring_find_back(const struct kymo_ring *ring, uint64_t back, uint64_t *pos);

/* ---- publishing ---- */

/*
 * Publishes a copy of data[len]. `time`: ns on the segment's clock; `tag`: any value.
 * -EMSGSIZE: len is larger than the slot. -EINVAL (kymo_writer_diagnose): a loan is outstanding, or
 * time is before the newest record's and the segment rejects that. Otherwise as kymo_ring_loan.
 * After an error nothing was published.
 */
KYMO_INLINE int kymo_ring_publish(struct kymo_writer *writer, const void *data, size_t len,
                                  uint64_t time, uint64_t tag);

/*
 * Stores the address of the next slot's payload into *payload, to be written in place; then commit
 * or abort. Until then readers have one record less of history. A second loan before that returns
 * the same address. The caller may use stores of any kind, non-temporal ones included.
 * -EPERM: the handle was inherited by fork. -ENOSPC: no position is left below 2^62. -EBADMSG: the
 * mapping is damaged. Shared writers also: -ETIMEDOUT, another live writer holds the lock.
 */
KYMO_INLINE int kymo_ring_loan(struct kymo_writer *writer, void **payload);

/*
 * Publishes the loaned slot with `len` bytes of payload. `time`: ns on the segment's clock.
 * -EINVAL (kymo_writer_diagnose): no loan is outstanding, or time is before the newest record's and
 * the segment rejects that. -EMSGSIZE: len is larger than the slot. Otherwise as kymo_ring_loan.
 * The loan remains outstanding after an error.
 */
KYMO_INLINE int kymo_ring_commit(struct kymo_writer *writer, size_t len, uint64_t time,
                                 uint64_t tag);

/* Ends the loan without publishing; the next record uses the position. -EINVAL: no loan is
 * outstanding. */
KYMO_INLINE int kymo_ring_abort(struct kymo_writer *writer);

/* ---- reading: the errors of all reads are at the top of this file ---- */

/* Copies the newest record into buffer[size]. */
KYMO_INLINE int kymo_ring_latest(const struct kymo_reader *reader, void *buffer, size_t size,
                                 struct kymo_record *record);

/* Copies the record `back` behind the newest: back 0 is the newest. */
KYMO_INLINE int kymo_ring_back(const struct kymo_reader *reader, uint64_t back, void *buffer,
                               size_t size, struct kymo_record *record);

/* Copies the record at pos. */
KYMO_INLINE int kymo_ring_at(const struct kymo_reader *reader, uint64_t pos, void *buffer,
                             size_t size, struct kymo_record *record);

/*
 * Copies the record at pos as soon as its slot contains it, without loading head: for a reader that
 * polls for the next record, which then needs one cache line for a small record. The record may be
 * returned before kymo_ring_head counts it. Poll kymo_ring_retired from time to time: this function
 * does not report -EIDRM.
 * -EAGAIN: not published yet. -ESTALE, -EMSGSIZE, -EBADMSG: as all reads.
 */
KYMO_INLINE int kymo_ring_poll(const struct kymo_reader *reader, uint64_t pos, void *buffer,
                               size_t size, struct kymo_record *record);

/*
 * Reads in place: no copy, any size. The payload may change at any time; a result computed from it
 * is valid only if kymo_ring_validate returns 0 afterwards. Check every offset and length in the
 * payload before using it.
 */
KYMO_INLINE int kymo_ring_view(const struct kymo_reader *reader, uint64_t pos,
                               struct kymo_view *view);
KYMO_INLINE int kymo_ring_view_back(const struct kymo_reader *reader, uint64_t back,
                                    struct kymo_view *view);
KYMO_INLINE int kymo_ring_view_latest(const struct kymo_reader *reader, struct kymo_view *view);

/* 0 if the view has not changed since it was taken; else -ESTALE, or -EBADMSG. */
KYMO_INLINE int kymo_ring_validate(const struct kymo_reader *reader, const struct kymo_view *view);

/* ---- waiting ---- */

/*
 * Blocks until head > seen. Pass the position after the newest record read so far (record.pos + 1),
 * or kymo_ring_head. `deadline`: CLOCK_MONOTONIC ns, absolute; 0 does not block; KYMO_FOREVER has
 * no deadline. Signals do not end the wait (E: bounded waits). 0. -ETIMEDOUT: the deadline passed.
 * -EIDRM: this generation was replaced or removed, so no record will follow. -EBADMSG: the mapping
 * is damaged. Any number of threads may wait with one reader.
 *
 * The publish wakes a reader that has write permission on the file, and every reader of a segment
 * created with KYMO_WAKE_ALWAYS. Other readers check every millisecond during the first 100 ms, and
 * then after 1/100 of the time waited so far, at most 50 ms.
 */
KYMO_INLINE int kymo_ring_wait(const struct kymo_reader *reader, uint64_t seen, uint64_t deadline);

/* The largest number of readers for kymo_ring_wait_any. */
#define KYMO_WAIT_LIMIT 128

/*
 * Blocks until readers[i] has head > seen[i] for at least one i, and returns the lowest such i.
 * Errors as kymo_ring_wait; -EIDRM and -EBADMSG if any of the rings has that error. -EINVAL: count
 * is 0 or larger than KYMO_WAIT_LIMIT. Kernels before 5.16 lack futex_waitv: the call then checks
 * every millisecond.
 */
KYMO_EXPORT int kymo_ring_wait_any(const struct kymo_reader *const *readers, const uint64_t *seen,
                                   size_t count, uint64_t deadline);

/* A futex to sleep on, for a program that waits for rings and for other events at once. */
struct kymo_wait_token {
    const uint32_t *word; /* a shared futex word, valid as long as the reader */
    uint32_t value;       /* sleep only while the word has this value */
    int wake_guaranteed;  /* 1: a publish and the end of the generation change the word and wake;
                           * 0: the writer cannot see the waiter, so sleep for a short time only */
};

/*
 * For event loops with their own futex_waitv or io_uring: sets the waiter bit, so that the next
 * publish wakes, then checks for a record after `seen`. -EAGAIN: there is none yet; sleep on
 * *token, then call again. Otherwise as kymo_ring_wait: 0, -EIDRM, -EBADMSG. Never blocks. Limit
 * each sleep to about 1 s even if wake_guaranteed is 1: a writer may be killed between the record
 * and the wake.
 */
KYMO_EXPORT int kymo_ring_prepare_wait(const struct kymo_reader *reader, uint64_t seen,
                                       struct kymo_wait_token *token);

/* ---- cursors ---- */

/* Starts with the next record to be published. */
KYMO_INLINE void kymo_cursor_newest(struct kymo_cursor *cursor, const struct kymo_reader *reader);

/* Starts with the oldest record that remains. */
KYMO_INLINE void kymo_cursor_oldest(struct kymo_cursor *cursor, const struct kymo_reader *reader);

/*
 * Copies the next record into buffer[size] and advances. *missed is set to the number of records
 * that this call skipped because they had been overwritten, whatever it returns: the records read
 * plus the sum of the missed ones equal the records published. If the writer laps the cursor during
 * a read, the cursor skips ahead, farther with each retry. 0. -ENODATA: no new record yet. -EIDRM:
 * this generation was replaced or removed, and every record left in it has been read. -EMSGSIZE:
 * the cursor does not advance. -EAGAIN, -EBADMSG: as all reads.
 */
KYMO_INLINE int kymo_cursor_next(struct kymo_cursor *cursor, void *buffer, size_t size,
                                 struct kymo_record *record, uint64_t *missed);

#ifdef __cplusplus
}
#endif

#include <kymo/impl/ring.h>

#endif
