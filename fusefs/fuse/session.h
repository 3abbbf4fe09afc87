/*
 * session.h - a mount: the kernel's requests and their replies.
 */
#ifndef KYMOFS_SESSION_H
#define KYMOFS_SESSION_H

#include <stdbool.h>

#include "registry/registry.h"

struct fuse_args;
struct fuse_buf;
struct session;

struct session_options {
    struct registry *registry;    /* outlives the session */
    void (*ready)(void *context); /* once, when the kernel has sent its first request */
    void *context;
    /* Much memory was freed, which malloc may still hold. Any thread. May be NULL. */
    void (*memory_freed)(void *context);
};

/* Parses FUSE's options in args. -EINVAL: an option is wrong, which is printed on stderr. */
int session_open(struct session **session, struct fuse_args *args,
                 const struct session_options *options);

/* 0, or a negative errno, which is printed on stderr. */
int session_mount(struct session *session, const char *mount_point);
int session_descriptor(const struct session *session);

/* Receives one request into *buffer, which begins zeroed and is freed by the caller: 0; -EINTR;
 * -ENODEV: unmounted or exited. */
int session_receive(struct session *session, struct fuse_buf *buffer);

/* Replies, or arranges for a reply. Counts the request. Any number of threads. */
void session_process(struct session *session, const struct fuse_buf *buffer);

bool session_exited(const struct session *session);
void session_exit(struct session *session);

/* For registry_listener. */
void session_names_changed(struct session *session, const char *name);

/* After the last worker has ended: ends streams, closes open files, unmounts. NULL is allowed. */
void session_close(struct session *session);

#endif
