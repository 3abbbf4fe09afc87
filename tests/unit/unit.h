/*
 * unit.h - helpers of the unit tests: opening handles, a subdirectory, child processes.
 *
 * The name of a test's segment is that of the test. A child reports by its exit status, since only
 * the test's process may use cr_assert.
 */
#ifndef KYMO_UNIT_H
#define KYMO_UNIT_H

#include "random.h"
#include "test.h"

#include <kymo/kymo.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNIT_PATH 512

/* A payload that contains its record's position twice. */
struct unit_payload {
    uint64_t pos;
    uint64_t inverse; /* ~pos */
};

struct unit_payload unit_payload(uint64_t pos);

struct kymo_writer *unit_writer(const char *name, const struct kymo_options *options);

/* A writer of struct unit_payload. */
struct kymo_writer *unit_writer_of_depth(const char *name, uint64_t depth);

struct kymo_reader *unit_reader(const char *name);

/* Publishes `count` records: the payload of their position; time 10 * pos, tag pos + 7. */
void unit_publish(struct kymo_writer *writer, uint64_t count);

struct kymo_info unit_info(const struct kymo_segment *segment);

/* The file of that name in the segment directory, as a path. */
const char *unit_path(const char *name, char path[UNIT_PATH]);

/* Makes an empty directory, and the segment directory of this process from now on. */
void unit_directory(const char *name);

/* All bytes of a segment's file; free() them. */
unsigned char *unit_file(const char *name, size_t *size);

/* Replaces the header of a segment without fields, with its checksum: FNV-1a, 64 bits. */
static inline void unit_write_header(const char *name, struct kymo_header header)
{
    const unsigned char *bytes = (const unsigned char *)&header;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    char path[UNIT_PATH];
    int fd = open(unit_path(name, path), O_RDWR);

    header.checksum = 0;
    for (size_t i = 0; i < sizeof(header); i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    header.checksum = hash;
    cr_assert_eq(pwrite(fd, &header, sizeof(header), 0), (ssize_t)sizeof(header));
    close(fd);
}

static inline struct kymo_header unit_header(const char *name)
{
    struct kymo_header header;
    char path[UNIT_PATH];
    int fd = open(unit_path(name, path), O_RDONLY);

    cr_assert_eq(pread(fd, &header, sizeof(header), 0), (ssize_t)sizeof(header));
    close(fd);
    return header;
}

/* Runs in a child; returns its exit status, or minus the signal that ended it. */
int unit_child(int (*run)(void *context), void *context);

#endif
