/*
 * queue.h - a bounded, lossless hand-off: what was pushed waits until it was consumed, and a full
 * queue holds its producer back.
 *
 * A queue is a segment of kind KYMO_QUEUE, whose ring is never overwritten before its consumer is
 * done with it; depth is how many records it holds. The producer is a kymo_writer: push here, or
 * publish, loan and commit as in ring.h, which return -EAGAIN while the queue is full. Anybody may
 * look in as a reader, and takes nothing away.
 *
 * The consumer's store of tail is what consumes. A consumer that receives, works and then
 * acknowledges gets what it had not acknowledged once more after a crash; one that pops has
 * acknowledged as soon as it has its copy. A producer's crash loses nothing that was pushed.
 *
 * One producer and one consumer; more of either where the segment was created with
 * KYMO_SHARED_WRITER or KYMO_SHARED_CONSUMER, at the price of their lock (segment.h). Each handle
 * belongs to one thread at a time. Progress: push and receive are wait-free while there is room and
 * something to receive; the blocking forms see within 100 ms that the other end has gone.
 */
#ifndef KYMO_QUEUE_H
#define KYMO_QUEUE_H

#include <kymo/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The end that takes. */
struct kymo_consumer {
    struct kymo_ring ring;
    struct kymo_consumer_control *control;
    struct kymo_bell *bell; /* what a producer sleeps on while the queue is full */
    uint64_t next;          /* the position that is received next */
    uint64_t limit;         /* from this position on, receiving takes the slow path */
    struct kymo_segment *segment;
};

/*
 * Opens the queue for consuming, at its oldest record that was not acknowledged.
 * -EBUSY: another consumer is alive. -EINVAL: not a queue. -EACCES: consuming takes write
 * permission on the file. Else as kymo_reader_open. In a forked child the handle is dead: -EPERM.
 */
KYMO_EXPORT int kymo_impl_consumer_open(struct kymo_consumer **consumer, const char *name,
                                        uint32_t major, struct kymo_diagnostic *diagnostic);

KYMO_INLINE int kymo_consumer_open(struct kymo_consumer **consumer, const char *name)
{
    return kymo_impl_consumer_open(consumer, name, KYMO_LAYOUT_MAJOR, NULL);
}

/* The same, with the cause of a failure in *diagnostic. */
KYMO_INLINE int kymo_consumer_open_diagnosed(struct kymo_consumer **consumer, const char *name,
                                             struct kymo_diagnostic *diagnostic)
{
    return kymo_impl_consumer_open(consumer, name, KYMO_LAYOUT_MAJOR, diagnostic);
}

/* Leaves what was not acknowledged for the next consumer. NULL is fine. */
KYMO_EXPORT void kymo_consumer_close(struct kymo_consumer *consumer);

KYMO_EXPORT int kymo_impl_queue_receive_slow(struct kymo_consumer *consumer);
KYMO_EXPORT void kymo_impl_queue_wake_producer(struct kymo_consumer *consumer);

/*
 * Pushes a copy of data[len], and waits for room until `deadline` (CLOCK_MONOTONIC ns; 0 only
 * looks, KYMO_FOREVER has none). `time`, `tag`: as kymo_ring_publish. -ETIMEDOUT: full until the
 * deadline, or another producer held their lock for as long. -EPIPE: full, and the consumer has
 * gone; a consumer that was never there is waited for. -EINVAL: not a queue. Else as
 * kymo_ring_publish.
 */
KYMO_EXPORT int kymo_queue_push(struct kymo_writer *writer, const void *data, size_t len,
                                uint64_t time, uint64_t tag, uint64_t deadline);

/*
 * Waits until there is something to receive, until `deadline` at most; 0 looks, and asks the kernel
 * whether the producer lives. -ETIMEDOUT. -EPIPE: empty, and the producer has gone. -EIDRM: empty, and this generation was
 * replaced or removed. -EPERM, -EBADMSG.
 */
KYMO_EXPORT int kymo_queue_wait(struct kymo_consumer *consumer, uint64_t deadline);

/*
 * Copies the next record into buffer[size] without acknowledging it; the call after that gets the
 * one behind it. Does not wait.
 * -ENODATA: empty. -EIDRM: empty, and this generation was replaced or removed. -EMSGSIZE: the
 * record is larger than the buffer, record->len tells, and it stays the next. -EINVAL: the queue
 * has several consumers, which can only pop. -EPERM, -EBADMSG.
 */
KYMO_INLINE int kymo_queue_receive(struct kymo_consumer *consumer, void *buffer, size_t size,
                                   struct kymo_record *record)
{
    int error;

    if (KYMO_UNLIKELY(consumer->next >= consumer->limit)) {
        error = kymo_impl_queue_receive_slow(consumer);
        if (error)
            return error;
    }
    error = kymo_impl_ring_read(&consumer->ring, consumer->next, buffer, size, record);
    if (KYMO_LIKELY(error == 0))
        consumer->next++;
    return KYMO_LIKELY(error != -ESTALE) ? error : -EBADMSG;
}

/* The same in place. The payload stands still until it is acknowledged. */
KYMO_INLINE int kymo_queue_receive_view(struct kymo_consumer *consumer, struct kymo_view *view)
{
    int error;

    if (KYMO_UNLIKELY(consumer->next >= consumer->limit)) {
        error = kymo_impl_queue_receive_slow(consumer);
        if (error)
            return error;
    }
    error = kymo_impl_ring_look(&consumer->ring, consumer->next, view);
    if (KYMO_LIKELY(error == 0))
        consumer->next++;
    return KYMO_LIKELY(error != -ESTALE) ? error : -EBADMSG;
}

/* Consumes everything that was received so far: its slots are the producer's again. */
KYMO_INLINE void kymo_queue_acknowledge(struct kymo_consumer *consumer)
{
    if (KYMO_UNLIKELY(consumer->limit == 0))
        return;
    /* QUEUE-1 (release, by the ordered store): the copies out of the slots before the tail that
     * gives them back. Pairs with kymo_queue_find_limit. QUEUE-2 (ordered store, then ordered
     * load): tail before the look at the bell. Pairs with the producer that waits for room. */
    kymo_store_ordered(&consumer->control->tail, consumer->next);
    KYMO_TESTPOINT(TAIL_STORED);
    if (KYMO_UNLIKELY(kymo_load_ordered32(&consumer->bell->word) & KYMO_BELL_WAITING))
        kymo_impl_queue_wake_producer(consumer);
}

/*
 * Receives and acknowledges one record, and waits for it until `deadline`. With several consumers
 * each record goes to one of them, and -ETIMEDOUT is also where another one held their lock for as
 * long. Errors: as kymo_queue_wait and kymo_queue_receive.
 */
KYMO_EXPORT int kymo_queue_pop(struct kymo_consumer *consumer, void *buffer, size_t size,
                               struct kymo_record *record, uint64_t deadline);

/* Records that were pushed and not yet acknowledged. */
KYMO_EXPORT uint64_t kymo_queue_waiting(const struct kymo_consumer *consumer);

#ifdef __cplusplus
}
#endif

#endif
