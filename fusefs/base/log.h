/*
 * log.h - messages on stderr or in the system's log, and state changes for the service manager.
 *
 * A line names what it is about (a segment, the mount point, the directory), then the event. If
 * stderr is the journal, each line begins with its priority as in sd-daemon(3).
 */
#ifndef KYMOFS_LOG_H
#define KYMOFS_LOG_H

/* As in syslog.h, whose names are macros. */
enum log_priority { LOG_LINE_ERROR = 3, LOG_LINE_WARNING = 4, LOG_LINE_INFO = 6 };

/* From now on lines of this priority and below go to syslog(3). While the daemon goes into the
 * background, errors alone remain on stderr: there they explain why the mount failed. */
void log_to_system(enum log_priority priority);

/* One line, "ABOUT: text"; without `about` the text alone. Any thread. */
void log_line(enum log_priority priority, const char *about, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Sends "READY=1", "STOPPING=1" or "STATUS=..." to the service manager that started the daemon, if
 * one did (Type=notify). Implements the documented protocol of sd_notify(3), a datagram to the socket
 * in NOTIFY_SOCKET, without its library. Returns 0, or a negative errno.
 */
int log_notify(const char *state);

#endif
