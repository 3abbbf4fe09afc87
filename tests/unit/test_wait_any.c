/*
 * test_wait_any.c - blocking on several rings at once: a record of each wakes, and a timeout is
 * never early, also under signals (promises D and E).
 */
#include "interrupted.h"
#include "proc/process.h"
#include "unit.h"

#include <pthread.h>

#define MILLISECOND UINT64_C(1000000)

struct rings {
    size_t count;
    struct kymo_writer *writers[KYMO_WAIT_LIMIT];
    struct kymo_reader *readers[KYMO_WAIT_LIMIT];
    uint64_t seen[KYMO_WAIT_LIMIT];
};

static const struct kymo_reader *const *readers_of(const struct rings *rings)
{
    return (const struct kymo_reader *const *)rings->readers;
}

static int wait_any(const struct rings *rings, uint64_t deadline)
{
    return kymo_ring_wait_any(readers_of(rings), rings->seen, rings->count, deadline);
}

static void open_rings(struct rings *rings, size_t count)
{
    char name[32];

    *rings = (struct rings){.count = count};
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "any.%u", (unsigned int)i);
        rings->writers[i] = unit_writer_of_depth(name, 4);
        rings->readers[i] = unit_reader(name);
    }
}

static void close_rings(struct rings *rings)
{
    for (size_t i = 0; i < rings->count; i++) {
        kymo_reader_close(rings->readers[i]);
        cr_assert_eq(kymo_writer_remove(rings->writers[i]), 0);
    }
}

static const size_t counts[] = {1, 2, KYMO_WAIT_LIMIT};

/* ---- without sleeping ---- */

Test(wait_any, polls_with_past_deadline)
{
    struct rings rings;

    for (int i = 0; i < 3; i++) {
        open_rings(&rings, counts[i]);
        cr_assert_eq(wait_any(&rings, 0), -ETIMEDOUT);
        for (size_t ring = counts[i]; ring-- > 0;) {
            unit_publish(rings.writers[ring], 1);
            cr_assert_eq(wait_any(&rings, 0), (int)ring, "the lowest index with a new record");
            cr_assert_eq(wait_any(&rings, KYMO_FOREVER), (int)ring);
        }
        for (size_t ring = 0; ring < counts[i]; ring++) {
            cr_assert_eq(wait_any(&rings, KYMO_FOREVER), (int)ring);
            rings.seen[ring] = 1;
        }
        cr_assert_eq(wait_any(&rings, 0), -ETIMEDOUT);
        close_rings(&rings);
    }
}

Test(wait_any, takes_one_to_128_rings)
{
    static const struct kymo_reader *readers[KYMO_WAIT_LIMIT + 1];
    static uint64_t seen[KYMO_WAIT_LIMIT + 1];
    struct rings rings;

    open_rings(&rings, 1);
    for (int i = 0; i <= KYMO_WAIT_LIMIT; i++)
        readers[i] = rings.readers[0];
    cr_assert_eq(kymo_ring_wait_any(readers, seen, 0, KYMO_FOREVER), -EINVAL);
    cr_assert_eq(kymo_ring_wait_any(readers, seen, KYMO_WAIT_LIMIT + 1, KYMO_FOREVER), -EINVAL);
    cr_assert_eq(kymo_ring_wait_any(readers, seen, KYMO_WAIT_LIMIT, 0), -ETIMEDOUT);
    cr_assert_eq(kymo_ring_wait_any(readers, seen, KYMO_WAIT_LIMIT,
                                    kymo_clock_now(KYMO_MONOTONIC) + MILLISECOND),
                 -ETIMEDOUT, "one ring may be passed repeatedly");
    close_rings(&rings);
}

/* ---- woken ---- */

struct waiting {
    const struct rings *rings;
    int result;
};

static void *wait_in_thread(void *context)
{
    struct waiting *waiting = context;

    waiting->result = wait_any(waiting->rings, KYMO_FOREVER);
    return NULL;
}

/* Waits for the waiter bit of that ring's bell. */
static void await_sleeper(const struct kymo_writer *writer)
{
    for (int tries = 0; tries < 300000; tries++) {
        if (kymo_load_ordered32(&writer->bell->word) & KYMO_BELL_WAITING)
            return;
        usleep(100);
    }
    cr_assert_fail("no waiter");
}

static void wake_by(const struct rings *rings, size_t ring)
{
    struct waiting waiting = {.rings = rings, .result = -1};
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, wait_in_thread, &waiting), 0);
    await_sleeper(rings->writers[rings->count - 1]);
    unit_publish(rings->writers[ring], 1);
    pthread_join(thread, NULL);
    cr_assert_eq(waiting.result, (int)ring);
}

Test(wait_any, is_woken_by_each)
{
    struct rings rings;

    for (int i = 0; i < 3; i++) {
        open_rings(&rings, counts[i]);
        for (size_t ring = 0; ring < counts[i]; ring += 1 + counts[i] / 7) {
            wake_by(&rings, ring);
            rings.seen[ring]++;
        }
        close_rings(&rings);
    }
}

Test(wait_any, is_woken_when_a_generation_ends)
{
    struct waiting waiting = {.result = -1};
    struct rings rings;
    pthread_t thread;

    open_rings(&rings, 3);
    waiting.rings = &rings;
    cr_assert_eq(pthread_create(&thread, NULL, wait_in_thread, &waiting), 0);
    await_sleeper(rings.writers[2]);
    cr_assert_eq(kymo_writer_remove(rings.writers[1]), 0);
    pthread_join(thread, NULL);
    cr_assert_eq(waiting.result, -EIDRM);
    cr_assert_eq(wait_any(&rings, 0), -EIDRM);
    /* Existing records count: the first ring has one, and is returned first. */
    unit_publish(rings.writers[0], 1);
    cr_assert_eq(wait_any(&rings, 0), 0);
    rings.writers[1] = unit_writer_of_depth("any.1", 4);
    close_rings(&rings);
}

/* A retired ring with records: a wait returns these, then -EIDRM. */
Test(wait_any, returns_records_of_retired_ring)
{
    struct rings rings;

    open_rings(&rings, 2);
    unit_publish(rings.writers[1], 2);
    cr_assert_eq(kymo_writer_remove(rings.writers[1]), 0);
    cr_assert_eq(wait_any(&rings, KYMO_FOREVER), 1);
    rings.seen[1] = 2;
    cr_assert_eq(wait_any(&rings, KYMO_FOREVER), -EIDRM);
    rings.writers[1] = unit_writer_of_depth("any.1", 4);
    close_rings(&rings);
}

/* ---- deadlines ---- */

/* Waits that time out under a signal each millisecond, never before the deadline. */
Test(wait_any, keeps_its_deadline_through_signals)
{
    struct rings rings;

    for (int i = 0; i < 3; i++) {
        open_rings(&rings, counts[i]);
        interrupt_every_ms(1);
        for (uint64_t round = 1; round <= 25; round++) {
            const uint64_t deadline = kymo_clock_now(KYMO_MONOTONIC) + round * MILLISECOND / 2;

            cr_assert_eq(wait_any(&rings, deadline), -ETIMEDOUT);
            cr_assert_geq(kymo_clock_now(KYMO_MONOTONIC), deadline);
        }
        interrupt_every_ms(0);
        close_rings(&rings);
    }
    cr_assert_gt(interruptions, 0);
}

/* ---- readers that may not write the bell (promise B) ---- */

static uint32_t *timed_out; /* shared: the first wait of wait_readonly() has ended */

/* Runs as a user who may only read the segments; root may always write. */
static int wait_readonly(void *context)
{
    struct rings *rings = context;
    const uint64_t began = kymo_clock_now(KYMO_MONOTONIC);

    if (setgid(65534) != 0 || setuid(65534) != 0) {
        process_store(timed_out, 1);
        return 77;
    }
    for (size_t i = 0; i < rings->count; i++) {
        char name[32];

        snprintf(name, sizeof(name), "any.%u", (unsigned int)i);
        if (kymo_reader_open(&rings->readers[i], name) != 0)
            return 1;
    }
    if (wait_any(rings, began + 5 * MILLISECOND) != -ETIMEDOUT)
        return 2;
    if (kymo_clock_now(KYMO_MONOTONIC) < began + 5 * MILLISECOND)
        return 3;
    process_store(timed_out, 1);
    return wait_any(rings, KYMO_FOREVER) == 2 ? 0 : 4;
}

Test(wait_any, works_without_write_permission)
{
    struct rings rings;
    char path[UNIT_PATH];
    int status = 0;
    pid_t readonly_reader;

    open_rings(&rings, 4);
    for (int i = 0; i < 4; i++) {
        char name[32];

        snprintf(name, sizeof(name), "any.%d", i);
        cr_assert_eq(chmod(unit_path(name, path), 0644), 0);
    }
    timed_out = process_share(sizeof(*timed_out));
    readonly_reader = process_start(wait_readonly, &rings);
    process_await(timed_out, 1);
    unit_publish(rings.writers[2], 1);
    status = process_wait(readonly_reader);
    close_rings(&rings);
    if (status == 77)
        cr_skip_test("cannot become another user");
    cr_assert_eq(status, 0);
}
