/*
 * json.h - parses one line of JSON (RFC 8259) into an array of values that refer to its text: numbers
 * keep all their digits. NaN, Infinity and -Infinity are numbers, as Python writes them.
 */
#ifndef KYMO_TOOLS_JSON_H
#define KYMO_TOOLS_JSON_H

#include <stddef.h>

#include "problem.h"

enum json_type {
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL
};

/*
 * The contents of an array follow it: the first item is the next value, and `next` of an item is the
 * index of the item after it. An object is an array of keys and values in turn.
 */
struct json_value {
    enum json_type type;
    size_t count;     /* items of an array, members of an object */
    size_t next;      /* index of the value after this one and its contents */
    const char *text; /* of a number or string, unescaped; not terminated */
    size_t len;       /* bytes of text */
};

/* Initialise with {0}. */
struct json {
    struct json_value *values; /* values[0] is the whole line */
    size_t count;
    size_t capacity;
    char *strings; /* unescaped strings */
    size_t strings_size;
    size_t strings_used;
};

/* The values refer to `line` and are valid until the next call. 0; -EINVAL with the problem; -ENOMEM. */
int json_parse(struct json *json, const char *line, size_t len, struct problem *problem);

void json_free(struct json *json);

#endif
