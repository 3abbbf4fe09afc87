/*
 * ring.c - the slow paths of ring.h: dead handles, times that go backwards, sleeping and waking.
 */
#include "internal.h"

/* ---- publishing ---- */

static int is_shared(const struct kymo_writer *writer)
{
    return writer->segment->header.flags & KYMO_SHARED_WRITER ? 1 : 0;
}

static void leave(struct kymo_writer *writer)
{
    if (!is_shared(writer))
        return;
    writer->limit = 0;
    kymo_seat_unlock(&writer->segment->seat);
}

/* Takes the lock that shared writers share, and sees to what the others have published. */
static int lock_shared(struct kymo_writer *writer)
{
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
    const int locked = kymo_seat_lock(&writer->segment->seat, now + writer->segment->patience);

    if (locked == 1)
        kymo_writer_adopt(writer);
    if (locked >= 0)
        kymo_writer_catch_up(writer);
    return locked < 0 ? locked : 0;
}

/* How far the writer may go: to the end of all positions, or until the queue is full. */
static int find_limit(struct kymo_writer *writer)
{
    if (kymo_load_relaxed32(&writer->ring.damaged))
        return -EBADMSG;
    if (writer->segment->header.kind == KYMO_QUEUE)
        return kymo_queue_find_limit(writer);
    writer->limit = KYMO_POSITION_LIMIT;
    return writer->pos < KYMO_POSITION_LIMIT ? 0 : -ENOSPC;
}

/*
 * Opens the way for one call, which then finds pos below limit. Calls come here where it is not: in
 * a forked child, always; with shared writers, whose limit is 0 outside the lock; with queues, each
 * time the limit that was found last is reached.
 */
static int enter(struct kymo_writer *writer)
{
    int error;

    if (writer->segment->orphan)
        return -EPERM;
    error = is_shared(writer) && !writer->loaned ? lock_shared(writer) : 0;
    if (error)
        return error;
    error = find_limit(writer);
    if (error && !writer->loaned)
        leave(writer);
    return error;
}

/* A shared writer holds the lock from loan to commit or abort. */
int kymo_ring_loan_slow(struct kymo_writer *writer, void **payload)
{
    int error = enter(writer);

    if (error)
        return error;
    error = kymo_ring_loan(writer, payload);
    if (is_shared(writer))
        writer->limit = 0;
    return error;
}

int kymo_ring_commit_slow(struct kymo_writer *writer, size_t len, uint64_t time, uint64_t tag)
{
    int error;

    if (writer->segment->orphan)
        return -EPERM;
    if (!writer->loaned)
        return -EINVAL;
    error = enter(writer);
    if (error)
        return error;
    error = kymo_ring_commit(writer, len, time, tag);
    if (!writer->loaned)
        leave(writer);
    else if (is_shared(writer))
        writer->limit = 0;
    return error;
}

int kymo_ring_publish_slow(struct kymo_writer *writer, const void *data, size_t len, uint64_t time,
                           uint64_t tag)
{
    int error;

    if (writer->loaned && !writer->segment->orphan)
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
