/*
 * problem.h - a message about invalid input.
 */
#ifndef KYMO_TOOLS_PROBLEM_H
#define KYMO_TOOLS_PROBLEM_H

struct problem {
    char text[256];
};

/* Formats the message. Returns -EINVAL. */
int problem_set(struct problem *problem, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
