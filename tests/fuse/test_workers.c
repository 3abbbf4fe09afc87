/*
 * test_workers.c - the leader/follower pool, with a pipe instead of the kernel.
 *
 * If the pool is wrong, most of these tests hang and fail by their timeout.
 */
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <kymo/kymo.h>

#include "daemon/workers.h"

/* Requests are bytes: 'q' is quick; 's' lasts until `proceed` is set. */
struct kernel {
    int ends[2];
    struct workers *workers;
    uint32_t received;
    uint64_t buffer;   /* address, of the last request */
    uint32_t handoffs; /* requests that another worker received than the one before */
    uint32_t quick;
    uint32_t slow; /* in progress */
    uint32_t proceed;
    uint32_t processing; /* workers that are processing a request */
    uint32_t stop;
    uint32_t ended;
};

static struct kernel kernel;

static void short_pause(void)
{
    usleep(200);
}

static enum receive_result receive(void *context, void *buffer)
{
    ssize_t len;

    cr_assert_eq(context, (void *)&kernel);
    if (kymo_load_acquire32(&kernel.stop))
        return RECEIVE_END;
    len = read(kernel.ends[0], buffer, 1);
    if (len > 0)
        return RECEIVE_REQUEST;
    return len < 0 && errno == EINTR ? RECEIVE_NONE : RECEIVE_END;
}

static void process(void *context, void *buffer)
{
    const char *request = buffer;
    const uint32_t processing = kymo_fetch_add_ordered32(&kernel.processing, 1) + 1;

    (void)context;
    kymo_fetch_add_ordered32(&kernel.received, 1);
    if (processing == 1 && (uintptr_t)buffer != kymo_load_relaxed(&kernel.buffer))
        kymo_fetch_add_ordered32(&kernel.handoffs, 1);
    kymo_store_relaxed(&kernel.buffer, (uintptr_t)buffer);
    if (*request == 's') {
        kymo_fetch_add_ordered32(&kernel.slow, 1);
        while (!kymo_load_acquire32(&kernel.proceed))
            short_pause();
        kymo_fetch_add_ordered32(&kernel.slow, UINT32_MAX);
    } else {
        kymo_fetch_add_ordered32(&kernel.quick, 1);
    }
    kymo_fetch_add_ordered32(&kernel.processing, UINT32_MAX);
}

static void end(void *context, void *buffer)
{
    (void)context;
    cr_assert_not_null(buffer);
    kymo_fetch_add_ordered32(&kernel.ended, 1);
}

static void interrupt(int number)
{
    (void)number;
}

static int try_start(int count, unsigned int poll)
{
    const struct sigaction action = {.sa_handler = interrupt};
    struct service service;

    kernel = (struct kernel){0};
    cr_assert_eq(pipe(kernel.ends), 0);
    service = (struct service){&kernel, kernel.ends[0], 1, receive, process, end};
    sigaction(SIGUSR1, &action, NULL);
    return workers_start(&kernel.workers, &service, count, poll);
}

static void start(int count, unsigned int poll)
{
    cr_assert_eq(try_start(count, poll), 0);
}

static void stop(int count)
{
    kymo_store_release32(&kernel.stop, 1);
    workers_stop(kernel.workers);
    cr_assert_eq(kernel.ended, (uint32_t)count);
    close(kernel.ends[0]);
    close(kernel.ends[1]);
}

static void submit(const char *requests)
{
    cr_assert_eq(write(kernel.ends[1], requests, strlen(requests)), (ssize_t)strlen(requests));
}

static void wait_until(const uint32_t *word, uint32_t value)
{
    while (kymo_load_acquire32(word) != value)
        short_pause();
}

static const unsigned int polls[] = {0, 50, 2000};

Test(workers, use_one_thread_for_one_client, .timeout = 100)
{
    for (int i = 0; i < 3; i++) {
        start(3, polls[i]);
        for (uint32_t n = 1; n <= 200; n++) {
            submit("q");
            wait_until(&kernel.quick, n);
        }
        cr_assert_eq(kernel.handoffs, 1, "%u handoffs", kernel.handoffs);
        stop(3);
    }
}

/* After a backlog a second leader receives: a slow request then delays no other. */
Test(workers, promote_a_follower_under_load, .timeout = 100)
{
    start(3, 50);
    /* All are in the pipe before the first eight have been processed. */
    submit("qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqsqqqqqqqq");
    wait_until(&kernel.quick, 72);
    cr_assert_eq(kernel.slow, 1);
    kymo_store_release32(&kernel.proceed, 1);
    wait_until(&kernel.slow, 0);
    /* Without a backlog one thread suffices again. */
    usleep(20000);
    kymo_store_relaxed32(&kernel.handoffs, 0);
    for (uint32_t n = 73; n <= 172; n++) {
        submit("q");
        wait_until(&kernel.quick, n);
    }
    cr_assert_leq(kernel.handoffs, 1, "%u handoffs", kernel.handoffs);
    stop(3);
}

Test(workers, end_while_they_wait, .timeout = 100)
{
    for (int round = 0; round < 60; round++) {
        start(1 + round % 4, polls[round % 3]);
        if (round % 2)
            submit("q");
        stop(1 + round % 4);
    }
}

/* If one worker cannot be started, none may receive: the mount is then reported as failed. */
Test(workers, receive_nothing_unless_all_start, .timeout = 100)
{
#if KYMO_TSAN || defined(__SANITIZE_ADDRESS__)
    cr_skip_test("sanitizers need address space");
#else
    struct rlimit limit = {0, RLIM_INFINITY};
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");

    while (fgets(line, sizeof(line), status)) {
        if (strncmp(line, "VmSize:", 7) == 0)
            limit.rlim_cur = strtoul(line + 7, NULL, 10) << 10;
    }
    fclose(status);
    limit.rlim_cur += 20 << 20; /* the stacks of two workers, but not of five */
    cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
    cr_assert_eq(try_start(5, 0), -EAGAIN);
    cr_assert_null(kernel.workers);
    cr_assert_eq(kernel.received, 0);
    cr_assert_eq(kernel.ended, 2);
#endif
}

/* Voluntary and involuntary context switches of all threads. */
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

Test(workers, do_not_run_when_idle, .timeout = 100)
{
    long before;

    start(3, 50);
    submit("q");
    wait_until(&kernel.quick, 1);
    usleep(100000);
    before = count_switches();
    usleep(300000);
    /* The sleep and the pipe of this test; polling every 50 us would cause thousands. */
    cr_assert_lt(count_switches() - before, 100);
    stop(3);
}
