/*
 * bench_memory.c - copies in private memory, and through a shared file without a protocol: the
 * baselines of the other rows.
 */
#include <errno.h>
#include <stdlib.h>

#include "copy_baseline.h"
#include "rows.h"

struct memory {
    struct copy_baseline private;
    struct copy_baseline shared;
    struct bench_data data;
};

static int open_memory(const struct bench_row *row, void **context)
{
    struct memory *memory = calloc(1, sizeof(*memory));

    bench_require(memory ? 0 : -ENOMEM, row->name);
    copy_baseline_open(&memory->private, row->size, row->depth);
    copy_baseline_open_file(&memory->shared, row->size, row->depth);
    bench_data_open(&memory->data, row->size);
    *context = memory;
    return 0;
}

static void close_memory(void *context)
{
    struct memory *memory = context;

    copy_baseline_close(&memory->private);
    copy_baseline_close(&memory->shared);
    bench_data_close(&memory->data);
    free(memory);
}

static uint64_t copy_once(void *context, uint64_t count)
{
    const struct bench_data *data = &((struct memory *)context)->data;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        memcpy(data->copy, bench_record(data, i), bench_hidden(data->size));
        sum += bench_marked(data->copy, data->size);
    }
    return sum;
}

static uint64_t copy_twice(void *context, uint64_t count)
{
    struct memory *memory = context;

    return copy_baseline_run(&memory->private, &memory->data, count);
}

static uint64_t copy_through_file(void *context, uint64_t count)
{
    struct memory *memory = context;

    return copy_baseline_run(&memory->shared, &memory->data, count);
}

#define COPY(bytes)                                                                           \
    {                                                                                         \
        .name = "memcpy", .size = (bytes), .depth = 1, .open = open_memory, .run = copy_once, \
        .close = close_memory                                                                 \
    }
#define RAW(bytes, slots, times)                                                                   \
    {                                                                                              \
        .name = "raw-shm-store+load", .against = "two memcpys", .size = (bytes), .depth = (slots), \
        .stretch = (times), .open = open_memory, .run = copy_through_file, .baseline = copy_twice, \
        .close = close_memory, .same_sum = 1                                                       \
    }

const struct bench_row bench_memory_rows[] = {
    COPY(64),         COPY(4096),         COPY(1 << 20),       COPY(6 << 20),  RAW(64, 64, 0),
    RAW(4096, 64, 0), RAW(1 << 20, 8, 8), RAW(6 << 20, 4, 32), {.name = NULL},
};
