/*
 * process.h - child processes of a test: start, kill by pid, wait.
 *
 * A child ends by _exit with its body's result, without the test runner's exit handlers.
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

/* Returns the child's pid. The child is killed if its parent ends. */
pid_t process_start(int (*body)(void *context), void *context);

/* Waits for its end. Returns the exit status, or the negative number of the signal that killed
 * it. */
int process_wait(pid_t child);

/* Sends SIGKILL and waits. */
int process_kill(pid_t child);

/* Memory that a test shares with its children; zeroed. */
void *process_share(size_t size);

void process_sleep(long nanoseconds);

/* A progress counter in shared memory. */
void process_store(uint32_t *word, uint32_t value);

uint32_t process_load(const uint32_t *word);

/* Waits until the word is at least `value`: at most 300,000 sleeps of 0.1 ms. */
void process_await(const uint32_t *word, uint32_t value);

/* How much slower this build is, about. */
#if KYMO_TSAN
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
