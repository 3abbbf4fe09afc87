/*
 * decode_json.c - decodes a line of JSON into a record.
 */
#include "decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "suggest.h"

struct json_decoder {
    const struct kymo_schema *schema;
    const struct time_format *format;
    size_t values; /* of all fields */
    bool *seen;    /* fields of the current object */
    struct json json;
    struct draft *draft;
    struct problem *problem;
};

/* The keys of a record beside its fields. */
enum beside { BESIDE_POS, BESIDE_TIME, BESIDE_TAG, BESIDE_DATA, BESIDE_NONE };

int json_begin(struct json_decoder **decoder, const struct kymo_schema *schema,
               const struct time_format *format)
{
    *decoder = calloc(1, sizeof(**decoder));
    if (!*decoder)
        return -ENOMEM;
    (*decoder)->schema = schema;
    (*decoder)->format = format;
    for (uint32_t i = 0; i < schema->count; i++)
        (*decoder)->values += encode_values(&schema->fields[i]);
    (*decoder)->seen = calloc(schema->count + 1, sizeof(bool));
    if ((*decoder)->seen)
        return 0;
    json_end(*decoder);
    return -ENOMEM;
}

void json_end(struct json_decoder *decoder)
{
    if (!decoder)
        return;
    json_free(&decoder->json);
    free(decoder->seen);
    free(decoder);
}

static const struct json_value *value_at(const struct json_decoder *decoder, size_t at)
{
    return &decoder->json.values[at];
}

static bool is_key(const struct json_value *key, const char *name)
{
    return strncmp(name, key->text, key->len) == 0 && name[key->len] == '\0';
}

static int shown(size_t len)
{
    return len < 64 ? (int)len : 64;
}

/* ---- values ---- */

static int decode_string(struct json_decoder *decoder, const struct kymo_field *field,
                         uint32_t index, const struct json_value *value)
{
    if (field == decoder->format->field)
        return decode_time_field(decoder->format, value->text, value->len, decoder->draft,
                                 decoder->problem);
    return encode_text(field, index, decoder->draft->payload, value->text, value->len,
                       decoder->problem);
}

/* Decodes one value of a field. */
static int decode_value(struct json_decoder *decoder, const struct kymo_field *field,
                        uint32_t index, size_t at)
{
    const struct json_value *value = value_at(decoder, at);
    void *payload = decoder->draft->payload;

    switch (value->type) {
    case JSON_NUMBER:
        if (field == decoder->format->field)
            return decode_time_field(decoder->format, value->text, value->len, decoder->draft,
                                     decoder->problem);
        return encode_number(field, index, payload, value->text, value->len, decoder->problem);
    case JSON_STRING:
        return decode_string(decoder, field, index, value);
    case JSON_TRUE:
    case JSON_FALSE:
        return encode_bool(field, index, payload, value->type == JSON_TRUE, decoder->problem);
    case JSON_NULL:
        return encode_null(field, index, payload, decoder->problem);
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    return problem_set(decoder->problem, "%s: must be a single %s", field->name,
                       kymo_type_text(field->type));
}

/* Decodes an array nested like the shape, from `dimension` inwards; *index: next value. */
static int decode_nested(struct json_decoder *decoder, const struct kymo_field *field,
                         uint32_t dimension, uint32_t *index, size_t at)
{
    const struct json_value *value = value_at(decoder, at);
    int error = 0;

    if (dimension == encode_nesting(field))
        return decode_value(decoder, field, (*index)++, at);
    if (value->type != JSON_ARRAY || value->count != field->shape[dimension])
        return problem_set(decoder->problem, "%s: must be an array of %u", field->name,
                           field->shape[dimension]);
    at++;
    for (size_t i = value->count; i && error == 0; i--) {
        error = decode_nested(decoder, field, dimension + 1, index, at);
        at = value_at(decoder, at)->next;
    }
    return error;
}

/* Decodes the values of a field from a flat array; *at: the first of them, then the one after. */
static int decode_flat(struct json_decoder *decoder, const struct kymo_field *field, size_t *at)
{
    int error = 0;

    for (uint32_t i = 0; i < encode_values(field) && error == 0; i++) {
        error = decode_value(decoder, field, i, *at);
        *at = value_at(decoder, *at)->next;
    }
    return error;
}

/* Decodes a field, nested like its shape or flat. */
static int decode_field(struct json_decoder *decoder, const struct kymo_field *field, size_t at)
{
    const struct json_value *value = value_at(decoder, at);
    uint32_t index = 0;

    if (encode_values(field) == 1 && value->type != JSON_ARRAY)
        return decode_value(decoder, field, 0, at);
    if (encode_nesting(field) && value->type == JSON_ARRAY &&
        value->count == encode_values(field) && value_at(decoder, at + 1)->type != JSON_ARRAY) {
        at++;
        return decode_flat(decoder, field, &at);
    }
    return decode_nested(decoder, field, 0, &index, at);
}

/* ---- records ---- */

static enum beside beside_of(const struct json_value *key)
{
    static const char *const names[] = {"pos", "time", "tag", "data"};

    for (int i = 0; i < BESIDE_NONE; i++)
        if (is_key(key, names[i]))
            return (enum beside)i;
    return BESIDE_NONE;
}

/* Decodes pos, time or tag beside the fields. */
static int decode_beside(struct json_decoder *decoder, enum beside what,
                         const struct json_value *value)
{
    const char *name = what == BESIDE_TIME ? "time" : "tag";

    if (what == BESIDE_POS || (what == BESIDE_TIME && decoder->format->ignored))
        return 0;
    if (value->type != JSON_NUMBER && value->type != JSON_STRING)
        return problem_set(decoder->problem, "%s: must be a number", name);
    if (what == BESIDE_TAG)
        return encode_u64(name, value->text, value->len, &decoder->draft->tag, decoder->problem);
    return decode_time_beside(decoder->format, value->text, value->len, decoder->draft,
                              decoder->problem);
}

/* The index of the field with this name; the search begins at the expected one. */
static uint32_t find_field(const struct kymo_schema *schema, const struct json_value *key,
                           uint32_t expected)
{
    for (uint32_t i = 0; i < schema->count; i++) {
        const uint32_t field = (expected + i) % schema->count;

        if (is_key(key, schema->fields[field].name))
            return field;
    }
    return schema->count;
}

static int decode_member(struct json_decoder *decoder, uint32_t *field, size_t key_at)
{
    const struct kymo_schema *schema = decoder->schema;
    const struct json_value *key = value_at(decoder, key_at);
    enum beside what;

    *field = find_field(schema, key, *field);
    if (*field == schema->count) {
        what = beside_of(key);
        if (what < BESIDE_DATA)
            return decode_beside(decoder, what, value_at(decoder, key_at + 1));
        return problem_set(decoder->problem, "no field %.*s%s", shown(key->len), key->text,
                           suggest_field(schema, key->text, key->len));
    }
    if (decoder->seen[*field])
        return problem_set(decoder->problem, "duplicate field %s", schema->fields[*field].name);
    decoder->seen[*field] = true;
    return decode_field(decoder, &schema->fields[*field], key_at + 1);
}

static int decode_object(struct json_decoder *decoder, size_t at)
{
    const struct kymo_schema *schema = decoder->schema;
    size_t members = value_at(decoder, at)->count;
    uint32_t field = 0;
    int error;

    memset(decoder->seen, 0, schema->count * sizeof(bool));
    for (at++; members; members--) {
        error = decode_member(decoder, &field, at);
        if (error)
            return error;
        field++;
        at = value_at(decoder, at + 1)->next;
    }
    for (uint32_t i = 0; i < schema->count; i++)
        if (!decoder->seen[i])
            return problem_set(decoder->problem, "missing field %s", schema->fields[i].name);
    return 0;
}

static int decode_array(struct json_decoder *decoder, size_t at)
{
    const struct kymo_schema *schema = decoder->schema;
    const size_t count = value_at(decoder, at)->count;
    int error = 0;

    if (count != schema->count && count != decoder->values)
        return problem_set(decoder->problem, "an array of %zu: must be %u fields or %zu values",
                           count, schema->count, decoder->values);
    at++;
    for (uint32_t i = 0; i < schema->count && error == 0; i++) {
        if (count != schema->count) {
            error = decode_flat(decoder, &schema->fields[i], &at);
            continue;
        }
        error = decode_field(decoder, &schema->fields[i], at);
        at = value_at(decoder, at)->next;
    }
    return error;
}

/* The index of the object of fields in a record as kymo prints it; 0: it is not one. No field has an
 * object as its value, so that a field named data cannot be mistaken for it. */
static size_t find_data(const struct json_decoder *decoder)
{
    size_t at = 1;

    for (size_t members = value_at(decoder, 0)->count; members; members--) {
        if (is_key(value_at(decoder, at), "data") && value_at(decoder, at + 1)->type == JSON_OBJECT)
            return at + 1;
        at = value_at(decoder, at + 1)->next;
    }
    return 0;
}

static int decode_record(struct json_decoder *decoder, size_t data)
{
    bool seen[BESIDE_NONE] = {false};
    size_t at = 1;
    int error = 0;

    for (size_t members = value_at(decoder, 0)->count; members && error == 0; members--) {
        const enum beside what = beside_of(value_at(decoder, at));

        if (what != BESIDE_NONE && seen[what])
            return problem_set(decoder->problem, "duplicate key %.*s",
                               shown(value_at(decoder, at)->len), value_at(decoder, at)->text);
        if (what != BESIDE_NONE)
            seen[what] = true;
        if (what < BESIDE_DATA)
            error = decode_beside(decoder, what, value_at(decoder, at + 1));
        at = value_at(decoder, at + 1)->next;
    }
    return error ? error : decode_object(decoder, data);
}

int json_decode(struct json_decoder *decoder, const char *line, size_t len, struct draft *draft,
                struct problem *problem)
{
    const struct kymo_schema *schema = decoder->schema;
    int error = json_parse(&decoder->json, line, len, problem);
    size_t data;

    if (error)
        return error;
    decoder->draft = draft;
    decoder->problem = problem;
    if (value_at(decoder, 0)->type == JSON_OBJECT) {
        data = find_data(decoder);
        return data ? decode_record(decoder, data) : decode_object(decoder, 0);
    }
    if (value_at(decoder, 0)->type == JSON_ARRAY)
        return decode_array(decoder, 0);
    if (schema->count == 1 && encode_values(&schema->fields[0]) == 1)
        return decode_value(decoder, &schema->fields[0], 0, 0);
    return problem_set(problem, "must be an object or an array");
}
