/*
 * history_rows.c - copies of records, and rows of text.
 */
#include "history_rows.h"

#include <inttypes.h>
#include <stdlib.h>

#include "limit.h"

/* Text that is formatted in about 50 us, and payload that is measured in that time. */
#define PAUSE_BYTES 8192u

/* The largest payload of which lengths are computed without formatting. */
#define MEASURED_PAYLOAD 65536u

/* ---- layout ---- */

static struct kymo_schema *copy_schema(const struct kymo_schema *schema)
{
    const size_t size = schema->count * sizeof(struct kymo_field);
    struct kymo_schema *copy = malloc(sizeof(*copy) + size);

    if (!copy)
        return NULL;
    *copy = *schema;
    copy->fields = (const struct kymo_field *)(copy + 1);
    if (size > 0)
        memcpy(copy + 1, schema->fields, size);
    return copy;
}

static void format_row(const struct row_layout *layout, enum history_format format,
                       const struct kymo_record *record, const void *payload,
                       struct kymo_text *text)
{
    if (format == HISTORY_CSV) {
        kymo_text_csv(text, layout->schema, record, payload);
        return;
    }
    kymo_text_record(text, layout->schema, layout->clock, record, payload);
    kymo_text_append(text, "\n", 1);
}

/* Takes the row of a record of zeros as the pattern of all rows. */
static int init_measures(struct row_layout *layout)
{
    const struct kymo_record record = {.len = layout->schema->size};
    const bool is_small = layout->schema->size <= MEASURED_PAYLOAD;
    void *payload = is_small ? calloc(1, layout->schema->size + 1) : NULL;
    struct kymo_text text = {0};
    int error = is_small && !payload ? -ENOMEM : 0;

    for (int format = 0; format < HISTORY_FORMATS && !error; format++) {
        kymo_text_clear(&text);
        if (is_small)
            format_row(layout, (enum history_format)format, &record, payload, &text);
        error = text.error;
        row_measure_init(&layout->measures[format], layout->schema, (enum history_format)format,
                         is_small ? &text : NULL);
    }
    kymo_text_free(&text);
    free(payload);
    return error;
}

int row_layout_init(struct row_layout *layout, const struct request *request)
{
    const uint32_t size = request_ring(request)->size;

    layout->schema = copy_schema(request_schema(request));
    if (!layout->schema)
        return -ENOMEM;
    layout->clock = request_clock(request);
    layout->payload_limit = limit_payload(layout->schema);
    if (layout->payload_limit > size)
        layout->payload_limit = size;
    layout->line_limit = layout->schema->count > 0 ? render_line_limit(layout->schema, 0) : 0;
    return init_measures(layout);
}

void row_layout_free(struct row_layout *layout)
{
    free(layout->schema);
}

uint64_t row_least(enum history_format format)
{
    return format == HISTORY_CSV ? sizeof("0,0,0,\n") - 1
                                 : sizeof("{\"pos\":0,\"time\":0,\"tag\":0,\"data\":\"\"}\n") - 1;
}

int row_check(const struct row_layout *layout, enum history_format format)
{
    const bool is_header_large =
        format == HISTORY_CSV && limit_header(layout->schema) > RENDER_LIMIT;

    return is_header_large || layout->line_limit > RENDER_LIMIT ? -EFBIG : 0;
}

/* ---- copies ---- */

static int row_buffer_reserve(struct row_buffer *buffer, size_t more, struct budget *budget)
{
    size_t capacity = buffer->capacity ? 2 * buffer->capacity : 4096;
    unsigned char *data;

    if (more <= buffer->capacity - buffer->len)
        return 0;
    if (capacity < buffer->len + more)
        capacity = buffer->len + more;
    if (budget_grow(budget, buffer->len + capacity))
        return -ENOMEM;
    data = realloc(buffer->data, capacity);
    if (!data)
        return -ENOMEM;
    buffer->data = data;
    buffer->capacity = capacity;
    return 0;
}

/* Bytes of the payload that the copy has. */
static uint32_t payload_len(const struct row_layout *layout, uint32_t len)
{
    return len < layout->payload_limit ? len : layout->payload_limit;
}

int rows_copy(const struct row_layout *layout, struct request *request, uint64_t pos,
              struct row_buffer *buffer)
{
    const struct kymo_reader *reader = request->segment->reader;
    struct kymo_view view;
    unsigned char *at;
    uint32_t len;
    int error = kymo_ring_view(reader, pos, &view);

    if (error)
        return error;
    len = payload_len(layout, view.record.len);
    if (!layout->line_limit && render_line_limit(layout->schema, len) > RENDER_LIMIT)
        return -EFBIG;
    error = row_buffer_reserve(buffer, ROW_COPY_REST + len, &request->budget);
    if (error)
        return error;
    at = buffer->data + buffer->len;
    memcpy(at, &view.record.time, 8);
    memcpy(at + 8, &view.record.tag, 8);
    memcpy(at + 16, &view.record.len, 4);
    if (len > 0)
        kymo_copy_out(at + ROW_COPY_REST, view.payload, len);
    error = kymo_ring_validate(reader, &view);
    if (!error)
        buffer->len += ROW_COPY_REST + len;
    return error;
}

/* Moves on by one record; returns its payload. */
static const unsigned char *row_next(const struct row_layout *layout, struct row_cursor *cursor,
                                     struct kymo_record *record)
{
    const unsigned char *payload = cursor->at + ROW_COPY_REST;

    record->pos = cursor->pos++;
    memcpy(&record->time, cursor->at, 8);
    memcpy(&record->tag, cursor->at + 8, 8);
    memcpy(&record->len, cursor->at + 16, 4);
    record->flags = 0;
    cursor->at = payload + payload_len(layout, record->len);
    return payload;
}

void rows_skip(const struct row_layout *layout, struct row_cursor *cursor, uint64_t pos)
{
    uint32_t len;

    for (; cursor->pos < pos; cursor->pos++) {
        memcpy(&len, cursor->at + 16, 4);
        cursor->at += ROW_COPY_REST + payload_len(layout, len);
    }
}

/* ---- text ---- */

int rows_format(const struct row_layout *layout, enum history_format format,
                struct row_cursor cursor, uint64_t count, struct budget *budget,
                struct kymo_text *text)
{
    size_t paused = text->len;
    int error = 0;

    for (; count > 0 && !error; count--) {
        struct kymo_record record;
        const void *payload = row_next(layout, &cursor, &record);
        const uint64_t limit =
            layout->line_limit ? layout->line_limit : render_line_limit(layout->schema, record.len);

        if (text->capacity - text->len <= limit && budget_grow(budget, 2 * (text->len + limit)))
            return -ENOMEM;
        format_row(layout, format, &record, payload, text);
        if (text->len - paused >= PAUSE_BYTES) {
            paused = text->len;
            error = budget_pause(budget);
        }
    }
    return error ? error : text->error;
}

/* Formats one row to learn its length. */
static int format_length(const struct row_layout *layout, enum history_format format,
                         struct row_cursor cursor, struct budget *budget, uint64_t *length)
{
    struct kymo_text text = {0};
    int error = rows_format(layout, format, cursor, 1, budget, &text);

    *length = text.len;
    kymo_text_free(&text);
    return error;
}

int rows_measure(const struct row_layout *layout, enum history_format format,
                 struct row_cursor cursor, uint64_t count, struct budget *budget, uint64_t *length)
{
    const unsigned char *paused = cursor.at;
    int error = 0;

    for (; count > 0 && !error; count--) {
        const struct row_cursor row = cursor;
        struct kymo_record record;
        const unsigned char *payload = row_next(layout, &cursor, &record);
        uint64_t one = row_length(&layout->measures[format], &record, payload);

        if (one == 0)
            error = format_length(layout, format, row, budget, &one);
        *length += one;
        if ((size_t)(cursor.at - paused) >= PAUSE_BYTES && !error) {
            paused = cursor.at;
            error = budget_pause(budget);
        }
    }
    return error;
}

int rows_header(const struct row_layout *layout, enum history_format format, struct budget *budget,
                struct kymo_text *text)
{
    int error = 0;

    if (format == HISTORY_CSV) {
        error = budget_grow(budget, 2 * limit_header(layout->schema));
        if (!error)
            kymo_text_csv_header(text, layout->schema);
    }
    return error ? error : text->error;
}

void rows_missed(enum history_format format, uint64_t missed, struct kymo_text *text)
{
    if (missed > 0)
        kymo_text_printf(text,
                         format == HISTORY_CSV ? "# missed %" PRIu64 "\n"
                                               : "{\"missed\":%" PRIu64 "}\n",
                         missed);
}
