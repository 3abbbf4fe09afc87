/*
 * test_key.c - validated times: each rule at its limits, and the queries of a policy compared with
 * those of series.h. build/key_refuses checks that other types do not compile as keys.
 */
#include "unit.h"

#include <kymo/key.h>

#define SECOND UINT64_C(1000000000)
#define YEAR   (UINT64_C(365) * 24 * 3600 * SECOND)

KYMO_KEY_POLICY(imu);
KYMO_KEY_POLICY(camera);

static int check(struct kymo_validator rule, uint64_t time)
{
    return kymo_validator_check(&rule, time);
}

Test(key, accepts_range_including_ends)
{
    cr_assert_eq(check(kymo_validator_range(10, 20), 9), -ERANGE);
    cr_assert_eq(check(kymo_validator_range(10, 20), 10), 0);
    cr_assert_eq(check(kymo_validator_range(10, 20), 20), 0);
    cr_assert_eq(check(kymo_validator_range(10, 20), 21), -ERANGE);
    cr_assert_eq(check(kymo_validator_range(10, 10), 10), 0);
    cr_assert_eq(check(kymo_validator_range(0, UINT64_MAX), 0), 0);
    cr_assert_eq(check(kymo_validator_range(0, UINT64_MAX), UINT64_MAX), 0);
    for (uint64_t time = 0; time < 30; time++)
        cr_assert_eq(check(kymo_validator_range(20, 10), time), -ERANGE);
}

Test(key, accepts_distance_on_both_sides)
{
    cr_assert_eq(check(kymo_validator_proximity(100, 5), 94), -ERANGE);
    cr_assert_eq(check(kymo_validator_proximity(100, 5), 95), 0);
    cr_assert_eq(check(kymo_validator_proximity(100, 5), 105), 0);
    cr_assert_eq(check(kymo_validator_proximity(100, 5), 106), -ERANGE);
    cr_assert_eq(check(kymo_validator_proximity(100, 0), 100), 0);
    cr_assert_eq(check(kymo_validator_proximity(100, 0), 101), -ERANGE);
    /* A distance beyond the first or last time is limited to it. */
    cr_assert_eq(check(kymo_validator_proximity(3, 5), 0), 0);
    cr_assert_eq(check(kymo_validator_proximity(3, 5), 8), 0);
    cr_assert_eq(check(kymo_validator_proximity(3, 5), 9), -ERANGE);
    cr_assert_eq(check(kymo_validator_proximity(3, 5), UINT64_MAX), -ERANGE);
    cr_assert_eq(check(kymo_validator_proximity(UINT64_MAX - 3, 5), UINT64_MAX), 0);
    cr_assert_eq(check(kymo_validator_proximity(UINT64_MAX - 3, 5), UINT64_MAX - 8), 0);
    cr_assert_eq(check(kymo_validator_proximity(UINT64_MAX - 3, 5), UINT64_MAX - 9), -ERANGE);
    cr_assert_eq(check(kymo_validator_proximity(UINT64_MAX - 3, 5), 1), -ERANGE);
    cr_assert_eq(check(kymo_validator_proximity(7, UINT64_MAX), UINT64_MAX), 0);
}

/* Relative to the current time of the clock. */
Test(key, accepts_plausible_current_times)
{
    for (enum kymo_clock clock = KYMO_MONOTONIC; clock < KYMO_USER; clock++) {
        const struct kymo_validator rule = kymo_validator_plausible(clock, 3600 * SECOND, SECOND);
        const uint64_t now = kymo_clock_now(clock);

        cr_assert_eq(check(rule, now), 0, "%s", kymo_clock_text(clock));
        cr_assert_eq(check(rule, now - 3500 * SECOND), now > 3500 * SECOND ? 0 : -ERANGE);
        cr_assert_eq(check(rule, now - 3601 * SECOND), -ERANGE);
        cr_assert_eq(check(rule, now + 3600 * SECOND), -ERANGE);
        cr_assert_eq(check(rule, UINT64_MAX), -ERANGE);
        cr_assert_eq(check(rule, UINT64_MAX / 2), -ERANGE);
        /* In another unit. */
        cr_assert_eq(check(rule, now * 1000), -ERANGE);
    }
}

/* A future time becomes valid, and then too old. */
Test(key, follows_the_clock)
{
    const struct kymo_validator past = kymo_validator_plausible(KYMO_MONOTONIC, SECOND / 20, 0);
    const struct kymo_validator ahead = kymo_validator_plausible(KYMO_MONOTONIC, YEAR, 0);
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);

    cr_assert_eq(check(ahead, now + SECOND / 10), -ERANGE);
    while (kymo_clock_now(KYMO_MONOTONIC) <= now + SECOND / 10)
        usleep(1000);
    cr_assert_eq(check(ahead, now + SECOND / 10), 0);
    cr_assert_eq(check(past, now), -ERANGE);
}

/* No wall-clock time lies within a year of the monotonic clock, and vice versa. */
Test(key, distinguishes_clocks)
{
    const uint64_t wall = kymo_clock_now(KYMO_REALTIME);
    const uint64_t monotonic = kymo_clock_now(KYMO_MONOTONIC);
    struct kymo_validator rule = kymo_validator_plausible(KYMO_MONOTONIC, YEAR, YEAR);
    struct imu_key key = {.validated = 77};

    cr_assert_eq(check(rule, monotonic), 0);
    cr_assert_eq(check(rule, wall), -ERANGE);
    cr_assert_eq(imu_key_make(&rule, wall, &key), -ERANGE);
    cr_assert_eq(key.validated, 77U);
    rule = kymo_validator_plausible(KYMO_REALTIME, YEAR, YEAR);
    cr_assert_eq(check(rule, wall), 0);
    cr_assert_eq(check(rule, monotonic), -ERANGE);
    rule = kymo_validator_plausible(KYMO_USER, UINT64_MAX, UINT64_MAX);
    cr_assert_eq(check(rule, monotonic), -ERANGE);
    cr_assert_eq(check(rule, 0), -ERANGE);
}

/* ---- combined rules, and callbacks ---- */

static int count_and_refuse_odd(const struct kymo_validator *validator, uint64_t time)
{
    ++*(unsigned int *)validator->context;
    return time % 2 ? -EDOM : 0;
}

Test(key, combines_rules)
{
    unsigned int calls = 0;
    struct kymo_validator rules[] = {
        kymo_validator_range(10, 100),
        kymo_validator_custom(count_and_refuse_odd, &calls),
        kymo_validator_proximity(90, 20),
    };
    const struct kymo_validator all = kymo_validator_all_of(rules, 3);
    const struct kymo_validator nested = kymo_validator_all_of(&all, 1);

    cr_assert_eq(check(all, 80), 0);
    cr_assert_eq(calls, 1U);
    cr_assert_eq(check(all, 9), -ERANGE);
    cr_assert_eq(calls, 1U, "later rules are not evaluated after the first that fails");
    cr_assert_eq(check(all, 81), -EDOM);
    cr_assert_eq(check(all, 20), -ERANGE);
    cr_assert_eq(check(nested, 80), 0);
    cr_assert_eq(check(nested, 81), -EDOM);
    cr_assert_eq(check(kymo_validator_all_of(NULL, 0), 12345), 0);
}

Test(key, requires_a_rule)
{
    const struct kymo_validator none = {0};
    struct kymo_validator rules[] = {kymo_validator_range(0, UINT64_MAX), none};
    struct imu_key key;

    cr_assert_eq(kymo_validator_check(NULL, 1), -EINVAL);
    cr_assert_eq(check(none, 1), -EINVAL);
    cr_assert_eq(check(kymo_validator_custom(NULL, NULL), 1), -EINVAL);
    cr_assert_eq(check(kymo_validator_all_of(rules, 2), 1), -EINVAL);
    cr_assert_eq(imu_key_make(NULL, 1, &key), -EINVAL);
}

/* ---- queries ---- */

static struct imu_key imu_at_time(uint64_t time)
{
    const struct kymo_validator any = kymo_validator_range(0, UINT64_MAX);
    struct imu_key key;

    cr_assert_eq(imu_key_make(&any, time, &key), 0);
    cr_assert_eq(key.validated, time);
    return key;
}

static void expect_pos(int error, const struct kymo_record *record,
                       const struct unit_payload *payload, uint64_t pos)
{
    cr_assert_eq(error, 0);
    cr_assert_eq(record->pos, pos);
    cr_assert_eq(payload->pos, pos);
    cr_assert_eq(payload->inverse, ~pos);
}

/* The records lie at 10 * pos. */
Test(key, queries_the_series)
{
    struct kymo_writer *writer = unit_writer_of_depth("key", 16);
    struct kymo_reader *reader = unit_reader("key");
    struct unit_payload payload, after;
    struct kymo_bracket bracket;
    struct kymo_record record;
    struct kymo_range range;

    unit_publish(writer, 10);
    expect_pos(imu_key_closest(reader, imu_at_time(33), 3, &payload, sizeof(payload), &record),
               &record, &payload, 3);
    cr_assert_eq(imu_key_closest(reader, imu_at_time(33), 2, &payload, sizeof(payload), &record),
                 -ERANGE);
    expect_pos(imu_key_as_of(reader, imu_at_time(39), &payload, sizeof(payload), &record), &record,
               &payload, 3);
    cr_assert_eq(imu_key_bracket(reader, imu_at_time(35), &payload, &after, sizeof(payload),
                                 &bracket),
                 0);
    expect_pos(0, &bracket.before, &payload, 3);
    expect_pos(0, &bracket.after, &after, 4);
    cr_assert_float_eq(bracket.alpha, 0.5, 1e-12);
    expect_pos(imu_key_fresh(reader, imu_at_time(90), &payload, sizeof(payload), &record), &record,
               &payload, 9);
    cr_assert_eq(imu_key_fresh(reader, imu_at_time(91), &payload, sizeof(payload), &record),
                 -ETIME);
    cr_assert_eq(imu_key_range(reader, imu_at_time(20), imu_at_time(50), &range), 0);
    cr_assert_eq(range.first, 2U);
    cr_assert_eq(range.count, 4U);
    cr_assert_eq(imu_key_range(reader, imu_at_time(50), imu_at_time(20), &range), -EINVAL);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

/* A key has the size of its time; policies differ in type only. */
Test(key, has_the_size_of_its_time)
{
    cr_assert_eq(sizeof(struct imu_key), sizeof(uint64_t));
    cr_assert_eq(sizeof(struct camera_key), sizeof(uint64_t));
}
