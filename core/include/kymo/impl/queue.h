/*
 * queue.h - the inline bodies of <kymo/queue.h>.
 */
#ifndef KYMO_IMPL_QUEUE_H
#define KYMO_IMPL_QUEUE_H

#include <kymo/impl/ring.h>
#include <kymo/queue.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Open with the layout version that the caller was compiled with, and the slow paths: an empty
 * queue, a dead or shared handle, a producer that waits. */
KYMO_EXPORT int kymo_impl_consumer_open(struct kymo_consumer **consumer, const char *name,
                                        uint32_t major, struct kymo_diagnostic *diagnostic);
KYMO_EXPORT int kymo_impl_queue_receive_slow(struct kymo_consumer *consumer);
KYMO_EXPORT void kymo_impl_queue_wake_producer(struct kymo_consumer *consumer);

KYMO_INLINE int kymo_consumer_open(struct kymo_consumer **consumer, const char *name)
{
    return kymo_impl_consumer_open(consumer, name, KYMO_LAYOUT_MAJOR, KYMO_IMPL_NULL);
}

KYMO_INLINE int kymo_consumer_open_diagnosed(struct kymo_consumer **consumer, const char *name,
                                             struct kymo_diagnostic *diagnostic)
{
    return kymo_impl_consumer_open(consumer, name, KYMO_LAYOUT_MAJOR, diagnostic);
}

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

KYMO_INLINE int kymo_queue_receive_view(struct kymo_consumer *consumer, struct kymo_view *view)
{
    int error;

    if (KYMO_UNLIKELY(consumer->next >= consumer->limit)) {
        error = kymo_impl_queue_receive_slow(consumer);
        if (error)
            return error;
    }
    error = kymo_impl_ring_read_view(&consumer->ring, consumer->next, view);
    if (KYMO_LIKELY(error == 0))
        consumer->next++;
    return KYMO_LIKELY(error != -ESTALE) ? error : -EBADMSG;
}

KYMO_INLINE void kymo_queue_acknowledge(struct kymo_consumer *consumer)
{
    if (KYMO_UNLIKELY(consumer->limit == 0))
        return;
    /* QUEUE-1 (release, by the ordered store): the copies out of the slots before the tail that
     * releases them. Pairs with kymo_queue_find_limit. QUEUE-2 (ordered store, then ordered load):
     * tail before the load of the bell. Pairs with the producer that waits for a free slot. */
    kymo_store_ordered(&consumer->control->tail, consumer->next);
    KYMO_TESTPOINT(TAIL_STORED);
    if (KYMO_UNLIKELY(kymo_load_ordered32(&consumer->bell->word) & KYMO_BELL_WAITING))
        kymo_impl_queue_wake_producer(consumer);
}

#ifdef __cplusplus
}
#endif

#endif
