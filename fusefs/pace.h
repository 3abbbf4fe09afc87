/*
 * pace.h - how to wait for the next request: asleep, or awake.
 *
 * Neither is always better. A sleeper is woken where the kernel sees fit. That may be the client's
 * own processor, which is free as soon as the client waits: nothing is quicker, and whoever stayed
 * awake there would only be in the client's way. Or it is another one, which costs the waking of a
 * processor on either side of each request: then it pays to stay awake. Nobody tells which it is, and
 * it changes in the midst of it. So what the last waits took is compared, and the way that was not
 * taken for long is thought better of, until it is tried again.
 *
 * Belongs to one thread.
 */
#ifndef KYMOFS_PACE_H
#define KYMOFS_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* A request that comes later than so many ns is not another one of a client who is at it. */
#define PACE_BREAK UINT64_C(400000)

/* Of a thread that has not waited yet: sleeping comes first, and has to be slow to end. */
#define PACE_NEW \
    {            \
        0, 20000 \
    }

struct pace {
    uint64_t asleep; /* what waiting so took, ns: an average in which the last few waits count */
    uint64_t awake;
};

/* Whether to stay awake for the next one. At first, and after a break: no. */
bool pace_is_awake(const struct pace *pace);

/* A request came `waited` ns after the one before it had been answered; `awake`: how that time was
 * spent, at first. */
void pace_learn(struct pace *pace, bool awake, uint64_t waited);

#endif
