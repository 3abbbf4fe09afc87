/*
 * steps.c - the ptrace calls behind steps.h.
 */
#include "steps.h"

static int run_traced(void *context)
{
    const struct traced_body *body = (const struct traced_body *)context;

    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        return STEPS_FORBIDDEN;
    return body->run(body->context);
}

void steps_mark(void)
{
    raise(SIGSTOP);
}

/* 0 if the child was stopped by `signal`; else minus its signal, or its exit status. */
static int status_of(int status, int signal)
{
    if (WIFSTOPPED(status))
        return WSTOPSIG(status) == signal ? 0 : -WSTOPSIG(status);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int wait_for_stop(const struct steps *steps)
{
    int status = 0;

    while (waitpid(steps->child, &status, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return status;
}

int steps_start(struct steps *steps, int (*run)(void *context), void *context)
{
    struct traced_body body = {run, context};
    int verdict;

    steps->count = 0;
    steps->was_system_call = 0;
    steps->child = process_start(run_traced, &body);
    verdict = status_of(wait_for_stop(steps), SIGSTOP);
    if (verdict == 0)
        ptrace(PTRACE_SETOPTIONS, steps->child, NULL, (void *)(uintptr_t)PTRACE_O_EXITKILL);
    return verdict;
}

int steps_next(struct steps *steps)
{
#if defined(__x86_64__)
    struct user_regs_struct registers = {0};
    int verdict;

    if (ptrace(PTRACE_SINGLESTEP, steps->child, NULL, NULL) != 0)
        return -errno;
    verdict = status_of(wait_for_stop(steps), SIGTRAP);
    if (verdict == 0 && ptrace(PTRACE_GETREGS, steps->child, NULL, &registers) != 0)
        return -errno;
    steps->count++;
    /* SYSCALL leaves the next instruction's address in rcx. Other code rarely does; a false match
     * causes one needless update of names. */
    steps->was_system_call = registers.rcx == registers.rip;
    return verdict;
#else
    (void)steps;
    return -ENOSYS;
#endif
}

int steps_to_mark(struct steps *steps)
{
    ptrace(PTRACE_CONT, steps->child, NULL, NULL);
    return status_of(wait_for_stop(steps), SIGSTOP);
}

#if defined(__x86_64__)
static int mark_only(void *context)
{
    (void)context;
    steps_mark();
    return 0;
}
#endif

const char *steps_unsupported(void)
{
#if defined(__x86_64__)
    struct steps steps;

    if (steps_start(&steps, mark_only, NULL) == STEPS_FORBIDDEN)
        return "ptrace is not permitted";
    process_kill(steps.child);
    return NULL;
#else
    return "stepping is for x86-64";
#endif
}
