/*
 * input.h - standard input as it comes: lines of any length or blocks, nothing held back, and a
 * heartbeat for the segment while nothing comes.
 */
#ifndef KYMO_TOOLS_INPUT_H
#define KYMO_TOOLS_INPUT_H

#include <stdbool.h>

#include <kymo/segment.h>

/* Begin with {0} and the first three set. */
struct input {
    int fd;
    int signals;                /* a signalfd that ends the input */
    struct kymo_writer *writer; /* whose heart beats meanwhile */
    uint64_t beat;              /* CLOCK_MONOTONIC ns of the newest heartbeat */
    char *data;
    size_t start, len, capacity; /* what was read and not yet taken: data[start..start+len) */
    size_t searched;             /* of which this much has no line end */
    bool ended;
};

/*
 * Takes the next line, without its "\n"; the last one need not have any. It is the
 * caller's to read until the next call. 1, 0 at the end, -EINTR after a signal, or what read(2)
 * said.
 */
int input_line(struct input *input, char **line, size_t *len);

/* Takes the next `size` bytes. As input_line; at the end, input->len bytes may be left over. */
int input_block(struct input *input, size_t size, char **block);

void input_free(struct input *input);

#endif
