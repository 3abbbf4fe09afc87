/*
 * streams.c - reads streams by the methods that programs use, and publishes the records.
 *
 *     streams MNT [CASE...]                   the cases, or all; prints failed checks
 *     streams MNT many_readers DAEMON COUNT   COUNT processes blocked in read; prints figures
 *
 * An alarm ends a case that hangs.
 */
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CASE_SECONDS 240

static const char *mount_point;
static const char *current_case;
static int checks, failures;

void check(int holds, const char *format, ...)
{
    va_list arguments;

    checks++;
    if (holds)
        return;
    failures++;
    va_start(arguments, format);
    printf("FAILED: %s: ", current_case);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

_Noreturn void fail(const char *what, int error)
{
    printf("FAILED: %s: %s: %s\n", current_case, what, strerror(error < 0 ? -error : error));
    exit(1);
}

static void on_alarm(int number)
{
    (void)number;
    printf("FAILED: %s: takes longer than %d s\n", current_case, CASE_SECONDS);
    fflush(stdout);
    _exit(1);
}

void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* ---- segments ---- */

struct kymo_writer *writer_of(const char *name, uint64_t depth, uint32_t size, uint32_t mode,
                              enum kymo_existing existing)
{
    const struct kymo_options options = {
        .clock = KYMO_USER, .depth = depth, .size = size, .mode = mode, .existing = existing};
    struct kymo_writer *writer;
    int error = kymo_writer_open(&writer, name, &options);

    if (error)
        fail(name, error);
    return writer;
}

struct kymo_writer *new_writer(const char *name, uint64_t depth)
{
    return writer_of(name, depth, 8, 0644, KYMO_REPLACE);
}

void publish(struct kymo_writer *writer, int count)
{
    const uint32_t size = writer->ring.size;
    unsigned char *payload = malloc(size);

    for (int i = 0; i < count; i++) {
        memset(payload, (int)(writer->pos % 251), size);
        if (kymo_ring_publish(writer, payload, size, writer->pos, writer->pos) != 0)
            fail("publish", EIO);
    }
    free(payload);
}

void remove_segment(struct kymo_writer *writer)
{
    kymo_writer_remove(writer);
}

/* ---- streams ---- */

static char *path_of(const char *name, char path[4096])
{
    snprintf(path, 4096, "%s/%s/stream", mount_point, name);
    return path;
}

int open_stream(const char *name, int flags)
{
    char path[4096];
    int fd = open(path_of(name, path), O_RDONLY | flags);

    if (fd < 0)
        fail(path, errno);
    return fd;
}

void receive_line(struct received *received, const char *line)
{
    unsigned long long number;
    int end = 0;

    if (sscanf(line, "{\"missed\":%llu}%n", &number, &end) == 1 && end && !line[end]) {
        received->missed += number;
        received->next += number;
    } else if (sscanf(line, "{\"pos\":%llu,", &number) == 1 && line[strlen(line) - 1] == '}') {
        if (number != received->next)
            received->broken++;
        received->next = number + 1;
        received->lines++;
    } else {
        received->broken++;
    }
}

void receive(struct received *received, char *text)
{
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        receive_line(received, line);
}

ssize_t read_lines(int fd, struct received *received)
{
    char text[65537];
    ssize_t len = read(fd, text, sizeof(text) - 1);

    if (len > 0) {
        text[len] = '\0';
        if (text[len - 1] != '\n')
            received->broken++;
        receive(received, text);
    }
    return len;
}

int is_empty(int fd)
{
    char byte;

    return read(fd, &byte, 1) == -1 && errno == EAGAIN;
}

int readable(int fd, int timeout)
{
    struct pollfd file = {.fd = fd, .events = POLLIN};

    return poll(&file, 1, timeout) == 1 ? file.revents : 0;
}

void read_to_the_end(int fd, struct received *received)
{
    while (read_lines(fd, received) > 0)
        ;
}

void *publish_slowly(void *context)
{
    const struct publishing *publishing = context;

    for (int i = 0; i < publishing->count; i += publishing->burst) {
        publish(publishing->writer, publishing->burst);
        usleep(200);
    }
    return NULL;
}

/* ---- main ---- */

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"order", case_order},
    {"missed", case_missed},
    {"large", case_large},
    {"bytes", case_bytes},
    {"nonblock", case_nonblock},
    {"seekable", case_seekable},
    {"polls", case_polls},
    {"epoll_level", case_epoll_level},
    {"epoll_edge", case_epoll_edge},
    {"signals", case_signals},
    {"threads", case_threads},
    {"killed", case_killed},
    {"many", case_many},
    {"replaced", case_replaced},
    {"access_revoked", case_access_revoked},
    {"removed", case_removed},
    {"truncated", case_truncated},
};

static int is_wanted(const char *name, char **names, int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return 1;
    }
    return count == 0;
}

int main(int argc, char **argv)
{
    const struct sigaction alarmed = {.sa_handler = on_alarm};
    char **names = argv + 2;

    if (argc < 2)
        return 2;
    mount_point = argv[1];
    kymo_guard_install();
    sigaction(SIGALRM, &alarmed, NULL);
    if (argc == 5 && strcmp(argv[2], "many_readers") == 0) {
        current_case = "many_readers";
        alarm(CASE_SECONDS);
        many_readers(argv[3], atoi(argv[4]));
    } else {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            if (!is_wanted(cases[i].name, names, argc - 2))
                continue;
            current_case = cases[i].name;
            alarm(CASE_SECONDS);
            cases[i].run();
        }
    }
    printf("%d checks, %d failed\n", checks, failures);
    return failures > 0 || checks == 0;
}
