/*
 * notifier.h - a few threads that wait for new records of many segments.
 *
 * A thread sleeps on the bells of up to NOTIFIER_BELLS segments. Segments that the daemon may not
 * write to, and those beyond that number, are polled: every millisecond while records are
 * published, and at growing intervals up to 50 ms otherwise.
 *
 * The notifier keeps a listener from notifier_add() until on_ready returned false, and calls:
 *
 *   on_ready    processes new records. Returns whether to keep the listener. *seen: the head that it
 *               has loaded. Called again after a later record, after the end of the generation, after
 *               notifier_add() and notifier_wake(), and at least once per second.
 *   on_removed  once for each call of notifier_add() that returned 1. notifier_add() may have added
 *               the listener again before this call.
 *
 * All functions may be called from any thread, with locks held that on_ready and on_removed take.
 */
#ifndef KYMOFS_NOTIFIER_H
#define KYMOFS_NOTIFIER_H

#include <stdbool.h>
#include <stddef.h>

#include <kymo/kymo.h>

/* What futex_waitv accepts, less one word of our own. */
#define NOTIFIER_BELLS   127
#define NOTIFIER_THREADS 4

struct notifier;
struct notifier_thread;

struct listener {
    const struct kymo_reader *reader; /* valid as long as the notifier keeps the listener */
    /* Private: */
    struct notifier_thread *thread; /* NULL: not added */
    bool requested;                 /* notifier_add() was called since the last on_ready */
    bool armed;                     /* from here on the bell wakes the thread */
    uint64_t seen;
    uint64_t idle_since; /* CLOCK_MONOTONIC ns */
};

/* Threads are started on demand. 0, or -ENOMEM. */
int notifier_open(struct notifier **notifier,
                  bool (*on_ready)(struct listener *listener, uint64_t *seen),
                  void (*on_removed)(struct listener *listener));

/* Ends the threads, without calls of on_removed. NULL is allowed. */
void notifier_close(struct notifier *notifier);

/* Returns 1 if the listener was added, 0 if it already was; -ENOMEM, -EAGAIN: it cannot be. */
int notifier_add(struct notifier *notifier, struct listener *listener);

/* Calls on_ready for all listeners. */
void notifier_wake(struct notifier *notifier);

#endif
