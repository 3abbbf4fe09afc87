/*
 * log.h - what the daemon tells: on stderr while somebody may read that, else to the system's log.
 *
 * A line says about what it is (a segment, the mount point, the directory) and then what happened.
 * Where stderr leads to the journal, each line carries its priority as sd-daemon(3) spells it.
 */
#ifndef KYMOFS_LOG_H
#define KYMOFS_LOG_H

/* As in syslog.h, for those who do not include it. */
enum log_priority { LOG_LINE_ERROR = 3, LOG_LINE_WARNING = 4, LOG_LINE_INFO = 6 };

/* From here on lines of that priority, and of less weight, go to syslog(3): what is said while the
 * daemon goes into the background is for who started it only where it keeps the mount from coming. */
void log_to_system(enum log_priority priority);

/* One line, "ABOUT: what". Any thread. */
void log_line(enum log_priority priority, const char *about, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Tells the service manager that started us, if one did (Type=notify): "READY=1", "STOPPING=1",
 * "STATUS=...". The protocol is that of sd_notify(3), which promises it to others than its own
 * library: a datagram to the socket that NOTIFY_SOCKET names. Returns 0, or a negative errno.
 */
int log_notify(const char *state);

#endif
