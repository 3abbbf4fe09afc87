/*
 * middle.c - the baseline of a store and a load: two copies through private memory, or through a file
 * that is mapped twice.
 */
#include "middle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t bytes(const struct bench_middle *middle)
{
    return middle->stride * (middle->mask + 1);
}

static void set_size(struct bench_middle *middle, uint64_t size, uint64_t depth)
{
    middle->stride = (size + 63) & ~UINT64_C(63);
    middle->mask = depth - 1;
}

void bench_middle_open(struct bench_middle *middle, uint64_t size, uint64_t depth)
{
    set_size(middle, size, depth);
    middle->memory = middle->read = bench_memory(bytes(middle));
}

static int open_file(uint64_t size)
{
    char path[160];
    int file;

    snprintf(path, sizeof(path), "%s/raw", getenv("KYMO_DIR"));
    file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bench_require(file < 0 ? -errno : 0, path);
    unlink(path);
    bench_require(-posix_fallocate(file, 0, (off_t)size), "allocating shared memory");
    return file;
}

/* The library places a segment's second mapping as well (mapping.c): that far from the first, or a
 * multiple, both find a line where the other has put it in the first-level cache. */
#define CONGRUENCE (UINT64_C(1) << 28)

void bench_middle_open_file(struct bench_middle *middle, uint64_t size, uint64_t depth)
{
    const int flags = MAP_SHARED | MAP_FIXED | MAP_POPULATE;
    uint64_t apart;
    unsigned char *space;
    int file;

    set_size(middle, size, depth);
    apart = (bytes(middle) + CONGRUENCE - 1) / CONGRUENCE * CONGRUENCE;
    space = mmap(NULL, 2 * apart, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bench_require(space == MAP_FAILED ? -errno : 0, "finding room for two mappings");
    file = open_file(bytes(middle));
    middle->memory = mmap(space, bytes(middle), PROT_READ | PROT_WRITE, flags, file, 0);
    middle->read = mmap(space + apart, bytes(middle), PROT_READ, flags, file, 0);
    bench_require(middle->memory == MAP_FAILED || middle->read == MAP_FAILED ? -errno : 0,
                  "mapping shared memory");
    munmap(space + bytes(middle), apart - bytes(middle));
    munmap(space + apart + bytes(middle), apart - bytes(middle));
    close(file);
}

void bench_middle_close(struct bench_middle *middle)
{
    if (middle->read != middle->memory)
        bench_memory_free(middle->read, bytes(middle));
    bench_memory_free(middle->memory, bytes(middle));
}

static inline uint64_t run(struct bench_middle *middle, const struct bench_data *data,
                           uint64_t count, int locked)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        const uint64_t offset = (i & middle->mask) * middle->stride;

        memcpy(middle->memory + offset, bench_record(data, i), bench_hidden(data->size));
        bench_barrier();
        if (locked)
            __atomic_exchange_n(&middle->word, i, __ATOMIC_SEQ_CST);
        memcpy(data->copy, middle->read + offset, bench_hidden(data->size));
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
