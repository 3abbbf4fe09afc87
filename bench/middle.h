/*
 * middle.h - the baseline of a store and a load: two copies through private memory, or through a file
 * that is mapped twice, and optionally one locked instruction between them.
 */
#ifndef KYMO_BENCH_MIDDLE_H
#define KYMO_BENCH_MIDDLE_H

#include "data.h"

/* As many buffers as the ring has slots, so that both sides live in the same caches. */
struct bench_middle {
    unsigned char *memory;
    unsigned char *read; /* the same; of a file, as its reader has it mapped */
    uint64_t mask;
    uint64_t stride;
    uint64_t word; /* what the locked instruction changes */
};

void bench_middle_open(struct bench_middle *middle, uint64_t size, uint64_t depth);
/* Through a file of the segments' directory instead, with a mapping for each of the two ends. */
void bench_middle_open_file(struct bench_middle *middle, uint64_t size, uint64_t depth);
void bench_middle_close(struct bench_middle *middle);

/* A record into the middle and out of it again, `count` times. Returns the checksum. */
uint64_t bench_middle_run(struct bench_middle *middle, const struct bench_data *data,
                          uint64_t count);
/* The same with a locked instruction after the first copy. */
uint64_t bench_middle_run_locked(struct bench_middle *middle, const struct bench_data *data,
                                 uint64_t count);

#endif
