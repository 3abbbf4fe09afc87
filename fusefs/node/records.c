/*
 * records.c - names below history/ and field/, and the records that they refer to.
 */
#include "kinds.h"

#include <stdio.h>
#include <stdlib.h>

/* Records that history/ lists; all that remain can be opened. */
#define HISTORY_LISTED 64

/* Arrays of more elements than this are one file. */
#define ELEMENTS_LISTED 64

/* A decimal number as listings spell it: no sign, no leading zero. */
static bool parse_number(const char *text, uint64_t *number)
{
    const size_t len = strspn(text, "0123456789");

    if (len == 0 || len > 19 || text[len] || (text[0] == '0' && len > 1))
        return false;
    *number = strtoull(text, NULL, 10);
    return true;
}

bool kind_is_number(const char *name)
{
    uint64_t number;

    return parse_number(name, &number);
}

/* ---- history/ ---- */

/* The oldest slot is the next to be overwritten: it can be opened, but is not promised. */
static uint64_t count_history(const struct request *request)
{
    const struct kymo_ring *ring = request_ring(request);
    const uint64_t depth = kymo_ring_depth(ring);
    uint64_t written = kymo_ring_written(ring);
    struct kymo_window window;

    if (request->has_instant && render_window(request, &window) == 0)
        written = window.high - ring->first;
    return written < depth ? written : depth;
}

int kind_resolve_back(struct request *request, const struct node *node, const char *name)
{
    (void)node;
    parse_number(name, &request->number);
    return request->number < count_history(request) ? 0 : -ENOENT;
}

int kind_list_history(const struct request *request, const struct node_kind *kind,
                      struct listing *listing)
{
    struct kymo_window window;
    char name[32];

    if (render_window(request, &window) != 0)
        return 0;
    for (uint64_t i = 0; i < window.high - window.low && i < HISTORY_LISTED; i++) {
        snprintf(name, sizeof(name), "%llu", (unsigned long long)i);
        listing_add(listing, kind, name);
    }
    return 0;
}

int kind_find_latest(const struct request *request, uint64_t *pos)
{
    return kymo_ring_find_back(request_ring(request), 0, pos);
}

int kind_find_back(const struct request *request, uint64_t *pos)
{
    const struct kymo_ring *ring = request_ring(request);
    const int error = kymo_ring_find_back(ring, request->number, pos);

    /* Below an instant, records before the ring's first existed, and have been overwritten. */
    return error == -ENODATA && kymo_ring_written(ring) > 0 ? -ESTALE : error;
}

/* ---- field/ ---- */

/* Whether each element is a file of its own. A char array is one string. */
static bool field_is_split(const struct kymo_field *field)
{
    return field->type != KYMO_CHAR && field->dimensions > 0 && field->count <= ELEMENTS_LISTED;
}

/* `index`: what follows the dot, or NULL. */
static int parse_element(const struct kymo_field *field, const char *index, uint32_t *element)
{
    uint64_t number = RENDER_WHOLE_FIELD;

    if (field_is_split(field)) {
        if (!index || !parse_number(index, &number) || number >= field->count)
            return -ENOENT;
    } else if (index) {
        return -ENOENT;
    }
    *element = (uint32_t)number;
    return 0;
}

int kind_resolve_field(struct request *request, const struct node *node, const char *name)
{
    const struct kymo_schema *schema = request_schema(request);
    const char *dot = strchr(name, '.');
    const struct kymo_field *field;
    char base[NODE_NAME_LIMIT + 1];
    uint32_t element;

    (void)node;
    snprintf(base, sizeof(base), "%.*s", (int)(dot ? dot - name : (ptrdiff_t)strlen(name)), name);
    field = kymo_schema_find(schema, base);
    if (!field || parse_element(field, dot ? dot + 1 : NULL, &element) != 0)
        return -ENOENT;
    request->number = render_field_number((uint32_t)(field - schema->fields), element);
    return 0;
}

int kind_list_fields(const struct request *request, const struct node_kind *kind,
                     struct listing *listing)
{
    const struct kymo_schema *schema = request_schema(request);

    for (uint32_t i = 0; i < schema->count; i++) {
        const struct kymo_field *field = &schema->fields[i];
        char name[sizeof(field->name) + 16];

        if (!field_is_split(field)) {
            listing_add(listing, kind, field->name);
            continue;
        }
        for (uint32_t element = 0; element < field->count; element++) {
            snprintf(name, sizeof(name), "%s.%u", field->name, element);
            listing_add(listing, kind, name);
        }
    }
    return 0;
}
