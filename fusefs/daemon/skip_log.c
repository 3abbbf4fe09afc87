/*
 * skip_log.c - the rate limit for messages about files that are not shown.
 */
#include "skip_log.h"

#include <limits.h>
#include <pthread.h>
#include <stdint.h>

#include <kymo/kymo.h>

#include "base/log.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void (*on_suppressed)(void);
static uint64_t period_end; /* CLOCK_MONOTONIC ns */
static uint64_t lines;      /* in this period, printed or not */

void skip_log_open(void (*suppressed)(void))
{
    on_suppressed = suppressed;
}

/* Under the lock. */
static void end_period(void)
{
    if (lines > SKIP_LOG_LINES)
        log_line(LOG_LINE_INFO, NULL, "%llu more files are not segments",
                 (unsigned long long)(lines - SKIP_LOG_LINES));
    lines = 0;
}

void skip_log_report(void)
{
    pthread_mutex_lock(&lock);
    end_period();
    pthread_mutex_unlock(&lock);
}

/* A file name may contain line breaks and escape sequences. */
static void print(const char *name, const char *reason)
{
    char printable[NAME_MAX + 1] = {0};

    for (size_t i = 0; name[i] && i < NAME_MAX; i++)
        printable[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
    log_line(LOG_LINE_INFO, printable, "skipped: %s", reason);
}

void skip_log_add(const char *name, const char *reason)
{
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);

    pthread_mutex_lock(&lock);
    if (now >= period_end) {
        end_period();
        period_end = now + SKIP_LOG_PERIOD * UINT64_C(1000000000);
    }
    if (++lines <= SKIP_LOG_LINES)
        print(name, reason);
    else if (on_suppressed)
        on_suppressed();
    pthread_mutex_unlock(&lock);
}
