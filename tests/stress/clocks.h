/*
 * clocks.h - clocks that step as a test wants, for its processes alone; the machine's own stay as
 * they are.
 *
 * The library clocks.c stands between a program and libc: clock_gettime() says what the kernel says
 * plus a number in shared memory, and a futex whose deadline is absolute wakes when that clock has got
 * there. Programs are linked with it, or get it by LD_PRELOAD.
 */
#ifndef KYMO_TEST_CLOCKS_H
#define KYMO_TEST_CLOCKS_H

#include <stdint.h>
#include <time.h>

/* What is added to each clock, ns. CLOCK_TAI goes with realtime. */
struct clocks {
    int64_t realtime;
    int64_t monotonic;
    int64_t boottime;
    uint32_t steps; /* odd while one is made */
};

/* Where the programs find them that this process executes: /proc/PID/fd/NUMBER. */
#define CLOCKS_VARIABLE "KYMO_TEST_CLOCKS"

/* Gives this process and those that it forks clocks of their own; the ones that it executes get them
 * by clocks_for_exec(). Returns 0 or a negative errno. */
int clocks_share(void);

/* In the child, before it executes: what the program needs to have these clocks. */
void clocks_for_exec(void);

/* Moves the clocks by so many ns. One process at a time. */
void clocks_step(int64_t realtime, int64_t monotonic, int64_t boottime);

/* CLOCK_REALTIME is again what the machine says. */
void clocks_set_right(void);

/* The machine's own clock, ns. */
uint64_t clocks_true(clockid_t clock);

/* For what holds only while no clock steps: a number before it, and whether none has since. */
uint32_t clocks_steps(void);
int clocks_held(uint32_t steps);

#endif
