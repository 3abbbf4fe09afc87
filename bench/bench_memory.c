/*
 * bench_memory.c - what the machine itself does: copies in private memory, and through a bare
 * shared file without any protocol. The yardsticks of the other rows.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fixture.h"
#include "middle.h"
#include "rows.h"

struct memory {
    struct bench_middle middle; /* private */
    unsigned char *written;     /* one file, mapped twice as writer and reader do */
    unsigned char *read;
    struct bench_data data;
    uint64_t bytes; /* of the file */
};

static void map_file(struct memory *memory)
{
    char path[160];
    int file;

    snprintf(path, sizeof(path), "%s/raw", kymo_directory());
    file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bench_require(file < 0 ? -errno : 0, path);
    unlink(path);
    bench_require(-posix_fallocate(file, 0, (off_t)memory->bytes), "allocating shared memory");
    memory->written =
        mmap(NULL, memory->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
    memory->read = mmap(NULL, memory->bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
    bench_require(memory->written == MAP_FAILED || memory->read == MAP_FAILED ? -errno : 0,
                  "mapping shared memory");
    close(file);
}

static int open_memory(const struct bench_row *row, void **context)
{
    struct memory *memory = calloc(1, sizeof(*memory));

    bench_require(memory ? 0 : -ENOMEM, row->name);
    bench_middle_open(&memory->middle, row->size, row->depth);
    memory->bytes = memory->middle.stride * row->depth;
    bench_data_open(&memory->data, row->size);
    map_file(memory);
    *context = memory;
    return 0;
}

static void close_memory(void *context)
{
    struct memory *memory = context;

    bench_middle_close(&memory->middle);
    bench_data_close(&memory->data);
    bench_memory_free(memory->written, memory->bytes);
    bench_memory_free(memory->read, memory->bytes);
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

    return bench_middle_run(&memory->middle, &memory->data, count);
}

static uint64_t copy_through_file(void *context, uint64_t count)
{
    struct memory *memory = context;
    const struct bench_data *data = &memory->data;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        const uint64_t offset = (i & memory->middle.mask) * memory->middle.stride;

        memcpy(memory->written + offset, bench_record(data, i), bench_hidden(data->size));
        bench_barrier();
        memcpy(data->copy, memory->read + offset, bench_hidden(data->size));
        sum += bench_marked(data->copy, data->size);
    }
    return sum;
}

#define COPY(bytes)                                                                           \
    {                                                                                         \
        .name = "memcpy", .size = (bytes), .depth = 1, .open = open_memory, .run = copy_once, \
        .close = close_memory                                                                 \
    }
#define RAW(bytes, slots)                                                                          \
    {                                                                                              \
        .name = "raw-shm-store+load", .against = "two memcpys", .size = (bytes), .depth = (slots), \
        .open = open_memory, .run = copy_through_file, .baseline = copy_twice,                     \
        .close = close_memory, .same_sum = 1                                                       \
    }

const struct bench_row bench_memory_rows[] = {
    COPY(64),      COPY(4096),      COPY(1 << 20),   COPY(6 << 20),  RAW(64, 64),
    RAW(4096, 64), RAW(1 << 20, 8), RAW(6 << 20, 4), {.name = NULL},
};
