/*
 * clocks.h - clocks that a test can step, for its own processes only.
 *
 * The library clocks.c wraps libc: clock_gettime() adds an offset in shared memory, and a futex with an absolute deadline ends by that clock. Programs are linked with it, or get it by LD_PRELOAD.
 */
#ifndef KYMO_TEST_CLOCKS_H
#define KYMO_TEST_CLOCKS_H

#include <stdint.h>
#include <time.h>

/* What is added to each clock, ns. CLOCK_TAI has the offset of realtime. */
struct clocks {
    int64_t realtime;
    int64_t monotonic;
    int64_t boottime;
    uint32_t steps; /* odd while one is made */
};

/* The path of the clocks for executed programs: /proc/PID/fd/NUMBER. */
#define CLOCKS_VARIABLE "KYMO_TEST_CLOCKS"

/* Starts separate clocks for this process and its forked children; executed programs get them by clocks_for_exec(). Returns 0 or a negative errno. */
int clocks_share(void);

/* In the child, before it executes: what the program needs to have these clocks. */
void clocks_for_exec(void);

/* Moves each clock by the given number of ns. One process at a time. */
void clocks_step(int64_t realtime, int64_t monotonic, int64_t boottime);

/* Resets CLOCK_REALTIME to the machine's. */
void clocks_set_right(void);

/* The machine's clock, ns. */
uint64_t clocks_true(clockid_t clock);

/* Detects steps: the number of steps so far, and whether no clock has stepped since that number. */
uint32_t clocks_steps(void);
int clocks_held(uint32_t steps);

#endif
