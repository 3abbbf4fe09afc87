/*
 * render.c - the content of each kind of file.
 */
#include "render.h"

#include <stdlib.h>

static const struct kymo_reader *reader_of(const struct node *node)
{
    return node->key.segment->reader;
}

static const struct kymo_schema *schema_of(const struct node *node)
{
    return kymo_segment_schema(reader_of(node)->segment);
}

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
    int error = kymo_ring_view(reader_of(node), pos, &view);

    if (error)
        return error;
    kymo_text_clear(text);
    kymo_text_append(text, view.payload, view.record.len);
    return kymo_ring_validate(reader_of(node), &view);
}

static int read_copy(const struct node *node, uint64_t pos, void *out)
{
    struct copy *copy = out;
    const struct kymo_reader *reader = reader_of(node);

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
    copy->payload = malloc(reader_of(node)->ring.size + (size_t)1);
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
        kymo_text_record(text, schema_of(node), kymo_segment_clock(reader_of(node)->segment),
                         &copy.record, copy.payload);
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
    const struct kymo_field *field = &schema_of(node)->fields[node->key.number >> 32];
    struct copy copy;
    int error = take_copy(node, &copy);

    if (!error)
        render_elements(field, (uint32_t)node->key.number, &copy, text);
    free(copy.payload);
    return error;
}

/* ---- about the segment ---- */

int render_info(const struct node *node, struct kymo_text *text)
{
    if (node->key.segment->remains) {
        kymo_text_printf(text, "name: %s\nwriter: RETIRED\n", node->key.segment->name);
        return 0;
    }
    return kymo_text_info(text, reader_of(node));
}

int render_schema(const struct node *node, struct kymo_text *text)
{
    kymo_text_schema(text, schema_of(node));
    kymo_text_append(text, "\n", 1);
    return 0;
}

int render_link(const struct node *node, struct kymo_text *text)
{
    kymo_text_printf(text, "%s/%s", kymo_directory(), node->key.segment->name);
    return 0;
}

/* ---- about the view ---- */

static void render_path(const struct node_kind *kind, struct kymo_text *text)
{
    if (kind->parent && kind->parent != node_root) {
        render_path(kind->parent, text);
        kymo_text_append(text, "/", 1);
    }
    kymo_text_string(text, kind->name);
}

/* One kind a line: its path, padded so that the helps stand below each other. */
static void render_help(const struct node_kind *kind, struct kymo_text *text)
{
    const size_t column = 45;
    const size_t begin = text->len;

    kymo_text_append(text, "  ", 2);
    render_path(kind, text);
    if (kind->flags & NODE_RAW)
        kymo_text_string(text, "[.raw]");
    else if (kind->type == NODE_DIRECTORY)
        kymo_text_append(text, "/", 1);
    do
        kymo_text_append(text, " ", 1);
    while (text->len < begin + column && !text->error);
    kymo_text_printf(text, "%s\n", kind->help);
}

static void render_kinds(bool listed, struct kymo_text *text)
{
    for (size_t i = 0; i < node_kind_count; i++) {
        const struct node_kind *kind = &node_kinds[i];

        if (kind->help && ((kind->flags & NODE_LISTED) != 0) == listed)
            render_help(kind, text);
    }
}

int render_readme(const struct node *node, struct kymo_text *text)
{
    (void)node;
    kymo_text_printf(text,
                     "kymofs %s: every segment in %s as a directory of files.\n"
                     "What a file holds is fixed when it is opened: one consistent snapshot.\n"
                     "\n",
                     kymo_version(), kymo_directory());
    render_kinds(true, text);
    kymo_text_string(text, "\nNot listed, found by name:\n\n");
    render_kinds(false, text);
    kymo_text_string(
        text, "\n"
              "NAME.raw has the record's bytes instead of text.\n"
              "TIME  nanoseconds on the segment's clock (1234567), with a unit (12.5s, 1500ms),\n"
              "      relative to now (now, -2s, now-250ms), or as a date where the clock is\n"
              "      realtime (2026-01-31T23:59:59.5Z)\n"
              "DUR   like TIME, without now and date\n"
              "Errors come from open: ENODATA nothing published yet, ENOENT not there (any more),\n"
              "ERANGE closest record too far, EINVAL malformed question, EAGAIN overwritten while\n"
              "being read, EBADMSG segment damaged.\n");
    return 0;
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
    const struct kymo_schema *schema = schema_of(node);
    uint64_t limit = 192;

    if (node->key.raw)
        return reader_of(node)->ring.size;
    if (schema->count == 0)
        return limit + 2 * (uint64_t)reader_of(node)->ring.size;
    for (uint32_t i = 0; i < schema->count; i++)
        limit += field_limit(&schema->fields[i]);
    return limit;
}

uint64_t render_field_limit(const struct node *node)
{
    return field_limit(&schema_of(node)->fields[node->key.number >> 32]);
}

uint64_t render_info_limit(const struct node *node)
{
    /* Each field is named with its type and shape. */
    return 3072 + schema_of(node)->count * (uint64_t)(sizeof(((struct kymo_field *)0)->name) + 64);
}
