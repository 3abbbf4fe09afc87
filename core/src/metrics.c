/*
 * metrics.c - segments as Prometheus text, grouped by name.
 *
 * Samples are rendered when they are added, each family as one stretch of a buffer; writing sorts
 * the families by name and puts those of one name under one header. Segments share a name only if
 * their names differ in punctuation alone.
 */
#include <kymo/metrics.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "metrics_names.h"
#include "text_internal.h"

/* The samples of one name that were added together: stretches of metrics->body. */
struct family {
    size_t name;   /* offset of its name, which ends with a zero byte */
    size_t header; /* its HELP and TYPE lines */
    size_t samples;
    size_t end;
    size_t order; /* order of addition: keeps the sort stable */
};

/* The families of every segment. */
enum common { WRITER_UP, RECORDS, AGE, COMMON };

struct kymo_metrics {
    struct kymo_text common[COMMON];
    struct kymo_text body;
    struct kymo_names names;
    struct family *families;
    size_t count;
    size_t capacity;
    unsigned char *values; /* of all fields that are metrics, each after the one before */
    size_t values_size;
    uint32_t found[KYMO_FIELD_LIMIT]; /* bytes of the record per field */
    int error;
};

static const struct {
    const char *name;
    const char *type;
    const char *help;
} commons[COMMON] = {
    {KYMO_WRITER_UP, "gauge", "Whether the segment's writer is alive."},
    {KYMO_RECORDS, "counter", "Records published so far."},
    {KYMO_AGE, "gauge", "Now minus the time of the newest record."},
};

int kymo_metrics_open(struct kymo_metrics **metrics)
{
    *metrics = calloc(1, sizeof(**metrics));
    return *metrics ? 0 : -ENOMEM;
}

void kymo_metrics_close(struct kymo_metrics *metrics)
{
    if (!metrics)
        return;
    for (int i = 0; i < COMMON; i++)
        kymo_text_free(&metrics->common[i]);
    kymo_text_free(&metrics->body);
    kymo_text_free(&metrics->names.text);
    free(metrics->families);
    free(metrics->values);
    free(metrics);
}

void kymo_metrics_clear(struct kymo_metrics *metrics)
{
    for (int i = 0; i < COMMON; i++)
        kymo_text_clear(&metrics->common[i]);
    kymo_text_clear(&metrics->body);
    metrics->count = 0;
    metrics->error = 0;
}

/* ---- families ---- */

static struct family *family_begin(struct kymo_metrics *metrics)
{
    struct family *family;

    if (metrics->count == metrics->capacity) {
        const size_t capacity = metrics->capacity ? metrics->capacity * 2 : 64;
        struct family *grown = realloc(metrics->families, capacity * sizeof(*grown));

        if (!grown) {
            metrics->error = -ENOMEM;
            return NULL;
        }
        metrics->families = grown;
        metrics->capacity = capacity;
    }
    family = &metrics->families[metrics->count];
    *family = (struct family){.name = metrics->body.len, .order = metrics->count};
    metrics->count++;
    return family;
}

static void append_help(struct kymo_text *body, const char *help)
{
    while (*help) {
        const size_t plain = strcspn(help, "\\\n");

        kymo_text_repaired(body, help, plain);
        help += plain;
        if (*help)
            kymo_text_string(body, *help++ == '\n' ? "\\n" : "\\\\");
    }
}

/* Appends a stretch of the buffer to itself, which may be reallocated. */
static void append_own(struct kymo_text *body, size_t from, size_t len)
{
    if (kymo_text_reserve(body, len) == 0)
        kymo_text_append(body, body->data + from, len);
}

static void append_header(struct kymo_text *body, const struct family *family,
                          const struct kymo_field *field, const char *segment)
{
    const size_t len = family->header - family->name - 1;

    kymo_text_string(body, "# HELP ");
    append_own(body, family->name, len);
    kymo_text_append(body, " ", 1);
    if (field->help[0]) {
        append_help(body, field->help);
    } else {
        kymo_text_string(body, "Field ");
        kymo_text_string(body, field->name);
        kymo_text_string(body, " of segment ");
        kymo_text_string(body, segment);
    }
    if (field->unit[0]) {
        kymo_text_string(body, " (");
        append_help(body, field->unit);
        kymo_text_append(body, ")", 1);
    }
    kymo_text_string(body, "\n# TYPE ");
    append_own(body, family->name, len);
    kymo_text_string(body, field->metric == KYMO_COUNTER ? " counter\n" : " gauge\n");
}

/* ---- samples ---- */

static void append_number(struct kymo_text *text, double value)
{
    if (isnan(value))
        kymo_text_string(text, "NaN");
    else if (isinf(value))
        kymo_text_string(text, value > 0 ? "+Inf" : "-Inf");
    else
        kymo_text_f64(text, value);
}

/* Integers exactly, bools as 0 and 1; f32 with the digits of f32. */
static void append_value(struct kymo_text *text, const struct kymo_field *field, uint32_t element,
                         const void *payload, size_t len)
{
    const double value = kymo_element_value(field, element, payload, len);

    if (field->type == KYMO_BOOL || !isfinite(value))
        append_number(text, value);
    else
        kymo_text_element(text, field, element, payload, len);
}

static void append_index(struct kymo_text *text, const struct kymo_field *field, uint32_t element)
{
    uint32_t below = field->count;

    kymo_text_string(text, ",index=\"");
    for (uint32_t i = 0; i < field->dimensions && i < KYMO_DIMENSIONS; i++) {
        below /= field->shape[i];
        if (i > 0)
            kymo_text_append(text, ".", 1);
        kymo_text_u64(text, element / below % field->shape[i]);
    }
    kymo_text_append(text, "\"", 1);
}

/* The name and the label at the start of all samples of a family. */
static size_t append_stem(struct kymo_text *body, const struct family *family, const char *segment)
{
    append_own(body, family->name, family->header - family->name - 1);
    kymo_text_string(body, "{segment=\"");
    kymo_text_string(body, segment);
    kymo_text_append(body, "\"", 1);
    return body->len - family->samples;
}

/* `values` contains the field alone. */
static int add_field(struct kymo_metrics *metrics, const struct kymo_info *info, uint32_t number,
                     const unsigned char *values)
{
    struct kymo_field alone = info->schema.fields[number];
    const struct kymo_field *field = &alone;
    const char *name = metrics->names.text.data + metrics->names.start[number];
    struct kymo_text *body = &metrics->body;
    struct family *family = family_begin(metrics);
    size_t stem;

    if (!family)
        return 0;
    alone.offset = 0;
    kymo_text_append(body, name, strlen(name) + 1);
    family->header = body->len;
    append_header(body, family, field, info->name);
    family->samples = body->len;
    stem = append_stem(body, family, info->name);
    for (uint32_t element = 0; element < field->count; element++) {
        if (element > 0)
            append_own(body, family->samples, stem);
        if (field->dimensions > 0)
            append_index(body, field, element);
        kymo_text_append(body, "} ", 2);
        append_value(body, field, element, values, metrics->found[number]);
        kymo_text_append(body, "\n", 1);
    }
    family->end = body->len;
    return (int)field->count;
}

static void add_common(struct kymo_metrics *metrics, enum common which, const char *segment)
{
    struct kymo_text *text = &metrics->common[which];

    kymo_text_string(text, commons[which].name);
    kymo_text_string(text, "{segment=\"");
    kymo_text_string(text, segment);
    kymo_text_string(text, "\"} ");
}

static void add_age(struct kymo_metrics *metrics, const struct kymo_info *info, uint64_t time)
{
    const uint64_t now = kymo_clock_now(info->clock);

    add_common(metrics, AGE, info->name);
    kymo_text_f64(&metrics->common[AGE], now > time ? (double)(now - time) / 1e9 : 0.0);
    kymo_text_append(&metrics->common[AGE], "\n", 1);
}

static int add_commons(struct kymo_metrics *metrics, const struct kymo_info *info, int liveness)
{
    const int up = liveness == KYMO_LIVE_ALIVE || liveness == KYMO_LIVE_STALLED;

    add_common(metrics, WRITER_UP, info->name);
    kymo_text_string(&metrics->common[WRITER_UP], up ? "1\n" : "0\n");
    add_common(metrics, RECORDS, info->name);
    kymo_text_u64(&metrics->common[RECORDS], info->head - info->first);
    kymo_text_append(&metrics->common[RECORDS], "\n", 1);
    return 2;
}

/* ---- the newest record ---- */

static size_t bytes_of(const struct kymo_field *field)
{
    return (size_t)field->count * kymo_type_size(field->type);
}

static int reserve_values(struct kymo_metrics *metrics, const struct kymo_schema *schema)
{
    unsigned char *grown;
    size_t size = 0;

    for (uint32_t i = 0; i < schema->count; i++) {
        if (kymo_field_is_metric(&schema->fields[i]))
            size += bytes_of(&schema->fields[i]);
    }
    if (size <= metrics->values_size)
        return 0;
    grown = realloc(metrics->values, size);
    if (!grown)
        return -ENOMEM;
    metrics->values = grown;
    metrics->values_size = size;
    return 0;
}

/* Copies only the fields that are metrics: a record may be many times as large. */
static void copy_values(struct kymo_metrics *metrics, const struct kymo_schema *schema,
                        const struct kymo_view *view)
{
    unsigned char *to = metrics->values;

    for (uint32_t i = 0; i < schema->count; i++) {
        const struct kymo_field *field = &schema->fields[i];
        const uint32_t len = view->record.len;
        size_t there = len > field->offset ? len - field->offset : 0;

        if (!kymo_field_is_metric(field))
            continue;
        if (there > bytes_of(field))
            there = bytes_of(field);
        if (there > 0)
            kymo_copy_out(to, (const unsigned char *)view->payload + field->offset, there);
        metrics->found[i] = (uint32_t)there;
        to += bytes_of(field);
    }
}

/* E (bounded retries): -EAGAIN if the writer is faster every time. */
static int read_values(struct kymo_metrics *metrics, const struct kymo_reader *reader,
                       const struct kymo_schema *schema, struct kymo_record *record)
{
    struct kymo_view view;
    int error = reserve_values(metrics, schema);

    if (error)
        return error;
    for (int tries = 0; tries < KYMO_RETRIES; tries++) {
        error = kymo_ring_view_latest(reader, &view);
        if (error)
            return error;
        copy_values(metrics, schema, &view);
        error = kymo_ring_validate(reader, &view);
        *record = view.record;
        if (error != -ESTALE)
            return error;
    }
    return -EAGAIN;
}

static int add_values(struct kymo_metrics *metrics, const struct kymo_info *info,
                      const struct kymo_schema *schema)
{
    const unsigned char *values = metrics->values;
    int count = 0;

    for (uint32_t i = 0; i < schema->count; i++) {
        if (!kymo_field_is_metric(&schema->fields[i]))
            continue;
        count += add_field(metrics, info, i, values);
        values += bytes_of(&schema->fields[i]);
    }
    return count;
}

/* Fields of published records; the pixels of an image are not fields. */
static int add_fields(struct kymo_metrics *metrics, const struct kymo_reader *reader,
                      const struct kymo_info *info)
{
    const struct kymo_schema none = {0};
    const struct kymo_schema *schema = info->geometry.format != 0 ? &none : &info->schema;
    struct kymo_record record;
    int count = 0;
    int error = read_values(metrics, reader, schema, &record);

    if (error)
        return error == -ENODATA || error == -EAGAIN ? 0 : error;
    error = kymo_names_make(&metrics->names, info->name, schema);
    if (error)
        return error;
    if (info->clock != KYMO_USER) {
        add_age(metrics, info, record.time);
        count++;
    }
    return count + add_values(metrics, info, schema);
}

int kymo_metrics_add(struct kymo_metrics *metrics, const struct kymo_reader *reader)
{
    struct kymo_info info;
    int liveness = kymo_segment_liveness(reader->segment, KYMO_FOREVER);
    int error = liveness < 0 ? liveness : kymo_segment_info(reader->segment, &info);
    int count;

    if (error)
        return error;
    count = add_fields(metrics, reader, &info);
    if (count < 0)
        return count;
    return count + add_commons(metrics, &info, liveness);
}

void kymo_metrics_sample(struct kymo_metrics *metrics, const char *name, enum kymo_metric metric,
                         const char *help, const char *label, double value)
{
    struct kymo_text *body = &metrics->body;
    const char *equals = label ? strchr(label, '=') : NULL;
    struct family *family = family_begin(metrics);

    if (!family)
        return;
    kymo_text_append(body, name, strlen(name) + 1);
    family->header = body->len;
    kymo_text_printf(body, "# HELP %s ", name);
    append_help(body, help);
    kymo_text_printf(body, "\n# TYPE %s %s\n", name, metric == KYMO_COUNTER ? "counter" : "gauge");
    family->samples = body->len;
    kymo_text_string(body, name);
    if (equals) {
        kymo_text_append(body, "{", 1);
        kymo_text_append(body, label, (size_t)(equals - label) + 1);
        kymo_text_quoted(body, equals + 1, strlen(equals + 1));
        kymo_text_append(body, "}", 1);
    }
    kymo_text_append(body, " ", 1);
    append_number(body, value);
    kymo_text_append(body, "\n", 1);
    family->end = body->len;
}

/* ---- writing ---- */

static int compare_families(const void *one, const void *other, void *body)
{
    const struct family *first = one;
    const struct family *second = other;
    const char *names = body;
    const int order = strcmp(names + first->name, names + second->name);

    return order ? order : (first->order > second->order) - (first->order < second->order);
}

static void write_commons(const struct kymo_metrics *metrics, struct kymo_text *text)
{
    for (int i = 0; i < COMMON; i++) {
        if (metrics->common[i].len == 0)
            continue;
        kymo_text_printf(text, "# HELP %s %s\n# TYPE %s %s\n", commons[i].name, commons[i].help,
                         commons[i].name, commons[i].type);
        kymo_text_append(text, metrics->common[i].data, metrics->common[i].len);
    }
}

int kymo_metrics_write(struct kymo_metrics *metrics, struct kymo_text *text)
{
    const char *body = metrics->body.data;

    for (int i = 0; i < COMMON && !metrics->error; i++)
        metrics->error = metrics->common[i].error;
    if (metrics->error || metrics->body.error)
        return -ENOMEM;
    write_commons(metrics, text);
    if (metrics->count > 0)
        qsort_r(metrics->families, metrics->count, sizeof(*metrics->families), compare_families,
                metrics->body.data);
    for (size_t i = 0; i < metrics->count; i++) {
        const struct family *family = &metrics->families[i];
        const int first =
            i == 0 || strcmp(body + family->name, body + metrics->families[i - 1].name) != 0;
        const size_t from = first ? family->header : family->samples;

        kymo_text_append(text, body + from, family->end - from);
    }
    return text->error;
}
