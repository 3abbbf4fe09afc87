/*
 * value.h - a ring used for its newest record only: depth 2, so that one record is complete while
 * the other is being written.
 *
 *     #include <kymo/value.h>
 *
 *     int store_setpoint(struct kymo_writer *writer, double setpoint, uint64_t time)
 *     {
 *         return kymo_value_store(writer, &setpoint, sizeof(setpoint), time);
 *     }
 *
 *     int load_setpoint(const struct kymo_reader *reader, double *setpoint)
 *     {
 *         return kymo_value_load(reader, setpoint, sizeof(*setpoint), NULL);
 *     }
 *
 * Create one with kymo_options.kind = KYMO_VALUE. Concurrency and errors: as in ring.h.
 *
 * Promises (A to K): kymo(7).
 */
#ifndef KYMO_VALUE_H
#define KYMO_VALUE_H

#include <kymo/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Stores data[len] as the value; `time`: ns on the segment's clock. As kymo_ring_publish. */
KYMO_INLINE int kymo_value_store(struct kymo_writer *writer, const void *data, size_t len,
                                 uint64_t time);

/* Copies the value into buffer[size]. As kymo_ring_latest. */
KYMO_INLINE int kymo_value_load(const struct kymo_reader *reader, void *buffer, size_t size,
                                struct kymo_record *record);

/*
 * Waits until the value has been stored more than `seen` times (record->pos + 1 of the last load; 0
 * for the first), then copies it. `deadline`: CLOCK_MONOTONIC ns. As kymo_ring_wait, then as
 * kymo_ring_latest.
 */
KYMO_INLINE int kymo_value_load_wait(const struct kymo_reader *reader, uint64_t seen,
                                     uint64_t deadline, void *buffer, size_t size,
                                     struct kymo_record *record);

#ifdef __cplusplus
}
#endif

#include <kymo/impl/value.h>

#endif
