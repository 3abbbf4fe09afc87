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
 *     kymo_writer_state{segment="imu",state="alive"}  1; 0 for stalled, closed, dead, unknown
 *     kymo_age_seconds{segment="imu"}      now minus the newest record's time, negative if that is in the
 *                                          future; not on KYMO_USER
 *     kymo_other_boot{segment="imu"}       1, instead of the age, if the times are of another boot
 *     kymo_rate_hertz{segment="imu"}       of the history; 0 if no writer is alive
 *     kymo_records_total{segment="imu"}    records published so far
 *     kymo_rejected_total, kymo_clamped_total, kymo_aborted_total, kymo_wakes_total,
 *     kymo_adopted_total, kymo_takeovers_total   the counters of struct kymo_info
 *     kymo_field{segment="imu",field="accel",unit="m/s^2",index="0"}   each element of each
 *         numeric field; kymo_field_total if it is a counter; unit and index only if it has them
 *     kymo_field_info{segment="imu",field="accel",unit="m/s^2",help=""}   1
 *
 * Names are labels, so that they need no change and one query selects a field of many segments. The
 * index of a matrix is "1.2". Chars, the pixels of images, and arrays of more than
 * KYMO_METRICS_ELEMENTS are omitted. There are no timestamps. All functions allocate memory.
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

/* Samples of a segment besides those of its fields, at most. */
#define KYMO_METRICS_SEGMENT 14

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
