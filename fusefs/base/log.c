/*
 * log.c - messages, and the protocol of sd_notify(3).
 */
#include "log.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

/* A larger number is a lower priority. */
static int system_from = INT_MAX;

void log_to_system(enum log_priority priority)
{
    openlog("kymofs", LOG_PID, LOG_DAEMON);
    system_from = (int)priority;
}

/* JOURNAL_STREAM is the "device:inode" of the stream to the journal. */
static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat status;

    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

void log_line(enum log_priority priority, const char *about, const char *format, ...)
{
    char text[1024];
    const int len = about ? snprintf(text, sizeof(text) / 2, "%s: ", about) : 0;
    const size_t used = (size_t)len < sizeof(text) / 2 ? (size_t)len : sizeof(text) / 2 - 1;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text + used, sizeof(text) - used, format, arguments);
    va_end(arguments);
    /* One call for each line: lines of several threads do not mix. */
    if ((int)priority >= system_from)
        syslog((int)priority, "%s", text);
    else if (is_journal())
        fprintf(stderr, "<%d>%s\n", (int)priority, text);
    else
        fprintf(stderr, "kymofs: %s\n", text);
}

int log_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t len = path ? strlen(path) : 0;
    struct iovec content = {(void *)(uintptr_t)state, strlen(state)};
    struct msghdr message = {.msg_name = &address, .msg_iov = &content, .msg_iovlen = 1};
    int fd, error = 0;

    if (len == 0)
        return 0;
    if ((path[0] != '/' && path[0] != '@') || len >= sizeof(address.sun_path))
        return -EINVAL;
    memcpy(address.sun_path, path, len);
    if (path[0] == '@') /* abstract socket address */
        address.sun_path[0] = '\0';
    message.msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
        error = -errno;
    close(fd);
    return error;
}
