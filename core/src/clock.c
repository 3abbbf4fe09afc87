/*
 * clock.c - the clocks of segments, and the names of the enumerations.
 */
#include "internal.h"

#include <time.h>

/* In order of enum kymo_clock. */
static const struct {
    const char *name;
    clockid_t id;
} clocks[] = {
    {"monotonic", CLOCK_MONOTONIC}, {"realtime", CLOCK_REALTIME},
    {"boottime", CLOCK_BOOTTIME},   {"tai", CLOCK_TAI},
    {"user", CLOCK_MONOTONIC},
};

#define CLOCKS (sizeof(clocks) / sizeof(clocks[0]))

uint64_t kymo_clock_now(enum kymo_clock clock)
{
    struct timespec now;

    if ((unsigned int)clock >= KYMO_USER || clock_gettime(clocks[clock].id, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

const char *kymo_clock_text(enum kymo_clock clock)
{
    return (unsigned int)clock < CLOCKS ? clocks[clock].name : "unknown";
}

int kymo_clock_parse(const char *text, enum kymo_clock *clock)
{
    for (unsigned int i = 0; i < CLOCKS; i++) {
        if (strcmp(text, clocks[i].name) == 0) {
            *clock = (enum kymo_clock)i;
            return 0;
        }
    }
    return -EINVAL;
}

const char *kymo_kind_text(enum kymo_kind kind)
{
    static const char *const names[] = {"ring", "value", "queue"};

    return (unsigned int)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "unknown";
}
