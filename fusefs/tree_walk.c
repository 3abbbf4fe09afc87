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
    struct walk *walk;

    if (!is_somebody(caller))
        return;
    walk = &tree->walks[caller->thread % WALKS];
    pthread_mutex_lock(&tree->lock);
    kymo_store_relaxed(&walk->thread, caller->thread);
    walk->began = walk->seen = now;
    pthread_mutex_unlock(&tree->lock);
}

/* The caller's walk; NULL: he does not walk. Under the lock. */
static struct walk *walk_of(struct tree *tree, const struct caller *caller, uint64_t now)
{
    struct walk *walk = &tree->walks[caller->thread % WALKS];

    if (walk->thread != caller->thread || now - walk->seen >= WALK_PAUSE ||
        now - walk->began >= WALK_LIMIT)
        return NULL;
    return walk;
}

static uint64_t walk_on(struct tree *tree, const struct caller *caller, struct known *opened)
{
    uint64_t began = UINT64_MAX;
    struct walk *walk;
    uint64_t now;

    if (!is_somebody(caller) ||
        kymo_load_relaxed(&tree->walks[caller->thread % WALKS].thread) != caller->thread)
        return began;
    now = kymo_clock_now(KYMO_MONOTONIC);
    pthread_mutex_lock(&tree->lock);
    walk = walk_of(tree, caller, now);
    if (walk && opened && opened->walked == walk->began)
        kymo_store_relaxed(&walk->thread, 0);
    else if (walk)
        began = walk->began;
    if (is_walking(began))
        walk->seen = now;
    if (is_walking(began) && opened)
        opened->walked = began;
    pthread_mutex_unlock(&tree->lock);
    return began;
}

uint64_t walk_goes_on(struct tree *tree, const struct caller *caller)
{
    return walk_on(tree, caller, NULL);
}

/* Nobody who walks opens a file twice: he would be waiting for what becomes of it. */
static bool walk_opens(struct tree *tree, const struct caller *caller, struct node *node)
{
    return is_walking(walk_on(tree, caller, known_of(node)));
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

bool tree_sends_back(struct tree *tree, struct node *node, const struct caller *caller)
{
    const bool back = is_somebody(caller) && has_come_back(tree, caller);
    const bool walks = node->key.segment && walk_opens(tree, caller, node);

    if (!node->key.segment || back)
        return false;
    if (is_outgrown(node)) {
        if (is_somebody(caller))
            send_back(tree, caller);
        return true;
    }
    if (registry_is_current(tree->registry, node->key.segment) || walks || !is_somebody(caller))
        return false;
    return send_back(tree, caller);
}
