/*
 * guard.c - repeats one operation, to count instructions: `bench-guard NAME COUNT [DEPTH]`.
 * check-instructions runs it under valgrind with two counts; the difference excludes the rest of the
 * program.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kymo/kymo.h>

#include "harness.h"

struct line {
    uint64_t word[8];
};

KYMO_RING_TYPE(line, struct line);

struct guarded {
    struct line_writer *writer;
    struct line_reader *reader;
    struct kymo_consumer *consumer;
    struct line line;
    uint64_t depth;
    uint64_t time;
};

#define PERIOD 1000

static void publish(struct guarded *guarded, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        bench_require(line_publish(guarded->writer, &guarded->line, guarded->time += PERIOD, i),
                      "publishing");
}

static void latest(struct guarded *guarded, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        bench_require(line_latest(guarded->reader, &guarded->line, NULL), "reading");
        bench_barrier();
    }
}

static void closest(struct guarded *guarded, uint64_t count)
{
    const uint64_t oldest = guarded->time - (guarded->depth - 2) * PERIOD;

    for (uint64_t i = 0; i < count; i++) {
        const uint64_t instant = oldest + i * 7919 % ((guarded->depth - 2) * PERIOD);

        bench_require(line_closest(guarded->reader, instant, KYMO_ANY_DISTANCE, &guarded->line,
                                   NULL),
                      "closest");
        bench_barrier();
    }
}

static void bracket(struct guarded *guarded, uint64_t count)
{
    const uint64_t oldest = guarded->time - (guarded->depth - 2) * PERIOD;
    struct kymo_bracket found;
    struct line after;

    for (uint64_t i = 0; i < count; i++) {
        const uint64_t instant = oldest + i * 7919 % ((guarded->depth - 2) * PERIOD);

        bench_require(line_bracket(guarded->reader, instant, &guarded->line, &after, &found),
                      "bracket");
        bench_barrier();
    }
}

static void cursor(struct guarded *guarded, uint64_t count)
{
    struct line_cursor cursor;

    line_cursor_oldest(&cursor, guarded->reader);
    for (uint64_t i = 0; i < count; i++) {
        int error = line_cursor_next(&cursor, &guarded->line, NULL, NULL);

        if (error == -ENODATA)
            line_cursor_oldest(&cursor, guarded->reader);
        else
            bench_require(error, "following");
        bench_barrier();
    }
}

static void queue(struct guarded *guarded, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        publish(guarded, 1);
        bench_require(kymo_queue_receive(guarded->consumer, &guarded->line, sizeof(guarded->line),
                                         NULL),
                      "receiving");
        kymo_queue_acknowledge(guarded->consumer);
        bench_barrier();
    }
}

static const struct {
    const char *name;
    void (*run)(struct guarded *, uint64_t count);
} operations[] = {
    {"publish", publish}, {"latest", latest}, {"closest", closest},
    {"bracket", bracket}, {"cursor", cursor}, {"queue", queue},
};

static void open_guarded(struct guarded *guarded, int is_queue)
{
    const struct kymo_options options = {.kind = is_queue ? KYMO_QUEUE : KYMO_RING,
                                         .clock = KYMO_USER,
                                         .depth = guarded->depth,
                                         .existing = KYMO_CREATE_NEW};

    bench_require(line_writer_open(&guarded->writer, "guard", &options), "opening a writer");
    bench_require(line_reader_open(&guarded->reader, "guard"), "opening a reader");
    if (is_queue)
        bench_require(kymo_consumer_open(&guarded->consumer, "guard"), "opening a consumer");
    else
        publish(guarded, 2 * guarded->depth);
}

static void close_guarded(struct guarded *guarded)
{
    kymo_consumer_close(guarded->consumer);
    kymo_reader_close(&guarded->reader->untyped);
    kymo_writer_remove(&guarded->writer->untyped);
}

int main(int argc, char **argv)
{
    struct guarded guarded = {.depth = argc > 3 ? strtoull(argv[3], NULL, 10) : 64};

    for (size_t i = 0; argc > 2 && i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (strcmp(argv[1], operations[i].name) != 0)
            continue;
        open_guarded(&guarded, strcmp(argv[1], "queue") == 0);
        operations[i].run(&guarded, strtoull(argv[2], NULL, 10));
        close_guarded(&guarded);
        return 0;
    }
    fputs("usage: bench-guard OPERATION COUNT [DEPTH]\n", stderr);
    return 2;
}
