/*
 * fixture.c - a writer and a reader of one segment, as most rows want them.
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
        .existing = KYMO_CREATE,
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

void bench_pair_close(struct bench_pair *pair)
{
    kymo_reader_close(pair->reader);
    kymo_writer_remove(pair->writer);
    bench_data_close(&pair->data);
}
