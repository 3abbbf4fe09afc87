/*
 * names.c - lookup, forget, attributes, access, links.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "operation.h"

/* Seconds for which the kernel may use a name without a lookup. Opens and attributes look the segment
 * up in any case, so that a cached file name delays nothing. A cached directory name of a removed
 * segment refers to an empty directory for as long. */
#define FILE_NAME_LIFE      1.0
#define DIRECTORY_NAME_LIFE 0.1

/* K: attributes are never cached. */
#define ATTRIBUTES_LIFE 0.0

/* ---- attributes ---- */

static int set_size(struct operation *operation, struct inode *inode, bool is_lookup,
                    struct stat *attributes)
{
    struct inode_table *inodes = operation->session->inodes;
    struct request *request = &operation->request;
    uint64_t size, modified;
    int error = file_size(inodes, inode, request, is_lookup, &size, &modified);

    if (error)
        return error;
    attributes->st_size = (off_t)size;
    if (modified) {
        attributes->st_mtim =
            (struct timespec){(time_t)(modified / 1000000000), (long)(modified % 1000000000)};
        attributes->st_atim = attributes->st_ctim = attributes->st_mtim;
    }
    return 0;
}

static void set_link_size(struct request *request, struct stat *attributes)
{
    struct kymo_text target = {0};
    uint64_t modified;

    if (node_render(request, &target, &modified) == 0)
        attributes->st_size = (off_t)target.len;
    kymo_text_free(&target);
}

/* Of the resolved inode. 0, or -EINTR. */
static int get_attributes(struct operation *operation, struct inode *inode, bool is_lookup,
                          struct stat *attributes)
{
    const struct node *node = &inode->node;
    int error = 0;

    node_attributes(&operation->request, node, attributes);
    if (node->kind->type == NODE_LINK)
        set_link_size(&operation->request, attributes);
    else if (node->kind->type == NODE_FILE && !node_has(node, NODE_STREAM))
        error = set_size(operation, inode, is_lookup, attributes);
    /* Without blocks a file counts as one hole, and cp searches it for data. */
    attributes->st_blocks = (attributes->st_size + 511) / 512;
    return error;
}

static void finish_getattr(struct operation *operation)
{
    struct stat attributes;
    int error = get_attributes(operation, operation->inode, false, &attributes);

    if (error)
        reply_error(operation->req, error);
    else
        fuse_reply_attr(operation->req, &attributes, ATTRIBUTES_LIFE);
}

void operate_getattr(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *file)
{
    struct operation operation;
    struct stat attributes;
    const struct node *node;
    int error;

    (void)file;
    if (!operation_begin(&operation, req, number))
        return;
    node = &operation.inode->node;
    error = node_resolve(&operation.request, node);
    if (!error) {
        operation.finish = finish_getattr;
        operation_run(&operation, node_is_bulk(&operation.request));
    } else if (error != -EACCES && node->kind->type == NODE_DIRECTORY) {
        node_attributes_absent(node, &attributes);
        fuse_reply_attr(req, &attributes, ATTRIBUTES_LIFE);
        operation_end(&operation);
    } else {
        operation_fail(&operation, error);
    }
}

/* ---- lookup ---- */

static double name_life(const struct inode *inode)
{
    if (inode->versioned || inode->is_query)
        return 0;
    return inode->node.kind->type == NODE_DIRECTORY ? DIRECTORY_NAME_LIFE : FILE_NAME_LIFE;
}

static void finish_lookup(struct operation *operation)
{
    struct inode_table *inodes = operation->session->inodes;
    struct inode *inode =
        file_look_up(inodes, operation->inode, &operation->child, &operation->request);
    struct fuse_entry_param entry = {.attr_timeout = ATTRIBUTES_LIFE};
    int error;

    if (!inode) {
        fuse_reply_err(operation->req, ENOMEM);
        return;
    }
    entry.ino = inode->number;
    entry.entry_timeout = name_life(inode);
    error = get_attributes(operation, inode, true, &entry.attr);
    if (error)
        reply_error(operation->req, error);
    if (error || fuse_reply_entry(operation->req, &entry) != 0)
        inode_forget(inodes, inode->number, 1);
    inode_release(inodes, inode);
}

void operate_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct operation operation;
    int error;

    if (!operation_begin(&operation, req, parent))
        return;
    error = strlen(name) > NODE_NAME_LIMIT ? -ENAMETOOLONG : 0;
    if (!error) {
        memcpy(operation.name, name, strlen(name) + 1);
        error = node_init(&operation.child, &operation.inode->node, operation.name);
    }
    if (!error)
        error = node_resolve(&operation.request, &operation.child);
    if (error) {
        operation_fail(&operation, error);
        return;
    }
    operation.finish = finish_lookup;
    operation_run(&operation, node_is_bulk(&operation.request));
}

static void forget(struct session *session, fuse_ino_t number, uint64_t count)
{
    const size_t freed = inode_forget(session->inodes, number, count);

    session_note_freed(session, freed * (sizeof(struct inode) + 32));
}

void operate_forget(fuse_req_t req, fuse_ino_t number, uint64_t count)
{
    forget(fuse_req_userdata(req), number, count);
    fuse_reply_none(req);
}

void operate_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t i = 0; i < count; i++)
        forget(fuse_req_userdata(req), forgets[i].ino, forgets[i].nlookup);
    fuse_reply_none(req);
}

/* ---- access and links ---- */

static int check_access(struct operation *operation, int mask)
{
    const struct node *node = &operation->inode->node;
    const bool is_directory = node->kind->type == NODE_DIRECTORY;
    int error;

    if (mask & W_OK)
        return -EROFS;
    if (mask & X_OK && !is_directory)
        return -EACCES;
    error = mask == F_OK ? node_resolve(&operation->request, node)
                         : node_resolve_to_read(&operation->request, node);
    return error != -EACCES && is_directory ? 0 : error;
}

void operate_access(fuse_req_t req, fuse_ino_t number, int mask)
{
    struct operation operation;

    if (operation_begin(&operation, req, number))
        operation_fail(&operation, check_access(&operation, mask));
}

void operate_readlink(fuse_req_t req, fuse_ino_t number)
{
    struct kymo_text target = {0};
    struct operation operation;
    uint64_t modified;
    int error;

    if (!operation_begin(&operation, req, number))
        return;
    error = node_resolve(&operation.request, &operation.inode->node);
    if (!error)
        error = node_render(&operation.request, &target, &modified);
    if (error)
        reply_error(req, error);
    else
        fuse_reply_readlink(req, target.data);
    kymo_text_free(&target);
    operation_end(&operation);
}
