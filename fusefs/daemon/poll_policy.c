/*
 * poll_policy.c - compares recent waits.
 */
#include "poll_policy.h"

/* The weight of the last wait in the average is 1 / WEIGHT. */
#define WEIGHT 4

/* With each wait, the other average decays by 1 / DECAY. */
#define DECAY 256

/* An average grows by at most half of itself and this, ns, with one wait: a single delay of the
 * client has little effect. */
#define STEP UINT64_C(5000)

bool poll_policy_polls(const struct poll_policy *policy)
{
    return policy->polling < policy->sleeping;
}

static void update(uint64_t *used, uint64_t *other, uint64_t waited)
{
    const uint64_t limit = *used + *used / 2 + STEP;
    const uint64_t average = (*used * (WEIGHT - 1) + waited) / WEIGHT;

    *used = average < limit ? average : limit;
    *other -= *other / DECAY;
}

void poll_policy_update(struct poll_policy *policy, bool polled, uint64_t waited)
{
    if (waited > POLL_POLICY_PAUSE)
        policy->sleeping = 0;
    else if (polled)
        update(&policy->polling, &policy->sleeping, waited);
    else
        update(&policy->sleeping, &policy->polling, waited);
}
