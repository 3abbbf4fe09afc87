/*
 * render_limit.c - how long a content may get, told from the layout alone.
 *
 * A limit that no value exceeds lets a file report a size before it has content, and lets a content
 * that would be too large be refused before any memory is spent on it. Where a product does not fit
 * 64 bits it is UINT64_MAX.
 */
#include "render.h"

static _Thread_local struct render_room *this_room;

void render_room_set(struct render_room *room)
{
    this_room = room;
}

int render_room(uint64_t bytes)
{
    return this_room ? this_room->more(this_room, bytes) : 0;
}

/* pos, time, when, tag and the names around them, at their longest. */
#define LINE_REST 192

static uint64_t multiply(uint64_t one, uint64_t other)
{
    uint64_t product;

    return __builtin_mul_overflow(one, other, &product) ? UINT64_MAX : product;
}

static uint64_t add(uint64_t one, uint64_t other)
{
    uint64_t sum;

    return __builtin_add_overflow(one, other, &sum) ? UINT64_MAX : sum;
}

/* The longest spelling of one element, and a separator. */
static uint64_t element_limit(uint32_t type)
{
    static const uint8_t longest[] = {
        [KYMO_U8] = 4 /* null */, [KYMO_U16] = 5,  [KYMO_U32] = 10,
        [KYMO_U64] = 20,          [KYMO_I8] = 4,   [KYMO_I16] = 6,
        [KYMO_I32] = 11,          [KYMO_I64] = 20, [KYMO_F32] = 24,
        [KYMO_F64] = 24, /* -2.2250738585072014e-308 */
        [KYMO_CHAR] = 6, /* \u001f */
        [KYMO_BOOL] = 5,
    };

    return longest[type] + (uint64_t)1;
}

/* Brackets and quotes of all dimensions. */
static uint64_t brackets_limit(const struct kymo_field *field)
{
    uint64_t rows = 1, brackets = 0;

    for (uint32_t i = 0; i < field->dimensions && i < KYMO_DIMENSIONS; i++) {
        brackets += 3 * rows;
        rows *= field->shape[i];
    }
    return brackets;
}

static uint64_t field_limit(const struct kymo_field *field)
{
    return sizeof(field->name) + 8 + field->count * element_limit(field->type) +
           brackets_limit(field);
}

uint32_t render_payload_most(const struct kymo_schema *schema)
{
    if (schema->count > 0)
        return schema->size;
    return schema->size > 0 ? 0 : UINT32_MAX; /* no text has pixels */
}

uint64_t render_line_limit(const struct kymo_schema *schema, uint32_t len)
{
    uint64_t limit = LINE_REST;

    if (schema->count == 0)
        return schema->size > 0 ? limit : limit + 2 * (uint64_t)len;
    for (uint32_t i = 0; i < schema->count; i++)
        limit += field_limit(&schema->fields[i]);
    return limit;
}

uint64_t render_header_limit(const struct kymo_schema *schema)
{
    uint64_t limit = LINE_REST;

    for (uint32_t i = 0; i < schema->count; i++) {
        const struct kymo_field *field = &schema->fields[i];

        /* ",NAME.4294967295" */
        limit += field->count * (uint64_t)(strnlen(field->name, sizeof(field->name)) + 12);
    }
    return limit;
}

/* ---- of the rows in node.c ---- */

uint64_t render_record_limit(const struct node *node)
{
    const uint32_t size = node_ring(node)->size;

    return node->key.raw ? size : render_line_limit(node_schema(node), size);
}

uint64_t render_field_limit(const struct node *node)
{
    return field_limit(&node_schema(node)->fields[node->key.number >> 32]);
}

uint64_t render_interp_limit(const struct node *node)
{
    return 3 * render_line_limit(node_schema(node), node_ring(node)->size);
}

/* A lone comment may stand behind the last record. */
uint64_t render_history_limit(const struct node *node)
{
    const struct kymo_schema *schema = node_schema(node);
    const uint64_t lines = multiply(kymo_ring_depth(node_ring(node)),
                                    render_line_limit(schema, node_ring(node)->size));

    return add(add(lines, render_header_limit(schema)), LINE_REST);
}

uint64_t render_picture_limit(const struct node *node)
{
    (void)node;
    return RENDER_LIMIT;
}

/* Each line has a point or two in each column, of some ten bytes. */
uint64_t render_plot_limit(const struct node *node)
{
    (void)node;
    return UINT64_C(4) << 20;
}

uint64_t render_info_limit(const struct node *node)
{
    /* Each field is named with its type and shape. */
    return 3072 +
           node_schema(node)->count * (uint64_t)(sizeof(((struct kymo_field *)0)->name) + 64);
}
