/*
 * data.h - what rows publish and where they read it to, with a checksum of it.
 *
 * A writer that fills a record and copies it at once pays for loads that are wider than the stores
 * before them, several times what the copy takes, on both sides of a comparison: it would hide what
 * is compared. So small records are filled beforehand, a few of them, and taken in turn.
 */
#ifndef KYMO_BENCH_DATA_H
#define KYMO_BENCH_DATA_H

#include <string.h>

#include "harness.h"

struct bench_data {
    unsigned char *records; /* filled beforehand; one where records are large */
    unsigned char *copy;
    uint64_t mask; /* records less one */
    uint64_t size; /* bytes of each */
};

void bench_data_open(struct bench_data *data, uint64_t size);
void bench_data_close(struct bench_data *data);

/* Marks a record with a number, in its first and its last word. */
static inline void bench_mark(unsigned char *record, uint64_t size, uint64_t number)
{
    memcpy(record, &number, sizeof(number));
    number = ~number * 3;
    memcpy(record + size - sizeof(number), &number, sizeof(number));
}

/* The record to publish as the i-th. */
static inline unsigned char *bench_record(const struct bench_data *data, uint64_t i)
{
    if (data->mask)
        return data->records + (i & data->mask) * data->size;
    bench_mark(data->records, data->size, i);
    return data->records;
}

/* What bench_mark left in a copy. */
static inline uint64_t bench_marked(const unsigned char *copy, uint64_t size)
{
    uint64_t first, last;

    bench_barrier();
    memcpy(&first, copy, sizeof(first));
    memcpy(&last, copy + size - sizeof(last), sizeof(last));
    return first + last;
}

#endif
