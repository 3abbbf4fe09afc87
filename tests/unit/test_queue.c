/*
 * test_queue.c - the lossless queue: records are delivered once and in order, unacknowledged ones
 * again; both ends wait with deadlines, and detect the other end's close or death.
 */
#include "interrupted.h"
#include "unit.h"

#include <kymo/queue.h>

#include <grp.h>
#include <pthread.h>

#define DEPTH  4
#define NOBODY 65534

static const struct kymo_options plain = {.kind = KYMO_QUEUE,
                                          .clock = KYMO_USER,
                                          .depth = DEPTH,
                                          .size = sizeof(struct unit_payload)};

static uint64_t in_ms(uint64_t ms)
{
    return kymo_clock_now(KYMO_MONOTONIC) + ms * 1000000;
}

static struct kymo_consumer *consumer_of(const char *name)
{
    struct kymo_consumer *consumer = NULL;
    int error = kymo_consumer_open(&consumer, name);

    cr_assert_eq(error, 0, "consuming %s: %s", name, kymo_error_text(error));
    return consumer;
}

/* Pushes the payload of the producer's next position; time 10 * pos, tag pos + 7. */
static int push(struct kymo_writer *producer, uint64_t deadline)
{
    const struct unit_payload payload = unit_payload(producer->pos);

    return kymo_queue_push(producer, &payload, sizeof(payload), 10 * payload.pos, payload.pos + 7,
                           deadline);
}

static void push_many(struct kymo_writer *producer, int count)
{
    for (int i = 0; i < count; i++)
        cr_assert_eq(push(producer, 0), 0);
}

static void check(const struct kymo_record *record, const struct unit_payload *payload,
                  uint64_t pos)
{
    cr_assert_eq(record->pos, pos);
    cr_assert_eq(record->time, 10 * pos);
    cr_assert_eq(record->tag, pos + 7);
    cr_assert_eq(record->len, sizeof(*payload));
    cr_assert_eq(payload->pos, pos);
    cr_assert_eq(payload->inverse, ~pos);
}

static void expect_receive(struct kymo_consumer *consumer, uint64_t pos)
{
    struct unit_payload payload;
    struct kymo_record record;

    cr_assert_eq(kymo_queue_receive(consumer, &payload, sizeof(payload), &record), 0);
    check(&record, &payload, pos);
}

static void expect_pop(struct kymo_consumer *consumer, uint64_t pos)
{
    struct unit_payload payload;
    struct kymo_record record;

    cr_assert_eq(kymo_queue_pop(consumer, &payload, sizeof(payload), &record, 0), 0);
    check(&record, &payload, pos);
}

static int receive_error(struct kymo_consumer *consumer)
{
    struct unit_payload payload;

    return kymo_queue_receive(consumer, &payload, sizeof(payload), NULL);
}

static int pop_error(struct kymo_consumer *consumer, uint64_t deadline)
{
    struct unit_payload payload;

    return kymo_queue_pop(consumer, &payload, sizeof(payload), NULL, deadline);
}

static void end(struct kymo_writer *producer, struct kymo_consumer *consumer)
{
    kymo_consumer_close(consumer);
    cr_assert_eq(kymo_writer_remove(producer), 0);
}

/* ---- one thread ---- */

Test(queue, delivers_in_order)
{
    struct kymo_writer *producer = unit_writer("order", &plain);
    struct kymo_consumer *consumer = consumer_of("order");
    uint64_t random = 1, received = 0;

    while (received < 10000) {
        const uint64_t room = DEPTH - kymo_queue_waiting(consumer);
        const int count = (int)random_below(&random, (uint32_t)room + 1);

        push_many(producer, count);
        cr_assert_eq(kymo_queue_waiting(consumer), DEPTH - room + (uint64_t)count);
        for (uint64_t i = random_below(&random, DEPTH); i > 0 && received < producer->pos; i--)
            expect_receive(consumer, received++);
        kymo_queue_acknowledge(consumer);
        cr_assert_eq(kymo_queue_waiting(consumer), producer->pos - received);
    }
    end(producer, consumer);
}

Test(queue, blocks_producer_when_full)
{
    struct kymo_writer *producer = unit_writer("full", &plain);
    struct kymo_consumer *consumer = consumer_of("full");
    const struct unit_payload payload = unit_payload(DEPTH);
    void *lent;

    push_many(producer, DEPTH);
    for (int tries = 0; tries < 3; tries++) {
        cr_assert_eq(push(producer, 0), -ETIMEDOUT);
        cr_assert_eq(push(producer, 1), -ETIMEDOUT);
        cr_assert_eq(kymo_ring_publish(producer, &payload, sizeof(payload), 99, 0), -EAGAIN);
        cr_assert_eq(kymo_ring_loan(producer, &lent), -EAGAIN);
    }
    expect_receive(consumer, 0);
    cr_assert_eq(push(producer, 0), -ETIMEDOUT, "receiving releases no slot");
    kymo_queue_acknowledge(consumer);
    cr_assert_eq(push(producer, 0), 0);
    cr_assert_eq(push(producer, 0), -ETIMEDOUT);
    for (uint64_t pos = 1; pos <= DEPTH; pos++)
        expect_pop(consumer, pos);
    cr_assert_eq(receive_error(consumer), -ENODATA);
    end(producer, consumer);
}

Test(queue, can_be_written_in_place)
{
    struct kymo_writer *producer = unit_writer("place", &plain);
    struct kymo_consumer *consumer = consumer_of("place");

    for (uint64_t pos = 0; pos < 20; pos++) {
        const struct unit_payload payload = unit_payload(pos);
        void *lent;

        cr_assert_eq(kymo_ring_loan(producer, &lent), 0);
        if (pos % 3 == 0) {
            cr_assert_eq(kymo_ring_abort(producer), 0);
            cr_assert_eq(receive_error(consumer), -ENODATA);
            cr_assert_eq(kymo_ring_loan(producer, &lent), 0);
        }
        memcpy(lent, &payload, sizeof(payload));
        cr_assert_eq(kymo_ring_commit(producer, sizeof(payload), 10 * pos, pos + 7), 0);
        expect_pop(consumer, pos);
    }
    end(producer, consumer);
}

/* The next consumer receives unacknowledged records, and no acknowledged one. */
Test(queue, redelivers_unacknowledged_records)
{
    struct kymo_writer *producer = unit_writer("again", &plain);
    struct kymo_consumer *consumer = consumer_of("again");

    push_many(producer, DEPTH);
    expect_receive(consumer, 0);
    expect_receive(consumer, 1);
    kymo_consumer_close(consumer);

    consumer = consumer_of("again");
    cr_assert_eq(kymo_queue_waiting(consumer), DEPTH);
    expect_receive(consumer, 0);
    kymo_queue_acknowledge(consumer);
    expect_receive(consumer, 1);
    expect_receive(consumer, 2);
    kymo_consumer_close(consumer);

    consumer = consumer_of("again");
    kymo_queue_acknowledge(consumer); /* without a received record */
    cr_assert_eq(kymo_queue_waiting(consumer), DEPTH - 1);
    for (uint64_t pos = 1; pos < DEPTH; pos++)
        expect_pop(consumer, pos);
    kymo_queue_acknowledge(consumer);
    kymo_queue_acknowledge(consumer);
    cr_assert_eq(kymo_queue_waiting(consumer), 0);
    end(producer, consumer);
}

/* A record read in place is not overwritten before it is acknowledged. */
Test(queue, keeps_views_until_acknowledged)
{
    struct kymo_writer *producer = unit_writer("view", &plain);
    struct kymo_consumer *consumer = consumer_of("view");
    struct kymo_view views[DEPTH];

    for (uint64_t lap = 0; lap < 10; lap++) {
        push_many(producer, DEPTH);
        for (int i = 0; i < DEPTH; i++)
            cr_assert_eq(kymo_queue_receive_view(consumer, &views[i]), 0);
        cr_assert_eq(kymo_queue_receive_view(consumer, &views[0]), -ENODATA);
        cr_assert_eq(push(producer, 0), -ETIMEDOUT);
        for (uint64_t i = 0; i < DEPTH; i++)
            check(&views[i].record, views[i].payload, DEPTH * lap + i);
        kymo_queue_acknowledge(consumer);
    }
    end(producer, consumer);
}

Test(queue, keeps_record_larger_than_buffer)
{
    struct kymo_writer *producer = unit_writer("large", &plain);
    struct kymo_consumer *consumer = consumer_of("large");
    struct kymo_record record = {0};
    char small[8];

    push_many(producer, 2);
    for (int tries = 0; tries < 3; tries++) {
        cr_assert_eq(kymo_queue_receive(consumer, small, sizeof(small), &record), -EMSGSIZE);
        cr_assert_eq(record.len, sizeof(struct unit_payload));
        cr_assert_eq(kymo_queue_pop(consumer, small, sizeof(small), &record, KYMO_FOREVER),
                     -EMSGSIZE);
    }
    cr_assert_eq(kymo_queue_waiting(consumer), 2);
    expect_receive(consumer, 0);
    expect_pop(consumer, 1);
    end(producer, consumer);
}

/* A reader reads the queue without consuming. */
Test(queue, is_readable_by_readers)
{
    struct kymo_writer *producer = unit_writer("others", &plain);
    struct kymo_consumer *consumer = consumer_of("others");
    struct kymo_reader *reader = unit_reader("others");
    struct unit_payload payload;
    struct kymo_record record;

    push_many(producer, 3);
    for (uint64_t pos = 0; pos < 3; pos++) {
        cr_assert_eq(kymo_ring_at(reader, pos, &payload, sizeof(payload), &record), 0);
        check(&record, &payload, pos);
    }
    cr_assert_eq(kymo_queue_waiting(consumer), 3);
    for (uint64_t pos = 0; pos < 3; pos++)
        expect_pop(consumer, pos);
    cr_assert_eq(kymo_ring_latest(reader, &payload, sizeof(payload), &record), 0);
    check(&record, &payload, 2);
    kymo_reader_close(reader);
    end(producer, consumer);
}

/* ---- opening ---- */

static int consume_without_permission(void *context)
{
    struct kymo_consumer *consumer;
    char path[UNIT_PATH];

    (void)context;
    if (chmod(unit_path("one", path), 0444) != 0)
        return 1;
    if (geteuid() == 0 && (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY)))
        return 1;
    return kymo_consumer_open(&consumer, "one") == -EACCES ? 0 : 2;
}

Test(queue, has_one_consumer)
{
    struct kymo_writer *producer = unit_writer("one", &plain);
    struct kymo_consumer *consumer = consumer_of("one");
    struct kymo_consumer *second;
    struct kymo_writer *ring;

    cr_assert_eq(kymo_consumer_open(&second, "one"), -EBUSY);
    cr_assert_null(second);
    cr_assert_eq(kymo_consumer_open(&second, "nothing"), -ENOENT);
    cr_assert_eq(kymo_consumer_open(&second, "no/name"), -EINVAL);
    cr_assert_eq(kymo_impl_consumer_open(&second, "one", KYMO_LAYOUT_MAJOR + 1, NULL),
                 -EPROTONOSUPPORT);
    cr_assert_eq(unit_child(consume_without_permission, NULL), 0);
    kymo_consumer_close(NULL);
    end(producer, consumer);

    ring = unit_writer_of_depth("ring", 4);
    cr_assert_eq(kymo_consumer_open(&second, "ring"), -EINVAL);
    cr_assert_eq(push(ring, 0), -EINVAL);
    cr_assert_eq(kymo_writer_remove(ring), 0);
}

/* The producer is a writer: a second one fails, a later one resumes. */
Test(queue, resumes_with_another_producer)
{
    struct kymo_writer *producer = unit_writer("resumed", &plain);
    struct kymo_consumer *consumer = consumer_of("resumed");
    struct kymo_writer *second;

    cr_assert_eq(kymo_writer_open(&second, "resumed", &plain), -EBUSY);
    push_many(producer, 3);
    kymo_writer_close(producer);
    expect_pop(consumer, 0);
    producer = unit_writer("resumed", &plain);
    push_many(producer, 2);
    cr_assert_eq(push(producer, 0), -ETIMEDOUT);
    for (uint64_t pos = 1; pos < 5; pos++)
        expect_pop(consumer, pos);
    end(producer, consumer);
}

/* Its records would be lost. */
Test(queue, is_not_replaced_with_records)
{
    struct kymo_writer *producer = unit_writer("kept", &plain);
    struct kymo_options deeper = plain, ring = plain;
    struct kymo_consumer *consumer;
    struct kymo_diagnostic cause;
    struct kymo_writer *other;

    push_many(producer, 3);
    kymo_writer_close(producer);
    deeper.depth = 2 * DEPTH;
    ring.kind = KYMO_RING;
    ring.existing = KYMO_REPLACE;
    cr_assert_eq(kymo_writer_open_diagnosed(&other, "kept", &deeper, &cause), -ENOTEMPTY);
    cr_assert(strstr(cause.text, "the queue holds 3 records"), "%s", cause.text);
    cr_assert_eq(kymo_writer_open(&other, "kept", &ring), -ENOTEMPTY);
    consumer = consumer_of("kept");
    for (uint64_t pos = 0; pos < 3; pos++)
        expect_pop(consumer, pos);
    producer = unit_writer("kept", &deeper);
    cr_assert_eq(kymo_queue_wait(consumer, 0), -EIDRM);
    kymo_consumer_close(consumer);
    cr_assert_eq(kymo_writer_remove(producer), 0);
}

static int leave_records(void *count)
{
    struct kymo_writer *producer;
    int error = kymo_writer_open(&producer, "reaped", &plain);

    for (int i = *(int *)count; i > 0 && !error; i--)
        error = push(producer, 0);
    return error != 0;
}

/* The records of a dead producer wait for the consumer. */
Test(queue, is_not_reaped_with_records)
{
    int count = 2;

    cr_assert_eq(unit_child(leave_records, &count), 0);
    cr_assert_eq(kymo_segment_reap("reaped"), 0);
    cr_assert_eq(kymo_segment_remove("reaped"), 0);
    count = 0;
    cr_assert_eq(unit_child(leave_records, &count), 0);
    cr_assert_eq(kymo_segment_reap("reaped"), 1);
}

/* ---- the other end ---- */

Test(queue, detects_end_of_producer)
{
    struct kymo_writer *producer = unit_writer("gone", &plain);
    struct kymo_consumer *consumer = consumer_of("gone");

    push_many(producer, 2);
    cr_assert_eq(receive_error(consumer), 0);
    cr_assert_eq(receive_error(consumer), 0);
    cr_assert_eq(pop_error(consumer, 0), -ETIMEDOUT, "it lives");
    kymo_writer_close(producer);
    cr_assert_eq(receive_error(consumer), -ENODATA);
    cr_assert_eq(kymo_queue_wait(consumer, 0), -EPIPE);
    cr_assert_eq(kymo_queue_wait(consumer, KYMO_FOREVER), -EPIPE);
    cr_assert_eq(pop_error(consumer, KYMO_FOREVER), -EPIPE);

    /* The remaining records are delivered first. */
    producer = unit_writer("gone", &plain);
    push_many(producer, 1);
    kymo_writer_close(producer);
    cr_assert_eq(kymo_queue_wait(consumer, KYMO_FOREVER), 0);
    expect_pop(consumer, 2);
    cr_assert_eq(pop_error(consumer, KYMO_FOREVER), -EPIPE);
    kymo_consumer_close(consumer);
    cr_assert_eq(kymo_segment_remove("gone"), 0);
}

static void *push_as_next_producer(void *context)
{
    struct kymo_writer *producer;

    (void)context;
    usleep(20000);
    producer = unit_writer("next", &plain);
    push_many(producer, 1);
    kymo_writer_close(producer);
    return NULL;
}

Test(queue, waits_for_next_producer_on_request)
{
    struct kymo_writer *producer = unit_writer("next", &plain);
    struct kymo_consumer *consumer = consumer_of("next");
    char path[UNIT_PATH];
    pthread_t thread;

    kymo_writer_close(producer);
    cr_assert_eq(kymo_consumer_wait_for_producer(consumer, 1), 0);
    cr_assert_eq(pop_error(consumer, in_ms(5)), -ETIMEDOUT);
    for (uint64_t pos = 0; pos < 3; pos++) {
        cr_assert_eq(pthread_create(&thread, NULL, push_as_next_producer, NULL), 0);
        cr_assert_eq(kymo_queue_wait(consumer, in_ms(60000)), 0);
        expect_pop(consumer, pos);
        pthread_join(thread, NULL);
    }
    cr_assert_eq(kymo_consumer_wait_for_producer(consumer, 0), 0);
    cr_assert_eq(pop_error(consumer, KYMO_FOREVER), -EPIPE);
    cr_assert_eq(kymo_consumer_wait_for_producer(consumer, 1), 0);
    /* No producer will come to a file without a name. */
    cr_assert_eq(unlink(unit_path("next", path)), 0);
    cr_assert_eq(pop_error(consumer, KYMO_FOREVER), -EIDRM);
    kymo_consumer_close(consumer);
}

Test(queue, detects_end_of_consumer)
{
    struct kymo_writer *producer = unit_writer("left", &plain);
    struct kymo_consumer *consumer;

    /* If no consumer has opened yet, the producer waits. */
    push_many(producer, DEPTH);
    cr_assert_eq(push(producer, in_ms(2)), -ETIMEDOUT);
    consumer = consumer_of("left");
    cr_assert_eq(push(producer, 0), -ETIMEDOUT);
    expect_receive(consumer, 0);
    kymo_consumer_close(consumer);
    cr_assert_eq(push(producer, 0), -EPIPE);
    cr_assert_eq(push(producer, KYMO_FOREVER), -EPIPE);
    /* With free slots there is no error. */
    consumer = consumer_of("left");
    expect_pop(consumer, 0);
    kymo_consumer_close(consumer);
    cr_assert_eq(push(producer, KYMO_FOREVER), 0);
    cr_assert_eq(push(producer, KYMO_FOREVER), -EPIPE);
    cr_assert_eq(kymo_writer_remove(producer), 0);
}

Test(queue, ends_with_generation)
{
    struct kymo_writer *producer = unit_writer("ended", &plain);
    struct kymo_consumer *consumer = consumer_of("ended");

    push_many(producer, 2);
    cr_assert_eq(kymo_writer_remove(producer), 0);
    expect_pop(consumer, 0);
    expect_receive(consumer, 1);
    kymo_queue_acknowledge(consumer);
    cr_assert_eq(receive_error(consumer), -EIDRM);
    cr_assert_eq(kymo_queue_wait(consumer, KYMO_FOREVER), -EIDRM);
    cr_assert_eq(pop_error(consumer, KYMO_FOREVER), -EIDRM);
    kymo_consumer_close(consumer);
}

/* ---- forks (promise H) ---- */

struct ends {
    struct kymo_writer *producer;
    struct kymo_consumer *consumer;
};

static int use_in_child(void *context)
{
    const struct ends *ends = context;
    struct kymo_view view;

    if (push(ends->producer, KYMO_FOREVER) != -EPERM)
        return 1;
    if (receive_error(ends->consumer) != -EPERM ||
        kymo_queue_receive_view(ends->consumer, &view) != -EPERM ||
        pop_error(ends->consumer, KYMO_FOREVER) != -EPERM ||
        kymo_queue_wait(ends->consumer, KYMO_FOREVER) != -EPERM)
        return 2;
    kymo_queue_acknowledge(ends->consumer);
    if (kymo_queue_waiting(ends->consumer) != 0)
        return 3;
    kymo_consumer_close(ends->consumer);
    kymo_writer_close(ends->producer);
    return 0;
}

Test(queue, is_unusable_in_forked_child)
{
    struct ends ends = {.producer = unit_writer("forked", &plain)};

    ends.consumer = consumer_of("forked");
    push_many(ends.producer, 2);
    expect_receive(ends.consumer, 0);
    cr_assert_eq(unit_child(use_in_child, &ends), 0);
    cr_assert_eq(kymo_queue_waiting(ends.consumer), 2, "the child acknowledged nothing");
    expect_receive(ends.consumer, 1);
    kymo_queue_acknowledge(ends.consumer);
    cr_assert_eq(push(ends.producer, 0), 0);
    end(ends.producer, ends.consumer);
}

/* ---- waiting: its system calls and deadlines (promises D and E) ---- */

static uint32_t word_of(const struct kymo_bell *bell)
{
    return kymo_load_relaxed32(&bell->word);
}

static void await_waiter(const struct kymo_bell *bell)
{
    while (!(word_of(bell) & KYMO_BELL_WAITING))
        usleep(100);
}

/* A call with a past deadline leaves the bells unchanged, so the other end makes no system call. */
Test(queue, polls_without_modifying_bells)
{
    struct kymo_writer *producer = unit_writer("looks", &plain);
    struct kymo_consumer *consumer = consumer_of("looks");

    for (int i = 0; i < 3; i++) {
        cr_assert_eq(pop_error(consumer, 0), -ETIMEDOUT);
        cr_assert_eq(kymo_queue_wait(consumer, 0), -ETIMEDOUT);
        cr_assert_eq(kymo_queue_wait(consumer, 1), -ETIMEDOUT);
    }
    push_many(producer, DEPTH);
    cr_assert_eq(push(producer, 0), -ETIMEDOUT);
    cr_assert_eq(push(producer, 1), -ETIMEDOUT);
    cr_assert_eq(kymo_queue_wait(consumer, KYMO_FOREVER), 0);
    cr_assert_eq(word_of(producer->bell), 0);
    cr_assert_eq(word_of(consumer->bell), 0);
    cr_assert_eq(unit_info(producer->segment).wakes, 0);
    end(producer, consumer);
}

struct player {
    struct kymo_writer *producer;
    struct kymo_consumer *consumer;
    uint64_t count;
    int error;
    pthread_t thread;
};

static void *push_one(void *context)
{
    struct player *player = context;

    player->error = push(player->producer, KYMO_FOREVER);
    return NULL;
}

static void *pop_one(void *context)
{
    struct player *player = context;

    player->error = pop_error(player->consumer, KYMO_FOREVER);
    return NULL;
}

Test(queue, wakes_sleeping_ends)
{
    struct player player = {.producer = unit_writer("sleeps", &plain)};

    player.consumer = consumer_of("sleeps");
    for (int round = 0; round < 20; round++) {
        cr_assert_eq(pthread_create(&player.thread, NULL, pop_one, &player), 0);
        await_waiter(player.producer->bell);
        cr_assert_eq(push(player.producer, 0), 0);
        cr_assert_eq(pthread_join(player.thread, NULL), 0);
        cr_assert_eq(player.error, 0);

        push_many(player.producer, DEPTH);
        cr_assert_eq(pthread_create(&player.thread, NULL, push_one, &player), 0);
        await_waiter(player.consumer->bell);
        for (int i = 0; i < DEPTH; i++)
            cr_assert_eq(receive_error(player.consumer), 0);
        kymo_queue_acknowledge(player.consumer);
        cr_assert_eq(pthread_join(player.thread, NULL), 0);
        cr_assert_eq(player.error, 0);
        cr_assert_eq(pop_error(player.consumer, 0), 0);
    }
    /* And when it is removed. */
    cr_assert_eq(pthread_create(&player.thread, NULL, pop_one, &player), 0);
    await_waiter(player.producer->bell);
    cr_assert_eq(kymo_writer_remove(player.producer), 0);
    cr_assert_eq(pthread_join(player.thread, NULL), 0);
    cr_assert_eq(player.error, -EIDRM);
    kymo_consumer_close(player.consumer);
}

Test(queue, keeps_deadlines_under_signals)
{
    struct kymo_writer *producer = unit_writer("signals", &plain);
    struct kymo_consumer *consumer = consumer_of("signals");
    uint64_t deadline, popped, pushed;

    interrupt_every_ms(1);
    deadline = in_ms(70);
    cr_assert_eq(pop_error(consumer, deadline), -ETIMEDOUT);
    popped = kymo_clock_now(KYMO_MONOTONIC) - deadline;
    cr_assert_lt(popped, UINT64_MAX / 2, "not before the deadline");
    push_many(producer, DEPTH);
    deadline = in_ms(70);
    cr_assert_eq(push(producer, deadline), -ETIMEDOUT);
    pushed = kymo_clock_now(KYMO_MONOTONIC) - deadline;
    cr_assert_lt(pushed, UINT64_MAX / 2, "not before the deadline");
    interrupt_every_ms(0);
    cr_assert_gt(interruptions, 0);
    printf("late by %llu us popping and %llu us pushing\n", (unsigned long long)popped / 1000,
           (unsigned long long)pushed / 1000);
    end(producer, consumer);
}

/* ---- several producers and consumers ---- */

static struct kymo_options shared(uint32_t flags)
{
    struct kymo_options options = plain;

    options.flags = flags;
    return options;
}

#define PAIRS 3
#define EACH  2000

static unsigned char popped[PAIRS * EACH];

static void *pop_until_epipe(void *context)
{
    struct player *player = context;
    struct unit_payload payload;
    int error;

    while ((error = kymo_queue_pop(player->consumer, &payload, sizeof(payload), NULL,
                                   KYMO_FOREVER)) == 0) {
        if (payload.inverse != ~payload.pos || payload.pos >= PAIRS * EACH)
            error = -EILSEQ;
        else
            __atomic_fetch_add(&popped[payload.pos], 1, __ATOMIC_RELAXED);
    }
    player->error = error;
    return NULL;
}

static void *push_share(void *context)
{
    struct player *player = context;
    static uint64_t number;

    for (int i = 0; i < EACH && !player->error; i++) {
        const struct unit_payload payload =
            unit_payload(__atomic_fetch_add(&number, 1, __ATOMIC_RELAXED));

        player->error =
            kymo_queue_push(player->producer, &payload, sizeof(payload), 0, 0, KYMO_FOREVER);
    }
    return NULL;
}

Test(queue, delivers_each_record_to_one_consumer)
{
    const struct kymo_options options = shared(KYMO_SHARED_WRITER | KYMO_SHARED_CONSUMER);
    struct player producers[PAIRS] = {{0}}, consumers[PAIRS] = {{0}};

    for (int i = 0; i < PAIRS; i++) {
        producers[i].producer = unit_writer("several", &options);
        consumers[i].consumer = consumer_of("several");
    }
    for (int i = 0; i < PAIRS; i++) {
        pthread_create(&producers[i].thread, NULL, push_share, &producers[i]);
        pthread_create(&consumers[i].thread, NULL, pop_until_epipe, &consumers[i]);
    }
    for (int i = 0; i < PAIRS; i++) {
        cr_assert_eq(pthread_join(producers[i].thread, NULL), 0);
        cr_assert_eq(producers[i].error, 0);
        kymo_writer_close(producers[i].producer);
    }
    for (int i = 0; i < PAIRS; i++) {
        cr_assert_eq(pthread_join(consumers[i].thread, NULL), 0);
        cr_assert_eq(consumers[i].error, -EPIPE);
        kymo_consumer_close(consumers[i].consumer);
    }
    for (int i = 0; i < PAIRS * EACH; i++)
        cr_assert_eq(popped[i], 1, "record %d was received %d times", i, popped[i]);
    cr_assert_eq(kymo_segment_remove("several"), 0);
}

Test(queue, shared_consumers_can_only_pop)
{
    const struct kymo_options options = shared(KYMO_SHARED_CONSUMER);
    struct kymo_writer *producer = unit_writer("pops", &options);
    struct kymo_consumer *one = consumer_of("pops"), *other = consumer_of("pops");
    struct kymo_record record;
    struct kymo_view view;
    char small[8];

    push_many(producer, DEPTH);
    cr_assert_eq(receive_error(one), -EINVAL);
    cr_assert_eq(kymo_queue_receive_view(one, &view), -EINVAL);
    expect_pop(one, 0);
    expect_pop(other, 1);
    cr_assert_eq(kymo_queue_pop(one, small, sizeof(small), &record, 0), -EMSGSIZE);
    expect_pop(other, 2);
    kymo_queue_acknowledge(one); /* without a received record: changes nothing */
    expect_pop(one, 3);
    cr_assert_eq(pop_error(one, 0), -ETIMEDOUT);
    kymo_consumer_close(one);
    push_many(producer, DEPTH);
    cr_assert_eq(push(producer, 0), -ETIMEDOUT, "another consumer is alive");
    kymo_consumer_close(other);
    cr_assert_eq(push(producer, 0), -EPIPE);
    cr_assert_eq(kymo_writer_remove(producer), 0);
}

/* While a living consumer holds the lock, the others wait until their deadline. */
Test(queue, keeps_deadline_at_the_lock)
{
    const struct kymo_options options = shared(KYMO_SHARED_WRITER | KYMO_SHARED_CONSUMER);
    struct kymo_writer *holding_producer = unit_writer("held", &options);
    struct kymo_writer *producer = unit_writer("held", &options);
    struct kymo_consumer *holder = consumer_of("held"), *consumer = consumer_of("held");
    uint64_t deadline;
    void *lent;

    push_many(producer, 1);
    kymo_store_relaxed32(&holder->control->lock, 1); /* lock slot 0: the first consumer */
    deadline = in_ms(5);
    cr_assert_eq(pop_error(consumer, deadline), -ETIMEDOUT);
    cr_assert_geq(kymo_clock_now(KYMO_MONOTONIC), deadline);
    cr_assert_eq(pop_error(consumer, 0), -ETIMEDOUT);
    kymo_store_relaxed32(&holder->control->lock, 0);
    expect_pop(consumer, 0);

    cr_assert_eq(kymo_ring_loan(holding_producer, &lent), 0);
    deadline = in_ms(5);
    cr_assert_eq(push(producer, deadline), -ETIMEDOUT);
    cr_assert_geq(kymo_clock_now(KYMO_MONOTONIC), deadline);
    cr_assert_eq(kymo_ring_abort(holding_producer), 0);
    cr_assert_eq(push(producer, 0), 0);
    kymo_consumer_close(holder);
    kymo_writer_close(holding_producer);
    end(producer, consumer);
}

/* ---- corrupted positions (promise F) ---- */

Test(queue, validates_tail_and_head)
{
    static const uint64_t invalid[] = {
        1, 11, 12, 13, 99, UINT64_MAX, UINT64_MAX - 3, KYMO_POSITION_LIMIT};
    struct kymo_writer *producer = unit_writer("invalid", &plain);
    struct kymo_consumer *consumer = consumer_of("invalid"), *second;
    struct unit_payload payload;

    for (int i = 0; i < 10; i++) {
        cr_assert_eq(push(producer, 0), 0);
        expect_pop(consumer, (uint64_t)i);
    }
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
        kymo_store_relaxed(&consumer->control->tail, invalid[i]);
        producer->limit = 0;
        cr_assert_eq(push(producer, 0), -EBADMSG, "tail %llu", (unsigned long long)invalid[i]);
    }
    kymo_consumer_close(consumer);
    cr_assert_eq(kymo_consumer_open(&second, "invalid"), -EBADMSG);
    kymo_writer_close(producer);

    producer = unit_writer("heads", &plain);
    consumer = consumer_of("heads");
    push_many(producer, 2);
    expect_receive(consumer, 0);
    for (size_t i = 1; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
        consumer->limit = 1;
        kymo_store_relaxed(&producer->ring.control->head, invalid[i]);
        cr_assert_eq(receive_error(consumer), -EBADMSG, "head %llu",
                     (unsigned long long)invalid[i]);
        cr_assert_eq(kymo_queue_pop(consumer, &payload, sizeof(payload), NULL, 0), -EBADMSG);
    }
    /* A head beyond the pushed records: the slot does not hold that record. */
    kymo_store_relaxed(&producer->ring.control->head, 3);
    expect_receive(consumer, 1);
    cr_assert_eq(receive_error(consumer), -EBADMSG);
    end(producer, consumer);
}

/* ---- large positions ---- */

static void hand_over_from(uint64_t first)
{
    struct kymo_options options = plain;
    struct kymo_writer *producer;
    struct kymo_consumer *consumer;

    options.first = first;
    producer = unit_writer("far", &options);
    consumer = consumer_of("far");
    cr_assert_eq(receive_error(consumer), -ENODATA);
    for (uint64_t pos = first; pos < first + 20; pos++) {
        const struct unit_payload payload = unit_payload(pos);

        cr_assert_eq(kymo_queue_push(producer, &payload, sizeof(payload), 10 * pos, pos + 7, 0), 0);
        if (pos % 4 == 3) {
            kymo_writer_close(producer);
            producer = unit_writer("far", &options);
        }
        if (pos % 3 == 2) {
            kymo_consumer_close(consumer);
            consumer = consumer_of("far");
        }
        expect_pop(consumer, pos);
        cr_assert_eq(kymo_queue_waiting(consumer), 0);
    }
    end(producer, consumer);
}

Test(queue, counts_beyond_32_bits)
{
    hand_over_from(0);
    hand_over_from((UINT64_C(1) << 32) - 10);
    hand_over_from(UINT64_C(1) << 61);
}

/* After the last position no record is pushed; the remaining ones are popped. */
Test(queue, is_full_at_the_last_position)
{
    struct kymo_options options = plain;
    struct kymo_writer *producer;
    struct kymo_consumer *consumer;

    options.first = KYMO_POSITION_LIMIT - 6;
    producer = unit_writer("last", &options);
    consumer = consumer_of("last");
    for (uint64_t pos = options.first; pos < KYMO_POSITION_LIMIT; pos++) {
        const struct unit_payload payload = unit_payload(pos);

        cr_assert_eq(kymo_queue_push(producer, &payload, sizeof(payload), 10 * pos, pos + 7,
                                     KYMO_FOREVER),
                     0);
        if (pos < KYMO_POSITION_LIMIT - 3)
            expect_pop(consumer, pos);
    }
    for (int tries = 0; tries < 3; tries++)
        cr_assert_eq(push(producer, KYMO_FOREVER), -ENOSPC);
    kymo_writer_close(producer);
    producer = unit_writer("last", &options);
    cr_assert_eq(push(producer, KYMO_FOREVER), -ENOSPC);
    for (uint64_t pos = KYMO_POSITION_LIMIT - 3; pos < KYMO_POSITION_LIMIT; pos++)
        expect_pop(consumer, pos);
    cr_assert_eq(pop_error(consumer, 0), -ETIMEDOUT);
    cr_assert_eq(push(producer, 0), -ENOSPC);
    end(producer, consumer);
}
