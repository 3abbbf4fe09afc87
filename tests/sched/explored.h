/*
 * explored.h - the scenarios of explored.c, one file for each protocol, and helpers for scenarios on real segments.
 */
#ifndef KYMO_TEST_EXPLORED_H
#define KYMO_TEST_EXPLORED_H

#include "../../core/src/internal.h"
#include "explore.h"

/* Each ends with a scenario without a name. */
extern const struct explore_scenario explored_ring[];
extern const struct explore_scenario explored_queue[];
extern const struct explore_scenario explored_bell[];
extern const struct explore_scenario explored_lock[];
extern const struct explore_scenario explored_loader[];
extern const struct explore_scenario explored_guard[];
extern const struct explore_scenario explored_state[];
extern const struct explore_scenario explored_any[];
extern const struct explore_scenario explored_shared[];

/* ---- explored_ring.c: shared words ---- */

/* Shares the parts of a mapped ring. */
void explored_share_ring(const struct kymo_ring *ring, const struct kymo_bell *bell);
/* Shares another mapping of the same ring. */
void explored_share_again(const struct kymo_ring *ring, const struct kymo_ring *same);

/* ---- explored_kernel.c: system calls of a scenario's threads ---- */

/* Returned by mmap instead of a new mapping. */
extern unsigned char *explored_map;
/* Opened before, and returned to a thread that opens the segment. */
struct explored_handle {
    struct kymo_segment *segment;
    const struct kymo_ring *ring;
};
extern struct explored_handle explored_handles[EXPLORE_THREADS];

/* For open and close of scenarios that use the kernel's locks. */
void explored_kernel_begin(void);
void explored_kernel_end(void);
/* Descriptors that may hold locks, and the locks at the start of an execution: held by this descriptor, or free. Other bytes can be locked by any descriptor, and count as locked in queries. */
void explored_kernel_know(int fd);
void explored_kernel_lock(uint64_t start, int fd, int exclusive);
void explored_kernel_free(uint64_t start);
/* Waits until the lock on the byte changes. */
void explored_kernel_await(uint64_t start);
/* Releases all locks of this descriptor, as a step of the current thread. */
void explored_kernel_close(int fd);

#endif
