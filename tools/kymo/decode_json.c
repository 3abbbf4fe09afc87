/*
 * decode_json.c - decodes a line of JSON into a record.
 */
#include "decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/* Integers with up to this number of digits fit json_int_t, an int64_t. */
#define LONG_DIGITS 18

/* Decodes one value of a field. */
static int decode_value(const struct kymo_field *field, uint32_t index, void *payload,
                        const json_t *value, struct problem *problem)
{
    switch (json_typeof(value)) {
    case JSON_INTEGER:
        return encode_signed(field, index, payload, json_integer_value(value), problem);
    case JSON_REAL:
        return encode_real(field, index, payload, json_real_value(value), problem);
    case JSON_TRUE:
    case JSON_FALSE:
        return encode_bool(field, index, payload, json_is_true(value), problem);
    case JSON_NULL:
        return encode_null(field, index, payload, problem);
    case JSON_STRING:
        if (field->type == KYMO_CHAR)
            return encode_chars(field, index, payload, json_string_value(value),
                                json_string_length(value), problem);
        return encode_digits(field, index, payload, json_string_value(value), problem);
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    return problem_set(problem, "%s: must be a single %s", field->name,
                       kymo_type_text(field->type));
}

/* Decodes an array nested like the shape, from `dimension` inwards; *index: next value. */
static int decode_nested(const struct kymo_field *field, uint32_t dimension, uint32_t *index,
                         void *payload, const json_t *value, struct problem *problem)
{
    size_t i;
    json_t *item;
    int error;

    if (dimension == encode_nesting(field))
        return decode_value(field, (*index)++, payload, value, problem);
    if (!json_is_array(value) || json_array_size(value) != field->shape[dimension])
        return problem_set(problem, "%s: must be an array of %u", field->name,
                           field->shape[dimension]);
    json_array_foreach(value, i, item)
    {
        error = decode_nested(field, dimension + 1, index, payload, item, problem);
        if (error)
            return error;
    }
    return 0;
}

/* Decodes the values of one field from a flat array, from item `first`. */
static int decode_flat(const struct kymo_field *field, const json_t *array, size_t first,
                       void *payload, struct problem *problem)
{
    int error = 0;

    for (uint32_t i = 0; i < encode_values(field) && error == 0; i++)
        error = decode_value(field, i, payload, json_array_get(array, first + i), problem);
    return error;
}

/* Decodes a field, nested like its shape or flat. */
static int decode_field(const struct kymo_field *field, const json_t *value, void *payload,
                        struct problem *problem)
{
    uint32_t index = 0;

    if (encode_values(field) == 1 && !json_is_array(value))
        return decode_value(field, 0, payload, value, problem);
    if (encode_nesting(field) && json_array_size(value) == encode_values(field) &&
        !json_is_array(json_array_get(value, 0)))
        return decode_flat(field, value, 0, payload, problem);
    return decode_nested(field, 0, &index, payload, value, problem);
}

static int decode_object(const struct kymo_schema *schema, json_t *object, void *payload,
                         struct problem *problem)
{
    const char *key;
    json_t *value;
    int error;

    for (uint32_t i = 0; i < schema->count; i++) {
        value = json_object_get(object, schema->fields[i].name);
        if (!value)
            return problem_set(problem, "missing field %s", schema->fields[i].name);
        error = decode_field(&schema->fields[i], value, payload, problem);
        if (error)
            return error;
    }
    if (json_object_size(object) == schema->count)
        return 0;
    json_object_foreach(object, key, value)
    {
        if (!kymo_schema_find(schema, key))
            return problem_set(problem, "no field %.64s", key);
    }
    return problem_set(problem, "too many fields");
}

static int decode_array(const struct kymo_schema *schema, const json_t *array, void *payload,
                        struct problem *problem)
{
    size_t values = 0, first = 0;
    int error = 0;

    for (uint32_t i = 0; i < schema->count; i++)
        values += encode_values(&schema->fields[i]);
    if (json_array_size(array) != schema->count && json_array_size(array) != values)
        return problem_set(problem, "an array of %zu: must be %u fields or %zu values",
                           json_array_size(array), schema->count, values);
    for (uint32_t i = 0; i < schema->count && error == 0; i++) {
        const struct kymo_field *field = &schema->fields[i];

        error = json_array_size(array) == schema->count
                    ? decode_field(field, json_array_get(array, i), payload, problem)
                    : decode_flat(field, array, first, payload, problem);
        first += encode_values(field);
    }
    return error;
}

/* Decodes a number beside the data of a record as kymo prints it; 0 if absent. */
static int decode_number(json_t *record, const char *key, bool *found, uint64_t *number,
                         struct problem *problem)
{
    static const struct kymo_field field = {.type = KYMO_U64, .count = 1};
    struct kymo_field named = field;
    json_t *value = json_object_get(record, key);

    *number = 0;
    if (found)
        *found = value != NULL;
    if (!value)
        return 0;
    strcpy(named.name, key);
    return decode_value(&named, 0, number, value, problem);
}

static int decode_record(const struct kymo_schema *schema, json_t *record, struct draft *draft,
                         struct problem *problem)
{
    int error = decode_number(record, "time", &draft->has_time, &draft->time, problem);

    if (error == 0)
        error = decode_number(record, "tag", NULL, &draft->tag, problem);
    if (error)
        return error;
    return decode_object(schema, json_object_get(record, "data"), draft->payload, problem);
}

static int decode_line(const struct kymo_schema *schema, json_t *value, struct draft *draft,
                       struct problem *problem)
{
    if (json_is_object(value) && json_is_object(json_object_get(value, "data")) &&
        !kymo_schema_find(schema, "data"))
        return decode_record(schema, value, draft, problem);
    if (json_is_object(value))
        return decode_object(schema, value, draft->payload, problem);
    if (json_is_array(value))
        return decode_array(schema, value, draft->payload, problem);
    if (schema->count == 1 && encode_values(&schema->fields[0]) == 1)
        return decode_value(&schema->fields[0], 0, draft->payload, value, problem);
    return problem_set(problem, "must be an object or an array");
}

/*
 * Puts long integers into quotes, since jansson rejects integers above int64_t; encode_digits parses
 * them exactly. NULL: out of memory.
 */
static char *quote_integers(const char *line, size_t len, size_t *quoted_len)
{
    char *quoted = malloc(3 * len + 1);
    bool in_string = false;
    size_t out = 0;

    if (!quoted)
        return NULL;
    for (size_t i = 0; i < len;) {
        size_t digits = 0, minus = line[i] == '-';

        while (!in_string && i + minus + digits < len && line[i + minus + digits] >= '0' &&
               line[i + minus + digits] <= '9')
            digits++;
        if (digits) {
            /* The whole number token: 1.5e300 is not an integer. */
            size_t end = i + minus + digits;
            bool integer = end == len || !strchr(".eE", line[end]);

            while (!integer && end < len && strchr("+-.eE0123456789", line[end]))
                end++;
            if (integer && digits > LONG_DIGITS)
                quoted[out++] = '"';
            memcpy(quoted + out, line + i, end - i);
            out += end - i;
            if (integer && digits > LONG_DIGITS)
                quoted[out++] = '"';
            i = end;
            continue;
        }
        if (in_string && line[i] == '\\' && i + 1 < len)
            quoted[out++] = line[i++];
        else if (line[i] == '"')
            in_string = !in_string;
        quoted[out++] = line[i++];
    }
    *quoted_len = out;
    return quoted;
}

static json_t *json_parse(const char *line, size_t len, json_error_t *error)
{
    const size_t flags = JSON_DECODE_ANY | JSON_REJECT_DUPLICATES;
    json_t *value = json_loadb(line, len, flags, error);
    char *quoted;

    if (value || json_error_code(error) != json_error_numeric_overflow)
        return value;
    quoted = quote_integers(line, len, &len);
    if (!quoted)
        return NULL;
    value = json_loadb(quoted, len, flags, error);
    free(quoted);
    return value;
}

int decode_json(const struct kymo_schema *schema, const char *line, size_t len, struct draft *draft,
                struct problem *problem)
{
    json_error_t error;
    json_t *value = json_parse(line, len, &error);
    int result;

    if (!value)
        return problem_set(problem, "invalid JSON: %s (column %d)", error.text, error.column);
    result = decode_line(schema, value, draft, problem);
    json_decref(value);
    return result;
}
