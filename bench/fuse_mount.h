/*
 * fuse_mount.h - mounts of kymofs and of its baselines, over the segments of this run.
 */
#ifndef KYMO_BENCH_FUSE_MOUNT_H
#define KYMO_BENCH_FUSE_MOUNT_H

#include <limits.h>
#include <sys/types.h>

#include "fixture.h"

#define SECOND UINT64_C(1000000000)

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

/* Allocates the state of a row. */
struct fuse_bench *bench_fuse_create(void);
/* Unmounts, and removes the segments. */
void bench_fuse_close(void *context);

/* The path of kymofs, in the folder of this program. */
const char *bench_kymofs_path(void);
/* Starts a daemon and waits for its mount. 0, or BENCH_SKIPPED; `name` is for the reason. */
int bench_mount(struct mount *mount, const char *program, const char *name);
int bench_mount_kymofs(struct fuse_bench *bench);
void bench_unmount(struct mount *mount);

/* Creates the segment "viewed" with three fields. 0, or BENCH_SKIPPED. */
int bench_fuse_writer(struct fuse_bench *bench, uint64_t depth);
void bench_fuse_publish(struct fuse_bench *bench, uint64_t number);

#endif
