/*
 * session.c - the session and its table of operations.
 *
 * Not implemented: flush, xattr and statfs, which the kernel requests once and then omits; write,
 * since the mount is read-only; readdirplus (directories.c). No notification except that of poll is
 * sent: fuse_lowlevel_notify_inval_entry() takes the inode lock of the directory, which a thread in
 * lookup or readdir holds until the reply. If the daemon is killed inside that call, that thread
 * hangs.
 */
#include "session.h"

#include <errno.h>
#include <linux/fuse.h>
#include <stdlib.h>

#include "base/counters.h"
#include "operation.h"

static void init(void *data, struct fuse_conn_info *connection)
{
    struct session *session = data;

    (void)connection;
    if (session->options.ready)
        session->options.ready(session->options.context);
}

static const struct fuse_lowlevel_ops operations = {
    .init = init,
    .lookup = operate_lookup,
    .forget = operate_forget,
    .forget_multi = operate_forget_multi,
    .getattr = operate_getattr,
    .access = operate_access,
    .readlink = operate_readlink,
    .open = operate_open,
    .read = operate_read,
    .poll = operate_poll,
    .release = operate_release,
    .opendir = operate_opendir,
    .readdir = operate_readdir,
    .releasedir = operate_releasedir,
};

int session_open(struct session **out, struct fuse_args *args,
                 const struct session_options *options)
{
    struct session *session = calloc(1, sizeof(*session));
    int error = session ? 0 : -ENOMEM;

    *out = NULL;
    if (error)
        return error;
    session->options = *options;
    pthread_mutex_init(&session->lock, NULL);
    error = inode_table_open(&session->inodes);
    if (!error)
        error = shares_open(&session->memory, SESSION_MEMORY);
    if (!error)
        error = bulk_open(&session->bulk, 0);
    if (!error)
        error = streams_open(&session->streams, options->registry);
    if (!error) {
        session->fuse = fuse_session_new(args, &operations, sizeof(operations), session);
        error = session->fuse ? 0 : -EINVAL;
    }
    if (error)
        session_close(session);
    else
        *out = session;
    return error;
}

int session_mount(struct session *session, const char *mount_point)
{
    return fuse_session_mount(session->fuse, mount_point) == 0 ? 0 : -1;
}

int session_descriptor(const struct session *session)
{
    return fuse_session_fd(session->fuse);
}

int session_receive(struct session *session, struct fuse_buf *buffer)
{
    int len;

    if (fuse_session_exited(session->fuse))
        return -ENODEV;
    len = fuse_session_receive_buf(session->fuse, buffer);
    if (len > 0)
        return 0;
    return len == -EINTR ? -EINTR : -ENODEV;
}

/* Also requests that have no operation: they cost time all the same. */
static void count_request(const struct fuse_buf *buffer)
{
    const struct fuse_in_header *header = buffer->mem;

    if (buffer->size >= sizeof(*header) && !(buffer->flags & FUSE_BUF_IS_FD))
        counter_add_request(header->opcode);
}

void session_process(struct session *session, const struct fuse_buf *buffer)
{
    count_request(buffer);
    fuse_session_process_buf(session->fuse, buffer);
}

bool session_exited(const struct session *session)
{
    return fuse_session_exited(session->fuse);
}

void session_exit(struct session *session)
{
    fuse_session_exit(session->fuse);
}

/* The kernel may use the name for a moment longer: opens look it up. */
void session_names_changed(struct session *session, const char *name)
{
    (void)name;
    streams_changed(session->streams);
}

void session_close(struct session *session)
{
    if (!session)
        return;
    bulk_close(session->bulk);
    streams_close(session->streams);
    if (session->inodes)
        file_close_all(session->inodes);
    directories_close_all(session);
    inode_table_close(session->inodes);
    if (session->fuse) {
        fuse_session_unmount(session->fuse);
        fuse_session_destroy(session->fuse);
    }
    shares_close(session->memory);
    pthread_mutex_destroy(&session->lock);
    free(session);
}
