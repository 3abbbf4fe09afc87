/*
 * inode_table.c - two hash tables, by name and by number, and the queue of query files, under one
 * lock. The lock is held for a few memory accesses, never while content is made.
 */
#include "inode_table.h"

#include <pthread.h>
#include <stdlib.h>

#define BUCKETS_FIRST 256

struct inode_table {
    pthread_mutex_t lock;
    struct inode **by_name;
    struct inode **by_number;
    size_t mask; /* buckets - 1, of both */
    size_t count;
    uint64_t last_number;
    struct inode *oldest_query;
    struct inode *newest_query;
    size_t query_count;
    struct inode_content *contents;                 /* all */
    struct inode_prepared prepared[INODE_PREPARED]; /* in a circle */
    size_t next_prepared;
    struct inode *root;
};

void inode_lock(struct inode_table *table)
{
    pthread_mutex_lock(&table->lock);
}

void inode_unlock(struct inode_table *table)
{
    pthread_mutex_unlock(&table->lock);
}

/* ---- hash tables, under the lock ---- */

static struct inode **name_bucket(const struct inode_table *table, uint64_t ino)
{
    return &table->by_name[ino & table->mask];
}

static struct inode **number_bucket(const struct inode_table *table, uint64_t number)
{
    return &table->by_number[number & table->mask];
}

static void link_inode(struct inode_table *table, struct inode *inode)
{
    struct inode **name = name_bucket(table, inode->node.ino);
    struct inode **number = number_bucket(table, inode->number);

    inode->next_by_name = *name;
    *name = inode;
    inode->next_by_number = *number;
    *number = inode;
}

static void unlink_inode(struct inode_table *table, struct inode *inode)
{
    struct inode **name = name_bucket(table, inode->node.ino);
    struct inode **number = number_bucket(table, inode->number);

    while (*name != inode)
        name = &(*name)->next_by_name;
    *name = inode->next_by_name;
    while (*number != inode)
        number = &(*number)->next_by_number;
    *number = inode->next_by_number;
}

/* Without memory the tables stay as they are, and become slower. */
static void grow(struct inode_table *table)
{
    const size_t before = table->mask + 1;
    struct inode **old_names = table->by_name;
    struct inode **old_numbers = table->by_number;
    struct inode **names = calloc(before * 2, sizeof(*names));
    struct inode **numbers = calloc(before * 2, sizeof(*numbers));

    if (!names || !numbers) {
        free(names);
        free(numbers);
        return;
    }
    table->by_name = names;
    table->by_number = numbers;
    table->mask = before * 2 - 1;
    for (size_t i = 0; i < before; i++) {
        while (old_names[i]) {
            struct inode *inode = old_names[i];

            old_names[i] = inode->next_by_name;
            link_inode(table, inode);
        }
    }
    free(old_names);
    free(old_numbers);
}

static struct inode *find_name(const struct inode_table *table, const struct inode *parent,
                               const struct node *node)
{
    struct inode *inode = *name_bucket(table, node->ino);

    while (inode &&
           !(inode->is_current && inode->parent == parent && strcmp(inode->name, node->name) == 0))
        inode = inode->next_by_name;
    return inode;
}

static struct inode *find_number(const struct inode_table *table, uint64_t number)
{
    struct inode *inode = *number_bucket(table, number);

    while (inode && inode->number != number)
        inode = inode->next_by_number;
    return inode;
}

/* ---- the queue of query files, under the lock ---- */

static void queue_add(struct inode_table *table, struct inode *inode)
{
    inode->older = table->newest_query;
    inode->newer = NULL;
    if (inode->older)
        inode->older->newer = inode;
    else
        table->oldest_query = inode;
    table->newest_query = inode;
    table->query_count++;
}

static void queue_remove(struct inode_table *table, struct inode *inode)
{
    if (inode->older)
        inode->older->newer = inode->newer;
    else
        table->oldest_query = inode->newer;
    if (inode->newer)
        inode->newer->older = inode->older;
    else
        table->newest_query = inode->older;
    table->query_count--;
}

static bool is_query(const struct node *node)
{
    return node->kind->type != NODE_DIRECTORY && (node_has(node, NODE_MANY) || node_is_as_of(node));
}

/* ---- references, under the lock ---- */

/* Drops `count` references. Unlinks the inode, and the directories above it that nothing refers to
 * any more, and puts them before `freed`. */
static struct inode *drop(struct inode_table *table, struct inode *inode, uint64_t count,
                          struct inode *freed)
{
    while (inode) {
        struct inode *parent = inode->parent;

        inode->references -= count;
        if (inode->references > 0)
            break;
        unlink_inode(table, inode);
        if (inode->is_query)
            queue_remove(table, inode);
        if (inode->content)
            inode->content->inode = NULL;
        table->count--;
        inode->next_by_name = freed;
        freed = inode;
        inode = parent;
        count = 1;
    }
    return freed;
}

static size_t free_all(struct inode *freed)
{
    size_t count = 0;

    for (; freed; count++) {
        struct inode *inode = freed;

        freed = inode->next_by_name;
        free(inode);
    }
    return count;
}

/* Takes the kernel's lookups from the oldest query files that are not in use. One that is in use
 * becomes the newest. */
static struct inode *evict_queries(struct inode_table *table, struct inode *freed)
{
    const size_t count = table->query_count; /* each is checked once at most */

    for (size_t i = 0; i < count && table->query_count > INODE_QUERIES; i++) {
        struct inode *inode = table->oldest_query;
        const uint64_t lookups = inode->lookups;

        if (inode->references != lookups) {
            queue_remove(table, inode);
            queue_add(table, inode);
            continue;
        }
        inode->lookups = 0;
        freed = drop(table, inode, lookups, freed);
    }
    return freed;
}

struct inode *inode_find(struct inode_table *table, uint64_t number)
{
    struct inode *inode;

    inode_lock(table);
    inode = find_number(table, number);
    if (inode)
        inode->references++;
    inode_unlock(table);
    return inode;
}

void inode_reference(struct inode_table *table, struct inode *inode)
{
    inode_lock(table);
    inode->references++;
    inode_unlock(table);
}

void inode_release(struct inode_table *table, struct inode *inode)
{
    struct inode *freed;

    inode_lock(table);
    freed = drop(table, inode, 1, NULL);
    inode_unlock(table);
    free_all(freed);
}

size_t inode_forget(struct inode_table *table, uint64_t number, uint64_t count)
{
    struct inode *freed = NULL;
    struct inode *inode;

    inode_lock(table);
    inode = find_number(table, number);
    if (inode && number != INODE_ROOT) {
        count = count < inode->lookups ? count : inode->lookups;
        inode->lookups -= count;
        freed = count > 0 ? drop(table, inode, count, NULL) : NULL;
    }
    inode_unlock(table);
    return free_all(freed);
}

/* ---- lookups ---- */

static struct inode *inode_new(struct inode *parent, const struct node *node, bool versioned)
{
    struct inode *inode = calloc(1, sizeof(*inode) + strlen(node->name) + 1);

    if (!inode)
        return NULL;
    memcpy(inode->name, node->name, strlen(node->name) + 1);
    inode->node = *node;
    inode->node.name = inode->name;
    inode->node.parent = parent ? &parent->node : NULL;
    inode->parent = parent;
    inode->versioned = versioned;
    inode->is_query = is_query(node);
    return inode;
}

static void insert(struct inode_table *table, struct inode *inode)
{
    if (table->count > table->mask)
        grow(table);
    inode->number = ++table->last_number;
    inode->is_current = true;
    if (inode->parent)
        inode->parent->references++;
    if (inode->is_query)
        queue_add(table, inode);
    table->count++;
    link_inode(table, inode);
}

struct inode *inode_look_up(struct inode_table *table, struct inode *parent,
                            const struct node *node, bool versioned,
                            bool (*may_keep)(const struct inode *inode, const void *context),
                            const void *context)
{
    struct inode *fresh = inode_new(parent, node, versioned);
    struct inode *freed = NULL;
    struct inode *inode;

    if (!fresh)
        return NULL;
    inode_lock(table);
    inode = find_name(table, parent, node);
    if (inode && (inode->versioned != versioned || (may_keep && !may_keep(inode, context)))) {
        inode->is_current = false;
        fresh->is_replacement = inode->lookups > 0;
        inode = NULL;
    }
    if (!inode) {
        inode = fresh;
        fresh = NULL;
        insert(table, inode);
    }
    inode->lookups++;
    inode->references += 2;
    if (inode->is_query)
        freed = evict_queries(table, NULL);
    inode_unlock(table);
    free(fresh);
    free_all(freed);
    return inode;
}

/* ---- contents, under the lock ---- */

void inode_content_add(struct inode_table *table, struct inode_content *content)
{
    content->previous = NULL;
    content->next = table->contents;
    if (content->next)
        content->next->previous = content;
    table->contents = content;
}

void inode_content_remove(struct inode_table *table, struct inode_content *content)
{
    if (content->next)
        content->next->previous = content->previous;
    if (content->previous)
        content->previous->next = content->next;
    else
        table->contents = content->next;
    if (content->inode)
        content->inode->content = NULL;
}

struct inode_content *inode_content_first(const struct inode_table *table)
{
    return table->contents;
}

struct inode_prepared inode_keep_prepared(struct inode_table *table, struct inode_prepared prepared)
{
    struct inode_prepared *place = &table->prepared[table->next_prepared++ % INODE_PREPARED];
    const struct inode_prepared before = *place;

    prepared.inode->references++;
    *place = prepared;
    return before;
}

/* ---- open and close ---- */

int inode_table_open(struct inode_table **out)
{
    static const char root_name[] = "";
    const struct node root = {.kind = node_root, .name = root_name, .ino = INODE_ROOT};
    struct inode_table *table = calloc(1, sizeof(*table));

    *out = NULL;
    if (!table)
        return -ENOMEM;
    pthread_mutex_init(&table->lock, NULL);
    table->mask = BUCKETS_FIRST - 1;
    table->by_name = calloc(BUCKETS_FIRST, sizeof(struct inode *));
    table->by_number = calloc(BUCKETS_FIRST, sizeof(struct inode *));
    table->root = inode_new(NULL, &root, false);
    if (!table->by_name || !table->by_number || !table->root) {
        free(table->root);
        inode_table_close(table);
        return -ENOMEM;
    }
    table->root->references = 1;
    insert(table, table->root);
    *out = table;
    return 0;
}

void inode_table_close(struct inode_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; table->by_name && table->by_number && i <= table->mask; i++)
        free_all(table->by_name[i]);
    free(table->by_name);
    free(table->by_number);
    pthread_mutex_destroy(&table->lock);
    free(table);
}
