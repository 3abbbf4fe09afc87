/*
 * actor.c - the coroutines, by ucontext.
 */
#include "actor.h"

#include <kymo/atomic.h> /* seam.h's */
#include <ucontext.h>

#define ACTOR_STACK (256 * 1024)

struct actor {
    ucontext_t here; /* the context that resumed the actor */
    ucontext_t there;
    int acting;
    void (*hook)(void); /* seam_hook of that context */
    uint64_t budget;    /* steps until the turn ends */
    uint64_t steps;     /* the test's own, since actor_begin */
    const struct actor_turn *turns;
    int count; /* remaining turns */
    void (*body)(void);
    unsigned char stack[ACTOR_STACK];
};

static struct actor actor;

static void actor_step(void);

void actor_pause(void)
{
    swapcontext(&actor.there, &actor.here);
}

void actor_go(uint64_t steps)
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
        /* The step at which it stops is the first of its next turn. */
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

void actor_make(void (*body)(void))
{
    actor.body = body;
    getcontext(&actor.there);
    actor.there.uc_stack.ss_sp = actor.stack;
    actor.there.uc_stack.ss_size = sizeof(actor.stack);
    actor.there.uc_link = NULL;
    makecontext(&actor.there, body, 0);
}

void actor_begin(const struct actor_turn *turns, int count)
{
    actor.turns = turns;
    actor.count = count;
    actor.steps = 0;
    seam_hook = actor_step;
}

uint64_t actor_end(void)
{
    seam_hook = NULL;
    return actor.steps;
}
