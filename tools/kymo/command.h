/*
 * command.h - interface shared by the commands of kymo. A new command is a row here and a file
 * cmd_NAME.c that defines command_NAME.
 */
#ifndef KYMO_TOOLS_COMMAND_H
#define KYMO_TOOLS_COMMAND_H

#include <argp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <kymo/kymo.h>

#define KYMO_COMMANDS(ROW)                                           \
    ROW(pub, "publish records read from standard input")             \
    ROW(ls, "list the segments")                                     \
    ROW(info, "print the properties of a segment")                   \
    ROW(get, "print one record: the newest, or by position or time") \
    ROW(watch, "print each new record")                              \
    ROW(metrics, "print segments as Prometheus text")                \
    ROW(rm, "remove segments without a live writer")                 \
    ROW(reap, "remove segments of dead writers")                     \
    ROW(host, "publish this machine's counters")

/* argv[0] is "kymo NAME". Returns the exit status. */
#define KYMO_COMMAND_DECLARE(name, summary) int command_##name(int argc, char **argv);
KYMO_COMMANDS(KYMO_COMMAND_DECLARE)
#undef KYMO_COMMAND_DECLARE

/* Exit statuses besides 0. */
enum { STATUS_FAILED = 1, STATUS_USAGE = 2 };

/* Prints "kymo: NAME: message" on stderr, without NAME if it is NULL. Returns STATUS_FAILED. */
int report_error(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
int report_errno(const char *name, int error);
/* As report_errno, after an open: names the defect of the file, or the process that has it open. */
int report_open(const char *name, int error);
/* As report_error, for wrong arguments. Returns STATUS_USAGE. */
int report_usage(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes all bytes to stdout, unbuffered. 0, or a negative errno. */
int print_bytes(const void *bytes, size_t len);
/* Writes a text, and clears it. -ENOMEM if the text is incomplete. */
int print_text(struct kymo_text *text);
/* The exit status for a result of print_bytes or print_text: EPIPE is not a failure. */
int print_status(int error);
/* Whether the read end of the pipe at stdout is closed. */
bool stdout_is_closed(void);

/* The rest of an argp parser, for commands with one NAME, and for commands without names. */
error_t parse_name(int key, char *argument, struct argp_state *state, const char **name);
error_t parse_no_names(int key, char *argument, struct argp_state *state);

/* Parses a decimal number; no other characters. 0, -EINVAL or -ERANGE. */
int parse_number(const char *text, uint64_t *number);

/* Blocks SIGINT, SIGTERM and SIGHUP. Returns a signalfd for them, or -errno. */
int signals_open(void);

#endif
