/*
 * encode.c - stores values in a payload.
 */
#include "encode.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "decimal.h"

/* Longest text of a value in a message. */
#define SHOWN 40

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

static int shown(size_t len)
{
    return len < SHOWN ? (int)len : SHOWN;
}

/* ---- numbers ---- */

static bool is_word(const char *word, const char *text, size_t len)
{
    return strlen(word) == len && strncasecmp(word, text, len) == 0;
}

/* Whether the text is nan, inf or infinity in any case. */
static bool is_special(const char *text, size_t len, double *value)
{
    const bool is_signed = len && (*text == '-' || *text == '+');
    const double infinity = is_signed && *text == '-' ? -(double)INFINITY : (double)INFINITY;

    text += is_signed;
    len -= is_signed;
    *value = is_word("nan", text, len) ? (double)NAN : infinity;
    return isnan(*value) || is_word("inf", text, len) || is_word("infinity", text, len);
}

/* Whether the text is an infinity as kymo prints it, and no number that is too large. */
static bool is_printed_infinity(const char *text, size_t len)
{
    const bool is_signed = len && (*text == '-' || *text == '+');

    return is_word("1e999", text + is_signed, len - is_signed);
}

static void store_real(const struct kymo_field *field, uint32_t index, void *payload, double value)
{
    const float narrow = (float)value;

    if (field->type == KYMO_F64)
        memcpy(value_at(field, index, payload), &value, sizeof(value));
    else
        memcpy(value_at(field, index, payload), &narrow, sizeof(narrow));
}

/*
 * An integer and a power of ten that are both exact in the type: their product or quotient is rounded
 * once (Clinger 1990, "How to read floating point numbers accurately"). Returns false for others.
 */
static bool convert_exact(const struct decimal *decimal, bool narrow, double *value)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const int64_t most = narrow ? 10 : 22;
    const double mantissa = (double)decimal->mantissa;
    double power;

    if (decimal->mantissa > UINT64_C(1) << (narrow ? 24 : 53) || decimal->exponent > most ||
        decimal->exponent < -most)
        return false;
    power = powers[decimal->exponent < 0 ? -decimal->exponent : decimal->exponent];
    if (narrow && decimal->exponent < 0)
        *value = (double)((float)mantissa / (float)power);
    else if (narrow)
        *value = (double)((float)mantissa * (float)power);
    else
        *value = decimal->exponent < 0 ? mantissa / power : mantissa * power;
    if (decimal->negative)
        *value = -*value;
    return true;
}

/* Converts any decimal number. */
static int convert_text(bool narrow, const char *text, size_t len, double *value)
{
    char buffer[128], *copy = len < sizeof(buffer) ? buffer : malloc(len + 1);

    if (!copy)
        return -ENOMEM;
    memcpy(copy, text, len);
    copy[len] = '\0';
    /* Not rounded twice. */
    *value = narrow ? (double)strtof(copy, NULL) : strtod(copy, NULL);
    if (copy != buffer)
        free(copy);
    return 0;
}

static int encode_real(const struct kymo_field *field, uint32_t index, void *payload,
                       const struct decimal *decimal, const char *text, size_t len,
                       struct problem *problem)
{
    const bool narrow = field->type == KYMO_F32;
    double value;

    if (!convert_exact(decimal, narrow, &value) && convert_text(narrow, text, len, &value))
        return -ENOMEM;
    if (isinf(value) && !is_printed_infinity(text, len))
        return problem_set(problem, "%s: %.*s does not fit %s", field->name, shown(len), text,
                           kymo_type_text(field->type));
    store_real(field, index, payload, value);
    return 0;
}

static int encode_integer(const struct kymo_field *field, uint32_t index, void *payload,
                          const struct decimal *decimal, const char *text, size_t len,
                          struct problem *problem)
{
    const uint64_t largest = largest_of(field->type);
    uint64_t value;
    bool exact;
    int error = decimal_integer(decimal, 0, &value, &exact);

    if (error == 0 && !exact)
        return problem_set(problem, "%s: %.*s is not an integer of type %s", field->name,
                           shown(len), text, kymo_type_text(field->type));
    if (error || value > largest + (decimal->negative && type_is_signed(field->type)) ||
        (decimal->negative && value && !type_is_signed(field->type)))
        return problem_set(problem, "%s: %.*s does not fit %s", field->name, shown(len), text,
                           kymo_type_text(field->type));
    store_integer(field, index, payload, decimal->negative ? -value : value);
    return 0;
}

int encode_number(const struct kymo_field *field, uint32_t index, void *payload, const char *text,
                  size_t len, struct problem *problem)
{
    struct decimal decimal;
    double special;

    if (field->type == KYMO_CHAR)
        return problem_set(problem, "%s: %.*s is a number: must be text", field->name, shown(len),
                           text);
    if (decimal_parse(&decimal, text, len) == 0)
        return type_is_float(field->type)
                   ? encode_real(field, index, payload, &decimal, text, len, problem)
                   : encode_integer(field, index, payload, &decimal, text, len, problem);
    if (!type_is_float(field->type) || !is_special(text, len, &special))
        return problem_set(problem, "%s: \"%.*s\" is not a number", field->name, shown(len), text);
    store_real(field, index, payload, special);
    return 0;
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
    if (type_is_float(field->type)) {
        store_real(field, index, payload, (double)NAN);
        return 0;
    }
    return problem_set(problem, "%s: %s cannot be null", field->name, kymo_type_text(field->type));
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

int encode_text(const struct kymo_field *field, uint32_t index, void *payload, const char *text,
                size_t len, struct problem *problem)
{
    if (field->type == KYMO_CHAR)
        return encode_chars(field, index, payload, text, len, problem);
    if (memchr(text, 0, len))
        return problem_set(problem, "%s: zero byte in a number", field->name);
    if (field->type == KYMO_BOOL && is_word("true", text, len))
        return encode_bool(field, index, payload, true, problem);
    if (field->type == KYMO_BOOL && is_word("false", text, len))
        return encode_bool(field, index, payload, false, problem);
    return encode_number(field, index, payload, text, len, problem);
}

int encode_u64(const char *name, const char *text, size_t len, uint64_t *value,
               struct problem *problem)
{
    struct kymo_field field = {.type = KYMO_U64, .count = 1};

    strncpy(field.name, name, sizeof(field.name) - 1);
    return encode_number(&field, 0, value, text, len, problem);
}

/* ---- times ---- */

/* Whether it is the date of an RFC 3339 text: digits, then '-'. */
static bool looks_like_date(const char *text, size_t len)
{
    size_t digits = 0;

    while (digits < len && text[digits] >= '0' && text[digits] <= '9')
        digits++;
    return digits == 4 && len > digits && text[digits] == '-';
}

static int encode_date(const char *name, const char *text, size_t len, uint64_t *time,
                       struct problem *problem)
{
    char copy[64] = "";
    int error = -EINVAL;

    if (len < sizeof(copy)) {
        memcpy(copy, text, len);
        error = kymo_time_parse(copy, KYMO_REALTIME, 0, time);
    }
    if (error == -ERANGE)
        return problem_set(problem, "%s: %.*s is outside of 1970 to 2554", name, shown(len), text);
    if (error)
        return problem_set(problem, "%s: \"%.*s\" is not a date: use 2026-01-31T12:00:00Z", name,
                           shown(len), text);
    return 0;
}

int encode_time_text(const char *name, const char *text, size_t len, int digits,
                     enum kymo_clock clock, uint64_t *time, bool *is_date, struct problem *problem)
{
    struct decimal decimal;
    bool exact;

    *is_date = looks_like_date(text, len);
    if (*is_date && clock != KYMO_REALTIME)
        return problem_set(problem, "%s: %.*s is a date: requires --clock realtime", name,
                           shown(len), text);
    if (*is_date)
        return encode_date(name, text, len, time, problem);
    if (decimal_parse(&decimal, text, len))
        return problem_set(problem, "%s: \"%.*s\" is not a time", name, shown(len), text);
    if (decimal_integer(&decimal, digits, time, &exact))
        return problem_set(problem, "%s: %.*s is above 2^64-1 ns", name, shown(len), text);
    if (decimal.negative && (*time || !exact))
        return problem_set(problem, "%s: %.*s: a time cannot be negative", name, shown(len), text);
    return 0;
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

int encode_time(const struct kymo_field *field, const void *payload, int digits, uint64_t *time,
                struct problem *problem)
{
    uint64_t value, unit = 1;

    for (int i = 0; i < digits; i++)
        unit *= 10;
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
