/*
 * day.c - queries of a day of a sensor's history, concurrent with its writer at full speed: a ring of 24 hours at 200 Hz, with uneven times, ties and a gap, and positions across 2^32.
 *
 * Every answer of closest, bracket, as_of, range and align is compared with the oracle: correct for
 * a window during the call, or -ESTALE if the writer has overwritten it (promise G: exact queries).
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "oracle.h"
#include "proc/process.h"
#include "test.h"

#define DAY     UINT64_C(86400000000000) /* ns */
#define DEEP    (UINT64_C(1) << 24)      /* a rate of 194 Hz */
#define SHALLOW (UINT64_C(1) << 12)
#define SIZE    8
#define ANSWERS 100000000 /* queries, in tools/soak */

enum { WRITING = 1, STOPPING = 2 };

static struct {
    uint32_t state;
} * arena;

/* ---- times ---- */

/* ns of one period of records, of which the deep ring has depth / CHECKED_PERIOD. */
static uint64_t period_length;

/* Gaps around a mean, with ties, and one gap of a twentieth of each period; the last one completes
 * the period's length. */
static uint64_t day_gap(uint64_t index)
{
    const uint64_t mean = period_length / CHECKED_PERIOD;
    const uint64_t dice = checked_mix(index);

    if (index == CHECKED_PERIOD)
        return period_length - (checked_time(index - 1) - CHECKED_ORIGIN);
    if (index == CHECKED_PERIOD / 3)
        return period_length / 20;
    if (mean == 0 || index % 1000 >= 960 || dice % 16 == 0)
        return 0;
    return mean * 2 / 5 + (dice >> 8) % mean;
}

/* ---- the rings ---- */

/* `deep` has the day, `shallow` its newest records: another sensor, for align. */
struct rings {
    struct kymo_writer *deep, *shallow;
};

static struct kymo_options options_of(uint64_t depth, uint64_t first)
{
    return (struct kymo_options){.size = SIZE, .depth = depth, .clock = KYMO_USER, .first = first};
}

/* With less memory, fewer records for the same span. */
static void open_rings(struct rings *rings)
{
    uint64_t depth = process_count(100, 0) >= 100 ? DEEP : DEEP >> 6;
    struct kymo_options options;
    int error = -ENOSPC;

    for (; error == -ENOSPC && depth > SHALLOW; depth /= error ? 2 : 1) {
        options = options_of(depth, (UINT64_C(1) << 32) - depth / 2);
        error = kymo_writer_open(&rings->deep, "day.deep", &options);
        if (error == -ENOSPC)
            printf("no memory for %llu records of a day\n", (unsigned long long)depth);
    }
    cr_assert_eq(error, 0);
    period_length = DAY / (depth / CHECKED_PERIOD);
    checked_set_gaps(day_gap);
    /* Its first record is the first after the day. */
    options = options_of(SHALLOW, options.first + depth);
    cr_assert_eq(kymo_writer_open(&rings->shallow, "day.shallow", &options), 0);
}

static int publish_day(struct rings *rings)
{
    const uint64_t end = rings->shallow->pos;
    unsigned char buffer[SIZE];
    int error = 0;

    while (!error && rings->deep->pos < end)
        error = checked_publish(rings->deep, buffer);
    while (!error && rings->deep->pos < end + SHALLOW) {
        error = checked_publish(rings->deep, buffer);
        if (!error)
            error = checked_publish(rings->shallow, buffer);
    }
    return error;
}

static int publish_on(struct rings *rings)
{
    unsigned char buffer[SIZE];
    int error = 0;

    process_store(&arena->state, WRITING);
    while (!error && process_load(&arena->state) == WRITING) {
        error = checked_publish(rings->deep, buffer);
        if (!error)
            error = checked_publish(rings->shallow, buffer);
    }
    return error;
}

static void *write_in_thread(void *context)
{
    return publish_on(context) ? (void *)arena : NULL;
}

/* ---- queries ---- */

static uint64_t dice;

static uint64_t roll(uint64_t sides)
{
    return checked_mix(dice++) % sides;
}

/* A time at or near a record; one in eight close to the oldest records, which the writer overwrites; one in eight close to the newest. */
static uint64_t pick_time(const struct kymo_ring *deep)
{
    const uint64_t head = kymo_ring_head(deep);
    uint64_t back = 0;

    switch (roll(8)) {
    case 0:
        back = deep->mask - 1000 + roll(3000);
        break;
    case 1:
        back = roll(SHALLOW + 8);
        break;
    default:
        back = roll(deep->mask);
    }
    if (roll(4) == 0)
        return checked_time(head - back) + roll(period_length / 8);
    return oracle_time(head - back, (int)roll(ORACLE_TIMES));
}

struct tally {
    uint64_t queried[ORACLE_KINDS + 1]; /* by kind; the last: align */
    uint64_t answers;
    uint64_t refused; /* whose correct result is an error */
    uint64_t stale;   /* because the window moved past the time */
    uint64_t wrong;
    uint64_t moved; /* queries during which the window moved */
};

static void note(struct tally *tally, const struct oracle_trial *trial)
{
    const int verdict = oracle_verdict(trial);

    tally->moved += trial->span.to > trial->span.from;
    if (verdict < 0 && tally->wrong++ < 3)
        oracle_describe(trial);
    if (verdict < 0)
        return;
    if (trial->answer.error == -ESTALE)
        tally->stale++;
    else if (trial->answer.error)
        tally->refused++;
    else
        tally->answers++;
}

/* The records of a range exist, or have been overwritten. */
static void read_of_range(struct oracle_trial *trial, const struct kymo_reader *reader)
{
    const struct oracle_answer *answer = &trial->answer;
    struct kymo_record record = {0};
    uint64_t payload, pos;
    int error;

    if (answer->error || answer->second == 0)
        return;
    pos = answer->pos + roll(answer->second);
    error = kymo_ring_at(reader, pos, &payload, sizeof(payload), &record);
    if (error && error != -ESTALE)
        trial->fault = "a record of the range";
    if (!error)
        trial->fault = checked_fault(&record, &payload, SIZE);
    if (!error && (record.time < trial->question.time || record.time > trial->question.to))
        trial->fault = "a time outside of the range";
}

static void ask(struct tally *tally, const struct kymo_reader *deep)
{
    uint64_t one, other;
    const struct oracle_buffers buffers = {&one, &other};
    const enum oracle_kind kind = (enum oracle_kind)roll(ORACLE_KINDS);
    const uint64_t back = roll(deep->ring.mask);
    const uint64_t time =
        kind == ORACLE_TAG
            ? oracle_subject(kind, kymo_ring_head(&deep->ring) - back, (int)roll(ORACLE_TIMES))
            : pick_time(&deep->ring);
    struct oracle_trial trial = {.question = {kind, time, time + roll(period_length)}};

    oracle_try(&trial, deep, &buffers);
    if (trial.question.kind == ORACLE_RANGE)
        read_of_range(&trial, deep);
    tally->queried[trial.question.kind]++;
    note(tally, &trial);
}

/* Counts as one answer, wrong if any row is. */
static void query_align(struct tally *tally, const struct kymo_reader *deep,
                        const struct kymo_reader *shallow)
{
    enum { ROWS = 3 };
    const struct kymo_reader *const readers[ROWS] = {deep, shallow, deep};
    uint64_t payloads[ROWS][2];
    const struct oracle_buffers buffers[ROWS] = {{&payloads[0][0], &payloads[0][1]},
                                                 {&payloads[1][0], &payloads[1][1]},
                                                 {&payloads[2][0], &payloads[2][1]}};
    const uint64_t time = pick_time(&deep->ring);
    struct oracle_trial trials[ROWS];
    int answered, right = 0;

    for (int i = 0; i < ROWS; i++)
        trials[i].question =
            (struct oracle_question){(enum oracle_kind)roll(ORACLE_RANGE), time, 0};
    answered = oracle_try_align(trials, readers, ROWS, buffers);
    for (int i = 1; i < ROWS; i++) {
        if (oracle_verdict(&trials[i]) < 0)
            oracle_describe(&trials[i]);
        tally->wrong += oracle_verdict(&trials[i]) < 0;
    }
    for (int i = 0; i < ROWS; i++)
        right += trials[i].answer.error == 0;
    tally->wrong += answered != right;
    tally->queried[ORACLE_KINDS]++;
    note(tally, &trials[0]);
}

static uint64_t queried(const struct tally *tally)
{
    uint64_t sum = 0;

    for (int kind = 0; kind <= ORACLE_KINDS; kind++)
        sum += tally->queried[kind];
    return sum;
}

static void report(const struct tally *tally, const struct kymo_ring *deep, uint64_t published)
{
    const uint64_t head = kymo_ring_head(deep);
    const uint64_t span = checked_time(head - 1) - checked_time(head - deep->mask);

    printf("closest %llu, as_of %llu, bracket %llu, range %llu, tag %llu, align %llu\n",
           (unsigned long long)tally->queried[ORACLE_CLOSEST],
           (unsigned long long)tally->queried[ORACLE_AS_OF],
           (unsigned long long)tally->queried[ORACLE_BRACKET],
           (unsigned long long)tally->queried[ORACLE_RANGE],
           (unsigned long long)tally->queried[ORACLE_TAG],
           (unsigned long long)tally->queried[ORACLE_KINDS]);
    printf("count: time queries in a day of history: %llu checked, %llu wrong; %llu records over "
           "%.1f h, %llu published concurrently, the window moved during %llu, %llu correctly "
           "refused, "
           "%llu stale\n",
           (unsigned long long)queried(tally), (unsigned long long)tally->wrong,
           (unsigned long long)deep->mask, (double)span / 3600e9, (unsigned long long)published,
           (unsigned long long)tally->moved, (unsigned long long)tally->refused,
           (unsigned long long)tally->stale);
}

static void query_all(const struct rings *rings)
{
    /* A sanitizer slows the oracle down as well. */
    const uint64_t count = process_count(ANSWERS, 0) / (PROCESS_SLOWNESS > 1 ? 4 : 1);
    /* Through the writer's mapping: the thread sanitizer compares addresses. */
    const struct kymo_reader deep = {.ring = rings->deep->ring, .segment = rings->deep->segment};
    const struct kymo_reader shallow = {.ring = rings->shallow->ring,
                                        .segment = rings->shallow->segment};
    const uint64_t began = kymo_ring_head(&deep.ring);
    struct tally tally = {0};

    while (queried(&tally) < count) {
        if (roll(5))
            ask(&tally, &deep);
        else
            query_align(&tally, &deep, &shallow);
    }
    process_store(&arena->state, STOPPING);
    report(&tally, &deep.ring, kymo_ring_head(&deep.ring) - began);
    cr_assert_eq(tally.wrong, 0U);
    cr_assert_gt(tally.answers, count / 2);
}

Test(day, queries_are_exact)
{
    struct rings rings;
    pthread_t thread;
    void *failed;

    arena = process_share(sizeof(*arena));
    open_rings(&rings);
    cr_assert_eq(publish_day(&rings), 0);
    cr_assert_eq(pthread_create(&thread, NULL, write_in_thread, &rings), 0);
    process_await(&arena->state, WRITING);
    query_all(&rings);
    pthread_join(thread, &failed);
    cr_assert_null(failed);
    cr_assert_eq(kymo_writer_remove(rings.deep), 0);
    cr_assert_eq(kymo_writer_remove(rings.shallow), 0);
}
