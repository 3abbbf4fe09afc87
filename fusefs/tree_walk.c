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

/*
 * ESTALE sends the kernel a second time only: were it the answer again, the caller would see it. How
 * often the second way meets names that are not there, and whether it ends at one of them, nobody
 * tells. So a caller counts as being on it until his next open, or until it has surely ended.
 */
static bool is_on_second_way(const struct way *way, uint64_t now)
{
    return way->thread != 0 && now - way->since < SECOND_WAY;
}

/* Returns whether the caller had been sent back, and is on his second way no more. */
static bool has_come_back(struct tree *tree, const struct caller *caller)
{
    struct way *way = &tree->second_ways[caller->thread % WAYS];
    bool back = false;

    if (kymo_load_relaxed(&way->thread) != caller->thread)
        return false;
    pthread_mutex_lock(&tree->lock);
    if (way->thread == caller->thread) {
        back = is_on_second_way(way, kymo_clock_now(KYMO_MONOTONIC));
        kymo_store_relaxed(&way->thread, 0);
    }
    pthread_mutex_unlock(&tree->lock);
    return back;
}

/* Returns false where another thread has the place: who can't be told later may not be sent. */
static bool send_back(struct tree *tree, const struct caller *caller)
{
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
    struct way *way = &tree->second_ways[caller->thread % WAYS];
    bool sent;

    pthread_mutex_lock(&tree->lock);
    sent = !is_on_second_way(way, now);
    if (sent) {
        kymo_store_relaxed(&way->thread, caller->thread);
        way->since = now;
    }
    pthread_mutex_unlock(&tree->lock);
    return sent;
}

bool tree_sends_back(struct tree *tree, const struct node *node, const struct caller *caller)
{
    const bool back = is_somebody(caller) && has_come_back(tree, caller);

    if (!node->key.segment || registry_is_current(tree->registry, node->key.segment) || back ||
        !is_somebody(caller) || is_walking(walk_goes_on(tree, caller)))
        return false;
    return send_back(tree, caller);
}
