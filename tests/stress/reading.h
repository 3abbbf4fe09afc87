/*
 * reading.h - everything that a reader of checked.h's records may ask, and the one right answer to
 * each while no writer runs: what a stopped or killed writer leaves has to give it at once.
 */
#ifndef KYMO_TEST_READING_H
#define KYMO_TEST_READING_H

#include "oracle.h"

struct reading {
    struct kymo_reader *reader;
    uint64_t head; /* what it has to be */
    int begun;     /* the slot of head has been taken away, so the oldest record is gone */
    int live;      /* the liveness that it has to have */
};

/* The largest payload that is read, bytes. */
#define READING_LIMIT 256

/* Checks return NULL, or what does not hold. */

const char *reading_latest(const struct reading *reading);

struct reading_check {
    const char *name;
    const char *(*run)(const struct reading *reading);
};

#define READING_CHECKS 8

/* Makes all of the checks. Returns NULL, or what does not hold, with the name of its check in *name.
 */
const char *reading_check_all(const struct reading *reading, const char **name);

#endif
