/*
 * seat.c - a lock in shared memory for several processes, whose owner's life the kernel knows.
 *
 * The lock is a futex word that holds its owner's seat. A seat is a byte of the file that its
 * process has locked (layout.h): when the process dies, the kernel frees the byte, and whoever has
 * waited in vain for a millisecond asks for it and takes the lock over. Seats are taken, and dead
 * owners' locks are taken over, under one more byte, so that a seat cannot change hands between the
 * look at its byte and the exchange of the word.
 */
#include "internal.h"

#include <unistd.h>

#define MILLISECOND UINT64_C(1000000)

/* Bounded, for the one who holds the byte may be stopped (promise E). */
static int lock_seating(int fd)
{
    int error = -EBUSY;

    for (int tries = 0; tries < 1000 && error == -EBUSY; tries++) {
        error = kymo_file_lock(fd, KYMO_LOCK_SEATING, 1);
        if (error == -EBUSY)
            usleep(1000);
    }
    return error;
}

int kymo_seat_take(struct kymo_seat *seat)
{
    int error = lock_seating(seat->fd);
    uint32_t owner;

    if (error)
        return error;
    owner = kymo_load_relaxed32(seat->word) & ~KYMO_LOCK_WAITING;
    error = -EBUSY;
    for (uint32_t number = 0; number < KYMO_SEATS && error == -EBUSY; number++) {
        /* The word may still name a dead one's seat: nobody sits there before it is taken over. */
        if (owner == number + 1)
            continue;
        seat->number = number;
        error = kymo_file_lock(seat->fd, seat->first + number, 1);
    }
    kymo_file_unlock(seat->fd, KYMO_LOCK_SEATING);
    return error;
}

/* 1 where the word's owner was dead and the lock is ours now. */
static int take_from_dead(const struct kymo_seat *seat)
{
    uint32_t word, owner;
    int taken = 0;

    if (kymo_file_lock(seat->fd, KYMO_LOCK_SEATING, 1) != 0)
        return 0;
    word = kymo_load_relaxed32(seat->word);
    owner = word & ~KYMO_LOCK_WAITING;
    if (owner != 0 && owner != seat->number + 1 &&
        kymo_file_is_locked(seat->fd, seat->first + owner - 1, 1) == 0)
        taken = kymo_compare_exchange_ordered32(seat->word, word,
                                                (seat->number + 1) | KYMO_LOCK_WAITING);
    kymo_file_unlock(seat->fd, KYMO_LOCK_SEATING);
    if (taken)
        kymo_fetch_add_relaxed(seat->takeovers, 1);
    return taken;
}

int kymo_seat_lock(const struct kymo_seat *seat, uint64_t deadline)
{
    uint32_t mine = seat->number + 1;

    /* LOCK-1 (ordered exchange): the lock before what it guards. Pairs with kymo_seat_unlock. */
    if (kymo_compare_exchange_ordered32(seat->word, 0, mine))
        return 0;
    for (;;) {
        uint32_t word = kymo_load_relaxed32(seat->word);
        uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
        uint64_t until = deadline - now > MILLISECOND ? now + MILLISECOND : deadline;

        if (!(word & ~KYMO_LOCK_WAITING)) {
            /* Others may be asleep for all that is known here: the bit stays for them. */
            if (kymo_compare_exchange_ordered32(seat->word, word, mine | KYMO_LOCK_WAITING))
                return 0;
            continue;
        }
        if (now >= deadline)
            return -ETIMEDOUT;
        if (!(word & KYMO_LOCK_WAITING) &&
            !kymo_compare_exchange_ordered32(seat->word, word, word | KYMO_LOCK_WAITING))
            continue;
        kymo_futex_wait(seat->word, word | KYMO_LOCK_WAITING, until);
        if (kymo_load_relaxed32(seat->word) == (word | KYMO_LOCK_WAITING) && take_from_dead(seat))
            return 1;
    }
}

void kymo_seat_unlock(const struct kymo_seat *seat)
{
    const uint32_t mine = seat->number + 1;

    /* LOCK-1 (ordered exchange): what the lock guards before its release. Pairs with
     * kymo_seat_lock. A word that is no longer ours was scribbled on, and is left alone. */
    if (kymo_compare_exchange_ordered32(seat->word, mine, 0))
        return;
    if (kymo_compare_exchange_ordered32(seat->word, mine | KYMO_LOCK_WAITING, 0) ||
        kymo_compare_exchange_ordered32(seat->word, mine, 0))
        kymo_futex_wake(seat->word, 1);
}

#define SECOND UINT64_C(1000000000)

int kymo_seat_join(struct kymo_segment *segment, uint32_t *word, uint64_t *takeovers,
                   uint64_t first)
{
    struct kymo_seat *seat = &segment->seat;
    int error;

    *seat =
        (struct kymo_seat){.word = word, .takeovers = takeovers, .first = first, .fd = segment->fd};
    segment->patience = SECOND;
    error = kymo_seat_take(seat);
    return error ? error : kymo_seat_lock(seat, kymo_clock_now(KYMO_MONOTONIC) + SECOND);
}
