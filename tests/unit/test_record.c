/*
 * test_record.c - records and schemas as JSON and CSV.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kymo/text.h>

#include "json.h"
#include "random.h"
#include "test.h"

struct every_type {
    char letter;
    uint64_t u64;
    bool flag;
    int16_t i16;
    uint8_t u8;
    double f64[2][3];
    int8_t i8[3];
    float f32;
    char name[6];
    uint32_t u32[2];
    uint16_t u16;
    int64_t i64;
    int32_t i32;
};

static const struct kymo_field every_fields[] = {
    KYMO_FIELD(struct every_type, letter, "", "a grade"),
    KYMO_FIELD_COUNTER(struct every_type, u64, "By", "grows"),
    KYMO_FIELD(struct every_type, flag, "", ""),
    KYMO_FIELD(struct every_type, i16, "", ""),
    KYMO_FIELD(struct every_type, u8, "", ""),
    KYMO_FIELD_MATRIX(struct every_type, f64, "m", "two rows of three"),
    KYMO_FIELD(struct every_type, i8, "", ""),
    KYMO_FIELD(struct every_type, f32, "", ""),
    KYMO_FIELD(struct every_type, name, "", ""),
    KYMO_FIELD(struct every_type, u32, "", ""),
    KYMO_FIELD(struct every_type, u16, "", ""),
    KYMO_FIELD(struct every_type, i64, "", ""),
    KYMO_FIELD(struct every_type, i32, "", ""),
};
static const struct kymo_schema every_schema = KYMO_SCHEMA(struct every_type, every_fields);

static const struct every_type example = {
    .letter = 'A',
    .u64 = UINT64_MAX,
    .flag = true,
    .i16 = INT16_MIN,
    .u8 = 255,
    .f64 = {{0.1, 21, NAN}, {-0.0, INFINITY, 1e300}},
    .i8 = {-128, 0, 127},
    .f32 = 0.1f,
    .name = "k\"\n",
    .u32 = {0, UINT32_MAX},
    .u16 = UINT16_MAX,
    .i64 = INT64_MIN,
    .i32 = INT32_MIN,
};

#define EXAMPLE_DATA                                                                          \
    "{\"letter\":\"A\",\"u64\":18446744073709551615,\"flag\":true,\"i16\":-32768,\"u8\":255," \
    "\"f64\":[[0.1,21,null],[-0.0,1e999,1e+300]],\"i8\":[-128,0,127],\"f32\":0.1,"            \
    "\"name\":\"k\\\"\\n\",\"u32\":[0,4294967295],\"u16\":65535,"                             \
    "\"i64\":-9223372036854775808,\"i32\":-2147483648}"

static struct kymo_text text;

static const char *json(const struct kymo_schema *schema, enum kymo_clock clock,
                        const void *payload, size_t len)
{
    const struct kymo_record record = {.pos = 12, .time = 123456789, .len = (uint32_t)len};

    kymo_text_clear(&text);
    kymo_text_record(&text, schema, clock, &record, payload);
    cr_assert(json_is_valid(text.data, text.len), "%s", text.data);
    return text.data;
}

/* The record's "data", for a schema in text form. */
static void expect_data(const char *fields, const void *payload, size_t len, const char *expected)
{
    static const char begin[] = "{\"pos\":12,\"time\":123456789,\"tag\":0,\"data\":";
    struct kymo_schema *schema;
    const char *data;

    cr_assert_eq(kymo_schema_parse(&schema, fields, NULL), 0, "%s", fields);
    data = json(schema, KYMO_MONOTONIC, payload, len);
    cr_assert_eq(strncmp(data, begin, strlen(begin)), 0, "%s", data);
    cr_assert_eq(text.data[text.len - 1], '}');
    kymo_text_truncate(&text, text.len - 1);
    cr_assert_str_eq(text.data + strlen(begin), expected);
    kymo_schema_free(schema);
}

Test(record, prints_every_type_as_json)
{
    cr_assert_str_eq(json(&every_schema, KYMO_MONOTONIC, &example, sizeof(example)),
                     "{\"pos\":12,\"time\":123456789,\"tag\":0,\"data\":" EXAMPLE_DATA "}");
    kymo_text_free(&text);
}

Test(record, realtime_has_a_date)
{
    cr_assert_str_eq(json(NULL, KYMO_REALTIME, "", 0),
                     "{\"pos\":12,\"time\":123456789,\"when\":\"1970-01-01T00:00:00.123456789Z\","
                     "\"tag\":0,\"data\":\"\"}");
    cr_assert_str_eq(json(NULL, KYMO_TAI, "", 0),
                     "{\"pos\":12,\"time\":123456789,\"tag\":0,\"data\":\"\"}");
    kymo_text_free(&text);
}

Test(record, bytes_without_schema_are_hex)
{
    const struct kymo_schema empty = {NULL, 0, 0};
    static const char expected[] = "{\"pos\":12,\"time\":123456789,\"tag\":0,\"data\":\"00ff10\"}";

    cr_assert_str_eq(json(NULL, KYMO_USER, "\x00\xff\x10", 3), expected);
    cr_assert_str_eq(json(&empty, KYMO_USER, "\x00\xff\x10", 3), expected);
    kymo_text_free(&text);
}

Test(record, payloads_may_be_unaligned)
{
    for (size_t shift = 0; shift < 8; shift++) {
        char *bytes = malloc(sizeof(example) + shift);

        cr_assert(bytes);
        memcpy(bytes + shift, &example, sizeof(example));
        cr_assert(
            strstr(json(&every_schema, KYMO_USER, bytes + shift, sizeof(example)), EXAMPLE_DATA));
        free(bytes);
    }
    kymo_text_free(&text);
}

Test(record, escapes_strings)
{
    expect_data("s:char[4]", "ab\0x", 4, "{\"s\":\"ab\"}");
    expect_data("s:char[4]", "abcd", 4, "{\"s\":\"abcd\"}");
    expect_data("s:char[4]", "\0bcd", 4, "{\"s\":\"\"}");
    expect_data("s:char[4]", "a\xff\xe2\x82", 4,
                "{\"s\":\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}");
    expect_data("s:char[2][3]", "ab\0cde", 6, "{\"s\":[\"ab\",\"cde\"]}");
    expect_data("s:char[2][1][3]", "ab\0cde", 6, "{\"s\":[[\"ab\"],[\"cde\"]]}");
    expect_data("c:char", "x", 1, "{\"c\":\"x\"}");
    expect_data("c:char", "\0", 1, "{\"c\":\"\"}");
    expect_data("c:char", "\x1b", 1, "{\"c\":\"\\u001b\"}");
    expect_data("c:char", "\xe4", 1, "{\"c\":\"\xef\xbf\xbd\"}");
    kymo_text_free(&text);
}

Test(record, a_bool_is_any_byte)
{
    expect_data("b:bool[5]", "\x00\x01\x07\x80\xff", 5, "{\"b\":[false,true,true,true,true]}");
    kymo_text_free(&text);
}

Test(record, arrays_nest)
{
    expect_data("a:u8[1]", "\1", 1, "{\"a\":[1]}");
    expect_data("a:u8[2][2][2]", "\1\2\3\4\5\6\7\10", 8, "{\"a\":[[[1,2],[3,4]],[[5,6],[7,8]]]}");
    expect_data("a:u8[1][2][1][2]", "\1\2\3\4", 4, "{\"a\":[[[[1,2]],[[3,4]]]]}");
    kymo_text_free(&text);
}

Test(record, missing_fields_are_null)
{
    expect_data("a:u16,b:u16", "\1\0\2\0", 4, "{\"a\":1,\"b\":2}");
    expect_data("a:u16,b:u16", "\1\0\2", 3, "{\"a\":1,\"b\":null}");
    expect_data("a:u16,b:u16", "", 0, "{\"a\":null,\"b\":null}");
    expect_data("a:u16[3]", "\1\0\2\0\3", 5, "{\"a\":[1,2,null]}");
    expect_data("a:u8,b:u16[3]", "\1\0", 2, "{\"a\":1,\"b\":null}");
    expect_data("s:char[8]", "ab", 2, "{\"s\":\"ab\"}");
    expect_data("s:char[8]", "", 0, "{\"s\":null}");
    expect_data("s:char[2][4]", "ab\0\0", 4, "{\"s\":[\"ab\",null]}");
    expect_data("b:bool", "", 0, "{\"b\":null}");
    /* Longer than the schema: the rest is not printed. */
    expect_data("a:u8", "\1\2\3", 3, "{\"a\":1}");
    kymo_text_free(&text);
}

/* Every length of payload, ending with its memory, of random bytes. */
Test(record, any_payload_is_valid_json)
{
    uint64_t state = 10;

    for (int i = 0; i < 20000; i++) {
        size_t len = random_below(&state, sizeof(struct every_type) + 1);
        unsigned char *bytes = malloc(len ? len : 1);

        cr_assert(bytes);
        for (size_t at = 0; at < len; at++)
            bytes[at] = (unsigned char)random_u64(&state);
        json(&every_schema, i % 2 ? KYMO_REALTIME : KYMO_USER, bytes, len);
        free(bytes);
    }
    kymo_text_free(&text);
}

/* ---- brackets ---- */

struct mixed {
    double d;
    float f;
    int32_t i;
    uint64_t u;
    bool b;
    char s[4];
};

static const struct kymo_field mixed_fields[] = {
    KYMO_FIELD(struct mixed, d, "", ""), KYMO_FIELD(struct mixed, f, "", ""),
    KYMO_FIELD(struct mixed, i, "", ""), KYMO_FIELD(struct mixed, u, "", ""),
    KYMO_FIELD(struct mixed, b, "", ""), KYMO_FIELD(struct mixed, s, "", ""),
};
static const struct kymo_schema mixed_schema = KYMO_SCHEMA(struct mixed, mixed_fields);

static const char *bracket(const struct kymo_schema *schema, enum kymo_clock clock, uint64_t time,
                           const struct kymo_bracket *found, const void *before, const void *after)
{
    kymo_text_clear(&text);
    kymo_text_bracket(&text, schema, clock, time, found, before, after);
    cr_assert(json_is_valid(text.data, text.len), "%s", text.data);
    return text.data;
}

Test(record, a_bracket_interpolates_numbers)
{
    const struct mixed before = {-1, 0.1f, 1, 10, true, "old"};
    const struct mixed after = {1, 0.3f, 2, 0, false, "new"};
    const struct kymo_bracket found = {
        .before = {.pos = 1, .time = 10, .tag = 7, .len = sizeof(before)},
        .after = {.pos = 2, .time = 20, .len = sizeof(after)},
        .alpha = 0.5,
    };

    cr_assert_str_eq(bracket(&mixed_schema, KYMO_USER, 15, &found, &before, &after),
                     "{\"time\":15,\"alpha\":0.5,"
                     "\"data\":{\"d\":0,\"f\":0.2,\"i\":1.5,\"u\":5,\"b\":true,\"s\":\"old\"},"
                     "\"before\":{\"pos\":1,\"time\":10,\"tag\":7,"
                     "\"data\":{\"d\":-1,\"f\":0.1,\"i\":1,\"u\":10,\"b\":true,\"s\":\"old\"}},"
                     "\"after\":{\"pos\":2,\"time\":20,\"tag\":0,"
                     "\"data\":{\"d\":1,\"f\":0.3,\"i\":2,\"u\":0,\"b\":false,\"s\":\"new\"}}}");
    bracket(&mixed_schema, KYMO_REALTIME, 15, &found, &before, &after);
    cr_assert(strstr(text.data,
                     "{\"time\":15,\"when\":\"1970-01-01T00:00:00.000000015Z\",\"alpha\":"),
              "%s", text.data);
    cr_assert_not_null(strstr(text.data, "\"time\":20,\"when\":"));
    kymo_text_free(&text);
}

/* An angle takes the shorter way: from 350 to 20 degrees through 0, from -3 to 3 rad through pi. */
Test(record, a_bracket_interpolates_as_the_field_says)
{
    struct turn {
        double deg, rad, previous, none;
    };
    static const struct kymo_field fields[] = {
        KYMO_FIELD_INTERP(struct turn, deg, "deg", "", KYMO_INTERP_ANGLE),
        KYMO_FIELD_INTERP(struct turn, rad, "rad", "", KYMO_INTERP_ANGLE),
        KYMO_FIELD_INTERP(struct turn, previous, "", "", KYMO_INTERP_PREVIOUS),
        KYMO_FIELD_INTERP(struct turn, none, "", "", KYMO_INTERP_NONE),
    };
    static const struct kymo_schema schema = KYMO_SCHEMA(struct turn, fields);
    const struct turn before = {350, -3, 1, 1}, after = {20, 3, 2, 2};
    struct kymo_bracket found = {.before = {.time = 10, .len = sizeof(before)},
                                 .after = {.time = 20, .len = sizeof(after)}};
    static const struct {
        double alpha, deg, rad;
    } cases[] = {{0.25, 357.5, -3.0707963}, {0.5, 5, -3.1415926}, {0.75, 12.5, 3.0707963}};
    double deg, rad;

    for (int i = 0; i < 3; i++) {
        found.alpha = cases[i].alpha;
        bracket(&schema, KYMO_USER, 15, &found, &before, &after);
        cr_assert_eq(sscanf(strstr(text.data, "\"deg\""), "\"deg\":%lf,\"rad\":%lf", &deg, &rad),
                     2);
        cr_assert_float_eq(deg, cases[i].deg, 1e-9, "%g", deg);
        cr_assert_float_eq(fabs(rad), fabs(cases[i].rad), 1e-6, "%g", rad);
        cr_assert_not_null(strstr(text.data, "\"previous\":1,\"none\":null},"), "%s", text.data);
    }
    found.alpha = 0;
    bracket(&schema, KYMO_USER, 10, &found, &before, &after);
    cr_assert_not_null(strstr(text.data, "{\"deg\":350,\"rad\":-3,\"previous\":1,\"none\":1}"));
    kymo_text_free(&text);
}

Test(record, a_bracket_at_a_record_is_that_record)
{
    const struct mixed exact = {0.1, 0.1f, -7, UINT64_MAX, true, "x"};
    const struct kymo_bracket found = {
        .before = {.pos = 1, .time = 10, .len = sizeof(exact)},
        .after = {.pos = 1, .time = 10, .len = sizeof(exact)},
    };

    bracket(&mixed_schema, KYMO_USER, 10, &found, &exact, &exact);
    cr_assert_not_null(strstr(text.data, "\"alpha\":0,\"data\":{\"d\":0.1,\"f\":0.1,\"i\":-7,"
                                         "\"u\":18446744073709551615,\"b\":true,\"s\":\"x\"},"));
    kymo_text_free(&text);
}

Test(record, bracket_of_non_numbers)
{
    const struct mixed before = {NAN, -3e38f, 1, 1, true, "x"};
    const struct mixed after = {1, 3e38f, 3, 1, true, "y"};
    struct kymo_bracket found = {
        .before = {.pos = 1, .time = 10, .len = sizeof(before)},
        .after = {.pos = 2, .time = 20, .len = offsetof(struct mixed, u)},
        .alpha = 0.25,
    };

    bracket(&mixed_schema, KYMO_USER, 12, &found, &before, &after);
    cr_assert_not_null(strstr(text.data, "\"data\":{\"d\":null,\"f\":-1.5e+38,\"i\":1.5,"
                                         "\"u\":null,\"b\":true,\"s\":\"x\"},\"before\""),
                       "%s", text.data);
    found.before.len = found.after.len = 2;
    bracket(NULL, KYMO_USER, 12, &found, "\1\2", "\3\4");
    cr_assert_not_null(strstr(text.data, "\"data\":\"0102\",\"before\""), "%s", text.data);
    kymo_text_free(&text);
}

Test(record, interpolates_extreme_values)
{
    static const struct kymo_field fields[] = {KYMO_FIELD(struct mixed, d, "", "")};
    static const struct kymo_schema schema = KYMO_SCHEMA(struct mixed, fields);
    const double before = -1.5e308, after = 1.5e308;
    const struct kymo_bracket found = {.before = {.time = 10, .len = 8},
                                       .after = {.time = 20, .len = 8},
                                       .alpha = 0.75};

    bracket(&schema, KYMO_USER, 17, &found, &before, &after);
    cr_assert_not_null(strstr(text.data, "\"data\":{\"d\":7.5e+307}"), "%s", text.data);
    kymo_text_free(&text);
}

/* ---- CSV ---- */

static void expect_csv(const char *fields, const void *payload, size_t len, const char *expected)
{
    const struct kymo_record record = {.pos = 1, .time = 2, .tag = 3, .len = (uint32_t)len};
    struct kymo_schema *schema = NULL;

    if (fields)
        cr_assert_eq(kymo_schema_parse(&schema, fields, NULL), 0, "%s", fields);
    kymo_text_clear(&text);
    kymo_text_csv_header(&text, schema);
    kymo_text_csv(&text, schema, &record, payload);
    cr_assert_str_eq(text.data, expected);
    kymo_schema_free(schema);
}

Test(record, prints_csv)
{
    expect_csv(NULL, "\xab\xcd", 2, "pos,time,tag,data\n1,2,3,abcd\n");
    expect_csv("a:u8[2],b:bool,c:u8", "\1\2\3\4", 4,
               "pos,time,tag,a.0,a.1,b,c\n1,2,3,1,2,true,4\n");
    expect_csv("a:u8[2][2]", "\1\2\3\4", 4, "pos,time,tag,a.0,a.1,a.2,a.3\n1,2,3,1,2,3,4\n");
    expect_csv("a:u8[1]", "\1", 1, "pos,time,tag,a.0\n1,2,3,1\n");
    kymo_text_free(&text);
}

Test(record, quotes_strings_in_csv)
{
    expect_csv("s:char[8],c:char", "plain\0\0\0x", 9, "pos,time,tag,s,c\n1,2,3,plain,x\n");
    expect_csv("s:char[4]", "a,b", 4, "pos,time,tag,s\n1,2,3,\"a,b\"\n");
    expect_csv("s:char[4]", "a\nb", 4, "pos,time,tag,s\n1,2,3,\"a\nb\"\n");
    expect_csv("s:char[4]", "a\rb", 4, "pos,time,tag,s\n1,2,3,\"a\rb\"\n");
    expect_csv("s:char[6]", "\"a\"b\"", 6, "pos,time,tag,s\n1,2,3,\"\"\"a\"\"b\"\"\"\n");
    expect_csv("s:char[4]", "\",\"", 4, "pos,time,tag,s\n1,2,3,\"\"\",\"\"\"\n");
    expect_csv("s:char[4]", "a\xff", 4, "pos,time,tag,s\n1,2,3,a\xef\xbf\xbd\n");
    expect_csv("s:char[4]", "null", 4, "pos,time,tag,s\n1,2,3,null\n");
    expect_csv("s:char[2][3]", "ab\0c,d", 6, "pos,time,tag,s.0,s.1\n1,2,3,ab,\"c,d\"\n");
    kymo_text_free(&text);
}

Test(record, csv_leaves_missing_values_empty)
{
    const double numbers[] = {1.5, NAN, INFINITY, -INFINITY};
    const float narrow[] = {NAN, -INFINITY};

    expect_csv("a:f64[4]", numbers, sizeof(numbers),
               "pos,time,tag,a.0,a.1,a.2,a.3\n1,2,3,1.5,nan,inf,-inf\n");
    expect_csv("a:f32[3]", narrow, sizeof(narrow), "pos,time,tag,a.0,a.1,a.2\n1,2,3,nan,-inf,\n");
    expect_csv("a:u8[3],s:char[2],b:bool", "\1\2", 2,
               "pos,time,tag,a.0,a.1,a.2,s,b\n1,2,3,1,2,,,\n");
    kymo_text_free(&text);
}

/* ---- elements ---- */

static const char *element(const char *field, uint32_t number, const void *payload, size_t len)
{
    struct kymo_schema *schema;

    cr_assert_eq(kymo_schema_parse(&schema, field, NULL), 0, "%s", field);
    kymo_text_clear(&text);
    kymo_text_element(&text, &schema->fields[0], number, payload, len);
    kymo_schema_free(schema);
    return text.data;
}

Test(record, prints_one_element)
{
    const float numbers[] = {0.1f, NAN};
    const double infinity = -INFINITY;

    cr_assert_str_eq(element("a:f32[2]", 0, numbers, 8), "0.1");
    cr_assert_str_eq(element("a:f32[2]", 1, numbers, 8), "null");
    cr_assert_str_eq(element("a:f32[2]", 2, numbers, 8), "null");
    cr_assert_str_eq(element("a:f32[2]", UINT32_MAX, numbers, 8), "null");
    cr_assert_str_eq(element("a:f32[2]", 0, numbers, 3), "null");
    cr_assert_str_eq(element("x:f64", 0, &infinity, 8), "-1e999");
    cr_assert_str_eq(element("b:bool", 0, "\7", 1), "true");
    cr_assert_str_eq(element("u:u64", 0, "\xff\xff\xff\xff\xff\xff\xff\xff", 8),
                     "18446744073709551615");
    cr_assert_str_eq(element("s:char[8]", 0, "ab\0cdefg", 8), "ab");
    cr_assert_str_eq(element("s:char[8]", 3, "ab\0cdefg", 8), "ab");
    cr_assert_str_eq(element("s:char[4]", 0, "a\nb", 4), "a\\nb");
    cr_assert_str_eq(element("s:char[4]", 0, "", 0), "null");
    cr_assert_str_eq(element("s:char[2][2]", 0, "abcd", 4), "[\"ab\",\"cd\"]");
    kymo_text_free(&text);
}

Test(record, returns_the_value_of_an_element)
{
    for (uint32_t i = 0; i < every_schema.count; i++) {
        const struct kymo_field *field = &every_fields[i];
        double value = kymo_element_value(field, 0, &example, sizeof(example));
        static const double expected[] = {
            NAN,          18446744073709551615.0, 1,   -32768, 255,   0.1,
            -128,         (double)0.1f,           NAN, 0,      65535, -9223372036854775808.0,
            -2147483648.0};

        cr_assert(value == expected[i] || (isnan(value) && isnan(expected[i])), "%s: %g",
                  field->name, value);
        cr_assert(isnan(kymo_element_value(field, field->count, &example, sizeof(example))));
        cr_assert(isnan(kymo_element_value(field, 0, &example, field->offset)));
        cr_assert(isnan(kymo_element_value(field, UINT32_MAX, &example, sizeof(example))));
    }
    cr_assert_eq(kymo_element_value(&every_fields[2], 0, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\7", 17),
                 1);
}

/* ---- schemas ---- */

Test(record, prints_schema_as_json)
{
    static const struct kymo_field fields[] = {
        {"accel", "m/s^2", "of the \"chip\"", KYMO_F32, KYMO_GAUGE, 0, 6, 2, {2, 3}, 0, {0}},
        {"ticks", "", "", KYMO_U64, KYMO_COUNTER, 24, 1, 0, {0}, KYMO_INTERP_ANGLE, {0}},
    };
    const struct kymo_schema schema = {fields, 2, 32};

    cr_assert_eq(kymo_schema_check(&schema, NULL), 0);
    kymo_text_schema(&text, &schema);
    cr_assert_str_eq(text.data,
                     "{\"size\":32,\"fields\":["
                     "{\"name\":\"accel\",\"type\":\"f32\",\"shape\":[2,3],\"offset\":0,"
                     "\"unit\":\"m/s^2\",\"metric\":\"gauge\",\"interp\":\"linear\",\"help\":\"of "
                     "the \\\"chip\\\"\"},"
                     "{\"name\":\"ticks\",\"type\":\"u64\",\"shape\":[],\"offset\":24,"
                     "\"unit\":\"\",\"metric\":\"counter\",\"interp\":\"angle\",\"help\":\"\"}]}");
    cr_assert(json_is_valid(text.data, text.len));
    kymo_text_clear(&text);
    kymo_text_schema(&text, NULL);
    cr_assert_str_eq(text.data, "{\"size\":0,\"fields\":[]}");
    kymo_text_clear(&text);
    kymo_text_schema(&text, &every_schema);
    cr_assert(json_is_valid(text.data, text.len), "%s", text.data);
    kymo_text_free(&text);
}
