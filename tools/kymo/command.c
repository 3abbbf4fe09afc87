/*
 * command.c - messages, output and arguments, shared by all commands.
 */
#include "command.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void print_message(const char *name, const char *format, va_list arguments)
{
    flockfile(stderr);
    fputs("kymo: ", stderr);
    if (name)
        fprintf(stderr, "%s: ", name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    funlockfile(stderr);
}

int report_error(const char *name, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print_message(name, format, arguments);
    va_end(arguments);
    return STATUS_FAILED;
}

int report_usage(const char *name, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print_message(name, format, arguments);
    va_end(arguments);
    return STATUS_USAGE;
}

int report_errno(const char *name, int error)
{
    return report_error(name, "%s", kymo_error_text(error));
}

/* The PID that the writer stored in the segment; 0 if unknown. */
static uint32_t writer_pid(const char *name)
{
    struct kymo_reader *reader;
    struct kymo_info info;
    uint32_t pid = 0;

    if (kymo_reader_open(&reader, name))
        return 0;
    if (kymo_segment_info(reader->segment, &info) == 0)
        pid = info.writer_pid;
    kymo_reader_close(reader);
    return pid;
}

int report_open(const char *name, int error)
{
    char reason[256];
    uint32_t pid;

    if (error == -EINVAL && kymo_name_check(name))
        return report_error(name, "invalid segment name: use letters, digits, _, . and -; README, "
                                  "metrics.prom and at are reserved");
    switch (error) {
    case -EBUSY:
        pid = writer_pid(name);
        if (pid == 0)
            break;
        return report_error(
            name, "another writer is alive, process %u: end it first, or use another name", pid);
    case -EBADMSG:
    case -EPROTONOSUPPORT:
        if (kymo_segment_check(name, reason, sizeof(reason)) == error)
            return report_error(name, "%s", reason);
        break;
    default:
        break;
    }
    return report_errno(name, error);
}

int print_bytes(const void *bytes, size_t len)
{
    const char *next = bytes;

    while (len) {
        ssize_t written = write(STDOUT_FILENO, next, len);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno == EAGAIN) {
            poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, -1);
            continue;
        }
        if (written < 0)
            return -errno;
        next += written;
        len -= (size_t)written;
    }
    return 0;
}

int print_text(struct kymo_text *text)
{
    int error = text->error ? text->error : print_bytes(text->data, text->len);

    kymo_text_clear(text);
    return error;
}

int print_status(int error)
{
    if (error == 0 || error == -EPIPE)
        return 0;
    return report_error("standard output", "%s", kymo_error_text(error));
}

bool stdout_is_closed(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO, .events = 0};

    return poll(&output, 1, 0) == 1 && (output.revents & (POLLERR | POLLNVAL));
}

int parse_number(const char *text, uint64_t *number)
{
    char *end;

    if (*text < '0' || *text > '9')
        return -EINVAL;
    errno = 0;
    *number = strtoull(text, &end, 10);
    if (*end)
        return -EINVAL;
    return -errno;
}

int signals_open(void)
{
    sigset_t set;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        return -errno;
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}
