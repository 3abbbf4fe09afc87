/*
 * inode_table.h - the nodes that the kernel knows by number.
 *
 * An inode is a node with a number that is never reused. It exists while the kernel has looked it up
 * more often than it has forgotten it, while a request about it is in progress, while it is open, and
 * while an inode below it exists. Files that are found by name only (queries, and all files below at/)
 * would accumulate, since the kernel forgets names only when it lacks memory: of those, the newest
 * INODE_QUERIES and the open ones are kept, and a request about another one gets ESTALE, upon which
 * the kernel looks the name up again. All functions may be called from any thread.
 *
 * A file whose content may exceed a page is versioned: while it is open, its inode has one content,
 * and a lookup of its name finds another inode, with the same st_ino, once the content has changed, as
 * if each version were renamed over the name. sendfile(), splice() and mmap() use the inode's page
 * cache, which would otherwise mix the versions of several opens. See open_file.h.
 */
#ifndef KYMOFS_INODE_TABLE_H
#define KYMOFS_INODE_TABLE_H

#include "node.h"

struct inode_table;
struct inode;

/* The part of a content that the table uses: it is detached when its inode is freed. Under the
 * table's lock. */
struct inode_content {
    struct inode *inode;            /* NULL: of none any more */
    struct inode_content *previous; /* of all */
    struct inode_content *next;
};

struct inode_prepared {
    struct inode_content *content;
    struct inode *inode;
};

/* Inodes of query files that are kept although they are not in use. */
#define INODE_QUERIES 4096

/* Prepared contents (see below) that are kept at a time. */
#define INODE_PREPARED 16

#define INODE_ROOT UINT64_C(1) /* the root's number */

struct inode {
    struct node node;
    uint64_t number;
    bool versioned;
    /* Under the table's lock: */
    bool is_replacement;   /* the kernel knew another inode of the name */
    uint64_t repeat_until; /* of a lookup, see file_size(): CLOCK_MONOTONIC ns */
    uint32_t open_count;
    uint64_t reported_size;        /* the st_size that the kernel has */
    uint64_t looked_up_at;         /* of a versioned inode: CLOCK_MONOTONIC ns; 0: never */
    struct node_version looked_up; /* what the latest lookup has measured, or */
    int lookup_error;              /* why that content cannot be made */
    uint64_t open_identity;        /* the bytes of equal_count of the opens; see struct snapshot */
    uint32_t equal_count;
    struct inode_content *content; /* the newest that exists; of a versioned inode the only one */
    /* Private: */
    uint64_t lookups;    /* by the kernel */
    uint64_t references; /* lookups, requests, opens, inodes below */
    bool is_current;     /* lookups find it; false once another version has the name */
    bool is_query;       /* in the queue of query files */
    struct inode *parent;
    struct inode *next_by_name;
    struct inode *next_by_number;
    struct inode *older;
    struct inode *newer;
    char name[];
};

/* 0, or -ENOMEM. */
int inode_table_open(struct inode_table **table);
/* Frees all inodes. There are no contents any more. NULL is allowed. */
void inode_table_close(struct inode_table *table);

/* The inode, referenced until inode_release(); NULL: unknown by now. */
struct inode *inode_find(struct inode_table *table, uint64_t number);
void inode_reference(struct inode_table *table, struct inode *inode);
void inode_release(struct inode_table *table, struct inode *inode);

/*
 * Finds the current inode of a name, or creates it, and counts one lookup of the kernel. `node` is in
 * the directory of `parent`. A versioned inode is replaced by a new one if it is open, or prepared for
 * another caller, and may_keep() returns false for it, called with the lock held; NULL: always keep.
 * Referenced. NULL: no memory.
 */
struct inode *inode_look_up(struct inode_table *table, struct inode *parent,
                            const struct node *node, bool versioned,
                            bool (*may_keep)(const struct inode *inode, const void *context),
                            const void *context);

/* Subtracts lookups. An unknown number has no effect. Returns the number of inodes freed. */
size_t inode_forget(struct inode_table *table, uint64_t number, uint64_t count);

/* ---- for open_file.c ---- */

void inode_lock(struct inode_table *table);
void inode_unlock(struct inode_table *table);

/* Adds to, and removes from, the list of all contents; the list's first. With the lock held. */
void inode_content_add(struct inode_table *table, struct inode_content *content);
void inode_content_remove(struct inode_table *table, struct inode_content *content);
struct inode_content *inode_content_first(const struct inode_table *table);

/* Keeps a reference to prepared content until INODE_PREPARED newer ones are kept, and its inode, which
 * the kernel forgets between two lookups if it had another one. Returns those to which references are
 * no longer kept, or NULLs. With the lock held. */
struct inode_prepared inode_keep_prepared(struct inode_table *table,
                                          struct inode_prepared prepared);
#endif
