/*
 * testpoints.h - stops, kills, counts or interrupts a thread at a named point of the library.
 *
 * Included with -include by the test and its copy of the library, before <kymo/atomic.h>. A plan belongs to the thread that made it, and to a child forked by that thread. It acts once; points reached within its action are ignored, so an action may call the library.
 */
#ifndef KYMO_TESTPOINTS_H
#define KYMO_TESTPOINTS_H

#include <stddef.h>
#include <stdint.h>

#define KYMO_TESTPOINT(name) testpoint_reach(#name)

#define TESTPOINT_TRACE_LIMIT 128

/* Called at a point of that name. */
typedef void testpoint_action(void *context, const char *name);

void testpoint_reach(const char *name);

/* Acts at this thread's next visit to the point `name` (NULL: any), after `skip` others. */
void testpoint_plan(const char *name, uint64_t skip, testpoint_action *action, void *context);

/* Removes the plan. Returns whether it had not acted. */
int testpoint_cancel(void);

/* Records the names of the points that this thread visits, in order. */
void testpoint_trace_begin(const char *trace[TESTPOINT_TRACE_LIMIT]);

/* Returns the number of visits; the trace has at most TESTPOINT_TRACE_LIMIT. */
size_t testpoint_trace_end(void);

/* ---- actions ---- */

/* Kills the process. */
void testpoint_kill(void *context, const char *name);

/* A thread waits at a gate until another thread or process releases it. */
struct testpoint_gate {
    uint32_t arrived;
    uint32_t released;
};

struct testpoint_gate *testpoint_gate_make(void);

void testpoint_gate_free(struct testpoint_gate *gate);

/* The action: reports its arrival, and waits for its release. */
void testpoint_park(void *context, const char *name);

/* Waits until a thread has arrived at the gate. */
void testpoint_await(struct testpoint_gate *gate);

void testpoint_release(struct testpoint_gate *gate);

#endif
