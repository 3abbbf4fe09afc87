/*
 * text_record.c - records and schemas as JSON and CSV.
 *
 * A payload is bytes: it may have any address, end before its schema does, and contain any bit
 * pattern. Elements are therefore copied, and bools read as bytes. The schema has passed
 * kymo_schema_check.
 */
#include <math.h>

#include "text_internal.h"

/* The source of a record's data: a payload, or an interpolation of two. */
struct source {
    const unsigned char *payload;
    size_t len;
    const unsigned char *after; /* NULL: no interpolation */
    size_t after_len;
    double alpha; /* how far towards after */
};

/* ---- one element ---- */

/* Copies the element; -1 if the payload ends before its end. */
static int element_load(const struct kymo_field *field, uint32_t element,
                        const unsigned char *payload, size_t len, void *value)
{
    const uint32_t size = kymo_type_size(field->type);
    const uint64_t begin = field->offset + (uint64_t)element * size;

    if (element >= field->count || size == 0 || begin + size > len)
        return -1;
    memcpy(value, payload + begin, size);
    return 0;
}

/* The bytes of an element, as each of its types. */
union element {
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    float f32;
    double f64;
};

static double element_number(uint32_t type, const union element *value)
{
    switch (type) {
    case KYMO_U8:
        return value->u8;
    case KYMO_U16:
        return value->u16;
    case KYMO_U32:
        return value->u32;
    case KYMO_U64:
        return (double)value->u64;
    case KYMO_I8:
        return value->i8;
    case KYMO_I16:
        return value->i16;
    case KYMO_I32:
        return value->i32;
    case KYMO_I64:
        return (double)value->i64;
    case KYMO_F32:
        return (double)value->f32;
    case KYMO_F64:
        return value->f64;
    case KYMO_BOOL:
        return value->u8 != 0;
    default:
        return NAN;
    }
}

double kymo_element_value(const struct kymo_field *field, uint32_t element, const void *payload,
                          size_t len)
{
    union element value;

    if (element_load(field, element, payload, len, &value))
        return NAN;
    return element_number(field->type, &value);
}

static void text_number(struct kymo_text *text, uint32_t type, const union element *value)
{
    switch (type) {
    case KYMO_U8:
        kymo_text_u64(text, value->u8);
        break;
    case KYMO_U16:
        kymo_text_u64(text, value->u16);
        break;
    case KYMO_U32:
        kymo_text_u64(text, value->u32);
        break;
    case KYMO_U64:
        kymo_text_u64(text, value->u64);
        break;
    case KYMO_I8:
        kymo_text_i64(text, value->i8);
        break;
    case KYMO_I16:
        kymo_text_i64(text, value->i16);
        break;
    case KYMO_I32:
        kymo_text_i64(text, value->i32);
        break;
    case KYMO_I64:
        kymo_text_i64(text, value->i64);
        break;
    case KYMO_F32:
        kymo_text_f32(text, value->f32);
        break;
    case KYMO_F64:
        kymo_text_f64(text, value->f64);
        break;
    default:
        kymo_text_string(text, value->u8 ? "true" : "false");
        break;
    }
}

static void text_plain_element(struct kymo_text *text, const struct kymo_field *field,
                               uint32_t element, const struct source *source)
{
    union element value;

    if (element_load(field, element, source->payload, source->len, &value))
        kymo_text_string(text, "null");
    else
        text_number(text, field->type, &value);
}

/* Between finite values the result is between them; the difference of two values of opposite signs
 * may overflow. */
static double interpolate(double before, double after, double alpha)
{
    if (before == after)
        return before;
    if ((before < 0) != (after < 0))
        return (1 - alpha) * before + alpha * after;
    return before + alpha * (after - before);
}

/* A turn in the field's unit. */
static double turn_of(const struct kymo_field *field)
{
    return strncmp(field->unit, "deg", sizeof(field->unit)) == 0 ? 360 : 6.283185307179586;
}

/* The same direction in [-turn/2, turn/2]; NaN beyond 10^15 turns, where doubles no longer tell
 * directions apart. */
static double wrap_angle(double angle, double turn)
{
    const double turns = angle / turn;

    if (!(turns > -1e15 && turns < 1e15))
        return NAN;
    angle -= (double)(int64_t)turns * turn;
    if (angle > turn / 2)
        return angle - turn;
    return angle < -turn / 2 ? angle + turn : angle;
}

/* On the shorter arc. The result is in [0, turn) if both ends are, else in [-turn/2, turn/2]. */
static double interpolate_angle(double before, double after, double alpha, double turn)
{
    const double value = wrap_angle(before + alpha * wrap_angle(after - before, turn), turn);

    if (before < 0 || after < 0 || before >= turn || after >= turn)
        return value;
    return value < 0 ? value + turn : value;
}

static void text_mixed_element(struct kymo_text *text, const struct kymo_field *field,
                               uint32_t element, const struct source *source)
{
    double before = kymo_element_value(field, element, source->payload, source->len);
    double after = kymo_element_value(field, element, source->after, source->after_len);
    double value = field->interp == KYMO_INTERP_ANGLE
                       ? interpolate_angle(before, after, source->alpha, turn_of(field))
                       : interpolate(before, after, source->alpha);

    if (field->type == KYMO_F32)
        kymo_text_f32(text, (float)value);
    else
        kymo_text_f64(text, value);
}

static int is_interpolated(const struct kymo_field *field)
{
    return field->type != KYMO_BOOL && field->interp != KYMO_INTERP_PREVIOUS;
}

/* One number or bool, as JSON. At alpha 0 the value is exactly the published one. */
static void text_element(struct kymo_text *text, const struct kymo_field *field, uint32_t element,
                         const struct source *source)
{
    if (source->after && source->alpha != 0 && field->interp == KYMO_INTERP_NONE)
        kymo_text_string(text, "null");
    else if (source->after && source->alpha != 0 && is_interpolated(field))
        text_mixed_element(text, field, element, source);
    else
        text_plain_element(text, field, element, source);
}

/* ---- char fields: the innermost dimension is a string ---- */

static uint32_t string_size(const struct kymo_field *field)
{
    return field->dimensions > 0 ? field->shape[field->dimensions - 1] : 1;
}

/* The number of values of a field in a record: elements, or strings. */
static uint32_t value_count(const struct kymo_field *field)
{
    return field->type == KYMO_CHAR ? field->count / string_size(field) : field->count;
}

/* The string up to its first zero, or to the end of the payload; NULL if the payload ends before
 * it. */
static const char *string_find(const struct kymo_field *field, uint32_t string,
                               const struct source *source, size_t *len)
{
    const uint64_t begin = field->offset + (uint64_t)string * string_size(field);
    size_t room = string_size(field);

    if (string >= value_count(field) || begin >= source->len)
        return NULL;
    if (room > source->len - begin)
        room = source->len - (size_t)begin;
    *len = strnlen((const char *)source->payload + begin, room);
    return (const char *)source->payload + begin;
}

/* ---- JSON ---- */

static void text_value(struct kymo_text *text, const struct kymo_field *field, uint32_t value,
                       const struct source *source)
{
    const char *string;
    size_t len;

    if (field->type != KYMO_CHAR) {
        text_element(text, field, value, source);
        return;
    }
    string = string_find(field, value, source, &len);
    if (string)
        kymo_text_quoted(text, string, len);
    else
        kymo_text_string(text, "null");
}

/* The number of nested brackets of a field: a string needs none. */
static uint32_t nesting(const struct kymo_field *field)
{
    const uint32_t inside = field->type == KYMO_CHAR;

    return field->dimensions > inside ? field->dimensions - inside : 0;
}

/* The values of one dimension and of those inside it, from number *value on. */
static void text_nested(struct kymo_text *text, const struct kymo_field *field, uint32_t dimension,
                        uint32_t *value, const struct source *source)
{
    if (dimension == nesting(field) || dimension == KYMO_DIMENSIONS) {
        text_value(text, field, (*value)++, source);
        return;
    }
    kymo_text_append(text, "[", 1);
    for (uint32_t i = 0; i < field->shape[dimension] && !text->error; i++) {
        if (i > 0)
            kymo_text_append(text, ",", 1);
        text_nested(text, field, dimension + 1, value, source);
    }
    kymo_text_append(text, "]", 1);
}

static void text_field(struct kymo_text *text, const struct kymo_field *field,
                       const struct source *source)
{
    uint32_t value = 0;

    if ((uint64_t)field->offset + kymo_type_size(field->type) > source->len)
        kymo_text_string(text, "null");
    else
        text_nested(text, field, 0, &value, source);
}

static void text_name(struct kymo_text *text, const struct kymo_field *field)
{
    kymo_text_append(text, field->name, strnlen(field->name, sizeof(field->name)));
}

/* Pixels have no text form. */
static int is_pixels(const struct kymo_schema *schema)
{
    return schema && schema->count == 0 && schema->size > 0;
}

static void text_data(struct kymo_text *text, const struct kymo_schema *schema,
                      const struct source *source)
{
    if (is_pixels(schema)) {
        kymo_text_string(text, "null");
        return;
    }
    if (!schema || schema->count == 0) {
        kymo_text_append(text, "\"", 1);
        kymo_text_hex(text, source->payload, source->len);
        kymo_text_append(text, "\"", 1);
        return;
    }
    for (uint32_t i = 0; i < schema->count; i++) {
        kymo_text_string(text, i == 0 ? "{\"" : ",\"");
        text_name(text, &schema->fields[i]);
        kymo_text_append(text, "\":", 2);
        text_field(text, &schema->fields[i], source);
    }
    kymo_text_append(text, "}", 1);
}

static void text_time(struct kymo_text *text, enum kymo_clock clock, uint64_t time)
{
    kymo_text_string(text, "\"time\":");
    kymo_text_u64(text, time);
    if (clock != KYMO_REALTIME)
        return;
    kymo_text_string(text, ",\"when\":\"");
    kymo_text_when(text, time);
    kymo_text_append(text, "\"", 1);
}

void kymo_text_record(struct kymo_text *text, const struct kymo_schema *schema,
                      enum kymo_clock clock, const struct kymo_record *record, const void *payload)
{
    const struct source source = {.payload = payload, .len = record->len};

    kymo_text_string(text, "{\"pos\":");
    kymo_text_u64(text, record->pos);
    kymo_text_append(text, ",", 1);
    text_time(text, clock, record->time);
    kymo_text_string(text, ",\"tag\":");
    kymo_text_u64(text, record->tag);
    kymo_text_string(text, ",\"data\":");
    text_data(text, schema, &source);
    kymo_text_append(text, "}", 1);
}

void kymo_text_bracket(struct kymo_text *text, const struct kymo_schema *schema,
                       enum kymo_clock clock, uint64_t time, const struct kymo_bracket *bracket,
                       const void *before, const void *after)
{
    const struct source source = {before, bracket->before.len, after, bracket->after.len,
                                  bracket->alpha};

    kymo_text_append(text, "{", 1);
    text_time(text, clock, time);
    kymo_text_string(text, ",\"alpha\":");
    kymo_text_f64(text, bracket->alpha);
    kymo_text_string(text, ",\"data\":");
    text_data(text, schema, &source);
    kymo_text_string(text, ",\"before\":");
    kymo_text_record(text, schema, clock, &bracket->before, before);
    kymo_text_string(text, ",\"after\":");
    kymo_text_record(text, schema, clock, &bracket->after, after);
    kymo_text_append(text, "}", 1);
}

void kymo_text_element(struct kymo_text *text, const struct kymo_field *field, uint32_t element,
                       const void *payload, size_t len)
{
    const struct source source = {.payload = payload, .len = len};
    const char *string;
    size_t string_len;

    if (field->type != KYMO_CHAR) {
        text_element(text, field, element, &source);
    } else if (field->dimensions > 1) {
        text_field(text, field, &source);
    } else {
        string = string_find(field, 0, &source, &string_len);
        if (string)
            kymo_text_escaped(text, string, string_len);
        else
            kymo_text_string(text, "null");
    }
}

/* ---- CSV: a column for each value ---- */

void kymo_text_csv_header(struct kymo_text *text, const struct kymo_schema *schema)
{
    kymo_text_string(text, "pos,time,tag");
    if (!schema || schema->count == 0)
        kymo_text_string(text, ",data");
    for (uint32_t i = 0; schema && i < schema->count; i++) {
        const struct kymo_field *field = &schema->fields[i];
        const int numbered = nesting(field) > 0;

        for (uint32_t value = 0; value < value_count(field) && !text->error; value++) {
            kymo_text_append(text, ",", 1);
            text_name(text, field);
            if (numbered) {
                kymo_text_append(text, ".", 1);
                kymo_text_u64(text, value);
            }
        }
    }
    kymo_text_append(text, "\n", 1);
}

static int needs_quotes(const char *string, size_t len)
{
    return memchr(string, ',', len) || memchr(string, '"', len) || memchr(string, '\n', len) ||
           memchr(string, '\r', len);
}

/* RFC 4180: quotes around a cell with a separator, and each quote inside doubled. */
static void text_csv_string(struct kymo_text *text, const char *string, size_t len)
{
    const char *quote;

    if (!needs_quotes(string, len)) {
        kymo_text_repaired(text, string, len);
        return;
    }
    kymo_text_append(text, "\"", 1);
    for (; (quote = memchr(string, '"', len)); string = quote + 1) {
        kymo_text_repaired(text, string, (size_t)(quote - string));
        kymo_text_append(text, "\"\"", 2);
        len -= (size_t)(quote - string) + 1;
    }
    kymo_text_repaired(text, string, len);
    kymo_text_append(text, "\"", 1);
}

/* A number or bool; an empty cell if the payload ends before it. */
static void text_csv_number(struct kymo_text *text, const struct kymo_field *field, uint32_t value,
                            const struct source *source)
{
    union element loaded;
    double number;

    if (element_load(field, value, source->payload, source->len, &loaded))
        return;
    number = element_number(field->type, &loaded);
    if (isnan(number))
        kymo_text_string(text, "nan");
    else if (isinf(number))
        kymo_text_string(text, number < 0 ? "-inf" : "inf");
    else
        text_number(text, field->type, &loaded);
}

/* One cell. */
static void text_csv_value(struct kymo_text *text, const struct kymo_field *field, uint32_t value,
                           const struct source *source)
{
    const char *string;
    size_t len;

    if (field->type != KYMO_CHAR) {
        text_csv_number(text, field, value, source);
        return;
    }
    string = string_find(field, value, source, &len);
    if (string)
        text_csv_string(text, string, len);
}

void kymo_text_csv(struct kymo_text *text, const struct kymo_schema *schema,
                   const struct kymo_record *record, const void *payload)
{
    const struct source source = {.payload = payload, .len = record->len};

    kymo_text_u64(text, record->pos);
    kymo_text_append(text, ",", 1);
    kymo_text_u64(text, record->time);
    kymo_text_append(text, ",", 1);
    kymo_text_u64(text, record->tag);
    if (!schema || schema->count == 0) {
        kymo_text_append(text, ",", 1);
        if (!is_pixels(schema))
            kymo_text_hex(text, payload, record->len);
    }
    for (uint32_t i = 0; schema && i < schema->count; i++) {
        for (uint32_t value = 0; value < value_count(&schema->fields[i]) && !text->error; value++) {
            kymo_text_append(text, ",", 1);
            text_csv_value(text, &schema->fields[i], value, &source);
        }
    }
    kymo_text_append(text, "\n", 1);
}

/* ---- schemas ---- */

static void text_quoted_member(struct kymo_text *text, const char *key, const char *value,
                               size_t size)
{
    kymo_text_printf(text, "\"%s\":", key);
    kymo_text_quoted(text, value, strnlen(value, size));
}

static void text_schema_field(struct kymo_text *text, const struct kymo_field *field)
{
    kymo_text_append(text, "{", 1);
    text_quoted_member(text, "name", field->name, sizeof(field->name));
    kymo_text_printf(text, ",\"type\":\"%s\",\"shape\":[", kymo_type_text(field->type));
    for (uint32_t i = 0; i < field->dimensions; i++)
        kymo_text_printf(text, "%s%u", i ? "," : "", field->shape[i]);
    kymo_text_printf(text, "],\"offset\":%u,", field->offset);
    text_quoted_member(text, "unit", field->unit, sizeof(field->unit));
    kymo_text_printf(text, ",\"metric\":\"%s\",\"interp\":\"%s\",",
                     field->metric == KYMO_COUNTER ? "counter" : "gauge",
                     kymo_interp_text(field->interp));
    text_quoted_member(text, "help", field->help, sizeof(field->help));
    kymo_text_append(text, "}", 1);
}

void kymo_text_schema(struct kymo_text *text, const struct kymo_schema *schema)
{
    kymo_text_printf(text, "{\"size\":%u,\"fields\":[", schema ? schema->size : 0);
    for (uint32_t i = 0; schema && i < schema->count; i++) {
        if (i > 0)
            kymo_text_append(text, ",", 1);
        text_schema_field(text, &schema->fields[i]);
    }
    kymo_text_string(text, "]}");
}
