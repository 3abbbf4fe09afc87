/*
 * query.h - the questions that a file's name can ask: closest?t=-2s&max=10ms.
 *
 * A name is looked up before it is opened, and may be opened again later; so it is read twice, once
 * to see that it is well-formed, and at open, when "now" is that moment. `now`: ns on `clock`.
 */
#ifndef KYMOFS_QUERY_H
#define KYMOFS_QUERY_H

#include <kymo/kymo.h>

struct query_closest {
    uint64_t time;         /* ns on the segment's clock */
    uint64_t max_distance; /* ns */
};

/* Reads "t=TIME[&max=DUR]". -EINVAL, -ERANGE: as kymo_time_parse. */
int query_closest_parse(const char *text, enum kymo_clock clock, uint64_t now,
                        struct query_closest *query);

#endif
