/*
 * fuse_mount.c - mounts of kymofs and of its baselines, over the segments of this run.
 */
#include "fuse_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

const char *bench_kymofs_path(void)
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

void bench_unmount(struct mount *mount)
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

int bench_mount(struct mount *mount, const char *program, const char *name)
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
    bench_unmount(mount);
    return bench_skip("%s cannot mount here", name);
}

int bench_mount_kymofs(struct fuse_bench *bench)
{
    return bench_mount(&bench->kymofs, bench_kymofs_path(), "kymofs");
}

struct fuse_bench *bench_fuse_create(void)
{
    struct fuse_bench *bench = calloc(1, sizeof(*bench));

    bench_require(bench ? 0 : -ENOMEM, "a benchmark");
    return bench;
}

void bench_fuse_close(void *context)
{
    struct fuse_bench *bench = context;
    char name[24];

    bench_pin(0);
    bench_unmount(&bench->kymofs);
    bench_unmount(&bench->other);
    if (bench->writer)
        kymo_writer_remove(bench->writer);
    for (unsigned int i = 0; i < bench->segments; i++) {
        snprintf(name, sizeof(name), "many%u", i);
        kymo_segment_remove(name);
    }
    free(bench->buffer);
    free(bench);
}

int bench_fuse_writer(struct fuse_bench *bench, uint64_t depth)
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

void bench_fuse_publish(struct fuse_bench *bench, uint64_t number)
{
    const double values[3] = {0.5 + (double)number * 0.001, 1.25, 9.81 - (double)(number % 777)};

    bench_require(kymo_ring_publish(bench->writer, values, sizeof(values),
                                    kymo_clock_now(KYMO_MONOTONIC), 0),
                  "publishing");
}
