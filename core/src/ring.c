/*
 * ring.c - the slow paths of ring.h: dead handles, shared writers, times that decrease, waking.
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
    kymo_robust_unlock(&writer->segment->lock_slot);
}

/* Takes the lock of shared writers, and loads what the others have published. */
static int lock_shared(struct kymo_writer *writer)
{
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
    const int locked =
        kymo_robust_lock(&writer->segment->lock_slot, now + writer->segment->lock_timeout);

    if (locked == 1)
        kymo_writer_adopt(writer);
    if (locked >= 0)
        kymo_writer_catch_up(writer);
    return locked < 0 ? locked : 0;
}

/* The writer's limit: the end of all positions, or of the queue's free slots. */
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
 * Prepares one call, which then finds pos below limit. It is not below limit in a forked child,
 * where it never is; with shared writers, whose limit is 0 outside the lock; and with queues, each
 * time the last known limit is reached.
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
int kymo_impl_ring_loan_slow(struct kymo_writer *writer, void **payload)
{
    int error = enter(writer);

    if (error)
        return error;
    error = kymo_ring_loan(writer, payload);
    if (is_shared(writer))
        writer->limit = 0;
    return error;
}

int kymo_impl_ring_commit_slow(struct kymo_writer *writer, size_t len, uint64_t time, uint64_t tag)
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

int kymo_impl_ring_publish_slow(struct kymo_writer *writer, const void *data, size_t len,
                                uint64_t time, uint64_t tag)
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

/* The slot stays odd, as after a kill: its old record is lost, and the next record is written
 * there. */
int kymo_impl_ring_abort_slow(struct kymo_writer *writer)
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

int kymo_impl_ring_order_time(struct kymo_writer *writer, uint64_t *time)
{
    struct kymo_control *control = writer->ring.control;

    if (writer->segment->time_policy == KYMO_REJECT) {
        kymo_store_relaxed(&control->rejected, kymo_load_relaxed(&control->rejected) + 1);
        return -EINVAL;
    }
    kymo_store_relaxed(&control->clamped, kymo_load_relaxed(&control->clamped) + 1);
    *time = writer->time;
    return 0;
}

/* ---- the bell (promise D) ---- */

void kymo_impl_ring_wake(struct kymo_writer *writer)
{
    struct kymo_control *control = writer->ring.control;

    kymo_store_relaxed(&control->wakes, kymo_load_relaxed(&control->wakes) + 1);
    kymo_bell_ring(writer->bell);
}
