/*
 * copy_baseline.c - baseline of a store and a load: two copies through private memory, or through a file
 * mapped twice.
 */
#include "copy_baseline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t bytes(const struct copy_baseline *baseline)
{
    return baseline->stride * (baseline->mask + 1);
}

static void set_size(struct copy_baseline *baseline, uint64_t size, uint64_t depth)
{
    baseline->stride = (size + 63) & ~UINT64_C(63);
    baseline->mask = depth - 1;
}

void copy_baseline_open(struct copy_baseline *baseline, uint64_t size, uint64_t depth)
{
    set_size(baseline, size, depth);
    baseline->memory = baseline->read = bench_memory(bytes(baseline));
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

/* Distance of the two mappings, as in mapping.c of the library: the first-level cache then finds a line
 * that the other mapping has loaded. */
#define CONGRUENCE (UINT64_C(1) << 28)

void copy_baseline_open_file(struct copy_baseline *baseline, uint64_t size, uint64_t depth)
{
    const int flags = MAP_SHARED | MAP_FIXED | MAP_POPULATE;
    uint64_t apart;
    unsigned char *space;
    int file;

    set_size(baseline, size, depth);
    apart = (bytes(baseline) + CONGRUENCE - 1) / CONGRUENCE * CONGRUENCE;
    space = mmap(NULL, 2 * apart, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bench_require(space == MAP_FAILED ? -errno : 0, "reserving address space");
    file = open_file(bytes(baseline));
    baseline->memory = mmap(space, bytes(baseline), PROT_READ | PROT_WRITE, flags, file, 0);
    baseline->read = mmap(space + apart, bytes(baseline), PROT_READ, flags, file, 0);
    bench_require(baseline->memory == MAP_FAILED || baseline->read == MAP_FAILED ? -errno : 0,
                  "mapping shared memory");
    munmap(space + bytes(baseline), apart - bytes(baseline));
    munmap(space + apart + bytes(baseline), apart - bytes(baseline));
    close(file);
}

void copy_baseline_close(struct copy_baseline *baseline)
{
    if (baseline->read != baseline->memory)
        bench_memory_free(baseline->read, bytes(baseline));
    bench_memory_free(baseline->memory, bytes(baseline));
}

static inline uint64_t run(struct copy_baseline *baseline, const struct bench_data *data,
                           uint64_t count, int locked)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        const uint64_t offset = (i & baseline->mask) * baseline->stride;

        memcpy(baseline->memory + offset, bench_record(data, i), bench_hidden(data->size));
        bench_barrier();
        if (locked)
            __atomic_exchange_n(&baseline->word, i, __ATOMIC_SEQ_CST);
        memcpy(data->copy, baseline->read + offset, bench_hidden(data->size));
        sum += bench_marked(data->copy, data->size);
    }
    return sum;
}

uint64_t copy_baseline_run(struct copy_baseline *baseline, const struct bench_data *data,
                           uint64_t count)
{
    return run(baseline, data, count, 0);
}

uint64_t copy_baseline_run_locked(struct copy_baseline *baseline, const struct bench_data *data,
                                  uint64_t count)
{
    return run(baseline, data, count, 1);
}
