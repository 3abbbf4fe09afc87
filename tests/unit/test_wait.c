/*
 * test_wait.c - blocking: no wait misses a record, a deadline or the end of a generation.
 *
 * If the library is wrong, most of these tests hang until their time limit.
 */
#include "interrupted.h"
#include "unit.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>

static uint64_t in_ms(uint64_t ms)
{
    return kymo_clock_now(KYMO_MONOTONIC) + ms * 1000000;
}

/* The bell's word in the file. */
static uint32_t bell_word(const char *name)
{
    struct kymo_header header = {0};
    uint32_t word = 0;
    char path[UNIT_PATH];
    int fd = open(unit_path(name, path), O_RDONLY);

    if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
        pread(fd, &word, sizeof(word), (off_t)header.bell_offset) != (ssize_t)sizeof(word))
        word = 0;
    close(fd);
    return word;
}

/* Waits until the bell's waiter bit is set. */
static void await_waiter(const char *name)
{
    while (!(bell_word(name) & KYMO_BELL_WAITING))
        usleep(100);
}

/* A thread that waits, without a deadline, for a record after `seen`. */
struct waiter {
    struct kymo_reader *reader;
    uint64_t seen;
    int result;
    pthread_t thread;
};

static void *wait_for_ever(void *context)
{
    struct waiter *waiter = context;

    waiter->result = kymo_ring_wait(waiter->reader, waiter->seen, KYMO_FOREVER);
    return NULL;
}

static void start_waiter(struct waiter *waiter, struct kymo_reader *reader, uint64_t seen)
{
    *waiter = (struct waiter){.reader = reader, .seen = seen, .result = 1};
    cr_assert_eq(pthread_create(&waiter->thread, NULL, wait_for_ever, waiter), 0);
}

static int end_waiter(struct waiter *waiter)
{
    cr_assert_eq(pthread_join(waiter->thread, NULL), 0);
    return waiter->result;
}

Test(wait, polls_with_past_deadline)
{
    struct kymo_writer *writer = unit_writer_of_depth("look", 4);
    struct kymo_reader *reader = unit_reader("look");

    cr_assert_eq(kymo_ring_wait(reader, 0, 0), -ETIMEDOUT);
    cr_assert_eq(kymo_ring_wait(reader, 0, 1), -ETIMEDOUT);
    unit_publish(writer, 3);
    cr_assert_eq(kymo_ring_wait(reader, 0, 0), 0);
    cr_assert_eq(kymo_ring_wait(reader, 2, 0), 0);
    cr_assert_eq(kymo_ring_wait(reader, 3, 0), -ETIMEDOUT);
    cr_assert_eq(kymo_ring_wait(reader, UINT64_MAX, 0), -ETIMEDOUT);
    cr_assert_eq(bell_word("look"), 0, "a poll does not change the bell");
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* ---- deadlines (promise E) ---- */

/* A wait that times out; returns its lateness in ns. */
static uint64_t outwait(const struct kymo_reader *reader, int any, uint64_t ms)
{
    const uint64_t deadline = in_ms(ms);
    const uint64_t seen = 0;
    uint64_t now;

    cr_assert_eq(any ? kymo_ring_wait_any(&reader, &seen, 1, deadline)
                     : kymo_ring_wait(reader, seen, deadline),
                 -ETIMEDOUT);
    now = kymo_clock_now(KYMO_MONOTONIC);
    cr_assert_geq(now, deadline, "%llu ns too early", (unsigned long long)(deadline - now));
    return now - deadline;
}

static int compare(const void *one, const void *other)
{
    const uint64_t first = *(const uint64_t *)one, second = *(const uint64_t *)other;

    return first < second ? -1 : first > second;
}

/* E: signals do not change the wait's deadline. */
Test(wait, keeps_deadline_under_signals)
{
    enum { WAITS = 40 };
    struct kymo_writer *writer = unit_writer_of_depth("signals", 4);
    struct kymo_reader *reader = unit_reader("signals");
    uint64_t late[WAITS];

    interrupt_every_ms(1);
    for (int i = 0; i < WAITS; i++)
        late[i] = outwait(reader, i % 2, 5 + (uint64_t)i);
    interrupt_every_ms(0);
    qsort(late, WAITS, sizeof(late[0]), compare);
    printf(
        "count: deadlines under a signal each ms: %d waits, %d signals, none early, late by %llu "
        "us in the middle and %llu us at most\n",
        WAITS, (int)interruptions, (unsigned long long)late[WAITS / 2] / 1000,
        (unsigned long long)late[WAITS - 1] / 1000);
    cr_assert_gt(interruptions, 0);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

Test(wait, returns_at_past_deadline)
{
    struct kymo_writer *writer = unit_writer_of_depth("past", 4);
    struct kymo_reader *reader = unit_reader("past");

    cr_assert_eq(kymo_ring_wait(reader, 0, kymo_clock_now(KYMO_MONOTONIC) - 1), -ETIMEDOUT);
    cr_assert_eq(kymo_ring_wait(reader, 0, in_ms(5)), -ETIMEDOUT);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* ---- wake-ups (promise D) ---- */

struct player {
    struct kymo_writer *writer;
    struct kymo_reader *reader;
    uint64_t rounds;
    int error;
};

/* Publishes a record for each record of the other ring. */
static void *answer(void *context)
{
    struct player *player = context;

    for (uint64_t round = 0; round < player->rounds && !player->error; round++) {
        struct unit_payload payload = unit_payload(round);

        player->error = kymo_ring_wait(player->reader, round, KYMO_FOREVER);
        if (!player->error)
            player->error = kymo_ring_publish(player->writer, &payload, sizeof(payload), round, 0);
    }
    return NULL;
}

/* D: 20,000 wake-ups in each direction; the test hangs if one is lost. */
Test(wait, loses_no_wakeup)
{
    struct player other = {.writer = unit_writer_of_depth("pong", 4), .rounds = 20000};
    struct kymo_writer *writer = unit_writer_of_depth("ping", 4);
    struct kymo_reader *reader = unit_reader("pong");
    pthread_t thread;

    other.reader = unit_reader("ping");
    cr_assert_eq(pthread_create(&thread, NULL, answer, &other), 0);
    for (uint64_t round = 0; round < other.rounds; round++) {
        unit_publish(writer, 1);
        cr_assert_eq(kymo_ring_wait(reader, round, KYMO_FOREVER), 0);
    }
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_eq(other.error, 0);
    kymo_reader_close(reader);
    kymo_reader_close(other.reader);
    kymo_writer_close(writer);
    kymo_writer_close(other.writer);
}

Test(wait, wakes_all_waiters)
{
    enum { WAITERS = 16 };
    struct kymo_writer *writer = unit_writer_of_depth("all", 4);
    struct kymo_reader *reader = unit_reader("all");
    struct waiter waiters[WAITERS];

    for (uint64_t round = 0; round < 20; round++) {
        for (int i = 0; i < WAITERS; i++)
            start_waiter(&waiters[i], reader, round);
        await_waiter("all");
        unit_publish(writer, 1);
        for (int i = 0; i < WAITERS; i++)
            cr_assert_eq(end_waiter(&waiters[i]), 0);
    }
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* ---- generations that end (promise I) ---- */

Test(wait, ends_with_generation)
{
    struct kymo_writer *writer = unit_writer_of_depth("removed", 4);
    struct kymo_reader *reader = unit_reader("removed");
    struct waiter waiter;

    start_waiter(&waiter, reader, 0);
    await_waiter("removed");
    cr_assert_eq(kymo_writer_remove(writer), 0);
    cr_assert_eq(end_waiter(&waiter), -EIDRM);
    cr_assert_eq(kymo_ring_wait(reader, 0, KYMO_FOREVER), -EIDRM);
    kymo_reader_close(reader);

    kymo_writer_close(unit_writer_of_depth("closed", 4));
    reader = unit_reader("closed");
    start_waiter(&waiter, reader, 0);
    await_waiter("closed");
    cr_assert_eq(kymo_segment_remove("closed"), 0);
    cr_assert_eq(end_waiter(&waiter), -EIDRM);
    kymo_reader_close(reader);

    kymo_writer_close(unit_writer_of_depth("replaced", 4));
    reader = unit_reader("replaced");
    start_waiter(&waiter, reader, 0);
    await_waiter("replaced");
    kymo_writer_close(unit_writer_of_depth("replaced", 8));
    cr_assert_eq(end_waiter(&waiter), -EIDRM);
    kymo_reader_close(reader);
}

/* A writer's close does not end the wait: another writer may open. */
Test(wait, survives_writer_close)
{
    struct kymo_reader *reader;
    struct kymo_writer *writer;
    struct waiter waiter;

    kymo_writer_close(unit_writer_of_depth("outlasts", 4));
    reader = unit_reader("outlasts");
    start_waiter(&waiter, reader, 0);
    await_waiter("outlasts");
    writer = unit_writer_of_depth("outlasts", 4);
    unit_publish(writer, 1);
    cr_assert_eq(end_waiter(&waiter), 0);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* ---- waiters on the bell's word itself ---- */

/* Follows the ring to record `seen` by futex(2) on the token's word. */
static void *sleep_by_oneself(void *context)
{
    struct waiter *waiter = context;
    struct kymo_wait_token token = {0};

    for (uint64_t seen = 0; seen < waiter->seen;) {
        waiter->result = kymo_ring_prepare_wait(waiter->reader, seen, &token);
        if (waiter->result == 0)
            seen++;
        else if (waiter->result != -EAGAIN || !token.wake_guaranteed)
            break;
        else
            syscall(SYS_futex, token.word, FUTEX_WAIT, token.value, NULL, NULL, 0);
    }
    return NULL;
}

Test(wait, wakes_external_futex_waiters)
{
    struct kymo_writer *writer = unit_writer_of_depth("token", 4);
    struct waiter waiter = {.reader = unit_reader("token"), .seen = 2000};
    struct kymo_wait_token token;

    cr_assert_eq(pthread_create(&waiter.thread, NULL, sleep_by_oneself, &waiter), 0);
    for (int i = 0; i < 2000; i++) {
        if (i % 2)
            usleep(20);
        unit_publish(writer, 1);
    }
    cr_assert_eq(end_waiter(&waiter), 0);
    cr_assert_eq(kymo_ring_prepare_wait(waiter.reader, 2000, &token), -EAGAIN);
    cr_assert_eq(*token.word, token.value);
    cr_assert_eq(kymo_ring_prepare_wait(waiter.reader, 1999, &token), 0);
    cr_assert_eq(kymo_writer_remove(writer), 0);
    cr_assert_neq(*token.word, token.value, "retiring changes the word");
    cr_assert_eq(kymo_ring_prepare_wait(waiter.reader, 2000, &token), -EIDRM);
    kymo_reader_close(waiter.reader);
}
