/*
 * thread.h - threads that leave signals to the main thread.
 */
#ifndef KYMOFS_THREAD_H
#define KYMOFS_THREAD_H

#include <pthread.h>

/* Starts a thread with all signals blocked except SIGBUS: a fault in a truncated segment is delivered
 * to the thread that caused it. `thread` NULL: detached. 0, -EAGAIN. */
int thread_start(pthread_t *thread, void *(*run)(void *context), void *context);

/* Processors that this process may use; at least 1. */
unsigned int thread_processors(void);

#endif
