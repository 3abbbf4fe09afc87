/*
 * stream.c - requests on streams, and the callbacks of the notifier.
 */
#include "stream_internal.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>

#include "base/counters.h"

/* ---- notifier ---- */

/* A reader that keeps up reads again before the next record: keep listening, so that this read wakes
 * no thread. */
static bool on_ready(struct listener *listener, uint64_t *seen)
{
    struct generation *generation = (struct generation *)listener;
    struct streams *streams = generation->streams;
    bool keep = false;
    bool ended;

    *seen = kymo_ring_head(generation_ring(generation));
    streams_lock(streams);
    ended = generation_has_ended(generation);
    if (generation->is_served || generation->again || *seen != generation->served || ended) {
        keep = !generation->is_served && !ended && !TAILQ_EMPTY(&generation->waiting);
        if (!generation->is_served)
            generation->served = *seen;
        generation_serve(generation, NULL);
    }
    keep |= !generation->is_served && !TAILQ_EMPTY(&generation->waiting);
    streams_unlock(streams);
    return keep;
}

static void on_removed(struct listener *listener)
{
    struct generation *generation = (struct generation *)listener;
    struct streams *streams = generation->streams;

    streams_lock(streams);
    generation_drop(generation);
    streams_unlock(streams);
}

void streams_changed(struct streams *streams)
{
    notifier_wake(streams->notifier);
}

/* ---- requests ---- */

/* Called by libfuse, until disabled, with the request's own lock held. */
static void interrupt_read(fuse_req_t request, void *context)
{
    struct blocked_read *read = context;
    struct streams *streams = read->stream->streams;
    bool queued;

    (void)request;
    streams_lock(streams);
    queued = read->queued;
    if (queued) {
        read_remove(read);
        stream_update_waiting(read->stream);
    }
    streams_unlock(streams);
    if (queued)
        read_reply_error(read, -EINTR);
}

void stream_read(struct streams *streams, struct stream *stream, fuse_req_t request, size_t size,
                 int flags)
{
    struct blocked_read *read;

    if (size == 0) {
        fuse_reply_buf(request, NULL, 0);
        return;
    }
    read = calloc(1, sizeof(*read));
    if (!read) {
        fuse_reply_err(request, ENOMEM);
        return;
    }
    read->request = request;
    read->stream = stream;
    read->size = size;
    read->nonblocking = flags & O_NONBLOCK;
    fuse_req_interrupt_func(request, interrupt_read, read);
    streams_lock(streams);
    TAILQ_INSERT_TAIL(&stream->reads, read, entry);
    read->queued = true;
    stream_update_waiting(stream);
    generation_serve(stream->generation, stream);
    streams_unlock(streams);
}

static unsigned int poll_events(const struct stream *stream)
{
    if (!stream_has_line(stream) || stream_at_end_of_generation(stream))
        return 0;
    if (!stream->ended || stream->position.rest)
        return POLLIN | POLLRDNORM;
    return POLLIN | POLLRDNORM | (stream->error ? POLLERR : POLLHUP);
}

void stream_poll(struct streams *streams, struct stream *stream, fuse_req_t request,
                 struct fuse_pollhandle *handle)
{
    unsigned int events;

    streams_lock(streams);
    /* All handles of an open file are equivalent: keep the first. */
    if (!stream->poll)
        stream->poll = handle;
    else if (handle)
        fuse_pollhandle_destroy(handle);
    events = poll_events(stream);
    /* Edge-triggered: the next record is an event even if this one is never read. */
    stream->poll_notified = false;
    stream_update_waiting(stream);
    if (events)
        generation_listen(stream->generation);
    else
        generation_serve(stream->generation, stream);
    streams_unlock(streams);
    fuse_reply_poll(request, events);
}

/* ---- open and close ---- */

int stream_open(struct streams *streams, struct segment *segment,
                const struct credentials *credentials, struct stream **out)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    struct generation *generation;
    int error;

    if (!stream)
        return -ENOMEM;
    stream->streams = streams;
    stream->references = 1;
    stream->credentials = (struct credentials){.thread = credentials->thread,
                                               .uid = credentials->uid,
                                               .gid = credentials->gid};
    credentials_load(&stream->credentials);
    TAILQ_INIT(&stream->reads);
    streams_lock(streams);
    generation = generation_get(streams, segment, &error);
    if (generation) {
        counter_add(COUNTER_STREAMS, 1);
        LIST_INSERT_HEAD(&streams->all, stream, entry);
        stream_set_generation(stream, generation, kymo_ring_head(generation_ring(generation)));
    }
    streams_unlock(streams);
    if (!generation) {
        credentials_free(&stream->credentials);
        free(stream);
        return error;
    }
    *out = stream;
    return 0;
}

void stream_close(struct streams *streams, struct stream *stream)
{
    streams_lock(streams);
    stream->ended = true;
    stream_update_waiting(stream);
    LIST_REMOVE(stream, entry);
    stream_drop(stream);
    streams_unlock(streams);
}

/* Seekable, so that programs that return what they did not use (head -n 3) print no error: the
 * offset of a read is ignored. */
int stream_reply_open(fuse_req_t request, struct stream *stream)
{
    struct fuse_file_info file = {.fh = (uintptr_t)stream, .direct_io = 1};

#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 11)
    file.noflush = 1;
#endif
    return fuse_reply_open(request, &file);
}

int streams_open(struct streams **out, struct registry *registry)
{
    struct streams *streams = calloc(1, sizeof(*streams));
    int error = streams ? notifier_open(&streams->notifier, on_ready, on_removed) : -ENOMEM;

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
    while (!LIST_EMPTY(&streams->all)) {
        struct stream *stream = LIST_FIRST(&streams->all);

        while (!TAILQ_EMPTY(&stream->reads))
            read_complete(TAILQ_FIRST(&stream->reads), -ENOTCONN);
        stream->ended = true;
        stream_update_waiting(stream);
        LIST_REMOVE(stream, entry);
        stream_drop(stream);
    }
}

void streams_close(struct streams *streams)
{
    if (!streams)
        return;
    notifier_close(streams->notifier);
    streams_lock(streams);
    end_all(streams);
    streams_unlock(streams);
    /* Those of which the notifier still had a reference. */
    for (size_t i = 0; i < STREAM_BUCKETS; i++) {
        while (!LIST_EMPTY(&streams->generations[i])) {
            struct generation *generation = LIST_FIRST(&streams->generations[i]);

            LIST_REMOVE(generation, entry);
            generation_free(generation);
        }
    }
    pthread_mutex_destroy(&streams->lock);
    free(streams);
}
