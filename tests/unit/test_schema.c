/*
 * test_schema.c - schemas: parsed from text or made from a struct; invalid ones are rejected.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kymo/schema.h>

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
    char name[5];
    uint32_t u32[2];
    uint16_t u16;
    int64_t i64;
    int32_t i32;
};

static const char every_text[] = "letter:char,u64:u64,flag:bool,i16:i16,u8:u8,f64:f64[2][3],"
                                 "i8:i8[3],f32:f32,name:char[5],u32:u32[2],u16:u16,i64:i64,i32:i32";

static const struct kymo_field every_fields[] = {
    KYMO_FIELD(struct every_type, letter, "", ""),
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

static struct kymo_schema *parse(const char *text)
{
    struct kymo_schema *schema = NULL;
    size_t where = SIZE_MAX;
    int error = kymo_schema_parse(&schema, text, &where);

    cr_assert_eq(error, 0, "\"%s\": %d at %zu", text, error, where);
    cr_assert_eq(kymo_schema_check(schema, NULL), 0, "\"%s\"", text);
    return schema;
}

static void expect_trouble(const char *text, size_t expected)
{
    struct kymo_schema *schema = NULL;
    size_t where = SIZE_MAX;
    struct kymo_diagnostic cause;
    char rest[48];

    cr_assert_eq(kymo_schema_parse(&schema, text, &where), -EINVAL, "\"%.60s\"", text);
    cr_assert_eq(where, expected, "\"%.60s\": %zu, not %zu", text, where, expected);
    cr_assert_eq(kymo_schema_parse(&schema, text, NULL), -EINVAL);
    /* The cause quotes the text from there on; it is not longer than a diagnostic. */
    snprintf(rest, sizeof(rest), "at '%.40s", text + expected);
    cr_assert_eq(kymo_schema_parse_diagnosed(&schema, text, &cause), -EINVAL);
    cr_assert(strstr(cause.text, rest) || (unsigned char)text[expected] > 0x7e, "%s", cause.text);
}

Test(schema, text_has_c_struct_layout)
{
    struct kymo_schema *schema = parse(every_text);
    struct kymo_field plain[13];
    const struct kymo_schema plain_schema = {plain, 13, sizeof(struct every_type)};
    uint32_t field = UINT32_MAX;

    cr_assert_eq(schema->size, sizeof(struct every_type));
    cr_assert_eq(schema->count, 13);
    for (uint32_t i = 0; i < schema->count; i++)
        cr_assert_eq(schema->fields[i].offset, every_fields[i].offset, "field %u", i);
    cr_assert_eq(kymo_schema_check(&every_schema, &field), 0, "field %u", field);
    cr_assert_not(kymo_schema_same(schema, &every_schema), "text has no units");
    for (uint32_t i = 0; i < schema->count; i++) {
        plain[i] = every_fields[i];
        plain[i].metric = KYMO_GAUGE;
        memset(plain[i].unit, 0, sizeof(plain[i].unit));
    }
    cr_assert(kymo_schema_same(schema, &plain_schema));
    kymo_schema_free(schema);
}

struct tail {
    uint64_t first;
    char last;
};

struct bytes {
    char one[3];
    uint8_t other;
    bool third;
};

struct late {
    uint8_t first;
    uint16_t second;
    uint8_t third;
    uint32_t fourth;
    uint8_t fifth;
    double sixth;
    uint8_t seventh;
};

Test(schema, describes_holes_and_padding)
{
    struct kymo_schema *schema = parse("first:u64,last:char");

    cr_assert_eq(schema->size, sizeof(struct tail));
    kymo_schema_free(schema);

    schema = parse("one:char[3],other:u8,third:bool");
    cr_assert_eq(schema->size, sizeof(struct bytes));
    cr_assert_eq(schema->fields[2].offset, offsetof(struct bytes, third));
    kymo_schema_free(schema);

    schema = parse("first:u8,second:u16,third:u8,fourth:u32,fifth:u8,sixth:f64,seventh:u8");
    cr_assert_eq(schema->size, sizeof(struct late));
    cr_assert_eq(schema->fields[1].offset, offsetof(struct late, second));
    cr_assert_eq(schema->fields[2].offset, offsetof(struct late, third));
    cr_assert_eq(schema->fields[3].offset, offsetof(struct late, fourth));
    cr_assert_eq(schema->fields[4].offset, offsetof(struct late, fifth));
    cr_assert_eq(schema->fields[5].offset, offsetof(struct late, sixth));
    cr_assert_eq(schema->fields[6].offset, offsetof(struct late, seventh));
    kymo_schema_free(schema);
}

Test(schema, text_chooses_the_interpolation)
{
    struct kymo_schema *schema =
        parse("a:f64:linear,b:f32[2]:previous , c : f64 : angle,d:u8[2][2]:none,e:f64");
    static const uint32_t expected[] = {KYMO_INTERP_LINEAR, KYMO_INTERP_PREVIOUS, KYMO_INTERP_ANGLE,
                                        KYMO_INTERP_NONE, KYMO_INTERP_LINEAR};
    static const struct kymo_field field =
        KYMO_FIELD_INTERP(struct every_type, f32, "deg", "", KYMO_INTERP_ANGLE);

    for (uint32_t i = 0; i < 5; i++)
        cr_assert_eq(schema->fields[i].interp, expected[i], "field %u", i);
    kymo_schema_free(schema);
    cr_assert_eq(field.interp, KYMO_INTERP_ANGLE);
    cr_assert_eq(every_fields[0].interp, KYMO_INTERP_LINEAR);
    expect_trouble("a:f64:cubic", 6);
    expect_trouble("a:f64:", 6);
    expect_trouble("a:f64:angle:angle", 11);
    cr_assert_str_eq(kymo_interp_text(KYMO_INTERP_NONE), "none");
    cr_assert_str_eq(kymo_interp_text(4), "?");
}

/* Each case has one cause; the text names the field and the cause. */
Test(schema, diagnostic_names_the_field_and_the_cause)
{
    static const struct {
        struct kymo_field field;
        const char *part;
    } cases[] = {
        {{.name = "1x", .type = KYMO_U8, .offset = 8, .count = 1}, "field 1: its name is not"},
        {{.name = "x", .type = 99, .offset = 8, .count = 1}, "\"x\": type 99"},
        {{.name = "x", .type = KYMO_U8, .offset = 8, .count = 1, .metric = 2}, "\"x\": metric 2"},
        {{.name = "x", .type = KYMO_U8, .offset = 8, .count = 1, .interp = 4}, "\"x\": interp 4"},
        {{.name = "x", .type = KYMO_U8, .offset = 7, .count = 1}, "offset 7 is before 8"},
        {{.name = "x", .type = KYMO_U64, .offset = 16, .count = 1},
         "ends at byte 24 of a payload of 16"},
        {{.name = "a", .type = KYMO_U8, .offset = 8, .count = 1},
         "a field before it has that name"},
        {{.name = "x", .type = KYMO_U8, .offset = 8, .count = 2}, "count 2, dimensions 0"},
    };
    struct kymo_field fields[2] = {{.name = "a", .type = KYMO_U64, .count = 1}};
    const struct kymo_schema schema = {fields, 2, 16};
    struct kymo_diagnostic diagnostic;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fields[1] = cases[i].field;
        cr_assert_eq(kymo_schema_diagnose(&schema, &diagnostic), -EINVAL, "case %zu", i);
        cr_assert_not_null(strstr(diagnostic.text, cases[i].part), "%s", diagnostic.text);
        cr_assert_eq(kymo_schema_diagnose(&schema, NULL), -EINVAL);
    }
    fields[1] = (struct kymo_field){.name = "x", .type = KYMO_U8, .offset = 8, .count = 1};
    cr_assert_eq(kymo_schema_diagnose(&schema, &diagnostic), 0);
    cr_assert_str_eq(diagnostic.text, "");
}

Test(schema, allows_blanks_around_separators)
{
    struct kymo_schema *schema = parse(" a : f32 [ 2 ] [ 3 ] ,\n\tb:u8 ");
    struct kymo_schema *plain = parse("a:f32[2][3],b:u8");

    cr_assert(kymo_schema_same(schema, plain));
    cr_assert_eq(plain->fields[0].dimensions, 2);
    cr_assert_eq(plain->fields[0].shape[0], 2);
    cr_assert_eq(plain->fields[0].shape[1], 3);
    cr_assert_eq(plain->fields[0].count, 6);
    cr_assert_eq(plain->fields[1].dimensions, 0);
    cr_assert_eq(plain->fields[1].count, 1);
    kymo_schema_free(schema);
    kymo_schema_free(plain);
}

Test(schema, errors_have_an_offset)
{
    expect_trouble("", 0);
    expect_trouble("  ", 2);
    expect_trouble("a", 1);
    expect_trouble("a:", 2);
    expect_trouble("a:f3", 2);
    expect_trouble("a:f322", 2);
    expect_trouble("a:F32", 2);
    expect_trouble("a:?", 2);
    expect_trouble("a:f32,", 6);
    expect_trouble("a:f32,,b:f32", 6);
    expect_trouble("a:f32 b:f32", 6);
    expect_trouble("a:f32;b:f32", 5);
    expect_trouble("1a:f32", 0);
    expect_trouble("a-b:f32", 1);
    expect_trouble("\xc3\xa4:f32", 0);
    expect_trouble("a:f32[]", 6);
    expect_trouble("a:f32[0]", 6);
    expect_trouble("a:f32[-1]", 6);
    expect_trouble("a:f32[+1]", 6);
    expect_trouble("a:f32[3", 7);
    expect_trouble("a:f32[3,4]", 7);
    expect_trouble("a:f32]", 5);
    expect_trouble("a:f32[1][1][1][1][1]", 17);
    expect_trouble("a:f32, b:u8, a:u8", 13);
}

Test(schema, limits_the_size)
{
    struct kymo_schema *schema = parse("a:u8[1073741824]");

    cr_assert_eq(schema->size, KYMO_SIZE_LIMIT);
    kymo_schema_free(schema);
    schema = parse("a:u8[1073741816],b:f64");
    cr_assert_eq(schema->size, KYMO_SIZE_LIMIT);
    kymo_schema_free(schema);
    schema = parse("a:f64[128][1024][1024]");
    cr_assert_eq(schema->size, KYMO_SIZE_LIMIT);
    kymo_schema_free(schema);
    schema = parse("a:u8[00000000000000000000000000000000000003]");
    cr_assert_eq(schema->size, 3);
    kymo_schema_free(schema);

    expect_trouble("a:u8[1073741825]", 5);
    expect_trouble("a:f64[134217729]", 0);
    expect_trouble("a:u8[1073741817],b:f64", 17);
    expect_trouble("a:u8[65536][65536]", 12);
    expect_trouble("a:u8[4294967296]", 5);
    expect_trouble("a:u8[4294967297]", 5);
    expect_trouble("a:u8[18446744073709551617]", 5);
    expect_trouble("a:u8[99999999999999999999999999999999999999999999]", 5);
    expect_trouble("a:u8[1073741824][1073741824][1073741824][1073741824]", 17);
}

Test(schema, limits_names_and_fields)
{
    char text[32 * (KYMO_FIELD_LIMIT + 1)];
    size_t len = 0;
    struct kymo_schema *schema;

    memset(text, 'n', 64);
    memcpy(text + 63, ":u8", 4);
    schema = parse(text);
    cr_assert_eq(strlen(schema->fields[0].name), 63);
    kymo_schema_free(schema);
    memset(text, 'n', 64);
    memcpy(text + 64, ":u8", 4);
    expect_trouble(text, 0);

    for (int i = 0; i < (int)KYMO_FIELD_LIMIT; i++)
        len += (size_t)sprintf(text + len, "%sf%d:u8", i ? "," : "", i);
    schema = parse(text);
    cr_assert_eq(schema->count, KYMO_FIELD_LIMIT);
    kymo_schema_free(schema);
    strcpy(text + len, ",more:u8");
    expect_trouble(text, len + 1);
}

/* Any text gives a valid schema, or an error offset inside it. The copy has no slack, so that a sanitizer detects an overrun. */
Test(schema, accepts_or_refuses_any_text)
{
    static const char alphabet[] = "ab_19:,[] \tuif3264charbol\xff\x01";
    uint64_t state = 1;
    int parsed = 0;

    for (int i = 0; i < 100000; i++) {
        size_t size = i % 2 ? sizeof(every_text) : 1 + random_below(&state, 24);
        char *text = malloc(size);
        size_t where = SIZE_MAX;
        struct kymo_schema *schema;

        cr_assert(text);
        memcpy(text, every_text, size);
        text[size - 1] = '\0';
        for (uint32_t flips = 1 + random_below(&state, 4); flips > 0 && size > 1; flips--)
            text[random_below(&state, (uint32_t)size - 1)] =
                alphabet[random_below(&state, sizeof(alphabet) - 1)];
        if (kymo_schema_parse(&schema, text, &where) == 0) {
            cr_assert_eq(kymo_schema_check(schema, NULL), 0, "%s", text);
            kymo_schema_free(schema);
            parsed++;
        } else {
            cr_assert_leq(where, strlen(text), "%s", text);
        }
        free(text);
    }
    cr_assert_gt(parsed, 1000);
    cr_assert_lt(parsed, 99000);
}

/* ---- check ---- */

/* Four valid fields; each case invalidates one member. */
static struct kymo_field sound[4];

static void make_sound(void)
{
    struct kymo_schema *schema = parse("a:u32,b:u8[2][3],c:f64,d:char[8]");

    memcpy(sound, schema->fields, sizeof(sound));
    cr_assert_eq(schema->size, 32);
    kymo_schema_free(schema);
}

static void expect_refused(uint32_t expected)
{
    struct kymo_schema schema = {sound, 4, 32};
    uint32_t field = UINT32_MAX;

    cr_assert_eq(kymo_schema_check(&schema, &field), -EINVAL);
    cr_assert_eq(field, expected, "field %u, not %u", field, expected);
    cr_assert_eq(kymo_schema_check(&schema, NULL), -EINVAL);
    make_sound();
}

Test(schema, check_refuses_each_broken_rule)
{
    make_sound();
    cr_assert_eq(kymo_schema_check(&(struct kymo_schema){sound, 4, 32}, NULL), 0);

    memset(sound[1].name, 'x', sizeof(sound[1].name));
    expect_refused(1);
    memset(sound[1].unit, 'x', sizeof(sound[1].unit));
    expect_refused(1);
    memset(sound[1].help, 'x', sizeof(sound[1].help));
    expect_refused(1);
    sound[2].name[0] = '\0';
    expect_refused(2);
    sound[2].name[0] = '7';
    expect_refused(2);
    strcpy(sound[2].name, "c-d");
    expect_refused(2);
    strcpy(sound[2].name, "a");
    expect_refused(2);
    sound[0].type = 0;
    expect_refused(0);
    sound[0].type = KYMO_BOOL + 1;
    expect_refused(0);
    sound[0].type = UINT32_MAX;
    expect_refused(0);
    sound[0].metric = KYMO_COUNTER + 1;
    expect_refused(0);
    sound[0].count = 0;
    expect_refused(0);
    sound[0].shape[0] = 1;
    expect_refused(0);
    sound[1].count = 5;
    expect_refused(1);
    sound[1].shape[1] = 0;
    expect_refused(1);
    sound[1].shape[3] = 1;
    expect_refused(1);
    sound[1].dimensions = 5;
    expect_refused(1);
    sound[1].dimensions = UINT32_MAX;
    expect_refused(1);
    sound[2].offset = 9; /* inside b, which is [4, 10) */
    expect_refused(2);
    sound[3].offset = 25; /* one byte beyond the payload */
    expect_refused(3);
    sound[3].offset = UINT32_MAX;
    expect_refused(3);
    sound[3].offset = UINT32_MAX - 7; /* its end overflows to 0 in 32 bits */
    expect_refused(3);
}

Test(schema, check_refuses_products_that_overflow)
{
    make_sound();
    /* 2^16 * 2^16 elements: 0 in 32 bits. */
    sound[3].dimensions = 2;
    sound[3].shape[0] = sound[3].shape[1] = 65536;
    sound[3].count = 0;
    expect_refused(3);
    /* (2^32 - 1) * 2^31 * 2^31 * 4: wraps round in 64 bits. */
    sound[3].dimensions = 4;
    sound[3].shape[0] = UINT32_MAX;
    sound[3].shape[1] = sound[3].shape[2] = UINT32_C(1) << 31;
    sound[3].shape[3] = 4;
    sound[3].count = 0;
    expect_refused(3);
    /* 2^29 elements of 8 bytes: 0 in 32 bits. */
    sound[2].dimensions = 1;
    sound[2].shape[0] = sound[2].count = UINT32_C(1) << 29;
    expect_refused(2);
}

Test(schema, check_allows_packed_fields_and_holes)
{
    make_sound();
    sound[2].offset = 11;
    sound[3].offset = 24;
    cr_assert_eq(kymo_schema_check(&(struct kymo_schema){sound, 4, 32}, NULL), 0);
    memset(sound[3].help, 0xff, sizeof(sound[3].help) - 1);
    cr_assert_eq(kymo_schema_check(&(struct kymo_schema){sound, 4, 32}, NULL), 0);
}

Test(schema, check_refuses_invalid_size_and_count)
{
    uint32_t field = UINT32_MAX;

    make_sound();
    cr_assert_eq(kymo_schema_check(&(struct kymo_schema){NULL, 0, 0}, &field), 0);
    cr_assert_eq(kymo_schema_check(&(struct kymo_schema){sound, 4, KYMO_SIZE_LIMIT}, &field), 0);
    cr_assert_eq(kymo_schema_check(&(struct kymo_schema){sound, 4, KYMO_SIZE_LIMIT + 1}, &field),
                 -EINVAL);
    cr_assert_eq(field, 4);
    /* The table has only four fields: it must not be read. */
    cr_assert_eq(kymo_schema_check(&(struct kymo_schema){sound, KYMO_FIELD_LIMIT + 1, 32}, &field),
                 -EINVAL);
    cr_assert_eq(field, KYMO_FIELD_LIMIT);
    cr_assert_eq(kymo_schema_check(&(struct kymo_schema){sound, UINT32_MAX, 32}, &field), -EINVAL);
    cr_assert_eq(field, KYMO_FIELD_LIMIT);
}

/* Accepted fields lie inside the payload and in order. */
static void expect_sound(const struct kymo_schema *schema)
{
    uint64_t end = 0;

    for (uint32_t i = 0; i < schema->count; i++) {
        const struct kymo_field *field = &schema->fields[i];
        uint64_t elements = 1;

        cr_assert_lt(strnlen(field->name, sizeof(field->name)), sizeof(field->name));
        cr_assert_gt(kymo_type_size(field->type), 0);
        cr_assert_leq(field->dimensions, KYMO_DIMENSIONS);
        for (uint32_t d = 0; d < field->dimensions; d++)
            elements *= field->shape[d];
        cr_assert_eq(elements, field->count);
        cr_assert_geq(field->offset, end);
        end = field->offset + elements * kymo_type_size(field->type);
        cr_assert_leq(end, schema->size);
        cr_assert(kymo_schema_find(schema, field->name) == field);
    }
}

Test(schema, accepts_or_refuses_any_table)
{
    const size_t size = sizeof(every_fields);
    uint64_t state = 2;
    int held = 0;

    for (int i = 0; i < 100000; i++) {
        uint32_t count = (uint32_t)(size / sizeof(struct kymo_field));
        unsigned char *bytes = malloc(size);
        struct kymo_schema schema = {(struct kymo_field *)(void *)bytes, count,
                                     sizeof(struct every_type)};
        uint32_t field = UINT32_MAX;

        cr_assert(bytes);
        memcpy(bytes, every_fields, size);
        for (uint32_t flips = 1 + random_below(&state, 3); flips > 0; flips--) {
            /* Half of the changes are to the numbers, the last 48 bytes of a field. */
            uint32_t at = random_below(&state, count) * 256 +
                          (flips % 2 ? 208 + random_below(&state, 48) : random_below(&state, 208));

            bytes[at] ^= (unsigned char)(1u << random_below(&state, 8));
        }
        if (i % 16 == 0) {
            for (size_t at = 0; at < size; at++)
                bytes[at] = (unsigned char)random_u64(&state);
        }
        if (kymo_schema_check(&schema, &field) == 0) {
            expect_sound(&schema);
            held++;
        } else {
            cr_assert_lt(field, count);
        }
        kymo_schema_same(&schema, &every_schema);
        kymo_schema_find(&schema, "no such field");
        free(bytes);
    }
    cr_assert_gt(held, 1000);
    cr_assert_lt(held, 99000);
}

/* ---- the rest ---- */

Test(schema, same_compares_all_but_help)
{
    struct kymo_field fields[4];
    struct kymo_schema one = {sound, 4, 32};
    struct kymo_schema other = {fields, 4, 32};

    make_sound();
    memcpy(fields, sound, sizeof(fields));
    strcpy(fields[0].help, "how far");
    cr_assert(kymo_schema_same(&one, &other));
    strcpy(fields[0].unit, "m");
    cr_assert_not(kymo_schema_same(&one, &other));
    memcpy(fields, sound, sizeof(fields));
    fields[0].metric = KYMO_COUNTER;
    cr_assert_not(kymo_schema_same(&one, &other));
    memcpy(fields, sound, sizeof(fields));
    fields[0].interp = KYMO_INTERP_ANGLE;
    cr_assert_not(kymo_schema_same(&one, &other));
    memcpy(fields, sound, sizeof(fields));

    other.size = 40;
    cr_assert_not(kymo_schema_same(&one, &other));
    other.size = 32;
    other.count = 3;
    cr_assert_not(kymo_schema_same(&one, &other));
    other.count = 4;
    strcpy(fields[3].name, "e");
    cr_assert_not(kymo_schema_same(&one, &other));
    memcpy(fields, sound, sizeof(fields));
    fields[0].type = KYMO_F32;
    cr_assert_not(kymo_schema_same(&one, &other));
    memcpy(fields, sound, sizeof(fields));
    fields[1].shape[0] = 3;
    fields[1].shape[1] = 2;
    cr_assert_not(kymo_schema_same(&one, &other));
    memcpy(fields, sound, sizeof(fields));
    fields[2].offset = 10;
    cr_assert_not(kymo_schema_same(&one, &other));
}

Test(schema, null_equals_empty_schema)
{
    const struct kymo_schema empty = {NULL, 0, 0};

    cr_assert(kymo_schema_same(NULL, NULL));
    cr_assert(kymo_schema_same(NULL, &empty));
    cr_assert(kymo_schema_same(&empty, NULL));
    cr_assert_not(kymo_schema_same(&every_schema, NULL));
    cr_assert_null(kymo_schema_find(&empty, "a"));
}

Test(schema, fields_are_found_by_name)
{
    char longer[128];

    cr_assert(kymo_schema_find(&every_schema, "f32") == &every_fields[7]);
    cr_assert_null(kymo_schema_find(&every_schema, "f3"));
    cr_assert_null(kymo_schema_find(&every_schema, "f322"));
    cr_assert_null(kymo_schema_find(&every_schema, ""));
    memset(longer, 'n', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    cr_assert_null(kymo_schema_find(&every_schema, longer));
}

Test(schema, types_have_sizes_and_names)
{
    static const char *const texts[] = {"?",   "u8",  "u16", "u32", "u64",  "i8",  "i16",
                                        "i32", "i64", "f32", "f64", "char", "bool"};
    static const uint32_t sizes[] = {0, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8, 1, 1};

    for (uint32_t type = 0; type <= KYMO_BOOL; type++) {
        cr_assert_str_eq(kymo_type_text(type), texts[type]);
        cr_assert_eq(kymo_type_size(type), sizes[type]);
        cr_assert_eq(kymo_type_is_numeric(type), type != 0 && type != KYMO_CHAR);
    }
    cr_assert_eq(kymo_type_size(KYMO_BOOL + 1), 0);
    cr_assert_str_eq(kymo_type_text(KYMO_BOOL + 1), "?");
    cr_assert_not(kymo_type_is_numeric(KYMO_BOOL + 1));
    cr_assert_eq(kymo_type_size(UINT32_MAX), 0);
    cr_assert_str_eq(kymo_type_text(UINT32_MAX), "?");
    cr_assert_not(kymo_type_is_numeric(UINT32_MAX));
}
