/*
 * stream_reply.c - replies to reads of streams.
 *
 * The stream's position is advanced before the reply is sent: a reader that has the reply may close
 * the file. The lines of a reply are held until it has been sent.
 */
#include "stream_internal.h"

#include <stdlib.h>
#include <sys/uio.h>

/* Lines in one reply. */
#define REPLY_LINES 128

/* ---- errors and the end ---- */

void read_reply_error(struct blocked_read *read, int error)
{
    if (error)
        fuse_reply_err(read->request, -error);
    else
        fuse_reply_buf(read->request, NULL, 0);
    free(read);
}

/* The read may be freed: waits until an interrupt function that uses it has returned, and prevents
 * another. Without the lock. */
static void disable_interrupt(struct blocked_read *read)
{
    fuse_req_interrupt_func(read->request, NULL, NULL);
}

void read_complete(struct blocked_read *read, int error)
{
    struct streams *streams = read->stream->streams;

    read_remove(read);
    read->stream->poll_notified = false;
    streams_unlock(streams);
    disable_interrupt(read);
    read_reply_error(read, error);
    streams_lock(streams);
}

/* The interrupt function finds no read while it is being served: so check here. */
static int abort_reason(const struct blocked_read *read)
{
    if (read->nonblocking)
        return -EAGAIN;
    return fuse_req_interrupted(read->request) ? -EINTR : 0;
}

void complete_aborted_reads(struct stream *stream)
{
    struct blocked_read *read = TAILQ_FIRST(&stream->reads);

    /* A record may have come while the lock was released: then the next turn serves the reads. */
    while (read && !stream_has_line(stream)) {
        const int error = abort_reason(read);

        if (error)
            read_complete(read, error);
        read = error ? TAILQ_FIRST(&stream->reads) : TAILQ_NEXT(read, entry);
    }
}

/* ---- lines ---- */

struct reply {
    struct read_position position; /* the stream's after this reply */
    struct iovec parts[REPLY_LINES];
    struct line *lines[REPLY_LINES]; /* held */
    int count;
    size_t bytes;
};

/* Adds as much of the rest as the size allows. */
static void reply_add(struct reply *reply, size_t size)
{
    struct read_position *position = &reply->position;
    struct line *line = position->rest;
    const size_t remaining = line->text.len - position->rest_offset;
    const size_t len = remaining < size - reply->bytes ? remaining : size - reply->bytes;

    reply->parts[reply->count] = (struct iovec){line->text.data + position->rest_offset, len};
    reply->lines[reply->count++] = line;
    reply->bytes += len;
    position->rest_offset += len;
    if (len < remaining)
        line_hold(line);
    else
        position->rest = NULL;
}

/* Gathers lines of up to size bytes, of which only the first may be incomplete. Returns 0 if there
 * are any, else as lines_take(). */
static int reply_gather(struct reply *reply, struct lines *lines, size_t size)
{
    struct read_position *position = &reply->position;
    int error = 0;

    while (reply->count < REPLY_LINES && reply->bytes < size) {
        if (!position->rest) {
            position->rest_offset = 0;
            error = lines_take(lines, &position->next, &position->rest);
        }
        if (error || (reply->bytes > 0 &&
                      position->rest->text.len - position->rest_offset > size - reply->bytes))
            break;
        reply_add(reply, size);
    }
    return reply->count > 0 ? 0 : error;
}

bool stream_reply(struct stream *stream)
{
    struct streams *streams = stream->streams;
    struct blocked_read *read = TAILQ_FIRST(&stream->reads);
    struct reply reply;
    int error;

    read_remove(read);
    reply.position = stream->position;
    reply.count = 0;
    reply.bytes = 0;
    streams_unlock(streams);
    error = reply_gather(&reply, &stream->generation->lines, read->size);
    streams_lock(streams);
    stream->position = reply.position;
    if (error && error != -ENOMEM && error != -EFBIG) {
        TAILQ_INSERT_HEAD(&stream->reads, read, entry);
        read->queued = true;
        return false;
    }
    stream->poll_notified = false;
    streams_unlock(streams);
    disable_interrupt(read);
    if (error)
        fuse_reply_err(read->request, -error);
    else
        fuse_reply_iov(read->request, reply.parts, reply.count);
    for (int i = 0; i < reply.count; i++)
        line_drop(reply.lines[i]);
    free(read);
    streams_lock(streams);
    return true;
}

/* ---- listening ---- */

/* Without a thread that listens, an error is better than to wait for ever. */
static void abandon(struct generation *generation, int error)
{
    while (!TAILQ_EMPTY(&generation->waiting)) {
        struct stream *stream = TAILQ_FIRST(&generation->waiting);

        stream->references++;
        while (!TAILQ_EMPTY(&stream->reads))
            read_complete(TAILQ_FIRST(&stream->reads), error);
        stream->poll_notified = true;
        stream_update_waiting(stream);
        stream_drop(stream);
    }
}

void generation_listen(struct generation *generation)
{
    const int added = TAILQ_EMPTY(&generation->waiting)
                          ? 0
                          : notifier_add(generation->streams->notifier, &generation->listener);

    if (added > 0)
        generation->references++;
    else if (added < 0)
        abandon(generation, added);
}
