/*
 * bench_fuse.c - files of the mount: open, read and close, cat, and the first read of a history.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuse_mount.h"
#include "rows.h"

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

/* Arguments of the second row: the start of a process takes longer than reading a file. */
#define CAT_FILES 32

/* Prints the file `count` times, by processes of `files` arguments. */
static uint64_t cat_file(char *path, uint64_t count, uint64_t files)
{
    char *arguments[CAT_FILES + 2] = {(char *)(uintptr_t) "cat"};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    for (uint64_t done = 0, part; done < count; done += part) {
        part = count - done < files ? count - done : files;
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
    return cat_file(((struct fuse_bench *)context)->file, count, 1);
}

static uint64_t cat_other(void *context, uint64_t count)
{
    return cat_file(((struct fuse_bench *)context)->against, count, 1);
}

static uint64_t cat_many_kymofs(void *context, uint64_t count)
{
    return cat_file(((struct fuse_bench *)context)->file, count, CAT_FILES);
}

static uint64_t cat_many_other(void *context, uint64_t count)
{
    return cat_file(((struct fuse_bench *)context)->against, count, CAT_FILES);
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
    struct fuse_bench *bench = bench_fuse_create();
    int status;

    *context = bench;
    bench_unpin();
    status = bench_fuse_writer(bench, 64);
    if (!status) {
        bench_fuse_publish(bench, 0);
        status = bench_mount_kymofs(bench);
    }
    if (!status)
        status = bench_mount(&bench->other, program, name);
    snprintf(bench->file, sizeof(bench->file), "%s/viewed/latest", bench->kymofs.directory);
    snprintf(bench->against, sizeof(bench->against), "%s/%s", bench->other.directory, file);
    if (!status && access(bench->against, R_OK) != 0)
        status = bench_skip("%s has no file %s here", name, file);
    if (status)
        bench_fuse_close(bench);
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

#define HISTORY     (UINT64_C(1) << 20) /* records */
#define BUFFER_SIZE ((size_t)1 << 20)

static uint64_t count_lines(const char *text, size_t len)
{
    const char *const end = text + len;
    uint64_t lines = 0;

    for (; (text = memchr(text, '\n', (size_t)(end - text))); text++)
        lines++;
    return lines;
}

static int open_history(const struct bench_row *row, void **context)
{
    struct fuse_bench *bench = bench_fuse_create();
    int status = 0;

    *context = bench;
    bench_unpin();
    if (access("/dev/fuse", R_OK | W_OK) != 0)
        status = bench_skip("/dev/fuse is missing or not writable");
    else if (access(bench_kymofs_path(), X_OK) != 0)
        status = bench_skip("kymofs is not installed");
    if (!status)
        status = bench_fuse_writer(bench, row->depth);
    for (uint64_t i = 1; !status && i < row->depth; i++)
        bench_fuse_publish(bench, i);
    bench->buffer = malloc(BUFFER_SIZE);
    bench_require(bench->buffer ? 0 : -ENOMEM, "a buffer");
    if (status)
        bench_fuse_close(bench);
    return status;
}

/* Reads history.csv once through a new mount; ns, 0 if it failed. */
static double time_history(struct fuse_bench *bench, struct bench_result *result)
{
    uint64_t began, lines = 0;
    char path[PATH_MAX];
    ssize_t len = -1;
    int file;

    if (bench_mount_kymofs(bench) != 0) {
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
    bench_unmount(&bench->kymofs);
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

/* ---- rows ---- */

#define CLOSE .close = bench_fuse_close

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
     .stretch = 300,
     .rounds = 15,
     CLOSE,
     .open = open_against_hello,
     .run = cat_kymofs,
     .baseline = cat_other},
    {.name = "kymofs-cat-of-32-files",
     .against = "cat of hello_ll's file",
     .stretch = 1000,
     .rounds = 15,
     CLOSE,
     .open = open_against_hello,
     .run = cat_many_kymofs,
     .baseline = cat_many_other},
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
    {.name = NULL},
};
