/*
 * mount.c - mount points and going into the background.
 */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <mntent.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kymo/segment.h>

#define PROBE_TIMEOUT UINT64_C(3000000000) /* ns */

extern char **environ;

int mount_open_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd < 3);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

/* ---- the mount point ---- */

/* The path with all but its last part resolved. */
static char *resolve_parent(const char *path)
{
    char *for_parent = strdup(path);
    char *for_name = strdup(path);
    char *parent = for_parent ? realpath(dirname(for_parent), NULL) : NULL;
    char *resolved = NULL;

    if (parent && for_name &&
        asprintf(&resolved, "%s/%s", strcmp(parent, "/") ? parent : "", basename(for_name)) < 0)
        resolved = NULL;
    free(parent);
    free(for_name);
    free(for_parent);
    return resolved;
}

char *mount_point_resolve(const char *path)
{
    char *resolved = realpath(path, NULL);

    if (!resolved && errno == ENOTCONN)
        resolved = resolve_parent(path);
    return resolved;
}

/* The type of the topmost mount at the point; empty if there is none. */
static void find_type(const char *point, char *type, size_t size)
{
    FILE *mounts = setmntent("/proc/self/mounts", "r");
    const struct mntent *entry;

    type[0] = '\0';
    while (mounts && (entry = getmntent(mounts))) {
        if (strcmp(entry->mnt_dir, point) == 0)
            snprintf(type, size, "%s", entry->mnt_type);
    }
    if (mounts)
        endmntent(mounts);
}

/* Without the privilege, through the setuid helper. */
static int unmount(const char *point)
{
    char *arguments[] = {"fusermount3", "-u", "-z", "-q", "--", (char *)(uintptr_t)point, NULL};
    int status = -1;
    pid_t helper;

    if (umount2(point, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        return 0;
    if (posix_spawnp(&helper, arguments[0], NULL, NULL, arguments, environ) != 0)
        return -EPERM;
    while (waitpid(helper, &status, 0) < 0 && errno == EINTR)
        ;
    return status == 0 ? 0 : -EPERM;
}

/* 0, or the error of a stat that bypasses cached attributes. */
static int probe(const char *point)
{
    struct statx status;

    return statx(AT_FDCWD, point, AT_STATX_FORCE_SYNC, STATX_TYPE, &status) == 0 ? 0 : -errno;
}

/* Waits for input, also if signals interrupt the wait: SIGCONT does. Returns whether there is any. */
static bool wait_for_reply(struct pollfd *reply)
{
    const uint64_t deadline = kymo_clock_now(KYMO_MONOTONIC) + PROBE_TIMEOUT;
    uint64_t now;

    while ((now = kymo_clock_now(KYMO_MONOTONIC)) < deadline) {
        int ready = poll(reply, 1, (int)((deadline - now) / 1000000) + 1);

        if (ready >= 0 || errno != EINTR)
            return ready == 1;
    }
    return false;
}

/* The same in a child process: without a reply the call cannot be interrupted. */
static int probe_with_timeout(const char *point)
{
    struct pollfd reply = {.events = POLLIN};
    int error = -ETIMEDOUT;
    int ends[2];
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    child = fork();
    if (child == 0) {
        error = probe(point);
        _exit(write(ends[1], &error, sizeof(error)) != sizeof(error));
    }
    close(ends[1]);
    reply.fd = ends[0];
    if (child < 0 ||
        (wait_for_reply(&reply) && read(ends[0], &error, sizeof(error)) != sizeof(error)))
        error = -EAGAIN;
    close(ends[0]);
    if (child > 0 && error == -ETIMEDOUT)
        kill(child, SIGKILL); /* reaped by init, if it ends */
    else if (child > 0)
        waitpid(child, NULL, 0);
    return error;
}

int mount_point_clear(const char *point)
{
    const int tries = 16; /* mounts can be stacked */
    struct stat status;
    char type[64];

    for (int i = 0; i < tries; i++) {
        int error;

        find_type(point, type, sizeof(type));
        /* Not before: a file system that does not reply would block stat. */
        if (!type[0])
            return stat(point, &status) == 0 && !S_ISDIR(status.st_mode) ? -ENOTDIR : 0;
        error = probe_with_timeout(point);
        if (error == -ETIMEDOUT)
            return error;
        if (error != -ENOTCONN)
            return strcmp(type, MOUNT_TYPE) == 0 ? -EBUSY : 0;
        if (strcmp(type, MOUNT_TYPE) != 0)
            return error;
        error = unmount(point);
        if (error)
            return error;
    }
    return -EPERM;
}

const char *mount_error_text(int error)
{
    switch (error) {
    case -EBUSY:
        return "a kymofs is mounted there: first run fusermount3 -u";
    case -ETIMEDOUT:
        return "the file system there does not reply: first run fusermount3 -u -z";
    case -ENOTCONN:
        return "the daemon of the file system there has ended: first run fusermount3 -u";
    case -EPERM:
        return "the mount of a killed kymofs there cannot be removed";
    default:
        return strerror(-error);
    }
}

/* ---- the background ---- */

static void wait_for_child(pid_t child, int ready)
{
    char byte;
    ssize_t len;
    int status;

    while ((len = read(ready, &byte, 1)) < 0 && errno == EINTR)
        ;
    if (len == 1)
        _exit(0);
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) == 0)
        _exit(1);
    _exit(WEXITSTATUS(status));
}

int mount_background(void)
{
    int ends[2];
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    child = fork();
    if (child < 0)
        return -errno;
    if (child > 0) {
        close(ends[1]);
        wait_for_child(child, ends[0]);
    }
    close(ends[0]);
    setsid();
    return ends[1];
}

void mount_ready(int descriptor)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = 0; nothing >= 0 && fd < 3; fd++)
        dup2(nothing, fd);
    if (nothing > 2)
        close(nothing);
    /* Fails if the parent was killed. */
    if (write(descriptor, "", 1) != 1)
        errno = 0;
    close(descriptor);
}
