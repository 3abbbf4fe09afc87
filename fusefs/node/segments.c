/*
 * segments.c - names above the segments: segments themselves, and instants.
 */
#include "kinds.h"

#include <stdlib.h>

bool kind_is_any_name(const char *name)
{
    (void)name;
    return true;
}

bool kind_is_segment_name(const char *name)
{
    return kymo_name_check(name) == 0;
}

int kind_resolve_instant(struct request *request, const struct node *node, const char *name)
{
    (void)node;
    request->has_instant = true;
    return instant_parse(name, &request->instant);
}

/* The instant must have a meaning on the segment's clock. */
static int check_clock(const struct request *request, const struct segment *segment)
{
    return request->has_instant ? request->instant.error[segment->clock] : 0;
}

int kind_resolve_segment(struct request *request, const struct node *node, const char *name)
{
    int error = registry_find(request->registry, name, &request->segment, &request->status);

    (void)node;
    return error ? error : check_clock(request, request->segment);
}

int kind_list_segments(const struct request *request, const struct node_kind *kind,
                       struct listing *listing)
{
    struct segment **segments = NULL;
    const ssize_t count = registry_list(request->registry, &segments);

    for (ssize_t i = 0; i < count; i++) {
        if (check_clock(request, segments[i]) == 0)
            listing_add(listing, kind, segments[i]->name);
        segment_drop(segments[i]);
    }
    free(segments);
    return count < 0 ? (int)count : 0;
}
