/*
 * steps.h - a child process that goes on by one machine instruction at a time, those of the C
 * library included, and stands still in between.
 *
 * The child runs freely up to its mark. An instruction that repeats itself (`rep movs`) stops after
 * each round; a system call is one step. Only for x86-64: where every instruction traps, the
 * exclusive stores of ARM64 never succeed, and an exchange would go round for ever.
 */
#ifndef KYMO_TEST_STEPS_H
#define KYMO_TEST_STEPS_H

#include "process.h"

#include <sys/ptrace.h>
#include <sys/user.h>

struct steps {
    pid_t child;
    uint64_t count;   /* taken since the mark */
    int asked_kernel; /* the last one was a system call */
};

struct steps_body {
    int (*run)(void *context);
    void *context;
};

/* What a child that nobody may trace ends with. */
#define STEPS_FORBIDDEN 77

static inline int steps_run_body(void *context)
{
    const struct steps_body *body = (const struct steps_body *)context;

    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        return STEPS_FORBIDDEN;
    return body->run(body->context);
}

/* For the child: here stepping begins. */
static inline void steps_mark(void)
{
    raise(SIGSTOP);
}

/* What a stopped or ended child says: its signal or its status; 0 where it was stopped by `signal`.
 */
static inline int steps_verdict(int status, int signal)
{
    if (WIFSTOPPED(status))
        return WSTOPSIG(status) == signal ? 0 : -WSTOPSIG(status);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static inline int steps_wait(const struct steps *steps)
{
    int status = 0;

    while (waitpid(steps->child, &status, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return status;
}

/* Starts a child and lets it run to its mark. 0; a status that it ended with instead; or the
 * negative number of a signal. */
static inline int steps_start(struct steps *steps, int (*run)(void *context), void *context)
{
    struct steps_body body = {run, context};
    int verdict;

    steps->count = 0;
    steps->asked_kernel = 0;
    steps->child = process_start(steps_run_body, &body);
    verdict = steps_verdict(steps_wait(steps), SIGSTOP);
    if (verdict == 0)
        ptrace(PTRACE_SETOPTIONS, steps->child, NULL, (void *)(uintptr_t)PTRACE_O_EXITKILL);
    return verdict;
}

/* One instruction; as steps_start. */
static inline int steps_next(struct steps *steps)
{
#if defined(__x86_64__)
    struct user_regs_struct registers = {0};
    int verdict;

    if (ptrace(PTRACE_SINGLESTEP, steps->child, NULL, NULL) != 0)
        return -errno;
    verdict = steps_verdict(steps_wait(steps), SIGTRAP);
    if (verdict == 0 && ptrace(PTRACE_GETREGS, steps->child, NULL, &registers) != 0)
        return -errno;
    steps->count++;
    /* SYSCALL leaves the address behind it in rcx; other code seldom does, and is looked at once
     * too often then. */
    steps->asked_kernel = registers.rcx == registers.rip;
    return verdict;
#else
    (void)steps;
    return -ENOSYS;
#endif
}

/* Lets it run to its next mark, or to its end; as steps_start. */
static inline int steps_skip(struct steps *steps)
{
    ptrace(PTRACE_CONT, steps->child, NULL, NULL);
    return steps_verdict(steps_wait(steps), SIGSTOP);
}

static inline int steps_nothing(void *context)
{
    (void)context;
    steps_mark();
    return 0;
}

/* Why there can be no steps here; NULL where there can. */
static inline const char *steps_impossible(void)
{
#if defined(__x86_64__)
    struct steps steps;

    if (steps_start(&steps, steps_nothing, NULL) == STEPS_FORBIDDEN)
        return "nobody may trace a process here";
    process_kill(steps.child);
    return NULL;
#else
    return "stepping is for x86-64";
#endif
}

#endif
