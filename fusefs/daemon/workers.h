/*
 * workers.h - threads that receive requests and process them: a leader/follower pool.
 *
 * One leader receives and processes; followers sleep, and are not woken for a request that takes
 * microseconds. If requests arrive faster than the leaders process them, a follower becomes another
 * leader. Requests are short: longer work belongs into base/bulk.h. Before a leader sleeps it
 * busy-polls for some microseconds, if that has recently been faster (poll_policy.h).
 */
#ifndef KYMOFS_WORKERS_H
#define KYMOFS_WORKERS_H

#include <stddef.h>

#define WORKERS_LIMIT 8

enum receive_result {
    RECEIVE_REQUEST,
    RECEIVE_NONE, /* a signal came, or another worker took the request */
    RECEIVE_END,
};

/* All functions may be called by several workers at once. */
struct service {
    void *context;
    int descriptor;     /* readable if a request waits */
    size_t buffer_size; /* of the memory that each worker has for one request; begins zeroed */
    /* Receives a request into the buffer; waits if there is none. */
    enum receive_result (*receive)(void *context, void *buffer);
    void (*process)(void *context, void *buffer);
    /* Called by each worker when it ends. */
    void (*end)(void *context, void *buffer);
};

struct workers;

/* The best polling time on this machine, us. */
unsigned int workers_default_poll(void);
int workers_default_count(void);

/* Starts `count` workers, at most WORKERS_LIMIT, which end a system call on SIGUSR1. `poll`, us: 0
 * never polls, nor does a machine with one processor. 0, or -ENOMEM, -EAGAIN: no request has been
 * received. */
int workers_start(struct workers **workers, const struct service *service, int count,
                  unsigned int poll);

/* After `receive` has begun to return RECEIVE_END: waits for the workers. NULL is allowed. */
void workers_stop(struct workers *workers);

#endif
