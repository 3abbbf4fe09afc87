/*
 * liveness.c - liveness is decided by a kernel lock: stopped, closed, killed and forked writers (promise H).
 *
 * The test starts a parent with a writer, the parent starts a child, and the parent is killed. The child must not keep the writer ALIVE.
 */
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>

#include "process.h"
#include "stress/checked.h"
#include "test.h"

#define NAME "lives"
#define SIZE 16

extern char **environ;

static struct kymo_options options = {.depth = 4, .size = SIZE};

/* Reported by the children. */
static struct {
    uint32_t ready;
    uint32_t orphan_ready;
    pid_t orphan;
    uint32_t verdict; /* of a child's inherited handle: 1: as expected */
} * arena;

static void begin(void)
{
    arena = process_share(sizeof(*arena));
    /* Orphans become children of the test, except in qemu, which does not support this. */
#ifndef KYMO_EMULATED
    cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
#endif
}

static void end_orphan(void)
{
#ifdef KYMO_EMULATED
    cr_assert_eq(kill(arena->orphan, SIGKILL), 0);
#else
    cr_assert_eq(process_kill(arena->orphan), -SIGKILL);
#endif
}

static int publish_now(struct kymo_writer *writer)
{
    unsigned char buffer[SIZE] = {0};

    return kymo_ring_publish(writer, buffer, SIZE, kymo_clock_now(KYMO_MONOTONIC), 0);
}

static int open_and_publish(struct kymo_writer **writer)
{
    return kymo_writer_open(writer, NAME, &options) ? -1 : publish_now(*writer);
}

static _Noreturn void rest(void)
{
    for (;;)
        pause();
}

static int liveness(uint64_t limit)
{
    struct kymo_reader *reader;
    int result;

    cr_assert_eq(kymo_reader_open(&reader, NAME), 0);
    result = kymo_segment_liveness(reader->segment, limit);
    kymo_reader_close(reader);
    return result;
}

static void await_liveness(uint64_t limit, int expected)
{
    int result = KYMO_LIVE_UNKNOWN;

    for (int rounds = 0; rounds < 3000 && result != expected; rounds++) {
        result = liveness(limit);
        process_sleep(1000000);
    }
    cr_assert_eq(result, expected, "%s", kymo_liveness_text(result));
}

/* ---- one process ---- */

static int publish_steadily(void *context)
{
    struct kymo_writer *writer;

    (void)context;
    if (open_and_publish(&writer) != 0)
        return 1;
    process_store(&arena->ready, 1);
    while (process_load(&arena->ready) == 1) {
        if (publish_now(writer) != 0)
            return 2;
        process_sleep(100000);
    }
    kymo_writer_close(writer);
    return 0;
}

#define SECOND UINT64_C(1000000000)

Test(liveness, alive_stalled_closed_dead)
{
    pid_t writer;

    begin();
    writer = process_start(publish_steadily, NULL);
    process_await(&arena->ready, 1);
    cr_assert_eq(liveness(KYMO_FOREVER), KYMO_LIVE_ALIVE);
    await_liveness(SECOND, KYMO_LIVE_ALIVE);
    kill(writer, SIGSTOP);
    await_liveness(SECOND / 100, KYMO_LIVE_STALLED);
    cr_assert_eq(liveness(KYMO_FOREVER), KYMO_LIVE_ALIVE);
    kill(writer, SIGCONT);
    await_liveness(SECOND, KYMO_LIVE_ALIVE);
    process_store(&arena->ready, 2);
    cr_assert_eq(process_wait(writer), 0);
    cr_assert_eq(liveness(0), KYMO_LIVE_CLOSED);

    process_store(&arena->ready, 0);
    writer = process_start(publish_steadily, NULL);
    process_await(&arena->ready, 1);
    cr_assert_eq(liveness(KYMO_FOREVER), KYMO_LIVE_ALIVE);
    kill(writer, SIGSTOP);
    cr_assert_eq(process_kill(writer), -SIGKILL);
    cr_assert_eq(liveness(0), KYMO_LIVE_DEAD);
    cr_assert_eq(liveness(KYMO_FOREVER), KYMO_LIVE_DEAD);
    cr_assert_eq(kymo_segment_reap(NAME), 1);
}

/* ---- forked children ---- */

/* The child's calls on the inherited writer. */
static uint32_t examine_orphan(struct kymo_writer *writer)
{
    unsigned char buffer[SIZE] = {0};
    void *payload;

    if (kymo_ring_publish(writer, buffer, SIZE, UINT64_MAX, 0) != -EPERM)
        return 2;
    if (kymo_ring_loan(writer, &payload) != -EPERM ||
        kymo_ring_commit(writer, 1, UINT64_MAX, 0) != -EPERM ||
        kymo_writer_heartbeat(writer) != -EPERM)
        return 3;
    if (liveness(KYMO_FOREVER) != KYMO_LIVE_ALIVE) /* of the parent, while that is alive */
        return 4;
    return 1;
}

/* The child that outlives its parent; it has tried to use the inherited writer. */
static _Noreturn void stay(struct kymo_writer *writer)
{
    arena->orphan = getpid();
    process_store(&arena->verdict, examine_orphan(writer));
    process_store(&arena->orphan_ready, 1);
    rest();
}

static int just_fork(struct kymo_writer *writer)
{
    const pid_t child = fork();

    if (child == 0)
        stay(writer);
    return child < 0;
}

/* A close by the child does not change the segment. */
static int fork_and_close(struct kymo_writer *writer)
{
    const pid_t child = fork();

    if (child == 0) {
        kymo_writer_close(writer);
        arena->orphan = getpid();
        process_store(&arena->verdict, liveness(KYMO_FOREVER) == KYMO_LIVE_ALIVE ? 1 : 5);
        process_store(&arena->orphan_ready, 1);
        rest();
    }
    return child < 0;
}

/* Nor is its removal, which only a close is. */
static int fork_and_remove(struct kymo_writer *writer)
{
    const pid_t child = fork();

    if (child == 0) {
        arena->orphan = getpid();
        process_store(&arena->verdict, kymo_writer_remove(writer) == -EPERM ? 1 : 6);
        process_store(&arena->orphan_ready, 1);
        rest();
    }
    return child < 0;
}

/* The lock of a loan is released with the parent. */
static int fork_during_loan(struct kymo_writer *writer)
{
    void *payload;

    return kymo_ring_loan(writer, &payload) != 0 || just_fork(writer);
}

static int fork_twice(struct kymo_writer *writer)
{
    const pid_t child = fork();

    if (child == 0) {
        _exit(just_fork(writer));
    }
    return child < 0 || process_wait(child) != 0;
}

/* The parent also reads its own segment, and has slept on its bell. */
static int fork_with_reader(struct kymo_writer *writer)
{
    struct kymo_reader *reader;

    if (kymo_reader_open(&reader, NAME) != 0 ||
        kymo_ring_wait(reader, 1, kymo_clock_now(KYMO_MONOTONIC) + 1000000) != -ETIMEDOUT)
        return 1;
    return just_fork(writer);
}

/* The parent's writer was closed and opened again, and it has another writer. */
static int fork_with_many(struct kymo_writer *writer)
{
    struct kymo_writer *again, *other;

    kymo_writer_close(writer);
    if (kymo_writer_open(&other, NAME ".other", &options) != 0 ||
        kymo_writer_open(&again, NAME, NULL) != 0)
        return 1;
    kymo_writer_remove(other);
    return just_fork(again);
}

static void *fork_in_thread(void *context)
{
    return just_fork(context) ? context : NULL;
}

static int fork_from_thread(struct kymo_writer *writer)
{
    pthread_t thread;
    void *failed;

    return pthread_create(&thread, NULL, fork_in_thread, writer) != 0 ||
           pthread_join(thread, &failed) != 0 || failed != NULL;
}

static char *sleeper[] = {"sleep", "60", NULL};

static int spawn(struct kymo_writer *writer)
{
    (void)writer;
    if (posix_spawnp(&arena->orphan, sleeper[0], NULL, NULL, sleeper, environ) != 0)
        return 1;
    process_store(&arena->verdict, 1);
    process_store(&arena->orphan_ready, 1);
    return 0;
}

static int fork_and_execute(struct kymo_writer *writer)
{
    const pid_t child = fork();

    (void)writer;
    if (child == 0) {
        arena->orphan = getpid();
        process_store(&arena->verdict, 1);
        process_store(&arena->orphan_ready, 1);
        execvp(sleeper[0], sleeper);
        _exit(1);
    }
    return child < 0;
}

struct family {
    const char *name;
    int (*found)(struct kymo_writer *writer); /* run by the parent; not 0: failed */
};

static int live_with_child(void *context)
{
    const struct family *family = context;
    struct kymo_writer *writer;

    if (open_and_publish(&writer) != 0 || family->found(writer) != 0)
        return 1;
    process_store(&arena->ready, 1);
    rest();
}

static void run_family(const struct family *family)
{
    struct kymo_writer *next;
    pid_t parent;

    begin();
    parent = process_start(live_with_child, (void *)(uintptr_t)family);
    process_await(&arena->ready, 1);
    process_await(&arena->orphan_ready, 1);
    cr_assert_eq(arena->verdict, 1U, "%s: the child's verdict is %u", family->name, arena->verdict);
    cr_assert_eq(liveness(KYMO_FOREVER), KYMO_LIVE_ALIVE, "%s", family->name);
    cr_assert_eq(process_kill(parent), -SIGKILL);
    cr_assert_eq(kill(arena->orphan, 0), 0, "%s: the child has ended", family->name);
    /* A spawned child runs beside its parent before execve() has closed what it inherited. */
    await_liveness(KYMO_FOREVER, KYMO_LIVE_DEAD);
    cr_assert_eq(kymo_writer_open(&next, NAME, &options), 0, "%s", family->name);
    cr_assert_eq(publish_now(next), 0, "%s", family->name);
    cr_assert_eq(kymo_writer_remove(next), 0);
    end_orphan();
}

Test(liveness, child_does_not_keep_dead_writer_alive)
{
    static const struct family families[] = {
        {"fork", just_fork},
        {"fork, then close in the child", fork_and_close},
        {"fork, then remove in the child", fork_and_remove},
        {"fork during a loan", fork_during_loan},
        {"fork, and fork again", fork_twice},
        {"fork with a reader that has waited", fork_with_reader},
        {"fork after other writers", fork_with_many},
        {"fork from another thread", fork_from_thread},
        {"posix_spawn", spawn},
        {"fork and exec", fork_and_execute},
    };

    for (options.flags = 0; options.flags <= KYMO_SHARED_WRITER;
         options.flags += KYMO_SHARED_WRITER)
        for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
            run_family(&families[i]);
}
