/*
 * decode.c - times of decoded records.
 */
#include "decode.h"

#include <inttypes.h>
#include <stdio.h>

/* Stores a time in the unit of the field. */
static int store_time(const struct time_format *format, uint64_t time, void *payload,
                      struct problem *problem)
{
    char text[48];
    uint64_t unit = 1;
    int len;

    for (int i = 0; i < format->digits; i++)
        unit *= 10;
    len = snprintf(text, sizeof(text), "%" PRIu64, time / unit);
    if (time % unit)
        len += snprintf(text + len, sizeof(text) - (size_t)len, ".%0*" PRIu64, format->digits,
                        time % unit);
    return encode_number(format->field, 0, payload, text, (size_t)len, problem);
}

int decode_time_field(const struct time_format *format, const char *text, size_t len,
                      struct draft *draft, struct problem *problem)
{
    bool is_date;
    int error = encode_time_text(format->field->name, text, len, format->digits, format->clock,
                                 &draft->time, &is_date, problem);

    if (error)
        return error;
    draft->has_time = true;
    return is_date ? store_time(format, draft->time, draft->payload, problem)
                   : encode_number(format->field, 0, draft->payload, text, len, problem);
}

int decode_time_beside(const struct time_format *format, const char *text, size_t len,
                       struct draft *draft, struct problem *problem)
{
    bool is_date;

    if (format->ignored || format->field)
        return 0;
    draft->has_time = true;
    return encode_time_text("time", text, len, format->digits, format->clock, &draft->time,
                            &is_date, problem);
}
