/*
 * actor.h - two parties in one thread that take turns at the steps of seam.h: the test's own one,
 * and an actor on a stack of its own. Who goes on where is the schedule, the same in every run.
 */
#ifndef KYMO_TEST_ACTOR_H
#define KYMO_TEST_ACTOR_H

#include <stdint.h>
#include <ucontext.h>

#define ACTOR_STACK   (256 * 1024)
#define ACTOR_FOREVER UINT64_MAX
#define ACTOR_TURNS   8

/* At the test's step number `at`, the actor takes `steps` steps. */
struct actor_turn {
    uint64_t at;
    uint64_t steps;
};

struct actor {
    ucontext_t here; /* whoever let the actor go on */
    ucontext_t there;
    int acting;
    void (*hook)(void); /* of whoever let it go on */
    uint64_t budget;    /* steps until the turn ends */
    uint64_t steps;     /* the test's own, since actor_begin */
    const struct actor_turn *turns;
    int count; /* turns that are left */
    void (*body)(void);
    unsigned char stack[ACTOR_STACK];
};

static struct actor actor;

/* The actor's way back: its turn is over, until somebody gives it another one. */
static inline void actor_pause(void)
{
    swapcontext(&actor.there, &actor.here);
}

static void actor_step(void);

/* Gives the actor a turn: it stops before its operation number steps + 1, or when it pauses. */
static inline void actor_go(uint64_t steps)
{
    actor.acting = 1;
    actor.budget = steps;
    actor.hook = seam_hook;
    seam_hook = actor_step;
    swapcontext(&actor.here, &actor.there);
    seam_hook = actor.hook;
    actor.acting = 0;
}

static void actor_step(void)
{
    if (actor.acting) {
        /* The step that it stops at is the first one of its next turn. */
        while (actor.budget == 0)
            actor_pause();
        actor.budget--;
        return;
    }
    while (actor.count > 0 && actor.turns->at == actor.steps) {
        const struct actor_turn *turn = actor.turns++;

        actor.count--;
        actor_go(turn->steps);
    }
    actor.steps++;
}

/* Makes the actor, which never returns; it has not begun. */
static inline void actor_make(void (*body)(void))
{
    actor.body = body;
    getcontext(&actor.there);
    actor.there.uc_stack.ss_sp = actor.stack;
    actor.there.uc_stack.ss_size = sizeof(actor.stack);
    actor.there.uc_link = NULL;
    makecontext(&actor.there, body, 0);
}

/* From here to actor_end, the test's steps are counted, and the turns are taken as told. */
static inline void actor_begin(const struct actor_turn *turns, int count)
{
    actor.turns = turns;
    actor.count = count;
    actor.steps = 0;
    seam_hook = actor_step;
}

/* Returns how many steps the test took. */
static inline uint64_t actor_end(void)
{
    seam_hook = NULL;
    return actor.steps;
}

#endif
