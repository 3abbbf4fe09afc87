/*
 * explored_shared.c - a queue with several producers or consumers: every record arrives once, each producer's in its order, and no end sleeps while there is room or a record.
 */
#include "explored.h"

#define NAME  "explored"
#define SIZE  8
#define ENDS  2
#define LIMIT 4 /* records */

static struct kymo_writer *writers[ENDS], fresh_writers[ENDS];
static struct kymo_consumer *consumers[ENDS], fresh_consumers[ENDS];
static uint64_t popped[LIMIT]; /* by record number: how often it was received */
static uint64_t pushed;

static int writer_count(const struct explore_scenario *scenario)
{
    return scenario->kind & KYMO_SHARED_WRITER ? ENDS : 1;
}

static int consumer_count(const struct explore_scenario *scenario)
{
    return scenario->kind & KYMO_SHARED_CONSUMER ? ENDS : 1;
}

static void share_writer(const struct kymo_writer *writer)
{
    const struct kymo_segment *segment = writer->segment;

    if (writer == writers[0]) {
        explored_share_ring(&writer->ring, writer->bell);
        explore_share(segment->map + segment->header.consumer_offset,
                      sizeof(*consumers[0]->control));
        explore_share(segment->map + segment->header.consumer_bell_offset,
                      sizeof(*consumers[0]->bell));
        return;
    }
    explored_share_again(&writer->ring, &writers[0]->ring);
    explore_alias(writer->bell, writers[0]->bell);
    explore_alias(segment->map + segment->header.consumer_offset,
                  writers[0]->segment->map + segment->header.consumer_offset);
    explore_alias(segment->map + segment->header.consumer_bell_offset,
                  writers[0]->segment->map + segment->header.consumer_bell_offset);
}

static void share_consumer(const struct kymo_consumer *consumer)
{
    const struct kymo_segment *segment = consumer->segment;

    explored_share_again(&consumer->ring, &writers[0]->ring);
    explore_alias(segment->map + segment->header.bell_offset, writers[0]->bell);
    explore_alias(consumer->control, writers[0]->segment->map + segment->header.consumer_offset);
    explore_alias(consumer->bell, writers[0]->segment->map + segment->header.consumer_bell_offset);
}

/* With `history` records in it. */
static void open_queue(const struct explore_scenario *scenario)
{
    const struct kymo_options options = {.kind = KYMO_QUEUE,
                                         .depth = scenario->depth,
                                         .size = SIZE,
                                         .flags = (uint32_t)scenario->kind};

    for (int i = 0; i < writer_count(scenario); i++) {
        if (kymo_writer_open(&writers[i], NAME, &options) != 0)
            explore_fail("no writer");
        share_writer(writers[i]);
    }
    for (int i = 0; i < consumer_count(scenario); i++) {
        if (kymo_consumer_open(&consumers[i], NAME) != 0)
            explore_fail("no consumer");
        share_consumer(consumers[i]);
        fresh_consumers[i] = *consumers[i];
    }
    for (uint64_t i = 0; i < scenario->history; i++)
        if (kymo_queue_push(writers[0], &i, SIZE, 1, i, 0) != 0)
            explore_fail("not pushed");
    for (int i = 0; i < writer_count(scenario); i++)
        fresh_writers[i] = *writers[i];
}

static void reset(const struct explore_scenario *scenario)
{
    for (int i = 0; i < writer_count(scenario); i++)
        *writers[i] = fresh_writers[i];
    for (int i = 0; i < consumer_count(scenario); i++)
        *consumers[i] = fresh_consumers[i];
    memset(popped, 0, sizeof(popped));
    pushed = 0;
}

static void close_queue(const struct explore_scenario *scenario)
{
    reset(scenario);
    for (int i = 0; i < consumer_count(scenario); i++)
        kymo_consumer_close(consumers[i]);
    for (int i = writer_count(scenario) - 1; i > 0; i--)
        kymo_writer_close(writers[i]);
    kymo_writer_remove(writers[0]);
}

static void push(struct kymo_writer *writer, uint64_t number)
{
    const int error = kymo_queue_push(writer, &number, SIZE, 1, number, KYMO_FOREVER);

    if (error)
        explore_fail("push: error %d", error);
    pushed++;
}

/* Returns the record's number. */
static uint64_t pop(struct kymo_consumer *consumer)
{
    struct kymo_record record = {0};
    uint64_t number = LIMIT;
    const int error = kymo_queue_pop(consumer, &number, SIZE, &record, KYMO_FOREVER);

    if (error)
        explore_fail("pop: error %d", error);
    if (number >= LIMIT || record.tag != number || popped[number]++ > 0)
        explore_fail("popped %d as %d", (int)number, (int)record.tag);
    return number;
}

static void push_first(const struct explore_scenario *scenario)
{
    for (uint64_t i = 0; i < scenario->records; i++)
        push(writers[0], scenario->history + i);
}

static void push_second(const struct explore_scenario *scenario)
{
    for (uint64_t i = 0; i < scenario->records; i++)
        push(writers[1], scenario->history + scenario->records + i);
}

static void pop_first(const struct explore_scenario *scenario)
{
    for (uint64_t i = 0; i < scenario->tries; i++)
        pop(consumers[0]);
}

static void pop_second(const struct explore_scenario *scenario)
{
    for (uint64_t i = 0; i < scenario->tries; i++)
        pop(consumers[1]);
}

/* The remaining records are in the queue. */
static const char *finish(const struct explore_scenario *scenario)
{
    const uint64_t head = explore_newest(&writers[0]->ring.control->head);
    const uint64_t tail = explore_newest(&consumers[0]->control->tail);
    uint64_t count = 0;

    for (int i = 0; i < LIMIT; i++)
        count += popped[i];
    if (tail != count)
        return "a record was not consumed";
    return head == scenario->history + pushed ? NULL : "a record was lost";
}

#define SHARED(name_, bound_, ...)                                                            \
    {                                                                                         \
        .name = name_, .bound = bound_, .open = open_queue, .reset = reset, .finish = finish, \
        .close = close_queue, __VA_ARGS__                                                     \
    }

const struct explore_scenario explored_shared[] = {
    SHARED("pop both", "4 records, 2 consumers that pop 2 each", .kind = KYMO_SHARED_CONSUMER,
           .body = {pop_first, pop_second}, .depth = 4, .history = 4, .tries = 2),
    SHARED("push both", "2 producers that push 2 each", .kind = KYMO_SHARED_WRITER,
           .body = {push_first, push_second}, .depth = 4, .records = 2),
    SHARED("push and pop shared", "2 records, depth 2, 1 of several producers and consumers each",
           .kind = KYMO_SHARED_WRITER | KYMO_SHARED_CONSUMER, .body = {push_first, pop_first},
           .depth = 2, .records = 2, .tries = 2),
    SHARED("push and pop both", "1 record, 1 more pushed, 2 consumers that pop 1 each",
           .kind = KYMO_SHARED_CONSUMER, .body = {pop_first, pop_second, push_first}, .depth = 2,
           .history = 1, .records = 1, .tries = 1),
    {.name = NULL},
};
