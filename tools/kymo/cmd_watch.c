/*
 * cmd_watch.c - kymo watch: each new record once, as a line of JSON. A guest all along: nothing has
 * to be undone, so that a signal may end it at any time.
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

/* How often an idle watch looks whether its name and its reader are still there. */
#define IDLE_INTERVAL UINT64_C(200000000) /* ns */

/* How long it waits for a replacement that has been begun to be finished. */
#define REPLACE_LIMIT UINT64_C(1000000000) /* ns */

/* Lines are written together as long as more records are there, up to about this much. */
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
    int output; /* not 0: what became of writing the lines */
    uint64_t printed;
    uint64_t newest; /* CLOCK_MONOTONIC ns when the newest record came */
};

enum { KEY_FROM = 256, KEY_COUNT, KEY_TIMEOUT };

static const struct argp_option watch_argp_options[] = {
    {"from", KEY_FROM, "oldest|newest", 0,
     "Begin with what is still remembered, or with the next record (default)", 0},
    {"count", KEY_COUNT, "N", 0, "End after N records", 0},
    {"timeout", KEY_TIMEOUT, "DUR", 0, "Fail when no record came for that long: 1.5s, 250ms", 0},
    {0},
};

static const char watch_doc[] =
    "Print each new record of a segment once, as a line of JSON\v"
    "Where it falls behind the writer, a line {\"missed\":N} says how many records were "
    "overwritten. It waits for a writer that ended or died to be followed by another one, goes on "
    "with the new generation when the segment is replaced, and ends when it is removed.\n";

static error_t watch_parse(int key, char *argument, struct argp_state *state)
{
    struct watch_options *options = state->input;

    switch (key) {
    case KEY_FROM:
        options->from_oldest = strcmp(argument, "oldest") == 0;
        if (!options->from_oldest && strcmp(argument, "newest"))
            argp_error(state, "--from %s: oldest or newest is wanted", argument);
        return 0;
    case KEY_COUNT:
        if (parse_number(argument, &options->count) || options->count == 0)
            argp_error(state, "--count %s: a number from 1 on is wanted", argument);
        return 0;
    case KEY_TIMEOUT:
        if (kymo_duration_parse(argument, &options->timeout) || options->timeout == 0)
            argp_error(state, "--timeout %s: a duration such as 1.5s is wanted", argument);
        return 0;
    case ARGP_KEY_ARG:
        if (options->name)
            argp_error(state, "one NAME is wanted; %s is another", argument);
        options->name = argument;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "the NAME of a segment is wanted");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
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

/* Goes on with the generation that has the name now, from its first record. -ENOENT: none has. */
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

/* Whether the name leads to another file than the one that is open, or to none: somebody removed it
 * behind the library's back, and nothing tells the readers. */
static bool watch_is_lost(const struct watch *watch)
{
    char path[4096];
    struct stat status;

    snprintf(path, sizeof(path), "%s/%s", kymo_directory(), watch->options->name);
    if (lstat(path, &status))
        return errno == ENOENT;
    return status.st_ino != watch->info.inode || status.st_dev != watch->info.device;
}

/* Waits for a record. -EPIPE: whoever reads the lines has gone. Else as kymo_ring_wait, where
 * -ETIMEDOUT is the command line's. */
static int watch_wait(const struct watch *watch)
{
    const uint64_t timeout = watch->options->timeout;
    uint64_t slice, limit = timeout ? watch->newest + timeout : KYMO_FOREVER;
    int error;

    do {
        slice = now() + IDLE_INTERVAL;
        error = kymo_ring_wait(watch->reader, watch->cursor.next, slice < limit ? slice : limit);
        if (error == -ETIMEDOUT && print_abandoned())
            return -EPIPE;
        if (error == -ETIMEDOUT && watch_is_lost(watch))
            return -EIDRM;
    } while (error == -ETIMEDOUT && now() < limit);
    return error;
}

static int watch_print(struct watch *watch)
{
    watch->output = print_text(&watch->lines);
    return watch->output;
}

/* Prints what was read so far, then waits for more, or follows. 0: go on. */
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
 * Takes the next record into the lines. As kymo_cursor_next; but where head stood still and the
 * slots yet do not hold what it counts, no other try would do better: -EBADMSG (promise E).
 */
static int watch_take(struct watch *watch)
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

/* Until there is a reason to end, which is returned: 0 where the count is reached. */
static int watch_run(struct watch *watch)
{
    const uint64_t count = watch->options->count;
    int error;

    watch->newest = now();
    while (count == 0 || watch->printed < count) {
        error = watch_take(watch);
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
        complain(watch->options->name, "was removed");
        return 0;
    case -ETIMEDOUT:
        return complain(watch->options->name, "no record came for %g s",
                        (double)watch->options->timeout / 1e9);
    default:
        return complain_open(watch->options->name, error);
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
        return complain_open(options.name, error);
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
