/*
 * seqlock.h - one slot: how a record is written so that no reader takes a torn one for whole.
 *
 * The writer makes seq odd, then writes, then makes it even; a reader takes seq, copies, and takes
 * seq again. Since seq holds the position, an unchanged even seq says not only "whole" but "the
 * record that was asked for" (promise A). The orderings are those of Boehm 2012 and WG21 P1478:
 * a release fence behind the odd store and an acquire fence before the second load, for neither a
 * release store nor an acquire load orders what stands on its other side. Each edge has an ID that
 * stands on both of its sides; ORDERING.md has the proofs.
 *
 * The writer never waits. A reader never waits: it is told to retry, and its caller counts.
 */
#ifndef KYMO_SEQLOCK_H
#define KYMO_SEQLOCK_H

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

/* The payload's first byte; aligned as the segment was asked to align. */
KYMO_INLINE void *kymo_impl_slot_payload(struct kymo_slot *slot)
{
    return (unsigned char *)slot + KYMO_PAYLOAD_OFFSET;
}

KYMO_INLINE const void *kymo_impl_slot_payload_const(const struct kymo_slot *slot)
{
    return (const unsigned char *)slot + KYMO_PAYLOAD_OFFSET;
}

/* Takes the slot away from readers. One writer at a time; what follows may write any of the slot.
 */
KYMO_INLINE void kymo_impl_slot_write_begin(struct kymo_slot *slot, uint64_t pos)
{
    kymo_store_relaxed(&slot->seq, kymo_impl_seq_writing(pos));
    KYMO_TESTPOINT(SLOT_ODD);
    /* SEQ-1 (release fence): the odd seq before the record. Pairs with SEQ-1 in read_retry: a
     * reader that copied one byte of the new record sees the odd seq, or a later one. */
    kymo_fence_release();
}

/* Gives the slot to readers as the complete record at pos. */
KYMO_INLINE void kymo_impl_slot_write_end(struct kymo_slot *slot, uint64_t pos)
{
    /* SEQ-2 (release store): the record before the even seq. Pairs with SEQ-2 in read_begin: a
     * reader that sees this seq sees all of the record. */
    kymo_store_release(&slot->seq, kymo_impl_seq_complete(pos));
    KYMO_TESTPOINT(SLOT_EVEN);
}

/* Returns whether the slot holds the complete record at pos, which may now be copied or viewed. */
KYMO_INLINE int kymo_impl_slot_read_begin(const struct kymo_slot *slot, uint64_t pos)
{
    /* SEQ-2 (acquire load): the even seq before the record. Pairs with write_end. */
    return kymo_load_acquire(&slot->seq) == kymo_impl_seq_complete(pos);
}

/* Returns whether what was read since read_begin has to be thrown away. */
KYMO_INLINE int kymo_impl_slot_read_retry(const struct kymo_slot *slot, uint64_t pos)
{
    /* SEQ-1 (acquire fence): the record before the second look at seq. Pairs with write_begin. */
    kymo_fence_acquire();
    return kymo_load_relaxed(&slot->seq) != kymo_impl_seq_complete(pos);
}

#endif
