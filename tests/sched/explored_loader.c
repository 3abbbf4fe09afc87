/*
 * explored_loader.c - a loader's thread, concurrent with threads that pin snapshots: no pinned buffer is written, and a waiter for the next snapshot is woken.
 */
#include "../../core/src/loader.c"

#include "stress/checked.h"

#include "explored.h"

#define SIZE    8
#define DEPTH   2
#define STRIDE  64
#define BUFFERS 3

/* The ring is private to the loader: reading it is not explored here. */
static struct {
    struct kymo_control control;
    struct kymo_bell bell;
    uint64_t times[DEPTH];
    _Alignas(64) unsigned char slots[DEPTH * STRIDE];
} memory;

static struct kymo_writer writer, fresh_writer;
static struct kymo_reader reader;
static struct kymo_loader loader, fresh_loader;
static uint64_t payloads[BUFFERS];

static void open_loader(const struct explore_scenario *scenario)
{
    (void)scenario;
    memset(&memory, 0, sizeof(memory));
    memset(&loader, 0, sizeof(loader));
    writer = (struct kymo_writer){.ring = {.slots = memory.slots,
                                           .times = memory.times,
                                           .control = &memory.control,
                                           .mask = DEPTH - 1,
                                           .stride = STRIDE,
                                           .size = SIZE},
                                  .bell = &memory.bell,
                                  .limit = KYMO_POSITION_LIMIT};
    reader.ring = writer.ring;
    loader.reader = &reader;
    loader.max_buffers = BUFFERS;
    explore_share(&loader.newest, 8);
    explore_share(&loader.bell.word, 4);
    for (int i = 0; i < BUFFERS; i++) {
        loader.buffers[i].payload = &payloads[i];
        loader.buffers[i].size = SIZE;
        explore_share(&loader.buffers[i].pins, 4);
    }
    explore_share(payloads, sizeof(payloads));
    fresh_writer = writer;
    fresh_loader = loader;
}

static void reset(const struct explore_scenario *scenario)
{
    (void)scenario;
    memset(&memory, 0, sizeof(memory));
    writer = fresh_writer;
    loader = fresh_loader;
}

static void load_all(const struct explore_scenario *scenario)
{
    unsigned char buffer[SIZE];

    for (uint64_t i = 0; i < scenario->records; i++) {
        int error;

        checked_publish(&writer, buffer);
        error = load(&loader);
        if (error && error != -EBUSY)
            explore_fail("load: error %d", error);
    }
}

static void check(const struct kymo_snapshot *snapshot)
{
    const uint64_t payload = explore_plain_read(snapshot->payload);
    const char *fault = checked_fault(&snapshot->record, &payload, SIZE);

    if (fault)
        explore_fail("record %d is not what was loaded: %s", (int)snapshot->record.pos, fault);
}

static void pin_some(const struct explore_scenario *scenario)
{
    for (uint64_t i = 0; i < scenario->tries; i++) {
        struct kymo_snapshot snapshot = {0};
        const int error = kymo_loader_pin(&loader, &snapshot);

        if (error && error != -ENODATA && error != -EAGAIN)
            explore_fail("pin: error %d", error);
        if (error)
            continue;
        check(&snapshot);
        kymo_loader_unpin(&loader, &snapshot);
    }
}

static void pin_next(const struct explore_scenario *scenario)
{
    uint64_t seen = 0;

    while (seen < scenario->records) {
        struct kymo_snapshot snapshot = {0};
        const int error = kymo_loader_pin_wait(&loader, seen, KYMO_FOREVER, &snapshot);

        if (error == -EAGAIN)
            continue;
        if (error)
            explore_fail("pin_wait: error %d", error);
        check(&snapshot);
        seen = snapshot.load;
        kymo_loader_unpin(&loader, &snapshot);
    }
}

static const char *finish(const struct explore_scenario *scenario)
{
    (void)scenario;
    for (int i = 0; i < BUFFERS; i++)
        if (explore_newest(&loader.buffers[i].pins) != 0)
            return "a buffer stays pinned";
    return NULL;
}

#define LOADER(name_, bound_, ...)                                                             \
    {                                                                                          \
        .name = name_, .bound = bound_, .open = open_loader, .reset = reset, .finish = finish, \
        __VA_ARGS__                                                                            \
    }

const struct explore_scenario explored_loader[] = {
    LOADER("pin", "4 loads, 2 pins, 3 buffers", .body = {load_all, pin_some}, .records = 4,
           .tries = 2),
    LOADER("pin once", "1 load, 2 pins, 3 buffers", .body = {load_all, pin_some}, .records = 1,
           .tries = 2),
    LOADER("pin both", "3 loads, 2 that pin once, 3 buffers",
           .body = {load_all, pin_some, pin_some}, .records = 3, .tries = 1),
    LOADER("pin and wait", "2 loads, 1 that waits, 3 buffers", .body = {load_all, pin_next},
           .records = 2),
    {.name = NULL},
};
