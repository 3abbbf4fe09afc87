/*
 * test_bulk.c - jobs take turns: no job waits for the end of another, nor for other users' jobs.
 */
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <kymo/kymo.h>

#include "base/bulk.h"

#define MILLISECOND UINT64_C(1000000)

/* A job that computes for some time. Counts as running except during its pauses. */
struct job {
    struct bulk_job bulk; /* first */
    uint64_t duration;    /* ns of running; 0: until `stop` is set */
    uint32_t started;
    uint32_t ended; /* 0, or its number in the order of the ends */
    uint32_t slices;
};

static uint32_t running, most_running, ends, stop;

static void raise_maximum(uint32_t now)
{
    if (now > kymo_load_relaxed32(&most_running))
        kymo_store_relaxed32(&most_running, now);
}

static uint64_t now(void)
{
    return kymo_clock_now(KYMO_MONOTONIC);
}

static void run(struct bulk_job *bulk)
{
    struct job *job = (struct job *)bulk;
    uint64_t ran = 0;

    kymo_store_release32(&job->started, 1);
    while (job->duration ? ran < job->duration : !kymo_load_acquire32(&stop)) {
        const uint64_t begin = now();

        raise_maximum(kymo_fetch_add_ordered32(&running, 1) + 1);
        while (now() < begin + MILLISECOND / 10)
            ;
        ran += now() - begin;
        kymo_fetch_add_ordered32(&running, UINT32_MAX);
        job->slices++;
        bulk_pause(bulk);
    }
    kymo_store_release32(&job->ended, kymo_fetch_add_ordered32(&ends, 1) + 1);
}

static struct bulk *open_bulk(unsigned int count)
{
    struct bulk *bulk;

    cr_assert_eq(bulk_open(&bulk, count), 0);
    return bulk;
}

static void submit(struct bulk *bulk, struct job *job, uint32_t uid, uint64_t duration)
{
    *job = (struct job){.bulk = {.run = run, .uid = uid}, .duration = duration};
    cr_assert_eq(bulk_submit(bulk, &job->bulk), 0);
}

static void wait_until(const uint32_t *word)
{
    while (!kymo_load_acquire32(word))
        usleep(200);
}

Test(bulk, ends_a_short_job_before_a_long_one, .timeout = 60)
{
    struct bulk *bulk = open_bulk(1);
    static struct job longs[3], short_one;
    uint64_t begin;

    for (int i = 0; i < 3; i++)
        submit(bulk, &longs[i], 1, 1000 * MILLISECOND);
    wait_until(&longs[2].started);
    begin = now();
    submit(bulk, &short_one, 1, 2 * MILLISECOND);
    wait_until(&short_one.ended);
    cr_assert_eq(short_one.ended, 1);
    cr_assert_lt(now() - begin, 500 * MILLISECOND);
    bulk_close(bulk);
    for (int i = 0; i < 3; i++)
        cr_assert(longs[i].ended, "close waits for job %d", i);
}

Test(bulk, limits_the_jobs_that_run_at_a_time, .timeout = 60)
{
    for (unsigned int count = 1; count <= 3; count++) {
        struct bulk *bulk = open_bulk(count);
        static struct job jobs[20];

        most_running = 0;
        for (int i = 0; i < 20; i++)
            submit(bulk, &jobs[i], (uint32_t)i, 20 * MILLISECOND);
        bulk_close(bulk);
        cr_assert(most_running <= count && most_running > 0, "%u of %u", most_running, count);
    }
}

/* A job that runs alone keeps its turn; with others, none waits much longer than their slices. */
Test(bulk, passes_turns_in_order, .timeout = 60)
{
    struct bulk *bulk = open_bulk(1);
    static struct job jobs[5];
    uint32_t least = UINT32_MAX, most = 0;

    for (int i = 0; i < 5; i++)
        submit(bulk, &jobs[i], 1, 0);
    for (int i = 0; i < 5; i++)
        wait_until(&jobs[i].started);
    usleep(500000);
    kymo_store_release32(&stop, 1);
    bulk_close(bulk);
    for (int i = 0; i < 5; i++) {
        least = jobs[i].slices < least ? jobs[i].slices : least;
        most = jobs[i].slices > most ? jobs[i].slices : most;
    }
    cr_assert(least > 0 && most <= least * 3, "from %u to %u slices", least, most);
}

/* The jobs of one user never occupy all threads. */
Test(bulk, starts_the_job_of_another_user, .timeout = 60)
{
    struct bulk *bulk = open_bulk(1);
    static struct job many[100], other;
    int started = 0;

    for (int i = 0; i < 100; i++)
        submit(bulk, &many[i], 1, 0);
    wait_until(&many[0].started);
    submit(bulk, &other, 2, MILLISECOND);
    wait_until(&other.ended);
    cr_assert_eq(other.ended, 1);
    for (int i = 0; i < 100; i++)
        started += many[i].started != 0;
    cr_assert(started > 1 && started < BULK_THREADS, "%d were started", started);
    kymo_store_release32(&stop, 1);
    bulk_close(bulk);
    cr_assert_eq(ends, 101);
}

static void count_end(struct bulk_job *job)
{
    kymo_fetch_add_ordered32(&ends, 1);
    free(job);
}

/* From several threads; each job is freed at its end. */
static void *submit_many(void *context)
{
    for (int i = 0; i < 2000; i++) {
        struct bulk_job *job = calloc(1, sizeof(*job));

        job->run = count_end;
        job->uid = (uint32_t)i % 7;
        while (bulk_submit(context, job) != 0)
            usleep(100);
    }
    return NULL;
}

Test(bulk, loses_no_job, .timeout = 60)
{
    struct bulk *bulk = open_bulk(2);
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, submit_many, bulk), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    bulk_close(bulk);
    cr_assert_eq(ends, 8000);
}

static sigset_t mask_of_job;

static void read_mask(struct bulk_job *job)
{
    (void)job;
    pthread_sigmask(SIG_SETMASK, NULL, &mask_of_job);
}

/* SIGUSR1 is for workers, others are for the main thread; a fault in a segment is for its own thread. */
Test(bulk, blocks_all_signals_except_faults, .timeout = 60)
{
    struct bulk *bulk = open_bulk(0);
    struct bulk_job job = {.run = read_mask};

    cr_assert_eq(bulk_submit(bulk, &job), 0);
    bulk_close(bulk);
    cr_assert(sigismember(&mask_of_job, SIGUSR1) && sigismember(&mask_of_job, SIGTERM));
    cr_assert(!sigismember(&mask_of_job, SIGBUS));
}

Test(bulk, refuses_a_job_without_a_thread, .timeout = 60)
{
#if KYMO_TSAN || defined(__SANITIZE_ADDRESS__)
    cr_skip_test("sanitizers need address space");
#else
    struct bulk *bulk = open_bulk(1);
    struct bulk_job job = {.run = read_mask};
    struct rlimit none = {1 << 20, 1 << 20};

    cr_assert_eq(setrlimit(RLIMIT_AS, &none), 0);
    cr_assert_eq(bulk_submit(bulk, &job), -EAGAIN);
    bulk_close(bulk);
#endif
}
