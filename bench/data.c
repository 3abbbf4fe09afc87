/*
 * data.c - what rows publish and where they read it to.
 */
#include "data.h"

/* Records filled beforehand share the first-level cache with everything else. */
#define BYTES_BEFOREHAND 8192u

void bench_data_open(struct bench_data *data, uint64_t size)
{
    uint64_t count = 1;

    while (count * 2 * size <= BYTES_BEFOREHAND)
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
