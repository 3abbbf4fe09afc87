/*
 * decimal.c - exact integers from decimal numbers in text.
 */
#include "decimal.h"

#include <errno.h>
#include <string.h>

/* Beyond this an exponent makes no difference: a line is shorter. */
#define EXPONENT_LIMIT INT64_C(1000000000000000)

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* Parses [+-]digits up to `end`. */
static int parse_exponent(const char *text, const char *end, int64_t *exponent)
{
    bool negative = text < end && *text == '-';

    text += text < end && (*text == '-' || *text == '+');
    if (text == end)
        return -EINVAL;
    for (; text < end; text++) {
        if (!is_digit(*text))
            return -EINVAL;
        if (*exponent < EXPONENT_LIMIT)
            *exponent = *exponent * 10 + (*text - '0');
    }
    if (negative)
        *exponent = -*exponent;
    return 0;
}

int decimal_parse(struct decimal *decimal, const char *text, size_t len)
{
    const char *end = text + len;
    size_t digits = 0, points = 0;

    *decimal = (struct decimal){.negative = len && *text == '-'};
    text += len && (*text == '-' || *text == '+');
    decimal->mantissa = text;
    for (; text < end && (is_digit(*text) || *text == '.'); text++) {
        digits += *text != '.';
        points += *text == '.';
    }
    decimal->len = (size_t)(text - decimal->mantissa);
    if (digits == 0 || points > 1)
        return -EINVAL;
    if (text == end)
        return 0;
    if (*text != 'e' && *text != 'E')
        return -EINVAL;
    return parse_exponent(text + 1, end, &decimal->exponent);
}

static int append_digit(uint64_t *value, unsigned int digit)
{
    if (*value > (UINT64_MAX - digit) / 10)
        return -ERANGE;
    *value = *value * 10 + digit;
    return 0;
}

int decimal_integer(const struct decimal *decimal, int shift, uint64_t *value, bool *exact)
{
    const char *point = memchr(decimal->mantissa, '.', decimal->len);
    int64_t before = (int64_t)(point ? (size_t)(point - decimal->mantissa) : decimal->len);
    int64_t integers = before + decimal->exponent + shift; /* digits before the shifted point */
    int64_t at = 0;
    unsigned int round = 0;

    *value = 0;
    *exact = true;
    for (size_t i = 0; i < decimal->len; i++) {
        const unsigned int digit = (unsigned int)(decimal->mantissa[i] - '0');

        if (decimal->mantissa[i] == '.')
            continue;
        if (at < integers && append_digit(value, digit))
            return -ERANGE;
        if (at == integers)
            round = digit >= 5;
        if (at++ >= integers && digit)
            *exact = false;
    }
    for (; *value && at < integers; at++)
        if (append_digit(value, 0))
            return -ERANGE;
    if (round && *value == UINT64_MAX)
        return -ERANGE;
    *value += round;
    return 0;
}
