/*
 * stop_writer.c - a writer that stops at a test point of an operation, for the scripts of this folder.
 *
 *     stop_writer list OPERATION              prints the test points of the operation, one per line
 *     stop_writer stop OPERATION VISIT NAME   creates the segment, and stops at the VISIT-th of them
 *
 * The segment has COUNT records before the operation begins, each with its position as its only field
 * `n`. After SIGCONT the operation ends, and the exit status is 0.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kymo/kymo.h>

#define COUNT 12
#define DEPTH 8

static const struct kymo_field fields[] = {
    {.name = "n", .type = KYMO_U64, .count = 1},
};
static const struct kymo_schema schema = {.fields = fields, .count = 1, .size = 8};
static struct kymo_options options = {.depth = DEPTH, .schema = &schema, .mode = 0666};
static const char *name;

static _Noreturn void fail(const char *what, int error)
{
    fprintf(stderr, "stop_writer: %s: %s\n", what, kymo_error_text(error));
    exit(1);
}

static void require(int error, const char *what)
{
    if (error)
        fail(what, error);
}

static int publish_next(struct kymo_writer *writer)
{
    const uint64_t pos = kymo_ring_head(&writer->ring);

    return kymo_ring_publish(writer, &pos, sizeof(pos), kymo_clock_now(KYMO_MONOTONIC), pos);
}

static struct kymo_writer *open_writer(void)
{
    struct kymo_writer *writer;

    require(kymo_writer_open(&writer, name, &options), "open");
    return writer;
}

/* ---- operations: each gets an open writer, and closes it ---- */

static void publish(struct kymo_writer *writer)
{
    require(publish_next(writer), "publish");
    kymo_writer_close(writer);
}

static void commit(struct kymo_writer *writer)
{
    const uint64_t pos = kymo_ring_head(&writer->ring);
    void *payload;

    require(kymo_ring_loan(writer, &payload), "loan");
    memcpy(payload, &pos, sizeof(pos));
    require(kymo_ring_commit(writer, sizeof(pos), kymo_clock_now(KYMO_MONOTONIC), pos), "commit");
    kymo_writer_close(writer);
}

static void resume(struct kymo_writer *writer)
{
    kymo_writer_close(writer);
    kymo_writer_close(open_writer());
}

static void replace(struct kymo_writer *writer)
{
    kymo_writer_close(writer);
    options.existing = KYMO_REPLACE;
    kymo_writer_close(open_writer());
}

static void remove_segment(struct kymo_writer *writer)
{
    require(kymo_writer_remove(writer), "remove");
}

static const struct operation {
    const char *name;
    void (*run)(struct kymo_writer *writer);
} operations[] = {
    {"publish", publish}, {"commit", commit},         {"resume", resume},
    {"replace", replace}, {"remove", remove_segment},
};

static const struct operation *find_operation(const char *wanted)
{
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (strcmp(operations[i].name, wanted) == 0)
            return &operations[i];
    }
    fail(wanted, -EINVAL);
}

static struct kymo_writer *prepare(void)
{
    struct kymo_writer *writer = open_writer();

    for (int i = 0; i < COUNT; i++)
        require(publish_next(writer), "publish");
    return writer;
}

static void stop(void *context, const char *point)
{
    (void)context;
    printf("%s\n", point);
    fflush(stdout);
    raise(SIGSTOP);
}

int main(int argc, char **argv)
{
    const char *trace[TESTPOINT_TRACE_LIMIT];
    const struct operation *operation;
    struct kymo_writer *writer;
    size_t visits;

    if (argc < 3)
        fail("arguments", -EINVAL);
    operation = find_operation(argv[2]);
    name = argc > 4 ? argv[4] : "list";
    writer = prepare();
    if (strcmp(argv[1], "stop") == 0 && argc == 5) {
        testpoint_plan(NULL, strtoull(argv[3], NULL, 10), stop, NULL);
        operation->run(writer);
        return 0;
    }
    testpoint_trace_begin(trace);
    operation->run(writer);
    visits = testpoint_trace_end();
    for (size_t i = 0; i < visits; i++)
        puts(trace[i]);
    kymo_segment_remove(name);
    return 0;
}
