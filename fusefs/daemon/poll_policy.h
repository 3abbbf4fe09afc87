/*
 * poll_policy.h - how to wait for the next request: sleep or busy-poll?
 *
 * If the kernel wakes a sleeping thread on the client's CPU, which is free as soon as the client
 * waits, sleeping is faster, and polling there would delay the client. If it wakes the thread on
 * another CPU, polling avoids two wake-ups for each request. The kernel reports neither, and the
 * choice changes at run time: so keep an average of the wait for each, and use the smaller. The
 * average that is not used decays until it is tried again.
 *
 * A struct poll_policy belongs to one thread.
 */
#ifndef KYMOFS_POLL_POLICY_H
#define KYMOFS_POLL_POLICY_H

#include <stdbool.h>
#include <stdint.h>

/* A client that pauses longer than this, ns, is not in a sequence of requests. */
#define POLL_POLICY_PAUSE UINT64_C(400000)

/* Sleeps first, and polls if that turns out slow. */
#define POLL_POLICY_NEW \
    {                   \
        0, 20000        \
    }

struct poll_policy {
    uint64_t sleeping; /* weighted average of the waits, ns */
    uint64_t polling;
};

/* Whether to poll for the next request. Initially and after a pause: no. */
bool poll_policy_polls(const struct poll_policy *policy);

/* A request came `waited` ns after the reply to the one before; `polled`: the wait began so. */
void poll_policy_update(struct poll_policy *policy, bool polled, uint64_t waited);

#endif
