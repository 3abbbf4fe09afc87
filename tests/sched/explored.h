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
extern const struct explore_scenario explored_state[];
extern const struct explore_scenario explored_any[];
extern const struct explore_scenario explored_shared[];

/* ---- explored_kernel.c: what the threads of a scenario get from the kernel ---- */

/* Where mmap finds the file, instead of a new mapping. */
extern unsigned char *explored_map;
/* What a thread gets that opens the segment: one that was opened before. */
struct explored_handle {
    struct kymo_segment *segment;
    const struct kymo_ring *ring;
};
extern struct explored_handle explored_handles[EXPLORE_THREADS];

/* For open and close, of scenarios whose threads take or ask for more than a futex. */
void explored_kernel_begin(void);
void explored_kernel_end(void);
/* Those who may hold locks, and what holds when an execution begins: this descriptor has the byte, or
 * nobody has. Bytes that are named in neither way are everybody's own, and everybody lives. */
void explored_kernel_know(int fd);
void explored_kernel_lock(uint64_t start, int fd, int alone);
void explored_kernel_free(uint64_t start);
/* Waits until another step has changed who holds the byte. */
void explored_kernel_await(uint64_t start);
/* Gives back all that this descriptor holds, as a step of the thread that runs. */
void explored_kernel_close(int fd);

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
