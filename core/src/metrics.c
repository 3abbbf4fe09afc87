/*
 * metrics.c - segments as Prometheus text, grouped by name.
 *
 * Each family of segments is one text, to which every segment appends its samples. Writing puts their
 * headers between them. The caller's samples form one more text, with headers.
 */
#include <kymo/metrics.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "text_internal.h"

/* The families of segments, in the order of the output. */
enum family {
    WRITER_STATE,
    AGE,
    OTHER_BOOT,
    RATE,
    RECORDS,
    REJECTED,
    CLAMPED,
    ABORTED,
    WAKES,
    ADOPTED,
    TAKEOVERS,
    FIELD_INFO,
    FIELD,
    FIELD_TOTAL,
    FAMILIES
};

struct kymo_metrics {
    struct kymo_text families[FAMILIES]; /* samples, without headers */
    struct kymo_text own;                /* the caller's, with headers */
    struct kymo_text own_name;           /* of the caller's newest sample */
    unsigned char *values; /* of all fields that are metrics, each after the one before */
    size_t values_size;
    uint32_t found[KYMO_FIELD_LIMIT]; /* bytes of the record per field */
};

static const struct {
    const char *name;
    const char *type;
    const char *help;
} families[FAMILIES] = {
    [WRITER_STATE] = {"kymo_writer_state", "gauge", "The state of the writer: one of them is 1."},
    [AGE] = {"kymo_age_seconds", "gauge", "Now minus the time of the newest record."},
    [OTHER_BOOT] = {"kymo_other_boot", "gauge",
                    "1: the times are of another boot, and have no age."},
    [RATE] = {"kymo_rate_hertz", "gauge", "Records per second in the history; 0 without a writer."},
    [RECORDS] = {"kymo_records_total", "counter", "Records published so far."},
    [REJECTED] = {"kymo_rejected_total", "counter", "Records rejected for their time."},
    [CLAMPED] = {"kymo_clamped_total", "counter",
                 "Records whose time was raised to the newest one's."},
    [ABORTED] = {"kymo_aborted_total", "counter", "Loans that were not committed."},
    [WAKES] = {"kymo_wakes_total", "counter", "Times the writer woke readers."},
    [ADOPTED] = {"kymo_adopted_total", "counter",
                 "Complete records of killed writers that were kept."},
    [TAKEOVERS] = {"kymo_takeovers_total", "counter", "Locks taken over from killed writers."},
    [FIELD_INFO] = {"kymo_field_info", "gauge",
                    "1 for each numeric field, with its unit and help."},
    [FIELD] = {"kymo_field", "gauge", "The newest value of a numeric field."},
    [FIELD_TOTAL] = {"kymo_field_total", "counter",
                     "The newest value of a field that is a counter."},
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
    for (int i = 0; i < FAMILIES; i++)
        kymo_text_free(&metrics->families[i]);
    kymo_text_free(&metrics->own);
    kymo_text_free(&metrics->own_name);
    free(metrics->values);
    free(metrics);
}

void kymo_metrics_clear(struct kymo_metrics *metrics)
{
    for (int i = 0; i < FAMILIES; i++)
        kymo_text_clear(&metrics->families[i]);
    kymo_text_clear(&metrics->own);
    kymo_text_clear(&metrics->own_name);
}

/* ---- samples ---- */

static void append_header(struct kymo_text *text, const char *name, const char *type,
                          const char *help)
{
    kymo_text_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* `begin` and the value of a label, escaped as the format requires. */
static void append_label(struct kymo_text *text, const char *begin, const char *value)
{
    kymo_text_string(text, begin);
    kymo_text_string(text, "=\"");
    while (*value) {
        const size_t plain = strcspn(value, "\\\"\n");

        kymo_text_repaired(text, value, plain);
        value += plain;
        if (*value == '\n')
            kymo_text_string(text, "\\n");
        else if (*value)
            kymo_text_printf(text, "\\%c", *value);
        value += *value != 0;
    }
    kymo_text_string(text, "\"");
}

/* The name and the first label of a sample. Returns the text. */
static struct kymo_text *begin_sample(struct kymo_metrics *metrics, enum family family,
                                      const char *segment)
{
    struct kymo_text *text = &metrics->families[family];

    kymo_text_string(text, families[family].name);
    append_label(text, "{segment", segment);
    return text;
}

static void add_count(struct kymo_metrics *metrics, enum family family, const char *segment,
                      uint64_t count)
{
    struct kymo_text *text = begin_sample(metrics, family, segment);

    kymo_text_string(text, "} ");
    kymo_text_u64(text, count);
    kymo_text_string(text, "\n");
}

static void append_number(struct kymo_text *text, double value)
{
    if (isnan(value))
        kymo_text_string(text, "NaN");
    else if (isinf(value))
        kymo_text_string(text, value > 0 ? "+Inf" : "-Inf");
    else
        kymo_text_f64(text, value);
}

static void add_number(struct kymo_metrics *metrics, enum family family, const char *segment,
                       double number)
{
    struct kymo_text *text = begin_sample(metrics, family, segment);

    kymo_text_string(text, "} ");
    append_number(text, number);
    kymo_text_string(text, "\n");
}

/* ---- the segment ---- */

static int add_state(struct kymo_metrics *metrics, const char *segment, int liveness)
{
    static const struct {
        int liveness;
        const char *name;
    } states[] = {{KYMO_LIVE_ALIVE, "alive"},
                  {KYMO_LIVE_STALLED, "stalled"},
                  {KYMO_LIVE_CLOSED, "closed"},
                  {KYMO_LIVE_DEAD, "dead"},
                  {KYMO_LIVE_UNKNOWN, "unknown"}};
    const int count = sizeof(states) / sizeof(states[0]);

    for (int i = 0; i < count; i++) {
        struct kymo_text *text = begin_sample(metrics, WRITER_STATE, segment);

        append_label(text, ",state", states[i].name);
        kymo_text_string(text, states[i].liveness == liveness ? "} 1\n" : "} 0\n");
    }
    return count;
}

static int add_counts(struct kymo_metrics *metrics, const struct kymo_info *info)
{
    const struct {
        enum family family;
        uint64_t count;
    } counts[] = {{RECORDS, info->head - info->first},
                  {REJECTED, info->rejected},
                  {CLAMPED, info->clamped},
                  {ABORTED, info->aborted},
                  {WAKES, info->wakes},
                  {ADOPTED, info->adopted},
                  {TAKEOVERS, info->takeovers}};
    const size_t count = sizeof(counts) / sizeof(counts[0]);

    for (size_t i = 0; i < count; i++)
        add_count(metrics, counts[i].family, info->name, counts[i].count);
    return (int)count;
}

static int add_rate(struct kymo_metrics *metrics, const struct kymo_info *info,
                    const struct kymo_activity *activity, int liveness)
{
    const double rate = kymo_activity_rate(activity, info->clock, kymo_live_is_alive(liveness));

    if (rate < 0)
        return 0;
    add_number(metrics, RATE, info->name, rate);
    return 1;
}

/* Negative if the newest record's time is in the future. */
static int add_age(struct kymo_metrics *metrics, const struct kymo_reader *reader,
                   const struct kymo_info *info, uint64_t time)
{
    if (info->clock == KYMO_USER)
        return 0;
    if (kymo_segment_is_of_other_boot(reader->segment)) {
        add_count(metrics, OTHER_BOOT, info->name, 1);
        return 1;
    }
    add_number(metrics, AGE, info->name,
               (double)(int64_t)(kymo_clock_now(info->clock) - time) / 1e9);
    return 1;
}

/* ---- the newest record ---- */

static int is_metric(const struct kymo_field *field)
{
    return kymo_type_is_numeric(field->type) && field->count <= KYMO_METRICS_ELEMENTS;
}

static size_t bytes_of(const struct kymo_field *field)
{
    return (size_t)field->count * kymo_type_size(field->type);
}

static int reserve_values(struct kymo_metrics *metrics, const struct kymo_schema *schema)
{
    unsigned char *grown;
    size_t size = 0;

    for (uint32_t i = 0; i < schema->count; i++) {
        if (is_metric(&schema->fields[i]))
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

        if (!is_metric(field))
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

/* Appends a stretch of the buffer to itself, which may be reallocated. */
static void append_own(struct kymo_text *body, size_t from, size_t len)
{
    if (kymo_text_reserve(body, len) == 0)
        kymo_text_append(body, body->data + from, len);
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

static int add_field_infos(struct kymo_metrics *metrics, const struct kymo_info *info,
                           const struct kymo_schema *schema)
{
    int count = 0;

    for (uint32_t i = 0; i < schema->count; i++) {
        const struct kymo_field *field = &schema->fields[i];
        struct kymo_text *text;

        if (!is_metric(field))
            continue;
        text = begin_sample(metrics, FIELD_INFO, info->name);
        append_label(text, ",field", field->name);
        append_label(text, ",unit", field->unit);
        append_label(text, ",help", field->help);
        kymo_text_string(text, "} 1\n");
        count++;
    }
    return count;
}

/* `values` contains the field alone, of which `found` bytes are the record's. */
static int add_field(struct kymo_metrics *metrics, const char *segment, struct kymo_field field,
                     const unsigned char *values, size_t found)
{
    const enum family family = field.metric == KYMO_COUNTER ? FIELD_TOTAL : FIELD;
    const size_t start = metrics->families[family].len;
    struct kymo_text *text = begin_sample(metrics, family, segment);
    size_t stem;

    field.offset = 0;
    append_label(text, ",field", field.name);
    if (field.unit[0])
        append_label(text, ",unit", field.unit);
    stem = text->len - start;
    for (uint32_t element = 0; element < field.count; element++) {
        if (element > 0)
            append_own(text, start, stem);
        if (field.dimensions > 0)
            append_index(text, &field, element);
        kymo_text_append(text, "} ", 2);
        append_value(text, &field, element, values, found);
        kymo_text_append(text, "\n", 1);
    }
    return (int)field.count;
}

static int add_fields(struct kymo_metrics *metrics, const struct kymo_info *info,
                      const struct kymo_schema *schema)
{
    const unsigned char *values = metrics->values;
    int count = 0;

    for (uint32_t i = 0; i < schema->count; i++) {
        if (!is_metric(&schema->fields[i]))
            continue;
        count += add_field(metrics, info->name, schema->fields[i], values, metrics->found[i]);
        values += bytes_of(&schema->fields[i]);
    }
    return count;
}

int kymo_metrics_add(struct kymo_metrics *metrics, const struct kymo_reader *reader)
{
    const struct kymo_schema none = {0};
    const struct kymo_schema *schema;
    struct kymo_activity activity;
    struct kymo_record record = {0};
    struct kymo_info info;
    int error = kymo_segment_info(reader->segment, &info);
    int liveness, count, has_record;

    if (!error)
        error = kymo_activity_read(&reader->ring, KYMO_FOREVER, &activity);
    if (error && error != -ESTALE)
        return error;
    liveness = kymo_activity_liveness(reader->segment, &activity);
    if (liveness < 0)
        return liveness;
    /* The pixels of an image are not fields. */
    schema = info.geometry.format != 0 ? &none : &info.schema;
    error = read_values(metrics, reader, schema, &record);
    if (error && error != -ENODATA && error != -EAGAIN)
        return error;
    has_record = !error;
    count = add_state(metrics, info.name, liveness);
    count += add_counts(metrics, &info) + add_rate(metrics, &info, &activity, liveness) +
             add_field_infos(metrics, &info, schema);
    if (has_record)
        count += add_age(metrics, reader, &info, record.time) + add_fields(metrics, &info, schema);
    return count;
}

void kymo_metrics_sample(struct kymo_metrics *metrics, const char *name, enum kymo_metric metric,
                         const char *help, const char *label, double value)
{
    struct kymo_text *text = &metrics->own;
    const char *equals = label ? strchr(label, '=') : NULL;

    if (metrics->own_name.len == 0 || strcmp(metrics->own_name.data, name) != 0) {
        append_header(text, name, metric == KYMO_COUNTER ? "counter" : "gauge", help);
        kymo_text_clear(&metrics->own_name);
        kymo_text_string(&metrics->own_name, name);
    }
    kymo_text_string(text, name);
    if (equals) {
        kymo_text_string(text, "{");
        kymo_text_append(text, label, (size_t)(equals - label));
        append_label(text, "", equals + 1);
        kymo_text_string(text, "}");
    }
    kymo_text_string(text, " ");
    append_number(text, value);
    kymo_text_string(text, "\n");
}

/* ---- writing ---- */

int kymo_metrics_write(struct kymo_metrics *metrics, struct kymo_text *text)
{
    if (metrics->own.error || metrics->own_name.error)
        return -ENOMEM;
    for (int i = 0; i < FAMILIES; i++) {
        if (metrics->families[i].error)
            return -ENOMEM;
        if (metrics->families[i].len == 0)
            continue;
        append_header(text, families[i].name, families[i].type, families[i].help);
        kymo_text_append(text, metrics->families[i].data, metrics->families[i].len);
    }
    kymo_text_append(text, metrics->own.data, metrics->own.len);
    return text->error;
}
