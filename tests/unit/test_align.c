/*
 * test_align.c - kymo_series_align: each row is compared with the single query of its mode, and
 * with an oracle that scans every record.
 */
#include "unit.h"

#include <kymo/series.h>

#define RINGS   5
#define RECORDS 300

/* A ring with random times. */
struct track {
    char name[16];
    uint64_t depth;
    uint64_t times[RECORDS];
    uint64_t count;
    uint64_t low; /* the oldest position that a query may use */
    struct kymo_writer *writer;
    struct kymo_reader *reader;
};

static struct track tracks[RINGS];

static void open_track(struct track *track, uint64_t number)
{
    static const uint64_t steps[RINGS] = {10, 3, 50, 1, 1000};
    static const uint64_t depths[RINGS] = {512, 64, 16, 2, 128};
    uint64_t random = number;
    uint64_t time = 1000 + 7 * number;

    *track = (struct track){.depth = depths[number]};
    snprintf(track->name, sizeof(track->name), "align.%u", (unsigned int)number);
    track->writer = unit_writer_of_depth(track->name, track->depth);
    track->reader = unit_reader(track->name);
    for (track->count = 0; track->count < RECORDS; track->count++) {
        const struct unit_payload payload = unit_payload(track->count);

        track->times[track->count] = time;
        cr_assert_eq(kymo_ring_publish(track->writer, &payload, sizeof(payload), time, 0), 0);
        time += random_below(&random, (uint32_t)(2 * steps[number]));
    }
    track->low = RECORDS < track->depth ? 0 : RECORDS - (track->depth - 1);
}

static void open_tracks(void)
{
    for (uint64_t i = 0; i < RINGS; i++)
        open_track(&tracks[i], i);
}

static void close_tracks(void)
{
    for (int i = 0; i < RINGS; i++) {
        kymo_reader_close(tracks[i].reader);
        cr_assert_eq(kymo_writer_remove(tracks[i].writer), 0);
    }
}

static uint64_t apart(uint64_t one, uint64_t other)
{
    return one > other ? one - other : other - one;
}

/* ---- the oracle: the correct answer for an instant of a track ---- */

struct answer {
    int error;
    uint64_t pos;
    uint64_t later;
    uint64_t distance;
};

static struct answer closest(const struct track *track, uint64_t time)
{
    uint64_t best = track->low;

    for (uint64_t pos = track->low; pos < track->count; pos++)
        if (track->times[pos] == track->times[best] ||
            apart(track->times[pos], time) < apart(track->times[best], time))
            best = pos;
    return (struct answer){.pos = best, .distance = apart(track->times[best], time)};
}

static struct answer as_of(const struct track *track, uint64_t time)
{
    for (uint64_t pos = track->count; pos-- > track->low;)
        if (track->times[pos] <= time)
            return (struct answer){.pos = pos, .distance = time - track->times[pos]};
    return (struct answer){.error = track->low ? -ESTALE : -EDOM};
}

/* The records on both sides; of equal later times the newest. */
static struct answer around(const struct track *track, uint64_t time)
{
    struct answer answer = as_of(track, time);
    uint64_t later = answer.pos + 1;

    if (answer.error)
        return (struct answer){.error = -EDOM};
    answer.later = answer.pos;
    if (answer.distance == 0)
        return answer;
    if (later == track->count)
        return (struct answer){.error = -EDOM};
    while (later + 1 < track->count && track->times[later + 1] == track->times[later])
        later++;
    answer.later = later;
    if (track->times[later] - time > answer.distance)
        answer.distance = track->times[later] - time;
    return answer;
}

static struct answer expected(const struct track *track, enum kymo_align_mode mode, uint64_t time)
{
    switch (mode) {
    case KYMO_ALIGN_CLOSEST:
        return closest(track, time);
    case KYMO_ALIGN_AS_OF:
        return as_of(track, time);
    default:
        return around(track, time);
    }
}

/* ---- rows ---- */

struct row_buffers {
    struct unit_payload one;
    struct unit_payload other;
};

static void expect_record(const struct kymo_record *record, const struct unit_payload *payload,
                          const struct track *track, uint64_t pos)
{
    cr_assert_eq(record->pos, pos);
    cr_assert_eq(record->time, track->times[pos]);
    cr_assert_eq(payload->pos, pos);
    cr_assert_eq(payload->inverse, ~pos);
}

static void expect_bracket(const struct kymo_alignment *row, const struct track *track,
                           uint64_t time, const struct answer *answer)
{
    const uint64_t width = track->times[answer->later] - track->times[answer->pos];
    const double alpha = width ? (double)(time - track->times[answer->pos]) / (double)width : 0.0;
    struct unit_payload before, after;
    struct kymo_bracket bracket;

    expect_record(&row->later, row->after, track, answer->later);
    cr_assert_float_eq(row->alpha, alpha, 1e-12);
    cr_assert_eq(kymo_series_bracket(track->reader, time, &before, &after, sizeof(before),
                                     &bracket),
                 0);
    cr_assert_eq(bracket.before.pos, row->record.pos);
    cr_assert_eq(bracket.after.pos, row->later.pos);
    cr_assert_float_eq(bracket.alpha, row->alpha, 0);
}

static void expect_row(const struct kymo_alignment *row, const struct track *track, uint64_t time)
{
    const struct answer answer = expected(track, row->mode, time);
    const int error = !answer.error && answer.distance > row->max_distance ? -ERANGE : answer.error;

    cr_assert_eq(row->error, error, "%s, mode %d, %ju: %d, not %d", track->name, (int)row->mode,
                 (uintmax_t)time, row->error, error);
    if (answer.error)
        return;
    cr_assert_eq(row->distance, answer.distance);
    expect_record(&row->record, row->buffer, track, answer.pos);
    if (row->mode == KYMO_ALIGN_BRACKET)
        expect_bracket(row, track, time, &answer);
}

static void align_at(uint64_t time, uint64_t max_distance, int shift)
{
    struct row_buffers buffers[RINGS];
    struct kymo_alignment rows[RINGS];
    int good = 0;

    for (int i = 0; i < RINGS; i++)
        rows[i] = (struct kymo_alignment){.reader = tracks[i].reader,
                                          .mode = (enum kymo_align_mode)((i + shift) % 3),
                                          .max_distance = max_distance,
                                          .buffer = &buffers[i].one,
                                          .after = &buffers[i].other,
                                          .size = sizeof(buffers[i].one)};
    for (int i = 0; i < RINGS; i++)
        good += expected(&tracks[i], rows[i].mode, time).error == 0 &&
                expected(&tracks[i], rows[i].mode, time).distance <= max_distance;
    cr_assert_eq(kymo_series_align(rows, RINGS, time), good);
    for (int i = 0; i < RINGS; i++)
        expect_row(&rows[i], &tracks[i], time);
}

Test(align, equals_oracle_and_single_queries, .init = open_tracks, .fini = close_tracks)
{
    static const uint64_t limits[] = {KYMO_ANY_DISTANCE, 0, 1, 10, 100};
    uint64_t random = 1;

    for (int i = 0; i < 3000; i++) {
        const struct track *track = &tracks[random_below(&random, RINGS)];
        const uint64_t time = track->times[random_below(&random, RECORDS)];

        align_at(time + random_below(&random, 5) - 2, limits[i % 5], i / 5);
    }
    for (int shift = 0; shift < 3; shift++) {
        align_at(0, KYMO_ANY_DISTANCE, shift);
        align_at(UINT64_MAX, KYMO_ANY_DISTANCE, shift);
    }
}

/* An error of one row leaves the others unaffected. */
Test(align, reports_errors_per_row, .init = open_tracks, .fini = close_tracks)
{
    struct row_buffers buffers[3];
    struct kymo_writer *empty = unit_writer_of_depth("align.empty", 4);
    struct kymo_reader *reader = unit_reader("align.empty");
    struct kymo_alignment rows[3] = {
        {.reader = reader,
         .max_distance = KYMO_ANY_DISTANCE,
         .buffer = &buffers[0].one,
         .size = 16},
        {.reader = tracks[0].reader,
         .max_distance = KYMO_ANY_DISTANCE,
         .buffer = &buffers[1].one,
         .size = 8},
        {.reader = tracks[1].reader,
         .max_distance = KYMO_ANY_DISTANCE,
         .buffer = &buffers[2].one,
         .size = 16},
    };

    cr_assert_eq(kymo_series_align(rows, 3, tracks[1].times[RECORDS - 1]), 1);
    cr_assert_eq(rows[0].error, -ENODATA);
    cr_assert_eq(rows[1].error, -EMSGSIZE);
    cr_assert_eq(rows[2].error, 0);
    cr_assert_eq(buffers[2].one.pos, rows[2].record.pos);
    cr_assert_eq(kymo_writer_remove(empty), 0);
    cr_assert_eq(kymo_series_align(rows, 3, 0), 1);
    cr_assert_eq(rows[0].error, -EIDRM);
    kymo_reader_close(reader);
}

/* The rows are unchanged. */
Test(align, refuses_different_clocks, .init = open_tracks, .fini = close_tracks)
{
    const struct kymo_options options = {.clock = KYMO_MONOTONIC,
                                         .depth = 4,
                                         .size = sizeof(struct unit_payload)};
    struct row_buffers buffers[2];
    struct kymo_writer *writer = unit_writer("align.other", &options);
    struct kymo_reader *reader = unit_reader("align.other");
    struct kymo_alignment rows[2] = {
        {.reader = tracks[0].reader, .buffer = &buffers[0].one, .size = 16, .error = 77},
        {.reader = reader, .buffer = &buffers[1].one, .size = 16, .error = 77},
    };

    unit_publish(writer, 1);
    cr_assert_eq(kymo_series_align(rows, 2, 1000), -EINVAL);
    cr_assert_eq(rows[0].error, 77);
    cr_assert_eq(rows[1].error, 77);
    rows[1].reader = tracks[1].reader;
    rows[1].mode = (enum kymo_align_mode)3;
    cr_assert_eq(kymo_series_align(rows, 2, 1000), -EINVAL);
    rows[1].mode = (enum kymo_align_mode) - 1;
    cr_assert_eq(kymo_series_align(rows, 2, 1000), -EINVAL);
    cr_assert_eq(rows[0].error, 77);
    cr_assert_eq(kymo_series_align(rows, 0, 1000), 0);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}
