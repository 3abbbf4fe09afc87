/*
 * fixture.h - a writer and a reader of one segment, used by most rows.
 */
#ifndef KYMO_BENCH_FIXTURE_H
#define KYMO_BENCH_FIXTURE_H

#include <kymo/kymo.h>

#include "data.h"
#include "harness.h"

/* A record of one cache line, and one that fits into the line of the slot's header. */
struct bench_line {
    uint64_t word[8];
};
struct bench_word {
    uint64_t word[4];
};

KYMO_RING_TYPE(line, struct bench_line);
KYMO_RING_TYPE(word, struct bench_word);

/* Writer and reader in one process, each with its own mapping, as in two processes. */
struct bench_pair {
    struct kymo_writer *writer;
    struct kymo_reader *reader;
    struct line_writer *lines; /* the same two handles, if the size is one line */
    struct line_reader *line_reader;
    struct bench_data data;
    uint64_t size;
    uint64_t depth;
    uint64_t time; /* of the newest record */
    char name[16]; /* of the segment */
};

/* Opens a new segment with row->size and row->depth. */
int bench_pair_open(const struct bench_row *row, struct bench_pair *pair);
void bench_pair_close(struct bench_pair *pair);

/* Fills the ring twice and reads every record: no page of either mapping is touched for the first
 * time during a measurement. `period`: ns between records, +- `jitter`. */
void bench_pair_fill(struct bench_pair *pair, uint64_t period, uint64_t jitter);

#endif
