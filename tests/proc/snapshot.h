/*
 * snapshot.h - a copy of a segment directory's names and bytes: updated while a stopped process
 * changes the directory, and written to another one. It has no locks, as after a SIGKILL.
 */
#ifndef KYMO_TEST_SNAPSHOT_H
#define KYMO_TEST_SNAPSHOT_H

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stress/checked.h"

#define SNAPSHOT_FILES 4

/* A file at the last update. */
struct snapshot_file {
    char name[64]; /* "": unlinked, but still open elsewhere */
    ino_t inode;
    size_t size;
    unsigned char *bytes;
    const unsigned char *live; /* the mapped file; NULL while it is empty */
};

/* Files in the order of their first appearance. */
struct snapshot {
    DIR *listing;
    struct snapshot_file files[SNAPSHOT_FILES];
    size_t count;
};

/* Copies changed bytes and, with `names`, changed names and sizes. Returns whether anything changed. */
int snapshot_update(struct snapshot *snapshot, int names);

/* The first snapshot of the directory. */
void snapshot_open(struct snapshot *snapshot, const char *directory);

void snapshot_close(struct snapshot *snapshot);

/* Over names and bytes. */
uint64_t snapshot_hash(const struct snapshot *snapshot);

/* The file of that name, or NULL. */
const struct snapshot_file *snapshot_find(const struct snapshot *snapshot, const char *name);

/* Writes one file under `name`. */
void snapshot_write_file(const struct snapshot_file *file, const char *directory, const char *name);

/* Writes all files that have a name. */
void snapshot_write(const struct snapshot *snapshot, const char *directory);

/* Removes every file of a directory that the test created. */
void snapshot_clear_directory(const char *directory);

#endif
