/*
 * workers.h - the threads that receive requests and answer them.
 *
 * One of them receives and answers; the others rest, and are not woken for a request that is
 * answered in microseconds anyway. Before work that takes longer the one steps aside and another
 * takes his place; and where requests keep coming faster than he answers, more of them receive.
 * Before who receives goes to sleep he polls for some microseconds, where that has proved to be the
 * quicker way to the next request (pace.h): without a sleep and a waking in between, which cost more
 * than the answer.
 */
#ifndef KYMOFS_WORKERS_H
#define KYMOFS_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#define WORKERS_LIMIT 8

enum service_outcome {
    SERVICE_RECEIVED,
    SERVICE_IDLE, /* no request: a signal came, or others wait for it */
    SERVICE_ENDED,
};

/* What is served. All functions may be called by several workers at once. */
struct service {
    void *context;
    int descriptor; /* readable where a request waits */
    /* Receives one request, which becomes the calling worker's; waits for it if there is none. */
    enum service_outcome (*receive)(void *context);
    /* Answers it. */
    void (*answer)(void *context);
    /* Called by each worker when it ends. */
    void (*end)(void *context);
};

struct workers;

/* The microseconds to poll for that are best on a machine with this many processors. */
unsigned int workers_poll_default(void);

/* How many workers this machine is worth. */
int workers_default(void);

/* Starts `count` workers, which handle SIGUSR1, if not as many as there can be. `poll`,
 * microseconds: 0 sleeps at once; where there is but one processor that is always so. 0, -ENOMEM,
 * -EAGAIN. */
int workers_start(struct workers **workers, const struct service *service, int count,
                  unsigned int poll);

/* Ends them, when the service has been told to end. NULL is fine. */
void workers_stop(struct workers *workers);

/* The worker who calls this is about to do something lengthy: others take over meanwhile. Means
 * nothing in other threads. */
void workers_step_aside(void);

#endif
