/*
 * render_record.c - one record, or a field of one, as the content of a file.
 */
#include "render.h"

#include <stdlib.h>

/* ---- one record ---- */

/* A copy of one record. Its text is made from a copy because other processes may change the
 * original between two looks at it. */
struct copy {
    struct kymo_record record;
    void *payload;
};

static int read_raw(const struct node *node, uint64_t pos, void *out)
{
    struct kymo_text *text = out;
    struct kymo_view view;
    int error = kymo_ring_view(node_reader(node), pos, &view);

    if (error)
        return error;
    kymo_text_clear(text);
    kymo_text_append(text, view.payload, view.record.len);
    return kymo_ring_validate(node_reader(node), &view);
}

static int read_copy(const struct node *node, uint64_t pos, void *out)
{
    struct copy *copy = out;
    const struct kymo_reader *reader = node_reader(node);

    return kymo_ring_at(reader, pos, copy->payload, reader->ring.size, &copy->record);
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
        before = pos;
    }
    return -EAGAIN;
}

/* The caller frees copy->payload, whatever is returned. */
static int take_copy(const struct node *node, struct copy *copy)
{
    copy->payload = malloc(node_ring(node)->size + (size_t)1);
    return copy->payload ? take_record(node, read_copy, copy) : -ENOMEM;
}

int render_record(const struct node *node, struct kymo_text *text)
{
    struct copy copy;
    int error;

    if (node->key.raw)
        return take_record(node, read_raw, text);
    error = take_copy(node, &copy);
    if (!error) {
        kymo_text_record(text, node_schema(node), node_clock(node), &copy.record, copy.payload);
        kymo_text_append(text, "\n", 1);
    }
    free(copy.payload);
    return error;
}

/* ---- one field ---- */

static void render_elements(const struct kymo_field *field, uint32_t element,
                            const struct copy *copy, struct kymo_text *text)
{
    const bool all = element == RENDER_WHOLE_FIELD && field->type != KYMO_CHAR;
    const uint32_t count = all ? field->count : 1;
    const uint32_t first = element == RENDER_WHOLE_FIELD ? 0 : element;

    for (uint32_t i = 0; i < count && !text->error; i++) {
        kymo_text_element(text, field, first + i, copy->payload, copy->record.len);
        kymo_text_append(text, "\n", 1);
    }
}

int render_field(const struct node *node, struct kymo_text *text)
{
    const struct kymo_field *field = &node_schema(node)->fields[node->key.number >> 32];
    struct copy copy;
    int error = take_copy(node, &copy);

    if (!error)
        render_elements(field, (uint32_t)node->key.number, &copy, text);
    free(copy.payload);
    return error;
}

/* ---- limits ---- */

/* JSON of one field of a record: what stands for each element, and what stands around. */
static uint64_t field_limit(const struct kymo_field *field)
{
    /* The longest number is -2.2250738585072014e-308; the longest spelling of a byte is \u001f. */
    const uint64_t each = field->type == KYMO_CHAR ? 6 : 24;

    return sizeof(field->name) + 8 + field->count * (each + 3 + 2 * (uint64_t)field->dimensions);
}

uint64_t render_record_limit(const struct node *node)
{
    const struct kymo_schema *schema = node_schema(node);
    uint64_t limit = 192;

    if (node->key.raw)
        return node_ring(node)->size;
    if (schema->count == 0)
        return limit + 2 * (uint64_t)node_ring(node)->size;
    for (uint32_t i = 0; i < schema->count; i++)
        limit += field_limit(&schema->fields[i]);
    return limit;
}

uint64_t render_field_limit(const struct node *node)
{
    return field_limit(&node_schema(node)->fields[node->key.number >> 32]);
}
