/*
 * encode.h - stores values in a payload and checks them against the type of the field.
 */
#ifndef KYMO_TOOLS_ENCODE_H
#define KYMO_TOOLS_ENCODE_H

#include <stdbool.h>

#include <kymo/text.h>

#include "problem.h"

/* Number of values of a field: its elements; for text its strings, the innermost dimension. */
uint32_t encode_values(const struct kymo_field *field);

/* Nesting depth of a value in JSON: the dimensions without that of a string. */
uint32_t encode_nesting(const struct kymo_field *field);

/*
 * Each function stores one value of the field in the payload and returns 0, or -EINVAL with the
 * problem. A value that the type cannot represent is a problem, except that floating point rounds.
 * `index`: number of the value in the field, below encode_values(field).
 */

/* A decimal number. Floating point also: nan, inf, infinity in any case, and 1e999 as infinity. */
int encode_number(const struct kymo_field *field, uint32_t index, void *payload, const char *text,
                  size_t len, struct problem *problem);
int encode_bool(const struct kymo_field *field, uint32_t index, void *payload, bool value,
                struct problem *problem);
/* Stores NaN; floating point only. */
int encode_null(const struct kymo_field *field, uint32_t index, void *payload,
                struct problem *problem);
/* Text: stores len bytes, then zeros. */
int encode_chars(const struct kymo_field *field, uint32_t index, void *payload, const char *bytes,
                 size_t len, struct problem *problem);
/* Text of any type: a cell of a table, or a JSON string. Bool also: true and false in any case. */
int encode_text(const struct kymo_field *field, uint32_t index, void *payload, const char *text,
                size_t len, struct problem *problem);

/* Parses a number beside the payload. -EINVAL with the problem. */
int encode_u64(const char *name, const char *text, size_t len, uint64_t *value,
               struct problem *problem);

/*
 * Converts a decimal number in units of 10^`digits` ns, or an RFC 3339 date if `clock` is realtime, to
 * *time in ns. Decimals below 1 ns are rounded. -EINVAL with the problem if it is neither, negative, or
 * above 2^64-1 ns. *is_date: it was a date.
 */
int encode_time_text(const char *name, const char *text, size_t len, int digits,
                     enum kymo_clock clock, uint64_t *time, bool *is_date, struct problem *problem);

/* As above, from the value of a numeric field. */
int encode_time(const struct kymo_field *field, const void *payload, int digits, uint64_t *time,
                struct problem *problem);

#endif
