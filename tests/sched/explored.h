/*
 * explored.h - the protocols that explored.c runs through the explorer, a file each, and what those
 * that work on real segments have in common.
 */
#ifndef KYMO_TEST_EXPLORED_H
#define KYMO_TEST_EXPLORED_H

#include "../../core/src/internal.h"
#include "explore.h"

/* End with one without a name. */
extern const struct explore_scenario explored_ring[];
extern const struct explore_scenario explored_queue[];
extern const struct explore_scenario explored_bell[];
extern const struct explore_scenario explored_lock[];
extern const struct explore_scenario explored_loader[];
extern const struct explore_scenario explored_guard[];

/* explored_kernel.c: what mmap returns to the threads of a scenario, instead of a new mapping. */
extern void *explored_map;

/* The parts of a mapped ring that its threads share. */
static inline void explored_share_ring(const struct kymo_ring *ring, const struct kymo_bell *bell)
{
    explore_share(ring->control, sizeof(*ring->control));
    explore_share(bell, sizeof(*bell));
    explore_share(ring->times, (ring->mask + 1) * 8);
    explore_share(ring->slots, (ring->mask + 1) * ring->stride);
    explore_split(ring->slots, offsetof(struct kymo_slot, len), ring->stride);
}

/* The same ring, mapped once more. */
static inline void explored_share_again(const struct kymo_ring *ring, const struct kymo_ring *same)
{
    explore_alias(ring->control, same->control);
    explore_alias(ring->times, same->times);
    explore_alias(ring->slots, same->slots);
}

#endif
