/*
 * paused_writer.c - a writer is stopped or killed at each test point of publish, loan and commit: readers return the last complete record at once, and the next writer resumes (promises A: no torn record, C: a crash loses at most one record).
 *
 * Every operation is stopped at every point, after every length of history that matters, with all checks.
 */
#include <stdio.h>

#include "proc/process.h"
#include "stress/reading.h"
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

/* Side effects up to a point. */
struct progress {
    const char *point;
    int begun;    /* the slot is odd */
    int complete; /* the record is complete */
    int counted;  /* head counts it */
};

static int open_writer(struct kymo_writer **writer, const struct operation *operation)
{
    const struct kymo_options options = {.depth = DEPTH,
                                         .size = SIZE,
                                         .clock = KYMO_USER,
                                         .wake_policy = operation->wake_policy};

    return kymo_writer_open(writer, NAME, &options);
}

/* The points of an operation, from one run. */
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
    uint64_t history; /* records before the stop */
    size_t point;
    int kill;
    struct testpoint_gate *gate;
};

#define AFTERWARDS 2 /* records that a paused writer publishes after its release */

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

/* ---- checks ---- */

static uint64_t checks_made;

static void check_all(const struct reading *reading, const struct scene *scene,
                      const struct progress *progress)
{
    const char *name = "";
    const char *fault = reading_check_all(reading, &name);

    checks_made += READING_CHECKS;
    cr_assert_null(fault, "%s stopped at %s after %d records: %s: %s", scene->operation->name,
                   progress->point, (int)scene->history, name, fault);
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

/* The next writer adopts a complete record, and continues after the history. */
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

Test(paused_writer, readers_succeed_while_writer_is_stopped)
{
    run_all(0);
}

Test(paused_writer, readers_succeed_and_writers_resume_after_kill)
{
    run_all(1);
}
