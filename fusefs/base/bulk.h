/*
 * bulk.h - threads for work that is proportional to the number of records or segments.
 *
 * Jobs run on threads of their own, but only as many at a time as leave one processor free for short
 * requests. A running job calls bulk_pause() often: after 1 ms it passes its turn to the job that has
 * waited longest, so that no job waits for another's end. A user may occupy at most as many threads
 * as remain free (the rule of shares.h): one user never delays the start of another's job.
 */
#ifndef KYMOFS_BULK_H
#define KYMOFS_BULK_H

#include <stdint.h>

#define BULK_THREADS 32                    /* jobs that have been started and take turns */
#define BULK_SLICE   UINT64_C(1000000)     /* ns */
#define BULK_IDLE    UINT64_C(10000000000) /* ns after which a thread without a job ends */

struct bulk;

struct bulk_job {
    void (*run)(struct bulk_job *job); /* with the turn held; may free the job as its last act */
    uint32_t uid;
    /* Private: */
    struct bulk_thread *thread;
    struct bulk_job *next;
    uint64_t slice_end; /* CLOCK_MONOTONIC ns */
};

/* `running`: jobs that run at a time; 0: one less than the processors, at least one. 0, -ENOMEM. */
int bulk_open(struct bulk **bulk, unsigned int running);
/* Waits for all jobs. No job is submitted any more. NULL is allowed. */
void bulk_close(struct bulk *bulk);

/* Any thread. 0, or -EAGAIN: no thread could be started, and the job was not taken. */
int bulk_submit(struct bulk *bulk, struct bulk_job *job);

/* Passes the turn on if the slice is used up and another job waits; returns with the turn held. */
void bulk_pause(struct bulk_job *job);

#endif
