/*
 * crash_stepper.h - runs a case of crash_case.h once by single steps, and checks a copy of each
 * state; then repeatedly with a SIGKILL at test points and at steps, beside surviving processes, for
 * what a copy does not have: locks, liveness and sleeping waiters.
 */
#ifndef KYMO_TEST_CRASH_STEPPER_H
#define KYMO_TEST_CRASH_STEPPER_H

#include "crash_invariants.h"

#define EVERY_STEP UINT64_MAX

/* Steps through the case, then kills the victim at each test point and at `samples` steps; in slow
 * builds at the points alone. */
void crash_run(const struct crash_case *crash_case, uint64_t samples);

void crash_begin(void);

/* For cases of 10,000 instructions and more: skipped with a sanitizer, which takes four times as many. */
void crash_begin_long(void);

void crash_end(const char *what);

#endif
