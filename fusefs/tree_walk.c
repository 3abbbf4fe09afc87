/*
 * tree_walk.c - who walks through the view, and who was sent back to look again.
 */
#include "tree_internal.h"

/* All threads of other process namespaces are 0. */
static bool is_somebody(const struct caller *caller)
{
    return caller && caller->thread != 0;
}

void walk_begin(struct tree *tree, const struct caller *caller)
{
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);

    if (!is_somebody(caller))
        return;
    pthread_mutex_lock(&tree->lock);
    tree->walks[caller->thread % WALKS] = (struct walk){caller->thread, now, now};
    pthread_mutex_unlock(&tree->lock);
}

uint64_t walk_goes_on(struct tree *tree, const struct caller *caller)
{
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
    struct walk *walk = &tree->walks[caller ? caller->thread % WALKS : 0];
    uint64_t began = UINT64_MAX;

    if (!is_somebody(caller))
        return began;
    pthread_mutex_lock(&tree->lock);
    if (walk->thread == caller->thread && walk->began != 0 && now - walk->seen < WALK_PAUSE) {
        walk->seen = now;
        began = walk->began;
    }
    pthread_mutex_unlock(&tree->lock);
    return began;
}

/* Two threads that share a place only take it from each other: one of them may see -ESTALE. */
static uint64_t *sent_back(struct tree *tree, const struct caller *caller)
{
    return &tree->sent_back[caller->thread % WALKS];
}

/* Beside the thread: the second way has met a name that is not there. */
#define SENT_BACK_MISSED (UINT64_C(1) << 32)

static bool is_sent_back(struct tree *tree, const struct caller *caller)
{
    return is_somebody(caller) &&
           (kymo_load_relaxed(sent_back(tree, caller)) & ~SENT_BACK_MISSED) == caller->thread;
}

/* Returns whether the caller had been sent back, and is on his second way no more. */
static bool has_come_back(struct tree *tree, const struct caller *caller)
{
    if (!is_sent_back(tree, caller))
        return false;
    kymo_store_relaxed(sent_back(tree, caller), 0);
    return true;
}

/* The kernel asks twice before it gives up: whether the name that it knows still holds, and then what
 * the name leads to, which may be there again. */
void miss_on_second_way(struct tree *tree, const struct caller *caller)
{
    if (!is_sent_back(tree, caller))
        return;
    if (kymo_load_relaxed(sent_back(tree, caller)) & SENT_BACK_MISSED)
        kymo_store_relaxed(sent_back(tree, caller), 0);
    else
        kymo_store_relaxed(sent_back(tree, caller), caller->thread | SENT_BACK_MISSED);
}

bool tree_sends_back(struct tree *tree, const struct node *node, const struct caller *caller)
{
    const bool again = has_come_back(tree, caller);

    if (!node->key.segment || registry_is_current(tree->registry, node->key.segment) || again ||
        !is_somebody(caller) || is_walking(walk_goes_on(tree, caller)))
        return false;
    kymo_store_relaxed(sent_back(tree, caller), caller->thread);
    return true;
}
