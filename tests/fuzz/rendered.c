/*
 * rendered.c - compares rendered text with the bytes that it was rendered from.
 */
#include "rendered.h"

#include "exposition.h"
#include "test.h"
#include "unit/json.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What stands for an infinity in the text that jansson parses: it rejects numbers beyond double. */
#define RENDERED_INFINITY 1e301

/* Replaces each infinity outside of strings, 1e999, by RENDERED_INFINITY. */
static void rendered_without_infinities(char *json)
{
    int in_string = 0;

    for (; *json; json++) {
        if (*json == '"')
            in_string = !in_string;
        else if (in_string && *json == '\\')
            json++;
        else if (!in_string && strncmp(json, "1e999", 5) == 0)
            memcpy(json, "1e301", 5);
    }
}

/* Integers as double, for jansson has none beyond int64_t: the digits are checked one by one below.
 */
static json_t *rendered_json(const struct kymo_text *text)
{
    json_error_t error;
    json_t *value;
    char *copy;

    cr_assert_eq(text->error, 0);
    cr_assert(json_is_valid(text->data, text->len), "%s", text->data);
    copy = strdup(text->data);
    cr_assert_not_null(copy);
    rendered_without_infinities(copy);
    value = json_loads(copy, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
    cr_assert_not_null(value, "%s: %s", error.text, text->data);
    free(copy);
    return value;
}

/* The digits of one element read back as the same bytes. */
static void rendered_digits(const struct kymo_field *field, uint32_t element,
                            const unsigned char *payload, size_t len)
{
    const uint32_t size = kymo_type_size(field->type);
    const uint64_t begin = field->offset + (uint64_t)element * size;
    struct kymo_text text = {0};
    uint64_t bits = 0;
    char *end;

    kymo_text_element(&text, field, element, payload, len);
    if (begin + size > len || isnan(kymo_element_value(field, element, payload, len))) {
        cr_assert_str_eq(text.data, "null");
    } else if (field->type == KYMO_BOOL) {
        cr_assert_str_eq(text.data, payload[begin] ? "true" : "false");
    } else {
        if (field->type == KYMO_F32)
            memcpy(&bits, &(float){strtof(text.data, &end)}, 4);
        else if (field->type == KYMO_F64)
            memcpy(&bits, &(double){strtod(text.data, &end)}, 8);
        else if (text.data[0] == '-')
            bits = (uint64_t)strtoll(text.data, &end, 10);
        else
            bits = strtoull(text.data, &end, 10);
        cr_assert_eq(*end, '\0', "%s", text.data);
        cr_assert_eq(memcmp(&bits, payload + begin, size), 0, "%s", text.data);
    }
    kymo_text_free(&text);
}

static void rendered_element(const struct kymo_field *field, uint32_t element,
                             const unsigned char *payload, size_t len, const json_t *value)
{
    const double number = kymo_element_value(field, element, payload, len);

    if (field->offset + (uint64_t)(element + 1) * kymo_type_size(field->type) > len)
        cr_assert(json_is_null(value));
    else if (field->type == KYMO_BOOL)
        cr_assert_eq(json_is_true(value), number != 0);
    else if (isfinite(number) && field->type == KYMO_F32)
        cr_assert_eq((double)(float)json_real_value(value), number);
    else if (isnan(number))
        cr_assert(json_is_null(value));
    else
        cr_assert_eq(json_real_value(value),
                     isinf(number) ? copysign(RENDERED_INFINITY, number) : number);
    rendered_digits(field, element, payload, len);
}

/* Arrays nest by the shape, from `dimension` on. */
static void rendered_nested(const struct kymo_field *field, uint32_t dimension, uint32_t *element,
                            const unsigned char *payload, size_t len, const json_t *value)
{
    const uint32_t text = field->type == KYMO_CHAR;

    if (dimension + text >= field->dimensions && text) {
        cr_assert(json_is_string(value) || json_is_null(value));
        return;
    }
    if (dimension == field->dimensions) {
        rendered_element(field, (*element)++, payload, len, value);
        return;
    }
    cr_assert_eq(json_array_size(value), field->shape[dimension]);
    for (uint32_t i = 0; i < field->shape[dimension]; i++)
        rendered_nested(field, dimension + 1, element, payload, len, json_array_get(value, i));
}

static void rendered_data(const struct kymo_schema *schema, const json_t *data,
                          const unsigned char *payload, size_t len)
{
    if (schema->count == 0) {
        /* Pixels, or bytes. */
        if (schema->size > 0)
            cr_assert(json_is_null(data));
        else
            cr_assert_eq(json_string_length(data), 2 * len);
        return;
    }
    cr_assert_eq(json_object_size(data), schema->count);
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct kymo_field *field = &schema->fields[i];
        const json_t *value = json_object_get(data, field->name);
        uint32_t element = 0;

        /* A field beyond the end of the record is one null, for any shape. */
        if (field->offset + (uint64_t)kymo_type_size(field->type) > len)
            cr_assert(json_is_null(value));
        else
            rendered_nested(field, 0, &element, payload, len, value);
    }
}

void rendered_record(const struct kymo_schema *schema, enum kymo_clock clock,
                     const struct kymo_record *record, const unsigned char *payload)
{
    struct kymo_text text = {0};
    json_t *value;

    kymo_text_record(&text, schema, clock, record, payload);
    value = rendered_json(&text);
    cr_assert_eq(json_real_value(json_object_get(value, "pos")), (double)record->pos);
    cr_assert_eq(json_real_value(json_object_get(value, "time")), (double)record->time);
    cr_assert_eq(json_real_value(json_object_get(value, "tag")), (double)record->tag);
    rendered_data(schema, json_object_get(value, "data"), payload, record->len);
    json_decref(value);
    kymo_text_free(&text);
}

void rendered_bracket(const struct kymo_schema *schema, enum kymo_clock clock, uint64_t time,
                      const struct kymo_bracket *bracket, const unsigned char *before,
                      const unsigned char *after)
{
    struct kymo_text text = {0};

    kymo_text_bracket(&text, schema, clock, time, bracket, before, after);
    json_decref(rendered_json(&text));
    kymo_text_free(&text);
}

/* Counts the cells of the line, and checks its end. */
static size_t rendered_cells(const struct kymo_text *text)
{
    const char *at = text->data;
    size_t cells = 1;

    cr_assert_eq(text->error, 0);
    for (; *at != '\n'; at++) {
        cr_assert_neq(*at, '\0', "a line without a line end");
        cells += *at == ',';
        if (*at != '"')
            continue;
        cr_assert(at == text->data || at[-1] == ',', "a quote within a cell");
        for (at++; *at != '"' || at[1] == '"'; at++) {
            cr_assert_neq(*at, '\0', "a quoted cell without a closing quote");
            at += *at == '"';
        }
        cr_assert(at[1] == ',' || at[1] == '\n', "text after a quoted cell");
    }
    cr_assert_eq((size_t)(at + 1 - text->data), text->len, "text after the line");
    return cells;
}

void rendered_csv(const struct kymo_schema *schema, const struct kymo_record *record,
                  const unsigned char *payload)
{
    struct kymo_text header = {0};
    struct kymo_text line = {0};

    kymo_text_csv_header(&header, schema);
    kymo_text_csv(&line, schema, record, payload);
    cr_assert_eq(rendered_cells(&header), rendered_cells(&line));
    kymo_text_free(&header);
    kymo_text_free(&line);
}

void rendered_schema(const struct kymo_schema *schema)
{
    struct kymo_text text = {0};
    json_t *value;

    kymo_text_schema(&text, schema);
    value = rendered_json(&text);
    cr_assert_eq(json_array_size(json_object_get(value, "fields")), schema->count);
    cr_assert_eq(json_real_value(json_object_get(value, "size")), (double)schema->size);
    json_decref(value);
    kymo_text_free(&text);
}

void rendered_info(const struct kymo_reader *reader)
{
    struct kymo_text text = {0};
    const char *at;

    if (kymo_text_info(&text, reader) == 0) {
        for (at = text.data; *at;) {
            cr_assert_neq(strcspn(at, ":\n"), strcspn(at, "\n"), "%s", at);
            while (*at != '\n') {
                cr_assert((unsigned char)*at >= 0x20 && *at != 0x7f, "%s", text.data);
                cr_assert(json_utf8(&at), "%s", text.data);
            }
            at++;
        }
    }
    kymo_text_free(&text);
}

void rendered_metrics(const struct kymo_reader *reader)
{
    static struct kymo_metrics *metrics;
    struct kymo_text text = {0};
    const char *fault;
    size_t samples;
    int count;

    if (!metrics)
        cr_assert_eq(kymo_metrics_open(&metrics), 0);
    kymo_metrics_clear(metrics);
    count = kymo_metrics_add(metrics, reader);
    cr_assert_eq(kymo_metrics_write(metrics, &text), 0);
    fault = exposition_check(text.data ? text.data : "", text.len, &samples);
    cr_assert_null((const void *)fault, "%s:\n%s", fault, text.data);
    cr_assert_eq(samples, (size_t)(count > 0 ? count : 0));
    kymo_text_free(&text);
}
