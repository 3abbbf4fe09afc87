/*
 * names.c - the kind of a name, by the table of kinds.
 */
#include "kinds.h"

static bool has_raw_suffix(const struct node_kind *kind, const char *name, size_t len)
{
    return kind->flags & NODE_RAW && len > 4 && strcmp(name + len - 4, ".raw") == 0;
}

bool node_split_raw(const struct node_kind *kind, const char *name, char base[NODE_NAME_LIMIT + 1])
{
    size_t len = strlen(name);
    const bool raw = has_raw_suffix(kind, name, len);

    if (raw)
        len -= 4;
    memcpy(base, name, len);
    base[len] = '\0';
    return raw;
}

bool node_is_as_of(const struct node *node)
{
    for (; node->parent; node = node->parent) {
        if (node->kind->resolve == kind_resolve_instant)
            return true;
    }
    return false;
}

bool node_is_in_segment(const struct node *node)
{
    for (; node; node = node->parent) {
        if (node->kind == node_segment)
            return true;
    }
    return false;
}

bool node_kind_is_in(const struct node_kind *kind, const struct node *directory)
{
    if (kind->flags & NODE_PRESENT && node_is_as_of(directory))
        return false;
    return kind->parent == directory->kind || (kind->also_in && kind->also_in == directory->kind);
}

static bool has_name(const struct node_kind *kind, const struct node *directory, const char *name)
{
    char base[NODE_NAME_LIMIT + 1];

    if (!node_kind_is_in(kind, directory))
        return false;
    if (kind->path_name)
        return kind_is_query_name(kind, directory, name);
    node_split_raw(kind, name, base);
    return kind->is_name ? kind->is_name(base) : strcmp(base, kind->name) == 0;
}

/* The finalizer of splitmix64 (Steele, Lea, Flood 2014): each bit of the result depends on each bit
 * of the number. */
static uint64_t mix(uint64_t number)
{
    number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
    return number ^ (number >> 31);
}

uint64_t node_ino(const struct node *directory, const char *name)
{
    uint64_t ino = directory->ino;

    for (; *name; name++)
        ino = (ino ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    ino = mix(ino);
    /* 0 is not an inode number, and 1 is the root's. */
    return ino > 1 ? ino : ino + 2;
}

int node_init(struct node *node, const struct node *directory, const char *name)
{
    if (strlen(name) > NODE_NAME_LIMIT)
        return -ENAMETOOLONG;
    for (size_t i = 0; i < node_kind_count; i++) {
        if (has_name(&node_kinds[i], directory, name)) {
            *node = (struct node){&node_kinds[i], directory, name, node_ino(directory, name)};
            return 0;
        }
    }
    return -ENOENT;
}
