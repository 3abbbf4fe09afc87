/*
 * tree.c - known nodes in a hash table under one lock, and snapshots.
 *
 * The lock is held for a few memory accesses, never while content is made or the kernel is called.
 */
#include "tree.h"

#include <pthread.h>
#include <stdlib.h>

#include "render.h"
#include "workers.h"

#define BUCKETS_FIRST 256

/* A node and what the tree has to know about it. */
struct known {
    struct node node;
    struct known *next;        /* in its bucket */
    uint64_t references;       /* from outside, and from children */
    struct snapshot *snapshot; /* an exact node's content; NULL where there is none, or no more */
    uint64_t size;             /* what that has or had, bytes */
    bool exact;
    bool current; /* lookups find it; false once a newer one has the name */
    char name[];
};

/* Somebody who has listed the root, and is still at it. */
struct walk {
    uint64_t thread;
    uint64_t began; /* CLOCK_MONOTONIC ns: when he listed the root */
    uint64_t seen;  /* when he last asked for a name or a listing */
};

/*
 * A name that a segment's directory did not have. The kernel remembers that as well, and where the
 * segment goes at that very moment, it may keep the directory for its sake.
 */
struct vain {
    struct known *directory; /* known once more; NULL: there is none */
    char *name;
};

/* The newest are remembered: more than are asked for in the second before they are looked through. */
#define VAIN_LIMIT 4096

#define WALKS 64

/* Who has not asked for so long, ns, walks no more. */
#define WALK_PAUSE UINT64_C(1000000000)

struct tree {
    struct registry *registry;
    pthread_mutex_t lock; /* of all below, and of all known nodes but their struct node */
    struct known **buckets;
    size_t mask; /* buckets - 1 */
    size_t count;
    uint32_t unlisted; /* of these: how many are not listed; read without the lock, too */
    struct vain vain[VAIN_LIMIT]; /* in a circle */
    size_t vain_next;
    struct walk walks[WALKS];   /* by thread */
    uint64_t sent_back[WALKS];  /* by thread: whose next open is his second; without the lock */
    struct snapshot *snapshots; /* all that there are */
    struct snapshot *oldest;    /* of those that nodes keep */
    struct snapshot *newest;
    uint64_t kept;   /* bytes of those */
    uint64_t memory; /* bytes that all contents take, small ones apart */
    uint64_t memory_limit;
    struct known *root;
};

static struct known *known_of(struct node *node)
{
    return (struct known *)node;
}

/* ---- the table, under the lock ---- */

static struct known **bucket_of(const struct tree *tree, uint64_t inode)
{
    return &tree->buckets[inode & tree->mask];
}

/* Where memory is short the table stays as it is, and gets slower. */
static void table_grow(struct tree *tree)
{
    const size_t before = tree->mask + 1;
    struct known **old = tree->buckets;
    struct known **grown = calloc(before * 2, sizeof(*grown));

    if (!grown)
        return;
    tree->buckets = grown;
    tree->mask = before * 2 - 1;
    for (size_t i = 0; i < before; i++) {
        while (old[i]) {
            struct known *known = old[i];
            struct known **bucket = bucket_of(tree, known->node.inode);

            old[i] = known->next;
            known->next = *bucket;
            *bucket = known;
        }
    }
    free(old);
}

static struct known *table_find(const struct tree *tree, const struct node *like)
{
    for (struct known *known = *bucket_of(tree, like->inode); known; known = known->next) {
        if (known->current && known->node.inode == like->inode &&
            known->node.parent == like->parent && known->node.key.segment == like->key.segment &&
            moment_same(known->node.key.moment, like->key.moment) &&
            strcmp(known->name, like->name) == 0)
            return known;
    }
    return NULL;
}

static void count_unlisted(struct tree *tree, const struct known *known, int change)
{
    if (known->node.parent && !node_has(&known->node, NODE_LISTED))
        kymo_store_relaxed32(&tree->unlisted, tree->unlisted + (uint32_t)change);
}

static void table_add(struct tree *tree, struct known *known)
{
    struct known **bucket;

    if (tree->count > tree->mask)
        table_grow(tree);
    bucket = bucket_of(tree, known->node.inode);
    known->next = *bucket;
    known->current = true;
    *bucket = known;
    tree->count++;
    count_unlisted(tree, known, 1);
}

static void table_remove(struct tree *tree, struct known *known)
{
    struct known **place = bucket_of(tree, known->node.inode);

    while (*place != known)
        place = &(*place)->next;
    *place = known->next;
    tree->count--;
    count_unlisted(tree, known, -1);
}

/* ---- memory ---- */

/* Kernels forget nodes late, and whoever has listed a large tree with sizes has had a content made
 * for each of its files: nodes keep this much for their next open, bytes, the newest. */
static uint64_t keep_limit(const struct tree *tree)
{
    return tree->memory_limit / 16;
}

/* Takes the snapshot from the node that keeps it. Under the lock; the hold passes to the caller. */
static void let_go(struct tree *tree, struct snapshot *snapshot)
{
    if (snapshot->older)
        snapshot->older->newer = snapshot->newer;
    else
        tree->oldest = snapshot->newer;
    if (snapshot->newer)
        snapshot->newer->older = snapshot->older;
    else
        tree->newest = snapshot->older;
    tree->kept -= snapshot->text.capacity;
    snapshot->keeper->snapshot = NULL;
    snapshot->keeper = NULL;
}

/* Gives the node the snapshot, whose hold is the caller's, to keep. Under the lock. */
static void keep(struct tree *tree, struct known *known, struct snapshot *snapshot)
{
    snapshot->exact = true;
    snapshot->keeper = known;
    snapshot->older = tree->newest;
    snapshot->newer = NULL;
    if (tree->newest)
        tree->newest->newer = snapshot;
    else
        tree->oldest = snapshot;
    tree->newest = snapshot;
    tree->kept += snapshot->text.capacity;
    known->snapshot = snapshot;
    known->size = snapshot->text.len;
}

/*
 * Lets go of the oldest kept ones, until no more than `most` bytes are kept. One that is open stays:
 * stat on an open file tells its size. So does the very newest, which is about to be opened.
 */
static void keep_less(struct tree *tree, uint64_t most)
{
    struct snapshot *dropped = NULL;
    struct snapshot *newer;

    pthread_mutex_lock(&tree->lock);
    for (struct snapshot *snapshot = tree->oldest;
         snapshot && snapshot != tree->newest && tree->kept > most; snapshot = newer) {
        newer = snapshot->newer;
        if (kymo_load_relaxed32(&snapshot->holders) > 1)
            continue;
        let_go(tree, snapshot);
        snapshot->older = dropped;
        dropped = snapshot;
    }
    pthread_mutex_unlock(&tree->lock);
    while (dropped) {
        struct snapshot *snapshot = dropped;

        dropped = snapshot->older;
        tree_close_file(tree, snapshot);
    }
}

static bool memory_take_once(struct tree *tree, uint64_t bytes)
{
    bool fits;

    pthread_mutex_lock(&tree->lock);
    fits = bytes <= tree->memory_limit && tree->memory <= tree->memory_limit - bytes;
    if (fits)
        tree->memory += bytes;
    pthread_mutex_unlock(&tree->lock);
    return fits;
}

/* 0, or -ENOMEM: even without what is only kept there would be too much. */
static int memory_take(struct tree *tree, uint64_t bytes)
{
    if (bytes == 0 || memory_take_once(tree, bytes))
        return 0;
    keep_less(tree, 0);
    return memory_take_once(tree, bytes) ? 0 : -ENOMEM;
}

static void memory_give(struct tree *tree, uint64_t bytes)
{
    if (bytes == 0)
        return;
    pthread_mutex_lock(&tree->lock);
    tree->memory -= bytes;
    pthread_mutex_unlock(&tree->lock);
}

static uint64_t memory_charge(uint64_t bytes)
{
    return bytes > TREE_SMALL ? bytes : 0;
}

/* Content that is being made. */
struct making {
    struct render_room room;
    struct tree *tree;
    uint64_t charge;
};

/* Takes more for it, twice as much each time where there is so much. */
static int making_more(struct render_room *room, uint64_t bytes)
{
    struct making *making = (struct making *)room;
    uint64_t charge = bytes > 2 * making->charge ? bytes : 2 * making->charge;

    if (memory_charge(bytes) <= making->charge)
        return 0;
    if (memory_take(making->tree, charge - making->charge) != 0) {
        charge = bytes;
        if (memory_take(making->tree, charge - making->charge) != 0)
            return -ENOMEM;
    }
    making->charge = charge;
    return 0;
}

/* ---- content ---- */

/* What is different when the content is, where has_version. */
static uint64_t version_of(const struct node *node)
{
    return node_has(node, NODE_AT_HEAD) ? kymo_ring_head(&node->key.segment->reader->ring) : 0;
}

static bool has_version(const struct node *node)
{
    return node_has(node, NODE_AT_HEAD) || node_has(node, NODE_CONSTANT);
}

static void snapshot_link(struct tree *tree, struct snapshot *snapshot)
{
    pthread_mutex_lock(&tree->lock);
    snapshot->next = tree->snapshots;
    if (snapshot->next)
        snapshot->next->previous = snapshot;
    tree->snapshots = snapshot;
    pthread_mutex_unlock(&tree->lock);
}

static void snapshot_unlink(struct tree *tree, struct snapshot *snapshot)
{
    pthread_mutex_lock(&tree->lock);
    if (snapshot->next)
        snapshot->next->previous = snapshot->previous;
    if (snapshot->previous)
        snapshot->previous->next = snapshot->next;
    else
        tree->snapshots = snapshot->next;
    pthread_mutex_unlock(&tree->lock);
}

static void snapshot_free(struct tree *tree, struct snapshot *snapshot)
{
    memory_give(tree, snapshot->charge);
    kymo_text_free(&snapshot->text);
    free(snapshot);
}

/* Made, the content takes what it is long, and counts for that. */
static void snapshot_trim(struct tree *tree, struct snapshot *snapshot)
{
    struct kymo_text *text = &snapshot->text;
    char *trimmed = text->data ? realloc(text->data, text->len + 1) : NULL;
    const uint64_t before = snapshot->charge;

    if (trimmed) {
        text->data = trimmed;
        text->capacity = text->len + 1;
    }
    snapshot->charge = memory_charge(text->capacity);
    memory_give(tree, before - snapshot->charge);
}

static const struct caller nobody = {.uid = UINT32_MAX, .gid = UINT32_MAX};

static int snapshot_render(struct tree *tree, const struct node *node, struct snapshot *snapshot)
{
    struct request request = {.registry = tree->registry, .caller = &snapshot->caller};
    struct making making = {.room = {making_more}, .tree = tree};
    int error;

    render_room_set(&making.room);
    if (node_has(node, NODE_PERSONAL))
        error = node->key.kind->render_for(node, &request, &snapshot->text);
    else
        error = node_render(node, &snapshot->text);
    render_room_set(NULL);
    snapshot->modified = request.modified;
    snapshot->charge = making.charge;
    return error;
}

/* 0 and a snapshot with one holder, or an error of the library. */
static int snapshot_make(struct tree *tree, const struct node *node, const struct caller *caller,
                         struct snapshot **out)
{
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
    int error;

    if (!snapshot)
        return -ENOMEM;
    /* Taken first: content that is newer than its version is made anew too soon, never too late. */
    snapshot->version = version_of(node);
    snapshot->holders = 1;
    snapshot->caller = caller ? *caller : nobody;
    /* More than a page may take a while. */
    if (node_is_large(node) || node_has(node, NODE_PERSONAL))
        workers_step_aside();
    error = snapshot_render(tree, node, snapshot);
    if (!error)
        error = snapshot->text.error;
    if (error) {
        snapshot_free(tree, snapshot);
        return error;
    }
    snapshot_trim(tree, snapshot);
    snapshot_link(tree, snapshot);
    *out = snapshot;
    return 0;
}

void snapshot_hold(struct snapshot *snapshot)
{
    kymo_fetch_add_ordered32(&snapshot->holders, 1);
}

void tree_close_file(struct tree *tree, struct snapshot *snapshot)
{
    if (kymo_fetch_add_ordered32(&snapshot->holders, UINT32_MAX) != 1)
        return;
    snapshot_unlink(tree, snapshot);
    snapshot_free(tree, snapshot);
}

/* ---- which nodes are exact ---- */

static uint32_t exact_bit(const struct node *node)
{
    return UINT32_C(1) << (node->inode & 31);
}

bool tree_is_exact(const struct node *node)
{
    const struct segment *segment = node->key.segment;

    if (node->key.kind->type != NODE_FILE || node_has(node, NODE_STREAM))
        return false;
    return !node_has(node, NODE_LISTED) || node_is_large(node) ||
           (segment && kymo_load_relaxed32(&segment->exact) & exact_bit(node));
}

/* Who replaces a segment has the kernel told about its name in the root alone. */
bool tree_is_passing(const struct node *node)
{
    const struct node *parent = node->parent;

    if (node_has(node, NODE_STREAM))
        return false;
    return !node_has(node, NODE_LISTED) || (parent && parent->key.moment && !parent->key.segment) ||
           (tree_is_exact(node) && !node_has(node, NODE_CONSTANT));
}

/* The mark is the segment's, since the node is about to be forgotten; a few nodes share a bit, and
 * pay with one more request for each open. */
bool tree_make_exact(struct node *node)
{
    const uint32_t bit = exact_bit(node);

    /* Above the segments all are exact, but for what could not be made. */
    if (!node->key.segment)
        return false;
    return !(kymo_fetch_or_ordered32(&node->key.segment->exact, bit) & bit);
}

/* ---- known nodes ---- */

static struct known *known_new(struct node *directory, const struct node_key *key, uint64_t inode,
                               const char *name)
{
    struct known *known = calloc(1, sizeof(*known) + strlen(name) + 1);

    if (!known)
        return NULL;
    memcpy(known->name, name, strlen(name) + 1);
    known->node = (struct node){*key, directory, inode, known->name};
    known->exact = tree_is_exact(&known->node);
    known->references = 1;
    return known;
}

static void known_free(struct tree *tree, struct known *known)
{
    struct snapshot *snapshot;

    pthread_mutex_lock(&tree->lock);
    snapshot = known->snapshot;
    if (snapshot)
        let_go(tree, snapshot);
    pthread_mutex_unlock(&tree->lock);
    if (snapshot)
        tree_close_file(tree, snapshot);
    node_key_drop(&known->node.key);
    free(known);
}

/* Drops references, and frees what nobody refers to any more, up towards the root. */
static void known_drop(struct tree *tree, struct known *known, uint64_t count)
{
    struct known *dead = NULL;

    pthread_mutex_lock(&tree->lock);
    while (known) {
        struct known *parent = known->node.parent ? known_of(known->node.parent) : NULL;

        known->references -= count < known->references ? count : known->references;
        if (known->references > 0)
            break;
        table_remove(tree, known);
        known->next = dead;
        dead = known;
        known = parent;
        count = 1;
    }
    pthread_mutex_unlock(&tree->lock);
    /* The last one to hold a segment closes it: not under the lock. */
    while (dead) {
        known = dead;
        dead = known->next;
        known_free(tree, known);
    }
}

void tree_forget(struct tree *tree, struct node *node, uint64_t count)
{
    if (node != &tree->root->node)
        known_drop(tree, known_of(node), count);
}

/* ---- nodes that are better forgotten ---- */

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

static bool has_gone(const struct node *node)
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

static void vain_add(struct tree *tree, struct known *directory, const char *name)
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

/* ---- taken up, or found again ---- */

/* Whether the node may stand for its name once more. */
static bool still_holds(const struct known *known, bool exact, uint64_t version)
{
    if (!exact)
        return !known->exact;
    return known->snapshot && has_version(&known->node) && known->snapshot->version == version;
}

/* The node in the table, known once more, if there is one and it still holds. */
static struct known *find_again(struct tree *tree, const struct node *like)
{
    const bool exact = tree_is_exact(like);
    const uint64_t version = exact ? version_of(like) : 0;
    struct known *known;

    pthread_mutex_lock(&tree->lock);
    known = table_find(tree, like);
    if (known && still_holds(known, exact, version))
        known->references++;
    else
        known = NULL;
    pthread_mutex_unlock(&tree->lock);
    return known;
}

/* Takes the node up, in the place of one that holds no more. Where another thread was quicker, it
 * is its node that counts: two bounded nodes of a name would take turns in the kernel's cache. */
static struct known *take_up(struct tree *tree, struct known *fresh)
{
    struct known *known;

    pthread_mutex_lock(&tree->lock);
    known = table_find(tree, &fresh->node);
    if (known && !fresh->exact && !known->exact) {
        known->references++;
    } else {
        if (known)
            known->current = false;
        table_add(tree, fresh);
        known_of(fresh->node.parent)->references++;
        known = fresh;
    }
    pthread_mutex_unlock(&tree->lock);
    if (known != fresh)
        known_free(tree, fresh);
    return known;
}

/* Gives the node its content, where it has none: the snapshot's hold passes on, or is dropped. */
static void settle(struct tree *tree, struct known *known, struct snapshot *snapshot)
{
    pthread_mutex_lock(&tree->lock);
    if (!known->snapshot) {
        keep(tree, known, snapshot);
        snapshot = NULL;
    }
    pthread_mutex_unlock(&tree->lock);
    if (snapshot)
        tree_close_file(tree, snapshot);
}

/* Takes over the caller's hold of the key, whatever is returned. */
static int know(struct tree *tree, struct node *directory, const struct node_key *key,
                uint64_t inode, const char *name, struct node **node)
{
    const struct node like = {*key, directory, inode, name};
    struct known *known = find_again(tree, &like);
    struct snapshot *snapshot;

    if (known) {
        node_key_drop(key);
    } else {
        known = known_new(directory, key, inode, name);
        if (!known) {
            node_key_drop(key);
            return -ENOMEM;
        }
        /* What can't be made now has no size; whoever opens it is told why. */
        if (known->exact && !node_has(&known->node, NODE_PERSONAL) &&
            snapshot_make(tree, &known->node, NULL, &snapshot) == 0)
            settle(tree, known, snapshot);
        known = take_up(tree, known);
    }
    keep_less(tree, keep_limit(tree));
    *node = &known->node;
    return 0;
}

/* ---- what a node stands for now ---- */

static int follow(struct tree *tree, const struct node *node, struct node *now);

/* The segment's directory: by name. What is below: by name in the directory that it is in now. */
static int follow_name(struct tree *tree, const struct node *node, struct node *now)
{
    struct node parent;
    int error = follow(tree, node->parent, &parent);

    if (error)
        return error;
    error = node_match(tree->registry, &parent, node->name, &now->key);
    if (!error)
        now->inode = node_inode(&parent, &now->key, node->name);
    node_key_drop(&parent.key);
    if (error)
        return error == -ESTALE ? error : -ENOENT;
    if (segment_same_owner(node->key.segment, now->key.segment))
        return 0;
    node_key_drop(&now->key);
    return -ESTALE;
}

/* The node with the generation that its name leads to, held. -ENOENT, -ESTALE. */
static int follow(struct tree *tree, const struct node *node, struct node *now)
{
    *now = *node;
    if (node->key.segment && !segment_is_current(node->key.segment))
        return follow_name(tree, node, now);
    node_key_hold(&now->key);
    return 0;
}

/* ---- who walks ---- */

/* All threads of other process namespaces are 0. */
static bool is_somebody(const struct caller *caller)
{
    return caller && caller->thread != 0;
}

static void walk_begin(struct tree *tree, const struct caller *caller)
{
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);

    if (!is_somebody(caller))
        return;
    pthread_mutex_lock(&tree->lock);
    tree->walks[caller->thread % WALKS] = (struct walk){caller->thread, now, now};
    pthread_mutex_unlock(&tree->lock);
}

/* Returns since when the caller walks; UINT64_MAX: he does not. */
static uint64_t walk_goes_on(struct tree *tree, const struct caller *caller)
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

static bool is_walking(uint64_t since)
{
    return since != UINT64_MAX;
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
static void miss_on_second_way(struct tree *tree, const struct caller *caller)
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

/* Takes a name in the directory as it is now. */
static int match(struct tree *tree, const struct node *directory, const char *name,
                 struct node_key *key, uint64_t *inode)
{
    int error = node_match(tree->registry, directory, name, key);

    if (!error)
        *inode = node_inode(directory, key, name);
    return error;
}

/* The same for one who walks, in the directory as he may remember it. */
static int match_departed(struct tree *tree, const struct node *directory, const char *name,
                          uint64_t since, struct node_key *key, uint64_t *inode)
{
    int error = node_match_departed(tree->registry, directory, name, since, key);

    if (!error)
        *inode = node_inode(directory, key, name);
    return error;
}

int tree_lookup(struct tree *tree, struct node *directory, const char *name,
                const struct caller *caller, struct node **node)
{
    const uint64_t since = walk_goes_on(tree, caller);
    struct node_key key;
    struct node now;
    uint64_t inode;
    int error = follow(tree, directory, &now);

    if (!error) {
        error = match(tree, &now, name, &key, &inode);
        node_key_drop(&now.key);
    }
    if (error == -ENOENT && is_walking(since))
        error = match_departed(tree, directory, name, since, &key, &inode);
    if (error == -ENOENT && directory->key.segment) {
        vain_add(tree, known_of(directory), name);
        /* Else it is tidied up when it goes. */
        if (has_gone(directory))
            registry_tidy_soon(tree->registry);
    }
    if (error)
        miss_on_second_way(tree, caller);
    return error ? error : know(tree, directory, &key, inode, name, node);
}

int tree_take(struct tree *tree, struct node *directory, const struct listing_entry *entry,
              struct node **node)
{
    node_key_hold(&entry->key);
    return know(tree, directory, &entry->key, entry->inode, entry->name, node);
}

int tree_list(struct tree *tree, struct node *directory, const struct caller *caller,
              struct listing *listing)
{
    struct node now;
    int error;

    if (!directory->key.segment) {
        workers_step_aside();
        walk_begin(tree, caller);
    } else {
        walk_goes_on(tree, caller);
    }
    error = follow(tree, directory, &now);

    if (error)
        return error == -ENOENT ? 0 : error;
    error = node_list(tree->registry, &now, listing);
    node_key_drop(&now.key);
    return error;
}

/* ---- open files ---- */

/* Whether the snapshot is for that caller to see. */
static bool may_share(const struct known *known, const struct caller *caller)
{
    if (!node_has(&known->node, NODE_PERSONAL))
        return true;
    return caller && caller_is(caller, &known->snapshot->caller);
}

/* The content that was made for the node before; NULL where there is none, or another's. */
static struct snapshot *share(struct tree *tree, struct known *known, const struct caller *caller)
{
    struct snapshot *snapshot;

    pthread_mutex_lock(&tree->lock);
    snapshot = known->snapshot && may_share(known, caller) ? known->snapshot : NULL;
    if (snapshot)
        snapshot_hold(snapshot);
    pthread_mutex_unlock(&tree->lock);
    return snapshot;
}

/* Content as of now. -EIDRM: the segment was replaced meanwhile. */
static int make_now(struct tree *tree, struct known *known, const struct caller *caller,
                    struct snapshot **out)
{
    struct node now;
    bool same;
    int error = follow(tree, &known->node, &now);

    if (error)
        return error;
    same = now.key.segment == known->node.key.segment;
    *out = known->exact && same ? share(tree, known, caller) : NULL;
    if (!*out)
        error = snapshot_make(tree, &now, caller, out);
    if (!error && known->exact && same) {
        snapshot_hold(*out);
        settle(tree, known, *out);
        keep_less(tree, keep_limit(tree));
    }
    node_key_drop(&now.key);
    return error == -ESTALE ? -ENOENT : error;
}

/* Content that the segment held last, when it was replaced or removed. The copy of its reader reads
 * as if that had not been, through a page of its own. */
static int make_remains(struct tree *tree, const struct known *known, struct snapshot **out)
{
    const struct segment *segment = known->node.key.segment;
    struct kymo_control control = {.state = KYMO_CLOSED};
    struct kymo_reader reader;
    struct segment remains = {.name = segment->name, .reader = &reader, .remains = 1};
    struct node node = known->node;
    int error;

    if (!segment->reader)
        return -ENOENT;
    reader = *segment->reader;
    control.head = kymo_ring_head(&reader.ring);
    reader.ring.control = &control;
    node.key.segment = &remains;
    error = snapshot_make(tree, &node, NULL, out);
    /* F: the guard marks the reader that it knows. */
    if (!error && kymo_load_relaxed32(&segment->reader->ring.damaged)) {
        tree_close_file(tree, *out);
        error = -EBADMSG;
    }
    return error ? -ENOENT : 0;
}

int tree_open_file(struct tree *tree, struct node *node, const struct caller *caller,
                   struct snapshot **out)
{
    const int tries = 8; /* E: a segment may be replaced over and over */
    struct known *known = known_of(node);
    int error = -EIDRM;

    if (node->key.kind->type == NODE_LINK)
        return snapshot_make(tree, node, NULL, out);
    /* Looked up for this open. */
    *out = known->exact && tree_is_passing(node) ? share(tree, known, caller) : NULL;
    if (*out)
        return 0;
    for (int i = 0; i < tries && error == -EIDRM; i++)
        error = make_now(tree, known, caller, out);
    if (error == -EIDRM)
        error = -ENOENT;
    if (error == -ENOENT && node->key.segment && !segment_is_current(node->key.segment) &&
        is_walking(walk_goes_on(tree, caller)))
        error = make_remains(tree, known, out);
    return error;
}

int tree_hold_segment(struct tree *tree, const struct node *node, struct segment **segment)
{
    struct node now;
    int error = follow(tree, node, &now);

    if (error)
        return error == -ESTALE ? -ENOENT : error;
    *segment = now.key.segment;
    return 0;
}

/* ---- attributes ---- */

/* The content whose size is the node's; NULL where there is none. */
/* What the node's content was long, even where the node has let go of it. Of personal content only
 * that of its caller counts. */
static uint64_t size_kept(struct tree *tree, const struct known *known)
{
    uint64_t size;

    pthread_mutex_lock(&tree->lock);
    size = node_has(&known->node, NODE_PERSONAL) ? 0 : known->size;
    pthread_mutex_unlock(&tree->lock);
    return size;
}

static struct snapshot *measured(struct tree *tree, struct known *known,
                                 const struct caller *caller)
{
    struct snapshot *snapshot = NULL;

    if (!known->exact)
        return NULL;
    if (caller && node_has(&known->node, NODE_PERSONAL))
        return make_now(tree, known, caller, &snapshot) == 0 ? snapshot : NULL;
    return share(tree, known, caller);
}

/* Says when the content was written, where that is another time than the node's. */
static void set_modified(struct stat *attributes, const struct snapshot *snapshot)
{
    if (!snapshot || snapshot->modified == 0)
        return;
    attributes->st_mtim.tv_sec = (time_t)(snapshot->modified / 1000000000);
    attributes->st_mtim.tv_nsec = (long)(snapshot->modified % 1000000000);
    attributes->st_atim = attributes->st_ctim = attributes->st_mtim;
}

bool tree_attributes(struct tree *tree, struct node *node, const struct caller *caller,
                     struct stat *attributes)
{
    struct known *known = known_of(node);
    struct snapshot *snapshot = measured(tree, known, caller);

    node_attributes(node, attributes);
    if (known->exact)
        attributes->st_size = (off_t)(snapshot ? snapshot->text.len : size_kept(tree, known));
    set_modified(attributes, snapshot);
    /* Without blocks a file counts as one big hole, and cp looks for data in it. */
    attributes->st_blocks = (attributes->st_size + 511) / 512;
    if (!snapshot)
        return !known->exact;
    tree_close_file(tree, snapshot);
    return true;
}

/* ---- open and close ---- */

struct node *tree_root(struct tree *tree)
{
    return &tree->root->node;
}

int tree_open(struct tree **out, struct registry *registry)
{
    const struct node_key key = {.kind = node_root};
    struct tree *tree = calloc(1, sizeof(*tree));

    *out = NULL;
    if (!tree)
        return -ENOMEM;
    tree->registry = registry;
    tree->memory_limit = TREE_MEMORY;
    tree->mask = BUCKETS_FIRST - 1;
    tree->buckets = calloc(BUCKETS_FIRST, sizeof(*tree->buckets));
    tree->root = known_new(NULL, &key, 1, "");
    if (!tree->buckets || !tree->root) {
        free(tree->buckets);
        free(tree->root);
        free(tree);
        return -ENOMEM;
    }
    pthread_mutex_init(&tree->lock, NULL);
    *out = tree;
    return 0;
}

void tree_limit_memory(struct tree *tree, uint64_t bytes)
{
    tree->memory_limit = bytes;
}

void tree_close(struct tree *tree)
{
    if (!tree)
        return;
    for (size_t i = 0; i < VAIN_LIMIT; i++) {
        struct vain vain = vain_take(tree, i, true);

        vain_drop(tree, &vain);
    }
    /* Nobody says goodbye when the mount goes. */
    for (size_t i = 0; i <= tree->mask; i++) {
        while (tree->buckets[i]) {
            struct known *known = tree->buckets[i];

            tree->buckets[i] = known->next;
            known_free(tree, known);
        }
    }
    while (tree->snapshots)
        tree_close_file(tree, tree->snapshots);
    known_free(tree, tree->root);
    free(tree->buckets);
    pthread_mutex_destroy(&tree->lock);
    free(tree);
}
