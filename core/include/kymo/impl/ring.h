/*
 * ring.h - the inline bodies of <kymo/ring.h>, and the helpers that they share.
 */
#ifndef KYMO_IMPL_RING_H
#define KYMO_IMPL_RING_H

#include <kymo/impl/seqlock.h>
#include <kymo/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The slow paths: for shared writers, dead handles, waiting readers and full rings. */
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
    void *slot = ring->slots + (pos & ring->mask) * ring->stride;

    return KYMO_IMPL_CAST(struct kymo_slot *, slot);
}

KYMO_INLINE uint64_t kymo_ring_depth(const struct kymo_ring *ring)
{
    return ring->mask + 1;
}

KYMO_INLINE uint64_t kymo_ring_head(const struct kymo_ring *ring)
{
    /* HEAD-1 (acquire load): head before what the slots hold. Pairs with the store of head. */
    return kymo_load_acquire(&ring->control->head);
}

KYMO_INLINE uint64_t kymo_ring_written(const struct kymo_ring *ring)
{
    return kymo_ring_head(ring) - ring->first;
}

KYMO_INLINE uint64_t kymo_ring_available(const struct kymo_ring *ring)
{
    uint64_t written = kymo_ring_written(ring);

    return written < ring->mask ? written : ring->mask;
}

KYMO_INLINE int kymo_ring_retired(const struct kymo_ring *ring)
{
    return kymo_load_relaxed32(&ring->control->state) == KYMO_RETIRED;
}

KYMO_INLINE int kymo_ring_is_over(const struct kymo_ring *ring, uint64_t pos)
{
    /* STATE-2 (acquire load): the end of the generation before this load of head, which is then the
     * final head. Pairs with kymo_retirement_commit and kymo_writer_remove. */
    return kymo_load_acquire32(&ring->control->state) == KYMO_RETIRED &&
           kymo_ring_head(ring) <= pos;
}

/* Stores the record's fields beside the payload at writer->pos, whose seq is odd, and publishes. */
KYMO_INLINE int kymo_impl_ring_complete(struct kymo_writer *writer, struct kymo_slot *slot,
                                        size_t len, uint64_t time, uint64_t tag)
{
    struct kymo_ring *ring = &writer->ring;
    const uint64_t pos = writer->pos;
    const uint32_t len_and_flags[2] = {KYMO_IMPL_CAST(uint32_t, len), 0};

    /* SER-1 (by the release fence of SEQ-1): head == pos before this position's time. Pairs with
     * SER-1 in kymo_impl_window_holds: a search that loaded this time also finds that its window
     * has moved. */
    kymo_store_relaxed(&ring->times[pos & ring->mask], time);
    kymo_store_relaxed(&slot->time, time);
    kymo_store_relaxed(&slot->tag, tag);
    /* One store: the locked instruction below waits for each. */
    static_assert(offsetof(struct kymo_slot, flags) == offsetof(struct kymo_slot, len) + 4, "");
    kymo_copy_in(&slot->len, len_and_flags, sizeof(len_and_flags));
    KYMO_TESTPOINT(RECORD_FILLED);
    kymo_impl_slot_write_end(slot, pos);
    /* HEAD-1 (release, by the ordered store): the record before the head that counts it. Pairs
     * with kymo_ring_head. BELL-1 (ordered store, then ordered load): head before the load
     * of the bell. Pairs with BELL-1 in the waiter, which sets its bit and then loads head: one of
     * the two sees the other. */
    kymo_store_ordered(&ring->control->head, pos + 1);
    KYMO_TESTPOINT(HEAD_STORED);
    /* After the locked instruction, which therefore does not wait for these two stores. */
    writer->time = time;
    writer->pos = pos + 1;
    if (KYMO_UNLIKELY((kymo_load_ordered32(&writer->bell->word) & KYMO_BELL_WAITING) |
                      writer->wake_always))
        kymo_impl_ring_wake(writer);
    return KYMO_LIKELY(!kymo_load_relaxed32(&ring->damaged)) ? 0 : -EBADMSG;
}

KYMO_INLINE int kymo_ring_loan(struct kymo_writer *writer, void **payload)
{
    struct kymo_slot *slot;

    if (KYMO_UNLIKELY(writer->pos >= writer->limit))
        return kymo_impl_ring_loan_slow(writer, payload);
    slot = kymo_impl_ring_slot(&writer->ring, writer->pos);
    kymo_impl_slot_write_begin(slot, writer->pos);
    /* SEQ-1 (store fence): the odd seq before the caller's stores, of any kind. Pairs with SEQ-1 in
     * kymo_impl_slot_read_retry. */
    kymo_fence_stores();
    writer->loaned = 1;
    *payload = kymo_impl_slot_payload(slot);
    return KYMO_LIKELY(!kymo_load_relaxed32(&writer->ring.damaged)) ? 0 : -EBADMSG;
}

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
    /* SEQ-2 (store fence): the caller's stores, of any kind, before the even seq. Pairs with SEQ-2
     * in kymo_impl_slot_read_begin. */
    kymo_fence_stores();
    return kymo_impl_ring_complete(writer, kymo_impl_ring_slot(&writer->ring, writer->pos), len,
                                   time, tag);
}

KYMO_INLINE int kymo_ring_abort(struct kymo_writer *writer)
{
    return kymo_impl_ring_abort_slow(writer);
}

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

/* The error for a slot that changed: the guard mapped a zero page there, or the writer lapped. */
KYMO_INLINE int kymo_impl_ring_lost(const struct kymo_ring *ring)
{
    return kymo_load_relaxed32(&ring->damaged) ? -EBADMSG : -ESTALE;
}

/* The error for a missing record: head is on a zero page, or has not reached that position. */
KYMO_INLINE int kymo_impl_ring_none(const struct kymo_ring *ring)
{
    return kymo_load_relaxed32(&ring->damaged) ? -EBADMSG : -ENODATA;
}

/* Like the payload, these fields are valid only after kymo_impl_ring_confirm. The length is loaded
 * exactly once, since it bounds a copy before that. */
KYMO_INLINE void kymo_impl_slot_record(const struct kymo_slot *slot, uint64_t pos,
                                       struct kymo_record *record)
{
    record->pos = pos;
    kymo_copy_out(&record->time, &slot->time, sizeof(record->time));
    kymo_copy_out(&record->tag, &slot->tag, sizeof(record->tag));
    record->len = kymo_load_relaxed32(&slot->len);
    kymo_copy_out(&record->flags, &slot->flags, sizeof(record->flags));
}

/* The end of every read: 0 if the bytes read since read_begin are the record at pos. */
KYMO_INLINE int kymo_impl_ring_confirm(const struct kymo_ring *ring, const struct kymo_slot *slot,
                                       uint64_t pos)
{
    if (KYMO_UNLIKELY(kymo_impl_slot_read_retry(slot, pos) || kymo_load_relaxed32(&ring->damaged)))
        return kymo_impl_ring_lost(ring);
    return 0;
}

/* A record that does not fill the buffer exactly: shorter, or too large for it. */
KYMO_INLINE int kymo_impl_ring_read_unusual(const struct kymo_ring *ring,
                                            const struct kymo_slot *slot, void *buffer, size_t size,
                                            const struct kymo_record *found)
{
    int error;

    /* A length from shared memory is compared with both sizes before it bounds a copy. */
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

/* Copies the record at pos if its slot contains it; does not load head. */
KYMO_INLINE int kymo_impl_ring_read(const struct kymo_ring *ring, uint64_t pos, void *buffer,
                                    size_t size, struct kymo_record *record)
{
    const struct kymo_slot *slot = kymo_impl_ring_slot(ring, pos);
    struct kymo_record found;
    int error;

    if (KYMO_UNLIKELY(!kymo_impl_slot_read_begin(slot, pos)))
        return kymo_impl_ring_lost(ring);
    kymo_impl_slot_record(slot, pos, &found);
    /* Most records fill the buffer; if its size is a constant, so is the size of the copy. */
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

/* Views the record at pos in place if its slot contains it; does not load head. */
KYMO_INLINE int kymo_impl_ring_read_view(const struct kymo_ring *ring, uint64_t pos,
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

/* 0 if the record at pos exists: published, not before the first record, not overwritten. */
KYMO_INLINE int kymo_impl_ring_check_pos(const struct kymo_ring *ring, uint64_t pos)
{
    uint64_t head = kymo_ring_head(ring);

    if (KYMO_UNLIKELY(kymo_ring_retired(ring)))
        return -EIDRM;
    if (pos >= head || pos < ring->first)
        return kymo_impl_ring_none(ring);
    return head - pos <= ring->mask + 1 ? 0 : kymo_impl_ring_lost(ring);
}

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

KYMO_INLINE int kymo_ring_at(const struct kymo_reader *reader, uint64_t pos, void *buffer,
                             size_t size, struct kymo_record *record)
{
    int error = kymo_impl_ring_check_pos(&reader->ring, pos);

    return error ? error : kymo_impl_ring_read(&reader->ring, pos, buffer, size, record);
}

/* kymo_ring_back that adds the number of torn reads to *retries, unless it is NULL (stats.h). */
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

KYMO_INLINE int kymo_ring_back(const struct kymo_reader *reader, uint64_t back, void *buffer,
                               size_t size, struct kymo_record *record)
{
    return kymo_impl_ring_back_counted(reader, back, buffer, size, record, KYMO_IMPL_NULL);
}

/* kymo_ring_latest after any mismatch. */
KYMO_IMPL_COLD int kymo_impl_ring_latest_again(const struct kymo_reader *reader, void *buffer,
                                               size_t size, struct kymo_record *record)
{
    return kymo_ring_back(reader, 0, buffer, size, record);
}

KYMO_INLINE int kymo_ring_latest(const struct kymo_reader *reader, void *buffer, size_t size,
                                 struct kymo_record *record)
{
    const struct kymo_ring *ring = &reader->ring;
    const struct kymo_control *control = ring->control;
    /* Fast path: read optimistically and validate once at the end. An empty ring and an overwritten
     * slot have another seq or length, and the state can be checked after the copy. On any mismatch,
     * read again and find the error. */
    /* HEAD-1 (acquire load): as kymo_ring_head. */
    const uint64_t head = kymo_load_acquire(&control->head);
    const struct kymo_slot *slot = kymo_impl_ring_slot(ring, head - 1);
    struct kymo_record found, again;
    int error;

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
    /* A record of its own, so that the address of the caller's is not taken: it stays in registers. */
    error = kymo_impl_ring_latest_again(reader, buffer, size, &again);
    if (record && (!error || error == -EMSGSIZE))
        *record = again;
    return error;
}

KYMO_INLINE int kymo_ring_poll(const struct kymo_reader *reader, uint64_t pos, void *buffer,
                               size_t size, struct kymo_record *record)
{
    const struct kymo_ring *ring = &reader->ring;

    if (kymo_load_relaxed(&kymo_impl_ring_slot(ring, pos)->seq) < kymo_impl_seq_complete(pos))
        return kymo_load_relaxed32(&ring->damaged) ? -EBADMSG : -EAGAIN;
    return kymo_impl_ring_read(ring, pos, buffer, size, record);
}

KYMO_INLINE int kymo_ring_view(const struct kymo_reader *reader, uint64_t pos,
                               struct kymo_view *view)
{
    int error = kymo_impl_ring_check_pos(&reader->ring, pos);

    return error ? error : kymo_impl_ring_read_view(&reader->ring, pos, view);
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
        error = kymo_impl_ring_read_view(&reader->ring, pos, view);
    }
    return KYMO_LIKELY(error != -ESTALE) ? error : -EAGAIN;
}

KYMO_INLINE int kymo_ring_view_latest(const struct kymo_reader *reader, struct kymo_view *view)
{
    return kymo_ring_view_back(reader, 0, view);
}

KYMO_INLINE int kymo_ring_validate(const struct kymo_reader *reader, const struct kymo_view *view)
{
    return kymo_impl_ring_confirm(&reader->ring,
                                  kymo_impl_ring_slot(&reader->ring, view->record.pos),
                                  view->record.pos);
}

KYMO_INLINE int kymo_ring_wait(const struct kymo_reader *reader, uint64_t seen, uint64_t deadline)
{
    if (KYMO_LIKELY(kymo_ring_head(&reader->ring) > seen))
        return 0;
    return kymo_impl_ring_wait_slow(reader, seen, deadline);
}

KYMO_INLINE void kymo_cursor_newest(struct kymo_cursor *cursor, const struct kymo_reader *reader)
{
    cursor->reader = reader;
    cursor->next = kymo_ring_head(&reader->ring);
}

KYMO_INLINE void kymo_cursor_oldest(struct kymo_cursor *cursor, const struct kymo_reader *reader)
{
    uint64_t head = kymo_ring_head(&reader->ring);
    uint64_t written = head - reader->ring.first;

    cursor->reader = reader;
    cursor->next = head - (written < reader->ring.mask ? written : reader->ring.mask);
}

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
