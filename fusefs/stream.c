/*
 * stream.c - the file stream as requests see it, and as the threads do that hear a record.
 */
#include "stream_internal.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdlib.h>

#include "counters.h"

static struct feed *feed_of(struct listener *listener)
{
    return (struct feed *)listener;
}

/* ---- what the threads of bells.h call ---- */

/* A reader that keeps up asks again before the next record: until then we go on listening for him,
 * as he needs nobody woken up for it. */
static bool look(struct listener *listener, uint64_t *seen)
{
    struct feed *feed = feed_of(listener);
    struct streams *streams = feed->streams;
    bool goes_on = false;
    bool over;

    *seen = kymo_ring_head(feed_ring(feed));
    streams_enter(streams);
    over = feed_is_over(feed);
    if (feed->busy) {
        feed->again = true; /* and then he listens who is */
    } else if (*seen != feed->served || over) {
        goes_on = feed->waiting && !over;
        feed->served = *seen;
        feed_serve(streams, feed, NULL);
    }
    goes_on |= !feed->busy && feed->waiting;
    streams_leave(streams);
    return goes_on;
}

static void left(struct listener *listener)
{
    struct streams *streams = feed_of(listener)->streams;

    streams_enter(streams);
    feed_drop(feed_of(listener));
    streams_leave(streams);
}

/* ---- requests ---- */

/* The request is in the table, or has been taken from it by one who will ask whether it was
 * interrupted before he puts it back. */
static void interrupt_read(fuse_req_t request, void *context)
{
    struct streams *streams = context;
    struct pending *pending;

    streams_enter(streams);
    pending = pending_find(streams, request);
    if (pending) {
        pending_remove(streams, pending);
        stream_settle(pending->stream);
    }
    streams_leave(streams);
    if (pending)
        pending_refuse(pending, -EINTR);
}

void stream_read(struct streams *streams, struct stream *stream, fuse_req_t request, size_t size,
                 int flags)
{
    struct pending *pending = malloc(sizeof(*pending));

    if (!pending || size == 0) {
        free(pending);
        if (size == 0)
            fuse_reply_buf(request, "", 0);
        else
            fuse_reply_err(request, ENOMEM);
        return;
    }
    *pending = (struct pending){request, stream, size, flags & O_NONBLOCK, NULL, NULL};
    fuse_req_interrupt_func(request, interrupt_read, streams);
    streams_enter(streams);
    pending_add(streams, pending);
    stream_settle(stream);
    feed_serve(streams, stream->feed, stream);
    streams_leave(streams);
}

static unsigned int events_of(const struct stream *stream)
{
    if (!stream_has_line(stream) || stream_is_stuck(stream))
        return 0;
    if (!stream->ended || stream->cursor.rest)
        return POLLIN | POLLRDNORM;
    return POLLIN | POLLRDNORM | (stream->error ? POLLERR : POLLHUP);
}

/* The handle that came first is as good as all that follow. */
static void keep_handle(struct stream *stream, struct fuse_pollhandle *handle)
{
    if (!stream->poll)
        stream->poll = handle;
    else if (handle)
        fuse_pollhandle_destroy(handle);
}

void stream_poll(struct streams *streams, struct stream *stream, fuse_req_t request,
                 struct fuse_pollhandle *handle)
{
    unsigned int events;

    streams_enter(streams);
    keep_handle(stream, handle);
    events = events_of(stream);
    /* Edge by edge, the next record is news even to him who has not read this one. */
    stream->told = false;
    stream_settle(stream);
    if (events)
        feed_listen(streams, stream->feed);
    else
        feed_serve(streams, stream->feed, stream);
    streams_leave(streams);
    fuse_reply_poll(request, events);
}

/* ---- open and close ---- */

static void stream_link(struct streams *streams, struct stream *stream)
{
    stream->next = streams->all;
    if (stream->next)
        stream->next->previous = stream;
    streams->all = stream;
}

static void stream_unlink(struct streams *streams, struct stream *stream)
{
    if (stream->next)
        stream->next->previous = stream->previous;
    if (stream->previous)
        stream->previous->next = stream->next;
    else
        streams->all = stream->next;
}

int stream_open(struct streams *streams, struct segment *segment, struct stream **out)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    const struct kymo_ring *ring = &segment->reader->ring;
    const uint64_t head = kymo_ring_head(ring);
    struct feed *feed;

    if (!stream || kymo_load_relaxed32(&ring->damaged)) {
        segment_drop(segment);
        free(stream);
        return stream ? -EBADMSG : -ENOMEM;
    }
    stream->uid = kymo_load_relaxed32(&segment->uid);
    stream->gid = kymo_load_relaxed32(&segment->gid);
    stream->mode = kymo_load_relaxed32(&segment->mode);
    stream->holders = 1;
    streams_enter(streams);
    feed = feed_get(streams, segment);
    if (feed) {
        stream_attach(stream, feed, head);
        stream_link(streams, stream);
    }
    streams_leave(streams);
    if (!feed) {
        free(stream);
        return -ENOMEM;
    }
    counter_add(COUNTER_STREAMS, 1);
    *out = stream;
    return 0;
}

void stream_close(struct streams *streams, struct stream *stream)
{
    streams_enter(streams);
    stream->ended = true;
    stream_settle(stream);
    stream_unlink(streams, stream);
    stream_drop(stream);
    streams_leave(streams);
}

/* A stream has no position: reads of several threads do not wait for each other, and pread and
 * lseek are errors. libfuse 3.14 has no word for that. */
int stream_reply_open(fuse_req_t request, struct stream *stream)
{
    const struct fuse_open_out reply = {
        .fh = (uintptr_t)stream,
        .open_flags = FOPEN_DIRECT_IO | FOPEN_STREAM | FOPEN_NONSEEKABLE | FOPEN_NOFLUSH,
    };

    return fuse_reply_buf(request, (const char *)&reply, sizeof(reply));
}

void streams_changed(struct streams *streams)
{
    bells_ring(streams->bells);
}

int streams_open(struct streams **out, struct registry *registry)
{
    struct streams *streams = calloc(1, sizeof(*streams));
    int error = streams ? bells_open(&streams->bells, look, left) : -ENOMEM;

    *out = NULL;
    if (error) {
        free(streams);
        return error;
    }
    streams->registry = registry;
    pthread_mutex_init(&streams->lock, NULL);
    *out = streams;
    return 0;
}

static void end_all(struct streams *streams)
{
    while (streams->all) {
        struct stream *stream = streams->all;

        while (stream->first)
            pending_dismiss(streams, stream->first, -ENOTCONN);
        stream->ended = true;
        stream_settle(stream);
        stream_unlink(streams, stream);
        stream_drop(stream);
    }
}

void streams_close(struct streams *streams)
{
    if (!streams)
        return;
    bells_close(streams->bells);
    streams_enter(streams);
    end_all(streams);
    streams_leave(streams);
    /* The threads have ended with feeds in hand. */
    for (size_t i = 0; i < BUCKETS; i++) {
        while (streams->feeds[i]) {
            struct feed *feed = streams->feeds[i];

            streams->feeds[i] = feed->bucket_next;
            feed_free(feed);
        }
    }
    pthread_mutex_destroy(&streams->lock);
    free(streams);
}
