/*
 * test_workers.c - the threads that serve, with a pipe for a kernel: one at a time while that will
 * do, another where one is held up, several under load, and none that is awake for nothing.
 *
 * Most of these hang where the workers are wrong, and then fail by their time limit.
 */
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <kymo/kymo.h>

#include "workers.h"

/* Requests are bytes: 'q' is quick; 'l' is lengthy and 's' slow: both last until somebody lets them
 * go, and only the lengthy one says so beforehand. */
struct kernel {
    int ends[2];
    struct workers *workers;
    uint32_t quick;
    uint32_t held;   /* requests that last at this moment */
    uint32_t go;     /* lets them go */
    uint32_t inside; /* workers that are serving, not those that wait for a request */
    uint32_t crowd;  /* the most that there were at once */
    uint32_t stop;
    uint32_t ended;
};

static struct kernel kernel;

static void nap(void)
{
    usleep(200);
}

static void last(uint32_t *count)
{
    kymo_fetch_add_ordered32(count, 1);
    while (!kymo_load_acquire32(&kernel.go))
        nap();
    kymo_fetch_add_ordered32(count, UINT32_MAX);
}

/* Each worker's own. */
static __thread char request;

static enum service_outcome receive(void *context)
{
    ssize_t len;

    cr_assert_eq(context, (void *)&kernel);
    if (kymo_load_acquire32(&kernel.stop))
        return SERVICE_ENDED;
    len = read(kernel.ends[0], &request, 1);
    if (len > 0)
        return SERVICE_RECEIVED;
    return len < 0 && errno == EINTR ? SERVICE_IDLE : SERVICE_ENDED;
}

static void answer(void *context)
{
    const uint32_t inside = kymo_fetch_add_ordered32(&kernel.inside, 1) + 1;

    (void)context;
    if (inside > kymo_load_relaxed32(&kernel.crowd))
        kymo_store_relaxed32(&kernel.crowd, inside);
    if (request == 'l')
        workers_step_aside();
    if (request == 'l' || request == 's')
        last(&kernel.held);
    else
        kymo_fetch_add_ordered32(&kernel.quick, 1);
    kymo_fetch_add_ordered32(&kernel.inside, UINT32_MAX);
}

static void end(void *context)
{
    (void)context;
    kymo_fetch_add_ordered32(&kernel.ended, 1);
}

static void cut(int number)
{
    (void)number;
}

static void start(int count, unsigned int poll)
{
    const struct sigaction action = {.sa_handler = cut};
    struct service service;

    kernel = (struct kernel){0};
    cr_assert_eq(pipe(kernel.ends), 0);
    service = (struct service){&kernel, kernel.ends[0], receive, answer, end};
    sigaction(SIGUSR1, &action, NULL);
    cr_assert_eq(workers_start(&kernel.workers, &service, count, poll), 0);
}

static void stop(int count)
{
    kymo_store_release32(&kernel.stop, 1);
    workers_stop(kernel.workers);
    cr_assert_eq(kernel.ended, (uint32_t)count);
    close(kernel.ends[0]);
    close(kernel.ends[1]);
}

static void ask(const char *requests)
{
    cr_assert_eq(write(kernel.ends[1], requests, strlen(requests)), (ssize_t)strlen(requests));
}

static void await(const uint32_t *word, uint32_t value)
{
    while (kymo_load_acquire32(word) != value)
        nap();
}

static const unsigned int polls[] = {0, 50, 2000};

Test(workers, serve_one_after_the_other, .timeout = 100)
{
    for (int i = 0; i < 3; i++) {
        start(3, polls[i]);
        for (uint32_t n = 1; n <= 200; n++) {
            ask("q");
            await(&kernel.quick, n);
        }
        cr_assert_eq(kernel.crowd, 1, "%u at once", kernel.crowd);
        stop(3);
    }
}

/* Who is about to be long says so, and others serve meanwhile: as many as there are. */
Test(workers, step_aside_before_lengthy_work, .timeout = 100)
{
    for (int i = 0; i < 3; i++) {
        start(3, polls[i]);
        ask("l");
        await(&kernel.held, 1);
        ask("qq");
        await(&kernel.quick, 2);
        ask("l");
        await(&kernel.held, 2);
        ask("qqq");
        await(&kernel.quick, 5);
        ask("lq");
        await(&kernel.held, 3);
        cr_assert_eq(kernel.quick, 5, "nobody is left");
        kymo_store_release32(&kernel.go, 1);
        await(&kernel.quick, 6);
        ask("qqqq");
        await(&kernel.quick, 10);
        stop(3);
    }
}

/* Where requests have waited time and again, another joins; so a slow one, too, holds up no more. */
Test(workers, become_more_under_load, .timeout = 100)
{
    start(3, 50);
    /* All in the pipe before anybody can have answered the first eight. */
    ask("qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqsqqqqqqqq");
    await(&kernel.quick, 72);
    cr_assert_eq(kernel.held, 1);
    kymo_store_release32(&kernel.go, 1);
    await(&kernel.held, 0);
    /* And fewer again: one does what there is to do. */
    usleep(20000);
    kernel.crowd = 0;
    for (uint32_t n = 73; n <= 172; n++) {
        ask("q");
        await(&kernel.quick, n);
    }
    cr_assert_eq(kernel.crowd, 1, "%u at once", kernel.crowd);
    stop(3);
}

Test(workers, end_while_they_wait, .timeout = 100)
{
    for (int round = 0; round < 60; round++) {
        start(1 + round % 4, polls[round % 3]);
        if (round % 2)
            ask("q");
        stop(1 + round % 4);
    }
}

/* Voluntary and involuntary switches of all threads so far. */
static long count_switches(void)
{
    char line[256];
    long sum = 0;
    FILE *tasks = popen("cat /proc/$PPID/task/*/status", "r");

    cr_assert_not_null(tasks);
    while (fgets(line, sizeof(line), tasks)) {
        if (strstr(line, "ctxt_switches:"))
            sum += atol(strchr(line, ':') + 1);
    }
    pclose(tasks);
    return sum;
}

Test(workers, cost_nothing_when_idle, .timeout = 100)
{
    long before;

    start(3, 50);
    ask("q");
    await(&kernel.quick, 1);
    usleep(100000);
    before = count_switches();
    usleep(300000);
    /* Ours: a sleep, and the pipe that counts; a poll of 50 us that goes on would be thousands. */
    cr_assert_lt(count_switches() - before, 100);
    stop(3);
}
