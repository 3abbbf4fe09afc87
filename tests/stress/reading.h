/*
 * reading.h - all reads and queries of checked.h's records, and their only correct results while no
 * writer runs: required at once after a writer was stopped or killed.
 */
#ifndef KYMO_TEST_READING_H
#define KYMO_TEST_READING_H

#include "oracle.h"

struct reading {
    struct kymo_reader *reader;
    uint64_t head; /* the expected one */
    int begun;     /* the slot of head is being overwritten: the oldest record is lost */
    int live;      /* the expected liveness */
};

/* The largest payload that is read, bytes. */
#define READING_LIMIT 256

/* Checks return NULL, or the fault. */

const char *reading_latest(const struct reading *reading);

struct reading_check {
    const char *name;
    const char *(*run)(const struct reading *reading);
};

#define READING_CHECKS 8

/* Runs all checks. Returns NULL, or the fault, with the name of its check in *name. */
const char *reading_check_all(const struct reading *reading, const char **name);

#endif
