/*
 * query.h - the queries that a file name can be: closest?t=-2s&max=10ms, or closest/-2s.
 *
 * `now`: ns on `clock`, to which relative times refer.
 */
#ifndef KYMOFS_QUERY_H
#define KYMOFS_QUERY_H

#include <stdbool.h>

#include <kymo/kymo.h>

enum query_kind { QUERY_CLOSEST, QUERY_INTERP, QUERY_FRESH, QUERY_RANGE, QUERY_TAG };

struct query {
    uint64_t time;  /* closest, interp: ns on the segment's clock */
    uint64_t limit; /* closest: the largest distance; fresh: the largest age; ns */
    uint64_t from;  /* range: inclusive, both */
    uint64_t to;
    uint64_t tag;
    bool csv; /* range: CSV, else lines of JSON */
};

/* Parses what follows the question mark: closest "t=TIME[&max=DUR]", interp "t=TIME", fresh
 * "max_age=DUR", range "from=TIME&to=TIME[&format=csv|ndjson]", tag "n=N", in any order.
 * -EINVAL; -ERANGE: as kymo_time_parse(); -ENOMEM. */
int query_parse(enum query_kind kind, const char *text, enum kymo_clock clock, uint64_t now,
                struct query *query);

/* Parses what follows the slash: closest and interp "TIME", fresh "DUR", range "TIME..TIME", tag
 * "N". */
int query_parse_path(enum query_kind kind, const char *text, enum kymo_clock clock, uint64_t now,
                     struct query *query);

#endif
