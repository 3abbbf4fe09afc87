/*
 * deferred.c - one-shot timers that signal the main thread.
 */
#include "deferred.h"

#include <errno.h>
#include <stddef.h>

#include <kymo/kymo.h>

int deferred_open(struct deferred *deferred)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = DEFERRED_SIGNAL,
                             .sigev_value.sival_ptr = deferred};

    return timer_create(CLOCK_MONOTONIC, &event, &deferred->timer) == 0 ? 0 : -errno;
}

void deferred_request(struct deferred *deferred)
{
    const struct itimerspec once = {.it_value = {.tv_sec = deferred->delay}};

    if (kymo_compare_exchange_ordered32(&deferred->pending, 0, 1))
        timer_settime(deferred->timer, 0, &once, NULL);
}

void deferred_run(const siginfo_t *info)
{
    struct deferred *deferred = info->si_value.sival_ptr;

    if (info->si_code != SI_TIMER)
        return;
    /* Before the work, which may be requested again during it. */
    kymo_store_release32(&deferred->pending, 0);
    deferred->run(deferred->context);
}
