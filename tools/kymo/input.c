/*
 * input.c - reads standard input without delay.
 */
#include "input.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE     ((size_t)64 << 10)
#define BEAT_INTERVAL UINT64_C(500000000) /* ns */

static int input_beat(struct input *input)
{
    uint64_t now = kymo_clock_now(KYMO_MONOTONIC);

    if (!input->beat || now - input->last_beat < BEAT_INTERVAL)
        return 0;
    input->last_beat = now;
    return input->beat(input->context);
}

int input_check(struct input *input)
{
    struct pollfd signals = {.fd = input->signals, .events = POLLIN};
    int error = input_beat(input);

    if (error)
        return error;
    return poll(&signals, 1, 0) > 0 ? -EINTR : 0;
}

/* Waits for input. Signals are checked each time: continuous input must not delay them. */
static int input_wait(struct input *input)
{
    struct pollfd fds[] = {{.fd = input->fd, .events = POLLIN},
                           {.fd = input->signals, .events = POLLIN}};

    for (;;) {
        int ready = poll(fds, 2, (int)(BEAT_INTERVAL / 1000000));
        int error = ready < 0 && errno != EINTR ? -errno : input_beat(input);

        if (error)
            return error;
        if (ready > 0 && fds[1].revents)
            return -EINTR;
        if (ready > 0 && fds[0].revents)
            return 0;
    }
}

/* Moves the remaining bytes to the front and reserves READ_SIZE behind them. */
static int input_reserve(struct input *input)
{
    char *larger;

    if (input->start) {
        memmove(input->data, input->data + input->start, input->len);
        input->start = 0;
    }
    if (input->capacity - input->len >= READ_SIZE)
        return 0;
    larger = realloc(input->data, 2 * input->capacity + READ_SIZE);
    if (!larger)
        return -ENOMEM;
    input->data = larger;
    input->capacity = 2 * input->capacity + READ_SIZE;
    return 0;
}

static int input_fill(struct input *input)
{
    ssize_t got;
    int error = input_wait(input);

    if (error == 0)
        error = input_reserve(input);
    if (error)
        return error;
    got = read(input->fd, input->data + input->len, input->capacity - input->len);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (got < 0) {
        input->error = -errno;
        return input->error;
    }
    input->arrival = got >= INPUT_BULK ? kymo_clock_now(input->clock) : 0;
    input->len += (size_t)got;
    input->ended = got == 0;
    return 0;
}

/* Consumes the first `len` bytes. */
static char *input_take(struct input *input, size_t len)
{
    char *taken = input->data + input->start;

    input->start += len;
    input->len -= len;
    input->searched = 0;
    return taken;
}

int input_line(struct input *input, char **line, size_t *len)
{
    const char *end;
    size_t taken;
    int error;

    for (;;) {
        const char *from = input->data ? input->data + input->start : "";

        end = memchr(from + input->searched, '\n', input->len - input->searched);
        if (end || input->ended) {
            *len = end ? (size_t)(end - from) : input->len;
            break;
        }
        input->searched = input->len;
        error = input_fill(input);
        if (error)
            return error;
    }
    taken = *len + (end != NULL);
    if (taken == 0)
        return 0;
    *line = input_take(input, taken);
    return 1;
}

int input_block(struct input *input, size_t size, char **block)
{
    int error;

    while (input->len < size && !input->ended) {
        error = input_fill(input);
        if (error)
            return error;
    }
    if (input->len < size)
        return 0;
    *block = input_take(input, size);
    return 1;
}

void input_free(struct input *input)
{
    free(input->data);
}
