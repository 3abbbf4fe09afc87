/*
 * node_names.c - which node has a name, and what a directory lists: what follows from the table.
 */
#include "node.h"

#include <stdio.h>
#include <stdlib.h>

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

/* Whether files of that kind stand in the directory. */
static bool is_in(const struct node_kind *kind, const struct node *directory)
{
    if (directory->key.moment && kind->flags & NODE_PRESENT)
        return false;
    return kind->parent == directory->key.kind ||
           (kind->also_in && kind->also_in == directory->key.kind);
}

static int match_kind(struct registry *registry, const struct node *directory,
                      const struct node_kind *kind, const char *name, struct node_key *key)
{
    char base[NODE_NAME_LIMIT + 1];
    int error;

    *key = (struct node_key){.kind = kind,
                             .segment = directory->key.segment,
                             .moment = directory->key.moment};
    error = split_name(kind, name, base, &key->raw);
    if (error)
        return error;
    if (kind->match)
        return kind->match(registry, directory, base, key);
    if (strcmp(base, kind->name) != 0 || (kind->is_there && !kind->is_there(directory)))
        return -ENOENT;
    return 0;
}

int node_match(struct registry *registry, const struct node *directory, const char *name,
               struct node_key *key)
{
    int error = -ENOENT;

    for (size_t i = 0; i < node_kind_count && error == -ENOENT; i++) {
        if (is_in(&node_kinds[i], directory))
            error = match_kind(registry, directory, &node_kinds[i], name, key);
    }
    /* A kind that finds a segment, or pins a moment, holds it already. */
    if (!error && key->segment && key->segment == directory->key.segment)
        segment_hold(key->segment);
    if (!error && key->moment && key->moment == directory->key.moment)
        moment_hold(key->moment);
    return error;
}

/* Without a reader nobody can tell any more which records and fields a segment had: all of them. */
static int match_any(const struct node *directory, const char *name, struct node_key *key)
{
    char base[NODE_NAME_LIMIT + 1];

    for (size_t i = 0; i < node_kind_count; i++) {
        const struct node_kind *kind = &node_kinds[i];

        *key = (struct node_key){.kind = kind,
                                 .segment = directory->key.segment,
                                 .moment = directory->key.moment};
        if (is_in(kind, directory) && (kind->flags & NODE_LISTED) &&
            split_name(kind, name, base, &key->raw) == 0 &&
            (kind->match || strcmp(base, kind->name) == 0)) {
            node_key_hold(key);
            return 0;
        }
    }
    return -ENOENT;
}

int node_match_departed(struct registry *registry, const struct node *directory, const char *name,
                        uint64_t since, struct node_key *key)
{
    int error;

    if (directory->key.segment)
        return directory->key.segment->reader ? node_match(registry, directory, name, key)
                                              : match_any(directory, name, key);
    *key = (struct node_key){.kind = node_segment, .moment = directory->key.moment};
    if (!is_in(node_segment, directory))
        return -ENOENT;
    error = registry_find_departed(registry, name, since, &key->segment);
    if (!error)
        moment_hold(key->moment);
    return error;
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
        inode += mix(mix(key->segment->device) + key->segment->inode) - 1; /* the root is 1 */
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
    node_key_hold(key);
    listing->entries[listing->count++] = entry;
}

void listing_add(struct listing *listing, const struct node_key *key, const char *name)
{
    struct node_key raw = *key;

    listing_push(listing, key, name, "");
    raw.raw = true;
    if (key->kind->flags & NODE_RAW)
        listing_push(listing, &raw, name, ".raw");
}

int node_list(struct registry *registry, const struct node *directory, struct listing *listing)
{
    struct node_key key = {.segment = directory->key.segment, .moment = directory->key.moment};
    int error = 0;

    for (size_t i = 0; i < node_kind_count && !error; i++) {
        key.kind = &node_kinds[i];
        if (!is_in(key.kind, directory) || !(key.kind->flags & NODE_LISTED) ||
            (key.kind->is_there && !key.kind->is_there(directory)))
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
        node_key_drop(&listing->entries[i].key);
        free(listing->entries[i].name);
    }
    free(listing->entries);
    *listing = (struct listing){0};
}
