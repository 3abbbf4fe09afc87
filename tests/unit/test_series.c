/*
 * test_series.c - time queries, compared with an oracle that scans every record (promise G: exact
 * queries). Times follow patterns that are good and bad for interpolation search; queried times are
 * before, at, between and after those of the records.
 */
#include "unit.h"

#define DEEPEST 8192

/* The published times, by position from 0. */
struct history {
    uint64_t times[3 * DEEPEST + 8];
    uint64_t depth;
    uint64_t low; /* the window: positions from low up to, not including, head */
    uint64_t head;
};

/* The difference to the next time. */
typedef uint64_t pattern(uint64_t *random);

static uint64_t evenly(uint64_t *random)
{
    (void)random;
    return 10;
}

static uint64_t with_ties(uint64_t *random)
{
    return random_u64(random) % 3;
}

static uint64_t all_alike(uint64_t *random)
{
    (void)random;
    return 0;
}

/* Most steps are small, some of any size up to 2^40. */
static uint64_t with_gaps(uint64_t *random)
{
    return random_u64(random) >> (24 + random_u64(random) % 40);
}

/* In bursts of equal times. */
static uint64_t in_bursts(uint64_t *random)
{
    return random_u64(random) % 16 ? 0 : 1000;
}

static pattern *const patterns[] = {evenly, with_ties, all_alike, with_gaps, in_bursts};

#define PATTERNS (sizeof(patterns) / sizeof(patterns[0]))

static void publish_at(struct kymo_writer *writer, struct history *history, uint64_t time)
{
    struct unit_payload payload = unit_payload(history->head);

    cr_assert_eq(kymo_ring_publish(writer, &payload, sizeof(payload), time, 0), 0);
    history->times[history->head++] = time;
    history->low = history->head < history->depth ? 0 : history->head - (history->depth - 1);
}

/* ---- the oracle ---- */

static uint64_t distance_of(uint64_t one, uint64_t other)
{
    return one > other ? one - other : other - one;
}

/* The newest of equal times; of two equally far, the earlier. */
static uint64_t oracle_closest(const struct history *history, uint64_t time)
{
    const uint64_t *times = history->times;
    uint64_t best = history->low;

    for (uint64_t pos = history->low + 1; pos < history->head; pos++)
        if (times[pos] == times[best] ||
            distance_of(times[pos], time) < distance_of(times[best], time))
            best = pos;
    return best;
}

/* The newest position with a time of at most `time`, or head. */
static uint64_t oracle_as_of(const struct history *history, uint64_t time)
{
    for (uint64_t pos = history->head; pos-- > history->low;)
        if (history->times[pos] <= time)
            return pos;
    return history->head;
}

/* The newest position of the first time after `time`, or head. */
static uint64_t oracle_next(const struct history *history, uint64_t time)
{
    const uint64_t *times = history->times;
    uint64_t next = history->head;

    for (uint64_t pos = history->head; pos-- > history->low && times[pos] > time;)
        if (next == history->head || times[pos] < times[next])
            next = pos;
    return next;
}

/* ---- each query ---- */

static void expect_read(const struct kymo_record *record, const struct unit_payload *payload,
                        const struct history *history, uint64_t pos)
{
    cr_assert_eq(record->pos, pos);
    cr_assert_eq(record->time, history->times[pos]);
    cr_assert_eq(payload->pos, pos);
    cr_assert_eq(payload->inverse, ~pos);
}

static void query_closest(const struct kymo_reader *reader, const struct history *history,
                          uint64_t time)
{
    const uint64_t expected = oracle_closest(history, time);
    const uint64_t distance = distance_of(history->times[expected], time);
    struct unit_payload payload;
    struct kymo_record record;
    uint64_t pos = UINT64_MAX;

    cr_assert_eq(kymo_series_find_closest(reader, time, KYMO_ANY_DISTANCE, &pos), 0);
    cr_assert_eq(pos, expected, "closest to %ju: %ju, not %ju", (uintmax_t)time, (uintmax_t)pos,
                 (uintmax_t)expected);
    cr_assert_eq(kymo_series_find_closest(reader, time, distance, &pos), 0);
    cr_assert_eq(kymo_series_closest(reader, time, distance, &payload, sizeof(payload), &record),
                 0);
    expect_read(&record, &payload, history, expected);
    if (distance == 0)
        return;
    cr_assert_eq(kymo_series_find_closest(reader, time, distance - 1, &pos), -ERANGE);
    cr_assert_eq(kymo_series_closest(reader, time, distance - 1, &payload, sizeof(payload),
                                     &record),
                 -ERANGE);
}

static void query_as_of(const struct kymo_reader *reader, const struct history *history,
                        uint64_t time)
{
    const uint64_t expected = oracle_as_of(history, time);
    const int error = expected < history->head ? 0 : history->low == 0 ? -EDOM : -ESTALE;
    struct unit_payload payload;
    struct kymo_record record;
    uint64_t pos = UINT64_MAX;

    cr_assert_eq(kymo_series_find_as_of(reader, time, &pos), error);
    cr_assert_eq(kymo_series_as_of(reader, time, &payload, sizeof(payload), &record), error);
    if (error)
        return;
    cr_assert_eq(pos, expected);
    expect_read(&record, &payload, history, expected);
}

static void query_bracket(const struct kymo_reader *reader, const struct history *history,
                          uint64_t time)
{
    const uint64_t before = oracle_as_of(history, time);
    const int is_hit = before < history->head && history->times[before] == time;
    const uint64_t after = is_hit ? before : oracle_next(history, time);
    const int error = before < history->head && after < history->head ? 0 : -EDOM;
    struct unit_payload first, second;
    struct kymo_bracket bracket;
    uint64_t positions[2];

    cr_assert_eq(kymo_series_find_bracket(reader, time, &positions[0], &positions[1]), error);
    cr_assert_eq(kymo_series_bracket(reader, time, &first, &second, sizeof(first), &bracket),
                 error);
    if (error)
        return;
    cr_assert_eq(positions[0], before);
    cr_assert_eq(positions[1], after);
    expect_read(&bracket.before, &first, history, before);
    expect_read(&bracket.after, &second, history, after);
    if (is_hit) {
        cr_assert_eq(bracket.alpha, 0.0);
        return;
    }
    cr_assert_gt(bracket.alpha, 0.0);
    cr_assert_leq(bracket.alpha, 1.0);
    cr_assert_float_eq(bracket.alpha,
                       (double)(time - history->times[before]) /
                           (double)(history->times[after] - history->times[before]),
                       1e-12);
}

static void query_range(const struct kymo_reader *reader, const struct history *history,
                        uint64_t from, uint64_t to)
{
    struct kymo_range range;
    uint64_t count = 0, first = 0;

    for (uint64_t pos = history->head; pos-- > history->low;) {
        if (history->times[pos] >= from && history->times[pos] <= to) {
            first = pos;
            count++;
        }
    }
    cr_assert_eq(kymo_series_range(reader, from, to, &range), 0);
    cr_assert_eq(range.count, count);
    if (count)
        cr_assert_eq(range.first, first);
    cr_assert_eq(range.truncated, history->low > 0 && history->times[history->low] >= from);
}

static void query_all(const struct kymo_reader *reader, const struct history *history,
                      uint64_t time)
{
    query_closest(reader, history, time);
    query_as_of(reader, history, time);
    query_bracket(reader, history, time);
}

/* A time near that of a record of the window, or rarely any number. */
static uint64_t some_time(const struct history *history, uint64_t *random)
{
    const uint64_t written =
        history->head < 2 * history->depth ? history->head : 2 * history->depth;
    const uint64_t pos = history->head - 1 - random_u64(random) % written;
    const uint64_t next = pos + 1 < history->head ? pos + 1 : pos;
    const uint64_t time = history->times[pos];

    switch (random_u64(random) % 6) {
    case 0:
        return time;
    case 1:
        return time ? time - 1 : 0;
    case 2:
        return time + 1;
    case 3: /* at the same distance from two records, or nearly */
        return time + (history->times[next] - time) / 2;
    case 4:
        return time + random_u64(random) % (history->times[next] - time + 1);
    default:
        return random_u64(random) >> (random_u64(random) % 64);
    }
}

static void query_at_random(const struct kymo_reader *reader, const struct history *history,
                            uint64_t *random, int questions)
{
    query_all(reader, history, 0);
    query_all(reader, history, UINT64_MAX);
    query_range(reader, history, 0, UINT64_MAX);
    for (int i = 0; i < questions; i++) {
        uint64_t from = some_time(history, random);
        uint64_t to = some_time(history, random);

        query_all(reader, history, from);
        query_range(reader, history, from < to ? from : to, from < to ? to : from);
    }
}

static void query_while_it_fills(uint64_t depth, size_t number, struct history *history)
{
    const uint64_t questions = depth <= 64 ? 10 : 100;
    uint64_t random = depth * PATTERNS + number;
    uint64_t time = 1000, due = 1;
    char name[32];
    struct kymo_writer *writer;
    struct kymo_reader *reader;

    snprintf(name, sizeof(name), "series-%u-%zu", (unsigned int)depth, number);
    writer = unit_writer_of_depth(name, depth);
    reader = unit_reader(name);
    *history = (struct history){.depth = depth};
    while (history->head < 3 * depth + 7) {
        publish_at(writer, history, time += patterns[number](&random));
        if (depth > 64 && history->head < due)
            continue;
        due += 1 + depth / 4;
        query_at_random(reader, history, &random, (int)questions);
    }
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

static void query_of_depths(uint64_t from, uint64_t to)
{
    struct history *history = malloc(sizeof(*history));

    for (uint64_t depth = from; depth <= to; depth *= 2)
        for (size_t number = 0; number < PATTERNS; number++)
            query_while_it_fills(depth, number, history);
    free(history);
}

/* G */
Test(series, equals_oracle_in_shallow_rings)
{
    query_of_depths(2, 64);
}

/* G: interpolation search, beyond KYMO_IMPL_BISECT_LIMIT. */
Test(series, equals_oracle_in_deep_rings)
{
    query_of_depths(128, DEEPEST);
}

/* Differences of times fill 64 bits, and the sums of two do not fit. */
Test(series, handles_largest_times)
{
    static struct history history = {.depth = 256};
    struct kymo_writer *writer = unit_writer_of_depth("last", 256);
    struct kymo_reader *reader = unit_reader("last");
    uint64_t random = 3;

    publish_at(writer, &history, 0);
    for (int i = 0; i < 100; i++)
        publish_at(writer, &history, 1 + (uint64_t)i);
    for (uint64_t i = 0; i < 100; i++)
        publish_at(writer, &history, UINT64_MAX - 200 + i);
    publish_at(writer, &history, UINT64_MAX);
    publish_at(writer, &history, UINT64_MAX);
    query_at_random(reader, &history, &random, 1000);
    for (uint64_t i = 0; i < 300; i++) {
        query_all(reader, &history, i);
        query_all(reader, &history, UINT64_MAX - i);
        query_all(reader, &history, UINT64_MAX / 2 - 150 + i);
    }
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* ---- keys ---- */

/* Ties, and gaps. */
static uint64_t tag_of(uint64_t pos)
{
    return 10 + pos / 3 * 5 + (pos % 3 ? 2 : 0);
}

struct keyed {
    double key;
    uint64_t pos;
};

static int compare_keyed(const struct kymo_view *view, const void *key)
{
    const struct keyed *keyed = view->payload;
    const double wanted = *(const double *)key;

    return keyed->key < wanted ? -1 : keyed->key > wanted;
}

/* The newest position with the tag. */
static int oracle_tag(uint64_t low, uint64_t head, uint64_t tag, uint64_t *expected)
{
    for (*expected = head; (*expected)-- > low && tag_of(*expected) > tag;)
        ;
    if (*expected + 1 == low)
        return low == 0 ? -ENOMSG : -ESTALE;
    if (tag_of(*expected) == tag)
        return 0;
    return *expected + 1 == head ? -ENODATA : -ENOMSG;
}

static void query_keys(const struct kymo_reader *reader, uint64_t low, uint64_t head)
{
    for (uint64_t tag = 5; tag < tag_of(head) + 5; tag++) {
        const double key = 0.5 * (double)tag - 100;
        uint64_t pos = 0, expected;
        const int error = oracle_tag(low, head, tag, &expected);

        cr_assert_eq(kymo_series_find_tag(reader, tag, &pos), error, "%d", (int)tag);
        if (!error)
            cr_assert_eq(pos, expected);
        cr_assert_eq(kymo_series_find_key(reader, compare_keyed, &key, &pos), error);
        if (!error)
            cr_assert_eq(pos, expected);
    }
    cr_assert_eq(kymo_series_find_tag(reader, UINT64_MAX, &(uint64_t){0}), -ENODATA);
}

/* G */
Test(series, finds_tags_and_keys)
{
    for (uint64_t depth = 2; depth <= 64; depth *= 2) {
        const struct kymo_options options = {.clock = KYMO_USER,
                                             .depth = depth,
                                             .size = sizeof(struct keyed)};
        struct kymo_writer *writer = unit_writer("keys", &options);
        struct kymo_reader *reader = unit_reader("keys");
        uint64_t pos;

        cr_assert_eq(kymo_series_find_tag(reader, 0, &pos), -ENODATA);
        for (uint64_t head = 0; head < 3 * depth; head++) {
            const struct keyed keyed = {0.5 * (double)tag_of(head) - 100, head};

            cr_assert_eq(kymo_ring_publish(writer, &keyed, sizeof(keyed), head, tag_of(head)), 0);
            query_keys(reader, head + 1 < depth ? 0 : head + 2 - depth, head + 1);
        }
        cr_assert_eq(kymo_writer_remove(writer), 0);
        cr_assert_eq(kymo_series_find_tag(reader, 10, &pos), -EIDRM);
        kymo_reader_close(reader);
    }
}

/* The writer overwrites the record that is compared first. */
struct overwriting {
    struct kymo_writer *writer;
    uint64_t pos; /* the wanted one */
};

static int compare_overwritten(const struct kymo_view *view, const void *key)
{
    const struct overwriting *wanted = key;
    const struct unit_payload *payload = view->payload;

    while (wanted->writer->pos <= view->record.pos + 8 && wanted->writer->pos < 13)
        unit_publish(wanted->writer, 1);
    return payload->pos < wanted->pos ? -1 : payload->pos > wanted->pos;
}

/* G: the payload that was compared was that of a later record. */
Test(series, discards_comparisons_of_overwritten_records)
{
    struct kymo_writer *writer = unit_writer_of_depth("overwritten", 8);
    struct kymo_reader *reader = unit_reader("overwritten");
    const struct overwriting wanted = {writer, 6};
    uint64_t pos = 0;

    unit_publish(writer, 8); /* 1 to 7; the first probe is 4, which 12 overwrites */
    cr_assert_eq(kymo_series_find_key(reader, compare_overwritten, &wanted, &pos), 0);
    cr_assert_eq(pos, 6);
    cr_assert_eq(writer->pos, 13);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

Test(series, returns_nothing_before_first_record)
{
    struct kymo_writer *writer = unit_writer_of_depth("empty", 8);
    struct kymo_reader *reader = unit_reader("empty");
    struct unit_payload payload, after;
    struct kymo_bracket bracket;
    struct kymo_range range;
    uint64_t pos;

    cr_assert_eq(kymo_series_find_closest(reader, 5, KYMO_ANY_DISTANCE, &pos), -ENODATA);
    cr_assert_eq(kymo_series_closest(reader, 5, 5, &payload, sizeof(payload), NULL), -ENODATA);
    cr_assert_eq(kymo_series_find_as_of(reader, 5, &pos), -ENODATA);
    cr_assert_eq(kymo_series_as_of(reader, 5, &payload, sizeof(payload), NULL), -ENODATA);
    cr_assert_eq(kymo_series_bracket(reader, 5, &payload, &after, sizeof(payload), &bracket),
                 -ENODATA);
    cr_assert_eq(kymo_series_fresh(reader, 0, &payload, sizeof(payload), NULL), -ENODATA);
    cr_assert_eq(kymo_series_range(reader, 0, 5, &range), -ENODATA);
    cr_assert_eq(kymo_series_range(reader, 6, 5, &range), -EINVAL);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

Test(series, fresh_limits_the_age)
{
    struct kymo_writer *writer = unit_writer_of_depth("fresh", 8);
    struct kymo_reader *reader = unit_reader("fresh");
    struct unit_payload payload;
    struct kymo_record record;

    unit_publish(writer, 4);
    cr_assert_eq(kymo_series_fresh(reader, 0, &payload, sizeof(payload), &record), 0);
    cr_assert_eq(kymo_series_fresh(reader, 30, &payload, sizeof(payload), &record), 0);
    cr_assert_eq(record.pos, 3);
    cr_assert_eq(payload.pos, 3);
    cr_assert_eq(kymo_series_fresh(reader, 31, &payload, sizeof(payload), &record), -ETIME);
    cr_assert_eq(kymo_series_fresh(reader, UINT64_MAX, &payload, sizeof(payload), NULL), -ETIME);
    cr_assert_eq(kymo_series_fresh(reader, 30, &payload, 3, &record), -EMSGSIZE);
    cr_assert_eq(record.len, sizeof(payload));
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* G: the slot that is being written belongs to no window. */
Test(series, excludes_slot_being_written)
{
    static struct history history = {.depth = 4};
    struct kymo_writer *writer = unit_writer_of_depth("written", 4);
    struct kymo_reader *reader = unit_reader("written");
    uint64_t random = 5;
    void *lent;

    for (uint64_t i = 0; i < 9; i++)
        publish_at(writer, &history, 10 * i);
    cr_assert_eq(kymo_ring_loan(writer, &lent), 0);
    memset(lent, 0xee, sizeof(struct unit_payload));
    query_at_random(reader, &history, &random, 200);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* I */
Test(series, reports_removed_generation)
{
    struct kymo_writer *writer = unit_writer_of_depth("gone", 8);
    struct kymo_reader *reader = unit_reader("gone");
    struct unit_payload payload;
    struct kymo_range range;
    uint64_t pos;

    unit_publish(writer, 4);
    cr_assert_eq(kymo_writer_remove(writer), 0);
    cr_assert_eq(kymo_series_find_closest(reader, 5, KYMO_ANY_DISTANCE, &pos), -EIDRM);
    cr_assert_eq(kymo_series_find_as_of(reader, 5, &pos), -EIDRM);
    cr_assert_eq(kymo_series_fresh(reader, 5, &payload, sizeof(payload), NULL), -EIDRM);
    cr_assert_eq(kymo_series_range(reader, 5, 6, &range), -EIDRM);
    kymo_reader_close(reader);
}
