/*
 * test_history.c - histories: rows, sizes, shared copies, memory.
 */
#include "render_fixture.h"

#include <pthread.h>
#include <sched.h>

#define RECORD(n, time) \
    "{\"pos\":" #n ",\"time\":" #time ",\"tag\":" #n ",\"data\":{\"n\":" #n "}}\n"

static const char header[] = "pos,time,tag,n\n";

static int open_error(struct request *request, enum history_format format, bool is_range,
                      struct history **history)
{
    struct history_span span;
    int error = history_find(request, is_range, &span);

    return error ? error : history_open(request, format, &span, history);
}

static struct history *open_history(struct request *request, enum history_format format)
{
    struct history *history = NULL;
    int error = open_error(request, format, false, &history);

    cr_assert_eq(error, 0, "%s", kymo_error_text(error));
    return history;
}

static uint64_t measure(struct request *request, enum history_format format)
{
    struct history_span span;
    uint64_t size = 0;

    cr_assert_eq(history_find(request, false, &span), 0);
    cr_assert_eq(history_measure(request, format, &span, &size), 0);
    return size;
}

/* Reads up to the end in pieces of `size` bytes. */
static struct kymo_text read_all(struct history *history, size_t size)
{
    struct budget budget = {.pause = NULL};
    struct kymo_text text = {0};
    size_t before;

    do {
        before = text.len;
        cr_assert_eq(history_read(history, &budget, before, size, &text), 0);
        cr_assert_leq(text.len - before, size);
    } while (text.len > before);
    return text;
}

static void expect_content(struct request *request, enum history_format format, bool is_range,
                           const char *content)
{
    struct history_span span;
    struct history *history;
    struct kymo_text text;
    uint64_t size;

    cr_assert_eq(history_find(request, is_range, &span), 0);
    cr_assert_eq(history_measure(request, format, &span, &size), 0);
    cr_assert_eq(size, strlen(content));
    cr_assert_eq(open_error(request, format, is_range, &history), 0);
    cr_assert_eq(history_size(history), size);
    text = read_all(history, 7);
    cr_assert_str_eq(text.data ? text.data : "", content);
    kymo_text_free(&text);
    history_close(history);
}

static void expect_range(const char *name, uint64_t from, uint64_t to, bool csv,
                         const char *content)
{
    struct request request;

    begin_request(&request, name);
    request.query = (struct query){.from = from, .to = to};
    expect_content(&request, csv ? HISTORY_CSV : HISTORY_NDJSON, true, content);
    end_request(&request);
}

/* ---- rows ---- */

Test(history, has_all_records_in_order, .init = open_fixture, .fini = close_fixture)
{
    struct request request;

    publish("s", "n:u64", 3);
    begin_request(&request, "s");
    expect_content(&request, HISTORY_CSV, false, "pos,time,tag,n\n0,0,0,0\n1,10,1,1\n2,20,2,2\n");
    expect_content(&request, HISTORY_NDJSON, false, RECORD(0, 0) RECORD(1, 10) RECORD(2, 20));
    end_request(&request);
}

Test(history, is_empty_before_the_first_record, .init = open_fixture, .fini = close_fixture)
{
    struct request request;

    publish("s", "n:u64", 0);
    begin_request(&request, "s");
    expect_content(&request, HISTORY_CSV, false, header);
    expect_content(&request, HISTORY_NDJSON, false, "");
    end_request(&request);
    expect_range("s", 0, 99, true, header);
}

Test(history, omits_the_slot_that_is_overwritten_next, .init = open_fixture, .fini = close_fixture)
{
    struct request request;
    struct history *history;
    struct kymo_text text;

    publish("s", "n:u64", 100); /* 64 slots */
    begin_request(&request, "s");
    history = open_history(&request, HISTORY_CSV);
    text = read_all(history, 4096);
    cr_assert(strncmp(text.data, "pos,time,tag,n\n37,370,37,37\n", 28) == 0);
    kymo_text_free(&text);
    history_close(history);
    end_request(&request);
}

/* A slot that was overwritten during the copy looks like one with another sequence number. */
Test(history, counts_overwritten_records_and_begins_after_them, .init = open_fixture,
     .fini = close_fixture)
{
    struct request request;

    publish("s", "n:u64", 6);
    set_sequence("s", 3, 999);
    begin_request(&request, "s");
    expect_content(&request, HISTORY_CSV, false,
                   "pos,time,tag,n\n4,40,4,4\n5,50,5,5\n# missed 4\n");
    expect_content(&request, HISTORY_NDJSON, false, RECORD(4, 40) RECORD(5, 50) "{\"missed\":4}\n");
    end_request(&request);
    expect_range("s", 20, 40, false, RECORD(4, 40) "{\"missed\":2}\n");
    expect_range("s", 0, 20, false, RECORD(0, 0) RECORD(1, 10) RECORD(2, 20));
}

Test(history, without_remaining_records_is_an_error, .init = open_fixture, .fini = close_fixture)
{
    struct request request;
    struct history_span span;
    struct history *history;
    uint64_t size;

    publish("s", "n:u64", 6);
    for (uint64_t pos = 0; pos < 6; pos++)
        set_sequence("s", pos, 999);
    begin_request(&request, "s");
    cr_assert_eq(open_error(&request, HISTORY_CSV, false, &history), -EAGAIN);
    cr_assert_eq(history_find(&request, false, &span), 0);
    cr_assert_eq(history_measure(&request, HISTORY_CSV, &span, &size), -EAGAIN);
    set_instant(&request, 30);
    cr_assert_eq(open_error(&request, HISTORY_CSV, false, &history), -ESTALE);
    end_request(&request);
}

Test(history, range_includes_both_ends, .init = open_fixture, .fini = close_fixture)
{
    publish("s", "n:u64", 6);
    expect_range("s", 20, 30, false, RECORD(2, 20) RECORD(3, 30));
    expect_range("s", 19, 30, true, "pos,time,tag,n\n2,20,2,2\n3,30,3,3\n");
    expect_range("s", 50, 1000000000, false, RECORD(5, 50));
    expect_range("s", 21, 29, false, "");
    expect_range("s", 51, 99, false, "");
}

/* ---- sizes and offsets ---- */

/* Records whose texts have many lengths: 0 to 39 bytes without a schema. */
static void publish_bytes(const char *name, uint64_t count)
{
    const struct kymo_options options = {.clock = KYMO_REALTIME,
                                         .depth = 8192,
                                         .size = 40,
                                         .mode = 0644};
    struct kymo_writer *writer;

    cr_assert_eq(kymo_writer_open(&writer, name, &options), 0);
    for (uint64_t n = 0; n < count; n++)
        cr_assert_eq(kymo_ring_publish(writer, "0123456789012345678901234567890123456789", n % 40,
                                       n * n * n, n),
                     0);
    kymo_writer_close(writer);
}

static void expect_exact_size(struct request *request, enum history_format format)
{
    const uint64_t size = measure(request, format);
    struct history *history = open_history(request, format);
    struct budget budget = {.pause = NULL};
    struct kymo_text text = {0};

    cr_assert_eq(history_size(history), size);
    cr_assert_eq(history_read(history, &budget, 0, SIZE_MAX / 4, &text), 0);
    cr_assert_eq(text.len, size);
    cr_assert_eq(history_read(history, &budget, size, 100, &text), 0);
    cr_assert_eq(history_read(history, &budget, UINT64_MAX, 100, &text), 0);
    cr_assert_eq(text.len, size);
    kymo_text_free(&text);
    history_close(history);
}

Test(history, size_is_what_reads_return, .init = open_fixture, .fini = close_fixture)
{
    static const char *const names[] = {"numbers", "texts", "bytes"};
    struct request request;

    publish("numbers", "n:u64,v:f64[3],w:f32,b:bool,m:i16[2][2]", 60);
    publish("texts", "n:u64,t:char[9],u:char[2][3]", 60);
    publish_bytes("bytes", 5000);
    for (size_t i = 0; i < 3; i++) {
        begin_request(&request, names[i]);
        expect_exact_size(&request, HISTORY_CSV);
        expect_exact_size(&request, HISTORY_NDJSON);
        end_request(&request);
    }
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state ^ *state >> 29;
}

/* Doubles with few decimals, with few bits, and with any. */
static double random_double(uint64_t *state)
{
    const uint64_t bits = next_random(state);
    double value;

    switch (next_random(state) % 4) {
    case 0:
        return (double)(int64_t)(bits % 2000003) / 100 - 10000;
    case 1:
        return (double)(int64_t)bits / (double)(UINT64_C(1) << next_random(state) % 63);
    case 2:
        return (double)(bits % 1000) / 1e5;
    default:
        memcpy(&value, &bits, sizeof(value));
        return value;
    }
}

/* The lengths are computed without formatting. */
Test(history, size_is_exact_for_any_number, .init = open_fixture, .fini = close_fixture)
{
    struct kymo_writer *writer =
        open_writer("s",
                    "d:f64[8],f:f32[8],i:i64,j:i32,k:i16,l:i8,u:u64,v:u32,w:u16,x:u8,b:bool,"
                    "t:char[3]",
                    32768);
    struct request request;
    uint64_t state = 1;

    for (uint64_t n = 0; n < 30000; n++) {
        unsigned char payload[256];

        for (size_t i = 0; i < sizeof(payload); i++)
            payload[i] = (unsigned char)(next_random(&state) & (n % 3 ? 0xff : 0x01));
        for (size_t i = 0; i < 8; i++) {
            const double value = random_double(&state);
            const float single = (float)random_double(&state);

            memcpy(payload + 8 * i, &value, sizeof(value));
            memcpy(payload + 64 + 4 * i, &single, sizeof(single));
        }
        cr_assert_eq(kymo_ring_publish(writer, payload, writer->ring.size, n, state >> n % 64), 0);
    }
    begin_request(&request, "s");
    expect_exact_size(&request, HISTORY_CSV);
    expect_exact_size(&request, HISTORY_NDJSON);
    end_request(&request);
    kymo_writer_close(writer);
}

static void expect_same_at_any_offset(struct history *history, const struct kymo_text *all)
{
    struct budget budget = {.pause = NULL};
    uint64_t state = 1;

    for (int i = 0; i < 3000; i++) {
        struct kymo_text text = {0};
        size_t offset, size;

        offset = (size_t)next_random(&state) % all->len;
        size = (size_t)next_random(&state) % 9000 + 1;
        cr_assert_eq(history_read(history, &budget, offset, size, &text), 0);
        size = size < all->len - offset ? size : all->len - offset;
        cr_assert_eq(text.len, size);
        cr_assert_eq(memcmp(text.data, all->data + offset, size), 0);
        kymo_text_free(&text);
    }
}

Test(history, reads_at_any_offset_return_the_same_bytes, .init = open_fixture,
     .fini = close_fixture)
{
    struct request request;

    publish_bytes("s", 9000);
    set_sequence("s", 2000, 999); /* the last row counts missed records */
    begin_request(&request, "s");
    for (int format = 0; format <= HISTORY_NDJSON; format++) {
        /* The first history keeps text, the second formats its rows when they are read. */
        struct history *first = open_history(&request, (enum history_format)format);
        struct kymo_text text = read_all(first, 1000);
        struct history *second;

        expect_same_at_any_offset(first, &text);
        history_close(first);
        second = open_history(&request, (enum history_format)format);
        cr_assert_eq(history_size(second), text.len);
        expect_same_at_any_offset(second, &text);
        history_close(second);
        kymo_text_free(&text);
    }
    end_request(&request);
}

struct reading {
    struct history *history;
    const struct kymo_text *all;
};

static void *read_concurrently(void *context)
{
    const struct reading *reading = context;

    expect_same_at_any_offset(reading->history, reading->all);
    return NULL;
}

Test(history, is_read_by_several_threads, .init = open_fixture, .fini = close_fixture)
{
    struct request request;
    struct history *history;
    struct kymo_text text;
    struct reading reading;
    pthread_t threads[4];

    publish_bytes("s", 5000);
    begin_request(&request, "s");
    measure(&request, HISTORY_CSV);
    history = open_history(&request, HISTORY_CSV);
    text = read_all(history, 100000);
    reading = (struct reading){history, &text};
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, read_concurrently, &reading), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    kymo_text_free(&text);
    history_close(history);
    end_request(&request);
}

/* K: each open is one consistent snapshot. */
Test(history, does_not_change_after_open, .init = open_fixture, .fini = close_fixture)
{
    struct kymo_writer *writer = open_writer("s", "n:u64", 4096);
    struct request request;
    struct history *first, *second;
    struct kymo_text text, later;

    publish_next(writer, 3000);
    begin_request(&request, "s");
    first = open_history(&request, HISTORY_CSV);
    text = read_all(first, 5000);
    publish_next(writer, 9000);
    second = open_history(&request, HISTORY_CSV);
    later = read_all(first, 777);
    cr_assert_eq(later.len, text.len);
    cr_assert_eq(memcmp(later.data, text.data, text.len), 0);
    kymo_text_free(&later);
    later = read_all(second, 5000);
    cr_assert_not_null(strstr(later.data, "\n11999,119990,11999,11999\n"));
    kymo_text_free(&later);
    end_request(&request);
    /* The open file remains readable after the removal of the segment. */
    kymo_writer_close(writer);
    cr_assert_eq(kymo_segment_remove("s"), 0);
    later = read_all(first, 777);
    cr_assert_eq(memcmp(later.data, text.data, text.len), 0);
    kymo_text_free(&later);
    kymo_text_free(&text);
    history_close(first);
    history_close(second);
}

/* F: any segment content is handled safely. */
Test(history, reports_records_that_were_modified_in_place, .init = open_fixture,
     .fini = close_fixture)
{
    struct budget budget = {.pause = NULL};
    struct kymo_writer *writer = open_writer("s", "n:u64", 64);
    struct kymo_text text = {0};
    struct request request;
    struct history *history;
    uint64_t *payload;

    publish_next(writer, 10);
    begin_request(&request, "s");
    measure(&request, HISTORY_CSV);
    payload = kymo_impl_slot_payload(kymo_impl_ring_slot(&writer->ring, 5));
    *payload = 123456789;
    history = open_history(&request, HISTORY_CSV);
    cr_assert_eq(history_read(history, &budget, 0, 10000, &text), -EBADMSG);
    history_close(history);
    kymo_text_free(&text);
    expect_exact_size(&request, HISTORY_CSV);
    end_request(&request);
    kymo_writer_close(writer);
}

/* ---- work ---- */

static uint64_t rows_measured(void)
{
    return counter_value(COUNTER_ROWS_MEASURED);
}

Test(history, measures_only_new_rows, .init = open_fixture, .fini = close_fixture)
{
    struct kymo_writer *writer = open_writer("s", "n:u64", 65536);
    struct request request;
    uint64_t before;

    publish_next(writer, 60000);
    begin_request(&request, "s");
    measure(&request, HISTORY_CSV);
    before = rows_measured();
    measure(&request, HISTORY_CSV);
    cr_assert_eq(rows_measured(), before);
    publish_next(writer, 1000);
    measure(&request, HISTORY_CSV);
    cr_assert_eq(rows_measured(), before + 1000);
    history_close(open_history(&request, HISTORY_CSV));
    cr_assert_eq(rows_measured(), before + 1000);
    /* The ring is full: of the oldest group fewer rows remain. */
    publish_next(writer, 10000);
    measure(&request, HISTORY_CSV);
    cr_assert_leq(rows_measured(), before + 11000 + 64);
    end_request(&request);
    kymo_writer_close(writer);
}

static uint64_t held(struct shares *shares)
{
    return shares_held(shares);
}

/* Every open of a segment that is being written uses the copies of those before. */
Test(history, opens_share_copies, .init = open_fixture, .fini = close_fixture)
{
    struct kymo_writer *writer = open_writer("s", "n:u64", 65536);
    struct history *histories[20];
    struct request request;
    struct shares *shares;
    uint64_t one;

    cr_assert_eq(shares_open(&shares, 1 << 30), 0);
    publish_next(writer, 60000);
    begin_request(&request, "s");
    request.budget.charge.shares = shares;
    measure(&request, HISTORY_NDJSON); /* no text is kept */
    measure(&request, HISTORY_CSV);
    charge_release(&request.budget.charge);
    histories[0] = open_history(&request, HISTORY_CSV);
    charge_release(&request.budget.charge);
    one = held(shares);
    cr_assert_geq(one, 60000 * 28);
    for (int i = 1; i < 20; i++) {
        publish_next(writer, 10);
        histories[i] = open_history(&request, i % 2 ? HISTORY_NDJSON : HISTORY_CSV);
        charge_release(&request.budget.charge);
    }
    /* Each has a block of its newest records of its own. */
    cr_assert_lt(held(shares), one + 20 * 80000);
    for (int i = 0; i < 20; i++)
        history_close(histories[i]);
    cr_assert_eq(held(shares), 0);
    shares_close(shares);
    end_request(&request);
    kymo_writer_close(writer);
}

Test(history, beyond_the_memory_share_of_its_user_fails, .init = open_fixture,
     .fini = close_fixture)
{
    struct request request;
    struct history *history;
    struct shares *shares;

    cr_assert_eq(shares_open(&shares, 256 << 10), 0);
    publish_bytes("large", 8000);
    publish("small", "n:u64", 60);
    begin_request(&request, "large");
    request.budget.charge.shares = shares;
    cr_assert_eq(open_error(&request, HISTORY_CSV, false, &history), -ENOMEM);
    end_request(&request);
    cr_assert_eq(held(shares), 0);
    begin_request(&request, "small");
    request.budget.charge.shares = shares;
    cr_assert(shares_take(shares, 0, 128 << 10));
    history_close(open_history(&request, HISTORY_CSV));
    end_request(&request);
    cr_assert_eq(held(shares), 128 << 10);
    shares_return(shares, 0, 128 << 10);
    shares_close(shares);
}

static int pauses; /* until the caller stops waiting */

static int count_pause(struct budget *budget)
{
    (void)budget;
    return pauses-- <= 0 ? -EINTR : 0;
}

Test(history, stops_when_the_caller_no_longer_waits, .init = open_fixture, .fini = close_fixture)
{
    static const int limits[] = {0, 1, 2, 10, 60};
    struct kymo_text text = {0};
    struct history *history;
    struct shares *shares;
    struct request request;

    cr_assert_eq(shares_open(&shares, 1 << 30), 0);
    publish_bytes("s", 8000);
    begin_request(&request, "s");
    request.budget = (struct budget){{shares, 0, 0}, count_pause};
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        pauses = limits[i];
        cr_assert_eq(open_error(&request, HISTORY_CSV, false, &history), -EINTR);
        charge_release(&request.budget.charge);
        cr_assert_eq(held(shares), 0);
    }
    pauses = 1 << 20;
    cr_assert_eq(open_error(&request, HISTORY_CSV, false, &history), 0);
    pauses = 3;
    cr_assert_eq(history_read(history, &request.budget, 0, 1 << 20, &text), -EINTR);
    kymo_text_free(&text);
    history_close(history);
    end_request(&request);
    cr_assert_eq(held(shares), 0);
    shares_close(shares);
}

/* ---- a racing writer ---- */

struct race {
    struct kymo_writer *writer;
    uint32_t end;
};

static void *run_race(void *context)
{
    struct race *race = context;

    while (!kymo_load_relaxed32(&race->end))
        publish_next(race->writer, 1);
    return NULL;
}

/* The rows have consecutive positions; those that are missing are counted. */
static void expect_contiguous(const struct kymo_text *text, const struct history_span *span)
{
    const char *row = strchr(text->data, '\n') + 1;
    unsigned long long expected = 0, pos;

    for (bool is_first = true; *row; row = strchr(row, '\n') + 1, is_first = false) {
        if (strncmp(row, "# missed ", 9) == 0)
            continue;
        pos = strtoull(row, NULL, 10);
        cr_assert(is_first || pos == expected, "%llu after %llu", pos, expected);
        if (is_first)
            cr_assert_geq(pos, span->first);
        expected = pos + 1;
    }
    cr_assert_geq(expected, span->end);
}

Test(history, is_contiguous_under_a_racing_writer, .init = open_fixture, .fini = close_fixture)
{
    struct race race = {open_writer("s", "n:u64", 1024), 0};
    struct request request;
    int opened = 0, overwritten = 0;
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, run_race, &race), 0);
    begin_request(&request, "s");
    while (kymo_ring_head(request_ring(&request)) < 5000)
        sched_yield();
    for (int i = 0; i < 300; i++) {
        struct history_span span;
        struct history *history;
        struct kymo_text text;
        int error = history_find(&request, false, &span);

        cr_assert_eq(error, 0);
        error = history_open(&request, HISTORY_CSV, &span, &history);
        if (error) {
            cr_assert_eq(error, -EAGAIN, "%s", kymo_error_text(error));
            overwritten++;
            continue;
        }
        text = read_all(history, 30000);
        cr_assert_eq(text.len, history_size(history));
        expect_contiguous(&text, &span);
        kymo_text_free(&text);
        history_close(history);
        opened++;
    }
    kymo_store_relaxed32(&race.end, 1);
    pthread_join(thread, NULL);
    end_request(&request);
    kymo_writer_close(race.writer);
    cr_assert_gt(opened, 0, "%d were overwritten", overwritten);
}

static void *open_concurrently(void *context)
{
    const int number = *(const int *)context;
    const enum history_format format = number % 2 ? HISTORY_CSV : HISTORY_NDJSON;
    struct request request;

    begin_request(&request, "s");
    for (int i = 0; i < 60; i++) {
        struct history_span span;
        struct history *history;
        struct kymo_text text;
        uint64_t size;

        cr_assert_eq(history_find(&request, false, &span), 0);
        if (i % 3 == 0)
            history_measure(&request, format, &span, &size);
        if (history_open(&request, format, &span, &history))
            continue;
        text = read_all(history, 20000);
        cr_assert_eq(text.len, history_size(history));
        if (format == HISTORY_CSV)
            expect_contiguous(&text, &span);
        kymo_text_free(&text);
        history_close(history);
    }
    end_request(&request);
    return NULL;
}

Test(history, is_opened_by_several_threads, .init = open_fixture, .fini = close_fixture)
{
    struct race race = {open_writer("s", "n:u64", 16384), 0};
    int numbers[4] = {0, 1, 2, 3};
    pthread_t writer, threads[4];

    publish_next(race.writer, 20000);
    cr_assert_eq(pthread_create(&writer, NULL, run_race, &race), 0);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, open_concurrently, &numbers[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    kymo_store_relaxed32(&race.end, 1);
    pthread_join(writer, NULL);
    kymo_writer_close(race.writer);
}

/* ---- segments that are larger than memory ---- */

static void expect_too_large(const char *name, bool is_range)
{
    const uint64_t before = resident();
    struct request request;

    begin_request(&request, name);
    request.query = (struct query){.from = 0, .to = 99};
    for (int format = 0; format <= HISTORY_NDJSON; format++) {
        struct history_span span;
        struct history *history;
        uint64_t size;

        cr_assert_eq(history_find(&request, is_range, &span), 0);
        cr_assert_eq(open_error(&request, (enum history_format)format, is_range, &history), -EFBIG,
                     "%s", name);
        cr_assert_eq(history_measure(&request, (enum history_format)format, &span, &size), -EFBIG);
    }
    end_request(&request);
    cr_assert_lt(resident(), before + (8 << 20), "%s", name);
}

/* F: a sparse segment can declare any size. */
Test(history, with_a_row_beyond_the_limit_fails, .init = open_fixture, .fini = close_fixture)
{
    publish_sparse("fields", "v:u8[1073741824]", 2, 0, 1 << 30);
    publish_sparse("bytes", NULL, 2, 1 << 30, 1 << 30);
    for (int is_range = 0; is_range < 2; is_range++) {
        expect_too_large("fields", is_range);
        expect_too_large("bytes", is_range);
    }
}

Test(history, short_records_in_huge_slots_need_little_memory, .init = open_fixture,
     .fini = close_fixture)
{
    struct request request;

    publish_sparse("s", NULL, 2, 1 << 30, 3);
    begin_request(&request, "s");
    expect_content(&request, HISTORY_CSV, false, "pos,time,tag,data\n0,10,0,000000\n");
    end_request(&request);
}

/* E, F: a head beyond the slots costs neither time nor memory. */
Test(history, head_beyond_the_slots_fails_at_once, .init = open_fixture, .fini = close_fixture,
     .timeout = 60)
{
    static const unsigned int shifts[] = {16, 24, 28, 32, 36};
    const uint64_t before = resident();

    for (size_t i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++) {
        struct request request;
        struct history_span span;
        struct history *history;
        char name[16];
        uint64_t size;
        int error;

        snprintf(name, sizeof(name), "deep%u", shifts[i]);
        publish_sparse(name, "n:u64", UINT64_C(1) << shifts[i], 0, 8);
        set_head(name, (UINT64_C(1) << shifts[i]) + 12345);
        begin_request(&request, name);
        error = open_error(&request, HISTORY_CSV, false, &history);
        cr_assert(error == -EAGAIN || error == -EFBIG, "%s", kymo_error_text(error));
        cr_assert_eq(history_find(&request, false, &span), 0);
        cr_assert_eq(history_measure(&request, HISTORY_NDJSON, &span, &size),
                     error == -EAGAIN && shifts[i] < 27 ? error : -EFBIG);
        end_request(&request);
        cr_assert_eq(kymo_segment_remove(name), 0);
    }
    cr_assert_lt(resident(), before + (16 << 20));
}
