/*
 * query.c - "key=value&key=value", each key at most once.
 */
#include "query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct context {
    enum kymo_clock clock;
    uint64_t now;
    struct query *query;
};

static int take_time(const struct context *context, const char *value)
{
    return kymo_time_parse(value, context->clock, context->now, &context->query->time);
}

static int take_limit(const struct context *context, const char *value)
{
    return kymo_duration_parse(value, &context->query->limit);
}

static int take_from(const struct context *context, const char *value)
{
    return kymo_time_parse(value, context->clock, context->now, &context->query->from);
}

static int take_to(const struct context *context, const char *value)
{
    return kymo_time_parse(value, context->clock, context->now, &context->query->to);
}

/* Decimal digits. */
static int take_tag(const struct context *context, const char *value)
{
    if (value[strspn(value, "0123456789")] || !value[0])
        return -EINVAL;
    errno = 0;
    context->query->tag = strtoull(value, NULL, 10);
    return -errno;
}

static int take_format(const struct context *context, const char *value)
{
    context->query->csv = strcmp(value, "csv") == 0;
    return context->query->csv || strcmp(value, "ndjson") == 0 ? 0 : -EINVAL;
}

struct parameter {
    const char *key;
    int (*take)(const struct context *context, const char *value);
    bool required;
};

#define PARAMETERS 4

static const struct parameter parameters[][PARAMETERS] = {
    [QUERY_CLOSEST] = {{"t", take_time, true}, {"max", take_limit, false}},
    [QUERY_INTERP] = {{"t", take_time, true}},
    [QUERY_FRESH] = {{"max_age", take_limit, true}},
    [QUERY_TAG] = {{"n", take_tag, true}},
    [QUERY_RANGE] = {{"from", take_from, true},
                     {"to", take_to, true},
                     {"format", take_format, false}},
};

/* The index of the parameter whose key is key[len]; PARAMETERS if there is none. */
static size_t parameter_find(const struct parameter *list, const char *key, size_t len)
{
    size_t i;

    for (i = 0; i < PARAMETERS && list[i].key; i++) {
        if (strlen(list[i].key) == len && memcmp(list[i].key, key, len) == 0)
            return i;
    }
    return PARAMETERS;
}

/* Splits the text in place. -EINVAL: an unknown, repeated or missing key, or a key without a value. */
static int take_pairs(const struct context *context, const struct parameter *list, char *text)
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
        error = list[i].take(context, equals + 1);
        if (error)
            return error;
    }
    for (size_t i = 0; i < PARAMETERS; i++) {
        if (list[i].required && !taken[i])
            return -EINVAL;
    }
    return 0;
}

/* "TIME..TIME", split in place at the first two points: a fraction has one. */
static int take_ends(const struct context *context, char *text)
{
    char *separator = strstr(text, "..");
    int error;

    if (!separator)
        return -EINVAL;
    *separator = '\0';
    error = take_from(context, text);
    return error ? error : take_to(context, separator + 2);
}

static int take_path(const struct context *context, enum query_kind kind, char *text)
{
    return kind == QUERY_RANGE ? take_ends(context, text) : parameters[kind][0].take(context, text);
}

static int parse(enum query_kind kind, const char *text, const struct context *context,
                 bool is_path)
{
    char *copy = strdup(text);
    int error;

    if (!copy)
        return -ENOMEM;
    *context->query = (struct query){.limit = KYMO_ANY_DISTANCE};
    error = is_path ? take_path(context, kind, copy) : take_pairs(context, parameters[kind], copy);
    if (!error && context->query->from > context->query->to)
        error = -EINVAL;
    free(copy);
    return error;
}

int query_parse(enum query_kind kind, const char *text, enum kymo_clock clock, uint64_t now,
                struct query *query)
{
    return parse(kind, text, &(struct context){clock, now, query}, false);
}

int query_parse_path(enum query_kind kind, const char *text, enum kymo_clock clock, uint64_t now,
                     struct query *query)
{
    return parse(kind, text, &(struct context){clock, now, query}, true);
}
