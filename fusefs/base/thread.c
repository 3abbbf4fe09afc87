/*
 * thread.c - threads with signals blocked.
 */
#include "thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>

int thread_start(pthread_t *thread, void *(*run)(void *context), void *context)
{
    sigset_t blocked, before;
    pthread_t started;
    int error;

    sigfillset(&blocked);
    sigdelset(&blocked, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    error = pthread_create(&started, NULL, run, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return -EAGAIN;
    if (thread)
        *thread = started;
    else
        pthread_detach(started);
    return 0;
}

unsigned int thread_processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned int)CPU_COUNT(&set) : 1;
}
