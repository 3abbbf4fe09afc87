/*
 * encode.h - values from text into the bytes of a payload, each checked against its field's type.
 */
#ifndef KYMO_TOOLS_ENCODE_H
#define KYMO_TOOLS_ENCODE_H

#include <stdbool.h>

#include <kymo/text.h>

/* What is wrong with a piece of input, in words. */
struct problem {
    char text[256];
};

/* Fills it in; returns -EINVAL, so that a function can end with it. */
int problem_say(struct problem *problem, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* How many values the field takes: its elements; or, where it is text, its strings, which are the
 * innermost dimension. */
uint32_t encode_values(const struct kymo_field *field);

/* How many brackets deep a value lies: the field's dimensions without that of a string. */
uint32_t encode_nesting(const struct kymo_field *field);

/*
 * All of these store one value of the field into payload and return 0, or -EINVAL with the problem.
 * What the type can't hold exactly is a problem, except that floating point rounds. `index` counts
 * the field's values through all dimensions; it is below encode_values(field).
 */
int encode_signed(const struct kymo_field *field, uint32_t index, void *payload, int64_t value,
                  struct problem *problem);
int encode_unsigned(const struct kymo_field *field, uint32_t index, void *payload, uint64_t value,
                    struct problem *problem);
int encode_real(const struct kymo_field *field, uint32_t index, void *payload, double value,
                struct problem *problem);
int encode_bool(const struct kymo_field *field, uint32_t index, void *payload, bool value,
                struct problem *problem);
/* NaN, for floating point alone. */
int encode_null(const struct kymo_field *field, uint32_t index, void *payload,
                struct problem *problem);
/* An integer of any length, in decimal digits. */
int encode_digits(const struct kymo_field *field, uint32_t index, void *payload, const char *text,
                  struct problem *problem);
/* A string: len bytes, then zeros. */
int encode_chars(const struct kymo_field *field, uint32_t index, void *payload, const char *bytes,
                 size_t len, struct problem *problem);
/* A cell of a table: what its type makes of the text; nothing at all is null. */
int encode_cell(const struct kymo_field *field, uint32_t index, void *payload, const char *text,
                size_t len, struct problem *problem);

/*
 * The time in a numeric field of a payload, in units of `unit` ns, into *time in ns. -EINVAL with
 * the problem where it is negative, not finite, or beyond 2^64-1 ns.
 */
int encode_time(const struct kymo_field *field, const void *payload, uint64_t unit, uint64_t *time,
                struct problem *problem);

#endif
