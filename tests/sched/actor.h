/*
 * actor.h - two coroutines that take turns at the steps of seam.h: the test, and an actor on its
 * own stack. A schedule determines the turns, so that every run is the same.
 */
#ifndef KYMO_TEST_ACTOR_H
#define KYMO_TEST_ACTOR_H

#include <stdint.h>

#define ACTOR_FOREVER UINT64_MAX
#define ACTOR_TURNS   8

/* At the test's step number `at`, the actor takes `steps` steps. */
struct actor_turn {
    uint64_t at;
    uint64_t steps;
};

/* Ends the actor's turn. */
void actor_pause(void);

/* Resumes the actor. It stops before its operation number steps + 1, or when it pauses. */
void actor_go(uint64_t steps);

/* Makes the actor. Its body never returns. */
void actor_make(void (*body)(void));

/* Up to actor_end, counts the test's steps and takes these turns. */
void actor_begin(const struct actor_turn *turns, int count);

/* Returns the number of the test's steps. */
uint64_t actor_end(void);

#endif
