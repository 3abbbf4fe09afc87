/*
 * test_as_of.c - renderings as of an instant: nothing that was published later.
 */
#include "render_fixture.h"

#include <pthread.h>
#include <sched.h>

#define RECORD(n, time) \
    "{\"pos\":" #n ",\"time\":" #time ",\"tag\":" #n ",\"data\":{\"n\":" #n "}}\n"

typedef int renderer(struct request *request, struct kymo_text *text);

static int render_error(struct request *request, renderer *render)
{
    struct kymo_text text = {0};
    int error = render_as_of(request, render, &text);

    kymo_text_free(&text);
    return error;
}

static void expect_text(struct request *request, renderer *render, const char *content)
{
    struct kymo_text text = {0};
    int error = render_as_of(request, render, &text);

    cr_assert_eq(error, 0, "%s", kymo_error_text(error));
    cr_assert_str_eq(text.data, content);
    kymo_text_free(&text);
}

static void expect_window(struct request *request, uint64_t low, uint64_t high)
{
    struct kymo_window window;

    cr_assert_eq(render_window(request, &window), 0);
    cr_assert_eq(window.low, low);
    cr_assert_eq(window.high, high);
}

static void expect_history(struct request *request, bool is_range, const char *content)
{
    struct history_span span;
    struct history *history;
    struct kymo_text text = {0};

    cr_assert_eq(history_find(request, is_range, &span), 0);
    cr_assert_eq(history_open(request, HISTORY_NDJSON, &span, &history), 0);
    cr_assert_eq(history_size(history), strlen(content));
    cr_assert_eq(history_read(history, &request->budget, 0, 4096, &text), 0);
    cr_assert_str_eq(text.data ? text.data : "", content);
    kymo_text_free(&text);
    history_close(history);
}

/* The instant is after the third of six records. */
Test(as_of, shows_nothing_that_was_published_later, .init = open_fixture, .fini = close_fixture)
{
    struct request request;
    struct kymo_text text = {0};

    publish("s", "n:u64", 6);
    begin_request(&request, "s");
    set_instant(&request, 25);
    request.find = find_newest;
    expect_text(&request, render_record, RECORD(2, 20));
    expect_text(&request, render_field, "2\n");
    request.find = find_closest;
    request.query.time = 99;
    expect_text(&request, render_record, RECORD(2, 20));
    request.query.time = 22;
    cr_assert_eq(render_error(&request, render_interp), -EDOM);
    request.query.time = 15;
    cr_assert_eq(render_error(&request, render_interp), 0);
    expect_window(&request, 0, 3);
    expect_history(&request, false, RECORD(0, 0) RECORD(1, 10) RECORD(2, 20));
    request.query = (struct query){.from = 10, .to = 99};
    expect_history(&request, true, RECORD(1, 10) RECORD(2, 20));
    request.query = (struct query){.from = 26, .to = 99};
    expect_history(&request, true, "");
    cr_assert_eq(render_as_of(&request, render_info, &text), 0);
    cr_assert_not_null(
        strstr(text.data, "\nas_of_nanoseconds: 25\nage_seconds: 0.000000005\nrecords: 3\n"));
    cr_assert_null(strstr(text.data, "writer"));
    kymo_text_free(&text);
    cr_assert_eq(request.reader, request.segment->reader);
    end_request(&request);
}

Test(as_of, before_the_first_record_is_empty, .init = open_fixture, .fini = close_fixture)
{
    struct request request;

    publish_at("s", KYMO_USER, 1000);
    begin_request(&request, "s");
    request.find = find_newest;
    set_instant(&request, 999);
    cr_assert_eq(render_error(&request, render_record), -ENODATA);
    expect_window(&request, 0, 0);
    expect_history(&request, false, "");
    request.query = (struct query){.from = 0, .to = 9999};
    expect_history(&request, true, "");
    set_instant(&request, 1000);
    cr_assert_eq(render_error(&request, render_record), 0);
    end_request(&request);
}

Test(as_of, of_overwritten_records_is_stale, .init = open_fixture, .fini = close_fixture)
{
    struct request request;
    struct kymo_window window;
    struct history_span span;

    publish("s", "n:u64", 100); /* 37 to 99 remain */
    begin_request(&request, "s");
    request.find = find_newest;
    set_instant(&request, 369);
    cr_assert_eq(render_error(&request, render_record), -ESTALE);
    cr_assert_eq(render_error(&request, render_info), -ESTALE);
    cr_assert_eq(render_window(&request, &window), -ESTALE);
    cr_assert_eq(history_find(&request, false, &span), -ESTALE);
    set_instant(&request, 380);
    expect_text(&request, render_record, RECORD(38, 380));
    expect_history(&request, false, RECORD(37, 370) RECORD(38, 380));
    end_request(&request);
}

/* The writer overwrites what the first `left` searches find. */
struct pushed {
    struct kymo_writer *writer;
    int left;
};

static struct pushed pushed;

static int find_overwritten(const struct request *request, uint64_t *pos)
{
    if (pushed.left-- > 0) {
        publish_next(pushed.writer, 2);
        return -ESTALE;
    }
    return find_closest(request, pos);
}

Test(as_of, finds_records_that_remain, .init = open_fixture, .fini = close_fixture)
{
    for (int left = 1; left < 8; left++) {
        struct request request;

        pushed = (struct pushed){open_writer("s", "n:u64", 64), left};
        publish_next(pushed.writer, 100 - pushed.writer->pos);
        begin_request(&request, "s");
        set_instant(&request, 990);
        request.find = find_overwritten;
        request.query.time = 700; /* 37 + 2 * left to 99 remain */
        expect_text(&request, render_record, RECORD(70, 700));
        end_request(&request);
        cr_assert_eq(kymo_writer_remove(pushed.writer), 0);
    }
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

/* Returns 1: the closest record at the instant was found; 0: it has been overwritten. */
static int expect_closest(struct request *request, uint64_t newest, uint64_t wanted,
                          uint64_t oldest)
{
    struct kymo_text text = {0};
    int error = render_as_of(request, render_record, &text);
    uint64_t found;

    if (error) {
        cr_assert(error == -ESTALE || error == -EAGAIN, "%s", kymo_error_text(error));
        kymo_text_free(&text);
        return 0;
    }
    memcpy(&found, text.data, sizeof(found));
    kymo_text_free(&text);
    cr_assert_leq(found, newest);
    if (found != wanted)
        cr_assert(found > wanted && found >= oldest, "%llu instead of %llu",
                  (unsigned long long)found, (unsigned long long)wanted);
    return 1;
}

/* G: exact under a racing writer. For records that are overwritten the oldest that remains may stand,
 * never an older or a later one. */
Test(as_of, is_exact_under_a_racing_writer, .init = open_fixture, .fini = close_fixture)
{
    struct race race = {open_writer("s", "n:u64", 4096), 0};
    struct request request;
    int found = 0;
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, run_race, &race), 0);
    begin_request(&request, "s");
    request.find = find_closest;
    request.raw = true;
    while (kymo_ring_head(&request.segment->reader->ring) < 5000)
        sched_yield();
    for (uint64_t i = 0; i < 20000; i++) {
        const uint64_t head = kymo_ring_head(&request.segment->reader->ring);
        const uint64_t newest = head - 1 - i % 2000;
        const uint64_t wanted = head - 4095 + i % 64;

        set_instant(&request, 10 * newest + 3);
        request.query.time = 10 * wanted;
        found += expect_closest(&request, newest, wanted, head - 4095);
    }
    kymo_store_relaxed32(&race.end, 1);
    pthread_join(thread, NULL);
    end_request(&request);
    kymo_writer_close(race.writer);
    cr_assert_gt(found, 0);
}

/* ---- times of files ---- */

Test(as_of, modification_is_the_newest_record, .init = open_fixture, .fini = close_fixture)
{
    const uint64_t day = UINT64_C(86400000000000);
    struct request request;

    publish_at("s", KYMO_REALTIME, day);
    publish_at("s", KYMO_REALTIME, 2 * day);
    begin_request(&request, "s");
    cr_assert_eq(render_modified(&request), 2 * day);
    set_instant(&request, 2 * day - 1);
    cr_assert_eq(render_modified(&request), day);
    set_instant(&request, day - 1);
    cr_assert_eq(render_modified(&request), request.segment->created);
    end_request(&request);
    publish("user", "n:u64", 3);
    begin_request(&request, "user");
    cr_assert_geq(render_modified(&request), request.segment->created / 1000000000 * 1000000000);
    set_instant(&request, 20);
    cr_assert_eq(render_modified(&request), request.segment->created);
    end_request(&request);
}
