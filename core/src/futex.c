/*
 * futex.c - sleeping on a word of shared memory, and waking its waiters.
 */
#include "internal.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long futex(uint32_t *word, int operation, uint32_t value, const struct timespec *deadline)
{
    return syscall(SYS_futex, word, operation, value, deadline, NULL, FUTEX_BITSET_MATCH_ANY);
}

int kymo_futex_wait(uint32_t *word, uint32_t seen, uint64_t until)
{
    struct timespec at = {.tv_sec = (time_t)(until / 1000000000),
                          .tv_nsec = (long)(until % 1000000000)};

    if (futex(word, FUTEX_WAIT_BITSET, seen, until == KYMO_FOREVER ? NULL : &at) != 0 &&
        errno == EFAULT)
        return -EBADMSG;
    return 0;
}

void kymo_futex_wake(uint32_t *word, int count)
{
    futex(word, FUTEX_WAKE, (uint32_t)count, NULL);
}

void kymo_bell_ring(struct kymo_bell *bell)
{
    /* Waiters only set bit 0, so an exchange that fails because of a waiter succeeds the next time;
     * the bound is for a page that another process corrupts. */
    for (int tries = 0; tries < 100; tries++) {
        uint32_t word = kymo_load_relaxed32(&bell->word);
        uint32_t rung = (word + KYMO_BELL_STEP) & ~KYMO_BELL_WAITING;

        /* BELL-2 (ordered exchange): the event before the changed word. Pairs with waiters that
         * load the word and then check, and with the kernel, which compares the word before they
         * sleep. */
        if (kymo_compare_exchange_ordered32(&bell->word, word, rung))
            break;
    }
    KYMO_TESTPOINT(BELL_CHANGED);
    kymo_futex_wake(&bell->word, INT_MAX);
    KYMO_TESTPOINT(BELL_RUNG);
}
