/*
 * queue.h - a bounded, lossless queue: a record remains until it was acknowledged, and a full queue
 * blocks its producer.
 *
 *     #include <kymo/queue.h>
 *
 *     int hand_over(struct kymo_writer *writer, uint64_t job)
 *     {
 *         return kymo_queue_push(writer, &job, sizeof(job), 0, 0, KYMO_FOREVER);
 *     }
 *
 *     int take(struct kymo_consumer *consumer, uint64_t *job)
 *     {
 *         struct kymo_record record;
 *
 *         return kymo_queue_pop(consumer, job, sizeof(*job), &record, KYMO_FOREVER);
 *     }
 *
 * A queue is a segment of kind KYMO_QUEUE. Its ring is not overwritten before the consumer has
 * acknowledged; depth is the number of records it holds. The producer is a kymo_writer: push here,
 * or publish, loan and commit as in ring.h, which return -EAGAIN while the queue is full. Readers
 * may open the queue as well; they consume nothing. A queue that holds records is not replaced
 * (-ENOTEMPTY). typed.h has handles for records of one C type.
 *
 * Acknowledging consumes, by one store of tail. After a crash, a consumer that receives, works and
 * then acknowledges receives the unacknowledged records again; kymo_queue_pop acknowledges as soon
 * as it has copied. A crash of the producer loses no pushed record.
 *
 * Concurrency: one producer and one consumer, each handle in one thread at a time; several of
 * either if the segment was created with KYMO_SHARED_WRITER or KYMO_SHARED_CONSUMER, at the cost of
 * their lock (segment.h). Progress: push is wait-free while there is a free slot, receive while
 * there is a record; the blocking calls detect the death of the other side within 100 ms.
 *
 * Promises (A to K): kymo(7).
 */
#ifndef KYMO_QUEUE_H
#define KYMO_QUEUE_H

#include <kymo/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The handle that receives. */
struct kymo_consumer {
    struct kymo_ring ring;
    struct kymo_consumer_control *control;
    struct kymo_bell *bell; /* the bell of a producer that waits for a free slot */
    uint64_t next;          /* the position that is received next */
    uint64_t limit;         /* from this position on, receiving takes the slow path */
    struct kymo_segment *segment;
};

/*
 * Opens the queue for consuming, at its oldest unacknowledged record. -EBUSY: another consumer is
 * alive. -EINVAL: not a queue. -EACCES: no write permission on the file. -ENOSPC: the pages that a
 * consumer writes are holes, and the file system is full. Otherwise as kymo_reader_open. In a forked
 * child the handle is dead: -EPERM.
 */
KYMO_INLINE int kymo_consumer_open(struct kymo_consumer **consumer, const char *name);

/* The same; the cause of a failure is written into *diagnostic. */
KYMO_INLINE int kymo_consumer_open_diagnosed(struct kymo_consumer **consumer, const char *name,
                                             struct kymo_diagnostic *diagnostic);

/* Leaves the unacknowledged records to the next consumer. NULL is allowed. */
KYMO_EXPORT void kymo_consumer_close(struct kymo_consumer *consumer);

/*
 * Pushes a copy of data[len], and waits for a free slot until `deadline` (CLOCK_MONOTONIC ns; 0
 * does not wait, KYMO_FOREVER has no deadline). `time`, `tag`: as kymo_ring_publish. -ETIMEDOUT:
 * full until the deadline, or another producer held the lock until then. -EPIPE: full, and the
 * consumer no longer exists; a consumer that has not started yet is waited for. -EINVAL
 * (kymo_writer_diagnose): not a queue. Otherwise as kymo_ring_publish.
 */
KYMO_EXPORT int kymo_queue_push(struct kymo_writer *writer, const void *data, size_t len,
                                uint64_t time, uint64_t tag, uint64_t deadline);

/*
 * 1: this consumer waits for the next producer when the queue is empty and its producer has ended, until
 * its deadline. 0, as after opening: it returns -EPIPE. -EPERM.
 */
KYMO_EXPORT int kymo_consumer_wait_for_producer(struct kymo_consumer *consumer, int is_waiting);

/*
 * Waits until there is a record to receive, until `deadline` at most; 0 does not wait, but checks
 * whether the producer is alive. -ETIMEDOUT. -EPIPE: empty, and the producer no longer exists
 * (see kymo_consumer_wait_for_producer). -EIDRM: empty, and this generation was replaced or removed. -EPERM, -EBADMSG.
 */
KYMO_EXPORT int kymo_queue_wait(struct kymo_consumer *consumer, uint64_t deadline);

/*
 * Copies the next record into buffer[size] without acknowledging it; the next call receives the
 * record after it. Does not wait.
 * -ENODATA: empty. -EIDRM: empty, and this generation was replaced or removed. -EMSGSIZE: the
 * record is larger than the buffer, record->len has its size, and it remains the next. -EINVAL: the
 * queue has several consumers, which can only pop. -EPERM, -EBADMSG.
 */
KYMO_INLINE int kymo_queue_receive(struct kymo_consumer *consumer, void *buffer, size_t size,
                                   struct kymo_record *record);

/* The same in place. The payload does not change until it is acknowledged. */
KYMO_INLINE int kymo_queue_receive_view(struct kymo_consumer *consumer, struct kymo_view *view);

/* Consumes every record received so far: the producer may reuse their slots. */
KYMO_INLINE void kymo_queue_acknowledge(struct kymo_consumer *consumer);

/*
 * Receives and acknowledges one record, and waits for it until `deadline`. With several consumers
 * each record is received by one of them, and -ETIMEDOUT also means that another one held the lock
 * until the deadline. Errors: as kymo_queue_wait and kymo_queue_receive.
 */
KYMO_EXPORT int kymo_queue_pop(struct kymo_consumer *consumer, void *buffer, size_t size,
                               struct kymo_record *record, uint64_t deadline);

/* The number of records that were pushed and are not acknowledged. */
KYMO_EXPORT uint64_t kymo_queue_waiting(const struct kymo_consumer *consumer);

#ifdef __cplusplus
}
#endif

#include <kymo/impl/queue.h>

#endif
