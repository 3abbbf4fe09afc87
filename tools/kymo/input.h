/*
 * input.h - reads lines of any length, or blocks, from standard input without delay, and calls a
 * function twice a second.
 */
#ifndef KYMO_TOOLS_INPUT_H
#define KYMO_TOOLS_INPUT_H

#include <stdbool.h>

#include <kymo/segment.h>
#include <sys/types.h>

/* So many bytes have waited for the read: one time is exact enough for all their records. */
#define INPUT_BULK ((ssize_t)16 << 10)

/* Initialise with {0} and set fd, signals, clock and beat. */
struct input {
    int fd;
    enum kymo_clock clock;      /* of arrival */
    int signals;                /* a signalfd; a signal ends the input */
    int (*beat)(void *context); /* called twice a second; an error ends the input; may be NULL */
    void *context;
    uint64_t last_beat; /* CLOCK_MONOTONIC ns */
    char *data;
    size_t start, len, capacity; /* unread bytes: data[start..start+len) */
    size_t searched;             /* bytes of these without a line end */
    uint64_t arrival;            /* time of the last read, ns, if it returned INPUT_BULK; else 0 */
    bool ended;
    int error; /* of read(2), negative; 0: none */
};

/* Calls beat while the caller waits for other than input. 0; -EINTR after a signal; or beat's error. */
int input_check(struct input *input);

/*
 * Returns the next line without its "\n", which the last line may lack. It is valid until the next
 * call. 1; 0 at end of file; -EINTR after a signal; or the error of beat or read(2).
 */
int input_line(struct input *input, char **line, size_t *len);

/* Returns the next `size` bytes. As input_line; at end of file, input->len bytes may remain. */
int input_block(struct input *input, size_t size, char **block);

void input_free(struct input *input);

#endif
