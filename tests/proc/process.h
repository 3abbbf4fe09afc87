/*
 * process.h - child processes of a test: started, told to end by their id, and always waited for.
 *
 * A child leaves by _exit with what its body returned and never runs the test runner's ends.
 */
#ifndef KYMO_TEST_PROCESS_H
#define KYMO_TEST_PROCESS_H

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <kymo/atomic.h>

/* Returns the child's id. The child ends with its parent, whatever that one dies of. */
pid_t process_start(int (*body)(void *context), void *context);

/* Waits for its end. Returns the exit status, or the negative number of the signal it died of. */
int process_wait(pid_t child);

/* As kill -9 and wait: the process is gone when this returns. */
int process_kill(pid_t child);

/* Memory that a test shares with its children; zeroed. */
void *process_share(size_t size);

void process_nap(long nanoseconds);

/* A word in shared memory that says how far the other process is. */
void process_say(uint32_t *word, uint32_t value);

uint32_t process_heard(const uint32_t *word);

/* Until the word is at least `value`; a process that never says so fails the test after 30 s. */
void process_await(const uint32_t *word, uint32_t value);

/* How much slower this build is, about. */
#if KYMO_IMPL_TSAN
#define PROCESS_SLOWNESS 16
#elif defined(KYMO_EMULATED)
#define PROCESS_SLOWNESS 20
#elif defined(__SANITIZE_ADDRESS__)
#define PROCESS_SLOWNESS 4
#else
#define PROCESS_SLOWNESS 1
#endif

/* The fraction of its long counts that a test runs: $KYMO_STRESS_SCALE, 1 in tools/soak; 0.01 if it is
 * unset. */
double process_scale(void);

/* The count of a stress test: this fraction of `full`, at least `least`; fewer in slow builds. */
uint64_t process_count(uint64_t full, uint64_t least);

#endif
