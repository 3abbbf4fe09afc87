/*
 * test_typed.c - rings of one C type: each typed function equals that of ring.h, and checks the
 * type.
 */
#include <errno.h>
#include <string.h>

#include "test.h"
#include "typed_imu.h"

/* As large as a reading, with other fields; aligned for more; smaller. */
struct other {
    double x, y, z;
};
static const struct kymo_field other_fields[] = {
    KYMO_FIELD(struct other, x, "", ""),
    KYMO_FIELD(struct other, y, "", ""),
    KYMO_FIELD(struct other, z, "", ""),
};
static const struct kymo_schema other_schema = KYMO_SCHEMA(struct other, other_fields);

struct wide {
    _Alignas(64) double x[8];
};

KYMO_RING_TYPE_SCHEMA(other, struct other, other_schema);
KYMO_RING_TYPE(bytes, struct other);
KYMO_RING_TYPE(wide, struct wide);
KYMO_RING_TYPE(number, double);
KYMO_QUEUE_TYPE_SCHEMA(job, struct imu_reading, imu_schema);
KYMO_QUEUE_TYPE_SCHEMA(trio, struct other, other_schema);
KYMO_QUEUE_TYPE(count, uint64_t);

static struct imu_writer *writer;
static struct imu_reader *reader;

static void open_both(void)
{
    const struct kymo_options options = {.depth = 8, .clock = KYMO_USER};

    cr_assert_eq(imu_writer_open(&writer, "typed", &options), 0);
    cr_assert_eq(imu_reader_open(&reader, "typed"), 0);
}

static void close_both(void)
{
    imu_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(&writer->untyped), 0);
}

static struct imu_reading reading_of(uint64_t number)
{
    const float x = (float)number;

    return (struct imu_reading){{x, -x, x / 2}, (uint32_t)number, 20.0 + (double)number};
}

static void publish(uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        const struct imu_reading reading = reading_of(i);

        cr_assert_eq(imu_publish(writer, &reading, 100 * i, 7 * i), 0);
    }
}

static void expect(const struct imu_reading *reading, const struct kymo_record *record,
                   uint64_t number)
{
    const struct imu_reading expected = reading_of(number);

    cr_assert_eq(record->pos, number);
    cr_assert_eq(record->time, 100 * number);
    cr_assert_eq(record->tag, 7 * number);
    cr_assert_eq(record->len, sizeof(expected));
    cr_assert_arr_eq(reading, &expected, sizeof(expected));
}

Test(typed, reads_what_was_published, .init = open_both, .fini = close_both)
{
    struct imu_reading reading;
    struct kymo_record record;

    cr_assert_eq(imu_latest(reader, &reading, &record), -ENODATA);
    publish(0, 5);
    cr_assert_eq(imu_latest(reader, &reading, &record), 0);
    expect(&reading, &record, 4);
    cr_assert_eq(imu_back(reader, 3, &reading, &record), 0);
    expect(&reading, &record, 1);
    cr_assert_eq(imu_at(reader, 2, &reading, &record), 0);
    expect(&reading, &record, 2);
    cr_assert_eq(imu_at(reader, 5, &reading, &record), -ENODATA);
    cr_assert_eq(imu_latest(reader, &reading, NULL), 0);
    publish(5, 20);
    cr_assert_eq(imu_at(reader, 2, &reading, &record), -ESTALE);
    cr_assert_eq(imu_wait(reader, 19, 0), 0);
    cr_assert_eq(imu_wait(reader, 20, 0), -ETIMEDOUT);
}

Test(typed, is_the_untyped_ring_as_well, .init = open_both, .fini = close_both)
{
    struct imu_reading reading;
    struct kymo_record record;
    struct kymo_info info;

    publish(0, 3);
    cr_assert_eq(kymo_ring_latest(&reader->untyped, &reading, sizeof(reading), &record), 0);
    expect(&reading, &record, 2);
    cr_assert_eq(kymo_segment_info(reader->untyped.segment, &info), 0);
    cr_assert_eq(info.size, sizeof(struct imu_reading));
    cr_assert_eq(kymo_schema_same(&info.schema, &imu_schema), 1);
}

Test(typed, refuses_times_that_go_backwards, .init = open_both, .fini = close_both)
{
    const struct imu_reading reading = reading_of(1);

    publish(0, 3);
    cr_assert_eq(imu_publish(writer, &reading, 199, 0), -EINVAL);
    cr_assert_eq(kymo_ring_head(&reader->untyped.ring), 3);
}

Test(typed, loans_the_slot, .init = open_both, .fini = close_both)
{
    struct imu_reading reading, *loan = NULL;
    struct kymo_record record;

    cr_assert_eq(imu_commit(writer, 0, 0), -EINVAL);
    cr_assert_eq(imu_loan(writer, &loan), 0);
    *loan = reading_of(3);
    cr_assert_eq(imu_abort(writer), 0);
    cr_assert_eq(imu_latest(reader, &reading, &record), -ENODATA);
    cr_assert_eq(imu_loan(writer, &loan), 0);
    cr_assert_eq((uintptr_t)loan % _Alignof(struct imu_reading), 0);
    *loan = reading_of(0);
    cr_assert_eq(imu_commit(writer, 0, 0), 0);
    cr_assert_eq(imu_latest(reader, &reading, &record), 0);
    expect(&reading, &record, 0);
}

Test(typed, views_in_place, .init = open_both, .fini = close_both)
{
    struct imu_view view;

    cr_assert_eq(imu_view_latest(reader, &view), -ENODATA);
    publish(0, 4);
    cr_assert_eq(imu_view_latest(reader, &view), 0);
    expect(view.payload, &view.record, 3);
    cr_assert_eq(imu_view_back(reader, 1, &view), 0);
    expect(view.payload, &view.record, 2);
    cr_assert_eq(imu_view_at(reader, 1, &view), 0);
    expect(view.payload, &view.record, 1);
    cr_assert_eq(imu_validate(reader, &view), 0);
    publish(4, 12);
    cr_assert_eq(imu_validate(reader, &view), -ESTALE);
    cr_assert_eq(imu_view_at(reader, 1, &view), -ESTALE);
}

Test(typed, moves_a_cursor, .init = open_both, .fini = close_both)
{
    struct imu_cursor cursor, newest;
    struct imu_reading reading;
    struct kymo_record record;
    uint64_t missed;

    publish(0, 2);
    imu_cursor_oldest(&cursor, reader);
    imu_cursor_newest(&newest, reader);
    cr_assert_eq(imu_cursor_next(&newest, &reading, &record, &missed), -ENODATA);
    cr_assert_eq(imu_cursor_next(&cursor, &reading, &record, &missed), 0);
    expect(&reading, &record, 0);
    cr_assert_eq(missed, 0);
    publish(2, 22);
    cr_assert_eq(imu_cursor_next(&cursor, &reading, &record, &missed), 0);
    cr_assert_eq(missed, record.pos - 1);
    expect(&reading, &record, record.pos);
    cr_assert_eq(imu_cursor_next(&newest, &reading, NULL, NULL), 0);
}

Test(typed, queries_times, .init = open_both, .fini = close_both)
{
    struct imu_reading reading, after;
    struct kymo_record record;
    struct kymo_bracket bracket;

    publish(0, 6);
    cr_assert_eq(imu_closest(reader, 240, KYMO_ANY_DISTANCE, &reading, &record), 0);
    expect(&reading, &record, 2);
    cr_assert_eq(imu_closest(reader, 240, 39, &reading, &record), -ERANGE);
    cr_assert_eq(imu_as_of(reader, 499, &reading, &record), 0);
    expect(&reading, &record, 4);
    cr_assert_eq(imu_bracket(reader, 325, &reading, &after, &bracket), 0);
    expect(&reading, &bracket.before, 3);
    expect(&after, &bracket.after, 4);
    cr_assert_float_eq(bracket.alpha, 0.25, 1e-9);
    cr_assert_eq(imu_bracket(reader, 501, &reading, &after, &bracket), -EDOM);
    cr_assert_eq(imu_fresh(reader, 500, &reading, &record), 0);
    expect(&reading, &record, 5);
    cr_assert_eq(imu_fresh(reader, 501, &reading, &record), -ETIME);
}

/* An untyped writer may publish a shorter record: untyped readers return it, typed ones fail. */
Test(typed, refuses_a_record_of_another_length, .init = open_both, .fini = close_both)
{
    struct imu_reading reading = reading_of(0), after;
    struct kymo_bracket bracket;
    struct imu_cursor cursor;
    struct kymo_record record = {0};
    struct imu_view view;

    cr_assert_eq(kymo_ring_publish(&writer->untyped, &reading, 8, 0, 9), 0);
    cr_assert_eq(imu_latest(reader, &reading, &record), -EMSGSIZE);
    cr_assert_eq(record.tag, 9);
    cr_assert_eq(record.len, 8);
    cr_assert_eq(imu_at(reader, 0, &reading, &record), -EMSGSIZE);
    cr_assert_eq(imu_view_latest(reader, &view), -EMSGSIZE);
    cr_assert_eq(imu_closest(reader, 0, 0, &reading, &record), -EMSGSIZE);
    cr_assert_eq(imu_as_of(reader, 0, &reading, &record), -EMSGSIZE);
    cr_assert_eq(imu_fresh(reader, 0, &reading, &record), -EMSGSIZE);
    cr_assert_eq(imu_bracket(reader, 0, &reading, &after, &bracket), -EMSGSIZE);
    publish(1, 2);
    cr_assert_eq(imu_bracket(reader, 50, &reading, &after, &bracket), -EMSGSIZE);
    imu_cursor_oldest(&cursor, reader);
    cr_assert_eq(imu_cursor_next(&cursor, &reading, &record, NULL), -EMSGSIZE);
    cr_assert_eq(imu_cursor_next(&cursor, &reading, &record, NULL), 0);
    expect(&reading, &record, 1);
}

Test(typed, opens_only_its_own_layout, .init = open_both, .fini = close_both)
{
    struct other_reader *other = NULL;
    struct bytes_reader *bytes = NULL;
    struct number_reader *number = NULL;
    struct number_writer *number_writer = NULL;
    struct wide_reader *wide = NULL;

    cr_assert_eq(other_reader_open(&other, "typed"), -EPROTONOSUPPORT);
    cr_assert_null(other);
    cr_assert_eq(bytes_reader_open(&bytes, "typed"), 0,
                 "a type without a schema accepts any schema");
    bytes_reader_close(bytes);
    cr_assert_eq(number_reader_open(&number, "typed"), -EMSGSIZE);
    cr_assert_null(number);
    cr_assert_eq(number_writer_open(&number_writer, "typed", NULL), -EBUSY);
    cr_assert_eq(wide_reader_open(&wide, "typed"), -EMSGSIZE);
    cr_assert_eq(imu_reader_open(&reader, "nothing-there"), -ENOENT);
    cr_assert_eq(imu_reader_open(&reader, "typed"), 0);
}

Test(typed, checks_alignment)
{
    struct kymo_options options = {.size = sizeof(struct wide), .alignment = 8};
    struct kymo_writer *untyped = NULL;
    struct wide_reader *wide = NULL;
    struct wide_writer *wide_writer = NULL;
    struct wide *loan = NULL;

    cr_assert_eq(kymo_writer_open(&untyped, "wide", &options), 0);
    cr_assert_eq(wide_reader_open(&wide, "wide"), -EPROTONOSUPPORT);
    cr_assert_eq(kymo_writer_remove(untyped), 0);
    cr_assert_eq(wide_writer_open(&wide_writer, "wide", &options), -EINVAL);
    options.alignment = 0;
    cr_assert_eq(wide_writer_open(&wide_writer, "wide", &options), 0);
    cr_assert_eq(wide_loan(wide_writer, &loan), 0);
    cr_assert_eq((uintptr_t)loan % 64, 0);
    cr_assert_eq(kymo_writer_remove(&wide_writer->untyped), 0);
}

Test(typed, resumes_its_own_layout_only)
{
    struct kymo_options options = {0};
    struct number_writer *number = NULL;

    cr_assert_eq(imu_writer_open(&writer, "resumed", &options), 0);
    publish(0, 2);
    imu_writer_close(writer);
    cr_assert_eq(number_writer_open(&number, "resumed", NULL), -EMSGSIZE);
    cr_assert_null(number);
    options.size = 16;
    cr_assert_eq(imu_writer_open(&writer, "resumed", &options), -EINVAL);
    cr_assert_eq(imu_writer_open(&writer, "resumed", NULL), 0);
    cr_assert_eq(writer->untyped.pos, 2);
    cr_assert_eq(kymo_writer_remove(&writer->untyped), 0);
    imu_writer_close(NULL);
    imu_reader_close(NULL);
}

/* ---- queues ---- */

static struct job_writer *producer;
static struct job_consumer *consumer;

static void open_queue(void)
{
    const struct kymo_options options = {.depth = 4, .clock = KYMO_USER};

    cr_assert_eq(job_writer_open(&producer, "jobs", &options), 0);
    cr_assert_eq(job_consumer_open(&consumer, "jobs"), 0);
}

static void close_queue(void)
{
    job_consumer_close(consumer);
    cr_assert_eq(kymo_writer_remove(&producer->untyped), 0);
}

static void push(uint64_t number)
{
    const struct imu_reading reading = reading_of(number);

    cr_assert_eq(job_push(producer, &reading, 100 * number, 7 * number, 0), 0);
}

Test(typed, queue_delivers_what_was_pushed, .init = open_queue, .fini = close_queue)
{
    struct imu_reading reading, *loan = NULL;
    struct kymo_record record;
    struct job_view view;

    cr_assert_eq(job_receive(consumer, &reading, &record), -ENODATA);
    cr_assert_eq(job_wait(consumer, 0), -ETIMEDOUT);
    for (uint64_t i = 0; i < 3; i++)
        push(i);
    cr_assert_eq(job_loan(producer, &loan), 0);
    *loan = reading_of(3);
    cr_assert_eq(job_commit(producer, 300, 21), 0);
    reading = reading_of(4);
    cr_assert_eq(job_publish(producer, &reading, 400, 28), -EAGAIN);
    cr_assert_eq(job_push(producer, &reading, 400, 28, 0), -ETIMEDOUT);
    cr_assert_eq(job_receive(consumer, &reading, &record), 0);
    expect(&reading, &record, 0);
    cr_assert_eq(job_receive_view(consumer, &view), 0);
    expect(view.payload, &view.record, 1);
    cr_assert_eq(job_waiting(consumer), 4);
    job_acknowledge(consumer);
    cr_assert_eq(job_waiting(consumer), 2);
    cr_assert_eq(job_pop(consumer, &reading, &record, 0), 0);
    expect(&reading, &record, 2);
    cr_assert_eq(job_pop(consumer, &reading, NULL, 0), 0);
    cr_assert_eq(job_waiting(consumer), 0);
}

/* 24 bytes pushed, 32 expected: the rest of the struct would be undefined. */
Test(typed, queue_reports_a_short_record, .init = open_queue, .fini = close_queue)
{
    struct imu_reading reading = reading_of(0);
    struct kymo_record record;
    struct job_view view;

    for (int i = 0; i < 3; i++)
        cr_assert_eq(kymo_queue_push(&producer->untyped, &reading, 8, 0, 9, 0), 0);
    cr_assert_eq(job_receive(consumer, &reading, &record), -EMSGSIZE);
    cr_assert_eq(record.len, 8);
    cr_assert_eq(record.tag, 9);
    cr_assert_eq(job_receive_view(consumer, &view), -EMSGSIZE);
    job_acknowledge(consumer);
    cr_assert_eq(job_pop(consumer, &reading, &record, 0), -EMSGSIZE);
    push(3);
    cr_assert_eq(job_pop(consumer, &reading, &record, 0), 0);
    expect(&reading, &record, 3);
}

Test(typed, queue_opens_only_its_own_layout, .init = open_queue, .fini = close_queue)
{
    const struct imu_reading reading = reading_of(4);
    struct count_consumer *count = NULL;
    struct trio_consumer *trio = NULL;
    struct kymo_diagnostic cause;
    struct kymo_writer *ring = NULL;

    /* Neither is a consumer: their ends are not seen by the producer. */
    job_consumer_close(consumer);
    cr_assert_eq(kymo_writer_remove(&producer->untyped), 0);
    cr_assert_eq(job_writer_open(&producer, "jobs", &(struct kymo_options){.depth = 4}), 0);
    cr_assert_eq(count_consumer_open(&count, "jobs"), -EMSGSIZE);
    cr_assert_null(count);
    cr_assert_eq(trio_consumer_open_diagnosed(&trio, "jobs", &cause), -EPROTONOSUPPORT);
    cr_assert(strstr(cause.text, "\"accel\" in the segment, \"x\" here"), "%s", cause.text);
    for (uint64_t i = 0; i < 4; i++)
        push(i);
    cr_assert_eq(job_push(producer, &reading, 400, 0, 1), -ETIMEDOUT);

    cr_assert_eq(kymo_writer_open(&ring, "ring", &(struct kymo_options){.size = 8}), 0);
    cr_assert_eq(count_consumer_open_diagnosed(&count, "ring", &cause), -EINVAL);
    cr_assert(strstr(cause.text, "kind: the segment is a ring"), "%s", cause.text);
    cr_assert_eq(kymo_writer_remove(ring), 0);
    cr_assert_eq(job_consumer_open(&consumer, "jobs"), 0);
}

/* The type's checks come before a new generation. */
Test(typed, refuses_another_schema_before_replacing, .init = open_both, .fini = close_both)
{
    const struct kymo_options options = {.clock = KYMO_USER, .schema = &other_schema};
    struct imu_reading reading;
    struct kymo_record record;
    struct imu_writer *failed = NULL;

    publish(0, 3);
    imu_writer_close(writer);
    cr_assert_eq(imu_writer_open(&failed, "typed", &options), -EINVAL);
    cr_assert_eq(imu_latest(reader, &reading, &record), 0);
    expect(&reading, &record, 2);
    cr_assert_eq(imu_writer_open(&writer, "typed", NULL), 0);
}

#if TYPED_CXX
Test(typed, has_same_layout_in_cxx, .init = open_both, .fini = close_both)
{
    struct imu_reader *answers = NULL;
    struct imu_reading reading;
    struct kymo_record record;

    publish(0, 3);
    cr_assert_eq(typed_cxx_answer("typed", "answer"), 0);
    cr_assert_eq(imu_reader_open(&answers, "answer"), 0);
    cr_assert_eq(imu_latest(answers, &reading, &record), 0);
    cr_assert_eq(record.time, 200);
    cr_assert_eq(record.tag, 14);
    cr_assert_float_eq(reading.temperature, 23, 0);
    imu_reader_close(answers);
    cr_assert_eq(kymo_segment_remove("answer"), 0);
}
#endif
