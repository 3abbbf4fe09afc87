/*
 * test_ring.c - publishing and reading by position: every record is read as published, for every depth, length and position; and each error of ring.h.
 */
#include "unit.h"

static void expect_record(const struct kymo_record *record, const struct unit_payload *payload,
                          uint64_t pos)
{
    cr_assert_eq(record->pos, pos);
    cr_assert_eq(record->time, 10 * pos);
    cr_assert_eq(record->tag, pos + 7);
    cr_assert_eq(record->len, sizeof(*payload));
    cr_assert_eq(record->flags, 0);
    cr_assert_eq(payload->pos, pos);
    cr_assert_eq(payload->inverse, ~pos);
}

/* Reads the record in every way. */
static void expect_at(const struct kymo_reader *reader, uint64_t pos)
{
    const uint64_t back = kymo_ring_head(&reader->ring) - 1 - pos;
    struct unit_payload payload;
    struct kymo_record record;
    struct kymo_view view;

    cr_assert_eq(kymo_ring_at(reader, pos, &payload, sizeof(payload), &record), 0);
    expect_record(&record, &payload, pos);
    cr_assert_eq(kymo_ring_view(reader, pos, &view), 0);
    expect_record(&view.record, view.payload, pos);
    cr_assert_eq(kymo_ring_validate(reader, &view), 0);
    if (back >= kymo_ring_available(&reader->ring))
        return; /* the next slot to be overwritten: read by position only */
    cr_assert_eq(kymo_ring_back(reader, back, &payload, sizeof(payload), &record), 0);
    expect_record(&record, &payload, pos);
    cr_assert_eq(kymo_ring_view_back(reader, back, &view), 0);
    expect_record(&view.record, view.payload, pos);
    cr_assert_eq(kymo_ring_validate(reader, &view), 0);
}

static int error_at(const struct kymo_reader *reader, uint64_t pos)
{
    struct unit_payload payload;
    struct kymo_view view;
    int error = kymo_ring_at(reader, pos, &payload, sizeof(payload), NULL);

    cr_assert_eq(kymo_ring_view(reader, pos, &view), error);
    return error;
}

static int error_back(const struct kymo_reader *reader, uint64_t back)
{
    struct unit_payload payload;
    struct kymo_view view;
    int error = kymo_ring_back(reader, back, &payload, sizeof(payload), NULL);

    cr_assert_eq(kymo_ring_view_back(reader, back, &view), error);
    return error;
}

Test(ring, is_empty_before_first_publish)
{
    struct kymo_writer *writer = unit_writer_of_depth("nothing", 8);
    struct kymo_reader *reader = unit_reader("nothing");
    struct unit_payload payload;
    struct kymo_view view;

    cr_assert_eq(kymo_ring_latest(reader, &payload, sizeof(payload), NULL), -ENODATA);
    cr_assert_eq(kymo_ring_view_latest(reader, &view), -ENODATA);
    cr_assert_eq(error_back(reader, 0), -ENODATA);
    cr_assert_eq(error_at(reader, 0), -ENODATA);
    cr_assert_eq(error_at(reader, UINT64_MAX), -ENODATA);
    cr_assert_eq(kymo_ring_depth(&reader->ring), 8);
    cr_assert_eq(kymo_ring_head(&reader->ring), 0);
    cr_assert_eq(kymo_ring_written(&reader->ring), 0);
    cr_assert_eq(kymo_ring_available(&reader->ring), 0);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* A: every record as it was published, at every fill and through every wrap, at every depth. */
Test(ring, reads_back_what_was_published)
{
    for (uint64_t depth = 2; depth <= 4096; depth *= 2) {
        const uint64_t rounds = depth <= 64 ? 3 * depth + 1 : depth + 3;
        char name[32];
        struct kymo_writer *writer;
        struct kymo_reader *reader;

        snprintf(name, sizeof(name), "depth-%u", (unsigned int)depth);
        writer = unit_writer_of_depth(name, depth);
        reader = unit_reader(name);
        for (uint64_t head = 1; head <= rounds; head++) {
            unit_publish(writer, 1);
            cr_assert_eq(kymo_ring_written(&reader->ring), head);
            cr_assert_eq(kymo_ring_available(&reader->ring), head < depth ? head : depth - 1);
            expect_at(reader, head - 1);
        }
        for (uint64_t pos = rounds - depth; pos < rounds; pos++)
            expect_at(reader, pos);
        cr_assert_eq(error_at(reader, rounds - depth - 1), -ESTALE);
        cr_assert_eq(error_at(reader, 0), -ESTALE);
        cr_assert_eq(error_at(reader, rounds), -ENODATA);
        cr_assert_eq(error_back(reader, depth), -ESTALE);
        for (uint64_t back = 0; back < kymo_ring_available(&reader->ring); back++)
            cr_assert_eq(error_back(reader, back), 0);
        cr_assert_eq(error_back(reader, kymo_ring_available(&reader->ring)), -ESTALE);
        cr_assert_eq(error_back(reader, rounds), -ENODATA);
        cr_assert_eq(error_back(reader, UINT64_MAX), -ENODATA);
        kymo_reader_close(reader);
        kymo_writer_close(writer);
    }
}

/* A record may be shorter than its slot; a longer one is an error and changes nothing. */
Test(ring, keeps_the_length_of_each_record)
{
    enum { SIZE = 37 };
    const struct kymo_options options = {.clock = KYMO_USER, .depth = 4, .size = SIZE};
    struct kymo_writer *writer = unit_writer("length", &options);
    struct kymo_reader *reader = unit_reader("length");
    unsigned char data[SIZE + 1], buffer[SIZE + 1];
    struct kymo_record record;

    for (unsigned int i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i + 1);
    for (size_t len = 0; len <= SIZE; len++) {
        memset(buffer, 0xee, sizeof(buffer));
        cr_assert_eq(kymo_ring_publish(writer, data, len, len, 0), 0);
        cr_assert_eq(kymo_ring_latest(reader, buffer, SIZE, &record), 0);
        cr_assert_eq(record.len, len);
        cr_assert_arr_eq(buffer, data, len);
        cr_assert_eq(buffer[len], 0xee, "a read writes no byte beyond the record");
    }
    cr_assert_eq(kymo_ring_publish(writer, data, SIZE + 1, 99, 0), -EMSGSIZE);
    cr_assert_eq(kymo_ring_publish(writer, data, SIZE_MAX, 99, 0), -EMSGSIZE);
    cr_assert_eq(kymo_ring_publish(writer, data, (size_t)1 << 32, 99, 0), -EMSGSIZE);
    cr_assert_eq(kymo_ring_latest(reader, buffer, SIZE, &record), 0);
    cr_assert_eq(record.pos, SIZE);
    cr_assert_eq(record.time, SIZE);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* Publishes and reads one record of `len` bytes, at addresses `shift` bytes beyond a multiple of
 * 64: all of its bytes and no others are copied. */
static void expect_whole(struct kymo_writer *writer, const struct kymo_reader *reader, size_t len,
                         size_t shift, uint64_t *state)
{
    enum { LONGEST = 20000, MARGIN = 64 };
    static _Alignas(64) unsigned char data[LONGEST + 64];
    static _Alignas(64) unsigned char buffer[LONGEST + 64 + 2 * MARGIN];
    unsigned char *copy = buffer + MARGIN + shift;
    const uint64_t pos = kymo_ring_head(&reader->ring);
    struct kymo_view view;
    unsigned char margin[MARGIN];

    for (size_t i = 0; i < len; i++)
        data[shift + i] = (unsigned char)random_u64(state);
    memset(buffer, 0xa5, sizeof(buffer));
    memset(margin, 0xa5, sizeof(margin));
    cr_assert_eq(kymo_ring_publish(writer, data + shift, len, pos, 0), 0);
    cr_assert_eq(kymo_ring_latest(reader, copy, len, NULL), 0);
    cr_assert_eq(memcmp(copy, data + shift, len), 0, "%zu bytes, %zu beyond a line", len, shift);
    cr_assert_eq(memcmp(copy - MARGIN, margin, MARGIN), 0, "%zu bytes: bytes before", len);
    cr_assert_eq(memcmp(copy + len, margin, MARGIN), 0, "%zu bytes: bytes after", len);
    cr_assert_eq(kymo_ring_view(reader, pos, &view), 0);
    cr_assert_eq(view.record.len, len);
    for (uint64_t back = 1; back < 4 && back <= pos; back++)
        cr_assert_eq(kymo_ring_view(reader, pos - back, &view), 0, "%zu bytes: neighbouring slots",
                     len);
}

/* Long copies are made in parts: lengths around the limits of parts. */
Test(ring, copies_every_length)
{
    static const size_t bounds[] = {64, 256, 2048, 4096, 6144, 8192, 16384, 18432};
    static const size_t shifts[] = {0, 1, 8, 16, 63};
    const struct kymo_options options = {.clock = KYMO_USER, .depth = 4, .size = 19000};
    struct kymo_writer *writer = unit_writer("lengths", &options);
    struct kymo_reader *reader = unit_reader("lengths");
    uint64_t state = 1;
    unsigned int count = 0;

    for (size_t bound = 0; bound < sizeof(bounds) / sizeof(bounds[0]); bound++)
        for (size_t len = bounds[bound] - 9; len <= bounds[bound] + 9; len++)
            for (size_t shift = 0; shift < sizeof(shifts) / sizeof(shifts[0]); shift++, count++)
                expect_whole(writer, reader, len, shifts[shift], &state);
    printf("count: copies of every length: %u\n", count);
    kymo_reader_close(reader);
    kymo_writer_remove(writer);
}

Test(ring, reports_length_of_record_larger_than_buffer)
{
    struct kymo_writer *writer = unit_writer_of_depth("fit", 2);
    struct kymo_reader *reader = unit_reader("fit");
    unsigned char buffer[sizeof(struct unit_payload)];
    struct kymo_record record = {0};

    unit_publish(writer, 3);
    memset(buffer, 0xee, sizeof(buffer));
    cr_assert_eq(kymo_ring_latest(reader, buffer, sizeof(buffer) - 1, &record), -EMSGSIZE);
    cr_assert_eq(record.len, sizeof(struct unit_payload));
    cr_assert_eq(record.pos, 2);
    cr_assert_eq(record.tag, 9);
    for (size_t i = 0; i < sizeof(buffer); i++)
        cr_assert_eq(buffer[i], 0xee);
    cr_assert_eq(kymo_ring_at(reader, 1, buffer, 0, &record), -EMSGSIZE);
    cr_assert_eq(record.pos, 1);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* A frame of 6 MB, written and read in place. */
Test(ring, loans_slots_of_any_size)
{
    const struct kymo_options options = {.clock = KYMO_USER,
                                         .depth = 2,
                                         .size = 6 << 20,
                                         .alignment = 4096};
    struct kymo_writer *writer = unit_writer("frame", &options);
    struct kymo_reader *reader = unit_reader("frame");
    struct kymo_view view;
    void *lent;

    for (unsigned int frame = 0; frame < 5; frame++) {
        cr_assert_eq(kymo_ring_loan(writer, &lent), 0);
        memset(lent, (int)(frame + 1), options.size);
        cr_assert_eq(kymo_ring_commit(writer, options.size, frame, frame), 0);
        cr_assert_eq(kymo_ring_view_latest(reader, &view), 0);
        cr_assert_eq(view.record.len, options.size);
        for (uint32_t i = 0; i < options.size; i += 4093)
            cr_assert_eq(((const unsigned char *)view.payload)[i], frame + 1);
        cr_assert_eq(((const unsigned char *)view.payload)[options.size - 1], frame + 1);
        cr_assert_eq(kymo_ring_validate(reader, &view), 0);
    }
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

Test(ring, aligns_every_payload)
{
    for (uint32_t alignment = 8; alignment <= 4096; alignment *= 2) {
        const struct kymo_options options = {.clock = KYMO_USER,
                                             .depth = 4,
                                             .size = 13 + alignment,
                                             .alignment = alignment};
        char name[32];
        struct kymo_writer *writer;
        struct kymo_reader *reader;
        struct kymo_view view;
        void *lent;

        snprintf(name, sizeof(name), "align-%u", alignment);
        writer = unit_writer(name, &options);
        reader = unit_reader(name);
        for (uint64_t pos = 0; pos < 5; pos++) {
            cr_assert_eq(kymo_ring_loan(writer, &lent), 0);
            cr_assert_eq((uintptr_t)lent % alignment, 0);
            memset(lent, (int)pos, options.size);
            cr_assert_eq(kymo_ring_commit(writer, options.size, pos, 0), 0);
            cr_assert_eq(kymo_ring_view_latest(reader, &view), 0);
            cr_assert_eq((uintptr_t)view.payload % alignment, 0);
        }
        kymo_reader_close(reader);
        kymo_writer_close(writer);
    }
}

/* ---- loan, commit, abort ---- */

Test(ring, loan_overwrites_only_oldest_record)
{
    struct kymo_writer *writer = unit_writer_of_depth("loan", 4);
    struct kymo_reader *reader = unit_reader("loan");
    struct unit_payload payload = unit_payload(6);
    void *lent, *again;

    unit_publish(writer, 6);
    cr_assert_eq(kymo_ring_loan(writer, &lent), 0);
    cr_assert_eq(error_at(reader, 2), -ESTALE, "its slot is being written");
    for (uint64_t pos = 3; pos < 6; pos++)
        expect_at(reader, pos);
    cr_assert_eq(error_at(reader, 6), -ENODATA, "not published yet");
    cr_assert_eq(kymo_ring_loan(writer, &again), 0);
    cr_assert_eq(again, lent, "a second loan returns the same slot");

    memcpy(lent, &payload, sizeof(payload));
    cr_assert_eq(kymo_ring_commit(writer, sizeof(payload), 60, 13), 0);
    expect_at(reader, 6);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

Test(ring, abort_publishes_nothing)
{
    struct kymo_writer *writer = unit_writer_of_depth("abort", 4);
    struct kymo_reader *reader = unit_reader("abort");
    void *lent;

    unit_publish(writer, 6);
    cr_assert_eq(kymo_ring_loan(writer, &lent), 0);
    memset(lent, 0xee, sizeof(struct unit_payload));
    cr_assert_eq(kymo_ring_abort(writer), 0);
    cr_assert_eq(kymo_ring_head(&reader->ring), 6);
    expect_at(reader, 5);
    cr_assert_eq(error_at(reader, 2), -ESTALE, "the record that the loan overwrote is lost");
    unit_publish(writer, 1);
    expect_at(reader, 6);
    cr_assert_eq(unit_info(reader->segment).aborted, 1);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

Test(ring, orders_loans_and_publishes)
{
    struct kymo_writer *writer = unit_writer_of_depth("order", 4);
    struct kymo_reader *reader = unit_reader("order");
    struct unit_payload payload = unit_payload(0);
    void *lent;

    cr_assert_eq(kymo_ring_commit(writer, 1, 0, 0), -EINVAL, "nothing is loaned");
    cr_assert_eq(kymo_ring_abort(writer), -EINVAL, "nothing is loaned");
    cr_assert_eq(kymo_ring_loan(writer, &lent), 0);
    cr_assert_eq(kymo_ring_publish(writer, &payload, sizeof(payload), 0, 0), -EINVAL,
                 "a slot is loaned");
    memcpy(lent, &payload, sizeof(payload));
    cr_assert_eq(kymo_ring_commit(writer, sizeof(payload) + 1, 0, 7), -EMSGSIZE);
    cr_assert_eq(kymo_ring_commit(writer, SIZE_MAX, 0, 7), -EMSGSIZE);
    cr_assert_eq(kymo_ring_head(&reader->ring), 0);
    cr_assert_eq(kymo_ring_commit(writer, sizeof(payload), 0, 7), 0, "the loan stood");
    expect_at(reader, 0);
    cr_assert_eq(kymo_ring_commit(writer, sizeof(payload), 0, 7), -EINVAL, "no slot is loaned");
    cr_assert_eq(kymo_ring_abort(writer), -EINVAL);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* ---- times ---- */

Test(ring, rejects_times_that_go_backwards)
{
    struct kymo_writer *writer = unit_writer_of_depth("reject", 4);
    struct kymo_reader *reader = unit_reader("reject");
    struct unit_payload payload = unit_payload(0);
    struct kymo_record record;
    void *lent;

    cr_assert_eq(kymo_ring_publish(writer, &payload, sizeof(payload), 100, 0), 0);
    cr_assert_eq(kymo_ring_publish(writer, &payload, sizeof(payload), 99, 0), -EINVAL);
    cr_assert_eq(kymo_ring_publish(writer, &payload, sizeof(payload), 0, 0), -EINVAL);
    cr_assert_eq(kymo_ring_publish(writer, &payload, sizeof(payload), 100, 0), 0,
                 "an equal time is accepted");
    cr_assert_eq(kymo_ring_loan(writer, &lent), 0);
    cr_assert_eq(kymo_ring_commit(writer, 8, 50, 0), -EINVAL);
    cr_assert_eq(kymo_ring_commit(writer, 8, 101, 0), 0, "the loan stood");
    cr_assert_eq(kymo_ring_latest(reader, &payload, sizeof(payload), &record), 0);
    cr_assert_eq(record.pos, 2);
    cr_assert_eq(record.time, 101);
    cr_assert_eq(unit_info(reader->segment).rejected, 3);
    cr_assert_eq(unit_info(reader->segment).clamped, 0);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

Test(ring, clamps_times_that_go_backwards)
{
    const struct kymo_options options = {.clock = KYMO_USER,
                                         .depth = 4,
                                         .size = sizeof(struct unit_payload),
                                         .time_policy = KYMO_CLAMP};
    struct kymo_writer *writer = unit_writer("clamp", &options);
    struct kymo_reader *reader = unit_reader("clamp");
    struct unit_payload payload = unit_payload(0);
    struct kymo_record record;
    void *lent;

    cr_assert_eq(kymo_ring_publish(writer, &payload, sizeof(payload), 100, 0), 0);
    cr_assert_eq(kymo_ring_publish(writer, &payload, sizeof(payload), 99, 0), 0);
    cr_assert_eq(kymo_ring_latest(reader, &payload, sizeof(payload), &record), 0);
    cr_assert_eq(record.pos, 1);
    cr_assert_eq(record.time, 100);
    cr_assert_eq(kymo_ring_loan(writer, &lent), 0);
    cr_assert_eq(kymo_ring_commit(writer, 8, 0, 0), 0);
    cr_assert_eq(kymo_ring_latest(reader, &payload, sizeof(payload), &record), 0);
    cr_assert_eq(record.pos, 2);
    cr_assert_eq(record.time, 100);
    cr_assert_eq(kymo_ring_publish(writer, &payload, sizeof(payload), 101, 0), 0);
    cr_assert_eq(unit_info(reader->segment).clamped, 2);
    cr_assert_eq(unit_info(reader->segment).rejected, 0);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* ---- views ---- */

/* A: a view is valid until its slot is overwritten. */
Test(ring, validates_a_view_until_it_is_overwritten)
{
    struct kymo_writer *writer = unit_writer_of_depth("view", 4);
    struct kymo_reader *reader = unit_reader("view");
    struct kymo_view view;
    void *lent;

    unit_publish(writer, 5);
    cr_assert_eq(kymo_ring_view_latest(reader, &view), 0);
    cr_assert_eq(view.record.pos, 4);
    unit_publish(writer, 3);
    cr_assert_eq(kymo_ring_validate(reader, &view), 0, "three more records do not overwrite it");
    cr_assert_eq(kymo_ring_loan(writer, &lent), 0);
    cr_assert_eq(kymo_ring_validate(reader, &view), -ESTALE, "the fourth overwrites its slot");
    cr_assert_eq(kymo_ring_abort(writer), 0);
    unit_publish(writer, 1);
    cr_assert_eq(kymo_ring_validate(reader, &view), -ESTALE);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* A poll reads one slot only: a complete record is returned, also before head counts it. */
Test(ring, polls_slot_without_head)
{
    struct kymo_writer *writer = unit_writer_of_depth("polled", 4);
    struct kymo_reader *reader = unit_reader("polled");
    struct unit_payload payload;
    struct kymo_record record;
    void *lent;

    cr_assert_eq(kymo_ring_poll(reader, 0, &payload, sizeof(payload), &record), -EAGAIN);
    unit_publish(writer, 6);
    for (uint64_t pos = 0; pos < 2; pos++)
        cr_assert_eq(kymo_ring_poll(reader, pos, &payload, sizeof(payload), &record), -ESTALE);
    for (uint64_t pos = 2; pos < 6; pos++) {
        cr_assert_eq(kymo_ring_poll(reader, pos, &payload, sizeof(payload), &record), 0);
        expect_record(&record, &payload, pos);
    }
    cr_assert_eq(kymo_ring_poll(reader, 6, &payload, sizeof(payload), NULL), -EAGAIN);
    cr_assert_eq(kymo_ring_loan(writer, &lent), 0);
    cr_assert_eq(kymo_ring_poll(reader, 6, &payload, sizeof(payload), NULL), -EAGAIN);
    cr_assert_eq(kymo_ring_poll(reader, 2, &payload, sizeof(payload), NULL), -ESTALE);
    cr_assert_eq(kymo_ring_poll(reader, 5, &payload, 1, &record), -EMSGSIZE);
    cr_assert_eq(record.len, sizeof(payload));
    /* The state between the store of the even seq and that of head. */
    kymo_store_release(&kymo_impl_ring_slot(&writer->ring, 6)->seq, kymo_impl_seq_complete(6));
    cr_assert_eq(kymo_ring_head(&reader->ring), 6U);
    cr_assert_neq(kymo_ring_poll(reader, 6, &payload, sizeof(payload), NULL), -EAGAIN);
    cr_assert_eq(kymo_ring_abort(writer), 0);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* Readers are independent of each other. */
Test(ring, serves_any_number_of_readers)
{
    struct kymo_writer *writer = unit_writer_of_depth("many", 4);
    struct kymo_reader *readers[16];

    for (int i = 0; i < 16; i++)
        readers[i] = unit_reader("many");
    unit_publish(writer, 7);
    for (int i = 0; i < 16; i++) {
        expect_at(readers[i], 6);
        kymo_reader_close(readers[i]);
    }
    kymo_writer_close(writer);
}
