/*
 * node.c - the table of node kinds, and what follows from it: names, listings, attributes.
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

static const struct kymo_ring *ring_of(const struct node *node)
{
    return &node->key.segment->reader->ring;
}

static const struct kymo_schema *schema_of(const struct node *node)
{
    return kymo_segment_schema(node->key.segment->reader->segment);
}

static enum kymo_clock clock_of(const struct node *node)
{
    return kymo_segment_clock(node->key.segment->reader->segment);
}

static void listing_add(struct listing *listing, const struct node_key *key, const char *name);

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
    return kymo_ring_behind(ring_of(node), 0, pos);
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
    uint64_t written = kymo_ring_written(ring_of(directory));

    (void)registry;
    if (number_parse(name, &key->number) != 0 || key->number >= written ||
        key->number >= kymo_ring_depth(ring_of(directory)))
        return -ENOENT;
    return 0;
}

/* The oldest slot is the next to be overwritten: it can be asked for, but is not promised. */
static int history_list(struct registry *registry, const struct node *directory,
                        const struct node_kind *kind, struct listing *listing)
{
    const uint64_t available = kymo_ring_available(ring_of(directory));
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
    return kymo_ring_behind(ring_of(node), node->key.number, pos);
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
    return closest_parse(clock_of(directory), name, &query);
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
    error = closest_parse(clock_of(node), question, &query);
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
    const struct kymo_schema *schema = schema_of(directory);
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
    const struct kymo_schema *schema = schema_of(directory);
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

/* ---- names ---- */

/* Takes ".raw" off the name where the kind knows it. -ENAMETOOLONG. */
static int split_name(const struct node_kind *kind, const char *name, char *base, bool *raw)
{
    size_t len = strlen(name);

    if (len > NODE_NAME_LIMIT)
        return -ENAMETOOLONG;
    *raw = kind->flags & NODE_RAW && len > 4 && strcmp(name + len - 4, ".raw") == 0;
    if (*raw)
        len -= 4;
    memcpy(base, name, len);
    base[len] = '\0';
    return 0;
}

static int match_kind(struct registry *registry, const struct node *directory,
                      const struct node_kind *kind, const char *name, struct node_key *key)
{
    char base[NODE_NAME_LIMIT + 1];
    int error;

    *key = (struct node_key){.kind = kind, .segment = directory->key.segment};
    error = split_name(kind, name, base, &key->raw);
    if (error)
        return error;
    if (kind->match)
        return kind->match(registry, directory, base, key);
    return strcmp(base, kind->name) == 0 ? 0 : -ENOENT;
}

int node_match(struct registry *registry, const struct node *directory, const char *name,
               struct node_key *key)
{
    int error = -ENOENT;

    for (size_t i = 0; i < node_kind_count && error == -ENOENT; i++) {
        if (node_kinds[i].parent == directory->key.kind)
            error = match_kind(registry, directory, &node_kinds[i], name, key);
    }
    /* A kind that finds a segment holds it already. */
    if (!error && key->segment && key->segment == directory->key.segment)
        segment_hold(key->segment);
    return error;
}

/* Without a reader nobody can tell any more which records and fields a segment had: all of them. */
static int match_any(const struct node *directory, const char *name, struct node_key *key)
{
    char base[NODE_NAME_LIMIT + 1];

    for (size_t i = 0; i < node_kind_count; i++) {
        const struct node_kind *kind = &node_kinds[i];

        *key = (struct node_key){.kind = kind, .segment = directory->key.segment};
        if (kind->parent == directory->key.kind && (kind->flags & NODE_LISTED) &&
            split_name(kind, name, base, &key->raw) == 0 &&
            (kind->match || strcmp(base, kind->name) == 0)) {
            segment_hold(key->segment);
            return 0;
        }
    }
    return -ENOENT;
}

int node_match_departed(struct registry *registry, const struct node *directory, const char *name,
                        uint64_t since, struct node_key *key)
{
    if (directory->key.segment)
        return directory->key.segment->reader ? node_match(registry, directory, name, key)
                                              : match_any(directory, name, key);
    *key = (struct node_key){.kind = &node_kinds[KIND_SEGMENT]};
    if (key->kind->parent != directory->key.kind)
        return -ENOENT;
    return registry_find_departed(registry, name, since, &key->segment);
}

/* A finalizer from splitmix64: every bit of the result depends on every bit of the number. */
static uint64_t mix(uint64_t number)
{
    number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
    return number ^ (number >> 31);
}

uint64_t node_inode(const struct node *directory, const struct node_key *key, const char *name)
{
    uint64_t inode = directory ? directory->inode : 0;

    if (key->segment && !directory->key.segment)
        inode = mix(mix(key->segment->device) + key->segment->inode);
    for (; *name; name++)
        inode = (inode ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    inode = mix(inode);
    /* 0 is no inode, and 1 is the root. */
    return inode > 1 ? inode : inode + 2;
}

/* ---- directories ---- */

static int listing_grow(struct listing *listing)
{
    const size_t capacity = listing->capacity * 2 + 16;
    struct listing_entry *grown = realloc(listing->entries, capacity * sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    listing->entries = grown;
    listing->capacity = capacity;
    return 0;
}

static void listing_push(struct listing *listing, const struct node_key *key, const char *name,
                         const char *suffix)
{
    struct listing_entry entry = {.key = *key};

    if (listing->error)
        return;
    if (asprintf(&entry.name, "%s%s", name, suffix) < 0) {
        listing->error = -ENOMEM;
        return;
    }
    if (listing->count == listing->capacity && listing_grow(listing) != 0) {
        listing->error = -ENOMEM;
        free(entry.name);
        return;
    }
    if (key->segment)
        segment_hold(key->segment);
    listing->entries[listing->count++] = entry;
}

static void listing_add(struct listing *listing, const struct node_key *key, const char *name)
{
    struct node_key raw = *key;

    listing_push(listing, key, name, "");
    raw.raw = true;
    if (key->kind->flags & NODE_RAW)
        listing_push(listing, &raw, name, ".raw");
}

int node_list(struct registry *registry, const struct node *directory, struct listing *listing)
{
    struct node_key key = {.segment = directory->key.segment};
    int error = 0;

    for (size_t i = 0; i < node_kind_count && !error; i++) {
        key.kind = &node_kinds[i];
        if (key.kind->parent != directory->key.kind || !(key.kind->flags & NODE_LISTED))
            continue;
        if (key.kind->list)
            error = key.kind->list(registry, directory, key.kind, listing);
        else
            listing_add(listing, &key, key.kind->name);
    }
    for (size_t i = 0; i < listing->count; i++) {
        struct listing_entry *entry = &listing->entries[i];

        entry->inode = node_inode(directory, &entry->key, entry->name);
    }
    return error ? error : listing->error;
}

void listing_free(struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        segment_drop(listing->entries[i].key.segment);
        free(listing->entries[i].name);
    }
    free(listing->entries);
    *listing = (struct listing){0};
}

/* ---- attributes ---- */

/*
 * What to add to a time on that clock to have it in ns since 1970. Kept until the clocks really
 * part (somebody set one), so that a file nobody wrote keeps its mtime to the nanosecond.
 */
static int64_t clock_offset(enum kymo_clock clock)
{
    static uint64_t kept[KYMO_USER];
    const int64_t tolerance = 1000000;
    int64_t old = (int64_t)kymo_load_relaxed(&kept[clock]);
    int64_t now = (int64_t)(kymo_clock_now(KYMO_REALTIME) - kymo_clock_now(clock));

    if (old != 0 && now - old < tolerance && old - now < tolerance)
        return old;
    kymo_store_relaxed(&kept[clock], (uint64_t)now);
    return now;
}

static uint64_t realtime_of(enum kymo_clock clock, uint64_t time)
{
    return clock == KYMO_REALTIME ? time : time + (uint64_t)clock_offset(clock);
}

/* When the segment was last written to, as far as one can tell; ns since 1970. */
static uint64_t segment_modified(const struct segment *segment)
{
    const struct kymo_segment *open;
    enum kymo_clock clock;
    struct kymo_view view;
    struct kymo_info info;

    if (!segment->reader)
        return segment->created;
    open = segment->reader->segment;
    clock = kymo_segment_clock(open);
    if (clock != KYMO_USER && kymo_ring_view_latest(segment->reader, &view) == 0)
        return realtime_of(clock, view.record.time);
    /* Times of the writer's own: its heartbeat, or its start, has to do. */
    if (kymo_segment_info(open, &info) != 0 || !(info.heartbeat | info.opened))
        return segment->created;
    return realtime_of(KYMO_MONOTONIC, info.heartbeat > info.opened ? info.heartbeat : info.opened);
}

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
}

/* A directory may be searched by who may read it (K). */
static mode_t mode_of(enum node_type type, mode_t readable)
{
    switch (type) {
    case NODE_DIRECTORY:
        return S_IFDIR | readable | readable >> 2;
    case NODE_LINK:
        return S_IFLNK | 0777;
    default:
        return S_IFREG | readable;
    }
}

static void attributes_of_segment(const struct segment *segment, enum node_type type,
                                  struct stat *attributes)
{
    attributes->st_mode = mode_of(type, kymo_load_relaxed32(&segment->mode));
    attributes->st_uid = kymo_load_relaxed32(&segment->uid);
    attributes->st_gid = kymo_load_relaxed32(&segment->gid);
    attributes->st_mtim = timespec_of(segment_modified(segment));
}

/* Above the segments, what holds for their directory. Whom it keeps out is kept out here (K). */
static void attributes_of_directory(enum node_type type, struct stat *attributes)
{
    struct stat status;

    if (stat(kymo_directory(), &status) != 0)
        status = (struct stat){.st_mode = 0500};
    else if (registry_has_access_list(kymo_directory()))
        status.st_mode &= 0700;
    attributes->st_mode =
        type == NODE_DIRECTORY ? S_IFDIR | (status.st_mode & 0555) : S_IFREG | 0444;
    attributes->st_uid = status.st_uid;
    attributes->st_gid = status.st_gid;
    attributes->st_mtim = status.st_mtim;
}

static off_t link_size(const struct node *node)
{
    struct kymo_text target = {0};
    off_t size = node->key.kind->render(node, &target) == 0 ? (off_t)target.len : 0;

    kymo_text_free(&target);
    return size;
}

void node_attributes(const struct node *node, struct stat *attributes)
{
    const enum node_type type = node->key.kind->type;

    *attributes = (struct stat){.st_ino = node->inode, .st_nlink = 1, .st_blksize = NODE_PAGE};
    if (node->key.segment)
        attributes_of_segment(node->key.segment, type, attributes);
    else
        attributes_of_directory(type, attributes);
    attributes->st_atim = attributes->st_ctim = attributes->st_mtim;
    if (type == NODE_FILE)
        attributes->st_size = NODE_PAGE;
    else if (type == NODE_LINK)
        attributes->st_size = link_size(node);
}

bool node_is_large(const struct node *node)
{
    const struct node_kind *kind = node->key.kind;

    if (kind->type != NODE_FILE || (node->key.segment && !node->key.segment->reader))
        return false;
    return node_has(node, NODE_CONSTANT) || (kind->limit && kind->limit(node) > NODE_PAGE);
}
