/*
 * data.h - records to publish, the buffer to read into, and a checksum.
 *
 * Filling a record and copying it at once defeats store-to-load forwarding (the loads are wider than
 * the stores), which costs several times the copy on both sides. Small records are therefore prepared
 * in advance and used in turn.
 */
#ifndef KYMO_BENCH_DATA_H
#define KYMO_BENCH_DATA_H

#include <string.h>

#include "harness.h"

struct bench_data {
    unsigned char *records; /* prepared records; one if records are large */
    unsigned char *copy;
    uint64_t mask; /* number of records - 1 */
    uint64_t size; /* bytes of each */
};

void bench_data_open(struct bench_data *data, uint64_t size);
void bench_data_close(struct bench_data *data);

/* Stores a number in the first and the last word of a record. */
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

/* The sum of the words stored by bench_mark. */
static inline uint64_t bench_marked(const unsigned char *copy, uint64_t size)
{
    uint64_t first, last;

    bench_barrier();
    memcpy(&first, copy, sizeof(first));
    memcpy(&last, copy + size - sizeof(last), sizeof(last));
    return first + last;
}

#endif
