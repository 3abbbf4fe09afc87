/*
 * explored_queue.c - both ends of a queue that wraps: every record arrives once, complete and in order, and no end sleeps while there is room or a record.
 */
#include "stress/checked.h"

#include "explored.h"

#define NAME "explored"
#define SIZE 8

static struct kymo_writer *writer, fresh_writer;
static struct kymo_consumer *consumer, fresh_consumer;

static void open_queue(const struct explore_scenario *scenario)
{
    const struct kymo_options options = {.kind = KYMO_QUEUE,
                                         .depth = scenario->depth,
                                         .size = SIZE};

    if (kymo_writer_open(&writer, NAME, &options) != 0 || kymo_consumer_open(&consumer, NAME) != 0)
        explore_fail("no queue");
    explored_map = writer->segment->map;
    fresh_writer = *writer;
    fresh_consumer = *consumer;
    explored_share_ring(&writer->ring, writer->bell);
    explore_share(consumer->control, sizeof(*consumer->control));
    explore_share(consumer->bell, sizeof(*consumer->bell));
    explored_share_again(&consumer->ring, &writer->ring);
    explore_alias(consumer->segment->map + consumer->segment->header.bell_offset, writer->bell);
    explore_alias(writer->segment->map + writer->segment->header.consumer_offset,
                  consumer->control);
    explore_alias(writer->segment->map + writer->segment->header.consumer_bell_offset,
                  consumer->bell);
}

static void reset(const struct explore_scenario *scenario)
{
    (void)scenario;
    *writer = fresh_writer;
    *consumer = fresh_consumer;
}

static void close_queue(const struct explore_scenario *scenario)
{
    reset(scenario);
    kymo_consumer_close(consumer);
    kymo_writer_remove(writer);
}

static void check(const struct kymo_record *record, const void *payload, uint64_t pos)
{
    const char *fault = checked_fault(record, payload, SIZE);

    if (record->pos != pos)
        explore_fail("record %d instead of %d", (int)record->pos, (int)pos);
    if (fault)
        explore_fail("a torn record at %d: %s", (int)pos, fault);
}

static void produce(const struct explore_scenario *scenario)
{
    unsigned char buffer[SIZE];
    int error;

    for (uint64_t i = 0; i < scenario->records; i++) {
        while ((error = checked_publish(writer, buffer)) == -EAGAIN)
            explore_await(&consumer->control->tail);
        if (error)
            explore_fail("publish: error %d", error);
    }
}

static void consume(const struct explore_scenario *scenario)
{
    for (uint64_t pos = 0; pos < scenario->records; pos++) {
        struct kymo_record record = {0};
        unsigned char buffer[SIZE];
        int error;

        while ((error = kymo_queue_receive(consumer, buffer, SIZE, &record)) == -ENODATA)
            explore_await(&consumer->ring.control->head);
        if (error)
            explore_fail("receive: error %d", error);
        check(&record, buffer, pos);
        kymo_queue_acknowledge(consumer);
    }
}

/* A record read in place is not overwritten before it is acknowledged: no store may race with the read. */
static void consume_in_place(const struct explore_scenario *scenario)
{
    for (uint64_t pos = 0; pos < scenario->records; pos++) {
        struct kymo_view view = {0};
        uint64_t payload;
        int error;

        while ((error = kymo_queue_receive_view(consumer, &view)) == -ENODATA)
            explore_await(&consumer->ring.control->head);
        if (error)
            explore_fail("receive: error %d", error);
        payload = explore_plain_read(view.payload);
        check(&view.record, &payload, pos);
        kymo_queue_acknowledge(consumer);
    }
}

static void push(const struct explore_scenario *scenario)
{
    unsigned char buffer[SIZE];

    for (uint64_t pos = 0; pos < scenario->records; pos++) {
        int error;

        checked_fill(buffer, pos, SIZE);
        error = kymo_queue_push(writer, buffer, checked_len(pos, SIZE), checked_time(pos),
                                checked_tag(pos), KYMO_FOREVER);
        if (error)
            explore_fail("push: error %d", error);
    }
}

static void pop(const struct explore_scenario *scenario)
{
    for (uint64_t pos = 0; pos < scenario->records; pos++) {
        struct kymo_record record = {0};
        unsigned char buffer[SIZE];
        const int error = kymo_queue_pop(consumer, buffer, SIZE, &record, KYMO_FOREVER);

        if (error)
            explore_fail("pop: error %d", error);
        check(&record, buffer, pos);
    }
}

static void push_and_retire(const struct explore_scenario *scenario)
{
    const struct kymo_retirement retirement = {.map = writer->segment->map,
                                               .header = writer->segment->header};

    push(scenario);
    kymo_retirement_commit(&retirement);
}

static void pop_to_the_end(const struct explore_scenario *scenario)
{
    struct kymo_record record = {0};
    unsigned char buffer[SIZE];
    int error;

    pop(scenario);
    error = kymo_queue_pop(consumer, buffer, SIZE, &record, KYMO_FOREVER);
    if (error != -EIDRM)
        explore_fail("pop: %d at the end", error);
}

#define QUEUE(name_, bound_, ...)                                                                 \
    {                                                                                             \
        .name = name_, .bound = bound_, .open = open_queue, .reset = reset, .close = close_queue, \
        .depth = 2, __VA_ARGS__                                                                   \
    }

const struct explore_scenario explored_queue[] = {
    QUEUE("queue", "5 records, depth 2", .body = {produce, consume}, .records = 5),
    QUEUE("in place", "5 records, depth 2", .body = {produce, consume_in_place}, .records = 5),
    QUEUE("push and pop", "3 records, depth 2", .body = {push, pop}, .records = 3),
    QUEUE("pop and retire", "1 record, then the end", .body = {push_and_retire, pop_to_the_end},
          .records = 1),
    {.name = NULL},
};
