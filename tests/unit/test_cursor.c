/*
 * test_cursor.c - a cursor returns each record once and in order, and counts every missed record.
 */
#include "unit.h"

static void expect_next(struct kymo_cursor *cursor, uint64_t pos, uint64_t missed)
{
    struct unit_payload payload;
    struct kymo_record record;
    uint64_t counted = 77;
    int error = kymo_cursor_next(cursor, &payload, sizeof(payload), &record, &counted);

    cr_assert_eq(error, 0, "at %ju: %s", (uintmax_t)pos, kymo_error_text(error));
    cr_assert_eq(record.pos, pos);
    cr_assert_eq(payload.pos, pos);
    cr_assert_eq(payload.inverse, ~pos);
    cr_assert_eq(counted, missed);
}

static void expect_error(struct kymo_cursor *cursor, int error)
{
    struct unit_payload payload;
    uint64_t missed = 77;

    cr_assert_eq(kymo_cursor_next(cursor, &payload, sizeof(payload), NULL, &missed), error);
    cr_assert_eq(missed, 0);
}

Test(cursor, starts_at_next_record)
{
    struct kymo_writer *writer = unit_writer_of_depth("next", 8);
    struct kymo_reader *reader = unit_reader("next");
    struct kymo_cursor cursor;

    unit_publish(writer, 3);
    kymo_cursor_newest(&cursor, reader);
    expect_error(&cursor, -ENODATA);
    unit_publish(writer, 2);
    expect_next(&cursor, 3, 0);
    expect_next(&cursor, 4, 0);
    expect_error(&cursor, -ENODATA);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

Test(cursor, starts_at_oldest_record)
{
    struct kymo_writer *writer = unit_writer_of_depth("oldest", 8);
    struct kymo_reader *reader = unit_reader("oldest");
    struct kymo_cursor cursor;

    kymo_cursor_oldest(&cursor, reader);
    expect_error(&cursor, -ENODATA);
    unit_publish(writer, 5);
    kymo_cursor_oldest(&cursor, reader);
    for (uint64_t pos = 0; pos < 5; pos++)
        expect_next(&cursor, pos, 0);
    unit_publish(writer, 15);
    kymo_cursor_oldest(&cursor, reader);
    for (uint64_t pos = 13; pos < 20; pos++)
        expect_next(&cursor, pos, 0);
    expect_error(&cursor, -ENODATA);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* Read plus missed records equal the published ones, for any number of publishes between two
 * reads. */
Test(cursor, counts_missed_records)
{
    uint64_t random = 1;

    for (uint64_t depth = 2; depth <= 256; depth *= 2) {
        char name[32];
        struct kymo_writer *writer;
        struct kymo_reader *reader;
        struct kymo_cursor cursor;
        uint64_t read = 0, missed = 0, last = UINT64_MAX;

        snprintf(name, sizeof(name), "missed-%u", (unsigned int)depth);
        writer = unit_writer_of_depth(name, depth);
        reader = unit_reader(name);
        kymo_cursor_oldest(&cursor, reader);
        for (int round = 0; round < 200; round++) {
            struct unit_payload payload;
            struct kymo_record record;
            uint64_t skipped;
            int error = 0;

            unit_publish(writer, random_u64(&random) % (2 * depth));
            for (uint64_t i = random_u64(&random) % (2 * depth); i > 0 && !error; i--) {
                error = kymo_cursor_next(&cursor, &payload, sizeof(payload), &record, &skipped);
                missed += skipped;
                if (error)
                    continue;
                read++;
                cr_assert_eq(record.pos, last + 1 + skipped, "in order, each once");
                cr_assert_eq(payload.pos, record.pos);
                last = record.pos;
            }
            cr_assert(error == 0 || error == -ENODATA);
            if (error)
                cr_assert_eq(read + missed, kymo_ring_written(&reader->ring));
        }
        cr_assert_gt(missed, 0, "some records must be missed");
        kymo_reader_close(reader);
        kymo_writer_close(writer);
    }
}

/* Without a write in progress, `depth` records can be read, not only depth - 1. */
Test(cursor, reads_full_ring)
{
    struct kymo_writer *writer = unit_writer_of_depth("full", 8);
    struct kymo_reader *reader = unit_reader("full");
    struct kymo_cursor cursor;

    kymo_cursor_oldest(&cursor, reader);
    unit_publish(writer, 8);
    for (uint64_t pos = 0; pos < 8; pos++)
        expect_next(&cursor, pos, 0);
    expect_error(&cursor, -ENODATA);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* The slot that is being written is skipped at once. */
Test(cursor, skips_slot_being_written)
{
    struct kymo_writer *writer = unit_writer_of_depth("over", 8);
    struct kymo_reader *reader = unit_reader("over");
    struct kymo_cursor cursor;
    void *lent;

    kymo_cursor_oldest(&cursor, reader);
    unit_publish(writer, 8);
    cr_assert_eq(kymo_ring_loan(writer, &lent), 0);
    expect_next(&cursor, 1, 1);
    cr_assert_eq(kymo_ring_abort(writer), 0);
    for (uint64_t pos = 2; pos < 8; pos++)
        expect_next(&cursor, pos, 0);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

Test(cursor, stays_at_record_larger_than_buffer)
{
    struct kymo_writer *writer = unit_writer_of_depth("fit", 8);
    struct kymo_reader *reader = unit_reader("fit");
    struct kymo_cursor cursor;
    struct kymo_record record;
    char buffer[4];

    kymo_cursor_newest(&cursor, reader);
    unit_publish(writer, 2);
    for (int tries = 0; tries < 3; tries++) {
        cr_assert_eq(kymo_cursor_next(&cursor, buffer, sizeof(buffer), &record, NULL), -EMSGSIZE);
        cr_assert_eq(record.pos, 0);
        cr_assert_eq(record.len, sizeof(struct unit_payload));
    }
    expect_next(&cursor, 0, 0);
    expect_next(&cursor, 1, 0);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* I: a removed generation is read to its end; then EIDRM. */
Test(cursor, reads_removed_generation_to_its_end)
{
    struct kymo_writer *writer = unit_writer_of_depth("removed", 8);
    struct kymo_reader *reader = unit_reader("removed");
    struct kymo_cursor cursor;

    kymo_cursor_newest(&cursor, reader);
    unit_publish(writer, 3);
    cr_assert_eq(kymo_writer_remove(writer), 0);
    for (uint64_t pos = 0; pos < 3; pos++)
        expect_next(&cursor, pos, 0);
    expect_error(&cursor, -EIDRM);
    expect_error(&cursor, -EIDRM);
    kymo_reader_close(reader);
}
