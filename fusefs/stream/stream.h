/*
 * stream.h - the file `stream`: each record once and in order from the moment of open, as lines of
 * JSON; {"missed":N} where the reader fell behind.
 *
 * A read that finds nothing new is kept and replied to later; no thread waits for it. When the
 * segment is replaced, the stream continues with the next generation if the credentials of the opener
 * permit it, else it ends with EACCES (K). When the segment is removed it ends.
 */
#ifndef KYMOFS_STREAM_H
#define KYMOFS_STREAM_H

#include "registry/registry.h"

struct streams;
struct stream;
struct fuse_req;
struct fuse_pollhandle;

/* 0, or -ENOMEM. The registry outlives it. */
int streams_open(struct streams **streams, struct registry *registry);

/* After the last request was received: ends all streams, blocked reads with ENOTCONN. NULL is
 * allowed. */
void streams_close(struct streams *streams);

/* A name of the directory changed. */
void streams_changed(struct streams *streams);

/* A stream of the segment from now on. Takes its own acquisition of the segment and a copy of the
 * credentials, which it loads. -ENOMEM, -EBADMSG; as segment_acquire(). */
int stream_open(struct streams *streams, struct segment *segment,
                const struct credentials *credentials, struct stream **stream);
void stream_close(struct streams *streams, struct stream *stream);

/* Sends the reply to open. Returns 0, or a negative errno: then no release will come. */
int stream_reply_open(struct fuse_req *request, struct stream *stream);

/* Replies to a read of up to size bytes, now or later. `flags`: of the open file. */
void stream_read(struct streams *streams, struct stream *stream, struct fuse_req *request,
                 size_t size, int flags);

/* Replies at once. `handle` may be NULL; it is taken over. */
void stream_poll(struct streams *streams, struct stream *stream, struct fuse_req *request,
                 struct fuse_pollhandle *handle);

#endif
