/*
 * steps.h - executes a child process one machine instruction at a time by ptrace, including those
 * of the C library.
 *
 * The child runs freely up to its mark. A repeated instruction (`rep movs`) stops after each
 * iteration; a system call is one step. x86-64 only: on ARM64 each trap clears the exclusive
 * monitor, so a loop of exclusive loads and stores never ends.
 */
#ifndef KYMO_TEST_STEPS_H
#define KYMO_TEST_STEPS_H

#include "process.h"

#include <sys/ptrace.h>
#include <sys/user.h>

struct steps {
    pid_t child;
    uint64_t count;      /* taken since the mark */
    int was_system_call; /* the last one was a system call */
};

struct traced_body {
    int (*run)(void *context);
    void *context;
};

/* Exit status of a child whose PTRACE_TRACEME fails. */
#define STEPS_FORBIDDEN 77

/* For the child: stepping begins here. */
void steps_mark(void);

/* Starts a child and runs it to its mark. Returns 0; or its exit status, if it ends before; or minus
 * a signal's number. */
int steps_start(struct steps *steps, int (*run)(void *context), void *context);

/* One instruction. Returns as steps_start(). */
int steps_next(struct steps *steps);

/* Runs it to its next mark. Returns as steps_start(). */
int steps_to_mark(struct steps *steps);

/* The reason why this machine cannot step, or NULL. */
const char *steps_unsupported(void);

#endif
