/*
 * instant.h - one instant on every clock, as at/TIME spells it.
 */
#ifndef KYMOFS_INSTANT_H
#define KYMOFS_INSTANT_H

#include <kymo/kymo.h>

#define INSTANT_CLOCKS (KYMO_USER + 1)

struct instant {
    int error[INSTANT_CLOCKS];     /* 0, or why the text has no meaning on that clock */
    uint64_t time[INSTANT_CLOCKS]; /* ns on that clock */
};

/* The TIME of kymo/text.h; relative to now. -EINVAL: on no clock; -ERANGE. */
int instant_parse(const char *text, struct instant *instant);

#endif
