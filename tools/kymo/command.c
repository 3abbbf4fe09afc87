/*
 * command.c - messages, output and arguments, shared by all commands.
 */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suggest.h"

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

/* EBUSY: with the PID that the writer stored in the segment. */
static int report_busy(const char *name)
{
    struct kymo_reader *reader;
    struct kymo_info info = {0};

    if (kymo_reader_open(&reader, name) == 0) {
        kymo_segment_info(reader->segment, &info);
        kymo_reader_close(reader);
    }
    if (info.writer_pid)
        return report_error(
            name, "another writer is alive, process %u: end it first, or use another name",
            info.writer_pid);
    if (info.writer_foreign_pid)
        return report_error(name,
                            "another writer is alive, process %u of another PID namespace, as of a "
                            "container: end it there, or use another name",
                            info.writer_foreign_pid);
    return report_errno(name, -EBUSY);
}

/* ENOENT: the segment, its directory or /proc is missing. */
static int report_missing(const char *name)
{
    if (access("/proc/self/fd", X_OK) != 0)
        return report_error(name, "/proc is missing: mount it");
    if (access(kymo_directory(), F_OK) != 0 && errno == ENOENT)
        return report_error(name, "the directory %s is missing: create it, or change KYMO_DIR",
                            kymo_directory());
    return report_error(name, "%s%s", kymo_error_text(-ENOENT), suggest_segment(name));
}

/* EPERM: in a sticky directory only owners may remove or replace a file. */
static int report_not_permitted(const char *name)
{
    struct stat status;

    if (stat(kymo_directory(), &status) == 0 && (status.st_mode & S_ISVTX) &&
        status.st_uid != geteuid())
        return report_error(
            name,
            "not permitted: in %s, a sticky directory, only the owner of a file may "
            "remove or replace it",
            kymo_directory());
    return report_errno(name, -EPERM);
}

int report_open(const char *name, int error)
{
    char reason[256];

    if (error == -EINVAL && kymo_name_check(name))
        return report_error(name, "invalid segment name: use letters, digits, _, . and -; README, "
                                  "metrics.prom and at are reserved");
    switch (error) {
    case -EBUSY:
        return report_busy(name);
    case -ENOENT:
        return report_missing(name);
    case -EPERM:
        return report_not_permitted(name);
    case -EAGAIN:
        if (access("/proc/self/fd", X_OK) != 0)
            return report_missing(name);
        return report_error(name, "the file is under a lease, or is being replaced: try again");
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
    return report_error("standard output", "%s", strerror(-error));
}

bool stdout_is_closed(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO, .events = 0};

    return poll(&output, 1, 0) == 1 && (output.revents & (POLLERR | POLLNVAL));
}

error_t parse_name(int key, char *argument, struct argp_state *state, const char **name)
{
    if (key == ARGP_KEY_NO_ARGS)
        argp_error(state, "missing argument: NAME of a segment");
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    if (*name)
        argp_error(state, "%s: unexpected argument: only one NAME is allowed", argument);
    *name = argument;
    return 0;
}

error_t parse_no_names(int key, char *argument, struct argp_state *state)
{
    if (key == ARGP_KEY_ARG)
        argp_error(state, "%s: unexpected argument: this command takes no names", argument);
    return ARGP_ERR_UNKNOWN;
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
