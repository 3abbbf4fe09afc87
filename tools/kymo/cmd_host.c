/*
 * cmd_host.c - kymo host: publishes this machine's counters as segments host.*.
 */
#include "command.h"
#include "host.h"

#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define NS_PER_SECOND      1000000000.0
#define HISTORY            60   /* least history of each segment, s */
#define HEARTBEAT_INTERVAL 500  /* ms */
#define FIRST_LIMIT        0.25 /* longest time until the first sample, s */
#define ONCE_SAMPLES       2

/* The command line. */
struct host_options {
    double hz;
    bool once;
    const char *proc;
    const char *sys;
};

/* One segment. */
struct output {
    const struct host_source *source;
    struct kymo_writer *writer; /* NULL if the source is missing */
    void *payload;
    uint32_t size; /* bytes */
};

struct host_run {
    const struct host_options *options;
    struct host host;
    struct output outputs[HOST_SOURCES];
    uint64_t samples; /* published so far */
};

enum { KEY_HZ = 256, KEY_ONCE, KEY_PROC, KEY_SYS };

static const struct argp_option host_argp_options[] = {
    {"hz", KEY_HZ, "N", 0, "Samples a second, from 0.01 to 1000 (default 10)", 0},
    {"once", KEY_ONCE, 0, 0, "Publish two samples, print the second as lines of JSON, and exit", 0},
    {"proc", KEY_PROC, "DIR", 0, "Read this instead of /proc, for example the /proc of a host", 0},
    {"sys", KEY_SYS, "DIR", 0, "Read this instead of /sys, to distinguish disks from partitions",
     0},
    {0},
};

static const char host_doc[] =
    "Publish this machine's counters until a signal\v"
    "The segments are host.cpu, host.mem, host.load, host.net and host.disk. Each holds at least "
    "60 s "
    "of history and is removed at exit. The clock is monotonic; the records of one sample have the "
    "same time in all segments.\n";

static error_t host_parse(int key, char *argument, struct argp_state *state)
{
    struct host_options *options = state->input;
    char *end;

    switch (key) {
    case KEY_HZ:
        options->hz = strtod(argument, &end);
        if (*end || !(options->hz >= 0.01 && options->hz <= 1000))
            argp_error(state, "--hz %s: must be a number from 0.01 to 1000", argument);
        return 0;
    case KEY_ONCE:
        options->once = true;
        return 0;
    case KEY_PROC:
        options->proc = argument;
        return 0;
    case KEY_SYS:
        options->sys = argument;
        return 0;
    default:
        return parse_no_names(key, argument, state);
    }
}

/* ---- segments ---- */

static uint64_t depth_for(double hz)
{
    uint64_t depth = 64;

    while ((double)depth <= hz * HISTORY)
        depth *= 2;
    return depth;
}

static int output_close(struct output *output)
{
    int error = output->writer ? kymo_writer_remove(output->writer) : 0;

    output->writer = NULL;
    free(output->payload);
    output->payload = NULL;
    return error;
}

/* Reports the missing source and closes its segment. */
static void output_skip(const struct host_run *run, struct output *output, int error)
{
    report_error(output->source->name, "not published: %s/%s: %s", run->options->proc,
                 output->source->path, error == -EBADMSG ? "unexpected format" : strerror(-error));
    output_close(output);
}

/* Opens the source's segment for publishing. Returns an exit status. */
static int output_create(const struct host_run *run, struct output *output)
{
    struct kymo_field fields[HOST_FIELDS];
    struct kymo_schema schema = host_schema(&run->host, output->source, fields);
    struct kymo_options options = {.schema = &schema, .depth = depth_for(run->options->hz)};
    int error = kymo_writer_open(&output->writer, output->source->name, &options);

    return error ? report_open(output->source->name, error) : 0;
}

/* Reads the counters once, as the start for shares and rates, then creates the segment. Returns an
 * exit status; a missing source is not a failure. */
static int output_open(struct host_run *run, struct output *output,
                       const struct host_source *source)
{
    struct kymo_field fields[HOST_FIELDS];
    struct kymo_schema schema = host_schema(&run->host, source, fields);
    int error;

    output->source = source;
    output->size = schema.size;
    output->payload = calloc(1, schema.size);
    if (!output->payload)
        return report_errno(source->name, -ENOMEM);
    error = source->sample(&run->host, kymo_clock_now(KYMO_MONOTONIC), output->payload);
    if (error) {
        output_skip(run, output, error);
        return 0;
    }
    return output_create(run, output);
}

/* Publishes one sample of each source, all with the same time. Returns an exit status. */
static int run_sample(struct host_run *run)
{
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
    int error;

    for (int i = 0; i < HOST_SOURCES; i++) {
        struct output *output = &run->outputs[i];

        if (!output->writer)
            continue;
        error = output->source->sample(&run->host, now, output->payload);
        if (error) {
            output_skip(run, output, error);
            continue;
        }
        error = kymo_ring_publish(output->writer, output->payload, output->size, now, 0);
        if (error)
            return report_errno(output->source->name, error);
    }
    run->samples++;
    return 0;
}

/* A segment that was removed, as by rm, is made again. Returns an exit status. */
static int run_heartbeat(struct host_run *run)
{
    int status = 0;

    for (int i = 0; i < HOST_SOURCES && status == 0; i++) {
        struct output *output = &run->outputs[i];

        if (!output->writer || kymo_writer_heartbeat(output->writer) != -EIDRM)
            continue;
        report_error(output->source->name, "the segment was removed: publishing into a new one");
        kymo_writer_close(output->writer);
        output->writer = NULL;
        status = output_create(run, output);
    }
    return status;
}

/* ---- printing ---- */

/* Appends {"segment":"host.cpu","record":{...}}. */
static int text_newest(struct kymo_text *text, const char *name, void *payload, uint32_t size)
{
    struct kymo_reader *reader;
    struct kymo_record record;
    int error = kymo_reader_open(&reader, name);

    if (error)
        return error;
    error = kymo_ring_latest(reader, payload, size, &record);
    if (error == 0) {
        kymo_text_printf(text, "{\"segment\":\"%s\",\"record\":", name);
        kymo_text_record(text, kymo_segment_schema(reader->segment),
                         kymo_segment_clock(reader->segment), &record, payload);
        kymo_text_string(text, "}\n");
    }
    kymo_reader_close(reader);
    return error;
}

static int run_print(struct host_run *run)
{
    struct kymo_text text = {0};
    int error = 0, status;

    for (int i = 0; i < HOST_SOURCES && error == 0; i++) {
        struct output *output = &run->outputs[i];

        if (output->writer)
            error = text_newest(&text, output->source->name, output->payload, output->size);
        if (error)
            report_errno(output->source->name, error);
    }
    status = error ? STATUS_FAILED : print_status(print_text(&text));
    kymo_text_free(&text);
    return status;
}

/* ---- the loop ---- */

static struct timespec seconds(double count)
{
    struct timespec time = {.tv_sec = (time_t)count};

    time.tv_nsec = (long)((count - (double)time.tv_sec) * NS_PER_SECOND);
    return time;
}

/* A timerfd that expires at each sample, the first time after at most FIRST_LIMIT; or -errno. */
static int timer_open(double hz)
{
    const double period = 1 / hz;
    const struct itimerspec times = {
        .it_value = seconds(period < FIRST_LIMIT ? period : FIRST_LIMIT),
        .it_interval = seconds(period),
    };
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

    if (fd >= 0 && timerfd_settime(fd, 0, &times, NULL) == 0)
        return fd;
    close(fd);
    return -errno;
}

/* Samples until a signal arrives, or ONCE_SAMPLES times. Returns an exit status. */
static int run_loop(struct host_run *run, int signals, int timer)
{
    struct pollfd fds[] = {{.fd = signals, .events = POLLIN}, {.fd = timer, .events = POLLIN}};
    uint64_t expired;
    int status = 0;

    while (status == 0 && !(run->options->once && run->samples == ONCE_SAMPLES)) {
        int ready = poll(fds, 2, HEARTBEAT_INTERVAL);

        if (ready < 0 && errno != EINTR)
            return report_errno("host", -errno);
        if (ready > 0 && fds[0].revents)
            return 0;
        status = run_heartbeat(run);
        /* Missed expirations are not made up for. */
        if (status == 0 && ready > 0 && read(timer, &expired, sizeof(expired)) == sizeof(expired))
            status = run_sample(run);
    }
    return status == 0 && run->options->once ? run_print(run) : status;
}

static int run_opened(struct host_run *run, int signals)
{
    int status = 0, timer;

    for (int i = 0; i < HOST_SOURCES && status == 0; i++)
        status = output_open(run, &run->outputs[i], &host_sources[i]);
    if (status)
        return status;
    timer = timer_open(run->options->once ? 10 : run->options->hz);
    if (timer < 0)
        return report_errno("host", timer);
    status = run_loop(run, signals, timer);
    close(timer);
    return status;
}

/* Opens all segments, runs, and removes them. Returns an exit status. */
static int host_run(const struct host_options *options)
{
    struct host_run run = {.options = options};
    int status, error = host_begin(&run.host, options->proc, options->sys);
    int signals;

    if (error)
        return report_errno("host", error);
    signals = signals_open();
    if (signals < 0)
        status = report_errno("host", signals);
    else
        status = run_opened(&run, signals);
    for (int i = 0; i < HOST_SOURCES; i++) {
        error = output_close(&run.outputs[i]);
        if (error)
            status = report_errno(host_sources[i].name, error);
    }
    close(signals);
    host_end(&run.host);
    return status;
}

int command_host(int argc, char **argv)
{
    static const struct argp argp = {
        host_argp_options, host_parse, NULL, host_doc, NULL, NULL, NULL};
    struct host_options options = {.hz = 10, .proc = "/proc", .sys = "/sys"};

    argp_parse(&argp, argc, argv, 0, NULL, &options);
    return host_run(&options);
}
