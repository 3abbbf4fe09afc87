/*
 * encode.c - stores values in a payload.
 */
#include "encode.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Up to this limit a double represents every integer. */
#define EXACT_LIMIT 9007199254740992.0

int problem_set(struct problem *problem, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(problem->text, sizeof(problem->text), format, arguments);
    va_end(arguments);
    return -EINVAL;
}

static bool type_is_float(uint32_t type)
{
    return type == KYMO_F32 || type == KYMO_F64;
}

static bool type_is_signed(uint32_t type)
{
    return type >= KYMO_I8 && type <= KYMO_I64;
}

/* Bytes of one string. */
static uint32_t string_size(const struct kymo_field *field)
{
    return field->dimensions ? field->shape[field->dimensions - 1] : 1;
}

uint32_t encode_values(const struct kymo_field *field)
{
    return field->type == KYMO_CHAR ? field->count / string_size(field) : field->count;
}

uint32_t encode_nesting(const struct kymo_field *field)
{
    return field->dimensions - (field->type == KYMO_CHAR && field->dimensions);
}

static void *value_at(const struct kymo_field *field, uint32_t index, void *payload)
{
    uint32_t size = field->type == KYMO_CHAR ? string_size(field) : kymo_type_size(field->type);

    return (unsigned char *)payload + field->offset + (size_t)index * size;
}

/* Stores the low bytes of a two's complement number. */
static void store_integer(const struct kymo_field *field, uint32_t index, void *payload,
                          uint64_t bits)
{
    void *place = value_at(field, index, payload);

    switch (kymo_type_size(field->type)) {
    case 1:
        memcpy(place, &(uint8_t){(uint8_t)bits}, 1);
        break;
    case 2:
        memcpy(place, &(uint16_t){(uint16_t)bits}, 2);
        break;
    case 4:
        memcpy(place, &(uint32_t){(uint32_t)bits}, 4);
        break;
    default:
        memcpy(place, &bits, 8);
        break;
    }
}

/* The largest value of an integer type; the smallest of a signed one is -(this) - 1. */
static uint64_t largest_of(uint32_t type)
{
    uint32_t bits = 8 * kymo_type_size(type) - type_is_signed(type);

    if (type == KYMO_BOOL)
        return 1;
    return bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

static int refuse_number(const struct kymo_field *field, struct problem *problem)
{
    return problem_set(problem, "%s: must be text", field->name);
}

int encode_unsigned(const struct kymo_field *field, uint32_t index, void *payload, uint64_t value,
                    struct problem *problem)
{
    if (field->type == KYMO_CHAR)
        return refuse_number(field, problem);
    if (type_is_float(field->type))
        return encode_real(field, index, payload, (double)value, problem);
    if (value > largest_of(field->type))
        return problem_set(problem, "%s: %" PRIu64 " does not fit %s", field->name, value,
                           kymo_type_text(field->type));
    store_integer(field, index, payload, value);
    return 0;
}

int encode_signed(const struct kymo_field *field, uint32_t index, void *payload, int64_t value,
                  struct problem *problem)
{
    if (value >= 0)
        return encode_unsigned(field, index, payload, (uint64_t)value, problem);
    if (field->type == KYMO_CHAR)
        return refuse_number(field, problem);
    if (type_is_float(field->type))
        return encode_real(field, index, payload, (double)value, problem);
    if (!type_is_signed(field->type) || value < -(int64_t)largest_of(field->type) - 1)
        return problem_set(problem, "%s: %" PRId64 " does not fit %s", field->name, value,
                           kymo_type_text(field->type));
    store_integer(field, index, payload, (uint64_t)value);
    return 0;
}

int encode_real(const struct kymo_field *field, uint32_t index, void *payload, double value,
                struct problem *problem)
{
    float narrow;

    if (field->type == KYMO_CHAR)
        return refuse_number(field, problem);
    if (field->type == KYMO_F64) {
        memcpy(value_at(field, index, payload), &value, sizeof(value));
        return 0;
    }
    if (field->type == KYMO_F32) {
        narrow = (float)value;
        if (isinf(narrow) && !isinf(value))
            return problem_set(problem, "%s: %.15g does not fit f32", field->name, value);
        memcpy(value_at(field, index, payload), &narrow, sizeof(narrow));
        return 0;
    }
    if (!(fabs(value) <= EXACT_LIMIT) || trunc(value) != value)
        return problem_set(problem, "%s: %.15g is not an integer of type %s", field->name, value,
                           kymo_type_text(field->type));
    return encode_signed(field, index, payload, (int64_t)value, problem);
}

int encode_bool(const struct kymo_field *field, uint32_t index, void *payload, bool value,
                struct problem *problem)
{
    if (field->type != KYMO_BOOL)
        return problem_set(problem, "%s: %s does not fit %s", field->name, value ? "true" : "false",
                           kymo_type_text(field->type));
    store_integer(field, index, payload, value);
    return 0;
}

int encode_null(const struct kymo_field *field, uint32_t index, void *payload,
                struct problem *problem)
{
    if (type_is_float(field->type))
        return encode_real(field, index, payload, (double)NAN, problem);
    return problem_set(problem, "%s: %s cannot be null", field->name, kymo_type_text(field->type));
}

int encode_digits(const struct kymo_field *field, uint32_t index, void *payload, const char *text,
                  struct problem *problem)
{
    const char *digits = text + (*text == '-');

    if (field->type == KYMO_CHAR)
        return refuse_number(field, problem);
    if (*digits == '\0' || digits[strspn(digits, "0123456789")] != '\0')
        return problem_set(problem, "%s: \"%.40s\" is not an integer", field->name, text);
    if (type_is_float(field->type))
        return encode_real(field, index, payload, strtod(text, NULL), problem);
    errno = 0;
    if (*text == '-') {
        long long value = strtoll(text, NULL, 10);

        if (errno == 0)
            return encode_signed(field, index, payload, value, problem);
    } else {
        unsigned long long value = strtoull(text, NULL, 10);

        if (errno == 0)
            return encode_unsigned(field, index, payload, value, problem);
    }
    return problem_set(problem, "%s: %.40s does not fit %s", field->name, text,
                       kymo_type_text(field->type));
}

int encode_chars(const struct kymo_field *field, uint32_t index, void *payload, const char *bytes,
                 size_t len, struct problem *problem)
{
    char *place = value_at(field, index, payload);

    if (field->type != KYMO_CHAR)
        return problem_set(problem, "%s: %s cannot be text", field->name,
                           kymo_type_text(field->type));
    if (len > string_size(field))
        return problem_set(problem, "%s: %zu bytes of text do not fit char[%u]", field->name, len,
                           string_size(field));
    memset(place, 0, string_size(field));
    memcpy(place, bytes, len);
    return 0;
}

/* Stores the floating-point number of a cell. */
static int encode_real_cell(const struct kymo_field *field, uint32_t index, void *payload,
                            const char *text, struct problem *problem)
{
    char *end;
    double value;

    if (text[strspn(text, "+-.0123456789eE")] != '\0')
        return problem_set(problem, "%s: \"%.40s\" is not a number", field->name, text);
    value = strtod(text, &end);
    if (*end)
        return problem_set(problem, "%s: \"%.40s\" is not a number", field->name, text);
    if (isinf(value))
        return problem_set(problem, "%s: %.40s does not fit %s", field->name, text,
                           kymo_type_text(field->type));
    return encode_real(field, index, payload, value, problem);
}

int encode_cell(const struct kymo_field *field, uint32_t index, void *payload, const char *text,
                size_t len, struct problem *problem)
{
    if (field->type == KYMO_CHAR)
        return encode_chars(field, index, payload, text, len, problem);
    if (len == 0)
        return encode_null(field, index, payload, problem);
    if (strlen(text) != len)
        return problem_set(problem, "%s: zero byte in a number", field->name);
    if (field->type == KYMO_BOOL && strcmp(text, "true") == 0)
        return encode_bool(field, index, payload, true, problem);
    if (field->type == KYMO_BOOL && strcmp(text, "false") == 0)
        return encode_bool(field, index, payload, false, problem);
    if (text[*text == '-'] != '\0' && text[strspn(text, "-0123456789")] == '\0')
        return encode_digits(field, index, payload, text, problem);
    return encode_real_cell(field, index, payload, text, problem);
}

/* Loads an integer as an unsigned number; returns whether it is negative. */
static bool load_integer(const struct kymo_field *field, const void *payload, uint64_t *value)
{
    const void *place = (const unsigned char *)payload + field->offset;
    uint32_t size = kymo_type_size(field->type);
    uint8_t byte;
    uint16_t half;
    uint32_t word;

    switch (size) {
    case 1:
        memcpy(&byte, place, 1);
        *value = byte;
        break;
    case 2:
        memcpy(&half, place, 2);
        *value = half;
        break;
    case 4:
        memcpy(&word, place, 4);
        *value = word;
        break;
    default:
        memcpy(value, place, 8);
        break;
    }
    return type_is_signed(field->type) && (*value >> (8 * size - 1)) != 0;
}

int encode_time(const struct kymo_field *field, const void *payload, uint64_t unit, uint64_t *time,
                struct problem *problem)
{
    uint64_t value;

    if (type_is_float(field->type)) {
        double number = kymo_element_value(field, 0, payload, SIZE_MAX);
        long double ns = roundl((long double)number * (long double)unit);

        if (!(ns >= 0) || ns >= 18446744073709551616.0L)
            return problem_set(problem, "%s: %.15g is not a time", field->name, number);
        *time = (uint64_t)ns;
        return 0;
    }
    if (load_integer(field, payload, &value))
        return problem_set(problem, "%s: a time cannot be negative", field->name);
    if (value > UINT64_MAX / unit)
        return problem_set(problem, "%s: %" PRIu64 " is above 2^64-1 ns", field->name, value);
    *time = value * unit;
    return 0;
}
