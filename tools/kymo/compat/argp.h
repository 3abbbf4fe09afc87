/*
 * argp.h - the part of glibc's <argp.h> that kymo uses, for C libraries that have none, such as musl.
 */
#ifndef KYMO_COMPAT_ARGP_H
#define KYMO_COMPAT_ARGP_H

#include <errno.h>
#include <stdio.h>

typedef int error_t;

/* Keys that the parser gets besides those of the options. */
#define ARGP_KEY_ARG     0
#define ARGP_KEY_END     0x1000001
#define ARGP_KEY_NO_ARGS 0x1000002

#define ARGP_ERR_UNKNOWN E2BIG

/* A row without a name is a heading; a row of zeros ends the table. */
struct argp_option {
    const char *name;
    int key; /* also a short option, if it is a printable character */
    const char *arg;
    int flags; /* 0 */
    const char *doc;
    int group; /* ascending along the table */
};

struct argp_state {
    const struct argp *argp;
    const char *name; /* of the program */
    void *input;
};

typedef error_t (*argp_parser_t)(int key, char *arg, struct argp_state *state);

struct argp {
    const struct argp_option *options; /* or NULL */
    argp_parser_t parser;
    const char *args_doc; /* or NULL */
    const char *doc;      /* printed before the options, and from \v on after them */
    const void *children; /* NULL, as the last two */
    const void *help_filter;
    const char *argp_domain;
};

extern int argp_err_exit_status;
extern void (*argp_program_version_hook)(FILE *stream, struct argp_state *state);

/* Parses all arguments. Wrong ones, --help, --usage and --version end the program. */
error_t argp_parse(const struct argp *argp, int argc, char **argv, unsigned flags, int *index,
                   void *input);
void argp_error(const struct argp_state *state, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void argp_failure(const struct argp_state *state, int status, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
