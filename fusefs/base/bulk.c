/*
 * bulk.c - a pool of threads whose jobs take turns.
 *
 * A job is admitted when a thread is assigned to it, and then competes for a turn. Both queues are
 * FIFO, except for users that occupy their share of the threads.
 */
#include "bulk.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include <kymo/kymo.h>

#include "thread.h"

#define SECOND UINT64_C(1000000000)

struct bulk_thread {
    struct bulk *bulk;
    bool exists;
    struct bulk_job *job; /* NULL: idle; its `run` may have freed it already */
    uint32_t uid;         /* the job's */
    bool has_turn;
    struct bulk_thread *next; /* in the queue for a turn */
    pthread_cond_t wake;      /* a job or a turn */
};

struct bulk {
    unsigned int running;
    uint32_t waiting; /* threads in the queue for a turn; written under the lock */
    pthread_mutex_t lock;
    /* Under the lock: */
    struct bulk_thread threads[BULK_THREADS];
    unsigned int thread_count;
    unsigned int turns; /* held */
    struct bulk_thread *turn_first;
    struct bulk_job *pending; /* not admitted yet */
    struct bulk_job **pending_last;
    bool closing;
    pthread_cond_t ended; /* the last thread */
};

/* ---- turns, under the lock ---- */

static void wait_for_turn(struct bulk_thread *thread)
{
    struct bulk *bulk = thread->bulk;
    struct bulk_thread **last = &bulk->turn_first;

    while (*last)
        last = &(*last)->next;
    *last = thread;
    thread->next = NULL;
    thread->has_turn = false;
    kymo_store_relaxed32(&bulk->waiting, bulk->waiting + 1);
    while (!thread->has_turn)
        pthread_cond_wait(&thread->wake, &bulk->lock);
}

static void take_turn(struct bulk_thread *thread)
{
    if (thread->bulk->turns == thread->bulk->running) {
        wait_for_turn(thread);
    } else {
        thread->bulk->turns++;
        thread->has_turn = true;
    }
}

/* To the thread that has waited longest. Returns false if none waits. */
static bool pass_turn(struct bulk *bulk)
{
    struct bulk_thread *next = bulk->turn_first;

    if (!next)
        return false;
    bulk->turn_first = next->next;
    if (!bulk->turn_first)
        kymo_store_relaxed32(&bulk->waiting, bulk->waiting - 1);
    next->has_turn = true;
    pthread_cond_signal(&next->wake);
    return true;
}

void bulk_pause(struct bulk_job *job)
{
    struct bulk_thread *thread = job->thread;
    struct bulk *bulk = thread->bulk;

    if (kymo_load_relaxed32(&bulk->waiting) == 0 || kymo_clock_now(KYMO_MONOTONIC) < job->slice_end)
        return;
    pthread_mutex_lock(&bulk->lock);
    if (pass_turn(bulk))
        wait_for_turn(thread);
    pthread_mutex_unlock(&bulk->lock);
    job->slice_end = kymo_clock_now(KYMO_MONOTONIC) + BULK_SLICE;
}

/* ---- admission, under the lock ---- */

static bool may_start(const struct bulk *bulk, uint32_t uid)
{
    unsigned int own = 0, all = 0;

    for (int i = 0; i < BULK_THREADS; i++) {
        const struct bulk_thread *thread = &bulk->threads[i];

        all += thread->job != NULL;
        own += thread->job && thread->uid == uid;
    }
    return own < BULK_THREADS - all;
}

static void assign(struct bulk_thread *thread, struct bulk_job *job)
{
    thread->job = job;
    thread->uid = job->uid;
    job->thread = thread;
}

/* The oldest job of a user that may start one; NULL: there is none. */
static struct bulk_job *take_pending(struct bulk *bulk)
{
    struct bulk_job **place = &bulk->pending;
    struct bulk_job *job;

    while (*place && !may_start(bulk, (*place)->uid))
        place = &(*place)->next;
    job = *place;
    if (!job)
        return NULL;
    *place = job->next;
    if (!*place)
        bulk->pending_last = place;
    return job;
}

/* Sets thread->job. Returns false if the thread has to end. */
static bool wait_for_job(struct bulk_thread *thread)
{
    struct bulk *bulk = thread->bulk;
    struct bulk_job *pending = take_pending(bulk);
    const uint64_t end = kymo_clock_now(KYMO_MONOTONIC) + BULK_IDLE;
    const struct timespec until = {(time_t)(end / SECOND), (long)(end % SECOND)};
    int error = 0;

    if (pending)
        assign(thread, pending);
    while (!thread->job && !bulk->closing && !error)
        error = pthread_cond_clockwait(&thread->wake, &bulk->lock, CLOCK_MONOTONIC, &until);
    return thread->job;
}

static void *run(void *context)
{
    struct bulk_thread *thread = context;
    struct bulk *bulk = thread->bulk;
    bool last;

    pthread_mutex_lock(&bulk->lock);
    while (thread->job || wait_for_job(thread)) {
        take_turn(thread);
        pthread_mutex_unlock(&bulk->lock);
        thread->job->slice_end = kymo_clock_now(KYMO_MONOTONIC) + BULK_SLICE;
        thread->job->run(thread->job);
        pthread_mutex_lock(&bulk->lock);
        if (!pass_turn(bulk))
            bulk->turns--;
        thread->job = NULL;
    }
    thread->exists = false;
    last = --bulk->thread_count == 0;
    if (last)
        pthread_cond_signal(&bulk->ended);
    pthread_mutex_unlock(&bulk->lock);
    if (last)
        malloc_trim(0);
    return NULL;
}

/* By an idle thread, or a new one. -EAGAIN: it can't be started. */
static int start(struct bulk *bulk, struct bulk_job *job)
{
    struct bulk_thread *unused = NULL;
    int error;

    for (int i = BULK_THREADS - 1; i >= 0; i--) {
        struct bulk_thread *thread = &bulk->threads[i];

        if (thread->exists && !thread->job) {
            assign(thread, job);
            pthread_cond_signal(&thread->wake);
            return 0;
        }
        if (!thread->exists)
            unused = thread;
    }
    assign(unused, job);
    error = thread_start(NULL, run, unused);
    if (error) {
        unused->job = NULL;
    } else {
        unused->exists = true;
        bulk->thread_count++;
    }
    return error;
}

int bulk_submit(struct bulk *bulk, struct bulk_job *job)
{
    int error = -EAGAIN;

    pthread_mutex_lock(&bulk->lock);
    job->next = NULL;
    if (may_start(bulk, job->uid))
        error = start(bulk, job);
    /* The next thread that ends a job takes it. */
    if (error && bulk->thread_count > 0) {
        *bulk->pending_last = job;
        bulk->pending_last = &job->next;
        error = 0;
    }
    pthread_mutex_unlock(&bulk->lock);
    return error;
}

/* ---- open and close ---- */

int bulk_open(struct bulk **out, unsigned int running)
{
    struct bulk *bulk = calloc(1, sizeof(*bulk));

    *out = bulk;
    if (!bulk)
        return -ENOMEM;
    if (running == 0)
        running = thread_processors() - 1;
    bulk->running = running > 0 ? running : 1;
    bulk->pending_last = &bulk->pending;
    pthread_mutex_init(&bulk->lock, NULL);
    pthread_cond_init(&bulk->ended, NULL);
    for (int i = 0; i < BULK_THREADS; i++) {
        bulk->threads[i].bulk = bulk;
        pthread_cond_init(&bulk->threads[i].wake, NULL);
    }
    return 0;
}

void bulk_close(struct bulk *bulk)
{
    if (!bulk)
        return;
    pthread_mutex_lock(&bulk->lock);
    bulk->closing = true;
    for (int i = 0; i < BULK_THREADS; i++)
        pthread_cond_signal(&bulk->threads[i].wake);
    while (bulk->thread_count > 0)
        pthread_cond_wait(&bulk->ended, &bulk->lock);
    pthread_mutex_unlock(&bulk->lock);
    pthread_mutex_destroy(&bulk->lock);
    free(bulk);
}
