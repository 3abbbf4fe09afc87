/*
 * node.c - the table of node kinds, and what finds their names and records. What holds for all of
 * them alike is in node_names.c and node_attributes.c.
 */
#include "node.h"

#include <stdio.h>
#include <stdlib.h>

#include "metrics.h"
#include "plot.h"
#include "query.h"
#include "render.h"

/* Records that history/ lists; all that are there can be opened. */
#define HISTORY_LISTED 64

/* Arrays of more elements than this are one file. */
#define ELEMENTS_LISTED 64

/* ---- segments ---- */

/* Whether the directory's moment, if it has one, means anything on the segment's clock. */
static int clock_error(const struct node *directory, const struct segment *segment)
{
    const struct moment *moment = directory->key.moment;

    return moment ? moment->error[kymo_segment_clock(segment->reader->segment)] : 0;
}

static int segment_match(struct registry *registry, const struct node *directory, const char *name,
                         struct node_key *key)
{
    int error = registry_find(registry, name, &key->segment);

    if (error)
        return error;
    error = clock_error(directory, key->segment);
    if (error)
        segment_drop(key->segment);
    return error;
}

static int segment_list(struct registry *registry, const struct node *directory,
                        const struct node_kind *kind, struct listing *listing)
{
    struct segment **segments = NULL;
    const ssize_t count = registry_list(registry, &segments);
    struct node_key key = {.kind = kind, .moment = directory->key.moment};

    for (ssize_t i = 0; i < count; i++) {
        key.segment = segments[i];
        if (clock_error(directory, key.segment) == 0)
            listing_add(listing, &key, key.segment->name);
        segment_drop(key.segment);
    }
    free(segments);
    return count < 0 ? (int)count : 0;
}

/* ---- instants ---- */

static int moment_match(struct registry *registry, const struct node *directory, const char *name,
                        struct node_key *key)
{
    (void)registry;
    (void)directory;
    return moment_pin(name, &key->moment);
}

/* ---- records ---- */

static int latest_find(const struct node *node, uint64_t *pos)
{
    return kymo_ring_find_back(node_ring(node), 0, pos);
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

/* The oldest slot is the next to be overwritten: it can be asked for, but is not promised. So is what
 * was there at a moment and is overwritten by now: whoever listed it finds a name that opens no
 * more. */
static uint64_t history_count(const struct node *directory)
{
    const struct kymo_ring *ring = node_ring(directory);
    const uint64_t depth = kymo_ring_depth(ring);
    uint64_t written = kymo_ring_written(ring);
    struct kymo_window window;

    if (directory->key.moment && moment_window(directory, &window) == 0)
        written = window.high - ring->first;
    return written < depth ? written : depth;
}

static int history_match(struct registry *registry, const struct node *directory, const char *name,
                         struct node_key *key)
{
    (void)registry;
    if (number_parse(name, &key->number) != 0 || key->number >= history_count(directory))
        return -ENOENT;
    return 0;
}

static int history_list(struct registry *registry, const struct node *directory,
                        const struct node_kind *kind, struct listing *listing)
{
    struct node_key key = {.kind = kind,
                           .segment = directory->key.segment,
                           .moment = directory->key.moment};
    struct kymo_window window;
    char name[32];

    (void)registry;
    if (moment_window(directory, &window) != 0)
        return 0;
    for (; key.number < window.high - window.low && key.number < HISTORY_LISTED; key.number++) {
        snprintf(name, sizeof(name), "%llu", (unsigned long long)key.number);
        listing_add(listing, &key, name);
    }
    return 0;
}

static int history_find(const struct node *node, uint64_t *pos)
{
    return kymo_ring_find_back(node_ring(node), node->key.number, pos);
}

/* ---- questions about time ---- */

/* Reads a question's name, without ".raw", which the kind spells with "?", or below a directory. */
static int question_parse(const struct node_kind *kind, const struct node *node, const char *name,
                          struct query *query)
{
    const enum kymo_clock clock = node_clock(node);
    const char *mark = strchr(kind->name, '?');
    const size_t prefix = mark ? (size_t)(mark + 1 - kind->name) : 0;

    if (strncmp(name, kind->name, prefix) != 0)
        return -ENOENT;
    /* Nothing has an age where nobody knows what time it is. */
    if (kind->question == QUERY_FRESH && clock == KYMO_USER && !node->key.moment)
        return -EINVAL;
    return (mark ? query_parse : query_parse_path)(kind->question, name + prefix, clock,
                                                   node_now(node), query);
}

static int question_match(struct registry *registry, const struct node *directory, const char *name,
                          struct node_key *key)
{
    struct query query;

    (void)registry;
    return question_parse(key->kind, directory, name, &query);
}

int node_question(const struct node *node, struct query *query)
{
    const size_t len = strlen(node->name) - (node->key.raw ? strlen(".raw") : 0);
    char name[NODE_NAME_LIMIT + 1];

    memcpy(name, node->name, len);
    name[len] = '\0';
    return question_parse(node->key.kind, node, name, query);
}

static int closest_find(const struct node *node, uint64_t *pos)
{
    struct query query;
    int error = node_question(node, &query);

    return error ? error
                 : kymo_series_find_closest(node_reader(node), query.time, query.limit, pos);
}

static int fresh_find(const struct node *node, uint64_t *pos)
{
    const uint64_t now = node_now(node);
    struct kymo_view view;
    struct query query;
    int error = node_question(node, &query);

    if (!error)
        error = kymo_ring_view_latest(node_reader(node), &view);
    if (error)
        return error;
    *pos = view.record.pos;
    return now > view.record.time && now - view.record.time > query.limit ? -ETIME : 0;
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
    const struct node_key key = {.kind = kind,
                                 .segment = directory->key.segment,
                                 .moment = directory->key.moment};

    (void)registry;
    for (uint32_t i = 0; i < schema->count; i++)
        field_list_one(i, &schema->fields[i], key, listing);
    return 0;
}

/* ---- pictures ---- */

static bool has_numbers(const struct node *directory)
{
    return plot_is_possible(node_schema(directory));
}

static bool has_frames(const struct node *directory)
{
    struct kymo_info info;

    return kymo_segment_info(node_reader(directory)->segment, &info) == 0 &&
           kymo_image_size(&info.geometry) > 0;
}

/* ---- the table ---- */

enum {
    KIND_ROOT,
    KIND_README,
    KIND_METRICS,
    KIND_AT,
    KIND_AT_TIME,
    KIND_SEGMENT,
    KIND_LATEST,
    KIND_HISTORY,
    KIND_HISTORY_RECORD,
    KIND_HISTORY_TABLE,
    KIND_HISTORY_LINES,
    KIND_FIELDS,
    KIND_FIELD,
    KIND_INFO,
    KIND_SCHEMA,
    KIND_PLOT,
    KIND_PICTURE,
    KIND_LINK,
    KIND_CLOSEST_QUERY,
    KIND_CLOSEST,
    KIND_CLOSEST_TIME,
    KIND_INTERP_QUERY,
    KIND_INTERP,
    KIND_INTERP_TIME,
    KIND_FRESH_QUERY,
    KIND_FRESH,
    KIND_FRESH_AGE,
    KIND_RANGE_QUERY,
    KIND_RANGE,
    KIND_RANGE_ENDS,
    KIND_STREAM
};

const struct node_kind node_kinds[] = {
    [KIND_ROOT] = {.name = "", .type = NODE_DIRECTORY, .flags = NODE_LISTED},
    [KIND_README] = {.name = "README",
                     .parent = &node_kinds[KIND_ROOT],
                     .type = NODE_FILE,
                     .flags = NODE_LISTED | NODE_CONSTANT,
                     .render = render_readme,
                     .help = "this page"},
    [KIND_METRICS] = {.name = "metrics.prom",
                      .parent = &node_kinds[KIND_ROOT],
                      .type = NODE_FILE,
                      .flags = NODE_LISTED | NODE_PERSONAL,
                      .render_for = metrics_render,
                      .limit = metrics_limit,
                      .help = "all that you may read, for Prometheus"},
    [KIND_AT] = {.name = "at", .parent = &node_kinds[KIND_ROOT], .type = NODE_DIRECTORY},
    [KIND_AT_TIME] = {.name = "TIME",
                      .parent = &node_kinds[KIND_AT],
                      .type = NODE_DIRECTORY,
                      .match = moment_match,
                      .help = "all segments as of then: at/-2s/imu/latest"},
    [KIND_SEGMENT] = {.name = "SEGMENT",
                      .parent = &node_kinds[KIND_ROOT],
                      .also_in = &node_kinds[KIND_AT_TIME],
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
    [KIND_HISTORY_TABLE] = {.name = "history.csv",
                            .parent = &node_kinds[KIND_SEGMENT],
                            .type = NODE_FILE,
                            .flags = NODE_LISTED | NODE_AT_HEAD,
                            .render = render_history_table,
                            .limit = render_history_limit,
                            .help = "all records as a table, the newest last"},
    [KIND_HISTORY_LINES] = {.name = "history.ndjson",
                            .parent = &node_kinds[KIND_SEGMENT],
                            .type = NODE_FILE,
                            .flags = NODE_LISTED | NODE_AT_HEAD,
                            .render = render_history_lines,
                            .limit = render_history_limit,
                            .help = "the same, a line of JSON for each"},
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
    [KIND_PLOT] = {.name = "plot.svg",
                   .parent = &node_kinds[KIND_SEGMENT],
                   .type = NODE_FILE,
                   .flags = NODE_LISTED | NODE_AT_HEAD,
                   .is_there = has_numbers,
                   .render = render_plot,
                   .limit = render_plot_limit,
                   .help = "the history of the numeric fields, drawn"},
    [KIND_PICTURE] = {.name = "latest.png",
                      .parent = &node_kinds[KIND_SEGMENT],
                      .type = NODE_FILE,
                      .flags = NODE_LISTED | NODE_AT_HEAD,
                      .is_there = has_frames,
                      .find = latest_find,
                      .render = render_picture,
                      .limit = render_picture_limit,
                      .help = "the newest frame, of image segments"},
    [KIND_LINK] = {.name = "raw",
                   .parent = &node_kinds[KIND_SEGMENT],
                   .type = NODE_LINK,
                   .flags = NODE_LISTED | NODE_PRESENT,
                   .render = render_link,
                   .help = "a link to the segment's own file"},
    [KIND_CLOSEST_QUERY] = {.name = "closest?t=TIME[&max=DUR]",
                            .parent = &node_kinds[KIND_SEGMENT],
                            .type = NODE_FILE,
                            .flags = NODE_RAW,
                            .question = QUERY_CLOSEST,
                            .match = question_match,
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
                           .question = QUERY_CLOSEST,
                           .match = question_match,
                           .find = closest_find,
                           .render = render_record,
                           .limit = render_record_limit,
                           .help = "the same"},
    [KIND_INTERP_QUERY] = {.name = "interp?t=TIME",
                           .parent = &node_kinds[KIND_SEGMENT],
                           .type = NODE_FILE,
                           .question = QUERY_INTERP,
                           .match = question_match,
                           .render = render_interp,
                           .limit = render_interp_limit,
                           .help = "the two around TIME, and between them"},
    [KIND_INTERP] = {.name = "interp", .parent = &node_kinds[KIND_SEGMENT], .type = NODE_DIRECTORY},
    [KIND_INTERP_TIME] = {.name = "TIME",
                          .parent = &node_kinds[KIND_INTERP],
                          .type = NODE_FILE,
                          .question = QUERY_INTERP,
                          .match = question_match,
                          .render = render_interp,
                          .limit = render_interp_limit,
                          .help = "the same"},
    [KIND_FRESH_QUERY] = {.name = "fresh?max_age=DUR",
                          .parent = &node_kinds[KIND_SEGMENT],
                          .type = NODE_FILE,
                          .flags = NODE_RAW,
                          .question = QUERY_FRESH,
                          .match = question_match,
                          .find = fresh_find,
                          .render = render_record,
                          .limit = render_record_limit,
                          .help = "the newest record, if not older than DUR"},
    [KIND_FRESH] = {.name = "fresh", .parent = &node_kinds[KIND_SEGMENT], .type = NODE_DIRECTORY},
    [KIND_FRESH_AGE] = {.name = "DUR",
                        .parent = &node_kinds[KIND_FRESH],
                        .type = NODE_FILE,
                        .flags = NODE_RAW,
                        .question = QUERY_FRESH,
                        .match = question_match,
                        .find = fresh_find,
                        .render = render_record,
                        .limit = render_record_limit,
                        .help = "the same"},
    [KIND_RANGE_QUERY] = {.name = "range?from=TIME&to=TIME[&format=csv]",
                          .parent = &node_kinds[KIND_SEGMENT],
                          .type = NODE_FILE,
                          .question = QUERY_RANGE,
                          .match = question_match,
                          .render = render_range,
                          .limit = render_history_limit,
                          .help = "all records between, or as a table"},
    [KIND_RANGE] = {.name = "range", .parent = &node_kinds[KIND_SEGMENT], .type = NODE_DIRECTORY},
    [KIND_RANGE_ENDS] = {.name = "TIME..TIME",
                         .parent = &node_kinds[KIND_RANGE],
                         .type = NODE_FILE,
                         .question = QUERY_RANGE,
                         .match = question_match,
                         .render = render_range,
                         .limit = render_history_limit,
                         .help = "the same, lines of JSON"},
    [KIND_STREAM] = {.name = "stream",
                     .parent = &node_kinds[KIND_SEGMENT],
                     .type = NODE_FILE,
                     .flags = NODE_STREAM | NODE_PRESENT,
                     .help = "waits: each new record once, as JSON"},
};

const size_t node_kind_count = sizeof(node_kinds) / sizeof(node_kinds[0]);
const struct node_kind *const node_root = &node_kinds[KIND_ROOT];
const struct node_kind *const node_segment = &node_kinds[KIND_SEGMENT];
