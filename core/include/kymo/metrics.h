/*
 * metrics.h - segments as Prometheus text: the same text for kymofs, the kymo command, and any
 * other exporter.
 *
 *     #include <kymo/metrics.h>
 *
 *     int export_one(const struct kymo_reader *reader, struct kymo_text *text)
 *     {
 *         struct kymo_metrics *metrics;
 *         int error = kymo_metrics_open(&metrics);
 *
 *         if (error)
 *             return error;
 *         error = kymo_metrics_add(metrics, reader);
 *         if (error >= 0)
 *             error = kymo_metrics_write(metrics, text);
 *         kymo_metrics_close(metrics);
 *         return error;
 *     }
 *
 * Each segment yields
 *
 *     kymo_writer_up{segment="imu"}      1 while its writer is alive, else 0
 *     kymo_records_total{segment="imu"}  records published so far
 *     kymo_age_seconds{segment="imu"}    now minus the newest record's time; not on KYMO_USER
 *     kymo_imu_accel{segment="imu",index="0"}   each element of each numeric field
 *
 * Names are those of the segment and the field, with each character outside [a-zA-Z0-9_] replaced
 * by "_", and changed where promtool would warn: counters end in _total; gauges that end in total,
 * count, sum or bucket get the suffix _value; camelCase becomes camel_Case; and a word that reads
 * like an abbreviated unit or a type (m, ms, b, ..., gauge) gets the suffix "value":
 * kymo_imu_mvalue. A field whose name is then in use gets another _value. Units in full words
 * remain, even if promtool prefers others (milliseconds).
 *
 * The index of a matrix is "1.2". Chars, the pixels of images, and arrays of more than
 * KYMO_METRICS_ELEMENTS are omitted. HELP is the field's help with its unit. There are no
 * timestamps. All functions allocate memory.
 *
 * Promises (A to K): kymo(7).
 */
#ifndef KYMO_METRICS_H
#define KYMO_METRICS_H

#include <kymo/text.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Longer arrays are omitted. */
#define KYMO_METRICS_ELEMENTS 64

/* Samples, collected, then written in groups of one name. One thread at a time. */
struct kymo_metrics;

/* -ENOMEM. */
KYMO_EXPORT int kymo_metrics_open(struct kymo_metrics **metrics);
KYMO_EXPORT void kymo_metrics_close(struct kymo_metrics *metrics);

/* Removes all samples and keeps the memory. */
KYMO_EXPORT void kymo_metrics_clear(struct kymo_metrics *metrics);

/* Adds a segment, with its newest record if it has one. Returns the number of samples added, or
 * -EIDRM, -EBADMSG, -ENOMEM, and then adds none. */
KYMO_EXPORT int kymo_metrics_add(struct kymo_metrics *metrics, const struct kymo_reader *reader);

/* Adds a sample of the caller; name and help contain no newline, and samples of one name must be
 * added one after the other. `label`: "key=value", or NULL. */
KYMO_EXPORT void kymo_metrics_sample(struct kymo_metrics *metrics, const char *name,
                                     enum kymo_metric metric, const char *help, const char *label,
                                     double value);

/* Appends all samples, grouped by name. -ENOMEM: memory ran out, in `text` or in an earlier
 * call. */
KYMO_EXPORT int kymo_metrics_write(struct kymo_metrics *metrics, struct kymo_text *text);

#ifdef __cplusplus
}
#endif

#endif
