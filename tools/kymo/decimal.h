/*
 * decimal.h - exact integers from decimal numbers in text: 1490195805.433502912, 1e19, -12.
 */
#ifndef KYMO_TOOLS_DECIMAL_H
#define KYMO_TOOLS_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* mantissa * 10^exponent, and the digits behind the mantissa's. */
struct decimal {
    bool negative;
    bool full;         /* there are digits behind: the first of them did not fit the mantissa */
    bool exact;        /* all of them are zeros */
    unsigned int next; /* the first of them; 0 without */
    uint64_t mantissa;
    int64_t exponent;
};

/* Parses [+-]digits[.digits][e[+-]digits]; one of the digits before e may be missing, as in .5 and 7.
 * 0, or -EINVAL. */
int decimal_parse(struct decimal *decimal, const char *text, size_t len);

/*
 * Computes |decimal| * 10^shift, rounded to the nearest integer, half up. *exact: nothing was rounded.
 * 0; -ERANGE: above 2^64-1.
 */
int decimal_integer(const struct decimal *decimal, int shift, uint64_t *value, bool *exact);

#endif
