/*
 * encode.h - stores values in a payload and checks them against the type of the field.
 */
#ifndef KYMO_TOOLS_ENCODE_H
#define KYMO_TOOLS_ENCODE_H

#include <stdbool.h>

#include <kymo/text.h>

/* Message about invalid input. */
struct problem {
    char text[256];
};

/* Formats the message. Returns -EINVAL. */
int problem_set(struct problem *problem, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Number of values of a field: its elements; for text its strings, the innermost dimension. */
uint32_t encode_values(const struct kymo_field *field);

/* Nesting depth of a value in JSON: the dimensions without that of a string. */
uint32_t encode_nesting(const struct kymo_field *field);

/*
 * Each function stores one value of the field in the payload and returns 0, or -EINVAL with the
 * problem. A value that the type cannot represent is a problem, except that floating point rounds.
 * `index`: number of the value in the field, below encode_values(field).
 */
int encode_signed(const struct kymo_field *field, uint32_t index, void *payload, int64_t value,
                  struct problem *problem);
int encode_unsigned(const struct kymo_field *field, uint32_t index, void *payload, uint64_t value,
                    struct problem *problem);
int encode_real(const struct kymo_field *field, uint32_t index, void *payload, double value,
                struct problem *problem);
int encode_bool(const struct kymo_field *field, uint32_t index, void *payload, bool value,
                struct problem *problem);
/* Stores NaN; floating point only. */
int encode_null(const struct kymo_field *field, uint32_t index, void *payload,
                struct problem *problem);
/* Parses an integer of any length. */
int encode_digits(const struct kymo_field *field, uint32_t index, void *payload, const char *text,
                  struct problem *problem);
/* Stores len bytes, then zeros. */
int encode_chars(const struct kymo_field *field, uint32_t index, void *payload, const char *bytes,
                 size_t len, struct problem *problem);
/* Parses a cell of a table; an empty cell is null. */
int encode_cell(const struct kymo_field *field, uint32_t index, void *payload, const char *text,
                size_t len, struct problem *problem);

/*
 * Converts the value of a numeric field, in units of `unit` ns, to *time in ns. -EINVAL with the
 * problem if it is negative, not finite, or above 2^64-1 ns.
 */
int encode_time(const struct kymo_field *field, const void *payload, uint64_t unit, uint64_t *time,
                struct problem *problem);

#endif
