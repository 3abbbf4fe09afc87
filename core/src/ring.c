/*
 * ring.c - the slow paths of ring.h: dead handles, times that go backwards, sleeping and waking.
 */
#include "internal.h"

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

static int is_shared(const struct kymo_writer *writer)
{
    return !writer->segment->orphan && writer->segment->header.flags & KYMO_SHARED_WRITER;
}

/* Takes the lock, and sees to what others have published meanwhile. The limit of a shared writer is
 * 0 outside the lock, so that every call comes here, and as everybody's inside. */
static int enter(struct kymo_writer *writer)
{
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
    const int locked = kymo_seat_lock(&writer->segment->seat, now + writer->segment->patience);

    if (locked < 0)
        return locked;
    if (locked == 1)
        kymo_writer_adopt(writer);
    kymo_writer_catch_up(writer);
    if (writer->pos >= KYMO_POSITION_LIMIT) {
        kymo_seat_unlock(&writer->segment->seat);
        return -ENOSPC;
    }
    writer->limit = KYMO_POSITION_LIMIT;
    return 0;
}

static void leave(struct kymo_writer *writer)
{
    writer->limit = 0;
    kymo_seat_unlock(&writer->segment->seat);
}

/* A shared writer holds the lock from loan to commit or abort. */
int kymo_ring_loan_slow(struct kymo_writer *writer, void **payload)
{
    int error;

    if (!is_shared(writer))
        return refuse(writer);
    error = writer->loaned ? 0 : enter(writer);
    if (error)
        return error;
    writer->limit = KYMO_POSITION_LIMIT;
    error = kymo_ring_loan(writer, payload);
    writer->limit = 0;
    return error;
}

int kymo_ring_commit_slow(struct kymo_writer *writer, size_t len, uint64_t time, uint64_t tag)
{
    int error;

    if (!is_shared(writer))
        return refuse(writer);
    if (!writer->loaned)
        return -EINVAL;
    writer->limit = KYMO_POSITION_LIMIT;
    error = kymo_ring_commit(writer, len, time, tag);
    writer->limit = 0;
    if (!writer->loaned)
        leave(writer);
    return error;
}

int kymo_ring_publish_slow(struct kymo_writer *writer, const void *data, size_t len, uint64_t time,
                           uint64_t tag)
{
    int error;

    if (!is_shared(writer))
        return refuse(writer);
    if (writer->loaned)
        return -EINVAL;
    error = enter(writer);
    if (error)
        return error;
    error = kymo_ring_publish(writer, data, len, time, tag);
    leave(writer);
    return error;
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
    if (is_shared(writer))
        leave(writer);
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
        error = kymo_futex_wait(&bell->word, word, until);
        if (error)
            return error;
        now = kymo_clock_now(KYMO_MONOTONIC);
    }
}
