/*
 * resolve.c - what a node's path refers to now, and whether the caller may read it (K: one check for
 * all requests).
 */
#include "kinds.h"

int segment_enter(struct request *request)
{
    int error = registry_check_segment(request->registry, &request->credentials,
                                       request->segment->name, &request->status);

    if (!error)
        error = segment_acquire(request->segment);
    if (!error)
        request->reader = request->segment->reader;
    return error;
}

/* Checks the search permission of a directory that is passed through, or the read permission of a
 * node that is opened. Files above the segments are readable by all who may search the root. */
static int enter(struct request *request, const struct node *node, mode_t permission)
{
    if (node_is_in_segment(node))
        return request->reader ? 0 : segment_enter(request);
    if (node->kind->type == NODE_FILE)
        return 0;
    return registry_check_directory(request->registry, &request->credentials, permission);
}

static int resolve_name(struct request *request, const struct node *node)
{
    const struct node_kind *kind = node->kind;
    char base[NODE_NAME_LIMIT + 1];

    request->kind = kind;
    request->find = kind->find;
    request->raw = node_split_raw(kind, node->name, base);
    if (kind->exists && !kind->exists(request))
        return -ENOENT;
    return kind->resolve ? kind->resolve(request, node, base) : 0;
}

static int resolve(struct request *request, const struct node *node)
{
    int error = 0;

    if (node->parent) {
        error = resolve(request, node->parent);
        if (!error)
            error = enter(request, node->parent, S_IXOTH);
    }
    return error ? error : resolve_name(request, node);
}

int node_resolve(struct request *request, const struct node *node)
{
    int error;

    request->segment = NULL;
    request->reader = NULL;
    request->has_instant = false;
    request->query = (struct query){0};
    error = resolve(request, node);
    if (!error && !request->segment)
        error = registry_directory_status(request->registry, &request->status);
    return error;
}

int node_resolve_to_read(struct request *request, const struct node *node)
{
    int error = node_resolve(request, node);

    return error ? error : enter(request, node, S_IROTH);
}

void node_release(struct request *request)
{
    if (request->reader)
        segment_release(request->segment);
    segment_drop(request->segment);
    request->segment = NULL;
    request->reader = NULL;
}
