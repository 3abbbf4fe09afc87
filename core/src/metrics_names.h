/*
 * metrics_names.h - the names of a segment's fields as metrics; for metrics.c only.
 */
#ifndef KYMO_METRICS_NAMES_H
#define KYMO_METRICS_NAMES_H

#include <kymo/metrics.h>

/* Initialize with {0}. */
struct kymo_names {
    struct kymo_text text;                /* the names, each with a zero byte */
    size_t start[KYMO_FIELD_LIMIT];       /* offset of each field's name in text */
    uint8_t fits[KYMO_FIELD_LIMIT];       /* 1: the field's name, 0: a name made for it */
    uint16_t taken[2 * KYMO_FIELD_LIMIT]; /* a hash table: fields that have a name, and one */
};

/* The names of all segments, which no field may have. */
#define KYMO_WRITER_UP "kymo_writer_up"
#define KYMO_RECORDS   "kymo_records_total"
#define KYMO_AGE       "kymo_age_seconds"

int kymo_field_is_metric(const struct kymo_field *field);

/* Assigns a name to each field that is a metric. No two names are equal, only counters end in
 * _total, and promtool warns of units at most. 0, or -ENOMEM. */
int kymo_names_make(struct kymo_names *names, const char *segment,
                    const struct kymo_schema *schema);

#endif
