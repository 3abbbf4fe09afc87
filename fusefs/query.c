/*
 * query.c - "key=value&key=value", where each key may stand once.
 */
#include "query.h"

#include <stdlib.h>

struct argument {
    const char *key;
    char *value; /* NULL where the key was not given */
};

static struct argument *argument_find(struct argument *arguments, const char *key, size_t len)
{
    for (; arguments->key; arguments++) {
        if (strlen(arguments->key) == len && memcmp(arguments->key, key, len) == 0)
            return arguments;
    }
    return NULL;
}

/* Splits text, in place, among the arguments, the last of which has no key. -EINVAL: a key that is
 * not among them, or twice, or without a value. */
static int arguments_split(char *text, struct argument *arguments)
{
    char *rest = text;
    char *pair;

    while ((pair = strsep(&rest, "&"))) {
        char *equals = strchr(pair, '=');
        struct argument *argument =
            equals ? argument_find(arguments, pair, (size_t)(equals - pair)) : NULL;

        if (!argument || argument->value || !equals[1])
            return -EINVAL;
        argument->value = equals + 1;
    }
    return 0;
}

int query_closest_parse(const char *text, enum kymo_clock clock, uint64_t now,
                        struct query_closest *query)
{
    struct argument arguments[] = {{"t", NULL}, {"max", NULL}, {NULL, NULL}};
    char *copy = strdup(text);
    int error = copy ? arguments_split(copy, arguments) : -ENOMEM;

    if (!error && !arguments[0].value)
        error = -EINVAL;
    if (!error)
        error = kymo_time_parse(arguments[0].value, clock, now, &query->time);
    query->max_distance = KYMO_ANY_DISTANCE;
    if (!error && arguments[1].value)
        error = kymo_duration_parse(arguments[1].value, &query->max_distance);
    free(copy);
    return error;
}
