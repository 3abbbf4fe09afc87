/*
 * testpoints.c - the plan of each thread. Part of the library with test points.
 */
#include "testpoints.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct testpoint_state {
    const char *name; /* the point; NULL: any */
    uint64_t skip;    /* visits to ignore before acting */
    testpoint_action *action;
    void *context;
    int inside; /* not 0 within an action */

    const char **trace; /* names in the order of visits, or NULL */
    size_t visits;      /* including those beyond the limit */
};

static _Thread_local struct testpoint_state testpoint_state = {0};

void testpoint_reach(const char *name)
{
    struct testpoint_state *state = &testpoint_state;
    testpoint_action *action = state->action;

    if (state->inside)
        return;
    if (state->trace) {
        if (state->visits < TESTPOINT_TRACE_LIMIT)
            state->trace[state->visits] = name;
        state->visits++;
    }
    if (!action || (state->name && strcmp(state->name, name)))
        return;
    if (state->skip > 0) {
        state->skip--;
        return;
    }
    state->action = NULL;
    state->inside = 1;
    action(state->context, name);
    state->inside = 0;
}

void testpoint_plan(const char *name, uint64_t skip, testpoint_action *action, void *context)
{
    testpoint_state.name = name;
    testpoint_state.skip = skip;
    testpoint_state.action = action;
    testpoint_state.context = context;
}

int testpoint_cancel(void)
{
    int waiting = testpoint_state.action != NULL;

    testpoint_state.action = NULL;
    return waiting;
}

void testpoint_trace_begin(const char *trace[TESTPOINT_TRACE_LIMIT])
{
    testpoint_state.trace = trace;
    testpoint_state.visits = 0;
}

size_t testpoint_trace_end(void)
{
    testpoint_state.trace = NULL;
    return testpoint_state.visits;
}

void testpoint_kill(void *context, const char *name)
{
    (void)context;
    (void)name;
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

struct testpoint_gate *testpoint_gate_make(void)
{
    void *gate = mmap(NULL, sizeof(struct testpoint_gate), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (gate == MAP_FAILED) {
        perror("testpoint_gate_make");
        abort();
    }
    return (struct testpoint_gate *)gate;
}

void testpoint_gate_free(struct testpoint_gate *gate)
{
    munmap(gate, sizeof(*gate));
}

/* Fails the test instead of a hang: see process_await. */
static void testpoint_gate_wait(uint32_t *word)
{
    const struct timespec pause_time = {.tv_nsec = 100000};

    for (int rounds = 0; rounds < 300000; rounds++) {
        if (__atomic_load_n(word, __ATOMIC_ACQUIRE))
            return;
        nanosleep(&pause_time, NULL);
    }
    fputs("testpoints: a gate was not released\n", stderr);
    abort();
}

void testpoint_park(void *context, const char *name)
{
    struct testpoint_gate *gate = (struct testpoint_gate *)context;

    (void)name;
    __atomic_store_n(&gate->arrived, 1, __ATOMIC_RELEASE);
    testpoint_gate_wait(&gate->released);
}

void testpoint_await(struct testpoint_gate *gate)
{
    testpoint_gate_wait(&gate->arrived);
}

void testpoint_release(struct testpoint_gate *gate)
{
    __atomic_store_n(&gate->released, 1, __ATOMIC_RELEASE);
}
