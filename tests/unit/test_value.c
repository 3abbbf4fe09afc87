/*
 * test_value.c - a ring that is used for its newest record only.
 */
#include "unit.h"

#include <pthread.h>

static const struct kymo_options value_options = {.kind = KYMO_VALUE,
                                                  .clock = KYMO_USER,
                                                  .size = sizeof(struct unit_payload)};

static void store(struct kymo_writer *writer, uint64_t number)
{
    struct unit_payload payload = unit_payload(number);

    cr_assert_eq(kymo_value_store(writer, &payload, sizeof(payload), number), 0);
}

static void expect_value(const struct kymo_reader *reader, uint64_t number)
{
    struct unit_payload payload;
    struct kymo_record record;

    cr_assert_eq(kymo_value_load(reader, &payload, sizeof(payload), &record), 0);
    cr_assert_eq(payload.pos, number);
    cr_assert_eq(payload.inverse, ~number);
    cr_assert_eq(record.time, number);
    cr_assert_eq(record.tag, 0);
}

Test(value, is_the_newest_that_was_stored)
{
    struct kymo_writer *writer = unit_writer("newest", &value_options);
    struct kymo_reader *reader = unit_reader("newest");
    struct unit_payload payload, two[2] = {{0}, {0}};

    cr_assert_eq(unit_info(reader->segment).kind, KYMO_VALUE);
    cr_assert_eq(kymo_ring_depth(&reader->ring), 2);
    cr_assert_eq(kymo_value_load(reader, &payload, sizeof(payload), NULL), -ENODATA);
    for (uint64_t number = 0; number < 9; number++) {
        store(writer, number);
        expect_value(reader, number);
        expect_value(reader, number);
    }
    cr_assert_eq(kymo_value_store(writer, two, sizeof(payload) + 1, 9), -EMSGSIZE);
    cr_assert_eq(kymo_value_store(writer, two, sizeof(payload), 3), -EINVAL);
    expect_value(reader, 8);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* C: while one slot is being written, the other has a complete record. */
Test(value, loads_during_next_store)
{
    struct kymo_writer *writer = unit_writer("while", &value_options);
    struct kymo_reader *reader = unit_reader("while");
    struct unit_payload payload = unit_payload(6);
    void *lent;

    store(writer, 5);
    cr_assert_eq(kymo_ring_loan(writer, &lent), 0);
    memset(lent, 0xee, sizeof(payload));
    expect_value(reader, 5);
    memcpy(lent, &payload, sizeof(payload));
    expect_value(reader, 5);
    cr_assert_eq(kymo_ring_commit(writer, sizeof(payload), 6, 0), 0);
    expect_value(reader, 6);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

static void *store_seven(void *writer)
{
    store(writer, 7);
    return NULL;
}

Test(value, can_be_waited_for)
{
    struct kymo_writer *writer = unit_writer("waited", &value_options);
    struct kymo_reader *reader = unit_reader("waited");
    struct unit_payload payload = {0};
    struct kymo_record record;
    pthread_t thread;

    cr_assert_eq(kymo_value_load_wait(reader, 0, 0, &payload, sizeof(payload), &record),
                 -ETIMEDOUT);
    cr_assert_eq(pthread_create(&thread, NULL, store_seven, writer), 0);
    cr_assert_eq(kymo_value_load_wait(reader, 0, KYMO_FOREVER, &payload, sizeof(payload), &record),
                 0);
    cr_assert_eq(payload.pos, 7);
    cr_assert_eq(record.pos, 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_eq(kymo_value_load_wait(reader, record.pos + 1, kymo_clock_now(KYMO_MONOTONIC),
                                      &payload, sizeof(payload), &record),
                 -ETIMEDOUT);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}
