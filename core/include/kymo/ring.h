/*
 * ring.h - records in a ring: publish, read the newest or any that is still there, wait for more.
 *
 * What may run beside what: one writer (its handle in one thread at a time) beside any number of
 * readers in any processes. Progress: publishing is wait-free and never looks at readers; a read of
 * a given position is wait-free; latest retries only while the writer laps it, KYMO_RETRIES times.
 *
 * The functions here that are inline allocate nothing and call nothing (promise J), except that a
 * publish with a sleeper to wake enters the kernel once. Positions count records from the ring's
 * first; the newest is head - 1. kymo_ring_back and the time queries read the newest depth - 1, as
 * kymo_ring_available counts them. A read by position and a cursor also read the record at head - depth,
 * until the writer begins the next one in its slot.
 *
 * All reads return 0, or
 *   -ENODATA   nothing published yet, or not yet at that position
 *   -ESTALE    that record has been overwritten
 *   -EIDRM     this generation was replaced or removed: reopen
 *   -EMSGSIZE  the record is larger than the buffer (record->len tells)
 *   -EAGAIN    lapped KYMO_RETRIES times in a row
 *   -EBADMSG   the mapping is damaged, or a slot's length is beyond its size
 * and fill *record, where it is not NULL, with 0 and -EMSGSIZE alone. The buffer's content after
 * any error is undefined.
 */
#ifndef KYMO_RING_H
#define KYMO_RING_H

#include <errno.h>

#include <kymo/segment.h>
#include <kymo/seqlock.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How often a read of the newest record begins anew before it says -EAGAIN. */
#ifndef KYMO_RETRIES
#define KYMO_RETRIES 64
#endif

/* What a slot holds beside the payload. */
struct kymo_record {
    uint64_t pos;
    uint64_t time; /* ns on the segment's clock */
    uint64_t tag;  /* the writer's own */
    uint32_t len;  /* bytes of payload */
    uint32_t flags;
};

/* A record read in place: good until kymo_ring_validate says otherwise. */
struct kymo_view {
    struct kymo_record record;
    const void *payload;
};

/* Reads each record once, in order. One thread at a time; the reader must outlive it. */
struct kymo_cursor {
    const struct kymo_reader *reader;
    uint64_t next; /* the position that kymo_cursor_next returns next */
};

/* Where the slow paths are: taken for shared writers, dead handles, sleepers and full rings. */
KYMO_EXPORT int kymo_impl_ring_loan_slow(struct kymo_writer *writer, void **payload);
KYMO_EXPORT int kymo_impl_ring_commit_slow(struct kymo_writer *writer, size_t len, uint64_t time,
                                           uint64_t tag);
KYMO_EXPORT int kymo_impl_ring_abort_slow(struct kymo_writer *writer);
KYMO_EXPORT int kymo_impl_ring_publish_slow(struct kymo_writer *writer, const void *data,
                                            size_t len, uint64_t time, uint64_t tag);
KYMO_EXPORT int kymo_impl_ring_order_time(struct kymo_writer *writer, uint64_t *time);
KYMO_EXPORT void kymo_impl_ring_wake(struct kymo_writer *writer);
KYMO_EXPORT int kymo_impl_ring_wait_slow(const struct kymo_reader *reader, uint64_t seen,
                                         uint64_t deadline);

KYMO_INLINE struct kymo_slot *kymo_impl_ring_slot(const struct kymo_ring *ring, uint64_t pos)
{
    return (struct kymo_slot *)(void *)(ring->slots + (pos & ring->mask) * ring->stride);
}

/* Slots of the ring. */
KYMO_INLINE uint64_t kymo_ring_depth(const struct kymo_ring *ring)
{
    return ring->mask + 1;
}

/* The next position: every record before it was published, since the ring's first. */
KYMO_INLINE uint64_t kymo_ring_head(const struct kymo_ring *ring)
{
    /* HEAD-1 (acquire load): head before what the slots hold. Pairs with the store of head. */
    return kymo_load_acquire(&ring->control->head);
}

/* Records published so far, overwritten ones included. */
KYMO_INLINE uint64_t kymo_ring_written(const struct kymo_ring *ring)
{
    return kymo_ring_head(ring) - ring->first;
}

/* Records that kymo_ring_back and the time queries can read: back 0 to available - 1. At most the newest
 * depth - 1, for the oldest slot is the next to be overwritten. */
KYMO_INLINE uint64_t kymo_ring_available(const struct kymo_ring *ring)
{
    uint64_t written = kymo_ring_written(ring);

    return written < ring->mask ? written : ring->mask;
}

/* 1 once this generation was replaced or removed. */
KYMO_INLINE int kymo_ring_retired(const struct kymo_ring *ring)
{
    return kymo_load_relaxed32(&ring->control->state) == KYMO_RETIRED;
}

/* 1 where the generation has ended and nothing is left at pos or behind it. */
KYMO_INLINE int kymo_ring_is_over(const struct kymo_ring *ring, uint64_t pos)
{
    /* STATE-2 (acquire load): the end before this look at head, so that it is the last one there will
     * be. Pairs with kymo_mapping_retire and kymo_writer_remove. */
    return kymo_load_acquire32(&ring->control->state) == KYMO_RETIRED &&
           kymo_ring_head(ring) <= pos;
}

/* ---- publishing ---- */

/* Fills in what stands beside the payload at writer->pos, whose slot is begun, and publishes it. */
KYMO_INLINE int kymo_impl_ring_complete(struct kymo_writer *writer, struct kymo_slot *slot,
                                        size_t len, uint64_t time, uint64_t tag)
{
    struct kymo_ring *ring = &writer->ring;
    const uint64_t pos = writer->pos;
    const uint32_t len_and_flags[2] = {(uint32_t)len, 0};

    /* SER-1 (by the release fence of SEQ-1): head == pos before this position's time. Pairs with
     * SER-1 in kymo_impl_window_holds: whoever found this time also finds that its window has moved. */
    kymo_store_relaxed(&ring->times[pos & ring->mask], time);
    kymo_store_relaxed(&slot->time, time);
    kymo_store_relaxed(&slot->tag, tag);
    /* One store: the locked instruction below waits for each. */
    static_assert(offsetof(struct kymo_slot, flags) == offsetof(struct kymo_slot, len) + 4, "");
    kymo_copy_in(&slot->len, len_and_flags, sizeof(len_and_flags));
    KYMO_TESTPOINT(RECORD_FILLED);
    kymo_impl_slot_write_end(slot, pos);
    /* HEAD-1 (release, by the ordered store): the record before the head that counts it. Pairs
     * with kymo_ring_head. BELL-1 (ordered store, then ordered load): head before the look at the
     * bell. Pairs with BELL-1 in the waiter, which sets its bit and then looks at head: one of the
     * two sees the other. */
    kymo_store_ordered(&ring->control->head, pos + 1);
    KYMO_TESTPOINT(HEAD_STORED);
    /* Behind the locked instruction, which therefore does not wait for these two. */
    writer->time = time;
    writer->pos = pos + 1;
    if (KYMO_UNLIKELY((kymo_load_ordered32(&writer->bell->word) & KYMO_BELL_WAITING) |
                      writer->wake_always))
        kymo_impl_ring_wake(writer);
    return KYMO_LIKELY(!kymo_load_relaxed32(&ring->damaged)) ? 0 : -EBADMSG;
}

/*
 * Lends the next slot's payload, to be written in place; then commit or abort. Until then readers
 * have one record less of history and lose nothing else. Loaning again before that is fine and
 * lends the same bytes.
 * -EPERM: the handle came through fork. -ENOSPC: no position is left below 2^62. -EBADMSG: the
 * mapping is damaged. Shared writers, also: -ETIMEDOUT, a living writer holds the lock.
 */
KYMO_INLINE int kymo_ring_loan(struct kymo_writer *writer, void **payload)
{
    struct kymo_slot *slot;

    if (KYMO_UNLIKELY(writer->pos >= writer->limit))
        return kymo_impl_ring_loan_slow(writer, payload);
    slot = kymo_impl_ring_slot(&writer->ring, writer->pos);
    kymo_impl_slot_write_begin(slot, writer->pos);
    writer->loaned = 1;
    *payload = kymo_impl_slot_payload(slot);
    return KYMO_LIKELY(!kymo_load_relaxed32(&writer->ring.damaged)) ? 0 : -EBADMSG;
}

/*
 * Publishes the loaned slot with `len` bytes of payload. `time`: ns on the segment's clock.
 * -EINVAL: nothing is loaned, or time is before the newest record's and the segment rejects that;
 * -EMSGSIZE: len is larger than the slot. The loan stands after an error. Else as loan.
 */
KYMO_INLINE int kymo_ring_commit(struct kymo_writer *writer, size_t len, uint64_t time,
                                 uint64_t tag)
{
    int error;

    if (KYMO_UNLIKELY(writer->pos >= writer->limit))
        return kymo_impl_ring_commit_slow(writer, len, time, tag);
    if (KYMO_UNLIKELY(!writer->loaned))
        return -EINVAL;
    if (KYMO_UNLIKELY(len > writer->ring.size))
        return -EMSGSIZE;
    if (KYMO_UNLIKELY(time < writer->time)) {
        error = kymo_impl_ring_order_time(writer, &time);
        if (error)
            return error;
    }
    writer->loaned = 0;
    return kymo_impl_ring_complete(writer, kymo_impl_ring_slot(&writer->ring, writer->pos), len,
                                   time, tag);
}

/* Gives the loan back; nothing is published, the position is used by the next record. -EINVAL:
 * nothing is loaned. */
KYMO_INLINE int kymo_ring_abort(struct kymo_writer *writer)
{
    return kymo_impl_ring_abort_slow(writer);
}

/*
 * Publishes a copy of data[len]. `time`: ns on the segment's clock; `tag`: anything.
 * -EMSGSIZE: len is larger than the slot. -EINVAL: a loan is out, or time is before the newest
 * record's and the segment rejects that. Else as loan. Nothing was published after an error.
 */
KYMO_INLINE int kymo_ring_publish(struct kymo_writer *writer, const void *data, size_t len,
                                  uint64_t time, uint64_t tag)
{
    struct kymo_slot *slot;
    int error;

    if (KYMO_UNLIKELY(writer->pos >= writer->limit))
        return kymo_impl_ring_publish_slow(writer, data, len, time, tag);
    if (KYMO_UNLIKELY(len > writer->ring.size))
        return -EMSGSIZE;
    if (KYMO_UNLIKELY(writer->loaned))
        return -EINVAL;
    if (KYMO_UNLIKELY(time < writer->time)) {
        error = kymo_impl_ring_order_time(writer, &time);
        if (error)
            return error;
    }
    slot = kymo_impl_ring_slot(&writer->ring, writer->pos);
    kymo_impl_slot_write_begin(slot, writer->pos);
    kymo_copy_in(kymo_impl_slot_payload(slot), data, len);
    KYMO_TESTPOINT(PAYLOAD_COPIED);
    return kymo_impl_ring_complete(writer, slot, len, time, tag);
}

/* ---- reading ---- */

/* Why a slot did not hold still: the guard put a zero page there, or the writer came by. */
KYMO_INLINE int kymo_impl_ring_lost(const struct kymo_ring *ring)
{
    return kymo_load_relaxed32(&ring->damaged) ? -EBADMSG : -ESTALE;
}

/* Why there is no such record: head is on a zero page, or has not got that far. */
KYMO_INLINE int kymo_impl_ring_none(const struct kymo_ring *ring)
{
    return kymo_load_relaxed32(&ring->damaged) ? -EBADMSG : -ENODATA;
}

/* Like the payload's, these bytes count only after kymo_impl_ring_confirm. The length is loaded, once,
 * since it bounds a copy before that. */
KYMO_INLINE void kymo_impl_slot_record(const struct kymo_slot *slot, uint64_t pos,
                                       struct kymo_record *record)
{
    record->pos = pos;
    kymo_copy_out(&record->time, &slot->time, sizeof(record->time));
    kymo_copy_out(&record->tag, &slot->tag, sizeof(record->tag));
    record->len = kymo_load_relaxed32(&slot->len);
    kymo_copy_out(&record->flags, &slot->flags, sizeof(record->flags));
}

/* The end of every read: 0 where what was read of the slot since read_begin is the record at pos.
 */
KYMO_INLINE int kymo_impl_ring_confirm(const struct kymo_ring *ring, const struct kymo_slot *slot,
                                       uint64_t pos)
{
    if (KYMO_UNLIKELY(kymo_impl_slot_read_retry(slot, pos) || kymo_load_relaxed32(&ring->damaged)))
        return kymo_impl_ring_lost(ring);
    return 0;
}

/* A record that does not fill the buffer: a shorter one, or one that is too large for it. */
KYMO_INLINE int kymo_impl_ring_read_unusual(const struct kymo_ring *ring,
                                            const struct kymo_slot *slot, void *buffer, size_t size,
                                            const struct kymo_record *found)
{
    int error;

    /* A length from shared memory bounds nothing until it is held against both sizes. */
    if (KYMO_LIKELY(found->len <= size && found->len <= ring->size))
        kymo_copy_out(buffer, kymo_impl_slot_payload_const(slot), found->len);
    KYMO_TESTPOINT(RECORD_COPIED);
    error = kymo_impl_ring_confirm(ring, slot, found->pos);
    if (KYMO_UNLIKELY(error))
        return error;
    if (KYMO_UNLIKELY(found->len > ring->size))
        return -EBADMSG;
    return KYMO_LIKELY(found->len <= size) ? 0 : -EMSGSIZE;
}

/* Copies the record at pos, if its slot still holds it; does not look at head. */
KYMO_INLINE int kymo_impl_ring_read(const struct kymo_ring *ring, uint64_t pos, void *buffer,
                                    size_t size, struct kymo_record *record)
{
    const struct kymo_slot *slot = kymo_impl_ring_slot(ring, pos);
    struct kymo_record found;
    int error;

    if (KYMO_UNLIKELY(!kymo_impl_slot_read_begin(slot, pos)))
        return kymo_impl_ring_lost(ring);
    kymo_impl_slot_record(slot, pos, &found);
    /* Most records fill the buffer, and where its size is a constant, so is the copy. */
    if (KYMO_LIKELY(found.len == size && size <= ring->size)) {
        kymo_copy_out(buffer, kymo_impl_slot_payload_const(slot), size);
        KYMO_TESTPOINT(RECORD_COPIED);
        error = kymo_impl_ring_confirm(ring, slot, pos);
    } else {
        error = kymo_impl_ring_read_unusual(ring, slot, buffer, size, &found);
    }
    if (record && KYMO_LIKELY(!error || error == -EMSGSIZE))
        *record = found;
    return error;
}

/* Looks at the record at pos in place, if its slot still holds it; does not look at head. */
KYMO_INLINE int kymo_impl_ring_look(const struct kymo_ring *ring, uint64_t pos,
                                    struct kymo_view *view)
{
    const struct kymo_slot *slot = kymo_impl_ring_slot(ring, pos);

    if (KYMO_UNLIKELY(!kymo_impl_slot_read_begin(slot, pos)))
        return kymo_impl_ring_lost(ring);
    kymo_impl_slot_record(slot, pos, &view->record);
    view->payload = kymo_impl_slot_payload_const(slot);
    if (KYMO_UNLIKELY(view->record.len > ring->size))
        return kymo_impl_ring_confirm(ring, slot, pos) ? kymo_impl_ring_lost(ring) : -EBADMSG;
    return kymo_impl_ring_confirm(ring, slot, pos);
}

/* 0 where pos may be asked for: not before the first record, not yet to come. */
KYMO_INLINE int kymo_impl_ring_admits(const struct kymo_ring *ring, uint64_t pos)
{
    uint64_t head = kymo_ring_head(ring);

    if (KYMO_UNLIKELY(kymo_ring_retired(ring)))
        return -EIDRM;
    if (pos >= head || pos < ring->first)
        return kymo_impl_ring_none(ring);
    return head - pos <= ring->mask + 1 ? 0 : kymo_impl_ring_lost(ring);
}

/* The position `back` records behind the newest, into *pos. */
KYMO_INLINE int kymo_ring_find_back(const struct kymo_ring *ring, uint64_t back, uint64_t *pos)
{
    uint64_t head = kymo_ring_head(ring);

    if (KYMO_UNLIKELY(kymo_ring_retired(ring)))
        return -EIDRM;
    if (KYMO_UNLIKELY(back >= head - ring->first))
        return kymo_impl_ring_none(ring);
    *pos = head - 1 - back;
    return KYMO_LIKELY(back < ring->mask) ? 0 : kymo_impl_ring_lost(ring);
}

/* Copies the record at pos into buffer[size]. */
KYMO_INLINE int kymo_ring_at(const struct kymo_reader *reader, uint64_t pos, void *buffer,
                             size_t size, struct kymo_record *record)
{
    int error = kymo_impl_ring_admits(&reader->ring, pos);

    return error ? error : kymo_impl_ring_read(&reader->ring, pos, buffer, size, record);
}

/* kymo_ring_back for those who count (stats.h): *retries, where it is not NULL, grows by how often
 * the writer came by in the middle. */
KYMO_INLINE int kymo_impl_ring_back_counted(const struct kymo_reader *reader, uint64_t back,
                                            void *buffer, size_t size, struct kymo_record *record,
                                            uint64_t *retries)
{
    uint64_t pos;
    int error = -ESTALE;

    for (int tries = 0; tries < KYMO_RETRIES && error == -ESTALE; tries++) {
        error = kymo_ring_find_back(&reader->ring, back, &pos);
        if (KYMO_UNLIKELY(error))
            return error;
        error = kymo_impl_ring_read(&reader->ring, pos, buffer, size, record);
        if (retries && error == -ESTALE)
            ++*retries;
    }
    return KYMO_LIKELY(error != -ESTALE) ? error : -EAGAIN;
}

/* Copies the record `back` behind the newest: 0 is the newest, which may move on meanwhile. */
KYMO_INLINE int kymo_ring_back(const struct kymo_reader *reader, uint64_t back, void *buffer,
                               size_t size, struct kymo_record *record)
{
    return kymo_impl_ring_back_counted(reader, back, buffer, size, record, NULL);
}

/*
 * Copies the newest record into buffer[size].
 *
 * First as if all were well, since that is one way straight on: an empty ring and a slot that was
 * overwritten have another seq or length, and whether the generation was retired may as well be asked
 * behind the copy. Where anything is amiss the read begins anew, and finds out what.
 */
KYMO_INLINE int kymo_ring_latest(const struct kymo_reader *reader, void *buffer, size_t size,
                                 struct kymo_record *record)
{
    const struct kymo_ring *ring = &reader->ring;
    const struct kymo_control *control = ring->control;
    /* HEAD-1 (acquire load): as kymo_ring_head. */
    const uint64_t head = kymo_load_acquire(&control->head);
    const struct kymo_slot *slot = kymo_impl_ring_slot(ring, head - 1);
    struct kymo_record found;

    if (KYMO_LIKELY(kymo_impl_slot_read_begin(slot, head - 1))) {
        kymo_impl_slot_record(slot, head - 1, &found);
        if (KYMO_LIKELY(found.len == size && size <= ring->size && size > 0)) {
            kymo_copy_out(buffer, kymo_impl_slot_payload_const(slot), size);
            KYMO_TESTPOINT(RECORD_COPIED);
            if (KYMO_LIKELY(!kymo_impl_slot_read_retry(slot, head - 1) &&
                            !kymo_load_relaxed32(&ring->damaged) &&
                            kymo_load_relaxed32(&control->state) != KYMO_RETIRED)) {
                if (record)
                    *record = found;
                return 0;
            }
        }
    }
    return kymo_ring_back(reader, 0, buffer, size, record);
}

/*
 * Copies the record at pos into buffer[size] as soon as its slot has it, and looks at nothing else:
 * for a reader that spins for the next record, to whom the news and a small record then come in one
 * cache line. It may come before kymo_ring_head counts it. That the generation was replaced shows only
 * in kymo_ring_retired, which who spins asks now and then.
 * -EAGAIN: not published yet. -ESTALE, -EMSGSIZE, -EBADMSG: as all reads.
 */
KYMO_INLINE int kymo_ring_poll(const struct kymo_reader *reader, uint64_t pos, void *buffer,
                               size_t size, struct kymo_record *record)
{
    const struct kymo_ring *ring = &reader->ring;

    if (kymo_load_relaxed(&kymo_impl_ring_slot(ring, pos)->seq) < kymo_impl_seq_complete(pos))
        return kymo_load_relaxed32(&ring->damaged) ? -EBADMSG : -EAGAIN;
    return kymo_impl_ring_read(ring, pos, buffer, size, record);
}

/*
 * Reads in place: no copy, any size. The payload may change under the caller at any time; whatever
 * was computed from it counts only if kymo_ring_validate returns 0 afterwards. Never follow an
 * offset or a length found there without checking it.
 */
KYMO_INLINE int kymo_ring_view(const struct kymo_reader *reader, uint64_t pos,
                               struct kymo_view *view)
{
    int error = kymo_impl_ring_admits(&reader->ring, pos);

    return error ? error : kymo_impl_ring_look(&reader->ring, pos, view);
}

KYMO_INLINE int kymo_ring_view_back(const struct kymo_reader *reader, uint64_t back,
                                    struct kymo_view *view)
{
    uint64_t pos;
    int error = -ESTALE;

    for (int tries = 0; tries < KYMO_RETRIES && error == -ESTALE; tries++) {
        error = kymo_ring_find_back(&reader->ring, back, &pos);
        if (KYMO_UNLIKELY(error))
            return error;
        error = kymo_impl_ring_look(&reader->ring, pos, view);
    }
    return KYMO_LIKELY(error != -ESTALE) ? error : -EAGAIN;
}

KYMO_INLINE int kymo_ring_view_latest(const struct kymo_reader *reader, struct kymo_view *view)
{
    return kymo_ring_view_back(reader, 0, view);
}

/* 0 where the view has not changed since it was taken; else -ESTALE, or -EBADMSG. */
KYMO_INLINE int kymo_ring_validate(const struct kymo_reader *reader, const struct kymo_view *view)
{
    return kymo_impl_ring_confirm(&reader->ring,
                                  kymo_impl_ring_slot(&reader->ring, view->record.pos),
                                  view->record.pos);
}

/* ---- waiting ---- */

/*
 * Blocks until more than `seen` is published: until head > seen. Pass the position after the newest
 * one that you have (record.pos + 1), or kymo_ring_head. `deadline`: CLOCK_MONOTONIC ns, absolute;
 * 0 only looks; KYMO_FOREVER has none. Signals do not cut it short (promise E).
 * 0. -ETIMEDOUT: not until the deadline. -EIDRM: no more will come, this generation was replaced or
 * removed. -EBADMSG: damaged. Any number of threads may wait with one reader.
 *
 * With write permission on the file, or where the segment was created with KYMO_WAKE_ALWAYS, the
 * publish wakes the waiter. Without, it looks again every millisecond during the first 100 ms, and
 * then after a hundredth of the time that it has waited, 50 ms at most.
 */
KYMO_INLINE int kymo_ring_wait(const struct kymo_reader *reader, uint64_t seen, uint64_t deadline)
{
    if (KYMO_LIKELY(kymo_ring_head(&reader->ring) > seen))
        return 0;
    return kymo_impl_ring_wait_slow(reader, seen, deadline);
}

/* The most readers that kymo_ring_wait_any takes. */
#define KYMO_WAIT_LIMIT 128

/*
 * Blocks until one of several rings has more than was seen of it: readers[i] more than seen[i].
 * Returns its index, the lowest where there are several; or as kymo_ring_wait, where -EIDRM and
 * -EBADMSG are any one's. -EINVAL: count is 0 or beyond KYMO_WAIT_LIMIT. On kernels before 5.16 it
 * looks again every millisecond instead of being woken.
 */
KYMO_EXPORT int kymo_ring_wait_any(const struct kymo_reader *const *readers, const uint64_t *seen,
                                   size_t count, uint64_t deadline);

/* What a program sleeps on that waits for rings and for other things at once. */
struct kymo_wait_token {
    const uint32_t *word; /* a shared futex word, valid as long as the reader */
    uint32_t value;       /* sleep only while the word still holds this */
    int wake_guaranteed;  /* 1: a publish and the end of the generation change the word and wake;
                          * 0: the writer cannot see the waiter, so sleep for a short time only */
};

/*
 * For event loops that sleep by themselves, with futex_waitv or io_uring: asks the writer to ring at
 * its next publish, then looks whether more than `seen` is there already. -EAGAIN: it is not, sleep
 * on *token, then ask again. Else as kymo_ring_wait: 0, -EIDRM, -EBADMSG. Never sleeps; sleeps should
 * end after a second or so even where wake_guaranteed is 1, for a writer that is killed between its record
 * and the ring.
 */
KYMO_EXPORT int kymo_ring_prepare_wait(const struct kymo_reader *reader, uint64_t seen,
                                       struct kymo_wait_token *token);

/* ---- cursors ---- */

/* Begins with the next record to be published. */
KYMO_INLINE void kymo_cursor_newest(struct kymo_cursor *cursor, const struct kymo_reader *reader)
{
    cursor->reader = reader;
    cursor->next = kymo_ring_head(&reader->ring);
}

/* Begins with the oldest record that is still there. */
KYMO_INLINE void kymo_cursor_oldest(struct kymo_cursor *cursor, const struct kymo_reader *reader)
{
    uint64_t head = kymo_ring_head(&reader->ring);
    uint64_t written = head - reader->ring.first;

    cursor->reader = reader;
    cursor->next = head - (written < reader->ring.mask ? written : reader->ring.mask);
}

/*
 * Copies the next record into buffer[size] and moves on. *missed gets how many records this call
 * skipped, whatever it returns, since they were overwritten before they could be read: what was read
 * and the sum of what was missed is what was published. Where the writer laps the cursor in the
 * middle of a read, it skips ahead, a little further each time.
 * 0. -ENODATA: no new record yet. -EIDRM: none will come, this generation was replaced or removed
 * and everything left in it has been read. -EMSGSIZE: the cursor stays. -EAGAIN, -EBADMSG: as
 * reads.
 */
KYMO_INLINE int kymo_cursor_next(struct kymo_cursor *cursor, void *buffer, size_t size,
                                 struct kymo_record *record, uint64_t *missed)
{
    const struct kymo_ring *ring = &cursor->reader->ring;
    uint64_t skipped = 0;
    int error = -ESTALE;

    for (uint64_t tries = 0; tries < KYMO_RETRIES && error == -ESTALE; tries++) {
        uint64_t head = kymo_ring_head(ring);
        uint64_t behind = head - cursor->next;
        uint64_t keep = ring->mask - (tries < 4 ? tries * (ring->mask / 8) : ring->mask / 2);

        if (cursor->next >= head) {
            error = kymo_ring_is_over(ring, cursor->next) ? -EIDRM : kymo_impl_ring_none(ring);
            break;
        }
        if (behind > (tries ? keep : ring->mask + 1)) {
            skipped += behind - keep;
            cursor->next = head - keep;
        }
        error = kymo_impl_ring_read(ring, cursor->next, buffer, size, record);
    }
    if (missed)
        *missed = skipped;
    if (KYMO_LIKELY(error == 0))
        cursor->next++;
    return KYMO_LIKELY(error != -ESTALE) ? error : -EAGAIN;
}

#ifdef __cplusplus
}
#endif

#endif
