/*
 * tree.c - known nodes, in two hash tables under one lock: found by name or number, taken up,
 * forgotten, opened.
 */
#include "tree_internal.h"

#include <stdlib.h>

#include "workers.h"

#define BUCKETS_FIRST 256

/* ---- the table, under the lock ---- */

static struct known **bucket_of(const struct tree *tree, uint64_t inode)
{
    return &tree->buckets[inode & tree->mask];
}

static struct known **numbers_of(const struct tree *tree, uint64_t number)
{
    return &tree->numbers[number & tree->mask];
}

static void table_insert(struct tree *tree, struct known *known)
{
    struct known **bucket = bucket_of(tree, known->node.inode);
    struct known **numbers = numbers_of(tree, known->number);

    known->next = *bucket;
    *bucket = known;
    known->next_number = *numbers;
    *numbers = known;
}

/* Where memory is short the tables stay as they are, and get slower. */
static void table_grow(struct tree *tree)
{
    const size_t before = tree->mask + 1;
    struct known **old = tree->buckets;
    struct known **old_numbers = tree->numbers;
    struct known **grown = calloc(before * 2, sizeof(*grown));
    struct known **grown_numbers = calloc(before * 2, sizeof(*grown_numbers));

    if (!grown || !grown_numbers) {
        free(grown);
        free(grown_numbers);
        return;
    }
    tree->buckets = grown;
    tree->numbers = grown_numbers;
    tree->mask = before * 2 - 1;
    for (size_t i = 0; i < before; i++) {
        while (old[i]) {
            struct known *known = old[i];

            old[i] = known->next;
            table_insert(tree, known);
        }
    }
    free(old);
    free(old_numbers);
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

static struct known *table_find_number(const struct tree *tree, uint64_t number)
{
    struct known *known = *numbers_of(tree, number);

    if (number == TREE_ROOT_NUMBER)
        return tree->root;
    while (known && known->number != number)
        known = known->next_number;
    return known;
}

static void table_add(struct tree *tree, struct known *known)
{
    if (tree->count > tree->mask)
        table_grow(tree);
    known->number = ++tree->last_number;
    known->current = true;
    table_insert(tree, known);
    tree->count++;
    spare_begin(tree, known);
}

static void table_remove(struct tree *tree, struct known *known)
{
    struct known **place = bucket_of(tree, known->node.inode);
    struct known **number = numbers_of(tree, known->number);

    while (*place != known)
        place = &(*place)->next;
    *place = known->next;
    while (*number != known)
        number = &(*number)->next_number;
    *number = known->next_number;
    tree->count--;
    spare_end(tree, known);
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
void tree_make_exact(struct node *node)
{
    /* Above the segments all are exact, but for what could not be made. */
    if (node->key.segment)
        kymo_fetch_or_ordered32(&node->key.segment->exact, exact_bit(node));
}

bool is_outgrown(const struct node *node)
{
    const struct segment *segment = node->key.segment;

    return segment && kymo_load_relaxed32(&segment->exact) & exact_bit(node) &&
           !((const struct known *)node)->exact && tree_is_exact(node);
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
    return known;
}

static void known_free(struct tree *tree, struct known *known)
{
    struct snapshot *snapshot;

    pthread_mutex_lock(&tree->lock);
    snapshot = known->snapshot;
    if (snapshot)
        snapshot_let_go(tree, snapshot);
    pthread_mutex_unlock(&tree->lock);
    if (snapshot)
        tree_close_file(tree, snapshot);
    node_key_drop(&known->node.key);
    free(known);
}

struct known *known_unref(struct tree *tree, struct known *known, uint64_t count,
                          struct known *dead)
{
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
    return dead;
}

void known_free_all(struct tree *tree, struct known *dead)
{
    while (dead) {
        struct known *known = dead;

        dead = known->next;
        known_free(tree, known);
    }
}

void tree_forget(struct tree *tree, uint64_t number, uint64_t count)
{
    struct known *dead = NULL;
    struct known *known;

    if (number == TREE_ROOT_NUMBER)
        return;
    pthread_mutex_lock(&tree->lock);
    known = table_find_number(tree, number);
    if (known) {
        count = count < known->outside ? count : known->outside;
        known->outside -= count;
        dead = known_unref(tree, known, count, NULL);
    }
    pthread_mutex_unlock(&tree->lock);
    known_free_all(tree, dead);
}

/* ---- held, while a request is answered or a file is open; under the lock ---- */

/* A request may look at everything above its node. */
static void hold(struct tree *tree, struct known *known)
{
    const uint64_t now = coarse_now();

    known->references++;
    spare_use(tree, known, now);
    for (struct node *node = &known->node; node; node = node->parent) {
        known_of(node)->busy++;
        known_of(node)->used = now;
    }
}

static void let_go(struct tree *tree, struct known *known)
{
    struct known *dead;

    pthread_mutex_lock(&tree->lock);
    for (struct node *node = &known->node; node; node = node->parent)
        known_of(node)->busy--;
    dead = known_unref(tree, known, 1, NULL);
    pthread_mutex_unlock(&tree->lock);
    known_free_all(tree, dead);
}

/* For the kernel, and for the request that has asked for it. */
static void know_once_more(struct tree *tree, struct known *known)
{
    known->references++;
    known->outside++;
    hold(tree, known);
}

uint64_t tree_number(const struct node *node)
{
    return ((const struct known *)node)->number;
}

struct node *tree_find(struct tree *tree, uint64_t number)
{
    struct known *known;

    pthread_mutex_lock(&tree->lock);
    known = table_find_number(tree, number);
    if (known)
        hold(tree, known);
    pthread_mutex_unlock(&tree->lock);
    return known ? &known->node : NULL;
}

void tree_done(struct tree *tree, struct node *node)
{
    let_go(tree, known_of(node));
}

void tree_opened(struct tree *tree, struct node *node)
{
    pthread_mutex_lock(&tree->lock);
    hold(tree, known_of(node));
    pthread_mutex_unlock(&tree->lock);
}

void tree_closed(struct tree *tree, struct node *node)
{
    let_go(tree, known_of(node));
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
        know_once_more(tree, known);
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
    if (!known || fresh->exact || known->exact) {
        if (known)
            known->current = false;
        table_add(tree, fresh);
        known_of(fresh->node.parent)->references++;
        known = fresh;
    }
    know_once_more(tree, known);
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
        snapshot_keep(tree, known, snapshot);
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
    snapshot_keep_less(tree);
    tidy_look_again(tree, &known->node);
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

/* ---- names and listings ---- */

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
    if ((error == -ENOENT || error == -ESTALE) && is_walking(since))
        error = match_departed(tree, directory, name, since, &key, &inode);
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
    bool walks = true;
    struct node now;
    int error;

    if (!directory->key.segment) {
        workers_step_aside();
        walk_begin(tree, caller);
    } else {
        walks = is_walking(walk_goes_on(tree, caller));
    }
    error = follow(tree, directory, &now);

    if (error)
        return error == -ENOENT || walks ? 0 : error;
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
        snapshot_keep_less(tree);
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
    if ((error == -ENOENT || error == -ESTALE) && node->key.segment &&
        !segment_is_current(node->key.segment) && is_walking(walk_goes_on(tree, caller)))
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
    tree_tidy_begin(tree);
    tree->mask = BUCKETS_FIRST - 1;
    tree->buckets = calloc(BUCKETS_FIRST, sizeof(*tree->buckets));
    tree->numbers = calloc(BUCKETS_FIRST, sizeof(*tree->numbers));
    tree->root = known_new(NULL, &key, 1, "");
    if (!tree->buckets || !tree->numbers || !tree->root) {
        free(tree->buckets);
        free(tree->numbers);
        free(tree->root);
        free(tree);
        return -ENOMEM;
    }
    tree->root->number = tree->last_number = TREE_ROOT_NUMBER;
    tree->root->references = 1;
    pthread_mutex_init(&tree->lock, NULL);
    *out = tree;
    return 0;
}

void tree_close(struct tree *tree)
{
    if (!tree)
        return;
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
    free(tree->numbers);
    pthread_mutex_destroy(&tree->lock);
    free(tree);
}
