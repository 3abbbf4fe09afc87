/*
 * fuzz_time.c - any text as a TIME, a DUR or the query in a file's name; printed times parse to the
 * same value.
 */
#include "base/query.h"
#include "fuzz.h"

static void expect_known_time(int error)
{
    cr_assert(error == 0 || error == -EINVAL || error == -ERANGE, "%d", error);
}

/* An exactly printed time parses to the same time. */
static void print_and_read(uint64_t time)
{
    struct kymo_text text = {0};
    uint64_t again = 0;

    kymo_text_u64(&text, time);
    cr_assert_eq(kymo_time_parse(text.data, KYMO_USER, 0, &again), 0);
    cr_assert_eq(again, time);
    cr_assert_eq(kymo_duration_parse(text.data, &again), 0);
    cr_assert_eq(again, time);
    kymo_text_clear(&text);
    kymo_text_when(&text, time);
    cr_assert_eq(kymo_time_parse(text.data, KYMO_REALTIME, 0, &again), 0, "%s", text.data);
    cr_assert_eq(again, time, "%s", text.data);
    kymo_text_clear(&text);
    kymo_text_duration(&text, time);
    expect_known_time(kymo_duration_parse(text.data, &again));
    /* It is printed with six digits. */
    cr_assert_leq((time > again ? time - again : again - time), time / 100000, "%s", text.data);
    kymo_text_free(&text);
}

/* Any text after the question mark and after the slash. */
static void parse_queries(const char *text, enum kymo_clock clock, uint64_t now)
{
    struct query query;

    for (int kind = QUERY_CLOSEST; kind <= QUERY_RANGE; kind++) {
        expect_known_time(query_parse((enum query_kind)kind, text, clock, now, &query));
        expect_known_time(query_parse_path((enum query_kind)kind, text, clock, now, &query));
    }
}

/* Both forms of a query have the same TIME. */
static void query_time(const char *text, enum kymo_clock clock, uint64_t now, uint64_t time)
{
    char *longer = malloc(2 * strlen(text) + 64);
    struct query query;

    cr_assert_not_null(longer);
    sprintf(longer, "t=%s&max=1s", text);
    cr_assert_eq(query_parse(QUERY_CLOSEST, longer, clock, now, &query), 0, "%s", longer);
    cr_assert(query.time == time && query.limit == 1000000000);
    sprintf(longer, "to=%s&format=csv&from=%s", text, text);
    cr_assert_eq(query_parse(QUERY_RANGE, longer, clock, now, &query), 0, "%s", longer);
    cr_assert(query.from == time && query.to == time && query.csv);
    sprintf(longer, "t=%s", text);
    cr_assert_eq(query_parse(QUERY_INTERP, longer, clock, now, &query), 0, "%s", longer);
    cr_assert_eq(query.time, time);
    cr_assert_eq(query_parse_path(QUERY_INTERP, text, clock, now, &query), 0, "%s", text);
    cr_assert_eq(query.time, time);
    free(longer);
}

static void check_time(const char *text, enum kymo_clock clock, uint64_t now)
{
    uint64_t time = 0, again = 0;
    int error = kymo_time_parse(text, clock, now, &time);

    expect_known_time(error);
    parse_queries(text, clock, now);
    if (error)
        return;
    cr_assert_eq(kymo_time_parse(text, clock, now, &again), 0);
    cr_assert_eq(time, again);
    query_time(text, clock, now, time);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    uint64_t now = fuzz_u64(&input), duration = 0, time = 0;
    char *line = fuzz_line(&input);
    int error = kymo_duration_parse(line, &duration);

    expect_known_time(error);
    /* A DUR is a TIME as well. */
    if (!error) {
        cr_assert_eq(kymo_time_parse(line, KYMO_USER, 0, &time), 0, "%s", line);
        cr_assert_eq(time, duration);
    }
    for (int clock = KYMO_MONOTONIC; clock <= KYMO_USER; clock++)
        check_time(line, (enum kymo_clock)clock, now);
    print_and_read(now);
    free(line);
    return 0;
}
