/*
 * ops.h - the view as a FUSE session.
 */
#ifndef KYMOFS_OPS_H
#define KYMOFS_OPS_H

#include <pthread.h>

#include "tree.h"

struct fuse_args;
struct fuse_buf;
struct fuse_session;
struct directory;
struct streams;

/* What the session's requests are answered from. Outlives the session. */
struct view {
    struct registry *registry;
    struct tree *tree;
    struct streams *streams;
    struct fuse_session *session; /* set by ops_session_new */
    void (*ready)(void *context); /* called once, when the kernel has begun to talk to us */
    void *context;
    pthread_mutex_t lock;
    struct directory *directories; /* under the lock */
};

/* NULL where an option is wrong, which has been told on stderr. */
struct fuse_session *ops_session_new(struct fuse_args *args, struct view *view);

/* Answers a request, or sees to it that somebody does. */
void ops_answer(struct view *view, const struct fuse_buf *request);

/* After the registry's thread and the last worker have ended. */
void ops_end(struct view *view);

/* For the registry to call; the context is the view. */
void ops_name_changed(void *context, const char *name);
bool ops_tidy(void *context);

#endif
