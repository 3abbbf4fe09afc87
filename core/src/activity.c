/*
 * activity.c - the history of a segment, and what follows from it: the rate of its records, and when a
 * writer counts as stalled.
 */
#include "text_internal.h"

#define NS_PER_SECOND 1000000000u

/* A writer without a heartbeat or record for longer than both has stalled. */
#define STALL_LEAST   NS_PER_SECOND
#define STALL_PERIODS 10

/* The history of the records up to `time`. -ESTALE: overwritten while it was read, or all of them
 * are overwritten by now. */
static int read_once(const struct kymo_ring *ring, uint64_t time, struct kymo_activity *activity)
{
    struct kymo_window window = {ring->first, ring->first};
    int error = kymo_window_pin(ring, &window);

    *activity = (struct kymo_activity){.end = window.high};
    if (error)
        return error;
    if (time != KYMO_FOREVER)
        window.high = kymo_impl_window_after(ring, window.low, window.high, time);
    activity->end = window.high;
    if (window.high == window.low) {
        error = window.low == ring->first ? -ENODATA : -ESTALE;
        return kymo_impl_window_holds(ring, window.low) ? error : kymo_impl_ring_lost(ring);
    }
    activity->count = window.high - window.low;
    activity->oldest = kymo_window_time(ring, window.low);
    activity->newest = kymo_window_time(ring, window.high - 1);
    if (kymo_impl_window_holds(ring, window.low))
        return 0;
    *activity = (struct kymo_activity){.end = window.high};
    return kymo_impl_ring_lost(ring);
}

/* A writer at full speed may overwrite the window's low end between two loads, but only in rings so
 * shallow that another try is cheap. */
int kymo_activity_read(const struct kymo_ring *ring, uint64_t time, struct kymo_activity *activity)
{
    int error = -ESTALE;

    for (int tries = 0; tries < KYMO_RETRIES && error == -ESTALE; tries++)
        error = read_once(ring, time, activity);
    return error == -ENODATA ? 0 : error;
}

/* The mean ns between two records; 0 if it is unknown. */
static uint64_t mean_period(const struct kymo_activity *activity, enum kymo_clock clock)
{
    if (clock == KYMO_USER || activity->count < 2 || activity->newest <= activity->oldest)
        return 0;
    return (activity->newest - activity->oldest) / (activity->count - 1);
}

static uint64_t stall_limit(uint64_t period)
{
    if (period > KYMO_FOREVER / STALL_PERIODS)
        return KYMO_FOREVER;
    return period * STALL_PERIODS > STALL_LEAST ? period * STALL_PERIODS : STALL_LEAST;
}

int kymo_activity_liveness(const struct kymo_segment *segment, const struct kymo_activity *activity)
{
    const uint64_t period = mean_period(activity, kymo_segment_clock(segment));

    return kymo_segment_liveness(segment, stall_limit(period));
}

double kymo_activity_rate(const struct kymo_activity *activity, enum kymo_clock clock, int is_alive)
{
    const uint64_t span = activity->newest - activity->oldest;
    double rate = 0;

    if (clock == KYMO_USER || (activity->count >= 2 && activity->newest <= activity->oldest))
        return -1;
    if (is_alive && activity->count >= 2)
        rate = (double)(activity->count - 1) / ((double)span / NS_PER_SECOND);
    /* A span of 1 ns with 2^40 records: their rate would overflow 64 bits. */
    return rate < 1e18 ? rate : 1e18;
}
