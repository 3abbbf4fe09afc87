/*
 * metrics_names.h - what the fields of a segment are called as metrics. metrics.c alone asks.
 */
#ifndef KYMO_METRICS_NAMES_H
#define KYMO_METRICS_NAMES_H

#include <kymo/metrics.h>

/* Begin with {0}. */
struct kymo_names {
    struct kymo_text text;                /* the names, each with a zero byte behind it */
    size_t start[KYMO_FIELD_LIMIT];       /* of each field's name in text */
    uint8_t fits[KYMO_FIELD_LIMIT];       /* the field's own name, or one that is made for it */
    uint16_t taken[2 * KYMO_FIELD_LIMIT]; /* a hash table: fields that have a name, and one */
};

/* The names that all segments share, which no field may have. */
#define KYMO_WRITER_UP "kymo_writer_up"
#define KYMO_RECORDS   "kymo_records_total"
#define KYMO_AGE       "kymo_age_seconds"

int kymo_field_is_metric(const struct kymo_field *field);

/* Names all fields that are metrics. No two share a name, counters alone end in _total, and nothing
 * is left for promtool to say but which units it likes better. 0, or -ENOMEM. */
int kymo_names_make(struct kymo_names *names, const char *segment,
                    const struct kymo_schema *schema);

#endif
