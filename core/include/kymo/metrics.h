/*
 * metrics.h - segments as Prometheus text: the same for the file view, the command line and anybody
 * else who exports.
 *
 * Each segment gives
 *
 *     kymo_writer_up{segment="imu"}      1 while its writer lives, else 0
 *     kymo_records_total{segment="imu"}  records published so far
 *     kymo_age_seconds{segment="imu"}    now minus the newest record's time; not on KYMO_USER
 *     kymo_imu_accel{segment="imu",index="0"}   each element of each numeric field
 *
 * Names are those of the segment and the field with anything else than [a-zA-Z0-9_] replaced by "_",
 * and with what promtool would take amiss changed: counters end in _total; gauges that would end like
 * something else (total, count, sum, bucket) end in _value; camelCase becomes camel_Case; and a word
 * that reads like an abbreviated unit or a type (m, ms, b, ..., gauge) gets a "value": kymo_imu_mvalue.
 * A field whose name is taken after that gets one more _value. Units that are spelled out stay, even
 * where promtool would rather have others (milliseconds).
 *
 * A matrix has the index "1.2". Left out are chars, the pixels of images, and arrays of more than
 * KYMO_METRICS_ELEMENTS.
 * HELP is the field's help with its unit. There are no timestamps. All of it is cold: it allocates.
 */
#ifndef KYMO_METRICS_H
#define KYMO_METRICS_H

#include <kymo/text.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Longer arrays are data, not metrics. */
#define KYMO_METRICS_ELEMENTS 64

/* Samples, collected and then written in groups of one name. One thread at a time. */
struct kymo_metrics;

/* -ENOMEM. */
KYMO_EXPORT int kymo_metrics_open(struct kymo_metrics **metrics);
KYMO_EXPORT void kymo_metrics_close(struct kymo_metrics *metrics);

/* Forgets all samples and keeps the memory. */
KYMO_EXPORT void kymo_metrics_clear(struct kymo_metrics *metrics);

/* Adds a segment, with its newest record if it has one. Returns how many samples that gave; where it
 * returns -EIDRM, -EBADMSG or -ENOMEM, none. */
KYMO_EXPORT int kymo_metrics_add(struct kymo_metrics *metrics, const struct kymo_reader *reader);

/* Adds a sample of the caller's own; name and help hold no newline, and samples of one name come one
 * after the other. `label`: "key=value", or NULL. */
KYMO_EXPORT void kymo_metrics_sample(struct kymo_metrics *metrics, const char *name,
                                     enum kymo_metric metric, const char *help, const char *label,
                                     double value);

/* Appends everything, grouped by name. text->error and the metrics' own lack of memory: -ENOMEM. */
KYMO_EXPORT int kymo_metrics_write(struct kymo_metrics *metrics, struct kymo_text *text);

#ifdef __cplusplus
}
#endif

#endif
