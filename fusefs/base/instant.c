/*
 * instant.c - TIME, parsed once for each clock.
 */
#include "instant.h"

int instant_parse(const char *text, struct instant *instant)
{
    uint64_t now[INSTANT_CLOCKS];
    int error = -EINVAL;

    /* All clocks are read together, so that "-2s" is the same instant on each. */
    for (int clock = 0; clock < INSTANT_CLOCKS; clock++)
        now[clock] = kymo_clock_now((enum kymo_clock)clock);
    for (int clock = 0; clock < INSTANT_CLOCKS; clock++) {
        instant->time[clock] = 0;
        instant->error[clock] =
            kymo_time_parse(text, (enum kymo_clock)clock, now[clock], &instant->time[clock]);
        if (error && instant->error[clock] != -EINVAL)
            error = instant->error[clock];
    }
    return error;
}
