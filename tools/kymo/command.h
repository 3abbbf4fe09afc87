/*
 * command.h - what the commands of kymo share. A new command is a row here and a file cmd_NAME.c
 * that defines command_NAME.
 */
#ifndef KYMO_TOOLS_COMMAND_H
#define KYMO_TOOLS_COMMAND_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <kymo/kymo.h>

#define KYMO_COMMANDS(ROW)                                           \
    ROW(pub, "publish records read from standard input")             \
    ROW(ls, "list the segments")                                     \
    ROW(info, "say everything about a segment but its records")      \
    ROW(get, "print one record: the newest, or by position or time") \
    ROW(watch, "print each new record as it comes")                  \
    ROW(metrics, "print segments as Prometheus text")                \
    ROW(rm, "remove segments that have no living writer")            \
    ROW(reap, "remove what dead writers left behind")                \
    ROW(host, "publish this machine's own counters")

/* Runs with argv[0] = "kymo NAME" and returns the exit status. */
#define KYMO_COMMAND_DECLARE(name, summary) int command_##name(int argc, char **argv);
KYMO_COMMANDS(KYMO_COMMAND_DECLARE)
#undef KYMO_COMMAND_DECLARE

/* The exit statuses: 0, or what went wrong. */
enum { STATUS_FAILED = 1, STATUS_USAGE = 2 };

/* Prints "kymo: NAME: what" on stderr, without NAME where it is NULL. Returns STATUS_FAILED. */
int complain(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
int complain_error(const char *name, int error);
/* As complain_error, for an open: says what is wrong with the file, or who holds it. */
int complain_open(const char *name, int error);
/* As complain, for a mistake in the arguments. Returns STATUS_USAGE. */
int complain_usage(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes all of it to stdout, unbuffered. 0, or a negative errno. */
int print_bytes(const void *bytes, size_t len);
/* The same with a text, which is emptied. -ENOMEM where the text lacked memory. */
int print_text(struct kymo_text *text);
/* The exit status after an error of those two: a reader that went away is no failure. */
int print_status(int error);
/* Whether whoever reads stdout has gone. */
bool print_abandoned(void);

/* A number in decimal, all of the text. 0, -EINVAL or -ERANGE. */
int parse_number(const char *text, uint64_t *number);

/* A signalfd that says when SIGINT, SIGTERM or SIGHUP came; they are blocked from now on. Or
 * -errno. */
int signals_open(void);

#endif
