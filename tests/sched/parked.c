/*
 * parked.c - a writer that stops, or is killed, at each point of publish and of loan and commit:
 * readers answer at once with the last complete record, and the next writer goes on (promises A and
 * C).
 *
 * Every operation is tried at every point that it visits, after every length of history that makes
 * a difference, and every check is made each time.
 */
#include <stdio.h>

#include "proc/process.h"
#include "stress/oracle.h"
#include "test.h"

#define NAME  "parked"
#define DEPTH 4
#define SIZE  40

static const uint64_t histories[] = {0, 1, 3, 4, 5, 11};

/* ---- operations and their points ---- */

struct operation {
    const char *name;
    int (*run)(struct kymo_writer *writer, void *buffer);
    enum kymo_wake_policy wake_policy;
};

static const struct operation operations[] = {
    {"publish", checked_publish, KYMO_WAKE_WAITERS},
    {"publish and wake", checked_publish, KYMO_WAKE_ALWAYS},
    {"loan and commit", checked_commit, KYMO_WAKE_WAITERS},
    {"loan, commit and wake", checked_commit, KYMO_WAKE_ALWAYS},
};

/* What has happened when the writer stands at a point. */
struct progress {
    const char *point;
    int begun;    /* the slot was taken away from readers */
    int complete; /* the record is whole */
    int counted;  /* and head counts it */
};

static int open_writer(struct kymo_writer **writer, const struct operation *operation)
{
    const struct kymo_options options = {.depth = DEPTH,
                                         .size = SIZE,
                                         .clock = KYMO_USER,
                                         .wake_policy = operation->wake_policy};

    return kymo_writer_open(writer, NAME, &options);
}

/* The points that an operation visits, from one run of it. */
static size_t trace(const struct operation *operation, struct progress points[])
{
    const char *names[TESTPOINT_TRACE_LIMIT];
    struct progress progress = {0};
    struct kymo_writer *writer;
    unsigned char buffer[SIZE];
    size_t count;

    cr_assert_eq(open_writer(&writer, operation), 0);
    testpoint_trace_begin(names);
    cr_assert_eq(operation->run(writer, buffer), 0);
    count = testpoint_trace_end();
    cr_assert_eq(kymo_writer_remove(writer), 0);
    cr_assert_leq(count, (size_t)TESTPOINT_TRACE_LIMIT);
    for (size_t i = 0; i < count; i++) {
        progress.point = names[i];
        progress.begun |= strcmp(names[i], "SLOT_ODD") == 0;
        progress.complete |= strcmp(names[i], "SLOT_EVEN") == 0;
        progress.counted |= strcmp(names[i], "HEAD_STORED") == 0;
        points[i] = progress;
    }
    return count;
}

/* ---- the other process ---- */

struct scene {
    const struct operation *operation;
    uint64_t history; /* records before the one that is stopped */
    size_t point;
    int kill;
    struct testpoint_gate *gate;
};

#define AFTERWARDS 2 /* records that a parked writer publishes once it is let go */

static int write_and_stop(void *context)
{
    const struct scene *scene = context;
    struct kymo_writer *writer;
    unsigned char buffer[SIZE];

    if (open_writer(&writer, scene->operation) != 0)
        return 1;
    for (uint64_t i = 0; i < scene->history; i++) {
        if (scene->operation->run(writer, buffer) != 0)
            return 2;
    }
    testpoint_plan(NULL, scene->point, scene->kill ? testpoint_kill : testpoint_park, scene->gate);
    for (int i = 0; i < 1 + AFTERWARDS; i++) {
        if (scene->operation->run(writer, buffer) != 0)
            return 3;
    }
    if (testpoint_cancel())
        return 4;
    kymo_writer_close(writer);
    return 0;
}

/* ---- checks: each returns NULL, or what does not hold ---- */

struct reading {
    struct kymo_reader *reader;
    uint64_t head; /* what it has to be */
    int begun;     /* the slot of head has been taken away, so the oldest record is gone */
    int live;      /* the liveness that it has to have */
};

/* What reading the record at pos has to return. */
static int expected_at(const struct reading *reading, uint64_t pos)
{
    if (pos >= reading->head)
        return -ENODATA;
    if (reading->head - pos > DEPTH)
        return -ESTALE;
    return reading->begun && reading->head - pos == DEPTH ? -ESTALE : 0;
}

static const char *compare(int result, int expected, uint64_t pos, const struct kymo_record *record,
                           const void *payload)
{
    if (result != expected)
        return "result";
    if (result != 0)
        return NULL;
    if (record->pos != pos)
        return "position";
    return checked_fault(record, payload, SIZE);
}

static const char *check_latest(const struct reading *reading)
{
    unsigned char buffer[SIZE];
    struct kymo_record record = {0};
    int result = kymo_ring_latest(reading->reader, buffer, sizeof(buffer), &record);

    return compare(result, reading->head ? 0 : -ENODATA, reading->head - 1, &record, buffer);
}

static const char *check_at(const struct reading *reading)
{
    unsigned char buffer[SIZE];
    struct kymo_record record = {0};
    const char *fault = NULL;

    for (uint64_t pos = 0; pos < reading->head + 2 && !fault; pos++) {
        int result = kymo_ring_at(reading->reader, pos, buffer, sizeof(buffer), &record);

        fault = compare(result, expected_at(reading, pos), pos, &record, buffer);
    }
    return fault;
}

static const char *check_back(const struct reading *reading)
{
    unsigned char buffer[SIZE];
    struct kymo_record record = {0};
    const char *fault = NULL;

    for (uint64_t back = 0; back < DEPTH + 2 && !fault; back++) {
        uint64_t pos = reading->head - 1 - back;
        int result = kymo_ring_back(reading->reader, back, buffer, sizeof(buffer), &record);
        int expected = back < reading->head ? expected_at(reading, pos) : -ENODATA;

        /* Behind the newest there is always such a record again; it is the retries that end. */
        if (expected == -ESTALE && back < DEPTH)
            expected = -EAGAIN;
        fault = compare(result, expected, pos, &record, buffer);
    }
    return fault;
}

static const char *check_view(const struct reading *reading)
{
    const char *fault = NULL;
    struct kymo_view view = {0};

    for (uint64_t pos = 0; pos < reading->head + 2 && !fault; pos++) {
        int result = kymo_ring_view(reading->reader, pos, &view);

        fault = compare(result, expected_at(reading, pos), pos, &view.record, view.payload);
        if (result == 0 && kymo_ring_validate(reading->reader, &view) != 0)
            fault = "validate";
    }
    return fault;
}

/* A cursor that begins at `next` gets everything that is left, once and in order. */
static const char *follow(const struct reading *reading, struct kymo_cursor *cursor)
{
    unsigned char buffer[SIZE];
    struct kymo_record record = {0};
    uint64_t pos = cursor->next;
    uint64_t missed;
    int result;

    while ((result = kymo_cursor_next(cursor, buffer, SIZE, &record, &missed)) == 0) {
        if (pos + missed != record.pos)
            return "missed";
        if (expected_at(reading, record.pos) != 0 || checked_fault(&record, buffer, SIZE))
            return "record";
        /* Having to skip, it leaves the slot alone that the writer will take next. */
        if (missed && reading->head - record.pos != DEPTH - 1)
            return "missed what was there";
        pos = record.pos + 1;
    }
    if (result != -ENODATA)
        return "result";
    return pos == reading->head ? NULL : "end";
}

static const char *check_cursor(const struct reading *reading)
{
    struct kymo_cursor oldest, first = {.reader = reading->reader}, newest;
    const char *fault;

    kymo_cursor_oldest(&oldest, reading->reader);
    kymo_cursor_newest(&newest, reading->reader);
    fault = follow(reading, &oldest);
    fault = fault ? fault : follow(reading, &first);
    return fault ? fault : follow(reading, &newest);
}

/* With the writer stopped nothing races: every answer is the one right one. */
static const char *check_questions(const struct reading *reading, uint64_t time)
{
    unsigned char one[SIZE], other[SIZE];
    const struct oracle_buffers buffers = {one, other};
    struct oracle_trial trial;

    for (enum oracle_kind kind = 0; kind < ORACLE_KINDS; kind++) {
        trial.question = (struct oracle_question){kind, time, time + 200};
        oracle_try(&trial, reading->reader, &buffers);
        if (reading->head == 0 && trial.answer.error == -ENODATA)
            continue;
        if (reading->head == 0 || oracle_verdict(&trial) != 1) {
            oracle_describe(&trial);
            return oracle_name(kind);
        }
    }
    return NULL;
}

static const char *check_queries(const struct reading *reading)
{
    const char *fault = NULL;

    for (uint64_t pos = 0; pos < reading->head + 2; pos++) {
        for (int which = 0; which < ORACLE_TIMES && !fault; which++)
            fault = check_questions(reading, oracle_time(pos, which));
    }
    return fault;
}

static const char *check_wait(const struct reading *reading)
{
    const uint64_t head = reading->head;

    if (kymo_ring_head(&reading->reader->ring) != head)
        return "head";
    if (head > 0 && kymo_ring_wait(reading->reader, head - 1, 0) != 0)
        return "what there is already";
    return kymo_ring_wait(reading->reader, head, 0) == -ETIMEDOUT ? NULL : "what is to come";
}

static const char *check_liveness(const struct reading *reading)
{
    int live = kymo_segment_liveness(reading->reader->segment, KYMO_FOREVER);

    return live == reading->live ? NULL : kymo_liveness_text(live);
}

static const struct check {
    const char *name;
    const char *(*run)(const struct reading *reading);
} checks[] = {
    {"latest", check_latest}, {"at", check_at},
    {"back", check_back},     {"view", check_view},
    {"cursor", check_cursor}, {"queries", check_queries},
    {"wait", check_wait},     {"liveness", check_liveness},
};

static uint64_t checks_made;

static void check_all(const struct reading *reading, const struct scene *scene,
                      const struct progress *progress)
{
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        const char *fault = checks[i].run(reading);

        checks_made++;
        cr_assert_null(fault, "%s stopped at %s after %d records: %s: %s", scene->operation->name,
                       progress->point, (int)scene->history, checks[i].name, fault);
    }
}

/* ---- schedules ---- */

static void run_parked(struct scene *scene, const struct progress *progress)
{
    struct reading reading = {.head = scene->history + (progress->counted ? 1 : 0),
                              .begun = progress->begun && !progress->counted,
                              .live = KYMO_LIVE_ALIVE};
    pid_t child;

    scene->gate = testpoint_gate_make();
    child = process_start(write_and_stop, scene);
    testpoint_await(scene->gate);
    cr_assert_eq(kymo_reader_open(&reading.reader, NAME), 0);
    check_all(&reading, scene, progress);
    testpoint_release(scene->gate);
    cr_assert_eq(process_wait(child), 0);
    reading.head = scene->history + 1 + AFTERWARDS;
    reading.begun = 0;
    reading.live = KYMO_LIVE_CLOSED;
    check_all(&reading, scene, progress);
    kymo_reader_close(reading.reader);
    testpoint_gate_free(scene->gate);
    cr_assert_eq(kymo_segment_remove(NAME), 0);
}

/* The next writer: adopts what was complete, and goes on where the history ends. */
static void run_resumed(struct scene *scene, const struct progress *progress,
                        struct reading *reading)
{
    const int adopts = progress->complete && !progress->counted;
    struct kymo_writer *writer;
    struct kymo_info info;
    unsigned char buffer[SIZE];

    cr_assert_eq(open_writer(&writer, scene->operation), 0);
    reading->head += (uint64_t)adopts;
    reading->begun = reading->begun && !adopts;
    reading->live = KYMO_LIVE_ALIVE;
    cr_assert_eq(writer->pos, reading->head, "%s, %s", scene->operation->name, progress->point);
    cr_assert_eq(kymo_segment_info(reading->reader->segment, &info), 0);
    cr_assert_eq(info.adopted, (uint64_t)adopts);
    cr_assert_eq(info.writers, 2U);
    check_all(reading, scene, progress);
    for (int i = 0; i < 2 * DEPTH; i++) {
        cr_assert_eq(scene->operation->run(writer, buffer), 0);
        reading->head++;
        reading->begun = 0;
        check_all(reading, scene, progress);
    }
    kymo_writer_close(writer);
}

static void run_killed(struct scene *scene, const struct progress *progress)
{
    struct reading reading = {.head = scene->history + (progress->counted ? 1 : 0),
                              .begun = progress->begun && !progress->counted,
                              .live = KYMO_LIVE_DEAD};

    cr_assert_eq(process_wait(process_start(write_and_stop, scene)), -SIGKILL, "%s, %s",
                 scene->operation->name, progress->point);
    cr_assert_eq(kymo_reader_open(&reading.reader, NAME), 0);
    check_all(&reading, scene, progress);
    run_resumed(scene, progress, &reading);
    kymo_reader_close(reading.reader);
    cr_assert_eq(kymo_segment_remove(NAME), 0);
}

static void run_all(int kill)
{
    struct progress points[TESTPOINT_TRACE_LIMIT];
    unsigned int schedules = 0;

    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        size_t count = trace(&operations[i], points);

        cr_assert_geq(count, (size_t)4);
        for (size_t history = 0; history < sizeof(histories) / sizeof(histories[0]); history++) {
            for (size_t point = 0; point < count; point++) {
                struct scene scene = {.operation = &operations[i],
                                      .history = histories[history],
                                      .point = point,
                                      .kill = kill};

                (kill ? run_killed : run_parked)(&scene, &points[point]);
                schedules++;
            }
        }
    }
    printf("%u schedules, %llu checks\n", schedules, (unsigned long long)checks_made);
}

Test(parked, readers_answer_beside_a_stopped_writer)
{
    run_all(0);
}

Test(parked, readers_answer_and_writers_resume_after_a_kill)
{
    run_all(1);
}
