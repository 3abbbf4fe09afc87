/*
 * queries.c - time queries concurrent with a writer at full speed: each result is correct for a
 * window during the call, or an error (promise G: exact queries).
 *
 * The oracle is tested as well: it must detect the defective searches at the end of this file.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "oracle.h"
#include "proc/process.h"
#include "test.h"

#define NAME    "queries"
#define SIZE    24
#define QUERIES 20000000 /* over all runs, in tools/soak */

enum { WRITING = 1, STOPPING = 2 };

static struct {
    uint32_t state;
} * arena;

static uint64_t dice;

static uint64_t roll(uint64_t sides)
{
    return checked_mix(dice++) % sides;
}

/* ---- the writer ---- */

static int write_on(struct kymo_writer *writer)
{
    unsigned char buffer[SIZE];
    int error = 0;

    process_store(&arena->state, WRITING);
    while (!error && process_load(&arena->state) == WRITING)
        error = checked_publish(writer, buffer);
    return error;
}

static void *writer_thread(void *context)
{
    return write_on(context) ? (void *)arena : NULL;
}

static int writer_process(void *context)
{
    const struct kymo_options *options = context;
    struct kymo_writer *writer;

    if (kymo_writer_open(&writer, NAME, options) != 0 || write_on(writer) != 0)
        return 1;
    kymo_writer_close(writer);
    return 0;
}

/* ---- queries ---- */

/* A time near a record of the window, a recently overwritten one, or one of the next; half of them
 * near the oldest records, which the writer overwrites. */
static struct oracle_question question(const struct kymo_reader *reader)
{
    const uint64_t depth = kymo_ring_depth(&reader->ring);
    const uint64_t head = kymo_ring_head(&reader->ring) + 4;
    const uint64_t back = roll(2) ? depth - depth / 8 + roll(depth / 4 + 2) : roll(depth + 8);
    const enum oracle_kind kind = (enum oracle_kind)roll(ORACLE_KINDS);
    const uint64_t time =
        oracle_subject(kind, head > back ? head - back : 0, (int)roll(ORACLE_TIMES));

    return (struct oracle_question){kind, time, time + roll(depth * 100)};
}

struct tally {
    uint64_t queried;
    uint64_t answers; /* with a record, a pair or a range */
    uint64_t refused; /* with the correct error */
    uint64_t stale;   /* -EAGAIN */
    uint64_t wrong;
    uint64_t moved;    /* queries during which the window moved */
    uint64_t remained; /* queries whose answer remained */
    uint64_t lost;     /* and that did not find it */
};

/* Whether the records that prove the answer were there before, during and after the query. */
static int has_remained(const struct oracle_trial *trial)
{
    const struct oracle_span *span = &trial->span;
    const uint64_t low = oracle_low(span, span->to);
    const struct oracle_answer right =
        oracle_query(&trial->question, oracle_low(span, span->from), span->from, span->first);

    if (right.error || low == span->first)
        return !right.error;
    /* To the oldest of equal times no older record is closer: that is proved by the oldest itself. */
    if (trial->question.kind == ORACLE_CLOSEST)
        return checked_time(right.pos) > checked_time(low);
    return right.pos > low;
}

static void note(struct tally *tally, const struct oracle_trial *trial)
{
    const int verdict = oracle_verdict(trial);

    tally->queried++;
    tally->moved += trial->span.to > trial->span.from;
    if (verdict < 0 && tally->wrong++ < 3)
        oracle_describe(trial);
    else if (verdict == 0)
        tally->stale++;
    else if (verdict > 0 && trial->answer.error)
        tally->refused++;
    else if (verdict > 0)
        tally->answers++;
    if (has_remained(trial)) {
        tally->remained++;
        if ((verdict == 0 || trial->answer.truncated) && tally->lost++ < 3)
            oracle_describe(trial);
    }
}

static void query(struct tally *tally, const struct kymo_reader *reader)
{
    unsigned char one[SIZE], other[SIZE];
    const struct oracle_buffers buffers = {one, other};
    struct oracle_trial trial = {.question = question(reader)};

    oracle_try(&trial, reader, &buffers);
    note(tally, &trial);
}

/* ---- runs ---- */

/* Runs this number of queries, until the writer has published as many records; with few processors some more, until the window moved during a tenth of the queries. */
static int goes_on(const struct tally *tally, uint64_t count, uint64_t published)
{
    return tally->queried < count || published < count ||
           (tally->moved < count / 10 && tally->queried < 8 * count);
}

static void query_beside(const struct kymo_reader *reader, uint64_t depth, uint64_t count)
{
    struct tally tally = {0};
    uint64_t began;

    while (kymo_ring_head(&reader->ring) == 0)
        process_sleep(100000);
    began = kymo_ring_head(&reader->ring);
    while (goes_on(&tally, count, kymo_ring_head(&reader->ring) - began))
        query(&tally, reader);
    process_store(&arena->state, STOPPING);
    printf("depth %6llu: %llu queries, %llu of them while the window moved: %llu answers, %llu "
           "rightly "
           "errors, %llu stale, %llu wrong\n",
           (unsigned long long)depth, (unsigned long long)tally.queried,
           (unsigned long long)tally.moved, (unsigned long long)tally.answers,
           (unsigned long long)tally.refused, (unsigned long long)tally.stale,
           (unsigned long long)tally.wrong);
    cr_assert_eq(tally.wrong, 0U);
    cr_assert_gt(tally.answers, tally.queried / 4);
}

static const uint64_t depths[] = {2, 4, 8, 16, 64, 128, 1024, 8192, 65536};
#define DEPTHS (sizeof(depths) / sizeof(depths[0]))

static struct kymo_options begin(uint64_t depth)
{
    arena = process_share(sizeof(*arena));
    return (struct kymo_options){.size = SIZE, .depth = depth, .clock = KYMO_USER};
}

static uint64_t queries_per_run(void)
{
    return process_count(QUERIES, 0) / (2 * DEPTHS);
}

Test(queries, are_exact_beside_writing_thread)
{
    for (size_t i = 0; i < DEPTHS; i++) {
        const struct kymo_options options = begin(depths[i]);
        struct kymo_writer *writer;
        struct kymo_reader reader;
        pthread_t thread;
        void *failed;

        cr_assert_eq(kymo_writer_open(&writer, NAME, &options), 0);
        /* Through the writer's mapping: the thread sanitizer compares addresses. */
        reader = (struct kymo_reader){.ring = writer->ring, .segment = writer->segment};
        cr_assert_eq(pthread_create(&thread, NULL, writer_thread, writer), 0);
        query_beside(&reader, depths[i], queries_per_run());
        pthread_join(thread, &failed);
        cr_assert_null(failed);
        cr_assert_eq(kymo_writer_remove(writer), 0);
    }
}

Test(queries, are_exact_beside_writing_process)
{
    for (size_t i = 0; i < DEPTHS; i++) {
        struct kymo_options options = begin(depths[i]);
        struct kymo_reader *reader;
        pid_t child = process_start(writer_process, &options);

        process_await(&arena->state, WRITING);
        cr_assert_eq(kymo_reader_open(&reader, NAME), 0);
        query_beside(reader, depths[i], queries_per_run());
        cr_assert_eq(process_wait(child), 0);
        kymo_reader_close(reader);
        cr_assert_eq(kymo_segment_remove(NAME), 0);
    }
}

/* ---- windows that move between pinning, probing and copying ---- */

/*
 * Publishes between two steps of a search, in place of a concurrent writer: the window moves during
 * every search, on any machine.
 */
static struct kymo_writer *between;

static void window_moves(uint64_t records)
{
    unsigned char buffer[SIZE];

    for (uint64_t i = 0; i < records; i++)
        cr_assert_eq(checked_publish(between, buffer), 0);
}

/* As many records as a writer at full speed publishes during a few cache misses. */
static void publish_between(void *context, const char *name)
{
    window_moves(roll(32));
    testpoint_plan(name, 0, publish_between, context);
}

#define DELAY 385 /* ns: a cache miss on another socket */

static void wait_between(void *context, const char *name)
{
    const uint64_t end = kymo_clock_now(KYMO_MONOTONIC) + DELAY;

    (void)name;
    while (kymo_clock_now(KYMO_MONOTONIC) < end)
        ;
    testpoint_plan(NULL, 0, wait_between, context);
}

static void expect_all(const struct tally *tally, uint64_t depth)
{
    printf(
        "count: depth %llu: %llu queries, %llu of them with an answer that remained, %llu lost\n",
        (unsigned long long)depth, (unsigned long long)tally->queried,
        (unsigned long long)tally->remained, (unsigned long long)tally->lost);
    cr_assert_eq(tally->wrong, 0U);
    cr_assert_leq(tally->lost, tally->remained / 1000000);
}

static void query_between(struct tally *tally, const struct kymo_reader *reader, uint64_t count)
{
    static const char *const points[] = {"WINDOW_PINNED", "WINDOW_PROBED", "RECORD_COPIED"};

    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        testpoint_plan(points[i], 0, publish_between, NULL);
        for (uint64_t queried = 0; queried < count / 3; queried++)
            query(tally, reader);
        testpoint_cancel();
    }
}

Test(queries, find_records_that_remain)
{
    for (size_t i = 0; i < DEPTHS; i++) {
        const struct kymo_options options = begin(depths[i]);
        struct kymo_reader reader;
        struct tally tally = {0};

        cr_assert_eq(kymo_writer_open(&between, NAME, &options), 0);
        reader = (struct kymo_reader){.ring = between->ring, .segment = between->segment};
        window_moves(2 * depths[i]);
        query_between(&tally, &reader, process_count(QUERIES, 0) / DEPTHS);
        expect_all(&tally, depths[i]);
        cr_assert_eq(kymo_writer_remove(between), 0);
    }
}

Test(queries, find_records_that_remain_beside_a_writer)
{
    for (size_t i = 0; i < DEPTHS; i++) {
        const struct kymo_options options = begin(depths[i]);
        const uint64_t count = queries_per_run();
        struct kymo_writer *writer;
        struct kymo_reader reader;
        struct tally tally = {0};
        pthread_t thread;
        void *failed;

        cr_assert_eq(kymo_writer_open(&writer, NAME, &options), 0);
        reader = (struct kymo_reader){.ring = writer->ring, .segment = writer->segment};
        cr_assert_eq(pthread_create(&thread, NULL, writer_thread, writer), 0);
        while (kymo_ring_head(&reader.ring) < depths[i])
            process_sleep(100000);
        testpoint_plan(NULL, 0, wait_between, NULL);
        while (tally.queried < count)
            query(&tally, &reader);
        testpoint_cancel();
        process_store(&arena->state, STOPPING);
        pthread_join(thread, &failed);
        cr_assert_null(failed);
        expect_all(&tally, depths[i]);
        cr_assert_eq(kymo_writer_remove(writer), 0);
    }
}

/* ---- defective searches, which the oracle must detect ---- */

/* An index relative to the newest record, which moves between two probes. */
static uint64_t search_from_moving_head(const struct kymo_ring *ring, uint64_t time)
{
    uint64_t low = 0, high = kymo_ring_available(ring);

    /* The number of records behind the newest one with a time of at most `time`. */
    while (low < high) {
        uint64_t back = (low + high) / 2;

        window_moves(1);
        if (kymo_window_time(ring, kymo_ring_head(ring) - 1 - back) <= time)
            high = back;
        else
            low = back + 1;
    }
    return kymo_ring_head(ring) - 1 - low;
}

/* The window is pinned, but not validated after the search. */
static uint64_t search_unchecked(const struct kymo_ring *ring, uint64_t time)
{
    struct kymo_window window = {0};

    if (kymo_window_pin(ring, &window) != 0)
        return 0;
    window_moves(roll(ring->mask));
    return kymo_impl_window_after(ring, window.low, window.high, time) - 1;
}

/* The window is pinned and validated by its newest position, which always succeeds. */
static uint64_t search_checked_at_the_wrong_end(const struct kymo_ring *ring, uint64_t time)
{
    struct kymo_window window = {0};
    uint64_t after;

    for (;;) {
        if (kymo_window_pin(ring, &window) != 0)
            return 0;
        window_moves(roll(ring->mask));
        after = kymo_impl_window_after(ring, window.low, window.high, time);
        if (kymo_impl_window_holds(ring, window.high - 1))
            return after - 1;
    }
}

/* Wrong order of ties and of two records at equal distance: wrong without a race, too. */
static uint64_t search_oldest_of_ties(const struct kymo_ring *ring, uint64_t time)
{
    struct kymo_window window = {0};

    if (kymo_window_pin(ring, &window) != 0)
        return 0;
    for (uint64_t pos = window.low; pos < window.high; pos++)
        if (kymo_window_time(ring, pos) == time)
            return pos;
    return kymo_impl_window_after(ring, window.low, window.high, time) - 1;
}

/* Runs a defective as_of. -1: the correct result is an error, which these searches do not
 * return. */
static int query_defectively(uint64_t (*search)(const struct kymo_ring *ring, uint64_t time),
                             const struct kymo_reader *reader)
{
    struct oracle_trial trial = {.question = question(reader)};
    struct oracle_answer right;

    if (trial.question.kind == ORACLE_TAG)
        return -1;
    trial.question.kind = ORACLE_AS_OF;
    trial.span = (struct oracle_span){.first = reader->ring.first, .mask = reader->ring.mask};
    trial.span.from = kymo_ring_head(&reader->ring);
    trial.answer.pos = search(&reader->ring, trial.question.time);
    trial.span.to = kymo_ring_head(&reader->ring);
    right = oracle_query(&trial.question, oracle_low(&trial.span, trial.span.to), trial.span.to, 0);
    if (right.error)
        return -1;
    return oracle_verdict(&trial) < 0;
}

/* Independent of time and of the number of processors: each run has the same counts. */
static uint64_t catch_wrong(uint64_t (*search)(const struct kymo_ring *ring, uint64_t time))
{
    const struct kymo_options options = begin(64);
    struct kymo_reader reader;
    uint64_t queried = 0, wrong = 0;

    cr_assert_eq(kymo_writer_open(&between, NAME, &options), 0);
    reader = (struct kymo_reader){.ring = between->ring, .segment = between->segment};
    dice = 0;
    window_moves(3 * CHECKED_PERIOD);
    while (queried < 1000) {
        const int verdict = query_defectively(search, &reader);

        queried += verdict >= 0;
        wrong += verdict > 0;
        window_moves(roll(5));
    }
    printf("%llu of %llu results of a defective search are wrong, and detected\n",
           (unsigned long long)wrong, (unsigned long long)queried);
    cr_assert_eq(kymo_writer_remove(between), 0);
    return wrong;
}

Test(oracle, detects_window_that_moves_between_probes)
{
    cr_assert_gt(catch_wrong(search_from_moving_head), 100U);
}

Test(oracle, detects_unvalidated_window)
{
    cr_assert_gt(catch_wrong(search_unchecked), 100U);
}

Test(oracle, detects_window_validated_at_wrong_end)
{
    cr_assert_gt(catch_wrong(search_checked_at_the_wrong_end), 100U);
}

Test(oracle, detects_wrong_tie_order)
{
    cr_assert_gt(catch_wrong(search_oldest_of_ties), 20U);
}

/* The oracle accepts the library's search under the same moves. */
static uint64_t search_carefully(const struct kymo_ring *ring, uint64_t time)
{
    struct kymo_window window = {0};
    uint64_t after;

    for (;;) {
        if (kymo_window_pin(ring, &window) != 0)
            return 0;
        window_moves(roll(ring->mask));
        after = kymo_impl_window_after(ring, window.low, window.high, time);
        if (kymo_impl_window_holds(ring, after > window.low ? after - 1 : after))
            return after > window.low ? after - 1 : 0; /* 0: the time is before all of them */
    }
}

Test(oracle, accepts_correct_search)
{
    cr_assert_eq(catch_wrong(search_carefully), 0U);
}
