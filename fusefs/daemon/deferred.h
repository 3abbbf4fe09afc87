/*
 * deferred.h - work that the main thread does once, some seconds after it was requested.
 *
 * Uses one-shot timers: without a request, no timer runs and no thread wakes up.
 */
#ifndef KYMOFS_DEFERRED_H
#define KYMOFS_DEFERRED_H

#include <signal.h>
#include <stdint.h>
#include <time.h>

/* A real-time signal, so that signals of several timers are queued. Blocked in all threads. */
#define DEFERRED_SIGNAL SIGRTMIN

/* Begin with run and delay set and all else zero. */
struct deferred {
    void (*run)(void *context);
    void *context;
    time_t delay; /* s */
    timer_t timer;
    uint32_t pending; /* 1: requested */
};

/* In the process that will run it: timers do not survive a fork. 0, or a negative errno. */
int deferred_open(struct deferred *deferred);

/* Does nothing if a request is pending. Any thread. */
void deferred_request(struct deferred *deferred);

/* Runs the work for which sigwaitinfo() returned DEFERRED_SIGNAL. */
void deferred_run(const siginfo_t *info);

#endif
