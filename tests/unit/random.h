/*
 * random.h - pseudo-random numbers, the same in every run (splitmix64: Steele, Lea, Flood 2014).
 */
#ifndef KYMO_TEST_RANDOM_H
#define KYMO_TEST_RANDOM_H

#include <stdint.h>

uint64_t random_u64(uint64_t *state);

/* Below `limit`, which is at least 1; evenly enough for tests. */
uint32_t random_below(uint64_t *state, uint32_t limit);

#endif
