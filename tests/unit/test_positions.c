/*
 * test_positions.c - large positions: across 2^32, around 2^61, and up to the last one below 2^62, where publishing fails and all other calls work. The segments begin there.
 */
#include "unit.h"

#include <kymo/value.h>

#define DEPTH 8

static struct kymo_options options_from(uint64_t first, uint32_t flags)
{
    return (struct kymo_options){.clock = KYMO_USER,
                                 .depth = DEPTH,
                                 .size = sizeof(struct unit_payload),
                                 .flags = flags,
                                 .first = first};
}

/* Times: 10 for each record, from 1000 on. */
static uint64_t time_of(uint64_t pos, uint64_t first)
{
    return 1000 + 10 * (pos - first);
}

static int publish_at(struct kymo_writer *writer, uint64_t pos, uint64_t first)
{
    const struct unit_payload payload = unit_payload(pos);
    void *lent;
    int error;

    if (pos % 2)
        return kymo_ring_publish(writer, &payload, sizeof(payload), time_of(pos, first), pos + 7);
    error = kymo_ring_loan(writer, &lent);
    if (error)
        return error;
    memcpy(lent, &payload, sizeof(payload));
    return kymo_ring_commit(writer, sizeof(payload), time_of(pos, first), pos + 7);
}

static void expect(int error, const struct kymo_record *record, const struct unit_payload *payload,
                   uint64_t pos, uint64_t first)
{
    cr_assert_eq(error, 0, "%s", kymo_error_text(error));
    cr_assert_eq(record->pos, pos);
    cr_assert_eq(record->time, time_of(pos, first));
    cr_assert_eq(record->tag, pos + 7);
    cr_assert_eq(payload->pos, pos);
    cr_assert_eq(payload->inverse, ~pos);
}

/* All reads and queries of the records up to head. */
static void check_history(const struct kymo_reader *reader, uint64_t head, uint64_t first)
{
    const uint64_t low = head - first < DEPTH ? first : head - (DEPTH - 1);
    struct unit_payload payload, after;
    struct kymo_bracket bracket;
    struct kymo_record record;
    struct kymo_range range;
    struct kymo_view view;

    cr_assert_eq(kymo_ring_head(&reader->ring), head);
    cr_assert_eq(kymo_ring_written(&reader->ring), head - first);
    expect(kymo_ring_latest(reader, &payload, sizeof(payload), &record), &record, &payload,
           head - 1, first);
    for (uint64_t pos = low; pos < head; pos++) {
        const uint64_t time = time_of(pos, first);

        expect(kymo_ring_at(reader, pos, &payload, sizeof(payload), &record), &record, &payload,
               pos, first);
        expect(kymo_ring_back(reader, head - 1 - pos, &payload, sizeof(payload), &record), &record,
               &payload, pos, first);
        cr_assert_eq(kymo_ring_view(reader, pos, &view), 0);
        expect(kymo_ring_validate(reader, &view), &view.record, view.payload, pos, first);
        expect(kymo_series_closest(reader, time + 4, 4, &payload, sizeof(payload), &record),
               &record, &payload, pos, first);
        expect(kymo_series_as_of(reader, time + 9, &payload, sizeof(payload), &record), &record,
               &payload, pos, first);
        cr_assert_eq(kymo_series_range(reader, time, UINT64_MAX, &range), 0);
        cr_assert_eq(range.first, pos);
        cr_assert_eq(range.count, head - pos);
        if (pos + 1 < head) {
            cr_assert_eq(kymo_series_bracket(reader, time + 5, &payload, &after, sizeof(payload),
                                             &bracket),
                         0);
            expect(0, &bracket.before, &payload, pos, first);
            expect(0, &bracket.after, &after, pos + 1, first);
        }
    }
    cr_assert_eq(kymo_series_as_of(reader, time_of(low, first) - 1, &payload, sizeof(payload),
                                   &record),
                 low == first ? -EDOM : -ESTALE);
    cr_assert_eq(kymo_ring_at(reader, head, &payload, sizeof(payload), &record), -ENODATA);
    cr_assert_eq(kymo_ring_at(reader, first - 1, &payload, sizeof(payload), &record), -ENODATA);
    cr_assert_eq(kymo_ring_wait(reader, head - 1, 0), 0);
    cr_assert_eq(kymo_ring_wait(reader, head, 0), -ETIMEDOUT);
}

static void check_cursor(struct kymo_cursor *cursor, uint64_t pos, uint64_t first)
{
    struct unit_payload payload;
    struct kymo_record record;
    uint64_t missed;

    expect(kymo_cursor_next(cursor, &payload, sizeof(payload), &record, &missed), &record, &payload,
           pos, first);
    cr_assert_eq(missed, 0);
    cr_assert_eq(kymo_cursor_next(cursor, &payload, sizeof(payload), &record, &missed), -ENODATA);
}

/* Publishes, reads, queries and resumes, `count` records from first on. */
static void go_on_from(uint64_t first, uint64_t count, uint32_t flags)
{
    const struct kymo_options options = options_from(first, flags);
    struct kymo_writer *writer = unit_writer("far", &options);
    struct kymo_reader *reader = unit_reader("far");
    struct kymo_cursor cursor, slow;
    struct unit_payload payload;
    struct kymo_record record;
    uint64_t missed;

    kymo_cursor_newest(&cursor, reader);
    slow = cursor;
    for (uint64_t pos = first; pos < first + count; pos++) {
        cr_assert_eq(publish_at(writer, pos, first), 0);
        check_cursor(&cursor, pos, first);
        check_history(reader, pos + 1, first);
        if (pos % 5 == 0) {
            kymo_writer_close(writer);
            writer = unit_writer("far", &options);
            check_history(reader, pos + 1, first);
        }
    }
    /* No record was read: all are missed. */
    cr_assert_eq(kymo_cursor_next(&slow, &payload, sizeof(payload), &record, &missed), 0);
    expect(0, &record, &payload, first + missed, first);
    cr_assert_geq(missed, count - DEPTH);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

Test(positions, continue_across_32_bits)
{
    go_on_from(UINT64_C(1) << 31, 20, 0);
    go_on_from((UINT64_C(1) << 32) - 15, 30, 0);
    go_on_from((UINT64_C(1) << 32) - 15, 30, KYMO_SHARED_WRITER);
}

Test(positions, continue_around_2_to_61)
{
    go_on_from((UINT64_C(1) << 61) - 15, 30, 0);
    go_on_from((UINT64_C(1) << 61) - 15, 30, KYMO_SHARED_WRITER);
    go_on_from(KYMO_POSITION_LIMIT - 30, 30, 0);
    go_on_from(KYMO_POSITION_LIMIT - 30, 30, KYMO_SHARED_WRITER);
}

/* After the last position every way to publish fails, also after a resume; records remain readable, and a new generation begins at 0. */
static void end_at_the_limit(uint32_t flags)
{
    const uint64_t first = KYMO_POSITION_LIMIT - 20;
    struct kymo_options options = options_from(first, flags);
    struct kymo_writer *writer = unit_writer("limit", &options);
    struct kymo_reader *reader = unit_reader("limit");
    const struct unit_payload payload = unit_payload(0);
    struct kymo_cursor cursor;
    struct kymo_info info;
    void *lent;

    for (uint64_t pos = first; pos < KYMO_POSITION_LIMIT; pos++)
        cr_assert_eq(publish_at(writer, pos, first), 0);
    for (int tries = 0; tries < 3; tries++) {
        cr_assert_eq(kymo_ring_publish(writer, &payload, sizeof(payload), UINT64_MAX, 0), -ENOSPC);
        cr_assert_eq(kymo_ring_loan(writer, &lent), -ENOSPC);
        cr_assert_eq(kymo_ring_commit(writer, sizeof(payload), UINT64_MAX, 0), -EINVAL);
        cr_assert_eq(kymo_value_store(writer, &payload, sizeof(payload), UINT64_MAX), -ENOSPC);
        check_history(reader, KYMO_POSITION_LIMIT, first);
        kymo_writer_close(writer);
        writer = unit_writer("limit", &options);
    }
    kymo_cursor_newest(&cursor, reader);
    cr_assert_eq(kymo_cursor_next(&cursor, &lent, sizeof(lent), NULL, NULL), -ENODATA);
    info = unit_info(reader->segment);
    cr_assert_eq(info.head, KYMO_POSITION_LIMIT);
    cr_assert_eq(kymo_segment_liveness(reader->segment, KYMO_FOREVER), KYMO_LIVE_ALIVE);
    kymo_writer_close(writer);

    options.first = 0;
    options.existing = KYMO_REPLACE;
    writer = unit_writer("limit", &options);
    cr_assert_eq(kymo_ring_wait(reader, KYMO_POSITION_LIMIT, KYMO_FOREVER), -EIDRM);
    kymo_reader_close(reader);
    cr_assert_eq(publish_at(writer, 0, 0), 0);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

Test(positions, end_at_the_limit)
{
    end_at_the_limit(0);
    end_at_the_limit(KYMO_SHARED_WRITER);
}

/* A value counts its stores as a ring counts records. */
Test(positions, count_stores_of_values)
{
    static const uint64_t firsts[] = {(UINT64_C(1) << 32) - 3, KYMO_POSITION_LIMIT - 6};

    for (int i = 0; i < 2; i++) {
        const struct kymo_options options = {.kind = KYMO_VALUE,
                                             .clock = KYMO_USER,
                                             .size = 16,
                                             .first = firsts[i]};
        struct kymo_writer *writer = unit_writer("value", &options);
        struct kymo_reader *reader = unit_reader("value");
        struct unit_payload payload;
        struct kymo_record record;

        for (uint64_t pos = firsts[i]; pos < firsts[i] + 6; pos++) {
            payload = unit_payload(pos);
            cr_assert_eq(kymo_value_store(writer, &payload, sizeof(payload), pos), 0);
            cr_assert_eq(kymo_value_load_wait(reader, pos, KYMO_FOREVER, &payload, sizeof(payload),
                                              &record),
                         0);
            cr_assert_eq(record.pos, pos);
            cr_assert_eq(payload.inverse, ~pos);
        }
        cr_assert_eq(kymo_value_load_wait(reader, firsts[i] + 6, 0, &payload, sizeof(payload),
                                          &record),
                     -ETIMEDOUT);
        kymo_reader_close(reader);
        cr_assert_eq(kymo_writer_remove(writer), 0);
    }
}

/* A head beyond the limit of positions is damage. */
Test(positions, beyond_the_limit_are_errors)
{
    const struct kymo_options options = options_from(0, 0);
    struct kymo_writer *writer = unit_writer("beyond", &options), *second;

    cr_assert_eq(publish_at(writer, 0, 0), 0);
    kymo_store_relaxed(&writer->ring.control->head, KYMO_POSITION_LIMIT + 1);
    kymo_writer_close(writer);
    cr_assert_eq(kymo_writer_open(&second, "beyond", &options), -EBADMSG);
    cr_assert_eq(kymo_segment_remove("beyond"), 0);
}

/* A query that skips more than the window (series.h), after head was decreased, ends with an error. */
Test(positions, skipped_past_head_end_queries)
{
    const struct kymo_options options = options_from(0, 0);
    struct kymo_writer *writer = unit_writer("skip", &options);
    struct kymo_range range = {.count = 99};

    for (uint64_t pos = 0; pos < 3; pos++)
        cr_assert_eq(publish_at(writer, pos, 0), 0);
    cr_assert_eq(kymo_impl_window_range(&writer->ring, 1, UINT64_MAX - 1, 1000, &range), 0);
    cr_assert_eq(range.count, 0);
    cr_assert_eq(range.first, 3);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}
