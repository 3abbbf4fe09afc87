/*
 * fixture.c - a writer and a reader of one segment.
 */
#include "fixture.h"

#include <errno.h>
#include <stdio.h>

static int open_lines(struct bench_pair *pair, const struct kymo_options *options)
{
    int error = line_writer_open(&pair->lines, pair->name, options);

    if (error)
        return error;
    bench_require(line_reader_open(&pair->line_reader, pair->name), "opening a reader");
    pair->writer = &pair->lines->untyped;
    pair->reader = &pair->line_reader->untyped;
    return 0;
}

static int open_bytes(struct bench_pair *pair, const struct kymo_options *options)
{
    int error = kymo_writer_open(&pair->writer, pair->name, options);

    if (error)
        return error;
    bench_require(kymo_reader_open(&pair->reader, pair->name), "opening a reader");
    return 0;
}

int bench_pair_open(const struct bench_row *row, struct bench_pair *pair)
{
    const struct kymo_options options = {
        .depth = row->depth,
        .size = (uint32_t)row->size,
        .existing = KYMO_CREATE_NEW,
    };
    static unsigned int opened;
    int error;

    snprintf(pair->name, sizeof(pair->name), "bench%u", opened++);
    error = row->size == sizeof(struct bench_line) ? open_lines(pair, &options)
                                                   : open_bytes(pair, &options);
    if (error == -ENOSPC)
        return bench_skip("not enough memory in %s", kymo_directory());
    bench_require(error, "opening a writer");
    pair->size = row->size;
    pair->depth = row->depth;
    bench_data_open(&pair->data, pair->size);
    return 0;
}

static void touch_all(const struct bench_pair *pair)
{
    const uint64_t head = kymo_ring_head(&pair->reader->ring);

    for (uint64_t back = 1; back <= pair->depth; back++) {
        struct kymo_view view = {.payload = NULL};
        const unsigned char *byte;
        uint64_t pos = 0;

        bench_require(kymo_ring_view(pair->reader, head - back, &view), "viewing");
        byte = view.payload;
        for (uint64_t i = 0; i < pair->size; i += 4096)
            __asm__ volatile("" : : "r"(byte[i]) : "memory");
        bench_require(kymo_series_find_closest(pair->reader, view.record.time, KYMO_ANY_DISTANCE,
                                               &pos),
                      "searching");
    }
}

void bench_pair_fill(struct bench_pair *pair, uint64_t period, uint64_t jitter)
{
    uint64_t state = 88172645463325252u;

    for (uint64_t i = 0; i < 2 * pair->depth; i++) {
        pair->time += period;
        if (jitter)
            pair->time += bench_random(&state) % (2 * jitter) - jitter;
        bench_require(kymo_ring_publish(pair->writer, bench_record(&pair->data, i), pair->size,
                                        pair->time, i),
                      "publishing");
    }
    touch_all(pair);
}

void bench_pair_close(struct bench_pair *pair)
{
    kymo_reader_close(pair->reader);
    kymo_writer_remove(pair->writer);
    bench_data_close(&pair->data);
}
