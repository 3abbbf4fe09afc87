/*
 * copy_baseline.h - baseline of a store and a load: two copies through private memory, or through a
 * file mapped twice, optionally with one locked instruction between them.
 */
#ifndef KYMO_BENCH_COPY_BASELINE_H
#define KYMO_BENCH_COPY_BASELINE_H

#include "data.h"

/* As many buffers as the ring has slots: both sides use the same cache levels. */
struct copy_baseline {
    unsigned char *memory;
    unsigned char *read; /* the same memory; for a file, the mapping of the reader */
    uint64_t mask;
    uint64_t stride;
    uint64_t word; /* target of the locked instruction */
};

void copy_baseline_open(struct copy_baseline *baseline, uint64_t size, uint64_t depth);
/* Through a file in the segment directory, with one mapping for each side. */
void copy_baseline_open_file(struct copy_baseline *baseline, uint64_t size, uint64_t depth);
void copy_baseline_close(struct copy_baseline *baseline);

/* Copies `count` records in and out. Returns the checksum. */
uint64_t copy_baseline_run(struct copy_baseline *baseline, const struct bench_data *data,
                           uint64_t count);
/* The same with a locked instruction after the first copy. */
uint64_t copy_baseline_run_locked(struct copy_baseline *baseline, const struct bench_data *data,
                                  uint64_t count);

#endif
