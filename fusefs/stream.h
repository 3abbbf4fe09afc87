/*
 * stream.h - the file `stream`: each record once and in order from the moment of open, as lines of
 * JSON; {"missed":N} where a reader fell behind.
 *
 * A read that finds nothing new is kept and answered later, by whoever finds the next record; no
 * thread waits for it. A generation that replaces another is followed, if the same people may read
 * it; else the stream ends with EACCES (K). When the segment is removed it ends.
 */
#ifndef KYMOFS_STREAM_H
#define KYMOFS_STREAM_H

#include "registry.h"

struct streams;
struct stream;
struct fuse_req;
struct fuse_pollhandle;

/* 0, or -ENOMEM. The registry outlives it. */
int streams_open(struct streams **streams, struct registry *registry);

/* After the last request has been taken: ends all streams, with ENOTCONN for those who wait. NULL
 * is fine. */
void streams_close(struct streams *streams);

/* Some name of the directory leads to something else by now. */
void streams_changed(struct streams *streams);

/* A stream of the segment from now on; takes over the hold of it, whatever is returned. -ENOMEM,
 * -EBADMSG. */
int stream_open(struct streams *streams, struct segment *segment, struct stream **stream);
void stream_close(struct streams *streams, struct stream *stream);

/* Sends the reply to open. Returns 0, or a negative errno where nobody will close the file. */
int stream_reply_open(struct fuse_req *request, struct stream *stream);

/* Replies to a read of up to size bytes, now or later. `flags`: of the open file. */
void stream_read(struct streams *streams, struct stream *stream, struct fuse_req *request,
                 size_t size, int flags);

/* Replies at once. `handle` may be NULL; it is taken over. */
void stream_poll(struct streams *streams, struct stream *stream, struct fuse_req *request,
                 struct fuse_pollhandle *handle);

#endif
