/*
 * listing.c - the entries of a directory.
 */
#include "kinds.h"

#include <stdlib.h>

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

static void add(struct listing *listing, const struct node_kind *kind, const char *name,
                const char *suffix)
{
    if (listing->count == listing->capacity && !listing->error)
        listing->error = listing_grow(listing);
    if (listing->error)
        return;
    listing->entries[listing->count++] =
        (struct listing_entry){.name = listing->names.len, .type = kind->type};
    kymo_text_string(&listing->names, name);
    kymo_text_append(&listing->names, suffix, strlen(suffix) + 1);
    listing->error = listing->names.error;
}

void listing_add(struct listing *listing, const struct node_kind *kind, const char *name)
{
    add(listing, kind, name, "");
    if (kind->flags & NODE_RAW)
        add(listing, kind, name, ".raw");
}

static int list_kind(const struct request *request, const struct node_kind *kind,
                     struct listing *listing)
{
    if (kind->list)
        return kind->list(request, kind, listing);
    if (!kind->exists || kind->exists(request))
        listing_add(listing, kind, kind->name);
    return 0;
}

int node_list(const struct request *request, const struct node *directory, struct listing *listing)
{
    int error = 0;

    for (size_t i = 0; i < node_kind_count && !error; i++) {
        if (node_kinds[i].flags & NODE_LISTED && node_kind_is_in(&node_kinds[i], directory))
            error = list_kind(request, &node_kinds[i], listing);
    }
    for (size_t i = 0; i < listing->count && !listing->error; i++)
        listing->entries[i].ino = node_ino(directory, listing_name(listing, i));
    return error ? error : listing->error;
}

void listing_free(struct listing *listing)
{
    kymo_text_free(&listing->names);
    free(listing->entries);
    *listing = (struct listing){0};
}
