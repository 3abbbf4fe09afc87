/*
 * bells.h - a few threads that sleep on the bells of many segments, for readers who wait.
 *
 * Each thread sleeps on up to BELLS_EACH bells; when these do not suffice, the segments beyond are
 * looked at again and again, as those are that the daemon may not write to: every millisecond
 * while records come, more and more seldom while none do.
 *
 * Whoever is to be told is a listener. The threads keep it as long as it listens, and call:
 *
 *   look    delivers what is new. Returns whether to go on listening; *seen gets the head up to
 *           which it has looked. Called again soon after more than that was published, after the
 *           end of the generation, after bells_listen and bells_ring, and now and then.
 *   left    the listener listens no longer, as far as this call is concerned: bells_listen may have
 *           made it listen again meanwhile.
 *
 * All functions may be called from any thread, under any lock that look and left take.
 */
#ifndef KYMOFS_BELLS_H
#define KYMOFS_BELLS_H

#include <stdbool.h>
#include <stddef.h>

#include <kymo/kymo.h>

/* What futex_waitv takes, but for one word of our own. */
#define BELLS_EACH    127
#define BELLS_THREADS 4

struct bells;
struct group;

struct listener {
    const struct kymo_reader *reader; /* outlives the listening */
    /* The threads' own: */
    struct group *group; /* NULL: does not listen */
    bool wanted;         /* bells_listen came since the last look */
    bool hears;          /* whatever happens at the bell from here on wakes the thread */
    uint64_t seen;
    uint64_t quiet_since; /* CLOCK_MONOTONIC ns */
};

/* Threads are made as they are needed. 0, or -ENOMEM. */
int bells_open(struct bells **bells, bool (*look)(struct listener *listener, uint64_t *seen),
               void (*left)(struct listener *listener));

/* Ends the threads. Who still listens is forgotten, without a call to left. NULL is fine. */
void bells_close(struct bells *bells);

/* Returns 1 where it listens from now on, 0 where it did so already; -ENOMEM, -EAGAIN: it can't. */
int bells_listen(struct bells *bells, struct listener *listener);

/* Has all that listen looked at. */
void bells_ring(struct bells *bells);

/* How many threads there are. */
int bells_threads(struct bells *bells);

#endif
