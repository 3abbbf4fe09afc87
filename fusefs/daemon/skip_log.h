/*
 * skip_log.h - messages about files that are not shown: at most 10 a minute, then a count.
 */
#ifndef KYMOFS_SKIP_LOG_H
#define KYMOFS_SKIP_LOG_H

#define SKIP_LOG_LINES  10
#define SKIP_LOG_PERIOD 60 /* s */

/* `suppressed` is called when a message is only counted: skip_log_report() should then be called
 * SKIP_LOG_PERIOD later. */
void skip_log_open(void (*suppressed)(void));

/* Any thread. */
void skip_log_add(const char *name, const char *reason);

/* Logs the count, if any, and allows lines again. */
void skip_log_report(void);

#endif
