/*
 * tree_tidy.c - what the tree lets go before the kernel forgets it: segments that have gone, and nodes
 * that nobody comes by twice.
 */
#include "tree_internal.h"

/* So many nodes are looked at while the lock is held once. */
#define TIDY_STRIDE 4096

/* ---- spare nodes, under the lock ---- */

/* How many are kept in any case, and those of which the last use is not so long ago, ns. Somebody may
 * sit in a directory and have said nothing for a while. */
static const struct rule {
    uint32_t kept;
    uint64_t rest;
} rules[] = {{256, UINT64_C(2000000000)}, {4096, UINT64_C(60000000000)}};

static struct spare *spare_of(struct tree *tree, const struct known *known)
{
    return &tree->spare[known->node.key.kind->type == NODE_DIRECTORY];
}

static void spare_link(struct spare *spare, struct known *known, uint64_t now)
{
    known->spared = now;
    known->older = spare->newest;
    known->newer = NULL;
    if (spare->newest)
        spare->newest->newer = known;
    else
        spare->oldest = known;
    spare->newest = known;
}

static void spare_unlink(struct spare *spare, struct known *known)
{
    if (known->older)
        known->older->newer = known->newer;
    else
        spare->oldest = known->newer;
    if (known->newer)
        known->newer->older = known->older;
    else
        spare->newest = known->older;
}

static void spare_add(struct tree *tree, struct known *known)
{
    struct spare *spare = spare_of(tree, known);

    known->spare = true;
    spare_link(spare, known, coarse_now());
    kymo_store_relaxed32(&spare->count, spare->count + 1);
}

void spare_end(struct tree *tree, struct known *known)
{
    struct spare *spare = spare_of(tree, known);

    if (!known->spare)
        return;
    known->spare = false;
    spare_unlink(spare, known);
    kymo_store_relaxed32(&spare->count, spare->count - 1);
}

void spare_use(struct tree *tree, struct known *known, uint64_t now)
{
    if (!known->spare)
        return;
    spare_unlink(spare_of(tree, known), known);
    spare_link(spare_of(tree, known), known, now);
}

/* What is found by asking alone; all the others become spare when their segment goes. */
void spare_begin(struct tree *tree, struct known *known)
{
    const struct node *node = &known->node;

    if (node->key.moment || !node_has(node, NODE_LISTED))
        spare_add(tree, known);
}

void tree_tidy_begin(struct tree *tree)
{
    for (size_t i = 0; i < 2; i++)
        tree->spare[i].most = rules[i].kept;
}

bool tree_is_untidy(const struct tree *tree)
{
    for (size_t i = 0; i < 2; i++) {
        if (kymo_load_relaxed32(&tree->spare[i].count) > kymo_load_relaxed32(&tree->spare[i].most))
            return true;
    }
    return false;
}

/* ---- segments that have gone ---- */

static bool holds_departed(const struct node *node)
{
    return node->key.segment && node->key.segment->reader &&
           kymo_load_relaxed32(&node->key.segment->gone);
}

void tidy_look_again(struct tree *tree, const struct node *node)
{
    if (!holds_departed(node))
        return;
    kymo_fetch_or_ordered32(&tree->look_again, 1);
    registry_tidy_soon(tree->registry);
}

/* Segments to be dropped, not under the lock. */
struct dropped {
    struct segment *segments[TIDY_STRIDE];
    size_t count;
};

/* Whether somebody may be on his way through the segment's directory: something there is open, or was
 * asked about in the last second. */
static bool is_busy(const struct known *known)
{
    const struct node *node = &known->node;
    const struct known *directory;

    while (node->parent->key.segment)
        node = node->parent;
    directory = (const struct known *)node;
    return directory->busy > 0 || coarse_now() - directory->used < WALK_PAUSE;
}

/* Where he is, or a request is being answered, there is a next time. */
static bool let_go(struct tree *tree, struct known *known, struct dropped *dropped)
{
    struct segment *segment = known->node.key.segment;
    struct segment *shell;

    if (is_busy(known) || dropped->count == TIDY_STRIDE)
        return false;
    shell = segment_remember(segment);
    if (!shell)
        return false;
    known->node.key.segment = shell;
    dropped->segments[dropped->count++] = segment;
    if (!known->spare)
        spare_add(tree, known);
    return true;
}

/* In buckets from..from + TIDY_STRIDE. Returns where to go on; 0: that was the end. A table that grows
 * meanwhile has some nodes twice. */
static size_t let_go_some(struct tree *tree, size_t from, bool *left)
{
    struct dropped dropped = {.count = 0};
    size_t to;

    pthread_mutex_lock(&tree->lock);
    to = tree->mask - from < TIDY_STRIDE ? tree->mask + 1 : from + TIDY_STRIDE;
    for (size_t i = from; i < to; i++) {
        for (struct known *known = tree->buckets[i]; known; known = known->next) {
            if (holds_departed(&known->node) && !let_go(tree, known, &dropped))
                *left = true;
        }
    }
    to = to > tree->mask ? 0 : to;
    pthread_mutex_unlock(&tree->lock);
    for (size_t i = 0; i < dropped.count; i++)
        segment_drop(dropped.segments[i]);
    return to;
}

/* Where there may be any. Returns whether some are left. */
static bool let_go_all(struct tree *tree)
{
    const bool again = kymo_compare_exchange_ordered32(&tree->look_again, 1, 0);
    const uint64_t departures = registry_departures(tree->registry);
    bool left = false;
    size_t from = 0;

    if (!again && departures == tree->departures)
        return false;
    do
        from = let_go_some(tree, from, &left);
    while (from > 0);
    tree->departures = departures;
    if (left)
        kymo_fetch_or_ordered32(&tree->look_again, 1);
    return left;
}

/* ---- nodes that nobody comes by twice ---- */

/* The oldest first, of which nobody but the kernel knows. Returns whether there may be more. */
static bool forget_some(struct tree *tree, struct spare *spare, const struct rule *rule)
{
    struct known *dead = NULL;
    bool more = true;
    uint64_t now;

    pthread_mutex_lock(&tree->lock);
    now = coarse_now();
    for (size_t i = 0; i < TIDY_STRIDE && more; i++) {
        struct known *known = spare->oldest;

        if (spare->count <= rule->kept || now - known->spared < rule->rest)
            more = false;
        else if (known->references != known->outside)
            spare_use(tree, known, now);
        else
            dead = known_unref(tree, known, known->outside, dead);
    }
    pthread_mutex_unlock(&tree->lock);
    known_free_all(tree, dead);
    return more;
}

/* Returns whether there are too many of them still. */
static bool forget_all(struct tree *tree, struct spare *spare, const struct rule *rule)
{
    uint32_t count;

    while (forget_some(tree, spare, rule))
        ;
    count = kymo_load_relaxed32(&spare->count);
    /* Looking twice as often finds nothing new. */
    kymo_store_relaxed32(&spare->most, count > rule->kept / 2 ? 2 * count : rule->kept);
    return count > rule->kept;
}

bool tree_tidy(struct tree *tree)
{
    bool left = let_go_all(tree);

    for (size_t i = 0; i < 2; i++)
        left |= forget_all(tree, &tree->spare[i], &rules[i]);
    return left;
}
