/*
 * workers.c - leaders and followers.
 *
 * There is one leader as long as it keeps up. A leader that finds a request waiting each time it has
 * processed one calls for another leader. A leader that finds none, and is not the last, becomes a
 * follower.
 */
#include "workers.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include <kymo/kymo.h>

#include "base/thread.h"
#include "poll_policy.h"

/* Requests without a wait between them, upon which another leader is called. */
#define BACKLOG 8

struct worker {
    struct workers *workers;
    pthread_t thread;
    struct poll_policy policy;
    void *buffer;
};

struct workers {
    struct service service;
    uint64_t poll; /* ns */
    pthread_mutex_t lock;
    pthread_cond_t promoted;
    /* Under the lock: */
    int leaders;
    int wanted; /* leaders: 1, or more under load */
    int count;  /* of all */
    bool stop;
    struct worker worker[WORKERS_LIMIT];
};

/* ---- leading ---- */

/* Returns false if the worker has to end. */
static bool become_leader(struct workers *workers)
{
    bool stop;

    pthread_mutex_lock(&workers->lock);
    while (!workers->stop && workers->leaders >= workers->wanted)
        pthread_cond_wait(&workers->promoted, &workers->lock);
    workers->leaders++;
    stop = workers->stop;
    pthread_mutex_unlock(&workers->lock);
    return !stop;
}

static void promote_follower(struct workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    if (workers->leaders < workers->count && workers->wanted <= workers->leaders) {
        workers->wanted = workers->leaders + 1;
        pthread_cond_signal(&workers->promoted);
    }
    pthread_mutex_unlock(&workers->lock);
}

/* Makes the caller a follower unless it is the last leader. */
static bool become_follower(struct workers *workers)
{
    bool follows;

    pthread_mutex_lock(&workers->lock);
    follows = workers->leaders > 1 && !workers->stop;
    if (follows)
        workers->wanted = --workers->leaders;
    pthread_mutex_unlock(&workers->lock);
    return follows;
}

/* ---- receiving ---- */

static bool is_readable(const struct workers *workers)
{
    struct pollfd file = {.fd = workers->service.descriptor, .events = POLLIN};

    return poll(&file, 1, 0) != 0;
}

static bool becomes_readable(const struct workers *workers)
{
    const uint64_t end = kymo_clock_now(KYMO_MONOTONIC) + workers->poll;

    while (kymo_clock_now(KYMO_MONOTONIC) < end) {
        if (is_readable(workers))
            return true;
    }
    return false;
}

/* Polls if the policy says so, then sleeps. *leads: false if the worker has become a follower. */
static enum receive_result wait_for_request(struct worker *worker, bool *leads)
{
    struct workers *workers = worker->workers;
    const uint64_t begin = kymo_clock_now(KYMO_MONOTONIC);
    const bool polls = workers->poll > 0 && poll_policy_polls(&worker->policy);
    enum receive_result result;

    if (!(polls && becomes_readable(workers)) && become_follower(workers)) {
        *leads = false;
        return RECEIVE_NONE;
    }
    result = workers->service.receive(workers->service.context, worker->buffer);
    if (result == RECEIVE_REQUEST)
        poll_policy_update(&worker->policy, polls, kymo_clock_now(KYMO_MONOTONIC) - begin);
    return result;
}

/* Returns false if the worker has to end. */
static bool lead(struct worker *worker)
{
    const struct service *service = &worker->workers->service;
    enum receive_result result = RECEIVE_NONE;
    unsigned int backlog = 0;
    bool leads = true;

    while (leads && result != RECEIVE_END) {
        if (is_readable(worker->workers)) {
            if (++backlog % BACKLOG == 0)
                promote_follower(worker->workers);
            result = service->receive(service->context, worker->buffer);
        } else {
            backlog = 0;
            result = wait_for_request(worker, &leads);
        }
        if (result == RECEIVE_REQUEST)
            service->process(service->context, worker->buffer);
    }
    return result != RECEIVE_END;
}

static void *run(void *context)
{
    struct worker *worker = context;
    const struct service *service = &worker->workers->service;

    while (become_leader(worker->workers) && lead(worker))
        ;
    service->end(service->context, worker->buffer);
    return NULL;
}

/* ---- start and stop ---- */

unsigned int workers_default_poll(void)
{
    return thread_processors() > 1 ? 50 : 0;
}

int workers_default_count(void)
{
    const unsigned int processors = thread_processors();

    return processors < WORKERS_LIMIT - 1 ? (int)processors + 1 : WORKERS_LIMIT;
}

static int start(struct workers *workers)
{
    struct worker *worker = &workers->worker[workers->count];
    int error;

    worker->workers = workers;
    worker->policy = (struct poll_policy)POLL_POLICY_NEW;
    worker->buffer = calloc(1, workers->service.buffer_size);
    if (!worker->buffer)
        return -ENOMEM;
    error = -pthread_create(&worker->thread, NULL, run, worker);
    if (error)
        free(worker->buffer);
    else
        workers->count++;
    return error;
}

int workers_start(struct workers **out, const struct service *service, int count, unsigned int poll)
{
    struct workers *workers = calloc(1, sizeof(*workers));
    int error = 0;

    *out = NULL;
    if (!workers)
        return -ENOMEM;
    workers->service = *service;
    workers->poll = thread_processors() > 1 ? poll * UINT64_C(1000) : 0;
    workers->wanted = 1;
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->promoted, NULL);
    /* None receives before all have been started. */
    pthread_mutex_lock(&workers->lock);
    for (int i = 0; i < count && i < WORKERS_LIMIT && !error; i++)
        error = start(workers);
    workers->stop = error;
    pthread_mutex_unlock(&workers->lock);
    if (error)
        workers_stop(workers);
    else
        *out = workers;
    return error;
}

/* A worker that is about to receive misses the signal: so repeat it. A join with a timeout would use
 * CLOCK_REALTIME, which may be set. */
static void join(struct worker *worker)
{
    while (pthread_tryjoin_np(worker->thread, NULL) == EBUSY) {
        pthread_kill(worker->thread, SIGUSR1);
        usleep(1000);
    }
    free(worker->buffer);
}

void workers_stop(struct workers *workers)
{
    if (!workers)
        return;
    pthread_mutex_lock(&workers->lock);
    workers->stop = true;
    pthread_cond_broadcast(&workers->promoted);
    pthread_mutex_unlock(&workers->lock);
    for (int i = 0; i < workers->count; i++)
        join(&workers->worker[i]);
    pthread_cond_destroy(&workers->promoted);
    pthread_mutex_destroy(&workers->lock);
    free(workers);
}
