/*
 * kills.c - writers killed at random instants: readers return complete records, liveness is DEAD, and the next writer resumes (promises C: a crash loses at most one record, H: liveness).
 */
#include <stdio.h>

#include "process.h"
#include "stress/checked.h"
#include "test.h"

#define NAME  "kills"
#define DEPTH 16
#define SIZE  200

static struct {
    uint32_t stop;     /* of the concurrent reader */
    uint32_t watching; /* it has read its first record */
    uint64_t reads;
} * arena;

static const struct kymo_options options = {.depth = DEPTH, .size = SIZE, .clock = KYMO_USER};

/* Publishes until it is killed. */
static int write_for_ever(void *context)
{
    unsigned char buffer[SIZE];
    struct kymo_writer *writer;

    (void)context;
    if (kymo_writer_open(&writer, NAME, &options) != 0)
        return 1;
    while ((writer->pos % 3 ? checked_publish : checked_commit)(writer, buffer) == 0)
        ;
    return 2;
}

/* Reads the newest record repeatedly. Returns the first fault. */
static int watch(void *context)
{
    struct kymo_record record = {0};
    unsigned char buffer[SIZE];
    struct kymo_reader *reader;
    uint64_t newest = 0;
    int error;

    (void)context;
    if (kymo_reader_open(&reader, NAME) != 0)
        return 1;
    while (!process_load(&arena->stop)) {
        error = kymo_ring_latest(reader, buffer, SIZE, &record);
        /* -EAGAIN: overwritten 64 times in one call, so the writer is running. */
        if (error == -EAGAIN)
            continue;
        if (error)
            return 2;
        if (checked_fault(&record, buffer, SIZE) || record.pos < newest)
            return 3;
        newest = record.pos;
        process_store(&arena->watching, 1);
        /* Yields to the writers now and then. */
        if (++arena->reads % 64 == 0)
            process_sleep(1000);
    }
    kymo_reader_close(reader);
    return 0;
}

/* The state after a kill: at most the oldest record is lost. */
static void check_history(const struct kymo_reader *reader)
{
    const uint64_t head = kymo_ring_head(&reader->ring);
    struct kymo_record record = {0};
    unsigned char buffer[SIZE];

    for (uint64_t back = 0; back < DEPTH - 1 && back < head; back++) {
        cr_assert_eq(kymo_ring_at(reader, head - 1 - back, buffer, SIZE, &record), 0);
        cr_assert_null(checked_fault(&record, buffer, SIZE));
    }
}

/* Kills the writer at a random time after its second record. */
static void kill_at_random(pid_t writer, const struct kymo_reader *reader, uint64_t before,
                           uint64_t round)
{
    while (kymo_ring_head(&reader->ring) <= before + 1)
        process_sleep(1000);
    process_sleep((long)(checked_mix(round) % 100000));
    cr_assert_eq(process_kill(writer), -SIGKILL);
}

Test(kills, loses_no_complete_record)
{
    const uint64_t rounds = process_count(10000, 200);
    struct kymo_writer *writer;
    struct kymo_reader *reader;
    unsigned char buffer[SIZE];
    struct kymo_info info;
    uint64_t adopted = 0;
    pid_t watcher;

    arena = process_share(sizeof(*arena));
    cr_assert_eq(kymo_writer_open(&writer, NAME, &options), 0);
    cr_assert_eq(checked_publish(writer, buffer), 0);
    kymo_writer_close(writer);
    cr_assert_eq(kymo_reader_open(&reader, NAME), 0);
    watcher = process_start(watch, NULL);
    process_await(&arena->watching, 1);
    for (uint64_t round = 0; round < rounds; round++) {
        const uint64_t before = kymo_ring_head(&reader->ring);

        kill_at_random(process_start(write_for_ever, NULL), reader, before, round);
        cr_assert_eq(kymo_segment_liveness(reader->segment, KYMO_FOREVER), KYMO_LIVE_DEAD);
        check_history(reader);
        cr_assert_eq(kymo_segment_info(reader->segment, &info), 0);
        cr_assert_eq(info.writers, round + 2);
        adopted = info.adopted;
    }
    process_store(&arena->stop, 1);
    cr_assert_eq(process_wait(watcher), 0);
    printf("%llu writers killed in %llu records, %llu records adopted; %llu concurrent reads\n",
           (unsigned long long)rounds, (unsigned long long)kymo_ring_head(&reader->ring),
           (unsigned long long)adopted, (unsigned long long)arena->reads);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_segment_reap(NAME), 1);
}

/* ---- a killed waiter ---- */

static int wait_for_ever(void *context)
{
    struct kymo_reader *reader;

    (void)context;
    if (kymo_reader_open(&reader, NAME) != 0)
        return 1;
    return kymo_ring_wait(reader, kymo_ring_head(&reader->ring), KYMO_FOREVER) ? 2 : 3;
}

static uint64_t wakes(const struct kymo_writer *writer)
{
    struct kymo_info info;

    cr_assert_eq(kymo_segment_info(writer->segment, &info), 0);
    return info.wakes;
}

/* Its bit remains in the bell: exactly one later publish makes a needless system call (promise D). */
Test(kills, waiter_costs_one_wake)
{
    struct kymo_writer *writer;
    unsigned char buffer[SIZE];
    pid_t waiter;

    cr_assert_eq(kymo_writer_open(&writer, NAME, &options), 0);
    for (int round = 0; round < 20; round++) {
        const uint64_t before = wakes(writer);

        waiter = process_start(wait_for_ever, NULL);
        while (!(kymo_load_relaxed32(&writer->bell->word) & KYMO_BELL_WAITING))
            process_sleep(100000);
        cr_assert_eq(process_kill(waiter), -SIGKILL);
        for (int i = 0; i < 10; i++)
            cr_assert_eq(checked_publish(writer, buffer), 0);
        cr_assert_eq(wakes(writer), before + 1);
    }
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

/* ---- killed waiters of a queue and of a lock ---- */

static const struct kymo_options queue_options = {.kind = KYMO_QUEUE,
                                                  .depth = 4,
                                                  .size = SIZE,
                                                  .clock = KYMO_USER};
static const struct kymo_options shared_options = {.depth = DEPTH,
                                                   .size = SIZE,
                                                   .clock = KYMO_USER,
                                                   .flags = KYMO_SHARED_WRITER};

static int consume_for_ever(void *context)
{
    struct kymo_consumer *consumer;

    (void)context;
    if (kymo_consumer_open(&consumer, NAME) != 0)
        return 1;
    return kymo_queue_wait(consumer, KYMO_FOREVER) ? 2 : 3;
}

static int push_for_ever(void *context)
{
    unsigned char buffer[SIZE] = {0};
    struct kymo_writer *writer;

    (void)context;
    if (kymo_writer_open(&writer, NAME, &queue_options) != 0)
        return 1;
    while (kymo_queue_push(writer, buffer, SIZE, 0, 0, KYMO_FOREVER) == 0)
        ;
    return 2;
}

static int publish_for_ever(void *context)
{
    unsigned char buffer[SIZE] = {0};
    struct kymo_writer *writer;

    (void)context;
    if (kymo_writer_open(&writer, NAME, &shared_options) != 0)
        return 1;
    kymo_writer_set_lock_timeout(writer, KYMO_FOREVER);
    while (kymo_ring_publish(writer, buffer, SIZE, 0, 0) == 0)
        ;
    return 2;
}

/* Kills the child after it has set the waiter bit in that word. */
static void kill_waiting(pid_t child, const uint32_t *word, uint32_t bit)
{
    while (!(kymo_load_relaxed32(word) & bit))
        process_sleep(100000);
    cr_assert_eq(process_kill(child), -SIGKILL);
    cr_assert(kymo_load_relaxed32(word) & bit);
}

/* Pops all records by another consumer. */
static void pop_all(uint64_t count)
{
    struct kymo_consumer *consumer;
    unsigned char buffer[SIZE];
    struct kymo_record record;

    cr_assert_eq(kymo_consumer_open(&consumer, NAME), 0);
    for (uint64_t i = 0; i < count; i++)
        cr_assert_eq(kymo_queue_pop(consumer, buffer, SIZE, &record, 0), 0);
    kymo_consumer_close(consumer);
}

Test(kills, waiting_consumer_costs_one_wake)
{
    unsigned char buffer[SIZE] = {0};
    struct kymo_writer *writer;

    cr_assert_eq(kymo_writer_open(&writer, NAME, &queue_options), 0);
    for (int round = 0; round < 20; round++) {
        const uint64_t before = wakes(writer);

        kill_waiting(process_start(consume_for_ever, NULL), &writer->bell->word, KYMO_BELL_WAITING);
        for (int i = 0; i < 4; i++)
            cr_assert_eq(kymo_queue_push(writer, buffer, SIZE, 0, 0, 0), 0);
        cr_assert_eq(wakes(writer), before + 1);
        pop_all(4);
    }
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

Test(kills, waiting_producer_costs_one_wake)
{
    struct kymo_consumer *consumer;
    struct kymo_writer *writer;
    unsigned char buffer[SIZE];
    struct kymo_record record;

    cr_assert_eq(kymo_writer_open(&writer, NAME, &queue_options), 0);
    kymo_writer_close(writer);
    cr_assert_eq(kymo_consumer_open(&consumer, NAME), 0);
    for (int round = 0; round < 20; round++) {
        uint32_t rung;

        kill_waiting(process_start(push_for_ever, NULL), &consumer->bell->word, KYMO_BELL_WAITING);
        rung = (kymo_load_relaxed32(&consumer->bell->word) & ~KYMO_BELL_WAITING) + KYMO_BELL_STEP;
        for (int i = 0; i < 4; i++) {
            cr_assert_eq(kymo_queue_receive(consumer, buffer, SIZE, &record), 0);
            kymo_queue_acknowledge(consumer);
            cr_assert_eq(kymo_load_relaxed32(&consumer->bell->word), rung);
        }
    }
    kymo_consumer_close(consumer);
    cr_assert_eq(kymo_segment_remove(NAME), 0);
}

/* The next unlock makes one needless wake, and clears the bit. */
Test(kills, waiting_writer_costs_one_wake)
{
    unsigned char buffer[SIZE] = {0};
    struct kymo_writer *writer;
    const uint32_t *lock;
    void *payload;

    cr_assert_eq(kymo_writer_open(&writer, NAME, &shared_options), 0);
    lock = &writer->ring.control->lock;
    for (int round = 0; round < 20; round++) {
        const uint64_t before = kymo_ring_head(&writer->ring);
        pid_t child;

        child = process_start(publish_for_ever, NULL);
        while (kymo_ring_head(&writer->ring) == before)
            process_sleep(100000);
        cr_assert_eq(kymo_ring_loan(writer, &payload), 0);
        kill_waiting(child, lock, KYMO_LOCK_WAITING);
        cr_assert_eq(kymo_ring_commit(writer, SIZE, 0, 0), 0);
        cr_assert_eq(kymo_load_relaxed32(lock), 0U);
        cr_assert_eq(kymo_ring_publish(writer, buffer, SIZE, 0, 0), 0);
        cr_assert_eq(kymo_load_relaxed32(lock), 0U);
    }
    cr_assert_eq(kymo_writer_remove(writer), 0);
}
