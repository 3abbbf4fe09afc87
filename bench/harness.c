/*
 * harness.c - measures rows: warm-up, calibration, alternating rounds, medians.
 */
#include "harness.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define ROUNDS_LIMIT 256

/* A round visits every slot of a ring of up to this depth at least once: a side then finds its slots
 * in the caches, whatever the other side evicted. */
#define SHALLOW 16

typedef uint64_t side(void *context, uint64_t count);

static uint64_t checksum;
static char reason[120];

uint64_t bench_checksum(void)
{
    return checksum;
}

uint64_t bench_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int bench_skip(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    return BENCH_SKIPPED;
}

_Noreturn void bench_fail(int error, const char *what)
{
    fprintf(stderr, "kymo-bench: %s: %s\n", what, strerror(-error));
    exit(1);
}

static cpu_set_t allowed; /* affinity at the start of the process */

int bench_pin(int cpu)
{
    cpu_set_t one;
    int seen = 0;

    if (CPU_COUNT(&allowed) == 0 && sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
        return 1;
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &allowed) && seen++ == cpu)
            CPU_SET(i, &one);
    if (CPU_COUNT(&one) == 1)
        sched_setaffinity(0, sizeof(one), &one);
    return seen;
}

void bench_unpin(void)
{
    if (CPU_COUNT(&allowed) > 0)
        sched_setaffinity(0, sizeof(allowed), &allowed);
}

struct partner {
    void *(*run)(void *);
    void *context;
};

static void *run_partner(void *argument)
{
    struct partner partner = *(struct partner *)argument;

    free(argument);
    bench_pin(1);
    return partner.run(partner.context);
}

void bench_partner_start(pthread_t *thread, void *(*run)(void *), void *context)
{
    struct partner *partner = malloc(sizeof(*partner));

    bench_require(partner ? 0 : -ENOMEM, "starting a thread");
    partner->run = run;
    partner->context = context;
    bench_require(-pthread_create(thread, NULL, run_partner, partner), "starting a thread");
}

void *bench_memory(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    bench_require(memory == MAP_FAILED ? -errno : 0, "allocating memory");
    memset(memory, 0, bytes);
    return memory;
}

void bench_memory_free(void *memory, size_t bytes)
{
    munmap(memory, bytes);
}

/* Single-threaded rows are timed by thread CPU time: on a busy machine other processes would
 * dominate elapsed time. */
static clockid_t clock_of_sides;

static uint64_t side_now(void)
{
    struct timespec now;

    clock_gettime(clock_of_sides, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t timed(side *run, void *context, uint64_t count)
{
    uint64_t begin = side_now();

    checksum += run(context, count);
    return side_now() - begin;
}

/* The shortest of up to four runs: the others were interrupted. */
static uint64_t shortest(side *run, void *context, uint64_t count, uint64_t enough)
{
    uint64_t least = timed(run, context, count);

    for (int tries = 0; tries < 3 && least < enough; tries++) {
        uint64_t ns = timed(run, context, count);

        least = ns < least ? ns : least;
    }
    return least ? least : 1;
}

/* The number of operations in a slice. Also warms caches and branch predictors. */
static uint64_t calibrate(side *run, void *context, uint64_t slice)
{
    uint64_t count = 1;
    uint64_t ns = shortest(run, context, count, 16 * slice);

    while (ns < slice / 4) {
        count *= ns < slice / 64 ? 8 : 2;
        ns = shortest(run, context, count, 16 * slice);
    }
    count = count * slice / ns;
    return count ? count : 1;
}

static int compare(const void *one, const void *other)
{
    double difference = *(const double *)one - *(const double *)other;

    return difference < 0 ? -1 : difference > 0;
}

double bench_quantile(double *values, size_t count, double part)
{
    size_t index = (size_t)((double)count * part);

    qsort(values, count, sizeof(*values), compare);
    return values[index < count ? index : count - 1];
}

void bench_distribution(struct bench_result *result, double *values, size_t count)
{
    result->ns = bench_quantile(values, count, 0.5);
    result->tail[0] = bench_quantile(values, count, 0.99);
    result->tail[1] = bench_quantile(values, count, 0.999);
    result->tail[2] = values[count - 1];
}

/* Alternates the sides, and which of them is first, so that background load affects both alike. */
static void measure_sides(const struct bench_row *row, void *context,
                          const struct bench_settings *settings, struct bench_result *result)
{
    side *sides[2] = {row->run, row->baseline};
    double ns[2][ROUNDS_LIMIT];
    uint64_t count[2];
    unsigned int rounds = settings->rounds < ROUNDS_LIMIT ? settings->rounds : ROUNDS_LIMIT;
    int last = row->baseline ? 1 : 0;

    clock_of_sides = row->stretch ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;
    if (row->stretch)
        rounds = (rounds + 3) / 4;
    if (row->rounds && rounds > row->rounds)
        rounds = row->rounds;
    for (int i = 0; i <= last; i++) {
        count[i] =
            calibrate(sides[i], context, settings->slice * (row->stretch ? row->stretch : 1));
        if (count[i] < row->depth && row->depth <= SHALLOW)
            count[i] = row->depth;
    }
    for (unsigned int round = 0; round < rounds; round++) {
        for (int turn = 0; turn <= last; turn++) {
            int i = last & (turn ^ (int)(round & 1));

            ns[i][round] = (double)timed(sides[i], context, count[i]) / (double)count[i];
        }
    }
    result->ns = bench_quantile(ns[0], rounds, 0.5);
    if (last)
        result->baseline = bench_quantile(ns[1], rounds, 0.5);
}

/* The baseline must read the same data as the subject. */
static void compare_sums(const struct bench_row *row, void *context)
{
    const uint64_t count = 5;
    uint64_t subject = row->run(context, count);
    uint64_t baseline = row->baseline(context, count);

    if (subject == baseline)
        return;
    fprintf(stderr, "kymo-bench: %s: the checksum differs from that of the baseline \"%s\"\n",
            row->name, row->against);
    exit(1);
}

void bench_measure(const struct bench_row *row, const struct bench_settings *settings,
                   struct bench_result *result)
{
    void *context = NULL;
    int status = row->open(row, &context);

    memset(result, 0, sizeof(*result));
    if (status == BENCH_SKIPPED) {
        memcpy(result->reason, reason, sizeof(reason));
        return;
    }
    bench_require(status, row->name);
    if (row->same_sum)
        compare_sums(row, context);
    if (row->measure)
        row->measure(context, settings, result);
    else
        measure_sides(row, context, settings, result);
    if (result->reason[0] == 0 && result->baseline > 0)
        result->ratio = result->ns / result->baseline;
    row->close(context);
}
