/*
 * test_query.c - the text of queries.
 */
#include "base/query.h"

#include "test.h"

static int parse_error(enum query_kind kind, const char *text)
{
    struct query query;

    return query_parse(kind, text, KYMO_USER, 0, &query);
}

Test(query, accepts_parameters_in_any_order_but_only_once)
{
    struct query query;

    cr_assert_eq(query_parse(QUERY_CLOSEST, "t=5us", KYMO_USER, 0, &query), 0);
    cr_assert_eq(query.time, 5000);
    cr_assert_eq(query.limit, KYMO_ANY_DISTANCE);
    cr_assert_eq(query_parse(QUERY_CLOSEST, "max=1s&t=-1ns", KYMO_MONOTONIC, 77, &query), 0);
    cr_assert_eq(query.time, 76);
    cr_assert_eq(query.limit, 1000000000);
    cr_assert_eq(query_parse(QUERY_FRESH, "max_age=3ms", KYMO_MONOTONIC, 77, &query), 0);
    cr_assert_eq(query.limit, 3000000);
    cr_assert_eq(query_parse(QUERY_RANGE, "format=csv&to=now&from=-1ns", KYMO_TAI, 77, &query), 0);
    cr_assert_eq(query.from, 76);
    cr_assert_eq(query.to, 77);
    cr_assert(query.csv);
    cr_assert_eq(query_parse(QUERY_RANGE, "format=ndjson&to=1&from=1", KYMO_USER, 0, &query), 0);
    cr_assert_not(query.csv);
}

Test(query, rejects_malformed_queries)
{
    static const struct {
        enum query_kind kind;
        const char *text;
    } wrong[] = {
        {QUERY_CLOSEST, ""},
        {QUERY_CLOSEST, "t"},
        {QUERY_CLOSEST, "t="},
        {QUERY_CLOSEST, "t=1&t=1"},
        {QUERY_CLOSEST, "max=1"},
        {QUERY_CLOSEST, "t=1&"},
        {QUERY_CLOSEST, "t=1&maxi=1"},
        {QUERY_CLOSEST, "t=now"},
        {QUERY_INTERP, "t=1&max=1"},
        {QUERY_INTERP, "from=1"},
        {QUERY_FRESH, "t=1"},
        {QUERY_FRESH, "max_age=-1"},
        {QUERY_FRESH, "max_age=now"},
        {QUERY_TAG, "n="},
        {QUERY_TAG, "n=-1"},
        {QUERY_TAG, "n=1s"},
        {QUERY_TAG, "t=1"},
        {QUERY_RANGE, "from=1"},
        {QUERY_RANGE, "to=1"},
        {QUERY_RANGE, "from=2&to=1"},
        {QUERY_RANGE, "from=1&to=2&format=xml"},
        {QUERY_RANGE, "from=1&to=2&format=csv&format=csv"},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_eq(parse_error(wrong[i].kind, wrong[i].text), -EINVAL, "%s", wrong[i].text);
}

Test(query, parses_the_path_form)
{
    struct query query;

    cr_assert_eq(query_parse_path(QUERY_INTERP, "-1ns", KYMO_TAI, 77, &query), 0);
    cr_assert_eq(query.time, 76);
    cr_assert_eq(query_parse_path(QUERY_FRESH, "1.5us", KYMO_TAI, 77, &query), 0);
    cr_assert_eq(query.limit, 1500);
    cr_assert_eq(query_parse_path(QUERY_RANGE, "1.5us..now", KYMO_TAI, 7777, &query), 0);
    cr_assert_eq(query.from, 1500);
    cr_assert_eq(query.to, 7777);
    cr_assert_eq(query_parse_path(QUERY_TAG, "18446744073709551615", KYMO_USER, 0, &query), 0);
    cr_assert_eq(query.tag, UINT64_MAX);
    cr_assert_eq(query_parse_path(QUERY_TAG, "18446744073709551616", KYMO_USER, 0, &query),
                 -ERANGE);
    cr_assert_eq(query_parse_path(QUERY_TAG, "x", KYMO_USER, 0, &query), -EINVAL);
    cr_assert_eq(query_parse_path(QUERY_RANGE, "1..", KYMO_USER, 0, &query), -EINVAL);
    cr_assert_eq(query_parse_path(QUERY_RANGE, "..1", KYMO_USER, 0, &query), -EINVAL);
    cr_assert_eq(query_parse_path(QUERY_RANGE, "1", KYMO_USER, 0, &query), -EINVAL);
    cr_assert_eq(query_parse_path(QUERY_RANGE, "1...2", KYMO_USER, 0, &query), -EINVAL);
    cr_assert_eq(query_parse_path(QUERY_RANGE, "3..2", KYMO_USER, 0, &query), -EINVAL);
}
