/*
 * robust_lock.c - a lock in shared memory for several processes: the kernel reports the death of
 * its owner.
 *
 * The lock is a futex word that contains the number of its owner's slot. A slot is a byte of the
 * file that its process has locked (layout.h). When the process dies, the kernel releases the byte;
 * a waiter that has waited for 1 ms queries it and takes the lock over. One more byte is locked
 * while a slot is claimed or a dead owner's lock is taken over, so that a slot cannot change its
 * owner between the query of its byte and the exchange of the word.
 */
#include "internal.h"

#include <unistd.h>

#define MILLISECOND UINT64_C(1000000)

/* For 1 s at most, since the holder of the byte may be stopped (E: bounded waits). */
static int lock_claim_byte(int fd)
{
    const uint64_t deadline = kymo_clock_now(KYMO_MONOTONIC) + 1000 * MILLISECOND;
    int error = kymo_file_lock(fd, KYMO_LOCK_SLOT_CLAIM, 1);

    while (error == -EBUSY && kymo_clock_now(KYMO_MONOTONIC) < deadline) {
        usleep(1000);
        error = kymo_file_lock(fd, KYMO_LOCK_SLOT_CLAIM, 1);
    }
    return error;
}

/* The word may still contain the slot of a dead owner: no process may use that slot before the lock
 * is taken over. Checked after the byte is locked, since its owner may have taken the lock and died
 * directly before. */
static int claim_slot(const struct kymo_lock_slot *slot)
{
    int error = kymo_file_lock(slot->fd, slot->first + slot->number, 1);

    if (error || (kymo_load_relaxed32(slot->word) & ~KYMO_LOCK_WAITING) != slot->number + 1)
        return error;
    kymo_file_unlock(slot->fd, slot->first + slot->number);
    return -EBUSY;
}

int kymo_lock_slot_claim(struct kymo_lock_slot *slot)
{
    int error = lock_claim_byte(slot->fd);

    if (error)
        return error;
    error = -EBUSY;
    for (uint32_t number = 0; number < KYMO_LOCK_SLOTS && error == -EBUSY; number++) {
        slot->number = number;
        error = claim_slot(slot);
    }
    kymo_file_unlock(slot->fd, KYMO_LOCK_SLOT_CLAIM);
    KYMO_TESTPOINT(LOCK_SLOT_CLAIMED);
    return error;
}

/* 1 if the word's owner was dead and this process has the lock now. */
static int take_over(const struct kymo_lock_slot *slot)
{
    uint32_t word, owner;
    int taken = 0;

    if (kymo_file_lock(slot->fd, KYMO_LOCK_SLOT_CLAIM, 1) != 0)
        return 0;
    word = kymo_load_relaxed32(slot->word);
    owner = word & ~KYMO_LOCK_WAITING;
    if (owner != 0 && owner != slot->number + 1 &&
        kymo_file_is_locked(slot->fd, slot->first + owner - 1) == 0)
        /* LOCK-1 (ordered exchange): as in take_free; the dead owner's stores came before that. */
        taken = kymo_compare_exchange_ordered32(slot->word, word,
                                                (slot->number + 1) | KYMO_LOCK_WAITING);
    if (taken) {
        KYMO_TESTPOINT(LOCK_TAKEN_OVER);
        kymo_fetch_add_relaxed(slot->takeovers, 1);
    }
    kymo_file_unlock(slot->fd, KYMO_LOCK_SLOT_CLAIM);
    return taken;
}

/* 1 if the word was `free` and this process has the lock now, with `waiting` set for other
 * waiters. */
static int take_free(const struct kymo_lock_slot *slot, uint32_t free, uint32_t waiting)
{
    /* LOCK-1 (ordered exchange): the lock before what it guards. Pairs with kymo_robust_unlock. */
    if (!kymo_compare_exchange_ordered32(slot->word, free, (slot->number + 1) | waiting))
        return 0;
    KYMO_TESTPOINT(LOCK_TAKEN);
    return 1;
}

int kymo_robust_lock(const struct kymo_lock_slot *slot, uint64_t deadline)
{
    if (take_free(slot, 0, 0))
        return 0;
    for (;;) {
        uint32_t word = kymo_load_relaxed32(slot->word);
        uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
        uint64_t until = deadline - now > MILLISECOND ? now + MILLISECOND : deadline;

        if (!(word & ~KYMO_LOCK_WAITING)) {
            /* Other processes may be asleep: keep the bit for them. */
            if (take_free(slot, word, KYMO_LOCK_WAITING))
                return 0;
            continue;
        }
        if (now >= deadline)
            return -ETIMEDOUT;
        /* LOCK-2 (ordered exchange): the waiter bit before the sleep, and the kernel compares the
         * word again. Pairs with kymo_robust_unlock, which finds the bit and wakes, or has released
         * the word before. */
        if (!(word & KYMO_LOCK_WAITING) &&
            !kymo_compare_exchange_ordered32(slot->word, word, word | KYMO_LOCK_WAITING))
            continue;
        KYMO_TESTPOINT(LOCK_AWAITED);
        kymo_futex_wait(slot->word, word | KYMO_LOCK_WAITING, until);
        if (kymo_load_relaxed32(slot->word) == (word | KYMO_LOCK_WAITING) && take_over(slot))
            return 1;
    }
}

void kymo_robust_unlock(const struct kymo_lock_slot *slot)
{
    const uint32_t mine = slot->number + 1;

    /* LOCK-1 (ordered exchange): what the lock guards before its release. Pairs with
     * kymo_robust_lock. LOCK-2 (ordered exchange): no wake only if no waiter has set the bit. A
     * word that no longer contains this slot is corrupt, and is not changed. */
    if (kymo_compare_exchange_ordered32(slot->word, mine, 0)) {
        KYMO_TESTPOINT(LOCK_FREED);
        return;
    }
    if (kymo_compare_exchange_ordered32(slot->word, mine | KYMO_LOCK_WAITING, 0) ||
        kymo_compare_exchange_ordered32(slot->word, mine, 0)) {
        KYMO_TESTPOINT(LOCK_FREED);
        kymo_futex_wake(slot->word, 1);
    }
}

#define SECOND UINT64_C(1000000000)

int kymo_robust_lock_join(struct kymo_segment *segment, uint32_t *word, uint64_t *takeovers,
                          uint64_t first)
{
    struct kymo_lock_slot *slot = &segment->lock_slot;
    int error;

    *slot = (struct kymo_lock_slot){.word = word,
                                    .takeovers = takeovers,
                                    .first = first,
                                    .fd = segment->fd};
    segment->lock_timeout = SECOND;
    error = kymo_lock_slot_claim(slot);
    return error ? error : kymo_robust_lock(slot, kymo_clock_now(KYMO_MONOTONIC) + SECOND);
}
