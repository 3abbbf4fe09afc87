/*
 * cmd_host.c - kymo host: publishes this machine's own counters as segments host.*.
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

#define NS_PER_SECOND 1000000000.0
#define REMEMBERED    60   /* seconds that each segment remembers at least */
#define BEAT_INTERVAL 500  /* ms */
#define FIRST_LIMIT   0.25 /* seconds until the first sample, however seldom the others are */
#define ONCE_SAMPLES  2

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
    struct kymo_writer *writer; /* NULL where it is left out */
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
    {"once", KEY_ONCE, 0, 0, "Publish two samples, print the second as lines of JSON, and end", 0},
    {"proc", KEY_PROC, "DIR", 0, "Read that instead of /proc: another machine's, or a host's", 0},
    {"sys", KEY_SYS, "DIR", 0, "Read that instead of /sys, to tell disks from partitions", 0},
    {0},
};

static const char host_doc[] =
    "Publish this machine's own counters, until a signal ends it\v"
    "The segments are host.cpu, host.mem, host.load, host.net and host.disk; each remembers a "
    "minute or more, and is removed at the end. Their times are monotonic, and the same in all of "
    "one sample.\n";

static error_t host_parse(int key, char *argument, struct argp_state *state)
{
    struct host_options *options = state->input;
    char *end;

    switch (key) {
    case KEY_HZ:
        options->hz = strtod(argument, &end);
        if (*end || !(options->hz >= 0.01 && options->hz <= 1000))
            argp_error(state, "--hz %s: a number from 0.01 to 1000 is wanted", argument);
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
    case ARGP_KEY_ARG:
        argp_error(state, "%s: no names are wanted", argument);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- segments ---- */

static uint64_t depth_for(double hz)
{
    uint64_t depth = 64;

    while ((double)depth <= hz * REMEMBERED)
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

/* Says that the segment is not there, and why. */
static void output_leave_out(const struct host_run *run, struct output *output, int error)
{
    complain(output->source->name, "left out: %s/%s: %s", run->options->proc, output->source->path,
             error == -EBADMSG ? "not as expected" : strerror(-error));
    output_close(output);
}

/* Takes a first look at the counters, from which shares and rates are measured, then creates the
 * segment. Returns an exit status; a source that this machine lacks is no failure. */
static int output_open(struct host_run *run, struct output *output,
                       const struct host_source *source)
{
    struct kymo_field fields[HOST_FIELDS];
    struct kymo_schema schema = host_schema(&run->host, source, fields);
    struct kymo_options options = {.schema = &schema, .depth = depth_for(run->options->hz)};
    int error;

    output->source = source;
    output->size = schema.size;
    output->payload = calloc(1, schema.size);
    if (!output->payload)
        return complain_error(source->name, -ENOMEM);
    error = source->sample(&run->host, kymo_clock_now(KYMO_MONOTONIC), output->payload);
    if (error) {
        output_leave_out(run, output, error);
        return 0;
    }
    error = kymo_writer_open(&output->writer, source->name, &options);
    return error ? complain_open(source->name, error) : 0;
}

/* Publishes one sample of everything, all with the same time. Returns an exit status. */
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
            output_leave_out(run, output, error);
            continue;
        }
        error = kymo_ring_publish(output->writer, output->payload, output->size, now, 0);
        if (error)
            return complain_error(output->source->name, error);
    }
    run->samples++;
    return 0;
}

static void run_beat(struct host_run *run)
{
    for (int i = 0; i < HOST_SOURCES; i++)
        if (run->outputs[i].writer)
            kymo_writer_heartbeat(run->outputs[i].writer);
}

/* ---- printing ---- */

/* {"segment":"host.cpu","record":{...}}, as a reader sees it. */
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
            complain_error(output->source->name, error);
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

/* A timerfd that expires at each sample, or -errno. The first comes soon. */
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

/* Samples until a signal comes, or often enough. Returns an exit status. */
static int run_loop(struct host_run *run, int signals, int timer)
{
    struct pollfd fds[] = {{.fd = signals, .events = POLLIN}, {.fd = timer, .events = POLLIN}};
    uint64_t expired;
    int status = 0;

    while (status == 0 && !(run->options->once && run->samples == ONCE_SAMPLES)) {
        int ready = poll(fds, 2, BEAT_INTERVAL);

        if (ready < 0 && errno != EINTR)
            return complain_error("host", -errno);
        if (ready > 0 && fds[0].revents)
            return 0;
        run_beat(run);
        /* Samples that were slept through are not made up for. */
        if (ready > 0 && read(timer, &expired, sizeof(expired)) == sizeof(expired))
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
        return complain_error("host", timer);
    status = run_loop(run, signals, timer);
    close(timer);
    return status;
}

/* Between the opening and the removal of everything. Returns an exit status. */
static int host_run(const struct host_options *options)
{
    struct host_run run = {.options = options};
    int status, error = host_begin(&run.host, options->proc, options->sys);
    int signals;

    if (error)
        return complain_error("host", error);
    signals = signals_open();
    if (signals < 0)
        status = complain_error("host", signals);
    else
        status = run_opened(&run, signals);
    for (int i = 0; i < HOST_SOURCES; i++) {
        error = output_close(&run.outputs[i]);
        if (error)
            status = complain_error(host_sources[i].name, error);
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
