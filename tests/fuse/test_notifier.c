/*
 * test_notifier.c - few threads wait for many segments; lines are rendered once for all readers.
 */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <kymo/kymo.h>

#include "base/counters.h"
#include "private_directory.h"
#include "stream/lines.h"
#include "stream/notifier.h"

/* A segment of this process, which is removed at the end. */
struct source {
    struct listener listener; /* first */
    struct kymo_writer *writer;
    struct kymo_reader *reader;
    uint64_t head;              /* the last head that on_ready read */
    uint32_t keep;              /* what on_ready returns */
    struct notifier *add_again; /* on_ready calls notifier_add() once */
    uint32_t calls;             /* of on_ready */
    uint32_t removals;          /* calls of on_removed */
};

static void open_source(struct source *source, int number, uint64_t depth)
{
    const struct kymo_options options = {.clock = KYMO_USER,
                                         .depth = depth,
                                         .size = 8,
                                         .existing = KYMO_CREATE_NEW};
    char name[32];

    memset(source, 0, sizeof(*source));
    snprintf(name, sizeof(name), "s%d", number);
    cr_assert_eq(kymo_writer_open(&source->writer, name, &options), 0);
    cr_assert_eq(kymo_reader_open(&source->reader, name), 0);
    source->listener.reader = source->reader;
    source->keep = 1;
}

static void close_source(struct source *source)
{
    kymo_reader_close(source->reader);
    kymo_writer_remove(source->writer);
}

static void publish(struct source *source, int count)
{
    for (int i = 0; i < count; i++) {
        const uint64_t pos = source->writer->pos;

        cr_assert_eq(kymo_ring_publish(source->writer, &pos, sizeof(pos), pos, pos), 0);
    }
}

static bool on_ready(struct listener *listener, uint64_t *seen)
{
    struct source *source = (struct source *)listener;

    *seen = kymo_ring_head(&source->reader->ring);
    kymo_store_release(&source->head, *seen);
    if (source->add_again) {
        cr_assert_eq(notifier_add(source->add_again, listener), 0);
        source->add_again = NULL;
    }
    kymo_fetch_add_ordered32(&source->calls, 1);
    return kymo_load_acquire32(&source->keep);
}

static void on_removed(struct listener *listener)
{
    kymo_fetch_add_ordered32(&((struct source *)listener)->removals, 1);
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void wait_for_head(const struct source *source, uint64_t head)
{
    while (kymo_load_acquire(&source->head) != head)
        pause_ms(1);
}

static void wait_for(const uint32_t *word, uint32_t value)
{
    while (kymo_load_acquire32(word) != value)
        pause_ms(1);
}

static unsigned int count_threads(void)
{
    struct stat status;

    return stat("/proc/self/task", &status) == 0 ? (unsigned int)status.st_nlink - 2 : 0;
}

Test(notifier, serves_more_segments_than_bells, .init = private_directory_make,
     .fini = private_directory_remove, .timeout = 100)
{
    enum { COUNT = NOTIFIER_BELLS * NOTIFIER_THREADS + 20 };
    static struct source sources[COUNT];
    struct notifier *notifier;
    unsigned int before = count_threads();

    cr_assert_eq(notifier_open(&notifier, on_ready, on_removed), 0);
    cr_assert_eq(count_threads(), before, "threads are started on demand");
    for (int i = 0; i < COUNT; i++) {
        open_source(&sources[i], i, 2);
        cr_assert_eq(notifier_add(notifier, &sources[i].listener), 1);
        cr_assert_eq(notifier_add(notifier, &sources[i].listener), 0);
    }
    /* A sanitizer may add a thread of its own. */
    cr_assert_leq(count_threads(), before + NOTIFIER_THREADS + 1);
    for (uint64_t round = 1; round <= 3; round++) {
        for (int i = 0; i < COUNT; i++)
            publish(&sources[i], 1);
        for (int i = 0; i < COUNT; i++)
            wait_for_head(&sources[i], round);
    }
    notifier_close(notifier);
    for (int i = 0; i < COUNT; i++)
        close_source(&sources[i]);
}

/* Each 1 that notifier_add() returned is matched by one call of on_removed. */
Test(notifier, removes_a_listener_that_is_not_kept, .init = private_directory_make,
     .fini = private_directory_remove, .timeout = 100)
{
    struct source source;
    struct notifier *notifier;
    uint32_t added = 0;

    open_source(&source, 0, 2);
    source.keep = 0;
    cr_assert_eq(notifier_open(&notifier, on_ready, on_removed), 0);
    for (int i = 0; i < 2000; i++)
        added += notifier_add(notifier, &source.listener) == 1;
    wait_for(&source.removals, added);
    publish(&source, 1);
    pause_ms(20);
    cr_assert_eq(source.removals, added);
    cr_assert_null(source.listener.thread);
    notifier_close(notifier);
    close_source(&source);
}

/* A record that is published after on_ready has read the head must not be missed. */
Test(notifier, keeps_a_listener_added_during_on_ready, .init = private_directory_make,
     .fini = private_directory_remove, .timeout = 10)
{
    struct source source;
    struct notifier *notifier;

    open_source(&source, 0, 2);
    cr_assert_eq(notifier_open(&notifier, on_ready, on_removed), 0);
    source.keep = 0;
    source.add_again = notifier;
    cr_assert_eq(notifier_add(notifier, &source.listener), 1);
    wait_for(&source.removals, 1);
    cr_assert_eq(source.calls, 2);
    notifier_close(notifier);
    close_source(&source);
}

/* An idle segment is checked once per second; after a wake-up or notifier_wake(), at once. */
Test(notifier, sleeps_until_a_record_or_a_wake_up, .init = private_directory_make,
     .fini = private_directory_remove, .timeout = 100)
{
    struct source source;
    struct notifier *notifier;
    uint32_t calls;

    open_source(&source, 0, 2);
    cr_assert_eq(notifier_open(&notifier, on_ready, on_removed), 0);
    cr_assert_eq(notifier_add(notifier, &source.listener), 1);
    pause_ms(100);
    calls = kymo_load_acquire32(&source.calls);
    pause_ms(500);
    cr_assert_leq(kymo_load_acquire32(&source.calls) - calls, 2);
    calls = kymo_load_acquire32(&source.calls);
    notifier_wake(notifier);
    while (kymo_load_acquire32(&source.calls) == calls)
        pause_ms(1);
    notifier_close(notifier);
    close_source(&source);
}

/* ---- lines ---- */

static void expect_line(struct lines *lines, uint64_t *next, const char *begin)
{
    struct line *line = NULL;

    cr_assert_eq(lines_take(lines, next, &line), 0);
    cr_assert_eq(strncmp(line->text.data, begin, strlen(begin)), 0, "%s", line->text.data);
    cr_assert_eq(line->text.data[line->text.len - 1], '\n');
    line_drop(line);
}

Test(lines, are_rendered_once_for_all_readers, .init = private_directory_make,
     .fini = private_directory_remove)
{
    struct source source;
    struct lines lines;
    struct line *line;

    open_source(&source, 0, 64);
    lines_open(&lines, source.reader);
    publish(&source, 3);
    for (int reader = 0; reader < 10; reader++) {
        uint64_t next = 0;

        expect_line(&lines, &next, "{\"pos\":0,");
        expect_line(&lines, &next, "{\"pos\":1,");
        expect_line(&lines, &next, "{\"pos\":2,");
        cr_assert_eq(next, 3);
        cr_assert_eq(lines_take(&lines, &next, &line), -ENODATA);
    }
    cr_assert_eq(counter_value(COUNTER_STREAM_RECORDS), 3);
    lines_close(&lines);
    close_source(&source);
}

Test(lines, count_overwritten_records, .init = private_directory_make,
     .fini = private_directory_remove)
{
    struct source source;
    struct lines lines;
    uint64_t next = 0, fast = 2;

    open_source(&source, 0, 4);
    lines_open(&lines, source.reader);
    publish(&source, 3);
    expect_line(&lines, &fast, "{\"pos\":2,");
    publish(&source, 98);
    /* The cache has a record that was overwritten in the ring. */
    expect_line(&lines, &next, "{\"missed\":2}");
    expect_line(&lines, &next, "{\"pos\":2,");
    expect_line(&lines, &next, "{\"missed\":95}");
    expect_line(&lines, &next, "{\"pos\":98,");
    cr_assert_eq(counter_value(COUNTER_STREAM_MISSED), 97);
    lines_close(&lines);
    close_source(&source);
}

/* A referenced line remains valid after its removal from the cache. */
Test(lines, limit_the_memory_of_the_cache, .init = private_directory_make,
     .fini = private_directory_remove)
{
    const struct kymo_options options = {.clock = KYMO_USER,
                                         .depth = 64,
                                         .size = 40000,
                                         .existing = KYMO_CREATE_NEW};
    struct source source = {0};
    struct lines lines;
    struct line *held;
    static unsigned char payload[40000];
    uint64_t next = 0;

    cr_assert_eq(kymo_writer_open(&source.writer, "large", &options), 0);
    cr_assert_eq(kymo_reader_open(&source.reader, "large"), 0);
    lines_open(&lines, source.reader);
    for (uint64_t i = 0; i < 50; i++)
        cr_assert_eq(kymo_ring_publish(source.writer, payload, sizeof(payload), i, i), 0);
    cr_assert_eq(lines_take(&lines, &next, &held), 0);
    while (next < 50) {
        struct line *line;

        cr_assert_eq(lines_take(&lines, &next, &line), 0);
        line_drop(line);
        cr_assert_leq(lines.bytes, LINES_BYTES);
    }
    cr_assert_gt(lines.bytes, LINES_BYTES / 2);
    lines_close(&lines);
    cr_assert_eq(strncmp(held->text.data, "{\"pos\":0,", 9), 0);
    line_drop(held);
    close_source(&source);
}
