/*
 * explored_lock.c - several writers of one segment, and several consumers of one queue: no position
 * is used twice, none is left out, and whoever waits for the lock is woken.
 */
#include "explored.h"

#define NAME "explored"

static struct kymo_writer *writers[EXPLORE_THREADS], fresh[EXPLORE_THREADS];

static int writer_count(const struct explore_scenario *scenario)
{
    int count = 0;

    while (count < EXPLORE_THREADS && scenario->body[count])
        count++;
    return count;
}

static void open_segment(const struct explore_scenario *scenario)
{
    const struct kymo_options options = {.depth = scenario->depth,
                                         .size = 8,
                                         .flags = KYMO_SHARED_WRITER};

    for (int i = 0; i < writer_count(scenario); i++) {
        if (kymo_writer_open(&writers[i], NAME, &options) != 0)
            explore_fail("no writer");
        kymo_writer_set_patience(writers[i], KYMO_FOREVER);
        fresh[i] = *writers[i];
        if (i == 0) {
            explored_share_ring(&writers[0]->ring, writers[0]->bell);
            continue;
        }
        explored_share_again(&writers[i]->ring, &writers[0]->ring);
        explore_alias(writers[i]->bell, writers[0]->bell);
    }
}

static void reset(const struct explore_scenario *scenario)
{
    for (int i = 0; i < writer_count(scenario); i++)
        *writers[i] = fresh[i];
}

static void close_segment(const struct explore_scenario *scenario)
{
    reset(scenario);
    for (int i = 1; i < writer_count(scenario); i++)
        kymo_writer_close(writers[i]);
    kymo_writer_remove(writers[0]);
}

static void publish(const struct explore_scenario *scenario, int number)
{
    for (uint64_t i = 0; i < scenario->records; i++) {
        const uint64_t tag = (uint64_t)number * 100 + i + 1;
        const int error = kymo_ring_publish(writers[number], &tag, 8, 1, tag);

        if (error)
            explore_fail("publish: error %d", error);
    }
}

static void publish_first(const struct explore_scenario *scenario)
{
    publish(scenario, 0);
}

static void publish_second(const struct explore_scenario *scenario)
{
    publish(scenario, 1);
}

/* The lock alone, and something that it guards. */
static uint64_t guarded;

static void open_lock(const struct explore_scenario *scenario)
{
    open_segment(scenario);
    explore_share(&guarded, sizeof(guarded));
}

static void count(const struct explore_scenario *scenario, int number)
{
    const struct kymo_seat *seat = &writers[number]->segment->seat;

    for (uint64_t i = 0; i < scenario->records; i++) {
        if (kymo_seat_lock(seat, KYMO_FOREVER) != 0)
            explore_fail("not locked");
        explore_plain_write(&guarded, explore_plain_read(&guarded) + 1);
        kymo_seat_unlock(seat);
    }
}

static void count_first(const struct explore_scenario *scenario)
{
    count(scenario, 0);
}

static void count_second(const struct explore_scenario *scenario)
{
    count(scenario, 1);
}

static void count_third(const struct explore_scenario *scenario)
{
    count(scenario, 2);
}

static const char *finish_count(const struct explore_scenario *scenario)
{
    if (explore_newest(&guarded) != scenario->records * (uint64_t)writer_count(scenario))
        return "two held the lock at once";
    return explore_newest(&writers[0]->ring.control->lock) == 0 ? NULL : "the lock is still held";
}

/* Every writer's records are there, once and in the order of its calls. */
static const char *finish(const struct explore_scenario *scenario)
{
    const struct kymo_ring *ring = &writers[0]->ring;
    const uint64_t count = scenario->records * (uint64_t)writer_count(scenario);
    uint64_t next[EXPLORE_THREADS] = {0};

    if (explore_newest(&ring->control->head) != count)
        return "a record was lost";
    for (uint64_t pos = 0; pos < count; pos++) {
        const struct kymo_slot *slot = kymo_ring_slot(ring, pos);
        const uint64_t tag = explore_newest(&slot->tag);
        const uint64_t number = tag / 100;

        if (number >= EXPLORE_THREADS || tag % 100 != ++next[number] ||
            explore_newest(kymo_slot_payload_const(slot)) != tag)
            return "a record was overwritten";
    }
    return explore_newest(&ring->control->lock) == 0 ? NULL : "the lock is still held";
}

#define LOCK(name_, bound_, ...)                                                            \
    {                                                                                       \
        .name = name_, .bound = bound_, .reset = reset, .close = close_segment, .depth = 4, \
        __VA_ARGS__                                                                         \
    }

const struct explore_scenario explored_lock[] = {
    LOCK("lock", "2 writers, 2 records each", .open = open_segment, .finish = finish,
         .body = {publish_first, publish_second}, .records = 2),
    LOCK("lock of three", "3 who take it once", .open = open_lock, .finish = finish_count,
         .body = {count_first, count_second, count_third}, .records = 1),
    {.name = NULL},
};
