/*
 * test_text.c - the buffer that grows, and numbers, strings and bytes in it.
 */
#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kymo/text.h>

#include "json.h"
#include "random.h"
#include "test.h"

/* ---- memory: the linker replaces the library's realloc by these ---- */

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

static int reallocs;
static int memory_is_out;

void *__wrap_realloc(void *old, size_t size)
{
    reallocs++;
    return memory_is_out ? NULL : __real_realloc(old, size);
}

Test(text, begins_empty_and_ends_with_zero)
{
    struct kymo_text text = {0};

    kymo_text_append(&text, NULL, 0);
    cr_assert_eq(text.len, 0);
    cr_assert_str_eq(text.data, "");
    kymo_text_append(&text, "abc", 2);
    kymo_text_string(&text, "");
    kymo_text_string(&text, "cd");
    cr_assert_str_eq(text.data, "abcd");
    cr_assert_eq(text.len, 4);
    kymo_text_truncate(&text, 5);
    cr_assert_str_eq(text.data, "abcd");
    kymo_text_truncate(&text, 1);
    cr_assert_str_eq(text.data, "a");
    kymo_text_clear(&text);
    cr_assert_str_eq(text.data, "");
    cr_assert_eq(text.len, 0);
    kymo_text_free(&text);
    cr_assert_null(text.data);
    kymo_text_clear(&text);
    kymo_text_truncate(&text, 0);
    kymo_text_free(&text);
}

Test(text, growth_is_linear_on_the_whole)
{
    struct kymo_text text = {0};

    for (int i = 0; i < 1000000; i++) {
        kymo_text_append(&text, "x", 1);
        cr_assert_lt(reallocs, 16);
    }
    cr_assert_eq(text.len, 1000000);
    cr_assert_eq(strlen(text.data), 1000000);
    reallocs = 0;
    kymo_text_clear(&text);
    for (int i = 0; i < 1000000; i++)
        kymo_text_append(&text, "x", 1);
    cr_assert_eq(reallocs, 0);
    kymo_text_free(&text);
}

Test(text, printf_appends_every_length)
{
    struct kymo_text text = {0};
    char *expected = calloc(1, 1200);

    cr_assert(expected);
    for (size_t len = 0; len < 1100; len++) {
        kymo_text_free(&text);
        kymo_text_string(&text, ">");
        memset(expected, 'y', len);
        kymo_text_printf(&text, "%s%d", expected, 7);
        cr_assert_eq(text.len, len + 2);
        cr_assert_eq(text.data[0], '>');
        cr_assert_eq(memcmp(text.data + 1, expected, len), 0);
        cr_assert_str_eq(text.data + 1 + len, "7");
    }
    kymo_text_free(&text);
    free(expected);
}

static void expect_out_of_memory(struct kymo_text *text)
{
    cr_assert_eq(text->error, -ENOMEM);
    cr_assert_null(text->data);
    cr_assert_eq(text->len, 0);
}

Test(text, enomem_is_sticky)
{
    struct kymo_text text = {0};

    kymo_text_string(&text, "appending has no effect");
    memory_is_out = 1;
    for (int i = 0; i < 100; i++)
        kymo_text_string(&text, "0123456789");
    expect_out_of_memory(&text);
    memory_is_out = 0;

    kymo_text_string(&text, "x");
    kymo_text_append(&text, "x", 1);
    kymo_text_printf(&text, "%d", 1);
    kymo_text_u64(&text, 1);
    kymo_text_i64(&text, -1);
    kymo_text_f32(&text, 1.5f);
    kymo_text_f64(&text, 1.5);
    kymo_text_quoted(&text, "\x01", 1);
    kymo_text_hex(&text, "x", 1);
    kymo_text_when(&text, 1);
    kymo_text_duration(&text, 1);
    kymo_text_truncate(&text, 0);
    expect_out_of_memory(&text);

    kymo_text_clear(&text);
    cr_assert_eq(text.error, 0);
    kymo_text_string(&text, "x");
    cr_assert_str_eq(text.data, "x");
    kymo_text_free(&text);
}

Test(text, fails_at_lengths_beyond_memory)
{
    struct kymo_text text = {0};

    kymo_text_string(&text, "x");
    kymo_text_append(&text, "y", SIZE_MAX);
    expect_out_of_memory(&text);
    kymo_text_clear(&text);
    kymo_text_string(&text, "x");
    kymo_text_append(&text, "y", SIZE_MAX - 1);
    expect_out_of_memory(&text);
    kymo_text_clear(&text);
    kymo_text_hex(&text, "y", SIZE_MAX / 2 + 1);
    expect_out_of_memory(&text);
    kymo_text_clear(&text);
    kymo_text_hex(&text, "y", SIZE_MAX);
    expect_out_of_memory(&text);
}

/* ---- numbers ---- */

static struct kymo_text number;

static const char *spell_f64(double value)
{
    kymo_text_clear(&number);
    kymo_text_f64(&number, value);
    return number.data;
}

static const char *spell_f32(float value)
{
    kymo_text_clear(&number);
    kymo_text_f32(&number, value);
    return number.data;
}

static const char *spell_i64(int64_t value)
{
    kymo_text_clear(&number);
    kymo_text_i64(&number, value);
    return number.data;
}

static const char *spell_u64(uint64_t value)
{
    kymo_text_clear(&number);
    kymo_text_u64(&number, value);
    return number.data;
}

Test(text, prints_integers)
{
    cr_assert_str_eq(spell_u64(0), "0");
    cr_assert_str_eq(spell_u64(9), "9");
    cr_assert_str_eq(spell_u64(10), "10");
    cr_assert_str_eq(spell_u64(UINT64_MAX), "18446744073709551615");
    cr_assert_str_eq(spell_i64(0), "0");
    cr_assert_str_eq(spell_i64(-1), "-1");
    cr_assert_str_eq(spell_i64(INT64_MAX), "9223372036854775807");
    cr_assert_str_eq(spell_i64(INT64_MIN), "-9223372036854775808");
}

Test(text, prints_doubles)
{
    cr_assert_str_eq(spell_f64(0.0), "0");
    cr_assert_str_eq(spell_f64(-0.0), "-0.0");
    cr_assert_str_eq(spell_f64(21), "21");
    cr_assert_str_eq(spell_f64(-21), "-21");
    cr_assert_str_eq(spell_f64(21.5), "21.5");
    cr_assert_str_eq(spell_f64(0.1), "0.1");
    cr_assert_str_eq(spell_f64(0.1 + 0.2), "0.30000000000000004");
    cr_assert_str_eq(spell_f64(1.0 / 3), "0.3333333333333333");
    cr_assert_str_eq(spell_f64(2.0 / 3), "0.6666666666666666");
    cr_assert_str_eq(spell_f64(-9.81), "-9.81");
    cr_assert_str_eq(spell_f64(0.0001), "0.0001");
    cr_assert_str_eq(spell_f64(0.00001), "1e-05");
    cr_assert_str_eq(spell_f64(1e6), "1000000");
    cr_assert_str_eq(spell_f64(999999999999999), "999999999999999");
    cr_assert_str_eq(spell_f64(1e15), "1e+15");
    cr_assert_str_eq(spell_f64(5e-324), "5e-324");
    cr_assert_str_eq(spell_f64(DBL_MAX), "1.7976931348623157e+308");
    cr_assert_str_eq(spell_f64(NAN), "null");
    cr_assert_str_eq(spell_f64(INFINITY), "1e999");
    cr_assert_str_eq(spell_f64(-INFINITY), "-1e999");
    kymo_text_free(&number);
}

Test(text, prints_floats)
{
    cr_assert_str_eq(spell_f32(0.0f), "0");
    cr_assert_str_eq(spell_f32(-0.0f), "-0.0");
    cr_assert_str_eq(spell_f32(0.1f), "0.1");
    cr_assert_str_eq(spell_f32(9.81f), "9.81");
    cr_assert_str_eq(spell_f32(1.0f / 3), "0.33333334");
    cr_assert_str_eq(spell_f32(16777215.0f), "16777215");
    cr_assert_str_eq(spell_f32(16777216.0f), "16777216");
    cr_assert_str_eq(spell_f32(4194304.5f), "4194304.5");
    cr_assert_str_eq(spell_f32(1000000.0f), "1000000");
    cr_assert_str_eq(spell_f32(FLT_MAX), "3.4028235e+38");
    cr_assert_str_eq(spell_f32(NAN), "null");
    cr_assert_str_eq(spell_f32(-INFINITY), "-1e999");
    kymo_text_free(&number);
}

#define DIGITS 40

/* The digits of a decimal, without leading and trailing zeros. */
static const char *significant(const char *decimal, char digits[DIGITS])
{
    size_t len = 0, last = 0;

    for (; *decimal && *decimal != 'e'; decimal++) {
        if ((*decimal >= '1' && *decimal <= '9') || (*decimal == '0' && len > 0))
            digits[len++] = *decimal;
        if (len > 0 && digits[len - 1] != '0')
            last = len;
    }
    digits[last] = '\0';
    return digits;
}

/* The reference: the smallest precision with which printf's output reads back. */
static const char *fewest_f64(double value, char digits[DIGITS])
{
    char decimal[DIGITS];

    for (int precision = 1;; precision++) {
        snprintf(decimal, sizeof(decimal), "%.*g", precision, value);
        if (precision == 17 || strtod(decimal, NULL) == value)
            return significant(decimal, digits);
    }
}

static const char *fewest_f32(float value, char digits[DIGITS])
{
    char decimal[DIGITS];

    for (int precision = 1;; precision++) {
        snprintf(decimal, sizeof(decimal), "%.*g", precision, (double)value);
        if (precision == 9 || strtof(decimal, NULL) == value)
            return significant(decimal, digits);
    }
}

static void check_f64(double value)
{
    const char *spelled = spell_f64(value);
    double back = strtod(spelled, NULL);
    char digits[DIGITS], expected[DIGITS];

    if (isnan(value)) {
        cr_assert_str_eq(spelled, "null");
        return;
    }
    cr_assert_eq(memcmp(&back, &value, sizeof(back)), 0, "%s is not %a", spelled, value);
    cr_assert(json_is_valid(spelled, number.len), "%s", spelled);
    cr_assert_str_eq(significant(spelled, digits), fewest_f64(value, expected));
}

static void check_f32(float value)
{
    const char *spelled = spell_f32(value);
    float back = strtof(spelled, NULL);
    char digits[DIGITS], expected[DIGITS];

    if (isnan(value)) {
        cr_assert_str_eq(spelled, "null");
        return;
    }
    cr_assert_eq(memcmp(&back, &value, sizeof(back)), 0, "%s is not %a", spelled, (double)value);
    cr_assert(json_is_valid(spelled, number.len), "%s", spelled);
    cr_assert_str_eq(significant(spelled, digits), fewest_f32(value, expected));
}

/* The reference tries every number of digits, which takes an emulator minutes. */
#ifdef KYMO_EMULATED
#define RANDOM_NUMBERS 2000
#else
#define RANDOM_NUMBERS 100000
#endif

Test(text, any_double_reads_back_from_the_fewest_digits)
{
    uint64_t state = 3;

    for (int i = 0; i < RANDOM_NUMBERS; i++) {
        uint64_t bits = random_u64(&state);
        double value;

        /* Half of them in the usual range: exponents from -15 to 52. */
        if (i % 2)
            bits = (bits & UINT64_C(0x800fffffffffffff)) |
                   (uint64_t)(1023 - 15 + random_below(&state, 68)) << 52;
        memcpy(&value, &bits, sizeof(value));
        check_f64(value);
    }
    kymo_text_free(&number);
}

Test(text, any_float_reads_back_from_the_fewest_digits)
{
    uint64_t state = 4;

    for (int i = 0; i < RANDOM_NUMBERS; i++) {
        uint32_t bits = (uint32_t)random_u64(&state);
        float value;

        if (i % 2)
            bits = (bits & 0x807fffffu) | (127 - 15 + random_below(&state, 42)) << 23;
        memcpy(&value, &bits, sizeof(value));
        check_f32(value);
    }
    kymo_text_free(&number);
}

/* The hardest cases: short decimals, powers of two, and their neighbours. */
Test(text, prints_neighbours_of_round_numbers)
{
    uint64_t state = 5;

    for (int exponent = -1074; exponent <= 1023; exponent++) {
        double power = ldexp(1, exponent);

        check_f64(power);
        check_f64(nextafter(power, 0));
        check_f64(nextafter(power, INFINITY));
    }
    for (int exponent = -149; exponent <= 127; exponent++) {
        float power = ldexpf(1, exponent);

        check_f32(power);
        check_f32(nextafterf(power, 0));
        check_f32(nextafterf(power, INFINITY));
    }
    for (int i = 0; i < RANDOM_NUMBERS * 3 / 10; i++) {
        double decimal = (double)random_below(&state, 1000000) / pow(10, random_below(&state, 10));

        check_f64(decimal);
        check_f64(nextafter(decimal, INFINITY));
        check_f64(-nextafter(decimal, 0));
        check_f32((float)decimal);
        check_f32(nextafterf((float)decimal, INFINITY));
    }
    kymo_text_free(&number);
}

/* Compiles a locale with a decimal comma, as none may be installed. */
static void make_locale(void)
{
    char directory[] = "/tmp/kymo-locale-XXXXXX";
    char command[400];
    FILE *source;

    cr_assert(mkdtemp(directory));
    snprintf(command, sizeof(command), "%s/source", directory);
    source = fopen(command, "w");
    cr_assert(source);
    fputs("LC_NUMERIC\ndecimal_point \",\"\nthousands_sep \".\"\ngrouping 3;3\nEND LC_NUMERIC\n",
          source);
    fclose(source);
    /* Its status is 1, because the other categories are missing. */
    snprintf(command, sizeof(command), "localedef -c -i %s/source %s/xx_XX >%s/log 2>&1", directory,
             directory, directory);
    cr_assert_neq(system(command), -1);
    setenv("LOCPATH", directory, 1);
    cr_assert(setlocale(LC_NUMERIC, "xx_XX"), "localedef created no locale");
    snprintf(command, sizeof(command), "rm -r %s", directory);
    cr_assert_eq(system(command), 0);
}

Test(text, numbers_ignore_locale)
{
    char printed[16];
    uint64_t ns;

    make_locale();
    snprintf(printed, sizeof(printed), "%g", 1.5);
    cr_assert_str_eq(printed, "1,5", "the locale has no effect on printf");

    cr_assert_str_eq(spell_f64(1234567.5), "1234567.5");
    cr_assert_str_eq(spell_f64(1.5e-7), "1.5e-07");
    cr_assert_str_eq(spell_f64(0.1e-7 + 0.2e-7), "3.0000000000000004e-08");
    cr_assert_str_eq(spell_f64(DBL_MAX), "1.7976931348623157e+308");
    cr_assert_str_eq(spell_f32(1.5e-7f), "1.5e-07");
    cr_assert_str_eq(spell_f32(FLT_MAX), "3.4028235e+38");
    kymo_text_clear(&number);
    kymo_text_duration(&number, 12500000000);
    cr_assert_str_eq(number.data, "12.5s");
    cr_assert_eq(kymo_duration_parse("12.5s", &ns), 0);
    cr_assert_eq(ns, 12500000000);
    cr_assert_eq(kymo_duration_parse("12,5s", &ns), -EINVAL);
    kymo_text_free(&number);
}

/* ---- strings and bytes ---- */

static void expect_quoted(const char *bytes, size_t len, const char *expected)
{
    struct kymo_text text = {0};

    kymo_text_quoted(&text, bytes, len);
    cr_assert_str_eq(text.data, expected);
    cr_assert(json_is_valid(text.data, text.len), "%s", text.data);
    kymo_text_free(&text);
}

#define EXPECT_QUOTED(literal, expected) expect_quoted(literal, sizeof(literal) - 1, expected)
#define BAD                              "\xef\xbf\xbd"

Test(text, strings_are_escaped)
{
    EXPECT_QUOTED("", "\"\"");
    EXPECT_QUOTED("plain", "\"plain\"");
    EXPECT_QUOTED("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
    EXPECT_QUOTED("\b\t\n\f\r", "\"\\b\\t\\n\\f\\r\"");
    EXPECT_QUOTED("\0x\x01\x0b\x1f\x7f", "\"\\u0000x\\u0001\\u000b\\u001f\\u007f\"");
    EXPECT_QUOTED("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", "\"\\u0080\\u009b\\u009f\xc2\xa0\"");
    EXPECT_QUOTED("\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\x8d",
                  "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\x8d\"");
    EXPECT_QUOTED("\xf4\x8f\xbf\xbf", "\"\xf4\x8f\xbf\xbf\"");
}

Test(text, invalid_utf8_is_replaced)
{
    EXPECT_QUOTED("a\xff"
                  "b",
                  "\"a" BAD "b\"");
    EXPECT_QUOTED("\x80", "\"" BAD "\"");
    EXPECT_QUOTED("\xc3", "\"" BAD "\"");
    EXPECT_QUOTED("\xe2\x82", "\"" BAD BAD "\"");
    EXPECT_QUOTED("\xe2\x82x", "\"" BAD BAD "x\"");
    EXPECT_QUOTED("\xf0\x9f\x8c", "\"" BAD BAD BAD "\"");
    EXPECT_QUOTED("\xc0\xaf", "\"" BAD BAD "\"");         /* "/" in two bytes */
    EXPECT_QUOTED("\xe0\x80\xaf", "\"" BAD BAD BAD "\""); /* in three */
    EXPECT_QUOTED("\xed\xa0\x80", "\"" BAD BAD BAD "\""); /* half a surrogate pair */
    EXPECT_QUOTED("\xf4\x90\x80\x80", "\"" BAD BAD BAD BAD "\"");
    EXPECT_QUOTED("\xf8\x88\x80\x80\x80", "\"" BAD BAD BAD BAD BAD "\"");
}

Test(text, any_bytes_give_valid_string)
{
    struct kymo_text text = {0};
    uint64_t state = 6;

    for (int i = 0; i < 20000; i++) {
        size_t len = random_below(&state, 40);
        char *bytes = malloc(len ? len : 1);

        cr_assert(bytes);
        for (size_t at = 0; at < len; at++) {
            bytes[at] = (char)random_u64(&state);
            if (i % 2 && at > 0) /* sequences of lead and continuation bytes */
                bytes[at] = (char)(0x80 | (bytes[at] & (random_u64(&state) % 3 ? 0x3f : 0x7f)));
        }
        kymo_text_clear(&text);
        kymo_text_quoted(&text, bytes, len);
        cr_assert(json_is_valid(text.data, text.len), "%s", text.data);
        free(bytes);
    }
    kymo_text_free(&text);
}

Test(text, bytes_as_hex)
{
    struct kymo_text text = {0};

    kymo_text_hex(&text, NULL, 0);
    cr_assert_str_eq(text.data, "");
    kymo_text_hex(&text, "\x00\x09\x0a\xff\x5c", 5);
    cr_assert_str_eq(text.data, "00090aff5c");
    kymo_text_free(&text);
}
