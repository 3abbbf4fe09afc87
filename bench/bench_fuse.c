/*
 * bench_fuse.c - the mount: open, read and close against libfuse's smallest example; many readers,
 * segments and samples.
 *
 * Mounts the kymofs in the folder of this program over the segments of this run.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "rows.h"

#define SECOND UINT64_C(1000000000)

/* ---- a daemon and its mount ---- */

struct mount {
    pid_t daemon;
    char directory[64];
};

struct fuse_bench {
    struct mount kymofs;
    struct mount other;     /* baseline */
    char file[PATH_MAX];    /* in kymofs */
    char against[PATH_MAX]; /* in the baseline mount */
    struct kymo_writer *writer;
    unsigned int segments;
    char *buffer;
};

/* The path of kymofs, in the folder of this program. */
static const char *kymofs_path(void)
{
    static char path[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
    char *slash;

    path[len > 0 ? len : 0] = 0;
    slash = strrchr(path, '/');
    if (slash)
        snprintf(slash + 1, (size_t)(path + sizeof(path) - slash - 1), "kymofs");
    return path;
}

/* The daemon is terminated, and unmounts, when this program ends for any reason. */
static pid_t start(char *const arguments[])
{
    pid_t child = fork();
    int null;

    if (child)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    bench_unpin();
    null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    execv(arguments[0], arguments);
    _exit(127);
}

/* Waits until another file system is mounted there. */
static int await_mount(const struct mount *mount, dev_t below)
{
    const uint64_t end = bench_now() + 10 * SECOND;
    const struct timespec interval = {.tv_nsec = 200000};
    struct stat status;

    while (bench_now() < end) {
        if (stat(mount->directory, &status) == 0 && status.st_dev != below)
            return 0;
        if (waitpid(mount->daemon, NULL, WNOHANG) == mount->daemon)
            return -ECHILD;
        nanosleep(&interval, NULL);
    }
    return -ETIMEDOUT;
}

static void unmount(struct mount *mount)
{
    if (mount->daemon > 0) {
        kill(mount->daemon, SIGTERM);
        waitpid(mount->daemon, NULL, 0);
    }
    if (mount->directory[0])
        rmdir(mount->directory);
    mount->daemon = 0;
    mount->directory[0] = 0;
}

static int mount_by(struct mount *mount, const char *program, const char *name)
{
    char *const arguments[] = {(char *)(uintptr_t)program, (char *)(uintptr_t) "-f",
                               mount->directory, NULL};
    struct stat below;
    int error;

    if (access("/dev/fuse", R_OK | W_OK) != 0)
        return bench_skip("/dev/fuse is missing or not writable");
    if (access(program, X_OK) != 0)
        return bench_skip("%s is not installed", name);
    snprintf(mount->directory, sizeof(mount->directory), "/tmp/kymo-bench-XXXXXX");
    bench_require(mkdtemp(mount->directory) ? 0 : -errno, "a directory to mount on");
    bench_require(stat(mount->directory, &below) == 0 ? 0 : -errno, mount->directory);
    mount->daemon = start(arguments);
    error = await_mount(mount, below.st_dev);
    if (error == 0)
        return 0;
    if (error == -ECHILD)
        mount->daemon = 0;
    unmount(mount);
    return bench_skip("%s cannot mount here", name);
}

static int mount_kymofs(struct fuse_bench *bench)
{
    return mount_by(&bench->kymofs, kymofs_path(), "kymofs");
}

static struct fuse_bench *make_bench(void)
{
    struct fuse_bench *bench = calloc(1, sizeof(*bench));

    bench_require(bench ? 0 : -ENOMEM, "a benchmark");
    return bench;
}

static void close_bench(void *context)
{
    struct fuse_bench *bench = context;
    char name[24];

    bench_pin(0);
    unmount(&bench->kymofs);
    unmount(&bench->other);
    if (bench->writer)
        kymo_writer_remove(bench->writer);
    for (unsigned int i = 0; i < bench->segments; i++) {
        snprintf(name, sizeof(name), "many%u", i);
        kymo_segment_remove(name);
    }
    free(bench->buffer);
    free(bench);
}

#define BUFFER_SIZE ((size_t)1 << 20)

static uint64_t count_lines(const char *text, size_t len)
{
    const char *const end = text + len;
    uint64_t lines = 0;

    for (; (text = memchr(text, '\n', (size_t)(end - text))); text++)
        lines++;
    return lines;
}

/* A segment "viewed" with three fields. */
static int open_writer(struct fuse_bench *bench, uint64_t depth)
{
    static const struct kymo_field fields[] = {
        {.name = "x", .type = KYMO_F64, .offset = 0, .count = 1},
        {.name = "y", .type = KYMO_F64, .offset = 8, .count = 1},
        {.name = "z", .type = KYMO_F64, .offset = 16, .count = 1},
    };
    static const struct kymo_schema schema = {fields, 3, 24};
    const struct kymo_options options = {.depth = depth,
                                         .size = 24,
                                         .schema = &schema,
                                         .existing = KYMO_CREATE_NEW};
    int error = kymo_writer_open(&bench->writer, "viewed", &options);

    if (error == -ENOSPC)
        return bench_skip("not enough memory in %s", kymo_directory());
    bench_require(error, "opening a writer");
    return 0;
}

static void publish_one(struct fuse_bench *bench, uint64_t number)
{
    const double values[3] = {0.5 + (double)number * 0.001, 1.25, 9.81 - (double)(number % 777)};

    bench_require(kymo_ring_publish(bench->writer, values, sizeof(values),
                                    kymo_clock_now(KYMO_MONOTONIC), 0),
                  "publishing");
}

/* ---- open, read, close ---- */

/* Consecutive opens of a client that reads a few files. */
#define BURST 10

static uint64_t read_file(const char *path, uint64_t count)
{
    char buffer[4096];
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        int file = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t len = file < 0 ? -1 : read(file, buffer, sizeof(buffer));

        bench_require(len > 0 ? 0 : -errno, path);
        sum += (unsigned char)buffer[len - 1];
        close(file);
    }
    return sum;
}

static uint64_t read_kymofs(void *context, uint64_t count)
{
    return read_file(((struct fuse_bench *)context)->file, count);
}

static uint64_t read_other(void *context, uint64_t count)
{
    return read_file(((struct fuse_bench *)context)->against, count);
}

/* ---- cat ---- */

/* Files per exec of cat: its start takes longer than reading a file. */
#define CAT_FILES 32

static uint64_t cat_file(char *path, uint64_t count)
{
    char *arguments[CAT_FILES + 2] = {(char *)(uintptr_t) "cat"};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    for (uint64_t done = 0, part; done < count; done += part) {
        part = count - done < CAT_FILES ? count - done : CAT_FILES;
        for (uint64_t i = 0; i < part; i++)
            arguments[1 + i] = path;
        arguments[1 + part] = NULL;
        bench_require(-posix_spawn(&child, "/bin/cat", &actions, NULL, arguments, environ),
                      "/bin/cat");
        bench_require(waitpid(child, &status, 0) == child && status == 0 ? 0 : -EIO, path);
    }
    posix_spawn_file_actions_destroy(&actions);
    return count;
}

static uint64_t cat_kymofs(void *context, uint64_t count)
{
    return cat_file(((struct fuse_bench *)context)->file, count);
}

static uint64_t cat_other(void *context, uint64_t count)
{
    return cat_file(((struct fuse_bench *)context)->against, count);
}

/* ---- bursts ---- */

/* A burst begins when both daemons and the processors are idle. */
static double time_burst(const char *path)
{
    const struct timespec rest = {.tv_nsec = 2000000};
    uint64_t begin;

    nanosleep(&rest, NULL);
    begin = bench_now();
    read_file(path, BURST);
    return (double)(bench_now() - begin) / BURST;
}

static void measure_bursts(void *context, const struct bench_settings *settings,
                           struct bench_result *result)
{
    const size_t bursts = settings->rounds < 100 ? 9 : 301;
    struct fuse_bench *bench = context;
    double ns[2][301];

    for (size_t i = 0; i < bursts; i++) {
        for (size_t turn = 0; turn < 2; turn++) {
            const size_t side = turn ^ (i & 1);

            ns[side][i] = time_burst(side ? bench->against : bench->file);
        }
    }
    result->ns = bench_quantile(ns[0], bursts, 0.5);
    result->baseline = bench_quantile(ns[1], bursts, 0.5);
}

/* The client is not pinned, like cat: the CPU that the kernel chooses for it is part of the result. */
static int open_pair(void **context, const char *program, const char *name, const char *file)
{
    struct fuse_bench *bench = make_bench();
    int status;

    *context = bench;
    bench_unpin();
    status = open_writer(bench, 64);
    if (!status) {
        publish_one(bench, 0);
        status = mount_kymofs(bench);
    }
    if (!status)
        status = mount_by(&bench->other, program, name);
    snprintf(bench->file, sizeof(bench->file), "%s/viewed/latest", bench->kymofs.directory);
    snprintf(bench->against, sizeof(bench->against), "%s/%s", bench->other.directory, file);
    if (!status && access(bench->against, R_OK) != 0)
        status = bench_skip("%s has no file %s here", name, file);
    if (status)
        close_bench(bench);
    return status;
}

static int open_against_hello(const struct bench_row *row, void **context)
{
    (void)row;
    return open_pair(context, BENCH_HELLO_LL, "hello_ll (libfuse3-dev's examples)", "hello");
}

static int open_against_lxcfs(const struct bench_row *row, void **context)
{
    (void)row;
    return open_pair(context, "/usr/bin/lxcfs", "lxcfs", "proc/uptime");
}

/* ---- the first read of a history ---- */

#define HISTORY (UINT64_C(1) << 20) /* records */

static int open_history(const struct bench_row *row, void **context)
{
    struct fuse_bench *bench = make_bench();
    int status = 0;

    *context = bench;
    bench_unpin();
    if (access("/dev/fuse", R_OK | W_OK) != 0)
        status = bench_skip("/dev/fuse is missing or not writable");
    else if (access(kymofs_path(), X_OK) != 0)
        status = bench_skip("kymofs is not installed");
    if (!status)
        status = open_writer(bench, row->depth);
    for (uint64_t i = 1; !status && i < row->depth; i++)
        publish_one(bench, i);
    bench->buffer = malloc(BUFFER_SIZE);
    bench_require(bench->buffer ? 0 : -ENOMEM, "a buffer");
    if (status)
        close_bench(bench);
    return status;
}

/* Reads history.csv once through a new mount; ns, 0 if it failed. */
static double time_history(struct fuse_bench *bench, struct bench_result *result)
{
    uint64_t began, lines = 0;
    char path[PATH_MAX];
    ssize_t len = -1;
    int file;

    if (mount_kymofs(bench) != 0) {
        snprintf(result->reason, sizeof(result->reason), "kymofs cannot mount here");
        return 0;
    }
    snprintf(path, sizeof(path), "%s/viewed/history.csv", bench->kymofs.directory);
    began = bench_now();
    file = open(path, O_RDONLY | O_CLOEXEC);
    while (file >= 0 && (len = read(file, bench->buffer, BUFFER_SIZE)) > 0)
        lines += count_lines(bench->buffer, (size_t)len);
    began = bench_now() - began;
    if (file < 0 || len < 0 || lines < HISTORY)
        snprintf(result->reason, sizeof(result->reason), "history.csv: %s after %u lines",
                 file < 0 || len < 0 ? strerror(errno) : "end of file", (unsigned int)lines);
    if (file >= 0)
        close(file);
    unmount(&bench->kymofs);
    return (double)began;
}

/* Formats the same records with the public functions. */
static double time_formatting(void)
{
    const struct kymo_schema *schema;
    struct kymo_reader *reader;
    struct kymo_record record;
    struct kymo_text text = {0};
    uint64_t began = bench_now(), lines = 0, head;
    double values[3];

    bench_require(kymo_reader_open(&reader, "viewed"), "opening a reader");
    schema = kymo_segment_schema(reader->segment);
    head = kymo_ring_head(&reader->ring);
    kymo_text_csv_header(&text, schema);
    for (uint64_t pos = head - (HISTORY - 1); pos < head; pos++) {
        bench_require(kymo_ring_at(reader, pos, values, sizeof(values), &record), "reading");
        kymo_text_csv(&text, schema, &record, values);
        if (text.len < BUFFER_SIZE && pos + 1 < head)
            continue;
        lines += count_lines(text.data, text.len);
        kymo_text_clear(&text);
    }
    bench_require(lines == HISTORY ? 0 : -EIO, "formatting");
    kymo_text_free(&text);
    kymo_reader_close(reader);
    return (double)(bench_now() - began);
}

static void measure_history(void *context, const struct bench_settings *settings,
                            struct bench_result *result)
{
    const size_t rounds = settings->rounds < 100 ? 1 : 7;
    double ns[2][7];

    for (size_t i = 0; i < rounds && !result->reason[0]; i++) {
        ns[0][i] = time_history(context, result);
        ns[1][i] = time_formatting();
    }
    if (result->reason[0])
        return;
    result->ns = bench_quantile(ns[0], rounds, 0.5);
    result->baseline = bench_quantile(ns[1], rounds, 0.5);
}

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
    struct fuse_bench *bench = make_bench();
    int status;

    (void)row;
    *context = bench;
    status = open_writer(bench, 64);
    if (!status) {
        publish_one(bench, 0);
        status = mount_kymofs(bench);
    }
    snprintf(bench->file, sizeof(bench->file), "%s/viewed/stream", bench->kymofs.directory);
    if (status)
        close_bench(bench);
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
    const struct timespec settle = {.tv_nsec = 300000000};
    const struct timespec idle = {.tv_sec = settings->rounds < 100 ? 1 : 3};
    struct fuse_bench *bench = context;
    double before;

    nanosleep(&settle, NULL);
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
    unmount(&bench->kymofs);
    for (unsigned int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

enum stream_figure { SERVED, THREADS, MEMORY };

static void measure_streams(void *context, struct bench_result *result, enum stream_figure figure)
{
    const struct timespec settle = {.tv_nsec = 500000000};
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
    nanosleep(&settle, NULL);
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
    struct fuse_bench *bench = make_bench();
    int status;

    *context = bench;
    status = make_many(bench, (unsigned int)row->depth, 3);
    if (status)
        close_bench(bench);
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
    if (mount_kymofs(bench) != 0) {
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

    if (mount_kymofs(bench) == 0)
        result->ns = sample_rate(bench, settings->rounds < 100 ? 3 : 15);
    if (result->ns == 0)
        snprintf(result->reason, sizeof(result->reason), "kymofs has no file metrics.prom");
}

/* ns per sample of ten segments with `fields` fields. */
static double ns_per_sample(struct fuse_bench *bench, unsigned int fields, int readings)
{
    double rate;

    if (make_many(bench, 10, fields) != 0 || mount_kymofs(bench) != 0)
        return 0;
    rate = sample_rate(bench, readings);
    unmount(&bench->kymofs);
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
    *context = make_bench();
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

#define CLOSE .close = close_bench

const struct bench_row bench_fuse_rows[] = {
    {.name = "kymofs-open+read+close",
     .against = "libfuse's hello_ll",
     .most_ratio = 0.7,
     .stretch = 3000,
     .rounds = 9,
     CLOSE,
     .open = open_against_hello,
     .run = read_kymofs,
     .baseline = read_other},
    {.name = "kymofs-open+read+close-in-bursts",
     .against = "libfuse's hello_ll",
     CLOSE,
     .open = open_against_hello,
     .measure = measure_bursts},
    {.name = "kymofs-cat",
     .against = "cat of hello_ll's file",
     .most_ratio = 1.3,
     .stretch = 1000,
     .rounds = 15,
     CLOSE,
     .open = open_against_hello,
     .run = cat_kymofs,
     .baseline = cat_other},
    {.name = "kymofs-first-read-of-history.csv",
     .against = "formatting the same records into a reused buffer",
     .depth = HISTORY,
     .most_ratio = 1.2,
     CLOSE,
     .open = open_history,
     .measure = measure_history},
    {.name = "kymofs-against-lxcfs",
     .against = "lxcfs's proc/uptime",
     .stretch = 10,
     CLOSE,
     .open = open_against_lxcfs,
     .run = read_kymofs,
     .baseline = read_other},
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
