/*
 * tree_content.c - snapshots: made, kept for the next open, within a limit of memory.
 */
#include "tree_internal.h"

#include <stdlib.h>

#include "render.h"
#include "workers.h"

/* ---- what nodes keep ---- */

/* Kernels forget nodes late, and whoever has listed a large tree with sizes has had a content made
 * for each of its files: nodes keep this much for their next open, bytes, the newest. */
static uint64_t keep_limit(const struct tree *tree)
{
    return tree->memory_limit / 16;
}

void snapshot_let_go(struct tree *tree, struct snapshot *snapshot)
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

void snapshot_keep(struct tree *tree, struct known *known, struct snapshot *snapshot)
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
        snapshot_let_go(tree, snapshot);
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

void snapshot_keep_less(struct tree *tree)
{
    keep_less(tree, keep_limit(tree));
}

/* ---- memory ---- */

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

uint64_t version_of(const struct node *node)
{
    return node_has(node, NODE_AT_HEAD) ? kymo_ring_head(&node->key.segment->reader->ring) : 0;
}

bool has_version(const struct node *node)
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

int snapshot_make(struct tree *tree, const struct node *node, const struct caller *caller,
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

void tree_limit_memory(struct tree *tree, uint64_t bytes)
{
    tree->memory_limit = bytes;
}
