/*
 * ring.c - the slow paths of ring.h: dead handles, times that go backwards, sleeping and waking.
 */
#include "internal.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* ---- publishing ---- */

/* Why a writer whose limit is reached may not publish. */
static int refuse(const struct kymo_writer *writer)
{
    if (writer->segment->orphan)
        return -EPERM;
    if (kymo_load_relaxed32(&writer->ring.damaged))
        return -EBADMSG;
    return -ENOSPC;
}

int kymo_ring_loan_slow(struct kymo_writer *writer, void **payload)
{
    (void)payload;
    return refuse(writer);
}

int kymo_ring_commit_slow(struct kymo_writer *writer, size_t len, uint64_t time, uint64_t tag)
{
    (void)len;
    (void)time;
    (void)tag;
    return refuse(writer);
}

int kymo_ring_publish_slow(struct kymo_writer *writer, const void *data, size_t len, uint64_t time,
                           uint64_t tag)
{
    (void)data;
    (void)len;
    (void)time;
    (void)tag;
    return refuse(writer);
}

/* The slot stays odd, as after a kill: its old record is gone, the next one begins there anew. */
int kymo_ring_abort_slow(struct kymo_writer *writer)
{
    struct kymo_control *control = writer->ring.control;

    if (!writer->loaned)
        return -EINVAL;
    writer->loaned = 0;
    if (writer->segment->orphan)
        return -EPERM;
    kymo_store_relaxed(&control->aborted, kymo_load_relaxed(&control->aborted) + 1);
    return 0;
}

int kymo_ring_order_time(struct kymo_writer *writer, uint64_t *time)
{
    struct kymo_control *control = writer->ring.control;

    if (writer->segment->header.time_policy == KYMO_REJECT) {
        kymo_store_relaxed(&control->rejected, kymo_load_relaxed(&control->rejected) + 1);
        return -EINVAL;
    }
    kymo_store_relaxed(&control->clamped, kymo_load_relaxed(&control->clamped) + 1);
    *time = writer->time;
    return 0;
}

/* ---- the bell (promise D) ---- */

static long futex(uint32_t *word, int operation, uint32_t value, const struct timespec *deadline)
{
    return syscall(SYS_futex, word, operation, value, deadline, NULL, FUTEX_BITSET_MATCH_ANY);
}

void kymo_bell_ring(struct kymo_bell *bell)
{
    /* Waiters only ever set bit 0, so a change that loses to one of them wins the next time; the
     * bound is for a page that somebody else scribbles on. */
    for (int tries = 0; tries < 100; tries++) {
        uint32_t word = kymo_load_relaxed32(&bell->word);
        uint32_t rung = (word + KYMO_BELL_STEP) & ~KYMO_BELL_WAITING;

        if (kymo_compare_exchange_ordered32(&bell->word, word, rung))
            break;
    }
    KYMO_TESTPOINT(BELL_CHANGED);
    futex(&bell->word, FUTEX_WAKE, INT_MAX, NULL);
    KYMO_TESTPOINT(BELL_RUNG);
}

void kymo_ring_wake(struct kymo_writer *writer)
{
    struct kymo_control *control = writer->ring.control;

    kymo_store_relaxed(&control->wakes, kymo_load_relaxed(&control->wakes) + 1);
    kymo_bell_ring(writer->bell);
}

#define MILLISECOND UINT64_C(1000000)

/* How long one sleep may last where nobody will wake us: 1 ms while records come, then as long as
 * the wait has lasted so far, up to 50 ms. */
static uint64_t nap(uint64_t waited)
{
    uint64_t length = waited > MILLISECOND ? waited : MILLISECOND;

    return length < 50 * MILLISECOND ? length : 50 * MILLISECOND;
}

/* Sleeps while the word is `seen`, until `until` at most. -EBADMSG where the page is gone. */
static int sleep_on(struct kymo_bell *bell, uint32_t seen, uint64_t until)
{
    struct timespec at = {.tv_sec = (time_t)(until / 1000000000),
                          .tv_nsec = (long)(until % 1000000000)};

    if (futex(&bell->word, FUTEX_WAIT_BITSET, seen, until == KYMO_FOREVER ? NULL : &at) != 0 &&
        errno == EFAULT)
        return -EBADMSG;
    return 0;
}

/* What there is to know without sleeping; -EAGAIN: nothing yet. */
static int look(const struct kymo_ring *ring, uint64_t seen, uint64_t deadline, uint64_t now)
{
    /* BELL-1 (ordered load): our bit in the bell before this look at head. Pairs with
     * kymo_ring_complete, which stores head before it looks at the bell. */
    if (kymo_load_ordered(&ring->control->head) > seen)
        return kymo_load_relaxed32(&ring->damaged) ? -EBADMSG : 0;
    if (kymo_load_relaxed32(&ring->damaged))
        return -EBADMSG;
    /* BELL-2 (acquire load): the bell's word before the state. Pairs with kymo_mapping_retire,
     * which stores the state before it rings. */
    if (kymo_load_acquire32(&ring->control->state) == KYMO_RETIRED)
        return -EIDRM;
    return now >= deadline ? -ETIMEDOUT : -EAGAIN;
}

int kymo_ring_wait_slow(const struct kymo_reader *reader, uint64_t seen, uint64_t deadline)
{
    struct kymo_segment *segment = reader->segment;
    const uint64_t began = kymo_clock_now(KYMO_MONOTONIC);
    uint64_t now = began;
    int may_write = 0;
    struct kymo_bell *bell;
    int error;

    if (deadline <= now)
        return look(&reader->ring, seen, deadline, now);
    bell = kymo_mapping_bell(segment, &may_write);
    for (;;) {
        uint64_t until = deadline;
        uint32_t word;

        if (may_write)
            word = kymo_fetch_or_ordered32(&bell->word, KYMO_BELL_WAITING) | KYMO_BELL_WAITING;
        else
            word = kymo_load_ordered32(&bell->word);
        KYMO_TESTPOINT(WAITING);
        error = look(&reader->ring, seen, deadline, now);
        if (error != -EAGAIN)
            return error;
        if (!may_write && segment->header.wake_policy != KYMO_WAKE_ALWAYS &&
            until - now > nap(now - began))
            until = now + nap(now - began);
        error = sleep_on(bell, word, until);
        if (error)
            return error;
        now = kymo_clock_now(KYMO_MONOTONIC);
    }
}
