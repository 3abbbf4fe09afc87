/*
 * wait.c - blocking until a record is published: the waiter's side of the bell (B: readers never
 * modify a segment, D: wakes on demand, E: bounded waits).
 */
#include "internal.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MILLISECOND UINT64_C(1000000)
#define SECOND      UINT64_C(1000000000)

/*
 * The longest sleep if no wake is guaranteed: 1 ms during the first 100 ms, then 1/100 of the time
 * waited so far, at most 50 ms. So a reader without write permission is late by 1 ms, or by 1 % of
 * the gap.
 */
static uint64_t backoff_interval(uint64_t waited)
{
    const uint64_t length = waited / 100;

    if (length < MILLISECOND)
        return MILLISECOND;
    return length < 50 * MILLISECOND ? length : 50 * MILLISECOND;
}

/* One ring's bell, with this waiter's bit set if it may be. */
struct armed {
    struct kymo_bell *bell;
    uint32_t word; /* its value when the bell was armed: sleep only while it has that value */
    int will_ring; /* 0: the writer cannot see this waiter */
};

static void arm(const struct kymo_reader *reader, struct armed *armed)
{
    struct kymo_segment *segment = reader->segment;
    int may_write;

    armed->bell = kymo_mapping_bell(segment, &may_write);
    /* BELL-1 (ordered change): the waiter bit before the load of head that follows; without write
     * permission, the load of the word before it. Pairs with kymo_impl_ring_complete. */
    armed->will_ring = may_write || segment->header.wake_policy == KYMO_WAKE_ALWAYS;
    /* BELL-2 (acquire, by the same): the bell's word before the load of the state. Pairs with
     * kymo_bell_ring. */
    armed->word = may_write ? kymo_fetch_or_ordered32(&armed->bell->word, KYMO_BELL_WAITING) |
                                  KYMO_BELL_WAITING
                            : kymo_load_ordered32(&armed->bell->word);
    KYMO_TESTPOINT(WAITING);
}

/* The result that needs no sleep; -EAGAIN: none yet. */
static int poll_ring(const struct kymo_ring *ring, uint64_t seen)
{
    /* BELL-1 (ordered load): the waiter bit before this load of head. Pairs with
     * kymo_impl_ring_complete, which stores head before it loads the bell. */
    if (kymo_load_ordered(&ring->control->head) > seen)
        return kymo_load_relaxed32(&ring->damaged) ? -EBADMSG : 0;
    if (kymo_load_relaxed32(&ring->damaged))
        return -EBADMSG;
    /* BELL-2 orders this after the load of the bell's word, if that is the new one. */
    return kymo_ring_is_over(ring, seen) ? -EIDRM : -EAGAIN;
}

/*
 * A process that removes or replaces a generation unlinks its name first and then rings. If it is
 * killed in between, no ring follows: after each sleep, check the link count (C: crash safety, I:
 * atomic replacement).
 */
static int is_unlinked(const struct kymo_reader *reader)
{
    struct stat status;

    return fstat(reader->segment->fd, &status) == 0 && status.st_nlink == 0;
}

/* The latest time for the next check. */
static uint64_t wake_time(uint64_t now, uint64_t began, uint64_t deadline, int will_ring)
{
    const uint64_t length = will_ring ? SECOND : backoff_interval(now - began);

    return deadline - now < length ? deadline : now + length;
}

int kymo_impl_ring_wait_slow(const struct kymo_reader *reader, uint64_t seen, uint64_t deadline)
{
    const uint64_t began = kymo_clock_now(KYMO_MONOTONIC);
    uint64_t now = began;
    int unlinked = 0;

    for (;;) {
        struct armed armed;
        int error = poll_ring(&reader->ring, seen);

        if (error != -EAGAIN)
            return error;
        if (unlinked)
            return -EIDRM;
        if (now >= deadline)
            return -ETIMEDOUT;
        arm(reader, &armed);
        error = poll_ring(&reader->ring, seen);
        if (error != -EAGAIN)
            return error;
        error = kymo_futex_wait(&armed.bell->word, armed.word,
                                wake_time(now, began, deadline, armed.will_ring));
        if (error)
            return error;
        /* Check for the record before the two system calls below, to keep wake-up latency low. */
        error = poll_ring(&reader->ring, seen);
        if (error != -EAGAIN)
            return error;
        now = kymo_clock_now(KYMO_MONOTONIC);
        unlinked = is_unlinked(reader);
    }
}

int kymo_ring_prepare_wait(const struct kymo_reader *reader, uint64_t seen,
                           struct kymo_wait_token *out)
{
    struct armed armed;

    arm(reader, &armed);
    *out = (struct kymo_wait_token){&armed.bell->word, armed.word, armed.will_ring};
    return poll_ring(&reader->ring, seen);
}

/* ---- several rings ---- */

/* The lowest index with a record or an error; -EAGAIN: none. */
static int poll_rings(const struct kymo_reader *const *readers, const uint64_t *seen, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const int error = poll_ring(&readers[i]->ring, seen[i]);

        if (error != -EAGAIN)
            return error ? error : (int)i;
    }
    return -EAGAIN;
}

static int is_any_unlinked(const struct kymo_reader *const *readers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is_unlinked(readers[i]))
            return 1;
    }
    return 0;
}

/* Arms every bell; returns 1 if every writer can see this waiter. */
static int arm_any(const struct kymo_reader *const *readers, size_t count,
                   struct futex_waitv *waiters)
{
    int will_ring = 1;

    for (size_t i = 0; i < count; i++) {
        struct armed armed;

        arm(readers[i], &armed);
        will_ring &= armed.will_ring;
        waiters[i] = (struct futex_waitv){.val = armed.word,
                                          .uaddr = (uintptr_t)&armed.bell->word,
                                          .flags = FUTEX_32};
    }
    return will_ring;
}

static int sleep_any(struct futex_waitv *waiters, size_t count, uint64_t until)
{
    const uint64_t soon = kymo_clock_now(KYMO_MONOTONIC) + MILLISECOND;
    struct timespec at = {.tv_sec = (time_t)(until / 1000000000),
                          .tv_nsec = (long)(until % 1000000000)};

    if (syscall(SYS_futex_waitv, waiters, (unsigned int)count, 0,
                until == KYMO_FOREVER ? NULL : &at, CLOCK_MONOTONIC) >= 0)
        return 0;
    if (errno == EFAULT)
        return -EBADMSG;
    /* Before Linux 5.16: sleep on one of them, for a short time. */
    if (errno == ENOSYS)
        return kymo_futex_wait((uint32_t *)(uintptr_t)waiters[0].uaddr, (uint32_t)waiters[0].val,
                               until < soon ? until : soon);
    return 0;
}

int kymo_ring_wait_any(const struct kymo_reader *const *readers, const uint64_t *seen, size_t count,
                       uint64_t deadline)
{
    const uint64_t began = kymo_clock_now(KYMO_MONOTONIC);
    struct futex_waitv waiters[KYMO_WAIT_LIMIT];
    uint64_t now = began;
    int unlinked = 0;

    if (count == 0 || count > KYMO_WAIT_LIMIT)
        return -EINVAL;
    for (;;) {
        int result = poll_rings(readers, seen, count);
        int will_ring;

        if (result != -EAGAIN)
            return result;
        if (unlinked)
            return -EIDRM;
        if (now >= deadline)
            return -ETIMEDOUT;
        will_ring = arm_any(readers, count, waiters);
        result = poll_rings(readers, seen, count);
        if (result != -EAGAIN)
            return result;
        result = sleep_any(waiters, count, wake_time(now, began, deadline, will_ring));
        if (result)
            return result;
        result = poll_rings(readers, seen, count);
        if (result != -EAGAIN)
            return result;
        now = kymo_clock_now(KYMO_MONOTONIC);
        unlinked = is_any_unlinked(readers, count);
    }
}
