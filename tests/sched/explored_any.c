/*
 * explored_any.c - a waiter for several rings, concurrent with the writer of each: it misses no record and no end of a generation (promises D and I).
 */
#include "stress/checked.h"

#include "explored.h"

#define SIZE  8
#define RINGS 2

static const char *const names[RINGS] = {"explored-one", "explored-other"};
static struct kymo_writer *writers[RINGS], fresh[RINGS];
static struct kymo_reader *readers[RINGS];
static struct kymo_bell *bells[RINGS]; /* mapped by the readers */

static void open_ring(const struct explore_scenario *scenario, int number)
{
    const struct kymo_options options = {.depth = scenario->depth,
                                         .size = SIZE,
                                         .wake_policy = (enum kymo_wake_policy)scenario->kind};
    struct kymo_writer *writer;
    struct kymo_reader *reader;
    int may_write;

    if (kymo_writer_open(&writers[number], names[number], &options) != 0 ||
        kymo_reader_open(&readers[number], names[number]) != 0)
        explore_fail("no ring");
    writer = writers[number];
    reader = readers[number];
    fresh[number] = *writer;
    /* The first wait maps the bell; this is not part of an execution. */
    kymo_mapping_bell(reader->segment, &may_write);
    bells[number] = reader->segment->bell;
    explored_share_ring(&writer->ring, writer->bell);
    explored_share_again(&reader->ring, &writer->ring);
    explore_alias(bells[number], writer->bell);
    explore_alias(reader->segment->map + reader->segment->header.bell_offset, writer->bell);
}

static void open_rings(const struct explore_scenario *scenario)
{
    for (int i = 0; i < RINGS; i++)
        open_ring(scenario, i);
    explored_map = writers[1]->segment->map;
}

/* With wake=always, the waiter maps the bells read-only. */
static void reset(const struct explore_scenario *scenario)
{
    for (int i = 0; i < RINGS; i++) {
        *writers[i] = fresh[i];
        readers[i]->segment->bell = scenario->kind == KYMO_WAKE_ALWAYS ? NULL : bells[i];
    }
}

static void close_rings(const struct explore_scenario *scenario)
{
    (void)scenario;
    for (int i = 0; i < RINGS; i++) {
        readers[i]->segment->bell = bells[i];
        kymo_reader_close(readers[i]);
        *writers[i] = fresh[i];
        kymo_writer_remove(writers[i]);
    }
}

static void publish(const struct explore_scenario *scenario, int number)
{
    unsigned char buffer[SIZE];

    for (uint64_t i = 0; i < scenario->records; i++)
        if (checked_publish(writers[number], buffer) != 0)
            explore_fail("a record was not published");
}

static void publish_first(const struct explore_scenario *scenario)
{
    publish(scenario, 0);
}

static void publish_second(const struct explore_scenario *scenario)
{
    publish(scenario, 1);
}

static void retire_second(const struct explore_scenario *scenario)
{
    const struct kymo_retirement retirement = {.map = writers[1]->segment->map,
                                               .header = writers[1]->segment->header};

    (void)scenario;
    kymo_retirement_commit(&retirement);
}

static int wait_once(uint64_t seen[RINGS])
{
    const int found =
        kymo_ring_wait_any((const struct kymo_reader *const *)readers, seen, RINGS, KYMO_FOREVER);
    uint64_t head;

    if (found < 0)
        return found;
    head = kymo_ring_head(&readers[found]->ring);
    if (head <= seen[found])
        explore_fail("nothing new in ring %d", found);
    seen[found] = head;
    return found;
}

/* Waits for all records of both. */
static void wait_for_both(const struct explore_scenario *scenario)
{
    uint64_t seen[RINGS] = {0, 0};

    while (seen[0] < scenario->records || seen[1] < scenario->records)
        if (wait_once(seen) < 0)
            explore_fail("the wait failed");
}

/* Waits until the second ring ends; the first ring's record is published before the wait, or never. */
static void wait_for_end(const struct explore_scenario *scenario)
{
    uint64_t seen[RINGS] = {0, 0};
    int found;

    do
        found = wait_once(seen);
    while (found == 0);
    if (found != -EIDRM)
        explore_fail("the wait ended with %d", found);
    if (seen[0] > scenario->records || seen[1] != 0)
        explore_fail("the wait saw %d and %d records", (int)seen[0], (int)seen[1]);
}

#define ANY(name_, bound_, ...)                                                                   \
    {                                                                                             \
        .name = name_, .bound = bound_, .open = open_rings, .reset = reset, .close = close_rings, \
        .depth = 2, .records = 1, __VA_ARGS__                                                     \
    }

const struct explore_scenario explored_any[] = {
    ANY("wait any", "2 rings, 1 record each, 1 waiter",
        .body = {publish_first, publish_second, wait_for_both}),
    ANY("wait any, read-only", "2 rings, 1 record each, 1 waiter that may not write",
        .body = {publish_first, publish_second, wait_for_both}, .kind = KYMO_WAKE_ALWAYS),
    ANY("wait any for the end", "2 rings, 1 record of one, the end of the other, 1 waiter",
        .body = {publish_first, retire_second, wait_for_end}),
    {.name = NULL},
};
