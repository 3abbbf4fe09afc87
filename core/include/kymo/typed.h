/*
 * typed.h - a ring or queue whose records are all one C type: handles that accept no other type, and
 * copies compiled for the known size.
 *
 *     #include <kymo/typed.h>
 *
 *     struct imu_reading {
 *         float accel[3];
 *         double temperature;
 *     };
 *     KYMO_RING_TYPE(imu, struct imu_reading);
 *
 *     int read_newest(const struct imu_reader *reader, struct imu_reading *reading)
 *     {
 *         return imu_latest(reader, reading, NULL);
 *     }
 *
 * defines struct imu_writer, imu_reader, imu_cursor and imu_view, and these static inline
 * functions:
 *
 *     int  imu_writer_open(struct imu_writer **, const char *name, const struct kymo_options *)
 *     int  imu_writer_open_diagnosed(..., struct kymo_diagnostic *)
 *     void imu_writer_close(struct imu_writer *)
 *     int  imu_reader_open(struct imu_reader **, const char *name)
 *     int  imu_reader_open_diagnosed(..., struct kymo_diagnostic *)
 *     void imu_reader_close(struct imu_reader *)
 *
 *     int  imu_publish(writer, const struct imu_reading *, uint64_t time, uint64_t tag)
 *     int  imu_loan(writer, struct imu_reading **)
 *     int  imu_commit(writer, uint64_t time, uint64_t tag)
 *     int  imu_abort(writer)
 *
 *     int  imu_latest(reader, struct imu_reading *, struct kymo_record *)
 *     int  imu_back(reader, uint64_t back, struct imu_reading *, struct kymo_record *)
 *     int  imu_at(reader, uint64_t pos, struct imu_reading *, struct kymo_record *)
 *     int  imu_wait(reader, uint64_t seen, uint64_t deadline)
 *
 *     int  imu_view_latest(reader, struct imu_view *)
 *     int  imu_view_back(reader, uint64_t back, struct imu_view *)
 *     int  imu_view_at(reader, uint64_t pos, struct imu_view *)
 *     int  imu_validate(reader, const struct imu_view *)
 *
 *     void imu_cursor_newest(struct imu_cursor *, reader)
 *     void imu_cursor_oldest(struct imu_cursor *, reader)
 *     int  imu_cursor_next(cursor, struct imu_reading *, struct kymo_record *, uint64_t *missed)
 *
 *     int  imu_closest(reader, uint64_t time, uint64_t max_distance, struct imu_reading *,
 *                      struct kymo_record *)
 *     int  imu_as_of(reader, uint64_t time, struct imu_reading *, struct kymo_record *)
 *     int  imu_bracket(reader, uint64_t time, struct imu_reading *before,
 *                      struct imu_reading *after, struct kymo_bracket *)
 *     int  imu_fresh(reader, uint64_t min_time, struct imu_reading *, struct kymo_record *)
 *
 * KYMO_QUEUE_TYPE(command, struct command) defines struct command_writer, command_consumer and
 * command_view, the functions of the writer as above, and:
 *
 *     int  command_consumer_open(struct command_consumer **, const char *name)
 *     int  command_consumer_open_diagnosed(..., struct kymo_diagnostic *)
 *     void command_consumer_close(struct command_consumer *)
 *
 *     int  command_push(writer, const struct command *, uint64_t time, uint64_t tag,
 *                       uint64_t deadline)
 *     int  command_wait(consumer, uint64_t deadline)
 *     int  command_receive(consumer, struct command *, struct kymo_record *)
 *     int  command_receive_view(consumer, struct command_view *)
 *     void command_acknowledge(consumer)
 *     int  command_pop(consumer, struct command *, struct kymo_record *, uint64_t deadline)
 *     uint64_t command_waiting(consumer)
 *
 * writer, reader, cursor and consumer are pointers to the handles; the handles of another type do not
 * compile. Each function does what the function of that name in segment.h, ring.h, series.h or
 * queue.h does, with the same concurrency and errors. `untyped`, the only member of a handle, is the argument for
 * functions without a typed counterpart (kymo_segment_info(reader->untyped.segment, ...)). In
 * addition:
 *
 * - writer_open sets size, alignment (at least the type's) and schema if the options leave them 0,
 *   and of a queue the kind; -EINVAL (writer_open_diagnosed): the options have another size or
 *   schema, or an alignment below the type's.
 * - All opens return -EMSGSIZE if the segment's slots are not of the type's size, and
 *   -EPROTONOSUPPORT if they are not aligned for it, its fields differ from the type's schema, or,
 *   without a schema, the segment's type id is that of another type (kymo_type_id): a valid segment
 *   of another program's layout. The diagnostic names the difference.
 * - A record that an untyped writer published shorter than the type is -EMSGSIZE for every read;
 *   *record is filled in, and a cursor or a consumer advances.
 *
 * A type is plain bytes: no pointers, and no constructors. Use the macro at file scope, with a
 * semicolon after it, in C11 and C++17.
 *
 * Promises (A to K): kymo(7).
 */
#ifndef KYMO_TYPED_H
#define KYMO_TYPED_H

#include <kymo/queue.h>
#include <kymo/ring.h>
#include <kymo/series.h>

/* A ring of `type` without a schema: other programs see bytes. */
#define KYMO_RING_TYPE(name, type) KYMO_IMPL_RING_TYPE_OF(name, type, NULL)

/* A ring of `type` with the fields of `schema`, a struct kymo_schema of static storage. */
#define KYMO_RING_TYPE_SCHEMA(name, type, schema) KYMO_IMPL_RING_TYPE_OF(name, type, &(schema))

/* The same for queues. */
#define KYMO_QUEUE_TYPE(name, type)                KYMO_IMPL_QUEUE_TYPE_OF(name, type, NULL)
#define KYMO_QUEUE_TYPE_SCHEMA(name, type, schema) KYMO_IMPL_QUEUE_TYPE_OF(name, type, &(schema))

#include <kymo/impl/typed.h>

#endif
