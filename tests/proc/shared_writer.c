/*
 * shared_writer.c - several processes publish to one segment, and are killed and stopped: each record exists once and in its writer's order, and a crash delays the others only until its detection (promises C and E).
 */
#include <errno.h>
#include <stdio.h>

#include "proc/process.h"
#include "stress/checked.h"
#include "test.h"
#include "unit/random.h"

#define NAME "shared"
#define SIZE 40

#define MILLISECOND UINT64_C(1000000)
#define WRITERS     4
#define KILLS       300
#define NUMBERS     (UINT64_C(1) << 32)

/* ---- records: determined by the writer and its record number ---- */

static uint64_t tag_of(uint32_t writer, uint64_t number)
{
    return writer * NUMBERS + number;
}

/* Every third one in place. Times are clamped, since the clock is read before the lock is taken. */
static int put(struct kymo_writer *writer, uint64_t tag)
{
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
    unsigned char payload[SIZE];
    void *loan;
    int error;

    checked_fill(payload, tag, SIZE);
    if (tag % 3)
        return kymo_ring_publish(writer, payload, SIZE, now, tag);
    error = kymo_ring_loan(writer, &loan);
    if (error)
        return error;
    kymo_copy_in(loan, payload, SIZE);
    return kymo_ring_commit(writer, SIZE, now, tag);
}

static int is_whole(const struct kymo_record *record, const void *payload)
{
    unsigned char expected[SIZE];

    checked_fill(expected, record->tag, SIZE);
    return record->len == SIZE && memcmp(expected, payload, SIZE) == 0;
}

static int open_shared(struct kymo_writer **writer, uint64_t depth)
{
    const struct kymo_options options = {.depth = depth,
                                         .size = SIZE,
                                         .flags = KYMO_SHARED_WRITER,
                                         .time_policy = KYMO_CLAMP};

    return kymo_writer_open(writer, NAME, &options);
}

static struct kymo_info info_of(const struct kymo_reader *reader)
{
    struct kymo_info info;

    cr_assert_eq(kymo_segment_info(reader->segment, &info), 0);
    return info;
}

/* ---- each writer's journal, in memory that survives it ---- */

struct journal {
    uint32_t number; /* of the writer */
    uint32_t stop;
    uint64_t depth;
    uint64_t limit;      /* the last number */
    int once;            /* ends there; else it waits to be stopped */
    long pause;          /* between some records, ns */
    uint64_t attempt;    /* the number that it is publishing, or has published */
    uint64_t kill_point; /* test points to pass before it kills itself; 0: it does not */
    uint64_t slowest;    /* ns, of one publish */
    uint64_t deaths;
    uint64_t unsure[KILLS + WRITERS + 1]; /* numbers whose publish was in progress at a kill */
};

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static int at_limit(const struct journal *journal)
{
    return load(&journal->attempt) >= journal->limit;
}

/* One more record, timed. */
static int write_next(struct journal *journal, struct kymo_writer *writer)
{
    const uint64_t number = load(&journal->attempt) + 1;
    const uint64_t began = kymo_clock_now(KYMO_MONOTONIC);
    uint64_t length;
    int error;

    store(&journal->attempt, number);
    error = put(writer, tag_of(journal->number, number));
    length = kymo_clock_now(KYMO_MONOTONIC) - began;
    if (length > journal->slowest)
        journal->slowest = length;
    return error;
}

static int write_on(void *context)
{
    struct journal *journal = context;
    struct kymo_writer *writer;

    if (journal->kill_point)
        testpoint_plan(NULL, journal->kill_point, testpoint_kill, NULL);
    if (open_shared(&writer, journal->depth) != 0)
        return 1;
    while (!process_load(&journal->stop) && !(journal->once && at_limit(journal))) {
        if (at_limit(journal) || (journal->pause && load(&journal->attempt) % 4 == 0))
            process_sleep(journal->pause);
        if (!at_limit(journal) && write_next(journal, writer) != 0)
            return 2;
    }
    kymo_writer_close(writer);
    return 0;
}

/* ---- checks of all records ---- */

static int was_unsure(const struct journal *journal, uint64_t number)
{
    for (uint64_t i = 0; i < journal->deaths; i++)
        if (journal->unsure[i] == number)
            return 1;
    return 0;
}

/* Every number of each writer exists once and in order, except those in progress at a kill. */
static void expect_everything(const struct kymo_reader *reader, const struct journal *journals,
                              uint64_t *lost)
{
    const uint64_t head = kymo_ring_head(&reader->ring);
    uint64_t next[WRITERS];
    uint64_t newest = 0;

    for (int i = 0; i < WRITERS; i++)
        next[i] = 1;
    *lost = 0;
    for (uint64_t pos = 0; pos < head; pos++) {
        unsigned char payload[SIZE];
        struct kymo_record record;
        uint64_t writer, number;

        cr_assert_eq(kymo_ring_at(reader, pos, payload, SIZE, &record), 0);
        cr_assert(is_whole(&record, payload), "position %ju", (uintmax_t)pos);
        cr_assert_geq(record.time, newest);
        newest = record.time;
        writer = record.tag / NUMBERS;
        number = record.tag % NUMBERS;
        cr_assert_lt(writer, (uint64_t)WRITERS);
        cr_assert_geq(number, next[writer], "twice, or out of order");
        for (; next[writer] < number; next[writer]++, ++*lost)
            cr_assert(was_unsure(&journals[writer], next[writer]), "writer %ju lost %ju",
                      (uintmax_t)writer, (uintmax_t)next[writer]);
        next[writer]++;
    }
    for (int i = 0; i < WRITERS; i++)
        for (; next[i] <= journals[i].attempt; next[i]++, ++*lost)
            cr_assert(was_unsure(&journals[i], next[i]), "writer %d lost its last", i);
}

static struct journal *make_journals(uint64_t limit, uint64_t depth, long pause)
{
    struct journal *journals = process_share(WRITERS * sizeof(*journals));

    for (uint32_t i = 0; i < WRITERS; i++) {
        journals[i].number = i;
        journals[i].limit = limit;
        journals[i].depth = depth;
        journals[i].pause = pause;
        journals[i].once = pause == 0;
    }
    return journals;
}

static uint64_t slowest_of(const struct journal *journals)
{
    uint64_t slowest = 0;

    for (int i = 0; i < WRITERS; i++)
        slowest = journals[i].slowest > slowest ? journals[i].slowest : slowest;
    return slowest;
}

/* ---- all at once ---- */

Test(shared_writer, publishes_each_record_once_in_order)
{
    const uint64_t limit = process_count(200000, 10000);
    struct kymo_writer *keeper;
    struct kymo_reader *reader;
    struct journal *journals;
    pid_t writers[WRITERS];
    uint64_t depth = 2, lost;

    while (depth < limit * WRITERS)
        depth *= 2;
    journals = make_journals(limit, depth, 0);
    cr_assert_eq(open_shared(&keeper, depth), 0);
    cr_assert_eq(kymo_reader_open(&reader, NAME), 0);
    for (int i = 0; i < WRITERS; i++)
        writers[i] = process_start(write_on, &journals[i]);
    for (int i = 0; i < WRITERS; i++)
        cr_assert_eq(process_wait(writers[i]), 0);
    cr_assert_eq(kymo_ring_head(&reader->ring), limit * WRITERS);
    expect_everything(reader, journals, &lost);
    cr_assert_eq(lost, 0U);
    cr_assert_eq(info_of(reader).takeovers, 0U);
    cr_assert_eq(info_of(reader).adopted, 0U);
    printf("%d processes, %ju records; the slowest publish took %ju us\n", WRITERS,
           (uintmax_t)(limit * WRITERS), (uintmax_t)(slowest_of(journals) / 1000));
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(keeper), 0);
}

/* ---- killed at random, and at random test points ---- */

/* It may have been killed in a publish. */
static void record_kill(struct journal *journal)
{
    cr_assert_lt(journal->deaths, (uint64_t)(sizeof(journal->unsure) / sizeof(journal->unsure[0])));
    journal->unsure[journal->deaths++] = load(&journal->attempt);
}

struct killing {
    struct journal *journals;
    pid_t writers[WRITERS];
    uint64_t random;
    uint64_t by_us;
    uint64_t at_points;
};

/* Every other one kills itself at a random test point. */
static void start(struct killing *killing, int i)
{
    struct journal *journal = &killing->journals[i];

    journal->kill_point =
        random_below(&killing->random, 2) ? 1 + random_below(&killing->random, 300) : 0;
    killing->writers[i] = process_start(write_on, journal);
}

/* Kills one of them, if it has not died before. */
static void kill_one(struct killing *killing)
{
    const int victim = (int)random_below(&killing->random, WRITERS);
    struct journal *journal = &killing->journals[victim];
    int status;

    process_sleep((long)random_below(&killing->random, 2000000));
    status = process_kill(killing->writers[victim]);
    cr_assert_eq(status, -SIGKILL, "a writer ended with %d", status);
    record_kill(journal);
    killing->by_us++;
    start(killing, victim);
}

/* Starts a new writer for each that has killed itself. */
static void replace_dead(struct killing *killing)
{
    for (int i = 0; i < WRITERS; i++) {
        int status;

        if (waitpid(killing->writers[i], &status, WNOHANG) != killing->writers[i])
            continue;
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "a writer ended with %x",
                  (unsigned int)status);
        record_kill(&killing->journals[i]);
        killing->at_points++;
        start(killing, i);
    }
}

/* A reader that sleeps after each record, so that the bell is in use. */
static int follow(void *context)
{
    const struct journal *journals = context;
    struct kymo_reader *reader;
    uint64_t seen = 0;

    if (kymo_reader_open(&reader, NAME) != 0)
        return 1;
    while (!process_load(&journals[0].stop)) {
        if (kymo_ring_wait(reader, seen, kymo_clock_now(KYMO_MONOTONIC) + 50 * MILLISECOND) == 0)
            seen = kymo_ring_head(&reader->ring);
    }
    kymo_reader_close(reader);
    return 0;
}

static void stop_all(struct killing *killing)
{
    for (int i = 0; i < WRITERS; i++)
        process_store(&killing->journals[i].stop, 1);
    for (int i = 0; i < WRITERS; i++) {
        const int status = process_wait(killing->writers[i]);

        cr_assert(status == 0 || status == -SIGKILL, "a writer ended with %d", status);
        if (status)
            record_kill(&killing->journals[i]);
    }
}

Test(shared_writer, loses_no_record_to_kills)
{
    const uint64_t depth = UINT64_C(1) << 20;
    const uint64_t limit = depth / WRITERS;
    struct killing killing = {.journals = make_journals(limit, depth, 50000), .random = 3};
    struct kymo_writer *keeper;
    struct kymo_reader *reader;
    struct kymo_info info;
    uint64_t lost;
    pid_t follower;

    cr_assert_eq(open_shared(&keeper, depth), 0);
    cr_assert_eq(kymo_reader_open(&reader, NAME), 0);
    follower = process_start(follow, killing.journals);
    for (int i = 0; i < WRITERS; i++)
        start(&killing, i);
    while (killing.by_us + killing.at_points < KILLS) {
        replace_dead(&killing);
        kill_one(&killing);
    }
    stop_all(&killing);
    cr_assert_eq(process_wait(follower), 0);
    /* The last one may have been killed with the lock, or with a complete record not counted. */
    cr_assert_eq(put(keeper, tag_of(0, killing.journals[0].attempt + 1)), 0);
    killing.journals[0].attempt++;
    expect_everything(reader, killing.journals, &lost);
    info = info_of(reader);
    printf("%ju records; %ju writers killed, %ju more at test points: %ju locks taken over, %ju "
           "records adopted, %ju never begun; the slowest publish took %ju us\n",
           (uintmax_t)kymo_ring_head(&reader->ring), (uintmax_t)killing.by_us,
           (uintmax_t)killing.at_points, (uintmax_t)info.takeovers, (uintmax_t)info.adopted,
           (uintmax_t)lost, (uintmax_t)(slowest_of(killing.journals) / 1000));
    cr_assert_gt(killing.at_points, 0U);
    cr_assert_gt(info.takeovers, 0U);
    cr_assert_gt(info.adopted, 0U);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(keeper), 0);
}

/* ---- killed at each point ---- */

static int publish_one(struct kymo_writer *writer, uint64_t tag)
{
    unsigned char payload[SIZE];

    checked_fill(payload, tag, SIZE);
    return kymo_ring_publish(writer, payload, SIZE, 0, tag);
}

static void expect_record(const struct kymo_reader *reader, uint64_t pos, uint64_t tag)
{
    unsigned char payload[SIZE];
    struct kymo_record record;

    cr_assert_eq(kymo_ring_at(reader, pos, payload, SIZE, &record), 0);
    cr_assert_eq(record.tag, tag);
    cr_assert(is_whole(&record, payload));
}

/* ---- stopped ---- */

struct stopping {
    uint32_t holding;
    uint32_t go;
};

static int loan_until_released(void *context)
{
    struct stopping *stopping = context;
    struct kymo_writer *writer;
    void *loan;

    if (open_shared(&writer, 8) != 0 || kymo_ring_loan(writer, &loan) != 0)
        return 1;
    checked_fill(loan, 5000, SIZE);
    process_store(&stopping->holding, 1);
    process_await(&stopping->go, 1);
    if (kymo_ring_commit(writer, SIZE, 0, 5000) != 0)
        return 2;
    kymo_writer_close(writer);
    return 0;
}

/* A stopped owner is alive: its lock is not taken over, and waiters time out. */
Test(shared_writer, keeps_lock_of_stopped_writer)
{
    struct stopping *stopping = process_share(sizeof(*stopping));
    struct kymo_writer *writer;
    struct kymo_reader *reader;
    uint64_t began, length;
    pid_t stopped;

    cr_assert_eq(open_shared(&writer, 8), 0);
    cr_assert_eq(kymo_reader_open(&reader, NAME), 0);
    stopped = process_start(loan_until_released, stopping);
    process_await(&stopping->holding, 1);
    kill(stopped, SIGSTOP);
    for (uint64_t timeout = 0; timeout <= 200 * MILLISECOND; timeout += 100 * MILLISECOND) {
        cr_assert_eq(kymo_writer_set_lock_timeout(writer, timeout), 0);
        began = kymo_clock_now(KYMO_MONOTONIC);
        cr_assert_eq(publish_one(writer, 1), -ETIMEDOUT);
        length = kymo_clock_now(KYMO_MONOTONIC) - began;
        cr_assert_geq(length, timeout);
        printf("timeout of %ju ms: ended after %ju us\n", (uintmax_t)(timeout / MILLISECOND),
               (uintmax_t)(length / 1000));
    }
    cr_assert_eq(info_of(reader).takeovers, 0U);
    kill(stopped, SIGCONT);
    process_store(&stopping->go, 1);
    cr_assert_eq(process_wait(stopped), 0);
    cr_assert_eq(publish_one(writer, 2), 0);
    expect_record(reader, 0, 5000);
    expect_record(reader, 1, 2);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

/* Stopped, then killed: the next publish is as fast as after any kill. */
Test(shared_writer, takes_over_from_writer_killed_while_stopped)
{
    struct stopping *stopping = process_share(sizeof(*stopping));
    struct kymo_writer *writer;
    pid_t stopped;

    cr_assert_eq(open_shared(&writer, 8), 0);
    stopped = process_start(loan_until_released, stopping);
    process_await(&stopping->holding, 1);
    kill(stopped, SIGSTOP);
    cr_assert_eq(process_kill(stopped), -SIGKILL);
    cr_assert_eq(publish_one(writer, 1), 0);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}
