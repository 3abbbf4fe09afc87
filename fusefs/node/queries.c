/*
 * queries.c - names that are queries. Each has two spellings, "closest?t=-2s" in the segment's
 * directory and "closest/-2s" in a directory of its own.
 */
#include "kinds.h"

/* The part of the path spelling that is a directory: the length of "closest" in "closest/TIME". */
static size_t directory_length(const struct node_kind *kind)
{
    return (size_t)(strchr(kind->path_name, '/') - kind->path_name);
}

static bool is_directory_of(const struct node_kind *kind, const char *name)
{
    const size_t len = directory_length(kind);

    return strncmp(name, kind->path_name, len) == 0 && name[len] == '\0';
}

bool kind_is_query_directory(const char *name)
{
    for (size_t i = 0; i < node_kind_count; i++) {
        if (node_kinds[i].path_name && is_directory_of(&node_kinds[i], name))
            return true;
    }
    return false;
}

/* The length of "closest?". */
static size_t prefix_length(const struct node_kind *kind)
{
    return (size_t)(strchr(kind->name, '?') + 1 - kind->name);
}

bool kind_is_query_name(const struct node_kind *kind, const struct node *directory,
                        const char *name)
{
    if (directory->kind == node_queries)
        return is_directory_of(kind, directory->name);
    return strncmp(name, kind->name, prefix_length(kind)) == 0;
}

int kind_resolve_query(struct request *request, const struct node *node, const char *name)
{
    const enum query_kind query = node->kind->query;
    const enum kymo_clock clock = request_clock(request);
    const uint64_t now = request_now(request);

    /* Records of a clock without a current time have no age. */
    if (query == QUERY_FRESH && clock == KYMO_USER && !request->has_instant)
        return -EINVAL;
    if (node->parent->kind == node_queries)
        return query_parse_path(query, name, clock, now, &request->query);
    return query_parse(query, name + prefix_length(node->kind), clock, now, &request->query);
}

int kind_find_closest(const struct request *request, uint64_t *pos)
{
    return kymo_series_find_closest(request->reader, request->query.time, request->query.limit,
                                    pos);
}

/* -ENOENT: no record has the tag. */
int kind_find_tag(const struct request *request, uint64_t *pos)
{
    const int error = kymo_series_find_tag(request->reader, request->query.tag, pos);

    return error == -ENOMSG ? -ENOENT : error;
}

/* A record ahead of the clock by more than the limit is not fresh either. */
int kind_find_fresh(const struct request *request, uint64_t *pos)
{
    const uint64_t now = request_now(request);
    struct kymo_view view;
    uint64_t age;
    int error = kymo_ring_view_latest(request->reader, &view);

    if (error)
        return error;
    *pos = view.record.pos;
    if (!request->has_instant && kymo_segment_is_of_other_boot(request->reader->segment))
        return -ETIME;
    age = now > view.record.time ? now - view.record.time : view.record.time - now;
    return age > request->query.limit ? -ETIME : 0;
}
