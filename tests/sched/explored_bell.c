/*
 * explored_bell.c - waiters concurrent with a writer that publishes and retires its generation: no waiter misses either (promises D and I), also with two threads of one reader in their first wait.
 */
#include "stress/checked.h"

#include "explored.h"

#define NAME "explored"
#define SIZE 8

static struct kymo_writer *writer, fresh;
static struct kymo_reader *readers[EXPLORE_THREADS - 1];
static struct kymo_bell *bell; /* mapped by the first reader */

static struct kymo_reader *open_reader(void)
{
    struct kymo_reader *reader;
    int may_write;

    if (kymo_reader_open(&reader, NAME) != 0)
        explore_fail("no reader");
    /* The first wait maps the bell; this is not part of an execution. */
    kymo_mapping_bell(reader->segment, &may_write);
    explored_share_again(&reader->ring, &writer->ring);
    explore_alias(reader->segment->bell, writer->bell);
    explore_alias(reader->segment->map + reader->segment->header.bell_offset, writer->bell);
    return reader;
}

static void wait_second(const struct explore_scenario *scenario);

static int reader_count(const struct explore_scenario *scenario)
{
    return scenario->body[2] == wait_second ? 2 : 1;
}

static void open_segment(const struct explore_scenario *scenario)
{
    const struct kymo_options options = {.depth = scenario->depth,
                                         .size = SIZE,
                                         .wake_policy = (enum kymo_wake_policy)scenario->kind};

    if (kymo_writer_open(&writer, NAME, &options) != 0)
        explore_fail("no writer");
    fresh = *writer;
    explored_share_ring(&writer->ring, writer->bell);
    explored_map = writer->segment->map;
    for (int i = 0; i < reader_count(scenario); i++)
        readers[i] = open_reader();
    bell = readers[0]->segment->bell;
}

/* With wake=always, the waiter maps the bell read-only. */
static void reset(const struct explore_scenario *scenario)
{
    *writer = fresh;
    if (scenario->kind == KYMO_WAKE_ALWAYS)
        readers[0]->segment->bell = NULL;
}

static void close_segment(const struct explore_scenario *scenario)
{
    readers[0]->segment->bell = bell;
    for (int i = 0; i < reader_count(scenario); i++)
        kymo_reader_close(readers[i]);
    *writer = fresh;
    kymo_writer_remove(writer);
}

static void publish(const struct explore_scenario *scenario)
{
    unsigned char buffer[SIZE];

    for (uint64_t i = 0; i < scenario->records; i++)
        if (checked_publish(writer, buffer) != 0)
            explore_fail("a record was not published");
}

static void publish_and_retire(const struct explore_scenario *scenario)
{
    const struct kymo_retirement retirement = {.map = writer->segment->map,
                                               .header = writer->segment->header};

    publish(scenario);
    kymo_retirement_commit(&retirement);
}

/* One reader of two threads, whose bell is not mapped yet. */
static void open_unmapped(const struct explore_scenario *scenario)
{
    open_segment(scenario);
    explored_kernel_begin();
    explore_share(&readers[0]->segment->bell_tried, 4);
    explore_watch(&readers[0]->segment->bell, sizeof(readers[0]->segment->bell));
}

static void reset_unmapped(const struct explore_scenario *scenario)
{
    reset(scenario);
    readers[0]->segment->bell = NULL;
    readers[0]->segment->bell_tried = 0;
}

static void close_unmapped(const struct explore_scenario *scenario)
{
    readers[0]->segment->bell_tried = 1;
    explored_kernel_end();
    close_segment(scenario);
}

/* Waits for all records, or for the end of the generation. */
static void wait_for_all(const struct explore_scenario *scenario, struct kymo_reader *reader)
{
    const int retires = scenario->body[0] == publish_and_retire;
    uint64_t seen = 0;
    int error = 0;

    while (!error && (retires || seen < scenario->records)) {
        error = kymo_ring_wait(reader, seen, KYMO_FOREVER);
        if (!error)
            seen = explore_known(&reader->ring.control->head);
    }
    if (error != (retires ? -EIDRM : 0))
        explore_fail("the wait ended with %d", error);
    if (seen != scenario->records)
        explore_fail("the wait ended at %d of %d", (int)seen, (int)scenario->records);
}

static void wait_first(const struct explore_scenario *scenario)
{
    wait_for_all(scenario, readers[0]);
}

static void wait_second(const struct explore_scenario *scenario)
{
    wait_for_all(scenario, readers[1]);
}

#define BELL(name_, bound_, ...)                                              \
    {                                                                         \
        .name = name_, .bound = bound_, .open = open_segment, .reset = reset, \
        .close = close_segment, .depth = 2, __VA_ARGS__                       \
    }

const struct explore_scenario explored_bell[] = {
    BELL("wait", "2 records, 1 waiter", .body = {publish, wait_first}, .records = 2),
    BELL("wait both", "1 record, 2 waiters", .body = {publish, wait_first, wait_second},
         .records = 1),
    BELL("wait, read-only", "2 records, 1 waiter that may not write", .body = {publish, wait_first},
         .records = 2, .kind = KYMO_WAKE_ALWAYS),
    BELL("retire, read-only", "the end, 1 waiter that may not write",
         .body = {publish_and_retire, wait_first}, .kind = KYMO_WAKE_ALWAYS),
    BELL("retire", "the end, 1 waiter", .body = {publish_and_retire, wait_first}),
    BELL("publish and retire", "1 record, then the end, 1 waiter",
         .body = {publish_and_retire, wait_first}, .records = 1),
    {.name = "first wait",
     .bound = "1 record, 2 threads that wait with one reader, for the first time",
     .open = open_unmapped,
     .reset = reset_unmapped,
     .close = close_unmapped,
     .depth = 2,
     .body = {publish, wait_first, wait_first},
     .records = 1},
    {.name = NULL},
};
