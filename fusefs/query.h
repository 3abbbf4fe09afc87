/*
 * query.h - the questions that a file's name can ask: closest?t=-2s&max=10ms, or closest/-2s.
 *
 * A name is looked up before it is opened, and may be opened again later; so it is read twice, once
 * to see that it is well-formed, and when its answer is made, when "now" is that moment. `now`: ns
 * on `clock`.
 */
#ifndef KYMOFS_QUERY_H
#define KYMOFS_QUERY_H

#include <stdbool.h>

#include <kymo/kymo.h>

enum query_kind { QUERY_CLOSEST, QUERY_INTERP, QUERY_FRESH, QUERY_RANGE };

struct query {
    uint64_t time;  /* closest, interp: ns on the segment's clock */
    uint64_t limit; /* closest: the farthest, fresh: the oldest that will do; ns */
    uint64_t from;  /* range: both ends belong to it */
    uint64_t to;
    bool csv; /* range: a table, else lines of JSON */
};

/* Reads what stands behind the question mark: closest "t=TIME[&max=DUR]", interp "t=TIME", fresh
 * "max_age=DUR", range "from=TIME&to=TIME[&format=csv|ndjson]", in any order.
 * -EINVAL; -ERANGE: as kymo_time_parse. */
int query_parse(enum query_kind kind, const char *text, enum kymo_clock clock, uint64_t now,
                struct query *query);

/* Reads what stands behind the slash: closest and interp "TIME", fresh "DUR", range "TIME..TIME".
 * Errors likewise. */
int query_parse_path(enum query_kind kind, const char *text, enum kymo_clock clock, uint64_t now,
                     struct query *query);

#endif
