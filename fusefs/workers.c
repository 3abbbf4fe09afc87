/*
 * workers.c - leaders, who receive, and followers, who rest.
 *
 * There is one leader as long as he keeps up. A leader who finds a request waiting each time he has
 * answered one asks a follower to join him; one who finds none, and is not the last, follows.
 */
#include "workers.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <kymo/kymo.h>

#include "pace.h"

/* Requests that waited in a row, until a leader wants company. */
#define STREAK 8

struct workers {
    struct service service;
    uint64_t poll; /* ns */
    pthread_mutex_t lock;
    pthread_cond_t vacancy;
    /* Under the lock: */
    int leaders;
    int places; /* for leaders: 1, or more under load */
    int count;  /* of all */
    bool stop;
    pthread_t threads[WORKERS_LIMIT];
};

/* The worker whose thread this is, while he leads. */
static __thread struct workers *leading;

/* ---- who leads ---- */

/* Returns false when the work is over. */
static bool follow(struct workers *workers)
{
    bool stop;

    pthread_mutex_lock(&workers->lock);
    while (!workers->stop && workers->leaders >= workers->places)
        pthread_cond_wait(&workers->vacancy, &workers->lock);
    workers->leaders++;
    stop = workers->stop;
    pthread_mutex_unlock(&workers->lock);
    leading = workers;
    return !stop;
}

void workers_step_aside(void)
{
    struct workers *workers = leading;

    if (!workers)
        return;
    leading = NULL;
    pthread_mutex_lock(&workers->lock);
    workers->leaders--;
    pthread_cond_signal(&workers->vacancy);
    pthread_mutex_unlock(&workers->lock);
}

/* Whoever follows now, or next. */
static void call_another(struct workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    if (workers->leaders < workers->count && workers->places <= workers->leaders) {
        workers->places = workers->leaders + 1;
        pthread_cond_signal(&workers->vacancy);
    }
    pthread_mutex_unlock(&workers->lock);
}

/* There is nothing to do for so many. Returns whether the caller has to go. */
static bool retire(struct workers *workers)
{
    bool goes;

    pthread_mutex_lock(&workers->lock);
    goes = workers->leaders > 1 && !workers->stop;
    if (goes) {
        workers->leaders--;
        workers->places = workers->leaders;
        leading = NULL;
    }
    pthread_mutex_unlock(&workers->lock);
    return goes;
}

/* ---- waiting for a request ---- */

static bool is_ready(const struct workers *workers)
{
    struct pollfd file = {.fd = workers->service.descriptor, .events = POLLIN};

    return poll(&file, 1, 0) != 0;
}

/* Returns whether a request came in time. */
static bool poll_for(const struct workers *workers, uint64_t ns)
{
    const uint64_t until = kymo_clock_now(KYMO_MONOTONIC) + ns;

    while (kymo_clock_now(KYMO_MONOTONIC) < until) {
        if (is_ready(workers))
            return true;
    }
    return false;
}

/* Awake at first, if that is promising; then asleep, unless others receive. Returns false when the
 * caller has to go, or the work is over. */
static enum service_outcome await(struct workers *workers, struct pace *pace)
{
    const uint64_t begin = kymo_clock_now(KYMO_MONOTONIC);
    const bool awake = workers->poll > 0 && pace_is_awake(pace);
    enum service_outcome outcome;

    if (!(awake && poll_for(workers, workers->poll)) && retire(workers))
        return SERVICE_IDLE;
    outcome = workers->service.receive(workers->service.context);
    if (outcome == SERVICE_RECEIVED)
        pace_learn(pace, awake, kymo_clock_now(KYMO_MONOTONIC) - begin);
    return outcome;
}

/* Serves as long as he leads. Returns false when the work is over. */
static bool lead(struct workers *workers)
{
    const struct service *service = &workers->service;
    enum service_outcome outcome = SERVICE_IDLE;
    static __thread struct pace pace = PACE_NEW;
    unsigned int streak = 0;

    while (leading && outcome != SERVICE_ENDED) {
        if (is_ready(workers)) {
            if (++streak % STREAK == 0)
                call_another(workers);
            outcome = service->receive(service->context);
        } else {
            streak = 0;
            outcome = await(workers, &pace);
        }
        if (outcome == SERVICE_RECEIVED)
            service->answer(service->context);
    }
    return outcome != SERVICE_ENDED;
}

static void *work(void *argument)
{
    struct workers *workers = argument;

    while (follow(workers) && lead(workers))
        ;
    workers->service.end(workers->service.context);
    return NULL;
}

/* ---- start and stop ---- */

static int count_processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

unsigned int workers_poll_default(void)
{
    return count_processors() > 1 ? 50 : 0;
}

int workers_default(void)
{
    const int processors = count_processors();

    return processors < WORKERS_LIMIT - 1 ? processors + 1 : WORKERS_LIMIT;
}

int workers_start(struct workers **out, const struct service *service, int count, unsigned int poll)
{
    struct workers *workers = calloc(1, sizeof(*workers));
    int error = 0;

    *out = NULL;
    if (!workers)
        return -ENOMEM;
    workers->service = *service;
    workers->poll = count_processors() > 1 ? poll * UINT64_C(1000) : 0;
    workers->places = 1;
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->vacancy, NULL);
    pthread_mutex_lock(&workers->lock);
    while (workers->count < count && workers->count < WORKERS_LIMIT && !error) {
        error = pthread_create(&workers->threads[workers->count], NULL, work, workers);
        workers->count += error == 0;
    }
    pthread_mutex_unlock(&workers->lock);
    *out = workers;
    return workers->count > 0 ? 0 : -error;
}

/* A worker that is about to receive misses the signal: it is sent until the worker has gone. By no
 * deadline, for those that a join takes are on a clock that may be set back meanwhile. */
static void join_worker(pthread_t worker)
{
    while (pthread_tryjoin_np(worker, NULL) == EBUSY) {
        pthread_kill(worker, SIGUSR1);
        usleep(1000);
    }
}

void workers_stop(struct workers *workers)
{
    if (!workers)
        return;
    pthread_mutex_lock(&workers->lock);
    workers->stop = true;
    pthread_cond_broadcast(&workers->vacancy);
    pthread_mutex_unlock(&workers->lock);
    for (int i = 0; i < workers->count; i++)
        join_worker(workers->threads[i]);
    pthread_cond_destroy(&workers->vacancy);
    pthread_mutex_destroy(&workers->lock);
    free(workers);
}
