/*
 * test_stats.c - counters: each event is counted once, in the right counter.
 */
#include "unit.h"

#include <kymo/stats.h>

#define MILLISECOND UINT64_C(1000000)

struct counts {
    uint64_t reads, retries, failures, missed, waits, timeouts;
};

static void expect(const struct kymo_stats *stats, struct counts counts)
{
    cr_assert_eq(stats->reads, counts.reads, "reads");
    cr_assert_eq(stats->retries, counts.retries, "retries");
    cr_assert_eq(stats->failures, counts.failures, "failures");
    cr_assert_eq(stats->missed, counts.missed, "missed");
    cr_assert_eq(stats->waits, counts.waits, "waits");
    cr_assert_eq(stats->timeouts, counts.timeouts, "timeouts");
}

Test(stats, count_reads_and_failures)
{
    struct kymo_writer *writer = unit_writer_of_depth("reads", 4);
    struct kymo_reader *reader = unit_reader("reads");
    struct kymo_stats stats = {0};
    struct unit_payload payload;
    struct kymo_record record;

    cr_assert_eq(kymo_stats_latest(reader, &payload, sizeof(payload), &record, &stats), -ENODATA);
    expect(&stats, (struct counts){.failures = 1});
    unit_publish(writer, 6);
    cr_assert_eq(kymo_stats_latest(reader, &payload, sizeof(payload), &record, &stats), 0);
    cr_assert_eq(record.pos, 5U);
    cr_assert_eq(payload.pos, 5U);
    cr_assert_eq(kymo_stats_back(reader, 2, &payload, sizeof(payload), NULL, &stats), 0);
    cr_assert_eq(payload.pos, 3U);
    expect(&stats, (struct counts){.reads = 2, .failures = 1});
    cr_assert_eq(kymo_stats_back(reader, 0, &payload, 1, &record, &stats), -EMSGSIZE);
    cr_assert_eq(record.len, sizeof(payload));
    expect(&stats, (struct counts){.reads = 2, .failures = 2});
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

/* Every retry of a read of a slot that stays odd is counted. */
Test(stats, count_retries)
{
    struct kymo_writer *writer = unit_writer_of_depth("retries", 4);
    struct kymo_reader *reader = unit_reader("retries");
    struct kymo_stats stats = {0};
    struct unit_payload payload;
    struct kymo_view view;

    unit_publish(writer, 4);
    kymo_store_relaxed(&kymo_impl_ring_slot(&writer->ring, 2)->seq, 1);
    cr_assert_eq(kymo_stats_back(reader, 1, &payload, sizeof(payload), NULL, &stats), -EAGAIN);
    cr_assert_eq(kymo_ring_view_back(reader, 1, &view), -EAGAIN);
    expect(&stats, (struct counts){.retries = KYMO_RETRIES, .failures = 1});
    cr_assert_eq(kymo_stats_latest(reader, &payload, sizeof(payload), NULL, &stats), 0);
    expect(&stats, (struct counts){.reads = 1, .retries = KYMO_RETRIES, .failures = 1});
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

Test(stats, count_missed_records)
{
    struct kymo_writer *writer = unit_writer_of_depth("missed", 8);
    struct kymo_reader *reader = unit_reader("missed");
    struct kymo_stats stats = {0};
    struct unit_payload payload;
    struct kymo_cursor cursor;
    uint64_t missed = 77, total = 0;

    kymo_cursor_newest(&cursor, reader);
    cr_assert_eq(kymo_stats_cursor_next(&cursor, &payload, sizeof(payload), NULL, &missed, &stats),
                 -ENODATA);
    cr_assert_eq(missed, 0U);
    expect(&stats, (struct counts){0});
    for (int round = 0; round < 5; round++) {
        unit_publish(writer, 20);
        while (kymo_stats_cursor_next(&cursor, &payload, sizeof(payload), NULL, &missed, &stats) ==
               0)
            total += missed;
    }
    cr_assert_eq(stats.missed, total);
    cr_assert_eq(stats.reads + stats.missed, 100U);
    cr_assert_gt(stats.missed, 0U);
    expect(&stats, (struct counts){.reads = 100 - total, .missed = total});
    unit_publish(writer, 1);
    cr_assert_eq(kymo_stats_cursor_next(&cursor, &payload, 1, NULL, NULL, &stats), -EMSGSIZE);
    expect(&stats, (struct counts){.reads = 100 - total, .missed = total, .failures = 1});
    cr_assert_eq(kymo_stats_cursor_next(&cursor, &payload, sizeof(payload), NULL, NULL, &stats), 0);
    expect(&stats, (struct counts){.reads = 101 - total, .missed = total, .failures = 1});
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

/* A call that finds a record at once is not counted as a wait. */
Test(stats, count_and_time_waits)
{
    struct kymo_writer *writer = unit_writer_of_depth("waits", 4);
    struct kymo_reader *reader = unit_reader("waits");
    struct kymo_stats stats = {0};
    uint64_t began, ended;

    unit_publish(writer, 1);
    cr_assert_eq(kymo_stats_wait(reader, 0, 0, &stats), 0);
    expect(&stats, (struct counts){0});
    cr_assert_eq(kymo_stats_wait(reader, 1, 0, &stats), -ETIMEDOUT);
    expect(&stats, (struct counts){.waits = 1, .timeouts = 1});
    stats = (struct kymo_stats){0};
    began = kymo_clock_now(KYMO_MONOTONIC);
    cr_assert_eq(kymo_stats_wait(reader, 1, began + 20 * MILLISECOND, &stats), -ETIMEDOUT);
    ended = kymo_clock_now(KYMO_MONOTONIC);
    expect(&stats, (struct counts){.waits = 1, .timeouts = 1});
    /* The wait began after `began` was read, and ended at the deadline or later. */
    cr_assert_leq(stats.waited, ended - began);
    cr_assert_gt(stats.waited, 0U);
    cr_assert_eq(kymo_writer_remove(writer), 0);
    cr_assert_eq(kymo_stats_wait(reader, 1, KYMO_FOREVER, &stats), -EIDRM);
    expect(&stats, (struct counts){.waits = 2, .timeouts = 1});
    kymo_reader_close(reader);
}

/* ---- counters of writers, in the segment ---- */

Test(stats, count_writer_events_in_segment)
{
    struct kymo_options options = {.clock = KYMO_USER, .depth = 4, .size = 16};
    struct kymo_writer *writer = unit_writer("written", &options);
    struct kymo_reader *reader = unit_reader("written");
    struct kymo_info info;
    void *loan;

    cr_assert_eq(kymo_ring_publish(writer, "a", 1, 100, 0), 0);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(kymo_ring_publish(writer, "b", 1, 99, 0), -EINVAL);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(kymo_ring_loan(writer, &loan), 0);
        cr_assert_eq(kymo_ring_abort(writer), 0);
    }
    cr_assert_eq(kymo_ring_abort(writer), -EINVAL);
    info = unit_info(reader->segment);
    cr_assert_eq(info.rejected, 3U);
    cr_assert_eq(info.aborted, 2U);
    cr_assert_eq(info.clamped, 0U);
    cr_assert_eq(info.wakes, 0U);
    cr_assert_eq(info.adopted, 0U);
    cr_assert_eq(info.takeovers, 0U);
    cr_assert_eq(info.writers, 1U);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
    options.time_policy = KYMO_CLAMP;
    writer = unit_writer("written", &options);
    reader = unit_reader("written");
    for (uint64_t i = 0; i < 4; i++)
        cr_assert_eq(kymo_ring_publish(writer, "c", 1, 100 - i, 0), 0);
    kymo_writer_close(writer);
    writer = unit_writer("written", &options);
    info = unit_info(reader->segment);
    cr_assert_eq(info.clamped, 3U);
    cr_assert_eq(info.rejected, 0U);
    cr_assert_eq(info.writers, 2U);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

/* With wake=always each publish wakes: read-only waiters set no bit. */
Test(stats, count_wakes)
{
    const struct kymo_options options = {.clock = KYMO_USER,
                                         .depth = 4,
                                         .size = 16,
                                         .wake_policy = KYMO_WAKE_ALWAYS};
    struct kymo_writer *writer = unit_writer("wakes", &options);
    struct kymo_reader *reader = unit_reader("wakes");
    struct kymo_reader *waiting;

    unit_publish(writer, 5);
    cr_assert_eq(unit_info(reader->segment).wakes, 5U);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
    writer = unit_writer_of_depth("wakes", 4);
    waiting = unit_reader("wakes");
    unit_publish(writer, 5);
    cr_assert_eq(unit_info(waiting->segment).wakes, 0U);
    /* A waiter that timed out leaves its bit, which costs one wake. */
    for (int tries = 0; tries < 1000 && unit_info(waiting->segment).wakes == 0; tries++) {
        const uint64_t deadline = kymo_clock_now(KYMO_MONOTONIC) + MILLISECOND;

        cr_assert_eq(kymo_ring_wait(waiting, writer->pos, deadline), -ETIMEDOUT);
        unit_publish(writer, 1);
    }
    cr_assert_eq(unit_info(waiting->segment).wakes, 1U);
    unit_publish(writer, 5);
    cr_assert_eq(unit_info(waiting->segment).wakes, 1U);
    kymo_reader_close(waiting);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}
