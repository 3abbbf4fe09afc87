/*
 * cmd_watch.c - kymo watch: prints each new record once, as a line of JSON. It only reads: a signal may
 * end it at any time.
 */
#include "command.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* Interval at which an idle watch checks its name and its output pipe. */
#define IDLE_INTERVAL UINT64_C(200000000) /* ns */

/* Time limit for a replacement to finish. */
#define REPLACE_LIMIT UINT64_C(1000000000) /* ns */

/* While more records are available, lines are written in batches of about this size. */
#define BATCH_SIZE ((size_t)64 << 10)

/* The command line. */
struct watch_options {
    const char *name;
    bool from_oldest;
    uint64_t count;   /* records to print; 0: no end */
    uint64_t timeout; /* ns; 0: none */
};

struct watch {
    const struct watch_options *options;
    struct kymo_reader *reader;
    struct kymo_info info;
    struct kymo_cursor cursor;
    unsigned char *payload;
    struct kymo_text lines;
    int output; /* result of the last write */
    uint64_t printed;
    uint64_t newest; /* CLOCK_MONOTONIC ns when the newest record was read */
};

enum { KEY_FROM = 256, KEY_COUNT, KEY_TIMEOUT };

static const struct argp_option watch_argp_options[] = {
    {"from", KEY_FROM, "oldest|newest", 0,
     "Begin with the oldest record in the ring, or with the next record (default)", 0},
    {"count", KEY_COUNT, "N", 0, "End after N records", 0},
    {"timeout", KEY_TIMEOUT, "DUR", 0, "Fail if no record arrives for this time: 1.5s, 250ms", 0},
    {0},
};

static const char watch_doc[] =
    "Print each new record of a segment once, as a line of JSON\v"
    "A line {\"missed\":N} reports N records that were overwritten before they were read. If the "
    "writer ends or dies, watch waits for the next one. If the segment is replaced, it continues "
    "with the new generation. It ends when the segment is removed.\n";

static error_t watch_parse(int key, char *argument, struct argp_state *state)
{
    struct watch_options *options = state->input;

    switch (key) {
    case KEY_FROM:
        options->from_oldest = strcmp(argument, "oldest") == 0;
        if (!options->from_oldest && strcmp(argument, "newest"))
            argp_error(state, "--from %s: must be oldest or newest", argument);
        return 0;
    case KEY_COUNT:
        if (parse_number(argument, &options->count) || options->count == 0)
            argp_error(state, "--count %s: must be an integer from 1", argument);
        return 0;
    case KEY_TIMEOUT:
        if (kymo_duration_parse(argument, &options->timeout) || options->timeout == 0)
            argp_error(state, "--timeout %s: must be a duration above 0, such as 1.5s", argument);
        return 0;
    default:
        return parse_name(key, argument, state, &options->name);
    }
}

static uint64_t now(void)
{
    return kymo_clock_now(KYMO_MONOTONIC);
}

static void watch_close(struct watch *watch)
{
    kymo_reader_close(watch->reader);
    free(watch->payload);
    watch->reader = NULL;
    watch->payload = NULL;
}

static int watch_open(struct watch *watch)
{
    int error = kymo_reader_open(&watch->reader, watch->options->name);

    if (error)
        return error;
    error = kymo_segment_info(watch->reader->segment, &watch->info);
    watch->payload = malloc(watch->reader->ring.size);
    if (error == 0 && !watch->payload)
        error = -ENOMEM;
    if (error)
        watch_close(watch);
    return error;
}

static void watch_missed(struct watch *watch, uint64_t missed)
{
    if (missed)
        kymo_text_printf(&watch->lines, "{\"missed\":%" PRIu64 "}\n", missed);
}

/* Continues with the current generation of the name, from its first record. -ENOENT: none. */
static int watch_follow(struct watch *watch)
{
    const uint64_t deadline = now() + REPLACE_LIMIT;
    int error;

    watch_close(watch);
    for (;;) {
        error = watch_open(watch);
        /* -EIDRM: the replacer marks the old generation before it renames the new one over it. */
        if (error != -EIDRM || now() >= deadline)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    if (error)
        return error;
    kymo_cursor_oldest(&watch->cursor, watch->reader);
    watch_missed(watch, watch->cursor.next - watch->reader->ring.first);
    return 0;
}

/* Whether the name refers to another file than the open one, or to none: a file removed by rm(1) is
 * not marked as retired. */
static bool name_has_changed(const struct watch *watch)
{
    char path[4096];
    struct stat status;

    snprintf(path, sizeof(path), "%s/%s", kymo_directory(), watch->options->name);
    if (lstat(path, &status))
        return errno == ENOENT;
    return status.st_ino != watch->info.inode || status.st_dev != watch->info.device;
}

/* Waits for a record. -EPIPE: the output pipe is closed. -ETIMEDOUT: --timeout has passed. Else as
 * kymo_ring_wait. */
static int watch_wait(const struct watch *watch)
{
    const uint64_t timeout = watch->options->timeout;
    uint64_t slice, limit = timeout ? watch->newest + timeout : KYMO_FOREVER;
    int error;

    do {
        slice = now() + IDLE_INTERVAL;
        error = kymo_ring_wait(watch->reader, watch->cursor.next, slice < limit ? slice : limit);
        if (error == -ETIMEDOUT && stdout_is_closed())
            return -EPIPE;
        if (error == -ETIMEDOUT && name_has_changed(watch))
            return -EIDRM;
    } while (error == -ETIMEDOUT && now() < limit);
    return error;
}

static int watch_print(struct watch *watch)
{
    watch->output = print_text(&watch->lines);
    return watch->output;
}

/* Prints the collected lines, then waits for a record, or follows. 0: continue. */
static int watch_idle(struct watch *watch, int error)
{
    int printed = watch_print(watch);

    if (printed)
        return printed;
    if (error == -ENODATA)
        error = watch_wait(watch);
    return error == -EIDRM ? watch_follow(watch) : error;
}

/*
 * Appends the next record to the lines. As kymo_cursor_next, except: -EBADMSG if head did not move
 * and the slots do not hold the records that it counts: a retry cannot succeed (E: bounded retries).
 */
static int watch_read(struct watch *watch)
{
    const uint64_t head = kymo_ring_head(&watch->reader->ring);
    struct kymo_record record;
    uint64_t missed = 0;
    int error = kymo_cursor_next(&watch->cursor, watch->payload, watch->reader->ring.size, &record,
                                 &missed);

    if (error == -EAGAIN && kymo_ring_head(&watch->reader->ring) == head)
        return -EBADMSG;
    watch_missed(watch, missed);
    if (error)
        return error;
    kymo_text_record(&watch->lines, &watch->info.schema, watch->info.clock, &record,
                     watch->payload);
    kymo_text_append(&watch->lines, "\n", 1);
    watch->newest = now();
    watch->printed++;
    return 0;
}

/* Returns the reason to end; 0: the count is reached. */
static int watch_run(struct watch *watch)
{
    const uint64_t count = watch->options->count;
    int error;

    watch->newest = now();
    while (count == 0 || watch->printed < count) {
        error = watch_read(watch);
        if (error == -ENODATA || error == -EIDRM)
            error = watch_idle(watch, error);
        else if (error == -EAGAIN || watch->lines.len > BATCH_SIZE)
            error = watch_print(watch);
        if (error)
            return error;
    }
    return watch_print(watch);
}

static int watch_status(const struct watch *watch, int error)
{
    if (watch->output)
        return print_status(watch->output);
    switch (error) {
    case 0:
    case -EPIPE:
        return 0;
    case -ENOENT:
        report_error(watch->options->name, "the segment was removed");
        return 0;
    case -ETIMEDOUT:
        return report_error(watch->options->name, "no record for %g s",
                            (double)watch->options->timeout / 1e9);
    default:
        return report_open(watch->options->name, error);
    }
}

int command_watch(int argc, char **argv)
{
    static const struct argp argp = {
        watch_argp_options, watch_parse, "NAME", watch_doc, NULL, NULL, NULL};
    struct watch_options options = {0};
    struct watch watch = {.options = &options};
    int error, status;

    argp_parse(&argp, argc, argv, 0, NULL, &options);
    error = watch_open(&watch);
    if (error)
        return report_open(options.name, error);
    if (options.from_oldest)
        kymo_cursor_oldest(&watch.cursor, watch.reader);
    else
        kymo_cursor_newest(&watch.cursor, watch.reader);
    error = watch_run(&watch);
    status = watch_status(&watch, error);
    watch_close(&watch);
    kymo_text_free(&watch.lines);
    return status;
}
