/*
 * example.h - what the examples share: error messages, sleeping, waiting for the other end.
 */
#ifndef KYMO_EXAMPLE_H
#define KYMO_EXAMPLE_H

#include <kymo/kymo.h>

#include <stdio.h>
#include <time.h>

#define SECOND      UINT64_C(1000000000)
#define MILLISECOND UINT64_C(1000000)

/* Prints the error and returns 1, the exit status. */
static inline int example_fail(const char *name, int error)
{
    fprintf(stderr, "kymo: %s: %s\n", name, kymo_error_text(error));
    return 1;
}

static inline void example_sleep(uint64_t ns)
{
    const struct timespec length = {(time_t)(ns / SECOND), (long)(ns % SECOND)};

    nanosleep(&length, NULL);
}

/* Like kymo_reader_open, but waits up to 10 s for the writer to create the segment. */
static inline int example_open(struct kymo_reader **reader, const char *name)
{
    const uint64_t deadline = kymo_clock_now(KYMO_MONOTONIC) + 10 * SECOND;
    int error = kymo_reader_open(reader, name);

    while (error == -ENOENT && kymo_clock_now(KYMO_MONOTONIC) < deadline) {
        example_sleep(10 * MILLISECOND);
        error = kymo_reader_open(reader, name);
    }
    return error;
}

#endif
