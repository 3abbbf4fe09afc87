/*
 * bench_fuse_load.c - load on the mount: idle CPU time; many readers, segments and samples.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "fuse_mount.h"
#include "rows.h"

/* ---- resources of the daemon ---- */

static double read_number(pid_t process, const char *file, const char *key)
{
    char path[64], line[256];
    double number = -1;
    FILE *stream;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)process, file);
    stream = fopen(path, "re");
    bench_require(stream ? 0 : -errno, path);
    while (number < 0 && fgets(line, sizeof(line), stream))
        if (strncmp(line, key, strlen(key)) == 0)
            number = strtod(line + strlen(key), NULL);
    fclose(stream);
    return number;
}

static int open_bench(const struct bench_row *row, void **context)
{
    struct fuse_bench *bench = bench_fuse_create();
    int status;

    (void)row;
    *context = bench;
    status = bench_fuse_writer(bench, 64);
    if (!status) {
        bench_fuse_publish(bench, 0);
        status = bench_mount_kymofs(bench);
    }
    snprintf(bench->file, sizeof(bench->file), "%s/viewed/stream", bench->kymofs.directory);
    if (status)
        bench_fuse_close(bench);
    return status;
}

/* CPU time of all the daemon's threads, ns. */
static double cpu_time(pid_t process)
{
    char path[64];
    double sum = 0;
    DIR *threads;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)process);
    threads = opendir(path);
    bench_require(threads ? 0 : -errno, path);
    for (struct dirent *entry; (entry = readdir(threads));) {
        char file[300];

        snprintf(file, sizeof(file), "task/%s/schedstat", entry->d_name);
        if (entry->d_name[0] != '.')
            sum += read_number(process, file, "");
    }
    closedir(threads);
    return sum;
}

static void measure_idle(void *context, const struct bench_settings *settings,
                         struct bench_result *result)
{
    const struct timespec delay = {.tv_nsec = 300000000};
    const struct timespec idle = {.tv_sec = settings->rounds < 100 ? 1 : 3};
    struct fuse_bench *bench = context;
    double before;

    nanosleep(&delay, NULL);
    before = cpu_time(bench->kymofs.daemon);
    nanosleep(&idle, NULL);
    result->ns = (cpu_time(bench->kymofs.daemon) - before) / 1000 / (double)idle.tv_sec;
}

/* ---- a thousand readers of stream ---- */

#define STREAMS 1000

struct streams {
    struct fuse_bench *bench;
    unsigned int opened; /* streams opened */
    unsigned int served; /* streams that have read the new record */
    uint64_t last;       /* time of the last such read, CLOCK_MONOTONIC ns */
};

static void *follow_stream(void *context)
{
    struct streams *streams = context;
    int file = open(streams->bench->file, O_RDONLY | O_CLOEXEC);
    char buffer[4096];

    __atomic_fetch_add(&streams->opened, 1, __ATOMIC_SEQ_CST);
    if (file >= 0 && read(file, buffer, sizeof(buffer)) > 0) {
        __atomic_store_n(&streams->last, bench_now(), __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&streams->served, 1, __ATOMIC_SEQ_CST);
    }
    if (file >= 0)
        close(file);
    return NULL;
}

static unsigned int await_count(const unsigned int *count, unsigned int least)
{
    const uint64_t end = bench_now() + 20 * SECOND;
    const struct timespec interval = {.tv_nsec = 1000000};

    while (__atomic_load_n(count, __ATOMIC_SEQ_CST) < least && bench_now() < end)
        nanosleep(&interval, NULL);
    return __atomic_load_n(count, __ATOMIC_SEQ_CST);
}

static void end_streams(struct fuse_bench *bench, const pthread_t *threads, unsigned int count)
{
    /* Blocked reads fail now. */
    bench_unmount(&bench->kymofs);
    for (unsigned int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

enum stream_figure { SERVED, THREADS, MEMORY };

static void measure_streams(void *context, struct bench_result *result, enum stream_figure figure)
{
    const struct timespec delay = {.tv_nsec = 500000000};
    struct streams streams = {.bench = context};
    struct fuse_bench *bench = context;
    pthread_t threads[STREAMS];
    pthread_attr_t small;
    unsigned int count = 0;
    uint64_t published;
    const double values[3] = {1, 2, 3};

    if (access(bench->file, R_OK) != 0) {
        snprintf(result->reason, sizeof(result->reason), "kymofs has no file stream");
        return;
    }
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    while (count < STREAMS && pthread_create(&threads[count], &small, follow_stream, &streams) == 0)
        count++;
    pthread_attr_destroy(&small);
    await_count(&streams.opened, count);
    nanosleep(&delay, NULL);
    if (figure == THREADS)
        result->ns = read_number(bench->kymofs.daemon, "status", "Threads:");
    if (figure == MEMORY)
        result->ns = read_number(bench->kymofs.daemon, "status", "VmRSS:") / 1024;
    published = bench_now();
    bench_require(kymo_ring_publish(bench->writer, values, sizeof(values),
                                    kymo_clock_now(KYMO_MONOTONIC), 0),
                  "publishing");
    if (await_count(&streams.served, STREAMS) < STREAMS)
        snprintf(result->reason, sizeof(result->reason), "%u of %u readers were served",
                 streams.served, STREAMS);
    else if (figure == SERVED)
        result->ns = (double)(streams.last - published) / 1e6;
    end_streams(bench, threads, count);
}

static void measure_served(void *context, const struct bench_settings *settings,
                           struct bench_result *result)
{
    (void)settings;
    measure_streams(context, result, SERVED);
}

static void measure_threads(void *context, const struct bench_settings *settings,
                            struct bench_result *result)
{
    (void)settings;
    measure_streams(context, result, THREADS);
}

static void measure_memory(void *context, const struct bench_settings *settings,
                           struct bench_result *result)
{
    (void)settings;
    measure_streams(context, result, MEMORY);
}

/* ---- many segments, many samples ---- */

#define MANY 10000u

/* Creates segments "many0" and on, with `fields` numbers each, and closes their writers. */
static int make_many(struct fuse_bench *bench, unsigned int count, unsigned int fields)
{
    struct kymo_field *table = calloc(fields, sizeof(*table));
    double *values = calloc(fields, sizeof(*values));
    const struct kymo_schema schema = {table, fields, fields * 8};
    const struct kymo_options options = {.depth = 2,
                                         .size = fields * 8,
                                         .schema = &schema,
                                         .existing = KYMO_CREATE_NEW};
    int error = 0;

    bench_require(table && values ? 0 : -ENOMEM, "a schema");
    for (unsigned int i = 0; i < fields; i++) {
        snprintf(table[i].name, sizeof(table[i].name), "field%u", i);
        table[i].type = KYMO_F64;
        table[i].offset = 8 * i;
        table[i].count = 1;
        values[i] = i * 1.25;
    }
    while (bench->segments < count && !error) {
        struct kymo_writer *writer;
        char name[24];

        snprintf(name, sizeof(name), "many%u", bench->segments);
        error = kymo_writer_open(&writer, name, &options);
        if (error)
            break;
        bench->segments++;
        error = kymo_ring_publish(writer, values, options.size, kymo_clock_now(KYMO_MONOTONIC), 0);
        kymo_writer_close(writer);
    }
    free(table);
    free(values);
    return error == -ENOSPC ? bench_skip("not enough memory in %s", kymo_directory()) : error;
}

static int open_many(const struct bench_row *row, void **context)
{
    struct fuse_bench *bench = bench_fuse_create();
    int status;

    *context = bench;
    status = make_many(bench, (unsigned int)row->depth, 3);
    if (status)
        bench_fuse_close(bench);
    return status;
}

static unsigned int count_entries(const char *directory)
{
    DIR *stream = opendir(directory);
    unsigned int count = 0;

    bench_require(stream ? 0 : -errno, directory);
    for (struct dirent *entry; (entry = readdir(stream));)
        count += strncmp(entry->d_name, "many", 4) == 0;
    closedir(stream);
    return count;
}

/* Seconds from the start of kymofs until all segments are listed. */
static void measure_listing(void *context, const struct bench_settings *settings,
                            struct bench_result *result)
{
    const uint64_t began = bench_now();
    struct fuse_bench *bench = context;
    unsigned int count;

    (void)settings;
    if (bench_mount_kymofs(bench) != 0) {
        snprintf(result->reason, sizeof(result->reason), "kymofs cannot mount here");
        return;
    }
    count = count_entries(bench->kymofs.directory);
    result->ns = (double)(bench_now() - began) / 1e9;
    if (count != bench->segments)
        snprintf(result->reason, sizeof(result->reason), "%u of %u segments were listed", count,
                 bench->segments);
}

/* Reads metrics.prom. Returns the number of samples; *ns: elapsed time. */
static double read_metrics(const struct fuse_bench *bench, double *ns)
{
    static char buffer[1 << 20];
    const uint64_t began = bench_now();
    double samples = 0;
    int line_begins = 1;
    char path[PATH_MAX];
    ssize_t len;
    int file;

    snprintf(path, sizeof(path), "%s/metrics.prom", bench->kymofs.directory);
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    while ((len = read(file, buffer, sizeof(buffer))) > 0) {
        for (ssize_t i = 0; i < len; i++) {
            samples += line_begins && buffer[i] != '#';
            line_begins = buffer[i] == '\n';
        }
    }
    *ns = (double)(bench_now() - began);
    close(file);
    return samples;
}

/* Median of several readings, samples/s. */
static double sample_rate(const struct fuse_bench *bench, int readings)
{
    double rates[32], ns;

    for (int i = 0; i < readings; i++) {
        double samples = read_metrics(bench, &ns);

        if (samples == 0)
            return 0;
        rates[i] = samples / ns * 1e9;
    }
    return bench_quantile(rates, (size_t)readings, 0.5);
}

static void measure_samples(void *context, const struct bench_settings *settings,
                            struct bench_result *result)
{
    struct fuse_bench *bench = context;

    if (bench_mount_kymofs(bench) == 0)
        result->ns = sample_rate(bench, settings->rounds < 100 ? 3 : 15);
    if (result->ns == 0)
        snprintf(result->reason, sizeof(result->reason), "kymofs has no file metrics.prom");
}

/* ns per sample of ten segments with `fields` fields. */
static double ns_per_sample(struct fuse_bench *bench, unsigned int fields, int readings)
{
    double rate;

    if (make_many(bench, 10, fields) != 0 || bench_mount_kymofs(bench) != 0)
        return 0;
    rate = sample_rate(bench, readings);
    bench_unmount(&bench->kymofs);
    while (bench->segments > 0) {
        char name[24];

        snprintf(name, sizeof(name), "many%u", --bench->segments);
        kymo_segment_remove(name);
    }
    return rate > 0 ? 1e9 / rate : 0;
}

static int open_empty(const struct bench_row *row, void **context)
{
    (void)row;
    *context = bench_fuse_create();
    return 0;
}

static void measure_linear(void *context, const struct bench_settings *settings,
                           struct bench_result *result)
{
    const int readings = settings->rounds < 100 ? 5 : 25;

    result->baseline = ns_per_sample(context, 100, readings);
    result->ns = ns_per_sample(context, 1000, readings);
    if (result->ns == 0 || result->baseline == 0)
        snprintf(result->reason, sizeof(result->reason), "kymofs has no file metrics.prom");
}

/* ---- rows ---- */

#define CLOSE .close = bench_fuse_close

const struct bench_row bench_fuse_load_rows[] = {
    {.name = "kymofs-idle-CPU",
     .most_ns = 1,
     .unit = "us/s",
     CLOSE,
     .open = open_bench,
     .measure = measure_idle},
    {.name = "kymofs-1000-streams-served",
     .most_ns = 50,
     .unit = "ms",
     CLOSE,
     .open = open_bench,
     .measure = measure_served},
    {.name = "kymofs-1000-streams-threads",
     .most_ns = 8,
     .unit = "thr",
     CLOSE,
     .open = open_bench,
     .measure = measure_threads},
    {.name = "kymofs-1000-streams-memory",
     .most_ns = 64,
     .unit = "MiB",
     CLOSE,
     .open = open_bench,
     .measure = measure_memory},
    {.name = "kymofs-mount+list-segments",
     .depth = MANY,
     .most_ns = 1,
     .unit = "s",
     CLOSE,
     .open = open_many,
     .measure = measure_listing},
    {.name = "kymofs-metrics",
     .depth = MANY,
     .least = 500000,
     .unit = "sampl/s",
     CLOSE,
     .open = open_many,
     .measure = measure_samples},
    {.name = "kymofs-metrics-growth",
     .against = "a tenth of the fields, per sample",
     .most_ratio = 1.5,
     CLOSE,
     .open = open_empty,
     .measure = measure_linear},
    {.name = NULL},
};
