/*
 * bench_queue.c - throughput of a queue: one thread at both ends, or one thread at each end,
 * against ck_ring, which works in one process and never sleeps.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "fixture.h"
#include "rows.h"

#if BENCH_HAVE_CK
#include <ck_ring.h>

CK_RING_PROTOTYPE(line, bench_line)
#endif

struct hand_off {
    struct kymo_writer *producer;
    struct kymo_consumer *consumer;
    struct bench_line records[16]; /* prepared in advance, see data.h */
    uint64_t time;
#if BENCH_HAVE_CK
    ck_ring_t ring;
    struct bench_line *lines;
#endif
    uint64_t count; /* records for the other thread */
    uint64_t sum;
};

static int open_hand_off(const struct bench_row *row, void **context)
{
    const struct kymo_options options = {.kind = KYMO_QUEUE,
                                         .depth = row->depth,
                                         .size = (uint32_t)row->size,
                                         .existing = KYMO_CREATE_NEW};
    struct hand_off *off = aligned_alloc(64, (sizeof(*off) + 63) & ~(size_t)63);
    static unsigned int opened;
    char name[24];

    bench_require(off ? 0 : -ENOMEM, row->name);
    memset(off, 0, sizeof(*off));
    for (uint64_t i = 0; i < 16; i++)
        off->records[i].word[0] = i;
    snprintf(name, sizeof(name), "queue%u", opened++);
    bench_require(kymo_writer_open(&off->producer, name, &options), "opening a queue");
    bench_require(kymo_consumer_open(&off->consumer, name), "opening a consumer");
    kymo_segment_prefault(off->producer->segment, KYMO_PREFAULT, NULL);
    kymo_segment_prefault(off->consumer->segment, KYMO_PREFAULT, NULL);
#if BENCH_HAVE_CK
    ck_ring_init(&off->ring, (unsigned int)row->depth);
    off->lines = bench_memory(row->depth * sizeof(*off->lines));
#endif
    *context = off;
    return 0;
}

static void close_hand_off(void *context)
{
    struct hand_off *off = context;

    kymo_consumer_close(off->consumer);
    kymo_writer_remove(off->producer);
    free(off);
}

static inline void push(struct hand_off *off, uint64_t i)
{
    int error;

    while ((error = kymo_ring_publish(off->producer, &off->records[i % 16], sizeof(off->records[0]),
                                      ++off->time, i)) == -EAGAIN)
        sched_yield();
    bench_require(error, "pushing");
}

static inline uint64_t receive(struct hand_off *off)
{
    struct bench_line line;
    int error;

    while ((error = kymo_queue_receive(off->consumer, &line, sizeof(line), NULL)) == -ENODATA)
        sched_yield();
    bench_require(error, "receiving");
    kymo_queue_acknowledge(off->consumer);
    __asm__ volatile("" : : "r"(&line) : "memory");
    return line.word[0];
}

/* Inlined into the functions of each queue, with its push and receive. */
#define OF_BOTH static inline __attribute__((always_inline))

OF_BOTH uint64_t alternate(struct hand_off *off, uint64_t count,
                           void (*push_one)(struct hand_off *off, uint64_t i),
                           uint64_t (*receive_one)(struct hand_off *off))
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        push_one(off, i);
        sum += receive_one(off);
    }
    return sum;
}

OF_BOTH void *receive_each(struct hand_off *off, uint64_t (*receive_one)(struct hand_off *off))
{
    for (uint64_t i = 0; i < off->count; i++)
        off->sum += receive_one(off);
    return NULL;
}

OF_BOTH uint64_t push_each(struct hand_off *off, uint64_t count,
                           void (*push_one)(struct hand_off *off, uint64_t i),
                           void *(*receiver)(void *off))
{
    pthread_t thread;

    off->count = count;
    off->sum = 0;
    bench_partner_start(&thread, receiver, off);
    for (uint64_t i = 0; i < count; i++)
        push_one(off, i);
    pthread_join(thread, NULL);
    return off->sum;
}

static uint64_t push_and_receive(void *context, uint64_t count)
{
    return alternate(context, count, push, receive);
}

static void *receive_all(void *context)
{
    return receive_each(context, receive);
}

static uint64_t push_to_thread(void *context, uint64_t count)
{
    return push_each(context, count, push, receive_all);
}

#if BENCH_HAVE_CK

static inline void ck_push(struct hand_off *off, uint64_t i)
{
    while (!ck_ring_enqueue_spsc_line(&off->ring, off->lines, &off->records[i % 16]))
        sched_yield();
}

static inline uint64_t ck_receive(struct hand_off *off)
{
    struct bench_line line;

    while (!ck_ring_dequeue_spsc_line(&off->ring, off->lines, &line))
        sched_yield();
    __asm__ volatile("" : : "r"(&line) : "memory");
    return line.word[0];
}

static uint64_t ck_push_and_receive(void *context, uint64_t count)
{
    return alternate(context, count, ck_push, ck_receive);
}

static void *ck_receive_all(void *context)
{
    return receive_each(context, ck_receive);
}

static uint64_t ck_push_to_thread(void *context, uint64_t count)
{
    return push_each(context, count, ck_push, ck_receive_all);
}

#define AGAINST(function) .against = "ck_ring, one process", .baseline = (function), .same_sum = 1

#else

#define AGAINST(function) .against = NULL

#endif

#define QUEUE .size = 64, .depth = 1024, .open = open_hand_off, .close = close_hand_off

const struct bench_row bench_queue_rows[] = {
    {.name = "queue-push+receive", QUEUE, .run = push_and_receive, AGAINST(ck_push_and_receive)},
    {.name = "queue-two-threads",
     .stretch = 20,
     QUEUE,
     .run = push_to_thread,
     AGAINST(ck_push_to_thread)},
    {.name = NULL},
};
