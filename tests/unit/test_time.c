/*
 * test_time.c - TIME and DUR: parsing, errors, and that printed times parse to the same value.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kymo/text.h>

#include "random.h"
#include "test.h"

#define SECOND UINT64_C(1000000000)
#define NOW    (1000 * SECOND)

static void expect_time(const char *text, enum kymo_clock clock, uint64_t expected)
{
    uint64_t time = 42;

    cr_assert_eq(kymo_time_parse(text, clock, NOW, &time), 0, "\"%s\"", text);
    cr_assert_eq(time, expected, "\"%s\" is %llu", text, (unsigned long long)time);
}

static void expect_error(const char *text, enum kymo_clock clock, int expected)
{
    uint64_t time = 42;
    int error = kymo_time_parse(text, clock, NOW, &time);

    cr_assert_eq(error, expected, "\"%s\": %d", text, error);
    cr_assert_eq(time, 42, "\"%s\" left something", text);
}

Test(time, plain_numbers_are_nanoseconds)
{
    expect_time("0", KYMO_MONOTONIC, 0);
    expect_time("1234567", KYMO_MONOTONIC, 1234567);
    expect_time("1234567", KYMO_USER, 1234567);
    expect_time("007", KYMO_USER, 7);
    expect_time("2026", KYMO_REALTIME, 2026);
    expect_time("18446744073709551615", KYMO_TAI, UINT64_MAX);
}

Test(time, parses_units)
{
    expect_time("5ns", KYMO_MONOTONIC, 5);
    expect_time("5us", KYMO_MONOTONIC, 5000);
    expect_time("1500ms", KYMO_MONOTONIC, 1500000000);
    expect_time("12.5s", KYMO_MONOTONIC, 12500000000);
    expect_time("2min", KYMO_BOOTTIME, 120 * SECOND);
    expect_time("1.5h", KYMO_BOOTTIME, 5400 * SECOND);
    expect_time("2d", KYMO_REALTIME, 172800 * SECOND);
    expect_time("1.5s", KYMO_USER, 1500000000);
}

Test(time, digits_below_nanosecond_are_truncated)
{
    expect_time("0.9999999999s", KYMO_MONOTONIC, 999999999);
    expect_time("1.0000000019s", KYMO_MONOTONIC, 1000000001);
    expect_time("1.9ns", KYMO_MONOTONIC, 1);
    expect_time("0.0000115740740741d", KYMO_MONOTONIC, 1000000000);
    expect_time("0.000000000000011574d", KYMO_MONOTONIC, 0);
    expect_time("0.000000000000011575d", KYMO_MONOTONIC, 1);
    expect_time("0.3333333333333333333333333333333333333333333333min", KYMO_MONOTONIC, 19999999999);
    expect_time("1970-01-01T00:00:00.1234567899Z", KYMO_REALTIME, 123456789);
}

Test(time, parses_times_relative_to_now)
{
    expect_time("now", KYMO_MONOTONIC, NOW);
    expect_time("-2s", KYMO_MONOTONIC, 998 * SECOND);
    expect_time("+2s", KYMO_MONOTONIC, 1002 * SECOND);
    expect_time("now-250ms", KYMO_MONOTONIC, NOW - 250000000);
    expect_time("now+1s", KYMO_REALTIME, 1001 * SECOND);
    expect_time("now-1000s", KYMO_MONOTONIC, 0);
    expect_time("-1", KYMO_MONOTONIC, NOW - 1);
    expect_error("now", KYMO_USER, -EINVAL);
    expect_error("-2s", KYMO_USER, -EINVAL);
    expect_error("+2s", KYMO_USER, -EINVAL);
    expect_error("now-1", KYMO_USER, -EINVAL);
}

Test(time, parses_dates)
{
    expect_time("1970-01-01T00:00:00Z", KYMO_REALTIME, 0);
    expect_time("1970-01-01 00:00:01z", KYMO_REALTIME, SECOND);
    expect_time("2026-01-31T23:59:59.5Z", KYMO_REALTIME, 1769903999 * SECOND + SECOND / 2);
    expect_time("2026-02-01t01:59:59.5+02:00", KYMO_REALTIME, 1769903999 * SECOND + SECOND / 2);
    expect_time("2026-01-31T18:29:59-05:30", KYMO_REALTIME, 1769903999 * SECOND);
    expect_time("1969-12-31T23:00:00-01:00", KYMO_REALTIME, 0);
    expect_time("2000-02-29T00:00:00Z", KYMO_REALTIME, 951782400 * SECOND);
    expect_time("2016-12-31T23:59:60Z", KYMO_REALTIME, 1483228800 * SECOND);
    expect_time("2017-01-01T00:59:60+01:00", KYMO_REALTIME, 1483228800 * SECOND);
    expect_time("2554-07-21T23:34:33.709551615Z", KYMO_REALTIME, UINT64_MAX);
}

Test(time, rejects_invalid_dates)
{
    static const char *const texts[] = {
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T23:59:60+01:00",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00Z",
        "2026-01-01",
        "2026-01-01T",
        "2026-01-01X00:00:00Z",
        "2026-1-1T00:00:00Z",
        "2026-01-01T0:00:00Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00,5Z",
        "2026-01-01T00:00:00+0200",
        "2026-01-01T00:00:00+02",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+00:60",
        "2026-01-01T00:00:00Z ",
        "2026-01-01T00:00:00ZZ",
        "2026-01-01  00:00:00Z",
        "12026-01-01T00:00:00Z",
        "2026-01-01T00:00:00+02:00x",
        "2026-",
        "2026-01-01T00:00:00 02:00",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        expect_error(texts[i], KYMO_REALTIME, -EINVAL);
}

Test(time, rejects_dates_on_other_clocks)
{
    expect_error("2026-01-01T00:00:00Z", KYMO_MONOTONIC, -EINVAL);
    expect_error("2026-01-01T00:00:00Z", KYMO_BOOTTIME, -EINVAL);
    expect_error("2026-01-01T00:00:00Z", KYMO_TAI, -EINVAL);
    expect_error("2026-01-01T00:00:00Z", KYMO_USER, -EINVAL);
}

Test(time, rejects_invalid_times)
{
    static const char *const texts[] = {
        "",      " ",     "abc",   "s",      "-",       "+",          "--1",   "now-", "nowx",
        "Now",   "now 1", "now1s", "now- 1", "now-now", "now--1",     "1.5",   ".5s",  "5.s",
        "1,5s",  "1e9",   "0x10",  "5 s",    " 5s",     "5s ",        "5S",    "5m",   "5sec",
        "1s2ms", "5msx",  "nan",   "inf",    "-now",    "5\xc2\xb5s", "1..5s", "\xff", "5%",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        expect_error(texts[i], KYMO_MONOTONIC, -EINVAL);
        expect_error(texts[i], KYMO_REALTIME, -EINVAL);
        expect_error(texts[i], KYMO_USER, -EINVAL);
    }
}

Test(time, rejects_times_out_of_range)
{
    expect_error("18446744073709551616", KYMO_MONOTONIC, -ERANGE);
    expect_error("99999999999999999999999999999999999999", KYMO_MONOTONIC, -ERANGE);
    expect_error("18446744073.709551616s", KYMO_MONOTONIC, -ERANGE);
    expect_time("18446744073.709551615s", KYMO_MONOTONIC, UINT64_MAX);
    expect_error("213504d", KYMO_MONOTONIC, -ERANGE);
    expect_time("-1001s", KYMO_MONOTONIC, 0);
    expect_time("now-1000000000001", KYMO_MONOTONIC, 0);
    expect_error("now+18446744073709551615", KYMO_MONOTONIC, -ERANGE);
    expect_time("now-99999999d", KYMO_MONOTONIC, 0);
    expect_time("now-18446744073709551616", KYMO_MONOTONIC, 0); /* 2^64 */
    expect_error("1969-12-31T23:59:59Z", KYMO_REALTIME, -ERANGE);
    expect_error("0000-01-01T00:00:00Z", KYMO_REALTIME, -ERANGE);
    expect_error("1970-01-01T00:00:00+00:01", KYMO_REALTIME, -ERANGE);
    expect_error("2554-07-21T23:34:33.709551616Z", KYMO_REALTIME, -ERANGE);
    expect_error("9999-12-31T23:59:59Z", KYMO_REALTIME, -ERANGE);
    /* Invalid text gives no time, for any size. */
    expect_error("99999999999999999999x", KYMO_MONOTONIC, -EINVAL);
    expect_error("9999-12-31T23:59:59", KYMO_REALTIME, -EINVAL);
}

Test(time, parses_durations)
{
    static const struct {
        const char *text;
        int error;
        uint64_t ns;
    } cases[] = {
        {"250ms", 0, 250000000},
        {"1.5s", 0, 1500000000},
        {"1000", 0, 1000},
        {"0", 0, 0},
        {"1d", 0, 86400 * SECOND},
        {"18446744073709551615", 0, UINT64_MAX},
        {"18446744073709551616", -ERANGE, 0},
        {"1000000d", -ERANGE, 0},
        {"now", -EINVAL, 0},
        {"-2s", -EINVAL, 0},
        {"+2s", -EINVAL, 0},
        {"2026-01-01T00:00:00Z", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"2 s", -EINVAL, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t ns = 0;

        cr_assert_eq(kymo_duration_parse(cases[i].text, &ns), cases[i].error, "%s", cases[i].text);
        cr_assert_eq(ns, cases[i].ns, "%s", cases[i].text);
    }
}

/* ---- writing ---- */

static struct kymo_text text;

static const char *spell_when(uint64_t time)
{
    kymo_text_clear(&text);
    kymo_text_when(&text, time);
    return text.data;
}

static const char *spell_duration(uint64_t ns)
{
    kymo_text_clear(&text);
    kymo_text_duration(&text, ns);
    return text.data;
}

Test(time, prints_dates)
{
    cr_assert_str_eq(spell_when(0), "1970-01-01T00:00:00.000000000Z");
    cr_assert_str_eq(spell_when(1769903999 * SECOND + 1), "2026-01-31T23:59:59.000000001Z");
    cr_assert_str_eq(spell_when(951782400 * SECOND), "2000-02-29T00:00:00.000000000Z");
    cr_assert_str_eq(spell_when(UINT64_MAX), "2554-07-21T23:34:33.709551615Z");
    kymo_text_free(&text);
}

/* Every day of the calendar, against the C library's. */
Test(time, days_equal_the_c_library)
{
    for (uint64_t day = 0; day <= UINT64_MAX / SECOND / 86400; day++) {
        time_t seconds = (time_t)(day * 86400 + day % 86400);
        struct tm broken;
        char expected[64];

        gmtime_r(&seconds, &broken);
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000000000Z", &broken);
        if ((uint64_t)seconds > UINT64_MAX / SECOND)
            break;
        cr_assert_str_eq(spell_when((uint64_t)seconds * SECOND), expected);
    }
    kymo_text_free(&text);
}

Test(time, any_instant_reads_back)
{
    uint64_t state = 7;

    for (int i = 0; i < 100000; i++) {
        uint64_t time = random_u64(&state) >> random_below(&state, 64);
        uint64_t back;
        char digits[32];

        cr_assert_eq(kymo_time_parse(spell_when(time), KYMO_REALTIME, 0, &back), 0, "%s",
                     text.data);
        cr_assert_eq(back, time, "%s", text.data);
        snprintf(digits, sizeof(digits), "%llu", (unsigned long long)time);
        cr_assert_eq(kymo_time_parse(digits, KYMO_USER, 0, &back), 0, "%s", digits);
        cr_assert_eq(back, time, "%s", digits);
    }
    kymo_text_free(&text);
}

Test(time, prints_durations)
{
    cr_assert_str_eq(spell_duration(0), "0s");
    cr_assert_str_eq(spell_duration(1), "1ns");
    cr_assert_str_eq(spell_duration(999), "999ns");
    cr_assert_str_eq(spell_duration(1000), "1us");
    cr_assert_str_eq(spell_duration(1500), "1.5us");
    cr_assert_str_eq(spell_duration(3000000), "3ms");
    cr_assert_str_eq(spell_duration(12300000), "12.3ms");
    cr_assert_str_eq(spell_duration(12345678), "12.3457ms");
    cr_assert_str_eq(spell_duration(12500000000), "12.5s");
    cr_assert_str_eq(spell_duration(1000000001), "1s");
    cr_assert_str_eq(spell_duration(1000005000), "1.00001s");
    cr_assert_str_eq(spell_duration(9999999999), "10s");
    cr_assert_str_eq(spell_duration(999999999), "1s");
    cr_assert_str_eq(spell_duration(999999), "999.999us");
    cr_assert_str_eq(spell_duration(59999999999), "1min");
    cr_assert_str_eq(spell_duration(90 * SECOND), "1.5min");
    cr_assert_str_eq(spell_duration(3600 * SECOND), "1h");
    cr_assert_str_eq(spell_duration(86399999999999), "1d");
    cr_assert_str_eq(spell_duration(36 * 3600 * SECOND), "1.5d");
    cr_assert_str_eq(spell_duration(UINT64_MAX), "213504d");
    kymo_text_free(&text);
}

/* Six digits are printed: the error is at most half a unit of the sixth. */
Test(time, any_duration_reads_back_nearly)
{
    uint64_t state = 8;

    for (int i = 0; i < 100000; i++) {
        uint64_t ns = random_u64(&state) >> random_below(&state, 64);
        uint64_t back, apart;
        size_t digits = strspn(spell_duration(ns), "0123456789.");

        if (ns > UINT64_MAX - UINT64_MAX / 200000)
            continue; /* rounding up may exceed the range */
        cr_assert_eq(kymo_duration_parse(text.data, &back), 0, "%s", text.data);
        apart = back > ns ? back - ns : ns - back;
        cr_assert_leq(apart, ns / 200000 + (ns >= 1000), "%llu ns is %s", (unsigned long long)ns,
                      text.data);
        cr_assert_leq(digits, 7, "%s", text.data);
    }
    kymo_text_free(&text);
}

/* Any text is a time or an error. The copy has no slack, for the sanitizer. */
Test(time, accepts_or_refuses_any_text)
{
    static const char *const seeds[] = {"2026-01-31T23:59:59.5+02:00", "now-250ms", "12.5s",
                                        "18446744073709551615"};
    static const char alphabet[] = "0123456789-+:.TZ nowmsuhid\xff";
    uint64_t state = 9;
    int parsed = 0;

    for (int i = 0; i < 200000; i++) {
        const char *seed = seeds[i % 4];
        size_t len = random_below(&state, (uint32_t)strlen(seed) + 1);
        char *copy = malloc(len + 1);
        uint64_t time;
        int error;

        cr_assert(copy);
        memcpy(copy, seed, len);
        copy[len] = '\0';
        if (len > 0)
            copy[random_below(&state, (uint32_t)len)] =
                alphabet[random_below(&state, sizeof(alphabet) - 1)];
        error = kymo_time_parse(copy, KYMO_REALTIME, NOW, &time);
        cr_assert(error == 0 || error == -EINVAL || error == -ERANGE, "%s: %d", copy, error);
        parsed += error == 0;
        error = kymo_duration_parse(copy, &time);
        cr_assert(error == 0 || error == -EINVAL || error == -ERANGE, "%s: %d", copy, error);
        free(copy);
    }
    cr_assert_gt(parsed, 1000);
}
