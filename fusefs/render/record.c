/*
 * record.c - files of one record: its line or bytes, one of its fields, its frame, or the values
 * between two records.
 */
#include <stdlib.h>

#include "base/counters.h"
#include "limit.h"
#include "picture.h"

/* ---- copies ---- */

/* A record, or a part of it, in private memory: text is rendered from a copy because other processes
 * may change the original between two accesses. */
struct copy {
    struct kymo_record record;
    unsigned char *payload;
    size_t len;
    size_t capacity;
};

static int copy_reserve(struct copy *copy, size_t len)
{
    unsigned char *larger;

    if (len < copy->capacity)
        return 0;
    larger = realloc(copy->payload, len + 1);
    if (!larger)
        return -ENOMEM;
    copy->payload = larger;
    copy->capacity = len + 1;
    return 0;
}

/* Copies up to `limit` bytes of the payload at pos, from `offset` on. -EFBIG; else as reads. */
static int copy_read(struct request *request, uint64_t pos, uint32_t offset, uint32_t limit,
                     struct copy *copy)
{
    struct kymo_view view;
    size_t len;
    int error = kymo_ring_view(request->reader, pos, &view);

    if (error)
        return error;
    len = view.record.len > offset ? view.record.len - offset : 0;
    if (len > limit)
        len = limit;
    if (len > RENDER_LIMIT)
        return -EFBIG;
    error = budget_grow(&request->budget, len);
    if (!error)
        error = copy_reserve(copy, len);
    if (error)
        return error;
    if (len > 0)
        kymo_copy_out(copy->payload, (const unsigned char *)view.payload + offset, len);
    copy->record = view.record;
    copy->len = len;
    return kymo_ring_validate(request->reader, &view);
}

/* ---- one record ---- */

static int read_raw(struct request *request, uint64_t pos, void *out)
{
    struct kymo_text *text = out;
    struct kymo_view view;
    int error = kymo_ring_view(request->reader, pos, &view);

    if (error)
        return error;
    if (view.record.len > RENDER_LIMIT)
        return -EFBIG;
    error = budget_grow(&request->budget, view.record.len);
    if (error)
        return error;
    kymo_text_clear(text);
    kymo_text_append(text, view.payload, view.record.len);
    error = kymo_ring_validate(request->reader, &view);
    return error ? error : text->error;
}

static int read_text(struct request *request, uint64_t pos, void *out)
{
    return copy_read(request, pos, 0, limit_payload(request_schema(request)), out);
}

static const struct kymo_field *field_of(const struct request *request)
{
    return &request_schema(request)->fields[request->number >> 32];
}

static int read_field(struct request *request, uint64_t pos, void *out)
{
    const struct kymo_field *field = field_of(request);

    return copy_read(request, pos, field->offset, field->count * kymo_type_size(field->type), out);
}

/*
 * Finds the request's record and reads it; again if the writer overwrote it in between, at most
 * KYMO_RETRIES times (E: no unbounded loop). Found twice at the same position and overwritten: -ESTALE.
 */
static int read_found(struct request *request,
                      int (*read)(struct request *request, uint64_t pos, void *out), void *out)
{
    uint64_t pos = 0, before = KYMO_POSITION_LIMIT;
    int error;

    for (int tries = 0; tries < KYMO_RETRIES; tries++) {
        error = request->find(request, &pos);
        if (error)
            return error;
        if (pos == before)
            return -ESTALE;
        error = read(request, pos, out);
        if (error != -ESTALE)
            return error;
        counter_add(COUNTER_RETRIES, 1);
        before = pos;
        error = budget_pause(&request->budget);
        if (error)
            return error;
    }
    return -EAGAIN;
}

int render_record(struct request *request, struct kymo_text *text)
{
    const struct kymo_schema *schema = request_schema(request);
    struct copy copy = {.payload = NULL};
    int error;

    if (request->raw)
        return read_found(request, read_raw, text);
    if (schema->count > 0 && render_line_limit(schema, 0) > RENDER_LIMIT)
        return -EFBIG;
    error = read_found(request, read_text, &copy);
    if (!error && render_line_limit(schema, copy.record.len) > RENDER_LIMIT)
        error = -EFBIG;
    if (!error)
        error = budget_grow(&request->budget,
                            copy.len + 2 * render_line_limit(schema, copy.record.len));
    if (!error) {
        kymo_text_record(text, schema, request_clock(request), &copy.record, copy.payload);
        kymo_text_append(text, "\n", 1);
        error = text->error;
    }
    free(copy.payload);
    return error;
}

/* ---- one frame ---- */

static int read_frame(struct request *request, uint64_t pos, void *out)
{
    return copy_read(request, pos, 0, UINT32_MAX, out);
}

bool render_has_picture(const struct request *request)
{
    struct kymo_info info;

    return kymo_segment_info(request->reader->segment, &info) == 0 &&
           kymo_image_size(&info.geometry) > 0;
}

int render_picture(struct request *request, struct kymo_text *text)
{
    struct copy copy = {.payload = NULL};
    struct kymo_info info;
    int error = kymo_segment_info(request->reader->segment, &info);

    if (!error)
        error = read_found(request, read_frame, &copy);
    if (!error)
        error = picture_encode(&info.geometry, copy.payload, copy.len, &request->budget, text);
    free(copy.payload);
    return error;
}

/* ---- one field ---- */

/* The copy begins with the field. */
static int append_elements(struct request *request, const struct copy *copy, struct kymo_text *text)
{
    const uint32_t element = (uint32_t)request->number;
    struct kymo_field field = *field_of(request);
    const bool all = element == RENDER_WHOLE_FIELD && field.type != KYMO_CHAR;
    const uint32_t count = all ? field.count : 1;
    const uint32_t first = element == RENDER_WHOLE_FIELD ? 0 : element;
    int error = 0;

    field.offset = 0;
    for (uint32_t i = 0; i < count && !text->error && !error; i++) {
        kymo_text_element(text, &field, first + i, copy->payload, copy->len);
        kymo_text_append(text, "\n", 1);
        if (i % 1024 == 1023)
            error = budget_pause(&request->budget);
    }
    return error ? error : text->error;
}

int render_field(struct request *request, struct kymo_text *text)
{
    const uint64_t limit = render_field_limit(request);
    struct copy copy = {.payload = NULL};
    int error;

    if (limit > RENDER_LIMIT)
        return -EFBIG;
    error = read_found(request, read_field, &copy);
    if (!error)
        error = budget_grow(&request->budget, copy.len + 2 * limit);
    if (!error)
        error = append_elements(request, &copy, text);
    free(copy.payload);
    return error;
}

/* ---- between two records ---- */

/* Space for the records around an instant. */
struct pair {
    unsigned char *before;
    unsigned char *after;
    size_t size; /* of each */
    struct kymo_bracket bracket;
};

static int pair_reserve(struct pair *pair, size_t size)
{
    if (pair->before && size <= pair->size)
        return 0;
    free(pair->before);
    pair->before = malloc(2 * size + 1);
    pair->after = pair->before ? pair->before + size : NULL;
    pair->size = size;
    return pair->before ? 0 : -ENOMEM;
}

/* The larger of both payloads, into *size. */
static int pair_measure(const struct kymo_reader *reader, uint64_t time, size_t *size)
{
    struct kymo_view before, after;
    uint64_t first, second;
    int error = kymo_series_find_bracket(reader, time, &first, &second);

    if (!error)
        error = kymo_ring_view(reader, first, &before);
    if (!error)
        error = kymo_ring_view(reader, second, &after);
    if (!error)
        *size = before.record.len > after.record.len ? before.record.len : after.record.len;
    return error;
}

static int pair_read(struct request *request, struct pair *pair)
{
    const uint64_t time = request->query.time;
    size_t size = 0;
    uint64_t limit;
    int error = pair_measure(request->reader, time, &size);

    if (error)
        return error;
    limit = 3 * render_line_limit(request_schema(request), (uint32_t)size);
    if (limit > RENDER_LIMIT)
        return -EFBIG;
    error = budget_grow(&request->budget, 2 * size + 2 * limit);
    if (!error)
        error = pair_reserve(pair, size);
    if (error)
        return error;
    return kymo_series_bracket(request->reader, time, pair->before, pair->after, pair->size,
                               &pair->bracket);
}

/* Each attempt may find another pair, and a larger one. */
static int pair_find(struct request *request, struct pair *pair)
{
    int error = -EMSGSIZE;

    for (int tries = 0; tries < KYMO_RETRIES && (error == -EMSGSIZE || error == -ESTALE); tries++) {
        error = pair_read(request, pair);
        if (budget_pause(&request->budget))
            return -EINTR;
    }
    return error == -EMSGSIZE || error == -ESTALE ? request_overtaken(request) : error;
}

int render_interp(struct request *request, struct kymo_text *text)
{
    struct pair pair = {.before = NULL};
    int error = pair_find(request, &pair);

    if (!error) {
        kymo_text_bracket(text, request_schema(request), request_clock(request),
                          request->query.time, &pair.bracket, pair.before, pair.after);
        kymo_text_append(text, "\n", 1);
        error = text->error;
    }
    free(pair.before);
    return error;
}
