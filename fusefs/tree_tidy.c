/*
 * tree_tidy.c - names that the kernel had better forget, since they keep what has gone.
 */
#include "tree_internal.h"

#include <stdlib.h>

/* So many names that are found by asking alone may be known before they are forgotten. */
#define UNLISTED_LIMIT 256

/* So much of the table is looked through while the lock is held once. */
#define TIDY_STRIDE 4096

struct stale {
    struct known **nodes; /* each known once more */
    size_t count;
    size_t capacity;
};

bool tree_is_untidy(const struct tree *tree)
{
    return kymo_load_relaxed32(&tree->unlisted) > UNLISTED_LIMIT;
}

bool has_gone(const struct node *node)
{
    return node->key.segment && kymo_load_relaxed32(&node->key.segment->gone);
}

static bool is_stale(const struct known *known, bool unlisted)
{
    if (!known->node.parent)
        return false;
    return has_gone(&known->node) || (unlisted && !node_has(&known->node, NODE_LISTED));
}

/* Where memory is short, some have to wait for the next time. */
static void stale_add(struct stale *stale, struct known *known)
{
    if (stale->count == stale->capacity) {
        const size_t capacity = stale->capacity ? 2 * stale->capacity : 64;
        struct known **nodes = realloc(stale->nodes, capacity * sizeof(*nodes));

        if (!nodes)
            return;
        stale->nodes = nodes;
        stale->capacity = capacity;
    }
    known->references++;
    stale->nodes[stale->count++] = known;
}

/* Those in buckets from..from + TIDY_STRIDE. Returns where to go on; 0: that was the end. A table that
 * grows meanwhile has some nodes twice. */
static size_t find_stale(struct tree *tree, size_t from, bool unlisted, struct stale *stale)
{
    size_t to;

    pthread_mutex_lock(&tree->lock);
    to = tree->mask - from < TIDY_STRIDE ? tree->mask + 1 : from + TIDY_STRIDE;
    for (size_t i = from; i < to; i++) {
        for (struct known *known = tree->buckets[i]; known; known = known->next) {
            if (is_stale(known, unlisted))
                stale_add(stale, known);
        }
    }
    to = to > tree->mask ? 0 : to;
    pthread_mutex_unlock(&tree->lock);
    return to;
}

static void vain_drop(struct tree *tree, struct vain *vain)
{
    if (!vain->directory)
        return;
    known_drop(tree, vain->directory, 1);
    free(vain->name);
}

void vain_add(struct tree *tree, struct known *directory, const char *name)
{
    struct vain fresh = {directory, strdup(name)};
    struct vain old;

    if (!fresh.name)
        return;
    pthread_mutex_lock(&tree->lock);
    directory->references++;
    old = tree->vain[tree->vain_next % VAIN_LIMIT];
    tree->vain[tree->vain_next++ % VAIN_LIMIT] = fresh;
    pthread_mutex_unlock(&tree->lock);
    vain_drop(tree, &old);
}

/* Takes it out where its directory has gone, or where `all` are wanted. */
static struct vain vain_take(struct tree *tree, size_t i, bool all)
{
    struct vain *place = &tree->vain[i];
    struct vain taken = {0};

    pthread_mutex_lock(&tree->lock);
    if (place->directory && (all || has_gone(&place->directory->node))) {
        taken = *place;
        *place = (struct vain){0};
    }
    pthread_mutex_unlock(&tree->lock);
    return taken;
}

void vain_clear(struct tree *tree)
{
    for (size_t i = 0; i < VAIN_LIMIT; i++) {
        struct vain vain = vain_take(tree, i, true);

        vain_drop(tree, &vain);
    }
}

static size_t vain_forget(struct tree *tree, void (*forget)(void *context, const struct node *node),
                          void *context)
{
    size_t count = 0;

    for (size_t i = 0; i < VAIN_LIMIT; i++) {
        struct vain vain = vain_take(tree, i, false);

        if (vain.directory) {
            const struct node nothing = {.parent = &vain.directory->node, .name = vain.name};

            forget(context, &nothing);
            vain_drop(tree, &vain);
            count++;
        }
    }
    return count;
}

size_t tree_tidy(struct tree *tree, void (*forget)(void *context, const struct node *node),
                 void *context)
{
    const bool unlisted = tree_is_untidy(tree);
    const size_t vain = vain_forget(tree, forget, context);
    struct stale stale = {0};
    size_t from = 0;

    do
        from = find_stale(tree, from, unlisted, &stale);
    while (from > 0);
    for (size_t i = 0; i < stale.count; i++) {
        forget(context, &stale.nodes[i]->node);
        known_drop(tree, stale.nodes[i], 1);
    }
    free(stale.nodes);
    return stale.count + vain;
}
