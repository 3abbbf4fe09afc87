/*
 * limit.c - upper bounds of lengths, computed from the layout alone.
 *
 * A bound lets a request that would exceed RENDER_LIMIT fail before it takes any memory.
 */
#include "limit.h"

/* pos, time, when, tag and the names around them, at their longest. */
#define LINE_REST 192

/* The longest text of one element, and a separator. */
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

uint32_t limit_payload(const struct kymo_schema *schema)
{
    if (schema->count > 0)
        return schema->size;
    return schema->size > 0 ? 0 : UINT32_MAX; /* pixels are in no text */
}

uint64_t limit_header(const struct kymo_schema *schema)
{
    uint64_t limit = LINE_REST;

    for (uint32_t i = 0; i < schema->count; i++) {
        const struct kymo_field *field = &schema->fields[i];

        /* ",NAME.4294967295" */
        limit += field->count * (uint64_t)(strnlen(field->name, sizeof(field->name)) + 12);
    }
    return limit;
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

uint64_t render_record_limit(const struct request *request)
{
    const uint32_t size = request_ring(request)->size;

    return request->raw ? size : render_line_limit(request_schema(request), size);
}

uint64_t render_field_limit(const struct request *request)
{
    return field_limit(&request_schema(request)->fields[request->number >> 32]);
}

uint64_t render_interp_limit(const struct request *request)
{
    return 3 * render_line_limit(request_schema(request), request_ring(request)->size);
}

uint64_t render_info_limit(const struct request *request)
{
    /* Each field is named with its type and shape. */
    return 3072 +
           request_schema(request)->count * (uint64_t)(sizeof(((struct kymo_field *)0)->name) + 64);
}
