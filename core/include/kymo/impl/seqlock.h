/*
 * seqlock.h - the slot protocol: how a record is written so that no reader accepts a torn one.
 *
 * The writer makes seq odd, writes, then makes it even; a reader loads seq, copies, and loads seq
 * again. Since seq contains the position, an unchanged even seq means not only "complete" but "the
 * record at this position" (A: no torn record). The orderings are those of Boehm 2012 and WG21
 * P1478: a release fence after the odd store and an acquire fence before the second load, since
 * neither a release store nor an acquire load orders the accesses on its other side. Each edge has
 * an ID that is present on both of its sides; core/ORDERING.md has the proofs.
 *
 * Neither side waits: read_retry() returns 1 if the reader must retry, and its caller bounds the
 * retries.
 */
#ifndef KYMO_IMPL_SEQLOCK_H
#define KYMO_IMPL_SEQLOCK_H

#include <kymo/atomic.h>
#include <kymo/layout.h>

KYMO_INLINE uint64_t kymo_impl_seq_writing(uint64_t pos)
{
    return 2 * pos + 1;
}

KYMO_INLINE uint64_t kymo_impl_seq_complete(uint64_t pos)
{
    return 2 * pos + 2;
}

/* The payload's first byte, aligned to the segment's alignment. */
KYMO_INLINE void *kymo_impl_slot_payload(struct kymo_slot *slot)
{
    void *start = slot;

    return KYMO_IMPL_CAST(unsigned char *, start) + KYMO_PAYLOAD_OFFSET;
}

KYMO_INLINE const void *kymo_impl_slot_payload_const(const struct kymo_slot *slot)
{
    const void *start = slot;

    return KYMO_IMPL_CAST(const unsigned char *, start) + KYMO_PAYLOAD_OFFSET;
}

/* Makes the slot invalid for readers; the writer may then write any part of it. One writer at a
 * time. */
KYMO_INLINE void kymo_impl_slot_write_begin(struct kymo_slot *slot, uint64_t pos)
{
    kymo_store_relaxed(&slot->seq, kymo_impl_seq_writing(pos));
    KYMO_TESTPOINT(SLOT_ODD);
    /* SEQ-1 (release fence): the odd seq before the record. Pairs with SEQ-1 in read_retry: a
     * reader that copied one byte of the new record sees the odd seq, or a later one. */
    kymo_fence_release();
}

/* Makes the slot valid for readers as the complete record at pos. */
KYMO_INLINE void kymo_impl_slot_write_end(struct kymo_slot *slot, uint64_t pos)
{
    /* SEQ-2 (release store): the record before the even seq. Pairs with SEQ-2 in read_begin: a
     * reader that sees this seq sees all of the record. */
    kymo_store_release(&slot->seq, kymo_impl_seq_complete(pos));
    KYMO_TESTPOINT(SLOT_EVEN);
}

/* Returns 1 if the slot holds the complete record at pos, which may then be copied or viewed. */
KYMO_INLINE int kymo_impl_slot_read_begin(const struct kymo_slot *slot, uint64_t pos)
{
    /* SEQ-2 (acquire load): the even seq before the record. Pairs with write_end. */
    return kymo_load_acquire(&slot->seq) == kymo_impl_seq_complete(pos);
}

/* Returns 1 if the bytes read since read_begin must be discarded. */
KYMO_INLINE int kymo_impl_slot_read_retry(const struct kymo_slot *slot, uint64_t pos)
{
    /* SEQ-1 (acquire fence): the record before the second load of seq. Pairs with write_begin. */
    kymo_fence_acquire();
    return kymo_load_relaxed(&slot->seq) != kymo_impl_seq_complete(pos);
}

#endif
