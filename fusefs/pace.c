/*
 * pace.c - which way of waiting took less lately.
 */
#include "pace.h"

/* The average goes towards the last wait by one part in so many. */
#define WEIGHT 4

/* By one part in so many the other way's average shrinks with each wait. */
#define PATIENCE 256

/* ns by which an average may grow with one wait, beside half of what it is: a client that was held up
 * once says little. */
#define STEP UINT64_C(5000)

bool pace_is_awake(const struct pace *pace)
{
    return pace->awake < pace->asleep;
}

static void learn(uint64_t *taken, uint64_t *other, uint64_t waited)
{
    const uint64_t most = *taken + *taken / 2 + STEP;
    const uint64_t average = (*taken * (WEIGHT - 1) + waited) / WEIGHT;

    *taken = average < most ? average : most;
    *other -= *other / PATIENCE;
}

void pace_learn(struct pace *pace, bool awake, uint64_t waited)
{
    if (waited > PACE_BREAK)
        pace->asleep = 0;
    else if (awake)
        learn(&pace->awake, &pace->asleep, waited);
    else
        learn(&pace->asleep, &pace->awake, waited);
}
