/*
 * middle.c - the baseline of a store and a load: two copies through private memory.
 */
#include "middle.h"

void bench_middle_open(struct bench_middle *middle, uint64_t size, uint64_t depth)
{
    middle->stride = (size + 63) & ~UINT64_C(63);
    middle->mask = depth - 1;
    middle->memory = bench_memory(middle->stride * depth);
}

void bench_middle_close(struct bench_middle *middle)
{
    bench_memory_free(middle->memory, middle->stride * (middle->mask + 1));
}

static inline uint64_t run(struct bench_middle *middle, const struct bench_data *data,
                           uint64_t count, int locked)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        unsigned char *buffer = middle->memory + (i & middle->mask) * middle->stride;

        memcpy(buffer, bench_record(data, i), bench_hidden(data->size));
        bench_barrier();
        if (locked)
            __atomic_exchange_n(&middle->word, i, __ATOMIC_SEQ_CST);
        memcpy(data->copy, buffer, bench_hidden(data->size));
        sum += bench_marked(data->copy, data->size);
    }
    return sum;
}

uint64_t bench_middle_run(struct bench_middle *middle, const struct bench_data *data,
                          uint64_t count)
{
    return run(middle, data, count, 0);
}

uint64_t bench_middle_run_locked(struct bench_middle *middle, const struct bench_data *data,
                                 uint64_t count)
{
    return run(middle, data, count, 1);
}
