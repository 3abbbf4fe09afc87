/*
 * render_record.c - one record, a field of one, or what lies between two, as the content of a file.
 */
#include "render.h"

#include "counters.h"
#include "picture.h"
#include <stdlib.h>

#include "counters.h"

/* ---- copies ---- */

static int copy_reserve(struct render_copy *copy, size_t len)
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

int render_copy(const struct kymo_reader *reader, uint64_t pos, uint32_t offset, uint32_t most,
                struct render_copy *copy)
{
    struct kymo_view view;
    size_t len;
    int error = kymo_ring_view(reader, pos, &view);

    if (error)
        return error;
    len = view.record.len > offset ? view.record.len - offset : 0;
    if (len > most)
        len = most;
    if (len > RENDER_LIMIT)
        return -EFBIG;
    error = render_room(len);
    if (!error)
        error = copy_reserve(copy, len);
    if (error)
        return error;
    if (len > 0)
        kymo_copy_out(copy->payload, (const unsigned char *)view.payload + offset, len);
    copy->record = view.record;
    copy->len = len;
    return kymo_ring_validate(reader, &view);
}

/* ---- one record ---- */

static int read_raw(const struct node *node, uint64_t pos, void *out)
{
    struct kymo_text *text = out;
    struct kymo_view view;
    int error = kymo_ring_view(node_reader(node), pos, &view);

    if (error)
        return error;
    if (view.record.len > RENDER_LIMIT)
        return -EFBIG;
    error = render_room(view.record.len);
    if (error)
        return error;
    kymo_text_clear(text);
    kymo_text_append(text, view.payload, view.record.len);
    return kymo_ring_validate(node_reader(node), &view);
}

static int read_copy(const struct node *node, uint64_t pos, void *out)
{
    return render_copy(node_reader(node), pos, 0, render_payload_most(node_schema(node)), out);
}

static const struct kymo_field *field_of(const struct node *node)
{
    return &node_schema(node)->fields[node->key.number >> 32];
}

static int read_field(const struct node *node, uint64_t pos, void *out)
{
    const struct kymo_field *field = field_of(node);

    return render_copy(node_reader(node), pos, field->offset,
                       field->count * kymo_type_size(field->type), out);
}

/*
 * Finds the node's record and reads it, anew where the writer came by meanwhile, but not for ever
 * (E). Found twice at the same place and overwritten, it is lost: -ESTALE.
 */
static int take_record(const struct node *node,
                       int (*read)(const struct node *node, uint64_t pos, void *out), void *out)
{
    uint64_t pos = 0, before = KYMO_POSITION_LIMIT;
    int error;

    for (int tries = 0; tries < KYMO_RETRIES; tries++) {
        error = node->key.kind->find(node, &pos);
        if (error)
            return error;
        if (pos == before)
            return -ESTALE;
        error = read(node, pos, out);
        if (error != -ESTALE)
            return error;
        counter_add(COUNTER_RETRIES, 1);
        before = pos;
    }
    return -EAGAIN;
}

int render_record(const struct node *node, struct kymo_text *text)
{
    const struct kymo_schema *schema = node_schema(node);
    struct render_copy copy = {0};
    int error;

    if (node->key.raw)
        return take_record(node, read_raw, text);
    if (schema->count > 0 && render_line_limit(schema, 0) > RENDER_LIMIT)
        return -EFBIG;
    error = take_record(node, read_copy, &copy);
    if (!error && render_line_limit(schema, copy.record.len) > RENDER_LIMIT)
        error = -EFBIG;
    if (!error)
        error = render_room(copy.len + 2 * render_line_limit(schema, copy.record.len));
    if (!error) {
        kymo_text_record(text, schema, node_clock(node), &copy.record, copy.payload);
        kymo_text_append(text, "\n", 1);
    }
    free(copy.payload);
    return error;
}

/* ---- one frame ---- */

static int read_frame(const struct node *node, uint64_t pos, void *out)
{
    return render_copy(node_reader(node), pos, 0, UINT32_MAX, out);
}

int render_picture(const struct node *node, struct kymo_text *text)
{
    struct render_copy copy = {0};
    struct kymo_info info;
    int error = kymo_segment_info(node_reader(node)->segment, &info);

    if (!error)
        error = take_record(node, read_frame, &copy);
    if (!error)
        error = picture_encode(&info.geometry, copy.payload, copy.len, text);
    free(copy.payload);
    return error;
}

/* ---- one field ---- */

/* The copy begins with the field, and so does what its text is made from. */
static void render_elements(const struct kymo_field *field, uint32_t element,
                            const struct render_copy *copy, struct kymo_text *text)
{
    struct kymo_field alone = *field;
    const bool all = element == RENDER_WHOLE_FIELD && field->type != KYMO_CHAR;
    const uint32_t count = all ? field->count : 1;
    const uint32_t first = element == RENDER_WHOLE_FIELD ? 0 : element;

    alone.offset = 0;
    for (uint32_t i = 0; i < count && !text->error; i++) {
        kymo_text_element(text, &alone, first + i, copy->payload, copy->len);
        kymo_text_append(text, "\n", 1);
    }
}

int render_field(const struct node *node, struct kymo_text *text)
{
    struct render_copy copy = {0};
    int error;

    if (render_field_limit(node) > RENDER_LIMIT)
        return -EFBIG;
    error = take_record(node, read_field, &copy);
    if (!error)
        error = render_room(copy.len + 2 * render_field_limit(node));
    if (!error)
        render_elements(field_of(node), (uint32_t)node->key.number, &copy, text);
    free(copy.payload);
    return error;
}

/* ---- between two records ---- */

/* Room for either of the two around `time`, and one more to tell who needs more. */
struct pair {
    unsigned char *before;
    unsigned char *after;
    size_t size;
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

static int pair_read(const struct node *node, uint64_t time, struct pair *pair)
{
    const struct kymo_reader *reader = node_reader(node);
    size_t size = 0;
    int error = pair_measure(reader, time, &size);

    if (error)
        return error;
    if (3 * render_line_limit(node_schema(node), (uint32_t)size) > RENDER_LIMIT)
        return -EFBIG;
    error = render_room(2 * size + 6 * render_line_limit(node_schema(node), (uint32_t)size));
    if (!error)
        error = pair_reserve(pair, size);
    if (error)
        return error;
    return kymo_series_bracket(reader, time, pair->before, pair->after, pair->size, &pair->bracket);
}

/* The pair may be another one, and larger, each time that it is looked for. */
static int pair_take(const struct node *node, uint64_t time, struct pair *pair)
{
    int error = -EMSGSIZE;

    for (int tries = 0; tries < KYMO_RETRIES && (error == -EMSGSIZE || error == -ESTALE); tries++)
        error = pair_read(node, time, pair);
    return error == -EMSGSIZE || error == -ESTALE ? node_overtaken(node) : error;
}

int render_interp(const struct node *node, struct kymo_text *text)
{
    struct pair pair = {0};
    struct query query;
    int error = node_question(node, &query);

    if (!error)
        error = pair_take(node, query.time, &pair);
    if (!error) {
        kymo_text_bracket(text, node_schema(node), node_clock(node), query.time, &pair.bracket,
                          pair.before, pair.after);
        kymo_text_append(text, "\n", 1);
    }
    free(pair.before);
    return error;
}
