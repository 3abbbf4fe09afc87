/*
 * content.c - the content of a file: made whole, identified by a version, classified by its cost.
 */
#include "kinds.h"

/* Records, or segments, up to which a worker does the work itself: about 1 ms. */
#define FEW_RECORDS  512
#define FEW_SEGMENTS 64

bool node_is_large(const struct request *request)
{
    const struct node_kind *kind = request->kind;

    if (kind->type != NODE_FILE || kind->flags & NODE_STREAM)
        return false;
    return kind->flags & NODE_LARGE || (kind->limit && kind->limit(request) > NODE_PAGE);
}

int node_render(struct request *request, struct kymo_text *text, uint64_t *modified)
{
    int error;

    *modified = 0;
    if (request->kind->flags & NODE_PER_CALLER)
        error = render_metrics(request, text, modified);
    else if (request->segment)
        error = render_as_of(request, request->kind->render, text);
    else
        error = request->kind->render(request, text);
    return error ? error : text->error;
}

int node_find_span(const struct request *request, struct history_span *span)
{
    return history_find(request, request->kind->path_name != NULL, span);
}

/* The position behind the newest record that the file may show. */
static int find_end(const struct request *request, uint64_t *end)
{
    struct kymo_window window;
    int error;

    if (!request->has_instant) {
        *end = kymo_ring_head(request_ring(request));
        return 0;
    }
    error = render_window(request, &window);
    *end = window.high;
    return error;
}

/* Whether the content depends on the current time. */
static bool is_timed(const struct request *request)
{
    return request->kind->flags & NODE_PER_CALLER || request->kind->render == render_info;
}

static int find_words(const struct request *request, uint64_t words[2])
{
    struct history_span span;
    int error;

    if (request->kind->flags & NODE_CONSTANT)
        return 0;
    if (node_is_history(request)) {
        error = node_find_span(request, &span);
        words[0] = span.first;
        words[1] = span.end;
        return error;
    }
    if (request->find && !request->has_instant)
        return request->find(request, &words[0]);
    words[0] = request->kind->path_name ? request->query.time : 0;
    return find_end(request, &words[1]);
}

int node_version(const struct request *request, struct node_version *version)
{
    static uint64_t renderings;

    *version = (struct node_version){{0}};
    if (is_timed(request)) {
        version->words[0] = kymo_fetch_add_relaxed(&renderings, 1) + 1;
        return 0;
    }
    if (!request->segment)
        return 0;
    version->words[0] = request->segment->device;
    version->words[1] = request->segment->inode;
    return find_words(request, &version->words[2]);
}

bool node_is_bulk(const struct request *request)
{
    struct history_span span;

    if (request->kind->flags & NODE_PER_CALLER)
        return registry_count(request->registry) > FEW_SEGMENTS;
    if (node_is_history(request))
        return node_find_span(request, &span) == 0 && span.end - span.first > FEW_RECORDS;
    if (request->kind->render == render_plot)
        return kymo_ring_available(request_ring(request)) > FEW_RECORDS;
    return request->kind->render == render_picture;
}
