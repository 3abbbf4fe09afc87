/*
 * wait.c - blocking until something is published: the waiter's side of the bell (promises B, D, E).
 */
#include "internal.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MILLISECOND UINT64_C(1000000)
#define SECOND      UINT64_C(1000000000)

/*
 * How long one sleep may last where nobody will wake us: 1 ms during the first 100 ms, then a
 * hundredth of the time that the wait has lasted, up to 50 ms. So a reader without write permission
 * is 1 ms late, or one per cent of the gap.
 */
static uint64_t backoff_interval(uint64_t waited)
{
    const uint64_t length = waited / 100;

    if (length < MILLISECOND)
        return MILLISECOND;
    return length < 50 * MILLISECOND ? length : 50 * MILLISECOND;
}

/* One ring's bell, with this waiter's bit set where it may be. */
struct armed {
    struct kymo_bell *bell;
    uint32_t word; /* what it held when the bell was armed: sleep only while it still does */
    int will_ring; /* 0: the writer cannot see this waiter */
};

static void arm(const struct kymo_reader *reader, struct armed *armed)
{
    struct kymo_segment *segment = reader->segment;
    int may_write;

    armed->bell = kymo_mapping_bell(segment, &may_write);
    /* BELL-1 (ordered change): our bit before the look at head that follows; and where we may not
     * set one, the word before it. Pairs with kymo_impl_ring_complete. */
    armed->will_ring = may_write || segment->header.wake_policy == KYMO_WAKE_ALWAYS;
    /* BELL-2 (acquire, by the same): the bell's word before the look at the state. Pairs with
     * kymo_bell_ring. */
    armed->word = may_write ? kymo_fetch_or_ordered32(&armed->bell->word, KYMO_BELL_WAITING) |
                                  KYMO_BELL_WAITING
                            : kymo_load_ordered32(&armed->bell->word);
    KYMO_TESTPOINT(WAITING);
}

/* What there is to know without sleeping; -EAGAIN: nothing yet. */
static int look(const struct kymo_ring *ring, uint64_t seen)
{
    /* BELL-1 (ordered load): our bit in the bell before this look at head. Pairs with
     * kymo_impl_ring_complete, which stores head before it looks at the bell. */
    if (kymo_load_ordered(&ring->control->head) > seen)
        return kymo_load_relaxed32(&ring->damaged) ? -EBADMSG : 0;
    if (kymo_load_relaxed32(&ring->damaged))
        return -EBADMSG;
    /* BELL-2 orders this behind the bell's word, if that is the new one. */
    return kymo_ring_is_over(ring, seen) ? -EIDRM : -EAGAIN;
}

/*
 * Whoever removes or replaces a generation takes its name first and then rings. Killed in between,
 * it leaves readers to whom nobody will ever ring: who has slept asks the file (promises C and I).
 */
static int is_unlinked(const struct kymo_reader *reader)
{
    struct stat status;

    return fstat(reader->segment->fd, &status) == 0 && status.st_nlink == 0;
}

/* When to look again at the latest. */
static uint64_t wake_time(uint64_t now, uint64_t began, uint64_t deadline, int will_ring)
{
    const uint64_t length = will_ring ? SECOND : backoff_interval(now - began);

    return deadline - now < length ? deadline : now + length;
}

int kymo_impl_ring_wait_slow(const struct kymo_reader *reader, uint64_t seen, uint64_t deadline)
{
    const uint64_t began = kymo_clock_now(KYMO_MONOTONIC);
    uint64_t now = began;
    int gone = 0;

    for (;;) {
        struct armed armed;
        int error = look(&reader->ring, seen);

        if (error != -EAGAIN)
            return error;
        if (gone)
            return -EIDRM;
        if (now >= deadline)
            return -ETIMEDOUT;
        arm(reader, &armed);
        error = look(&reader->ring, seen);
        if (error != -EAGAIN)
            return error;
        error = kymo_futex_wait(&armed.bell->word, armed.word,
                                wake_time(now, began, deadline, armed.will_ring));
        if (error)
            return error;
        /* Whom a record woke is not kept from it by two more questions to the kernel. */
        error = look(&reader->ring, seen);
        if (error != -EAGAIN)
            return error;
        now = kymo_clock_now(KYMO_MONOTONIC);
        gone = is_unlinked(reader);
    }
}

int kymo_ring_prepare_wait(const struct kymo_reader *reader, uint64_t seen,
                           struct kymo_wait_token *out)
{
    struct armed armed;

    arm(reader, &armed);
    *out = (struct kymo_wait_token){&armed.bell->word, armed.word, armed.will_ring};
    return look(&reader->ring, seen);
}

/* ---- several rings ---- */

/* The lowest index that has news or trouble; -EAGAIN: none has. */
static int look_any(const struct kymo_reader *const *readers, const uint64_t *seen, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const int error = look(&readers[i]->ring, seen[i]);

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

/* Begins to arm everywhere; 1 where every writer knows of us. */
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
    /* Before Linux 5.16: one of them, for a little while. */
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
    int gone = 0;

    if (count == 0 || count > KYMO_WAIT_LIMIT)
        return -EINVAL;
    for (;;) {
        int result = look_any(readers, seen, count);
        int will_ring;

        if (result != -EAGAIN)
            return result;
        if (gone)
            return -EIDRM;
        if (now >= deadline)
            return -ETIMEDOUT;
        will_ring = arm_any(readers, count, waiters);
        result = look_any(readers, seen, count);
        if (result != -EAGAIN)
            return result;
        result = sleep_any(waiters, count, wake_time(now, began, deadline, will_ring));
        if (result)
            return result;
        result = look_any(readers, seen, count);
        if (result != -EAGAIN)
            return result;
        now = kymo_clock_now(KYMO_MONOTONIC);
        gone = is_any_unlinked(readers, count);
    }
}
