/*
 * bell.c - a waiter and a writer take turns at every operation, including futex calls: no wake-up is lost, none is needless, and a killed waiter costs one (promise D: publishing makes no system call while no thread waits).
 *
 * The futex is a model that also detects a schedule which ends with a sleeping waiter.
 */
#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "stress/checked.h"
#include "test.h"

#include "actor.h"

#define NAME "bell"
#define SIZE 16

static struct kymo_writer *writer;
static struct kymo_reader *reader;

/* ---- the futex ---- */

static int asleep;
static unsigned int futex_calls;

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

static long model_futex(const uint32_t *word, int operation, uint32_t value)
{
    futex_calls++;
    seam_step();
    if ((operation & FUTEX_CMD_MASK) == FUTEX_WAKE) {
        asleep = 0;
        return 0;
    }
    if (plain_load_ordered32(word) != value) {
        errno = EAGAIN;
        return -1;
    }
    /* The test's own sleep ends at once: its deadline has passed. */
    if (!actor_is_acting()) {
        errno = ETIMEDOUT;
        return -1;
    }
    asleep = 1;
    while (asleep)
        actor_pause();
    return 0;
}

long __wrap_syscall(long number, ...)
{
    va_list list;
    long arguments[6];

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_futex)
        return model_futex((const uint32_t *)arguments[0], (int)arguments[1],
                           (uint32_t)arguments[2]);
    return __real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                          arguments[4], arguments[5]);
}

/* ---- the waiter ---- */

static uint64_t seen;
static int waiting; /* its call has not returned */
static int result;

static void wait_again_and_again(void)
{
    for (;;) {
        result = kymo_ring_wait(reader, seen, KYMO_FOREVER);
        waiting = 0;
        actor_pause();
    }
}

/* Starts a call on a new stack. An unfinished older one counts as killed. */
static void begin_waiting(void)
{
    actor_make(wait_again_and_again);
    asleep = 0;
    waiting = 1;
    result = 1;
    seen = kymo_ring_head(&reader->ring);
}

static uint64_t wakes(void)
{
    struct kymo_info info;

    cr_assert_eq(kymo_segment_info(reader->segment, &info), 0);
    return info.wakes;
}

static void open_both(enum kymo_wake_policy wake_policy)
{
    const struct kymo_options options = {.depth = 4, .size = SIZE, .wake_policy = wake_policy};

    cr_assert_eq(kymo_writer_open(&writer, NAME, &options), 0);
    cr_assert_eq(kymo_reader_open(&reader, NAME), 0);
    /* The first call maps the bell; this is not part of the schedules. */
    cr_assert_eq(kymo_ring_wait(reader, 0, kymo_clock_now(KYMO_MONOTONIC) + 1000), -ETIMEDOUT);
}

static void close_both(void)
{
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

static void publish(void)
{
    unsigned char buffer[SIZE];

    cr_assert_eq(checked_publish(writer, buffer), 0);
}

/* ---- schedules ---- */

static unsigned int schedules;

/* Publishes with the waiter's turns in between. Returns the number of steps. */
static uint64_t publish_with(const struct actor_turn *turns, int count)
{
    const uint64_t wakes_before = wakes();
    uint64_t steps;

    begin_waiting();
    futex_calls = 0;
    actor_begin(turns, count);
    publish();
    steps = actor_end();
    /* Runs the waiter until it returns or sleeps. */
    actor_go(ACTOR_FOREVER);
    schedules++;
    cr_assert_eq(waiting, 0, "asleep for ever: turn at %d for %d", (int)turns[0].at,
                 (int)turns[0].steps);
    cr_assert_eq(result, 0);
    cr_assert_leq(wakes() - wakes_before, 1U);
    return steps;
}

#define WAITER_STEPS 16

/* Schedules of two turns: k steps of the waiter, some of the writer, k more. */
static void publish_in_all_orders(void)
{
    const struct actor_turn none = {UINT64_MAX, 0};
    const uint64_t steps = publish_with(&none, 0) + 4; /* of a publish, with the wake */

    for (uint64_t at = 0; at <= steps; at++) {
        for (uint64_t length = 1; length <= WAITER_STEPS; length++) {
            for (uint64_t then = at; then <= steps; then++) {
                for (uint64_t more = 1; more <= WAITER_STEPS; more++) {
                    const struct actor_turn turns[] = {{at, length}, {then, more}};

                    publish_with(turns, 2);
                }
            }
        }
    }
}

Test(bell, loses_no_wakeup)
{
    open_both(KYMO_WAKE_WAITERS);
    publish_in_all_orders();
    close_both();
    printf("%u schedules\n", schedules);
}

Test(bell, loses_no_wakeup_with_wake_always)
{
    open_both(KYMO_WAKE_ALWAYS);
    publish_in_all_orders();
    close_both();
    printf("%u schedules\n", schedules);
}

/* Between this waiter's load and its sleep, a record is published and another waiter sets the bit: the word must differ from the one loaded. */
Test(bell, another_waiter_hides_no_wake)
{
    open_both(KYMO_WAKE_WAITERS);
    for (uint64_t steps = 0; steps <= WAITER_STEPS; steps++) {
        begin_waiting();
        actor_go(steps);
        publish();
        plain_fetch_or_ordered32(&writer->bell->word, KYMO_BELL_WAITING);
        actor_go(ACTOR_FOREVER);
        cr_assert_eq(waiting, 0, "asleep for ever after %d steps", (int)steps);
    }
    close_both();
}

/* The next wait starts with the bell as the last one left it. */
Test(bell, publishing_without_waiter_makes_no_call)
{
    open_both(KYMO_WAKE_WAITERS);
    for (uint64_t steps = 0; steps <= WAITER_STEPS; steps++) {
        begin_waiting();
        actor_go(steps);
        publish();
        actor_go(ACTOR_FOREVER);
        cr_assert_eq(waiting, 0);
        /* It may have set its bit and then found the record; the next publish wakes needlessly then. */
        publish();
        futex_calls = 0;
        for (int i = 0; i < 10; i++)
            publish();
        cr_assert_eq(futex_calls, 0U, "after a waiter of %d steps", (int)steps);
    }
    close_both();
}

Test(bell, killed_waiter_costs_one_wake)
{
    open_both(KYMO_WAKE_WAITERS);
    for (uint64_t steps = 0; steps <= WAITER_STEPS; steps++) {
        uint64_t before = wakes();

        begin_waiting();
        actor_go(steps);
        futex_calls = 0; /* killed here: it is not resumed */
        for (int i = 0; i < 10; i++)
            publish();
        cr_assert_leq(futex_calls, 1U, "after a waiter of %d steps", (int)steps);
        cr_assert_eq(wakes() - before, futex_calls);
    }
    cr_assert_geq(wakes(), 1U);
    close_both();
}

/* Removal wakes as well, at each step of the waiter (promise I: readers detect a removed generation). */
Test(bell, waiter_detects_removal)
{
    const uint64_t steps = 40;

    for (uint64_t at = 0; at <= steps; at++) {
        for (uint64_t length = 1; length <= WAITER_STEPS; length++) {
            const struct actor_turn turns[] = {{at, length}, {at + 3, length}};

            open_both(KYMO_WAKE_WAITERS);
            begin_waiting();
            actor_begin(turns, 2);
            cr_assert_eq(kymo_writer_remove(writer), 0);
            actor_end();
            actor_go(ACTOR_FOREVER);
            schedules++;
            cr_assert_eq(waiting, 0, "asleep for ever: turn at %d for %d", (int)at, (int)length);
            cr_assert_eq(result, -EIDRM);
            kymo_reader_close(reader);
        }
    }
    printf("%u schedules\n", schedules);
}
