/*
 * test_hot.c - hot paths make no system call and allocate nothing (promise J), also publishing while no thread waits (promise D): seccomp's strict mode kills the process at its first system call, and the wrapped allocator makes one.
 *
 * qemu has no such mode: hot_emulated searches its log of system calls after the mark.
 */
#include "typed_imu.h"
#include "unit.h"

#include <kymo/key.h>
#include <kymo/queue.h>
#include <kymo/stats.h>
#include <kymo/value.h>

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define RECORDS 10000

/* ---- a process that may make no system call ---- */

static int is_strict;

/* exit_group is forbidden as well. Not declared _Noreturn: before such a call a sanitizer makes system calls. */
static int leave(int status)
{
    for (volatile int stays = 1; stays;)
        syscall(SYS_exit, status);
    return status;
}

#ifdef KYMO_EMULATED
#define CAUGHT 0

static int be_strict(void)
{
    syscall(SYS_getpgid, 7777);
    is_strict = 1;
    return 1;
}
#else
#define CAUGHT (-SIGKILL)

static int be_strict(void)
{
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
        return 0;
    is_strict = 1;
    return 1;
}
#endif

static void note_allocation(void)
{
    if (is_strict)
        syscall(SYS_getppid);
}

#define WRAP(type, name, parameters, arguments) \
    type __real_##name parameters;              \
    type __wrap_##name parameters;              \
    type __wrap_##name parameters               \
    {                                           \
        note_allocation();                      \
        return __real_##name arguments;         \
    }

WRAP(void *, malloc, (size_t size), (size))
WRAP(void *, calloc, (size_t count, size_t size), (count, size))
WRAP(void *, realloc, (void *block, size_t size), (block, size))
WRAP(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size))

/* ---- the hot paths ---- */

KYMO_KEY_POLICY(hot);

static int publish_all(struct kymo_writer *writer)
{
    struct unit_payload payload = unit_payload(0);
    volatile size_t too_large = 4096; /* volatile: gcc warns of a constant */
    int error = 0;
    void *lent;

    for (uint64_t time = 0; time < RECORDS && !error; time++) {
        error = kymo_ring_publish(writer, &payload, sizeof(payload), time, 0);
        if (!error)
            error = kymo_ring_loan(writer, &lent);
        if (!error)
            error = time % 2 ? kymo_ring_commit(writer, 8, time, 0) : kymo_ring_abort(writer);
    }
    /* Errors are returned without a call, too. */
    error |= kymo_ring_publish(writer, &payload, sizeof(payload), 0, 0) != -EINVAL;
    error |= kymo_ring_publish(writer, &payload, too_large, RECORDS, 0) != -EMSGSIZE;
    return error;
}

static int read_all(const struct kymo_reader *reader)
{
    const uint64_t head = kymo_ring_head(&reader->ring);
    struct kymo_cursor cursor;
    struct unit_payload payload;
    struct kymo_view view;
    uint64_t missed;
    int error = 0;

    kymo_cursor_oldest(&cursor, reader);
    for (uint64_t back = 0; back < kymo_ring_available(&reader->ring) && !error; back++) {
        error |= kymo_ring_latest(reader, &payload, sizeof(payload), NULL);
        error |= kymo_ring_back(reader, back, &payload, sizeof(payload), NULL);
        error |= kymo_ring_at(reader, head - 1 - back, &payload, sizeof(payload), NULL);
        error |= kymo_ring_view(reader, head - 1 - back, &view);
        error |= kymo_ring_view_back(reader, back, &view);
        error |= kymo_ring_view_latest(reader, &view);
        error |= kymo_ring_validate(reader, &view);
        error |= kymo_cursor_next(&cursor, &payload, sizeof(payload), NULL, &missed);
        error |= kymo_ring_wait(reader, 0, KYMO_FOREVER);
        error |= kymo_ring_wait(reader, head - 1, 0);
    }
    error |= kymo_cursor_next(&cursor, &payload, sizeof(payload), NULL, &missed) != -ENODATA;
    kymo_cursor_newest(&cursor, reader);
    error |= kymo_ring_at(reader, head, &payload, sizeof(payload), NULL) != -ENODATA;
    error |= kymo_ring_at(reader, 0, &payload, sizeof(payload), NULL) != -ESTALE;
    error |= kymo_ring_latest(reader, &payload, 1, NULL) != -EMSGSIZE;
    return error;
}

static int query_all(const struct kymo_reader *reader)
{
    const struct hot_key key = {.validated = RECORDS - 1};
    struct unit_payload payload, after;
    struct kymo_bracket bracket;
    struct kymo_range range;
    uint64_t pos, second;
    int error = 0;

    for (uint64_t back = 0; back < kymo_ring_available(&reader->ring) && !error; back++) {
        struct kymo_alignment rows[] = {
            {.reader = reader, .mode = KYMO_ALIGN_CLOSEST, .buffer = &payload},
            {.reader = reader, .mode = KYMO_ALIGN_BRACKET, .buffer = &payload, .after = &after}};

        error |= kymo_series_find_closest(reader, RECORDS - back, KYMO_ANY_DISTANCE, &pos);
        error |=
            kymo_series_closest(reader, RECORDS - back, back + 1, &payload, sizeof(payload), NULL);
        error |= kymo_series_find_as_of(reader, RECORDS - 1, &pos);
        error |= kymo_series_as_of(reader, RECORDS - 1, &payload, sizeof(payload), NULL);
        error |= kymo_series_find_bracket(reader, RECORDS - 1, &pos, &second);
        error |=
            kymo_series_bracket(reader, RECORDS - 1, &payload, &after, sizeof(after), &bracket);
        error |= kymo_series_fresh(reader, 0, &payload, sizeof(payload), NULL);
        error |= kymo_series_range(reader, 0, RECORDS, &range);
        error |= kymo_series_find_tag(reader, 0, &pos);
        error |= hot_key_closest(reader, key, 0, &payload, sizeof(payload), NULL);
        error |= hot_key_as_of(reader, key, &payload, sizeof(payload), NULL);
        error |= hot_key_bracket(reader, key, &payload, &after, sizeof(after), &bracket);
        error |= hot_key_range(reader, key, key, &range);
        for (int i = 0; i < 2; i++) {
            rows[i].size = sizeof(payload);
            rows[i].max_distance = KYMO_ANY_DISTANCE;
        }
        error |= kymo_series_align(rows, 2, RECORDS - 1) != 2;
    }
    error |= kymo_series_closest(reader, UINT64_MAX, 1, &payload, sizeof(payload), NULL) != -ERANGE;
    error |= kymo_series_fresh(reader, UINT64_MAX, &payload, sizeof(payload), NULL) != -ETIME;
    return error;
}

static int count_all(const struct kymo_reader *reader)
{
    struct kymo_stats stats = {0};
    struct kymo_cursor cursor;
    struct unit_payload payload;
    uint64_t missed;
    int error = 0;

    kymo_cursor_oldest(&cursor, reader);
    error |= kymo_stats_latest(reader, &payload, sizeof(payload), NULL, &stats);
    error |= kymo_stats_back(reader, 0, &payload, sizeof(payload), NULL, &stats);
    error |= kymo_stats_cursor_next(&cursor, &payload, sizeof(payload), NULL, &missed, &stats);
    error |= kymo_stats_wait(reader, 0, KYMO_FOREVER, &stats);
    return error;
}

/* Each opens the handles that it needs, then makes the calls in strict mode. */

static int use_a_ring(void *depth)
{
    const struct kymo_options options = {.clock = KYMO_USER,
                                         .depth = *(uint64_t *)depth,
                                         .size = sizeof(struct unit_payload)};
    struct kymo_writer *writer;
    struct kymo_reader *reader;

    if (kymo_writer_open(&writer, "hot", &options) || kymo_reader_open(&reader, "hot"))
        return 2;
    if (!be_strict())
        return 3;
    return leave(publish_all(writer) || read_all(reader) || query_all(reader) || count_all(reader));
}

static int use_a_value(void *context)
{
    const struct kymo_options options = {.kind = KYMO_VALUE, .clock = KYMO_USER, .size = 16};
    struct unit_payload payload = unit_payload(7);
    struct kymo_writer *writer;
    struct kymo_reader *reader;
    int error = 0;

    (void)context;
    if (kymo_writer_open(&writer, "hot", &options) || kymo_reader_open(&reader, "hot"))
        return 2;
    if (!be_strict())
        return 3;
    for (uint64_t i = 0; i < RECORDS && !error; i++) {
        error = kymo_value_store(writer, &payload, sizeof(payload), i);
        error |= kymo_value_load(reader, &payload, sizeof(payload), NULL);
        error |= kymo_value_load_wait(reader, i, KYMO_FOREVER, &payload, sizeof(payload), NULL);
    }
    return leave(error);
}

static int use_typed(void *context)
{
    struct imu_reading reading = {0}, after;
    struct kymo_bracket bracket;
    struct imu_cursor cursor;
    struct imu_view view;
    struct imu_writer *writer;
    struct imu_reader *reader;
    struct imu_reading *lent;
    int error = 0;

    (void)context;
    if (imu_writer_open(&writer, "hot", &(struct kymo_options){.clock = KYMO_USER}) ||
        imu_reader_open(&reader, "hot"))
        return 2;
    if (!be_strict())
        return 3;
    imu_cursor_newest(&cursor, reader);
    for (uint64_t i = 1; i < RECORDS && !error; i++) {
        error |= imu_publish(writer, &reading, i, 0);
        error |= imu_loan(writer, &lent);
        error |= i % 2 ? imu_commit(writer, i, 0) : imu_abort(writer);
        error |= imu_latest(reader, &reading, NULL);
        error |= imu_back(reader, 0, &reading, NULL);
        error |= imu_cursor_next(&cursor, &reading, NULL, NULL);
        error |= imu_view_latest(reader, &view);
        error |= imu_validate(reader, &view);
        error |= imu_closest(reader, i, 0, &reading, NULL);
        error |= imu_as_of(reader, i, &reading, NULL);
        error |= imu_bracket(reader, i, &reading, &after, &bracket);
        error |= imu_fresh(reader, i, &reading, NULL);
        error |= imu_wait(reader, 0, KYMO_FOREVER);
    }
    return leave(error);
}

static int use_a_queue(void *context)
{
    const struct kymo_options options = {.kind = KYMO_QUEUE,
                                         .clock = KYMO_USER,
                                         .depth = 4,
                                         .size = sizeof(struct unit_payload)};
    struct unit_payload payload = unit_payload(7);
    struct kymo_consumer *consumer;
    struct kymo_writer *producer;
    struct kymo_view view;
    int error = 0;

    (void)context;
    if (kymo_writer_open(&producer, "hot", &options) || kymo_consumer_open(&consumer, "hot"))
        return 2;
    if (!be_strict())
        return 3;
    for (uint64_t i = 0; i < RECORDS && !error; i++) {
        for (int full = 0; full < 4; full++)
            error |= full % 2 ? kymo_ring_publish(producer, &payload, sizeof(payload), i, 0)
                              : kymo_queue_push(producer, &payload, sizeof(payload), i, 0, 0);
        error |= kymo_ring_publish(producer, &payload, sizeof(payload), i, 0) != -EAGAIN;
        error |= kymo_queue_receive(consumer, &payload, sizeof(payload), NULL);
        error |= kymo_queue_receive_view(consumer, &view);
        kymo_queue_acknowledge(consumer);
        error |= kymo_queue_pop(consumer, &payload, sizeof(payload), NULL, 0);
        error |= kymo_queue_waiting(consumer) != 1;
        error |= kymo_queue_wait(consumer, 0);
        error |= kymo_queue_pop(consumer, &payload, sizeof(payload), NULL, KYMO_FOREVER);
        error |= kymo_queue_receive(consumer, &payload, sizeof(payload), NULL) != -ENODATA;
    }
    return leave(error);
}

/* ---- calls are detected ---- */

static int call_something(void *context)
{
    (void)context;
    if (!be_strict())
        return 3;
    return leave(getppid() == 0);
}

static int allocate_something(void *context)
{
    void *volatile block;

    (void)context;
    if (!be_strict())
        return 3;
    block = malloc(16);
    return leave(block == NULL);
}

/* A call of the library is detected, too. */
static int open_something(void *context)
{
    const struct kymo_options options = {.clock = KYMO_USER, .size = 8};
    struct kymo_writer *writer;

    (void)context;
    if (!be_strict())
        return 3;
    return leave(kymo_writer_open(&writer, "strict", &options));
}

/* D, J */
Test(hot, paths_make_no_system_call)
{
    uint64_t depths[] = {2, 64, 1024, 8192};

    cr_assert_eq(unit_child(call_something, NULL), CAUGHT, "strict mode kills at a system call");
    cr_assert_eq(unit_child(allocate_something, NULL), CAUGHT, "an allocation is detected");
    cr_assert_eq(unit_child(open_something, NULL), CAUGHT);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(unit_child(use_a_ring, &depths[i]), 0);
    cr_assert_eq(kymo_segment_remove("hot"), 0);
    cr_assert_eq(unit_child(use_a_value, NULL), 0);
    cr_assert_eq(kymo_segment_remove("hot"), 0);
    cr_assert_eq(unit_child(use_typed, NULL), 0);
    cr_assert_eq(kymo_segment_remove("hot"), 0);
    cr_assert_eq(unit_child(use_a_queue, NULL), 0);
    cr_assert_eq(kymo_segment_remove("hot"), 0);
}
