/*
 * data.c - records to publish, and the buffer to read into.
 */
#include "data.h"

/* Total size of the prepared records, which share the first-level cache with all other data. */
#define PREPARED_BYTES 8192u

void bench_data_open(struct bench_data *data, uint64_t size)
{
    uint64_t count = 1;

    while (count * 2 * size <= PREPARED_BYTES)
        count *= 2;
    data->size = size;
    data->mask = count - 1;
    data->records = bench_memory(count * size);
    data->copy = bench_memory(size);
    for (uint64_t i = 0; i < count; i++)
        bench_mark(data->records + i * size, size, i);
}

void bench_data_close(struct bench_data *data)
{
    bench_memory_free(data->records, (data->mask + 1) * data->size);
    bench_memory_free(data->copy, data->size);
}
