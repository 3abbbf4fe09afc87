/*
 * directories.c - opendir, readdir and releasedir. Entries are sent without attributes: the kernel
 * would discard those, since they may not be cached (K).
 */
#include <errno.h>
#include <stdlib.h>

#include "operation.h"

struct directory {
    struct listing listing;
    bool was_read; /* a read from the start lists again, as after rewinddir() */
    struct directory *previous;
    struct directory *next;
};

static struct directory *directory_of(const struct fuse_file_info *file)
{
    return (struct directory *)(uintptr_t)file->fh;
}

static struct directory *directory_new(struct session *session)
{
    struct directory *directory = calloc(1, sizeof(*directory));

    if (!directory)
        return NULL;
    pthread_mutex_lock(&session->lock);
    directory->next = session->directories;
    if (directory->next)
        directory->next->previous = directory;
    session->directories = directory;
    pthread_mutex_unlock(&session->lock);
    return directory;
}

static void directory_free(struct session *session, struct directory *directory)
{
    pthread_mutex_lock(&session->lock);
    if (directory->next)
        directory->next->previous = directory->previous;
    if (directory->previous)
        directory->previous->next = directory->next;
    else
        session->directories = directory->next;
    pthread_mutex_unlock(&session->lock);
    listing_free(&directory->listing);
    free(directory);
}

/* The directory of a segment that does not exist now is empty. */
static int list(struct operation *operation, struct directory *directory)
{
    const struct node *node = &operation->inode->node;
    int error;

    node_release(&operation->request);
    error = node_resolve_to_read(&operation->request, node);
    listing_free(&directory->listing);
    if (error)
        return error == -EACCES || !node_is_in_segment(node) ? error : 0;
    return node_list(&operation->request, node, &directory->listing);
}

static void finish_opendir(struct operation *operation)
{
    struct directory *directory = directory_new(operation->session);
    int error = directory ? list(operation, directory) : -ENOMEM;

    if (error) {
        reply_error(operation->req, error);
    } else {
        operation->file.fh = (uintptr_t)directory;
        inode_reference(operation->session->inodes, operation->inode);
        if (fuse_reply_open(operation->req, &operation->file) == 0)
            return;
        inode_release(operation->session->inodes, operation->inode);
    }
    if (directory)
        directory_free(operation->session, directory);
}

void operate_opendir(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *file)
{
    struct operation operation;

    if (!operation_begin(&operation, req, number))
        return;
    operation.file = *file;
    operation.finish = finish_opendir;
    operation_run(&operation, false);
}

/* A reply that is filled with entries. */
struct page {
    fuse_req_t req;
    char *data;
    size_t size;
    size_t len;
};

static mode_t type_of(enum node_type type)
{
    switch (type) {
    case NODE_DIRECTORY:
        return S_IFDIR;
    case NODE_LINK:
        return S_IFLNK;
    default:
        return S_IFREG;
    }
}

/* Returns false if the entry does not fit. */
static bool page_add(struct page *page, const char *name, uint64_t ino, enum node_type type,
                     off_t next)
{
    const struct stat attributes = {.st_ino = ino, .st_mode = type_of(type)};
    const size_t room = page->size - page->len;
    const size_t len =
        fuse_add_direntry(page->req, page->data + page->len, room, name, &attributes, next);

    if (len > room)
        return false;
    page->len += len;
    return true;
}

/* Entries 0 and 1 are "." and "..". */
static void page_fill(struct page *page, const struct node *node, const struct listing *listing,
                      size_t from)
{
    const struct node *parent = node->parent ? node->parent : node;
    bool fits = true;

    for (size_t i = from; fits && i < listing->count + 2; i++) {
        const off_t next = (off_t)i + 1;

        if (i == 0)
            fits = page_add(page, ".", node->ino, NODE_DIRECTORY, next);
        else if (i == 1)
            fits = page_add(page, "..", parent->ino, NODE_DIRECTORY, next);
        else
            fits = page_add(page, listing_name(listing, i - 2), listing->entries[i - 2].ino,
                            listing->entries[i - 2].type, next);
    }
}

void operate_readdir(fuse_req_t req, fuse_ino_t number, size_t size, off_t offset,
                     struct fuse_file_info *file)
{
    struct directory *directory = directory_of(file);
    struct operation operation;
    struct page page = {.req = req, .size = size};
    int error = 0;

    if (!operation_begin(&operation, req, number))
        return;
    if (offset == 0 && directory->was_read)
        error = list(&operation, directory);
    directory->was_read = true;
    page.data = error ? NULL : malloc(size);
    if (!page.data) {
        operation_fail(&operation, error ? error : -ENOMEM);
        return;
    }
    page_fill(&page, &operation.inode->node, &directory->listing, (size_t)offset);
    fuse_reply_buf(req, page.data, page.len);
    free(page.data);
    operation_end(&operation);
}

void operate_releasedir(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *file)
{
    struct directory *directory = directory_of(file);
    struct operation operation;
    struct session *session;
    uint64_t freed;

    if (!operation_begin(&operation, req, number))
        return;
    session = operation.session;
    freed = directory->listing.names.len;
    directory_free(session, directory);
    inode_release(session->inodes, operation.inode);
    fuse_reply_err(req, 0);
    operation_end(&operation);
    session_note_freed(session, freed);
}

void directories_close_all(struct session *session)
{
    while (session->directories)
        directory_free(session, session->directories);
}
