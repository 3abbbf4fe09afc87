/*
 * openings.c - writers that race for a name, readers of a replaced generation, and forks in the middle of an open (promises H: liveness, I: complete or absent). crash_every_instruction.c kills openings.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "process.h"
#include "stress/checked.h"
#include "test.h"

#define NAME    "openings"
#define DEPTH   4
#define SIZE    40
#define RECORDS 6 /* of the previous generation */

static const struct kymo_options options = {.depth = DEPTH, .size = SIZE, .clock = KYMO_USER};
static const struct kymo_options replacing = {.depth = DEPTH,
                                              .size = SIZE,
                                              .clock = KYMO_USER,
                                              .existing = KYMO_REPLACE};
static const struct kymo_options creating = {.depth = DEPTH,
                                             .size = SIZE,
                                             .clock = KYMO_USER,
                                             .existing = KYMO_CREATE_NEW};
static const struct kymo_options other = {.depth = 2 * DEPTH, .size = SIZE, .clock = KYMO_USER};

static struct {
    char point[32]; /* of the last fork */
    uint32_t ready;
    uint32_t round;
    uint32_t done[2];
    uint32_t left[2];
    int result[2];
    pid_t orphan;
} * arena;

static void begin(void)
{
    arena = process_share(sizeof(*arena));
}

static void publish(struct kymo_writer *writer, int count)
{
    unsigned char buffer[SIZE];

    for (int i = 0; i < count; i++)
        cr_assert_eq(checked_publish(writer, buffer), 0);
}

/* ---- unfinished segments ---- */

static int unfinished(void)
{
    DIR *listing = opendir(kymo_directory());
    struct dirent *entry;
    int count = 0;

    cr_assert_not_null(listing);
    while ((entry = readdir(listing)))
        count += strncmp(entry->d_name, ".kymo-", 6) == 0;
    closedir(listing);
    return count;
}

/* ---- the previous generation ---- */

static void leave_nothing(void)
{
}

static void leave_closed(void)
{
    struct kymo_writer *writer;

    cr_assert_eq(kymo_writer_open(&writer, NAME, &options), 0);
    publish(writer, RECORDS);
    kymo_writer_close(writer);
}

static int publish_and_die(void *context)
{
    struct kymo_writer *writer;
    unsigned char buffer[SIZE];

    (void)context;
    if (kymo_writer_open(&writer, NAME, NULL) != 0)
        return 1;
    testpoint_plan("SLOT_EVEN", 0, testpoint_kill, NULL);
    return checked_publish(writer, buffer);
}

/* With a record that is complete and not yet counted. */
static void leave_dead(void)
{
    leave_closed();
    cr_assert_eq(process_wait(process_start(publish_and_die, NULL)), -SIGKILL);
}

/* ---- two writers race for a name ---- */

/* Options of both writers, and the error of the loser. */
struct race {
    const char *name;
    void (*prepare)(void);
    const struct kymo_options *options;
    int loser;
};

static const struct race races[] = {
    {"create or resume", leave_nothing, &options, -EBUSY},
    {"resume", leave_closed, &options, -EBUSY},
    {"take over from the dead", leave_dead, &options, -EBUSY},
    {"replace", leave_closed, &replacing, -EBUSY},
    {"replace by another layout", leave_closed, &other, -EBUSY},
    {"create", leave_nothing, &creating, -EEXIST},
};

#define RACES (sizeof(races) / sizeof(races[0]))

/* Spins: a sleep would delay one of them. */
static void await_round(uint32_t round)
{
    for (uint64_t spins = 0; process_load(&arena->round) < round; spins++) {
        if (spins > 1000)
            sched_yield();
    }
}

static void run_round(int racer, uint32_t round)
{
    struct kymo_writer *writer;
    unsigned char buffer[SIZE];

    await_round(round);
    arena->result[racer] = kymo_writer_open(&writer, NAME, races[(round - 1) % RACES].options);
    process_store(&arena->done[racer], round);
    process_await(&arena->done[!racer], round);
    if (arena->result[racer] != 0)
        return;
    arena->result[racer] = checked_publish(writer, buffer);
    kymo_writer_close(writer);
}

static int race_on(void *context)
{
    const int racer = *(const int *)context;
    const uint32_t rounds = process_load(&arena->ready);

    for (uint32_t round = 1; round <= rounds; round++) {
        run_round(racer, round);
        process_store(&arena->left[racer], round);
    }
    return 0;
}

Test(openings, one_of_two_racing_writers_wins)
{
    const uint32_t rounds = (uint32_t)process_count(10000, 250);
    static const int racers[] = {0, 1};
    uint32_t won[2] = {0, 0};
    pid_t processes[2];

    begin();
    process_store(&arena->ready, rounds);
    for (int i = 0; i < 2; i++)
        processes[i] = process_start(race_on, (void *)(uintptr_t)&racers[i]);
    for (uint32_t round = 1; round <= rounds; round++) {
        const struct race *race = &races[(round - 1) % RACES];
        const int *result = arena->result;

        race->prepare();
        process_store(&arena->round, round);
        process_await(&arena->left[0], round);
        process_await(&arena->left[1], round);
        cr_assert((result[0] == 0 && result[1] == race->loser) ||
                      (result[1] == 0 && result[0] == race->loser),
                  "%s, round %u: %d and %d", race->name, round, result[0], result[1]);
        won[result[0] == 0 ? 0 : 1]++;
        cr_assert_eq(kymo_segment_remove(NAME), 0);
    }
    for (int i = 0; i < 2; i++)
        cr_assert_eq(process_wait(processes[i]), 0);
    cr_assert_eq(unfinished(), 0);
    printf("%u rounds, won by %u and %u\n", rounds, won[0], won[1]);
}

/* One of them is stopped at a step. */
struct attempt {
    const struct race *race;
    uint64_t step;
    struct testpoint_gate *gate;
};

static int open_and_park(void *context)
{
    const struct attempt *attempt = context;
    struct kymo_writer *writer;

    testpoint_plan(NULL, attempt->step, testpoint_park, attempt->gate);
    arena->result[0] = kymo_writer_open(&writer, NAME, &options);
    if (testpoint_cancel())
        testpoint_park(attempt->gate, "opened");
    process_store(&arena->done[0], 1);
    process_await(&arena->done[1], 1);
    return 0;
}

static int open_beside(const struct attempt *attempt)
{
    struct kymo_writer *writer = NULL;
    pid_t paused;
    int parked_before, result;

    attempt->race->prepare();
    process_store(&arena->done[0], 0);
    process_store(&arena->done[1], 0);
    arena->result[0] = 1;
    paused = process_start(open_and_park, (void *)(uintptr_t)attempt);
    testpoint_await(attempt->gate);
    parked_before = arena->result[0];
    result = kymo_writer_open(&writer, NAME, &options);
    cr_assert(result == 0 || result == -EBUSY);
    testpoint_release(attempt->gate);
    process_await(&arena->done[0], 1);
    cr_assert_eq(arena->result[0], result == 0 ? -EBUSY : 0, "%s, step %d", attempt->race->name,
                 (int)attempt->step);
    process_store(&arena->done[1], 1);
    cr_assert_eq(process_wait(paused), 0);
    kymo_writer_close(writer);
    cr_assert_eq(kymo_segment_remove(NAME), 0);
    return parked_before == 1;
}

Test(openings, two_writers_in_every_order)
{
    begin();
    for (size_t i = 0; i < 3; i++) {
        struct attempt attempt = {&races[i], 0, NULL};
        int before_its_end;

        do {
            attempt.gate = testpoint_gate_make();
            before_its_end = open_beside(&attempt);
            testpoint_gate_free(attempt.gate);
            attempt.step++;
        } while (before_its_end);
        cr_assert_geq(attempt.step, 3U);
    }
    cr_assert_eq(unfinished(), 0);
}

/* ---- readers of a replaced generation ---- */

/* Blocks until the generation ends, and reads the next one. */
static int reopen_after_replacement(void *context)
{
    struct kymo_record record = {0};
    unsigned char buffer[SIZE];
    struct kymo_reader *reader;
    int error;

    (void)context;
    if (kymo_reader_open(&reader, NAME) != 0)
        return 1;
    __atomic_add_fetch(&arena->ready, 1, __ATOMIC_RELEASE);
    do
        error = kymo_ring_wait(reader, kymo_ring_head(&reader->ring), KYMO_FOREVER);
    while (error == 0);
    if (error != -EIDRM || kymo_ring_latest(reader, buffer, SIZE, &record) != -EIDRM ||
        kymo_segment_liveness(reader->segment, 0) != -EIDRM)
        return 2;
    kymo_reader_close(reader);
    if (kymo_reader_open(&reader, NAME) != 0)
        return 3;
    if (kymo_ring_wait(reader, 0, KYMO_FOREVER) != 0 ||
        kymo_ring_latest(reader, buffer, SIZE, &record) != 0 || record.pos != 0 ||
        checked_fault(&record, buffer, SIZE))
        return 4;
    kymo_reader_close(reader);
    return 0;
}

Test(openings, readers_of_a_replaced_generation_reopen)
{
    struct kymo_writer *writer, *next;
    pid_t readers[4];

    for (int round = 0; round < 20; round++) {
        begin();
        cr_assert_eq(kymo_writer_open(&writer, NAME, &options), 0);
        publish(writer, RECORDS);
        for (int i = 0; i < 4; i++)
            readers[i] = process_start(reopen_after_replacement, NULL);
        process_await(&arena->ready, 4);
        process_sleep(round % 2 ? 2000000 : 0);
        cr_assert_eq(kymo_writer_open(&next, NAME, &replacing), -EBUSY);
        kymo_writer_close(writer);
        cr_assert_eq(kymo_writer_open(&next, NAME, round % 3 ? &replacing : &other), 0);
        cr_assert_eq(next->pos, 0U);
        publish(next, 1);
        for (int i = 0; i < 4; i++)
            cr_assert_eq(process_wait(readers[i]), 0);
        cr_assert_eq(kymo_writer_remove(next), 0);
    }
}

/* ---- a fork in the middle of an open ---- */

/* A descriptor may be open and not yet registered: no child may keep it (promise H). */
static void *fork_and_rest(void *context)
{
    pid_t child;

    (void)context;
    process_store(&arena->done[0], 1);
    child = fork();
    if (child == 0) {
        arena->orphan = getpid();
        process_store(&arena->done[1], 1);
        for (;;)
            pause();
    }
    return NULL;
}

static void fork_beside(void *context, const char *name)
{
    pthread_t *thread = context;

    snprintf(arena->point, sizeof(arena->point), "%s", name);
    if (pthread_create(thread, NULL, fork_and_rest, NULL) != 0)
        return;
    process_await(&arena->done[0], 1);
    process_sleep(5000000); /* time for the fork, unless it is blocked */
}

static int open_beside_a_fork(void *context)
{
    const uint64_t step = *(const uint64_t *)context;
    struct kymo_writer *writer;
    pthread_t thread;

    testpoint_plan(NULL, step, fork_beside, &thread);
    if (kymo_writer_open(&writer, NAME, &replacing) != 0)
        return 1;
    if (testpoint_cancel())
        return 0;
    pthread_join(thread, NULL);
    process_store(&arena->ready, 1);
    for (;;)
        pause();
}

static int fork_at(uint64_t step)
{
    struct kymo_reader *reader;
    pid_t parent;

    begin();
    leave_closed();
    parent = process_start(open_beside_a_fork, &step);
    while (!process_load(&arena->ready)) {
        if (waitpid(parent, NULL, WNOHANG) == parent)
            return 0;
        process_sleep(100000);
    }
    process_await(&arena->done[1], 1);
    cr_assert_eq(kymo_reader_open(&reader, NAME), 0);
    cr_assert_eq(kymo_segment_liveness(reader->segment, KYMO_FOREVER), KYMO_LIVE_ALIVE);
    cr_assert_eq(process_kill(parent), -SIGKILL);
    cr_assert_eq(kymo_segment_liveness(reader->segment, KYMO_FOREVER), KYMO_LIVE_DEAD,
                 "forked at %s", arena->point);
    kymo_reader_close(reader);
    cr_assert_eq(process_kill(arena->orphan), -SIGKILL);
    cr_assert_eq(kymo_segment_remove(NAME), 0);
    return 1;
}

Test(openings, fork_during_open_does_not_keep_dead_writer_alive)
{
    uint64_t step = 0;

#ifdef KYMO_EMULATED
    cr_skip_test("qemu has no prctl(PR_SET_CHILD_SUBREAPER)");
#endif
    cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    while (fork_at(step))
        step++;
    cr_assert_geq(step, 8U);
    printf("forked at %d points\n", (int)step);
    cr_assert_eq(kymo_segment_remove(NAME), 0);
}
