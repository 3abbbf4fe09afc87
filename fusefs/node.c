/*
 * node.c - the table of node kinds, and what finds their names and records. What holds for all of
 * them alike is in node_names.c and node_attributes.c.
 */
#include "node.h"

#include <stdio.h>
#include <stdlib.h>

#include "query.h"
#include "render.h"

/* Records that history/ lists; all that are there can be opened. */
#define HISTORY_LISTED 64

/* Arrays of more elements than this are one file. */
#define ELEMENTS_LISTED 64

/* ---- segments ---- */

static int segment_match(struct registry *registry, const struct node *directory, const char *name,
                         struct node_key *key)
{
    (void)directory;
    return registry_find(registry, name, &key->segment);
}

static int segment_list(struct registry *registry, const struct node *directory,
                        const struct node_kind *kind, struct listing *listing)
{
    struct segment **segments = NULL;
    const ssize_t count = registry_list(registry, &segments);

    (void)directory;
    for (ssize_t i = 0; i < count; i++) {
        listing_add(listing, &(struct node_key){.kind = kind, .segment = segments[i]},
                    segments[i]->name);
        segment_drop(segments[i]);
    }
    free(segments);
    return count < 0 ? (int)count : 0;
}

/* ---- records ---- */

static int latest_find(const struct node *node, uint64_t *pos)
{
    return kymo_ring_behind(node_ring(node), 0, pos);
}

/* A plain decimal number, as listings spell it. */
static int number_parse(const char *text, uint64_t *number)
{
    const size_t len = strspn(text, "0123456789");

    if (len == 0 || len > 19 || text[len] || (text[0] == '0' && len > 1))
        return -ENOENT;
    *number = strtoull(text, NULL, 10);
    return 0;
}

static int history_match(struct registry *registry, const struct node *directory, const char *name,
                         struct node_key *key)
{
    uint64_t written = kymo_ring_written(node_ring(directory));

    (void)registry;
    if (number_parse(name, &key->number) != 0 || key->number >= written ||
        key->number >= kymo_ring_depth(node_ring(directory)))
        return -ENOENT;
    return 0;
}

/* The oldest slot is the next to be overwritten: it can be asked for, but is not promised. */
static int history_list(struct registry *registry, const struct node *directory,
                        const struct node_kind *kind, struct listing *listing)
{
    const uint64_t available = kymo_ring_available(node_ring(directory));
    struct node_key key = {.kind = kind, .segment = directory->key.segment};
    char name[32];

    (void)registry;
    for (; key.number < available && key.number < HISTORY_LISTED; key.number++) {
        snprintf(name, sizeof(name), "%llu", (unsigned long long)key.number);
        listing_add(listing, &key, name);
    }
    return 0;
}

static int history_find(const struct node *node, uint64_t *pos)
{
    return kymo_ring_behind(node_ring(node), node->key.number, pos);
}

/* ---- questions about time ---- */

#define CLOSEST "closest?"

static int closest_parse(enum kymo_clock clock, const char *name, struct query_closest *query)
{
    const uint64_t now = kymo_clock_now(clock);

    if (strncmp(name, CLOSEST, strlen(CLOSEST)) == 0)
        return query_closest_parse(name + strlen(CLOSEST), clock, now, query);
    query->max_distance = KYMO_ANY_DISTANCE;
    return kymo_time_parse(name, clock, now, &query->time);
}

static int closest_match(struct registry *registry, const struct node *directory, const char *name,
                         struct node_key *key)
{
    struct query_closest query;

    (void)registry;
    (void)key;
    return closest_parse(node_clock(directory), name, &query);
}

static int closest_query_match(struct registry *registry, const struct node *directory,
                               const char *name, struct node_key *key)
{
    if (strncmp(name, CLOSEST, strlen(CLOSEST)) != 0)
        return -ENOENT;
    return closest_match(registry, directory, name, key);
}

/* The name without ".raw", into a buffer of NODE_NAME_LIMIT + 1. */
static void question_of(const struct node *node, char *question)
{
    size_t len = strlen(node->name) - (node->key.raw ? strlen(".raw") : 0);

    memcpy(question, node->name, len);
    question[len] = '\0';
}

static int closest_find(const struct node *node, uint64_t *pos)
{
    struct query_closest query;
    char question[NODE_NAME_LIMIT + 1];
    int error;

    question_of(node, question);
    error = closest_parse(node_clock(node), question, &query);
    if (error)
        return error;
    return kymo_series_find_closest(node->key.segment->reader, query.time, query.max_distance, pos);
}

/* ---- fields ---- */

/* Whether each element is a file of its own. A text is one value. */
static bool field_is_split(const struct kymo_field *field)
{
    return field->type != KYMO_CHAR && field->dimensions > 0 && field->count <= ELEMENTS_LISTED;
}

static int element_match(const struct kymo_field *field, const char *suffix, uint32_t *element)
{
    uint64_t number = RENDER_WHOLE_FIELD;

    if (field_is_split(field)) {
        if (!suffix || number_parse(suffix, &number) != 0 || number >= field->count)
            return -ENOENT;
    } else if (suffix) {
        return -ENOENT;
    }
    *element = (uint32_t)number;
    return 0;
}

static int field_match(struct registry *registry, const struct node *directory, const char *name,
                       struct node_key *key)
{
    const struct kymo_schema *schema = node_schema(directory);
    const char *dot = strchr(name, '.');
    const struct kymo_field *field;
    char base[NODE_NAME_LIMIT + 1];
    uint32_t element;

    (void)registry;
    snprintf(base, sizeof(base), "%.*s", (int)(dot ? dot - name : (ptrdiff_t)strlen(name)), name);
    field = kymo_schema_find(schema, base);
    if (!field || element_match(field, dot ? dot + 1 : NULL, &element) != 0)
        return -ENOENT;
    key->number = render_field_number((uint32_t)(field - schema->fields), element);
    return 0;
}

static void field_list_one(uint32_t number, const struct kymo_field *field, struct node_key key,
                           struct listing *listing)
{
    char name[sizeof(field->name) + 16];

    if (!field_is_split(field)) {
        key.number = render_field_number(number, RENDER_WHOLE_FIELD);
        listing_add(listing, &key, field->name);
        return;
    }
    for (uint32_t element = 0; element < field->count; element++) {
        key.number = render_field_number(number, element);
        snprintf(name, sizeof(name), "%s.%u", field->name, element);
        listing_add(listing, &key, name);
    }
}

static int field_list(struct registry *registry, const struct node *directory,
                      const struct node_kind *kind, struct listing *listing)
{
    const struct kymo_schema *schema = node_schema(directory);
    const struct node_key key = {.kind = kind, .segment = directory->key.segment};

    (void)registry;
    for (uint32_t i = 0; i < schema->count; i++)
        field_list_one(i, &schema->fields[i], key, listing);
    return 0;
}

/* ---- the table ---- */

enum {
    KIND_ROOT,
    KIND_README,
    KIND_SEGMENT,
    KIND_LATEST,
    KIND_HISTORY,
    KIND_HISTORY_RECORD,
    KIND_FIELDS,
    KIND_FIELD,
    KIND_INFO,
    KIND_SCHEMA,
    KIND_LINK,
    KIND_CLOSEST_QUERY,
    KIND_CLOSEST,
    KIND_CLOSEST_TIME
};

const struct node_kind node_kinds[] = {
    [KIND_ROOT] = {.name = "", .type = NODE_DIRECTORY, .flags = NODE_LISTED},
    [KIND_README] = {.name = "README",
                     .parent = &node_kinds[KIND_ROOT],
                     .type = NODE_FILE,
                     .flags = NODE_LISTED | NODE_CONSTANT,
                     .render = render_readme,
                     .help = "this page"},
    [KIND_SEGMENT] = {.name = "SEGMENT",
                      .parent = &node_kinds[KIND_ROOT],
                      .type = NODE_DIRECTORY,
                      .flags = NODE_LISTED,
                      .match = segment_match,
                      .list = segment_list,
                      .help = "one directory for each segment"},
    [KIND_LATEST] = {.name = "latest",
                     .parent = &node_kinds[KIND_SEGMENT],
                     .type = NODE_FILE,
                     .flags = NODE_LISTED | NODE_RAW | NODE_AT_HEAD,
                     .find = latest_find,
                     .render = render_record,
                     .limit = render_record_limit,
                     .help = "the newest record, one line of JSON"},
    [KIND_HISTORY] = {.name = "history",
                      .parent = &node_kinds[KIND_SEGMENT],
                      .type = NODE_DIRECTORY,
                      .flags = NODE_LISTED,
                      .help = "the newest 64; older ones open by number"},
    [KIND_HISTORY_RECORD] = {.name = "N",
                             .parent = &node_kinds[KIND_HISTORY],
                             .type = NODE_FILE,
                             .flags = NODE_LISTED | NODE_RAW | NODE_AT_HEAD,
                             .match = history_match,
                             .list = history_list,
                             .find = history_find,
                             .render = render_record,
                             .limit = render_record_limit,
                             .help = "like latest, N records back; 0 is the newest"},
    [KIND_FIELDS] = {.name = "field",
                     .parent = &node_kinds[KIND_SEGMENT],
                     .type = NODE_DIRECTORY,
                     .flags = NODE_LISTED,
                     .help = "the newest record's values, one a file"},
    [KIND_FIELD] = {.name = "NAME[.INDEX]",
                    .parent = &node_kinds[KIND_FIELDS],
                    .type = NODE_FILE,
                    .flags = NODE_LISTED | NODE_AT_HEAD,
                    .match = field_match,
                    .list = field_list,
                    .find = latest_find,
                    .render = render_field,
                    .limit = render_field_limit,
                    .help = "a value, or one a line of a long array"},
    [KIND_INFO] = {.name = "info",
                   .parent = &node_kinds[KIND_SEGMENT],
                   .type = NODE_FILE,
                   .flags = NODE_LISTED,
                   .render = render_info,
                   .limit = render_info_limit,
                   .help = "depth, clock, writer, age, rate, counters"},
    [KIND_SCHEMA] = {.name = "schema",
                     .parent = &node_kinds[KIND_SEGMENT],
                     .type = NODE_FILE,
                     .flags = NODE_LISTED | NODE_CONSTANT,
                     .render = render_schema,
                     .help = "the fields of a record, as JSON"},
    [KIND_LINK] = {.name = "raw",
                   .parent = &node_kinds[KIND_SEGMENT],
                   .type = NODE_LINK,
                   .flags = NODE_LISTED,
                   .render = render_link,
                   .help = "a link to the segment's own file"},
    [KIND_CLOSEST_QUERY] = {.name = CLOSEST "t=TIME[&max=DUR]",
                            .parent = &node_kinds[KIND_SEGMENT],
                            .type = NODE_FILE,
                            .flags = NODE_RAW,
                            .match = closest_query_match,
                            .find = closest_find,
                            .render = render_record,
                            .limit = render_record_limit,
                            .help = "the record closest to TIME"},
    [KIND_CLOSEST] = {.name = "closest",
                      .parent = &node_kinds[KIND_SEGMENT],
                      .type = NODE_DIRECTORY},
    [KIND_CLOSEST_TIME] = {.name = "TIME",
                           .parent = &node_kinds[KIND_CLOSEST],
                           .type = NODE_FILE,
                           .flags = NODE_RAW,
                           .match = closest_match,
                           .find = closest_find,
                           .render = render_record,
                           .limit = render_record_limit,
                           .help = "the same"},
};

const size_t node_kind_count = sizeof(node_kinds) / sizeof(node_kinds[0]);
const struct node_kind *const node_root = &node_kinds[KIND_ROOT];
const struct node_kind *const node_segment = &node_kinds[KIND_SEGMENT];
