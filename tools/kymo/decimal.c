/*
 * decimal.c - exact integers from decimal numbers in text.
 */
#include "decimal.h"

#include <errno.h>

/* Beyond this an exponent makes no difference: a line is shorter. */
#define EXPONENT_LIMIT INT64_C(1000000000000000)

/* 10^0 to 10^19, the largest below 2^64. */
static const uint64_t powers[] = {
    UINT64_C(1),
    UINT64_C(10),
    UINT64_C(100),
    UINT64_C(1000),
    UINT64_C(10000),
    UINT64_C(100000),
    UINT64_C(1000000),
    UINT64_C(10000000),
    UINT64_C(100000000),
    UINT64_C(1000000000),
    UINT64_C(10000000000),
    UINT64_C(100000000000),
    UINT64_C(1000000000000),
    UINT64_C(10000000000000),
    UINT64_C(100000000000000),
    UINT64_C(1000000000000000),
    UINT64_C(10000000000000000),
    UINT64_C(100000000000000000),
    UINT64_C(1000000000000000000),
    UINT64_C(10000000000000000000),
};

#define POWER_COUNT ((int64_t)(sizeof(powers) / sizeof(powers[0])))

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* Parses [+-]digits up to `end`, and adds the number to *exponent. */
static int parse_exponent(const char *text, const char *end, int64_t *exponent)
{
    const bool negative = text < end && *text == '-';
    int64_t number = 0;

    text += text < end && (*text == '-' || *text == '+');
    if (text == end)
        return -EINVAL;
    for (; text < end; text++) {
        if (!is_digit(*text))
            return -EINVAL;
        if (number < EXPONENT_LIMIT)
            number = number * 10 + (*text - '0');
    }
    *exponent += negative ? -number : number;
    return 0;
}

/* A digit behind those of the mantissa. */
static void drop_digit(struct decimal *decimal, unsigned int digit)
{
    if (!decimal->full)
        decimal->next = digit;
    decimal->full = true;
    decimal->exact = decimal->exact && digit == 0;
    decimal->exponent++;
}

/* Parses digits with at most one point up to another character, which it returns; NULL without a
 * digit. */
static const char *parse_mantissa(struct decimal *decimal, const char *text, const char *end)
{
    const char *begin = text, *point = NULL;
    uint64_t mantissa = 0;

    for (; text < end; text++) {
        const unsigned int digit = (unsigned int)(*text - '0');

        if (digit > 9) {
            if (*text != '.' || point)
                break;
            point = text;
        } else if (!decimal->full && (mantissa < UINT64_MAX / 10 ||
                                      (mantissa == UINT64_MAX / 10 && digit <= UINT64_MAX % 10))) {
            mantissa = mantissa * 10 + digit;
        } else {
            drop_digit(decimal, digit);
        }
    }
    decimal->mantissa = mantissa;
    if (point)
        decimal->exponent -= text - point - 1;
    return text - begin == (point ? 1 : 0) ? NULL : text;
}

int decimal_parse(struct decimal *decimal, const char *text, size_t len)
{
    const char *end = text + len;

    *decimal = (struct decimal){.negative = len && *text == '-', .exact = true};
    text += len && (*text == '-' || *text == '+');
    text = parse_mantissa(decimal, text, end);
    if (!text)
        return -EINVAL;
    if (text == end)
        return 0;
    if (*text != 'e' && *text != 'E')
        return -EINVAL;
    return parse_exponent(text + 1, end, &decimal->exponent);
}

int decimal_integer(const struct decimal *decimal, int shift, uint64_t *value, bool *exact)
{
    const int64_t exponent = decimal->exponent + shift;
    bool up = exponent == 0 && decimal->next >= 5;

    *exact = decimal->exact;
    *value = 0;
    if (decimal->mantissa == 0)
        return 0;
    if (exponent > 0 && decimal->full)
        return -ERANGE;
    if (exponent >= 0) {
        if (exponent >= POWER_COUNT ||
            __builtin_mul_overflow(decimal->mantissa, powers[exponent], value))
            return -ERANGE;
    } else if (exponent <= -POWER_COUNT) {
        *exact = false;
    } else {
        const uint64_t power = powers[-exponent], rest = decimal->mantissa % power;

        *value = decimal->mantissa / power;
        *exact = *exact && rest == 0;
        up = rest >= power / 2;
    }
    if (up && *value == UINT64_MAX)
        return -ERANGE;
    *value += up;
    return 0;
}
