/*
 * explored_guard.c - the table of guarded mappings, concurrent with the signal handler that reads it: an entry or a chunk is complete or absent.
 */
#include "../../core/src/guard.c"

#include "explored.h"

/* The rest of an entry is private to the table's owner. */
#define SHARED_BYTES offsetof(struct kymo_guard_entry, next_free)

static struct chunk second;
static struct chunk *last_before;
static struct kymo_guard_entry *free_before;
static uint32_t marks[2];

/* Uninitialised memory for a new chunk, to be zeroed before its release. */
static void open_table(const struct explore_scenario *scenario)
{
    (void)scenario;
    last_before = last_chunk;
    free_before = first_free;
    memset(&second, 0x55, sizeof(second));
    explore_share(&first_chunk.entries[0], SHARED_BYTES);
    explore_share(&first_chunk.next, 8);
    explore_share(&second.entries[0], SHARED_BYTES);
}

static void reset_table(const struct explore_scenario *scenario)
{
    (void)scenario;
    last_chunk = &first_chunk;
    first_free = NULL;
}

static void close_table(const struct explore_scenario *scenario)
{
    (void)scenario;
    last_chunk = last_before;
    first_free = free_before;
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
    if (!explore_is_running())
        return __real_calloc(count, size);
    kymo_store_relaxed(&second.entries[0].version, 0);
    kymo_store_relaxed(&second.entries[0].begin, 0);
    kymo_store_relaxed(&second.entries[0].end, 0);
    kymo_store_relaxed(&second.entries[0].damaged, 0);
    kymo_store_relaxed(&second.entries[0].writable, 0);
    return &second;
}

static void change_entry(const struct explore_scenario *scenario)
{
    for (uint64_t i = 0; i < scenario->records; i++)
        write_entry(&first_chunk.entries[0], 1000 * (i + 1), 3000 * (i + 1), &marks[i % 2],
                    (int)(i % 2));
}

static void check_entry(const struct explore_scenario *scenario)
{
    for (uint64_t i = 0; i < scenario->tries; i++) {
        struct kymo_guard_entry copy;

        if (read_entry(&first_chunk.entries[0], &copy) && copy.end != 0 &&
            (copy.end != 3 * copy.begin || copy.writable != (copy.begin / 1000 - 1) % 2 ||
             copy.damaged != (uint64_t)(uintptr_t)&marks[copy.writable]))
            explore_fail("a torn entry: %d to %d", (int)copy.begin, (int)copy.end);
    }
}

static void add_chunk(const struct explore_scenario *scenario)
{
    (void)scenario;
    grow();
}

static void check_chunk(const struct explore_scenario *scenario)
{
    const struct chunk *chunk = next_chunk(&first_chunk);
    struct kymo_guard_entry copy;

    (void)scenario;
    if (!chunk)
        return;
    if (!read_entry(&chunk->entries[0], &copy) || copy.version != 0 || copy.end != 0)
        explore_fail("a chunk that is not zeroed");
}

const struct explore_scenario explored_guard[] = {
    {.name = "guard entry",
     .bound = "3 changes, 2 looks",
     .open = open_table,
     .reset = reset_table,
     .close = close_table,
     .body = {change_entry, check_entry},
     .records = 3,
     .tries = 2},
    {.name = "guard chunk",
     .bound = "1 chunk",
     .open = open_table,
     .reset = reset_table,
     .close = close_table,
     .body = {add_chunk, check_chunk}},
    {.name = NULL},
};
