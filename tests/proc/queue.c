/*
 * queue.c - both ends of a queue are killed, stopped and restarted at any point: no record is lost, no acknowledged one is delivered again, and waiters detect the other end's death.
 *
 * Records are self-checking (checked.h). Both ends record, in shared memory that survives them, the
 * position before and after each call. The call takes effect by one store, so a kill leaves the
 * queue at one of the two positions.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "process.h"
#include "stress/checked.h"
#include "test.h"

#include <kymo/kymo.h>

#define NAME  "queue"
#define DEPTH 8
#define SIZE  40

static const struct kymo_options plain = {.kind = KYMO_QUEUE,
                                          .depth = DEPTH,
                                          .size = SIZE,
                                          .clock = KYMO_USER};

static struct ledger {
    /* The producer's. */
    uint64_t pushing; /* head after the push in progress */
    uint64_t pushed;  /* head after the last push that returned */
    /* The consumer's. */
    uint64_t received;      /* one beyond the newest position that was received */
    uint64_t acknowledging; /* tail after the acknowledgement in progress */
    uint64_t acknowledged;  /* tail after the last one that returned */
    uint64_t again;         /* records delivered again */
    uint64_t fault;         /* the line of this file that found a fault; 0: none */
    uint32_t ready;
    uint32_t stop;
} * ledger;

static uint64_t read_word(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void write_word(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Returns a process's exit status for a fault; keeps the line of the first. */
static int fault_at(uint64_t line)
{
    if (!read_word(&ledger->fault))
        write_word(&ledger->fault, line);
    return 99;
}

#define FAULT() fault_at(__LINE__)

static uint64_t deadline_in(uint64_t ms)
{
    return kymo_clock_now(KYMO_MONOTONIC) + ms * 1000000;
}

static void begin(void)
{
    ledger = process_share(sizeof(*ledger));
}

/* ---- the producer ---- */

static int push_next(struct kymo_writer *writer, uint64_t deadline)
{
    const uint64_t pos = writer->pos;
    const uint32_t len = checked_len(pos, SIZE);
    unsigned char buffer[SIZE];
    int error;

    checked_fill(buffer, pos, len);
    write_word(&ledger->pushing, pos + 1);
    error = kymo_queue_push(writer, buffer, len, checked_time(pos), checked_tag(pos), deadline);
    if (!error)
        write_word(&ledger->pushed, pos + 1);
    return error;
}

/* Stores in the ledger whether the killed process has pushed its last record. */
static int producer_begins(struct kymo_writer *writer)
{
    if (writer->pos != read_word(&ledger->pushed) && writer->pos != read_word(&ledger->pushing))
        return 0;
    write_word(&ledger->pushed, writer->pos);
    return 1;
}

static int producer(void *context)
{
    const uint64_t count = *(const uint64_t *)context;
    struct kymo_writer *writer;
    int error = 0;

    if (kymo_writer_open(&writer, NAME, &plain) != 0 || !producer_begins(writer))
        return FAULT();
    /* -EPIPE: the consumer may have been killed; another one is started. */
    while (writer->pos < count && (error == 0 || error == -EPIPE)) {
        error = push_next(writer, KYMO_FOREVER);
        if (error == -EPIPE)
            process_sleep(100000);
    }
    if (error)
        return FAULT();
    kymo_writer_close(writer);
    return 0;
}

/* ---- the consumer ---- */

/* The same for the tail. */
static int consumer_begins(const struct kymo_consumer *consumer)
{
    if (consumer->next != read_word(&ledger->acknowledged) &&
        consumer->next != read_word(&ledger->acknowledging))
        return 0;
    write_word(&ledger->acknowledged, consumer->next);
    return 1;
}

/* Checks a received record, which must be that of its position. */
static int work(uint64_t expected, const struct kymo_record *record, const void *payload)
{
    if (record->pos != expected || checked_fault(record, payload, SIZE))
        return FAULT();
    if (expected > read_word(&ledger->received))
        return FAULT();
    if (expected % 61 == 0)
        process_sleep(20000); /* so that some are killed while they process a record */
    if (expected == read_word(&ledger->received))
        write_word(&ledger->received, expected + 1);
    else
        ledger->again++;
    return 0;
}

static void acknowledge(struct kymo_consumer *consumer)
{
    write_word(&ledger->acknowledging, consumer->next);
    kymo_queue_acknowledge(consumer);
    write_word(&ledger->acknowledged, consumer->next);
}

/* Copied or in place, up to three records at a time, then acknowledged. */
static int consume_some(struct kymo_consumer *consumer, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t expected = consumer->next;
        struct kymo_view view;
        unsigned char buffer[SIZE];
        int error;

        view.payload = buffer;
        error = expected % 2 ? kymo_queue_receive_view(consumer, &view)
                             : kymo_queue_receive(consumer, buffer, SIZE, &view.record);
        if (error == -ENODATA)
            break;
        if (error || work(expected, &view.record, view.payload))
            return FAULT();
    }
    acknowledge(consumer);
    return 0;
}

static int consumer(void *context)
{
    const uint64_t count = *(const uint64_t *)context;
    struct kymo_consumer *consumer;
    int error;

    if (kymo_consumer_open(&consumer, NAME) != 0 || !consumer_begins(consumer))
        return FAULT();
    while (consumer->next < count) {
        error = kymo_queue_wait(consumer, KYMO_FOREVER);
        /* -EPIPE: the producer may have been killed; another one is started. */
        if (error == -EPIPE)
            process_sleep(100000);
        else if (error || consume_some(consumer, 1 + consumer->next % 3))
            return FAULT();
    }
    kymo_consumer_close(consumer);
    return 0;
}

/* ---- killed at random ---- */

/* Starts and kills the process repeatedly, until one ends. */
static uint64_t kill_until_done(int (*body)(void *context), uint64_t *count, const uint64_t *work,
                                uint64_t seed)
{
    uint64_t kills = 0;

    for (;;) {
        const uint64_t before = read_word(work);
        pid_t child = process_start(body, count);

        while (read_word(work) <= before + 2 && read_word(work) < *count &&
               !read_word(&ledger->fault))
            process_sleep(50000);
        process_sleep((long)(checked_mix(seed + kills) % 300000));
        if (read_word(work) >= *count || read_word(&ledger->fault)) {
            if (process_wait(child) != 0)
                FAULT();
            return kills;
        }
        if (process_kill(child) != -SIGKILL)
            FAULT();
        kills++;
    }
}

struct side {
    int (*body)(void *context);
    uint64_t *work;
    uint64_t *count;
    uint64_t *kills;
    uint64_t seed;
};

static int keep_killing(void *context)
{
    const struct side *side = context;

    write_word(side->kills, kill_until_done(side->body, side->count, side->work, side->seed));
    return read_word(&ledger->fault) ? 1 : 0;
}

Test(queue, loses_no_record_to_kills)
{
    uint64_t count = process_count(400000, 20000);
    uint64_t *kills = process_share(2 * sizeof(*kills));
    struct kymo_writer *writer;
    struct side sides[2];
    pid_t killers[2];

    begin();
    cr_assert_eq(kymo_writer_open(&writer, NAME, &plain), 0);
    kymo_writer_close(writer);
    sides[0] = (struct side){producer, &ledger->pushed, &count, &kills[0], 1};
    sides[1] = (struct side){consumer, &ledger->acknowledged, &count, &kills[1], 1000000};
    for (int i = 0; i < 2; i++)
        killers[i] = process_start(keep_killing, &sides[i]);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(process_wait(killers[i]), 0, "line %d", (int)read_word(&ledger->fault));
    cr_assert_eq(ledger->fault, 0, "line %d", (int)ledger->fault);
    cr_assert_eq(ledger->received, count);
    cr_assert_eq(ledger->acknowledged, count);
    cr_assert_gt(kills[0], 0U);
    cr_assert_gt(kills[1], 0U);
    printf("count: a queue whose ends are killed: %llu records, %llu producers and %llu consumers "
           "killed, %llu records delivered again before they were acknowledged, 0 lost, 0 after\n",
           (unsigned long long)count, (unsigned long long)kills[0], (unsigned long long)kills[1],
           (unsigned long long)ledger->again);
    cr_assert_eq(kymo_segment_remove(NAME), 0);
}

/* ---- the other end's death is detected ---- */

static int live_as_producer(void *context)
{
    struct kymo_writer *writer;

    (void)context;
    if (kymo_writer_open(&writer, NAME, &plain) != 0)
        return FAULT();
    process_store(&ledger->ready, 1);
    for (;;)
        pause();
}

static int live_as_consumer(void *context)
{
    struct kymo_consumer *consumer;

    (void)context;
    if (kymo_consumer_open(&consumer, NAME) != 0)
        return FAULT();
    process_store(&ledger->ready, 1);
    for (;;)
        pause();
}

/* Kills the process after 20 to 70 ms; stores the time before. */
static int kill_later(void *context)
{
    const pid_t *victim = context;

    process_sleep(20000000 + (long)(checked_mix((uint64_t)*victim) % 50000000));
    write_word(&ledger->acknowledging, kymo_clock_now(KYMO_MONOTONIC));
    kill(*victim, SIGKILL);
    return 0;
}

static pid_t start_living(int (*body)(void *context))
{
    pid_t child;

    process_store(&ledger->ready, 0);
    child = process_start(body, NULL);
    process_await(&ledger->ready, 1);
    return child;
}

/* The time from the kill until the waiting end returns, ns. */
static uint64_t detect_death(pid_t victim, struct kymo_writer *producer,
                             struct kymo_consumer *consumer)
{
    pid_t killer = process_start(kill_later, &victim);
    int error =
        producer ? push_next(producer, KYMO_FOREVER) : kymo_queue_wait(consumer, KYMO_FOREVER);
    const uint64_t detected = kymo_clock_now(KYMO_MONOTONIC);

    cr_assert_eq(error, -EPIPE);
    cr_assert_eq(process_wait(victim), -SIGKILL);
    cr_assert_eq(process_wait(killer), 0);
    return detected - read_word(&ledger->acknowledging);
}

Test(queue, detects_killed_end)
{
    enum { ROUNDS = 5 };
    struct kymo_consumer *consumer = NULL;
    struct kymo_writer *producer;
    uint64_t late[2] = {0, 0}, took;
    pid_t victim;

    begin();
    for (int i = 0; i < ROUNDS; i++) {
        victim = start_living(live_as_producer);
        if (i == 0)
            cr_assert_eq(kymo_consumer_open(&consumer, NAME), 0);
        took = detect_death(victim, NULL, consumer);
        late[0] = took > late[0] ? took : late[0];
    }
    kymo_consumer_close(consumer);
    cr_assert_eq(kymo_writer_open(&producer, NAME, &plain), 0);
    for (int i = 0; i < DEPTH; i++)
        cr_assert_eq(push_next(producer, 0), 0);
    for (int i = 0; i < ROUNDS; i++) {
        victim = start_living(live_as_consumer);
        took = detect_death(victim, producer, NULL);
        late[1] = took > late[1] ? took : late[1];
    }
    printf(
        "count: death of a queue's other end: detected after %.1f ms by consumers and %.1f ms by "
        "producers at most, of 100 ms promised\n",
        (double)late[0] / 1e6, (double)late[1] / 1e6);
    cr_assert_eq(kymo_writer_remove(producer), 0);
}

/* ---- the other end is stopped, and alive ---- */

Test(queue, keeps_deadline_beside_stopped_end)
{
    struct kymo_consumer *consumer;
    struct kymo_writer *producer;
    uint64_t deadline;
    pid_t other;

    begin();
    other = start_living(live_as_producer);
    kill(other, SIGSTOP);
    cr_assert_eq(kymo_consumer_open(&consumer, NAME), 0);
    deadline = deadline_in(120); /* more than one query of the kernel's lock */
    cr_assert_eq(kymo_queue_wait(consumer, deadline), -ETIMEDOUT);
    cr_assert_geq(kymo_clock_now(KYMO_MONOTONIC), deadline);
    kymo_consumer_close(consumer);
    cr_assert_eq(process_kill(other), -SIGKILL);

    cr_assert_eq(kymo_writer_open(&producer, NAME, &plain), 0);
    other = start_living(live_as_consumer);
    kill(other, SIGSTOP);
    for (int i = 0; i < DEPTH; i++)
        cr_assert_eq(push_next(producer, 0), 0);
    deadline = deadline_in(120);
    cr_assert_eq(push_next(producer, deadline), -ETIMEDOUT);
    cr_assert_geq(kymo_clock_now(KYMO_MONOTONIC), deadline);
    cr_assert_eq(process_kill(other), -SIGKILL);
    cr_assert_eq(push_next(producer, deadline_in(30000)), -EPIPE);
    cr_assert_eq(kymo_writer_remove(producer), 0);
}

/* ---- one of several consumers, killed with their lock ---- */

static int stop_with_the_lock(void *context)
{
    struct kymo_consumer *consumer;
    struct kymo_record record;
    unsigned char buffer[SIZE];

    if (kymo_consumer_open(&consumer, NAME) != 0)
        return FAULT();
    process_store(&ledger->ready, 1);
    testpoint_plan(context, 0, testpoint_park, testpoint_gate_make());
    return kymo_queue_pop(consumer, buffer, SIZE, &record, KYMO_FOREVER) ? 1 : 0;
}

/* `taken`: whether the consumer that is killed at the point has acknowledged its record. */
static void stop_one_of_several(const char *point, int taken)
{
    struct kymo_options options = plain;
    struct kymo_consumer *consumer;
    struct kymo_writer *producer;
    struct kymo_record record;
    unsigned char buffer[SIZE];
    uint64_t deadline;
    pid_t other;

    begin();
    options.flags = KYMO_SHARED_CONSUMER;
    cr_assert_eq(kymo_writer_open(&producer, NAME, &options), 0);
    cr_assert_eq(kymo_consumer_open(&consumer, NAME), 0);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(push_next(producer, 0), 0);
    other = process_start(stop_with_the_lock, (void *)(uintptr_t)point);
    process_await(&ledger->ready, 1);
    while (kymo_load_relaxed32(&consumer->control->lock) == 0 ||
           (taken && kymo_load_relaxed(&consumer->control->tail) == 0))
        process_sleep(100000);
    deadline = deadline_in(5);
    cr_assert_eq(kymo_queue_pop(consumer, buffer, SIZE, &record, deadline), -ETIMEDOUT);
    cr_assert_geq(kymo_clock_now(KYMO_MONOTONIC), deadline);
    cr_assert_eq(process_kill(other), -SIGKILL);
    for (uint64_t pos = taken ? 1 : 0; pos < 3; pos++) {
        cr_assert_eq(kymo_queue_pop(consumer, buffer, SIZE, &record, deadline_in(30000)), 0);
        cr_assert_eq(record.pos, pos);
        cr_assert_null(checked_fault(&record, buffer, SIZE));
    }
    cr_assert_eq(kymo_queue_waiting(consumer), 0U);
    cr_assert_eq(kymo_load_relaxed(&consumer->control->takeovers), 1U);
    kymo_consumer_close(consumer);
    cr_assert_eq(kymo_writer_remove(producer), 0);
}

Test(queue, continues_after_consumer_killed_with_lock)
{
    stop_one_of_several("LOCK_TAKEN", 0);
    stop_one_of_several("RECORD_COPIED", 0);
    stop_one_of_several("TAIL_STORED", 1);
}
