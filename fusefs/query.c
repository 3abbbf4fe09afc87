/*
 * query.c - "key=value&key=value", where each key may stand once.
 */
#include "query.h"

#include <stdlib.h>

/* On which clock a question is asked, when, and what it says. */
struct asking {
    enum kymo_clock clock;
    uint64_t now;
    struct query *query;
};

static int take_time(const struct asking *asking, const char *value)
{
    return kymo_time_parse(value, asking->clock, asking->now, &asking->query->time);
}

static int take_limit(const struct asking *asking, const char *value)
{
    return kymo_duration_parse(value, &asking->query->limit);
}

static int take_from(const struct asking *asking, const char *value)
{
    return kymo_time_parse(value, asking->clock, asking->now, &asking->query->from);
}

static int take_to(const struct asking *asking, const char *value)
{
    return kymo_time_parse(value, asking->clock, asking->now, &asking->query->to);
}

static int take_format(const struct asking *asking, const char *value)
{
    asking->query->csv = strcmp(value, "csv") == 0;
    return asking->query->csv || strcmp(value, "ndjson") == 0 ? 0 : -EINVAL;
}

struct parameter {
    const char *key;
    int (*take)(const struct asking *asking, const char *value);
    bool wanted; /* the question means nothing without it */
};

#define PARAMETERS 4

static const struct parameter parameters[][PARAMETERS] = {
    [QUERY_CLOSEST] = {{"t", take_time, true}, {"max", take_limit, false}},
    [QUERY_INTERP] = {{"t", take_time, true}},
    [QUERY_FRESH] = {{"max_age", take_limit, true}},
    [QUERY_RANGE] = {{"from", take_from, true},
                     {"to", take_to, true},
                     {"format", take_format, false}},
};

/* The number of the parameter whose key is key[len]; PARAMETERS where there is none. */
static size_t parameter_find(const struct parameter *list, const char *key, size_t len)
{
    size_t i;

    for (i = 0; i < PARAMETERS && list[i].key; i++) {
        if (strlen(list[i].key) == len && memcmp(list[i].key, key, len) == 0)
            return i;
    }
    return PARAMETERS;
}

/* Takes all pairs of text, which it splits in place. -EINVAL: a key that is none of the list's, or
 * twice, or without a value, or missing. */
static int take_pairs(const struct asking *asking, const struct parameter *list, char *text)
{
    bool taken[PARAMETERS] = {false};
    char *pair;

    while ((pair = strsep(&text, "&"))) {
        const char *equals = strchr(pair, '=');
        const size_t i = equals ? parameter_find(list, pair, (size_t)(equals - pair)) : PARAMETERS;
        int error;

        if (i == PARAMETERS || taken[i] || !equals[1])
            return -EINVAL;
        taken[i] = true;
        error = list[i].take(asking, equals + 1);
        if (error)
            return error;
    }
    for (size_t i = 0; i < PARAMETERS; i++) {
        if (list[i].wanted && !taken[i])
            return -EINVAL;
    }
    return 0;
}

/* "TIME..TIME", split in place. A fraction has one point, so the first two are the border. */
static int take_ends(const struct asking *asking, char *text)
{
    char *border = strstr(text, "..");
    int error;

    if (!border)
        return -EINVAL;
    *border = '\0';
    error = take_from(asking, text);
    return error ? error : take_to(asking, border + 2);
}

static int take_path(const struct asking *asking, enum query_kind kind, char *text)
{
    return kind == QUERY_RANGE ? take_ends(asking, text) : parameters[kind][0].take(asking, text);
}

static int parse(enum query_kind kind, const char *text, const struct asking *asking, bool is_path)
{
    char *copy = strdup(text);
    int error;

    if (!copy)
        return -ENOMEM;
    *asking->query = (struct query){.limit = KYMO_ANY_DISTANCE};
    error = is_path ? take_path(asking, kind, copy) : take_pairs(asking, parameters[kind], copy);
    if (!error && asking->query->from > asking->query->to)
        error = -EINVAL;
    free(copy);
    return error;
}

int query_parse(enum query_kind kind, const char *text, enum kymo_clock clock, uint64_t now,
                struct query *query)
{
    return parse(kind, text, &(struct asking){clock, now, query}, false);
}

int query_parse_path(enum query_kind kind, const char *text, enum kymo_clock clock, uint64_t now,
                     struct query *query)
{
    return parse(kind, text, &(struct asking){clock, now, query}, true);
}
