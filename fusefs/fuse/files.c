/*
 * files.c - open, read, poll and release.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "operation.h"

/* A read of a history of up to this many bytes is rendered by the worker itself. */
#define SHORT_READ (UINT64_C(32) << 10)

static bool is_stream(const struct operation *operation)
{
    return node_has(&operation->inode->node, NODE_STREAM);
}

static struct snapshot *snapshot_of(const struct fuse_file_info *file)
{
    return (struct snapshot *)(uintptr_t)file->fh;
}

static struct stream *stream_of(const struct fuse_file_info *file)
{
    return (struct stream *)(uintptr_t)file->fh;
}

/* ---- open ---- */

static void finish_open(struct operation *operation)
{
    struct inode_table *inodes = operation->session->inodes;
    struct snapshot *snapshot;
    int error = file_open(inodes, operation->inode, &operation->request, &snapshot);

    if (error) {
        reply_error(operation->req, error);
        return;
    }
    operation->file.fh = (uintptr_t)snapshot;
    operation->file.direct_io = 1;
    if (fuse_reply_open(operation->req, &operation->file) != 0)
        file_close(inodes, operation->inode, snapshot);
}

static void open_stream(struct operation *operation)
{
    struct session *session = operation->session;
    struct stream *stream;
    int error = stream_open(session->streams, operation->request.segment,
                            &operation->request.credentials, &stream);

    if (error) {
        reply_error(operation->req, error);
        return;
    }
    inode_reference(session->inodes, operation->inode);
    if (stream_reply_open(operation->req, stream) == 0)
        return;
    stream_close(session->streams, stream);
    inode_release(session->inodes, operation->inode);
}

void operate_open(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *file)
{
    struct operation operation;
    int error;

    if (!operation_begin(&operation, req, number))
        return;
    error = node_resolve_to_read(&operation.request, &operation.inode->node);
    if (error) {
        operation_fail(&operation, error);
        return;
    }
    operation.file = *file;
    operation.finish = is_stream(&operation) ? open_stream : finish_open;
    operation_run(&operation, !is_stream(&operation) && node_is_bulk(&operation.request));
}

/* ---- read ---- */

static void finish_read(struct operation *operation)
{
    struct inode_table *inodes = operation->session->inodes;
    struct snapshot *snapshot = snapshot_of(&operation->file);
    struct kymo_text text = {0};
    const char *data;
    size_t len;
    int error;

    snapshot_reference(inodes, snapshot);
    error = file_read(inodes, operation->inode, snapshot, operation->file.lock_owner == 0,
                      &operation->request.budget, (uint64_t)operation->offset, operation->size,
                      &text, &data, &len);
    if (error)
        reply_error(operation->req, error);
    else
        fuse_reply_buf(operation->req, len > 0 ? data : "", len);
    snapshot_release(inodes, snapshot);
    kymo_text_free(&text);
}

void operate_read(fuse_req_t req, fuse_ino_t number, size_t size, off_t offset,
                  struct fuse_file_info *file)
{
    struct operation operation;
    const struct snapshot *snapshot;

    if (!operation_begin(&operation, req, number))
        return;
    if (is_stream(&operation)) {
        stream_read(operation.session->streams, stream_of(file), req, size, file->flags);
        operation_end(&operation);
        return;
    }
    snapshot = snapshot_of(file);
    operation.file = *file;
    operation.size = size;
    operation.offset = offset;
    operation.finish = finish_read;
    operation_run(&operation,
                  snapshot->history && size > SHORT_READ && snapshot->size > SHORT_READ);
}

/* ---- poll and release ---- */

void operate_poll(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *file,
                  struct fuse_pollhandle *handle)
{
    struct operation operation;

    if (!operation_begin(&operation, req, number)) {
        if (handle)
            fuse_pollhandle_destroy(handle);
        return;
    }
    if (is_stream(&operation)) {
        stream_poll(operation.session->streams, stream_of(file), req, handle);
    } else {
        if (handle)
            fuse_pollhandle_destroy(handle);
        fuse_reply_poll(req, POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
    }
    operation_end(&operation);
}

void operate_release(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *file)
{
    struct operation operation;
    struct session *session;
    uint64_t size = 0;

    if (!operation_begin(&operation, req, number))
        return;
    session = operation.session;
    if (is_stream(&operation)) {
        stream_close(session->streams, stream_of(file));
        inode_release(session->inodes, operation.inode);
    } else {
        size = snapshot_of(file)->size;
        file_close(session->inodes, operation.inode, snapshot_of(file));
    }
    fuse_reply_err(req, 0);
    operation_end(&operation);
    session_note_freed(session, size);
}
