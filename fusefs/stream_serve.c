/*
 * stream_serve.c - requests that wait for a record, and their answers.
 *
 * A stream moves on before its reply is sent: when the reader has it he may close the file. What
 * the reply consists of is held until it has been sent.
 */
#include "stream_internal.h"

#include <stdlib.h>
#include <sys/uio.h>

/* Lines that one reply holds at most. */
#define PARTS 128

/* ---- requests, under the lock ---- */

void pending_add(struct streams *streams, struct pending *pending)
{
    struct pending **bucket = &streams->pending[bucket_of(pending->request)];
    struct pending **place = &pending->stream->first;

    pending->bucket_next = *bucket;
    *bucket = pending;
    while (*place)
        place = &(*place)->next;
    pending->next = NULL;
    *place = pending;
}

void pending_remove(struct streams *streams, struct pending *pending)
{
    struct pending **place = &streams->pending[bucket_of(pending->request)];

    while (*place != pending)
        place = &(*place)->bucket_next;
    *place = pending->bucket_next;
    place = &pending->stream->first;
    while (*place != pending)
        place = &(*place)->next;
    *place = pending->next;
}

struct pending *pending_find(const struct streams *streams, fuse_req_t request)
{
    struct pending *pending = streams->pending[bucket_of(request)];

    while (pending && pending->request != request)
        pending = pending->bucket_next;
    return pending;
}

/* Back to where it was taken from: nobody else takes from a busy feed. */
static void pending_put_back(struct streams *streams, struct pending *pending)
{
    struct pending **bucket = &streams->pending[bucket_of(pending->request)];

    pending->bucket_next = *bucket;
    *bucket = pending;
    pending->next = pending->stream->first;
    pending->stream->first = pending;
}

/* Replies with an error, or with nothing: the end of the file. The lock is not held. */
void pending_refuse(struct pending *pending, int error)
{
    if (error)
        fuse_reply_err(pending->request, -error);
    else
        fuse_reply_buf(pending->request, NULL, 0);
    free(pending);
}

/* ---- a reply ---- */

struct answer {
    struct cursor cursor; /* the stream's when it has been sent */
    struct iovec parts[PARTS];
    struct line *lines[PARTS]; /* held */
    int count;
    size_t bytes;
};

/* Adds what fits of the line that is begun. */
static void answer_add(struct answer *answer, size_t size)
{
    struct line *line = answer->cursor.rest;
    const size_t left = line->text.len - answer->cursor.rest_at;
    const size_t len = left < size - answer->bytes ? left : size - answer->bytes;

    answer->parts[answer->count] = (struct iovec){line->text.data + answer->cursor.rest_at, len};
    answer->lines[answer->count++] = line;
    answer->bytes += len;
    answer->cursor.rest_at += len;
    if (len < left)
        line_hold(line);
    else
        answer->cursor.rest = NULL;
}

/* Whether the line that is begun may be added: whole, unless it comes first. */
static bool answer_takes(const struct answer *answer, size_t size)
{
    return answer->bytes == 0 ||
           answer->cursor.rest->text.len - answer->cursor.rest_at <= size - answer->bytes;
}

/* Gathers lines for a reply of up to size bytes. Returns 0 where there is one, or as lines_take. */
static int answer_gather(struct answer *answer, struct lines *lines, size_t size)
{
    int error = 0;

    while (answer->count < PARTS && answer->bytes < size) {
        if (!answer->cursor.rest) {
            answer->cursor.rest_at = 0;
            error = lines_take(lines, &answer->cursor.next, &answer->cursor.rest);
        }
        if (error || !answer_takes(answer, size))
            break;
        answer_add(answer, size);
    }
    return answer->count > 0 ? 0 : error;
}

static void answer_send(struct answer *answer, struct pending *pending)
{
    fuse_reply_iov(pending->request, answer->parts, answer->count);
    for (int i = 0; i < answer->count; i++)
        line_drop(answer->lines[i]);
    free(pending);
}

/* ---- serving, under the lock, which is left meanwhile; the feed is busy ---- */

/* Answers the stream's first read, if it can be. Returns false where there is nothing for it. */
static bool serve_read(struct streams *streams, struct feed *feed, struct stream *stream)
{
    struct pending *pending = stream->first;
    struct answer answer;
    int error;

    pending_remove(streams, pending);
    answer.cursor = stream->cursor;
    answer.count = 0;
    answer.bytes = 0;
    streams_leave(streams);
    error = answer_gather(&answer, &feed->lines, pending->size);
    streams_enter(streams);
    stream->cursor = answer.cursor;
    if (error && error != -ENOMEM) {
        pending_put_back(streams, pending);
        return false;
    }
    stream->told = false;
    streams_leave(streams);
    if (error)
        pending_refuse(pending, error);
    else
        answer_send(&answer, pending);
    streams_enter(streams);
    return true;
}

void pending_dismiss(struct streams *streams, struct pending *pending, int error)
{
    pending_remove(streams, pending);
    pending->stream->told = false;
    streams_leave(streams);
    pending_refuse(pending, error);
    streams_enter(streams);
}

/* An interrupt that came while the read was looked after has found nothing to interrupt. */
static int unwillingness(const struct pending *pending)
{
    if (pending->impatient)
        return -EAGAIN;
    return fuse_req_interrupted(pending->request) ? -EINTR : 0;
}

/* Replies to reads that do not wait; not to one that came since, with a record: it is served in the
 * next turn. */
static void dismiss_unwilling(struct streams *streams, struct stream *stream)
{
    struct pending *pending = stream->first;

    while (pending && !stream_has_line(stream)) {
        const int error = unwillingness(pending);

        if (error)
            pending_dismiss(streams, pending, error);
        pending = error ? stream->first : pending->next;
    }
}

static void serve_reads(struct streams *streams, struct feed *feed, struct stream *stream)
{
    while (stream->feed == feed && (stream->first || stream->waits)) {
        if (stream_is_stuck(stream))
            stream_move_on(streams, stream);
        else if (!stream->first || !stream_has_line(stream))
            break;
        else if (stream->ended && !stream->cursor.rest)
            pending_dismiss(streams, stream->first, stream->error);
        else if (!serve_read(streams, feed, stream) && !stream_is_stuck(stream))
            break;
    }
}

static void serve_poll(struct streams *streams, struct stream *stream)
{
    if (!stream->poll || stream->told || !stream_has_line(stream))
        return;
    stream->told = true;
    streams_leave(streams);
    fuse_lowlevel_notify_poll(stream->poll);
    streams_enter(streams);
}

static void serve_stream(struct streams *streams, struct feed *feed, struct stream *stream)
{
    stream->holders++;
    serve_reads(streams, feed, stream);
    if (stream->feed == feed) {
        dismiss_unwilling(streams, stream);
        serve_poll(streams, stream);
    }
    stream_settle(stream);
    stream_drop(stream);
}

/* Who comes meanwhile has been seen to, or asks for another turn. */
static void serve_waiting(struct streams *streams, struct feed *feed)
{
    for (size_t left = feed->waiting_count; left > 0 && feed->waiting; left--) {
        struct stream *stream = feed->waiting;

        feed->waiting = stream->feed_next;
        serve_stream(streams, feed, stream);
    }
}

/* Nobody can be found who would listen: better an error than to wait for ever. */
static void give_up(struct streams *streams, struct feed *feed, int error)
{
    while (feed->waiting) {
        struct stream *stream = feed->waiting;

        stream->holders++;
        while (stream->first)
            pending_dismiss(streams, stream->first, error);
        stream->told = true;
        stream_settle(stream);
        stream_drop(stream);
    }
}

void feed_listen(struct streams *streams, struct feed *feed)
{
    int listens = feed->waiting ? bells_listen(streams->bells, &feed->listener) : 0;

    if (listens == 1)
        feed->holders++;
    else if (listens < 0)
        give_up(streams, feed, listens);
}

/* Serves one stream, or all that wait; and all, as long as somebody comes who would. */
static void serve_feed(struct streams *streams, struct feed *feed, struct stream *only)
{
    feed->holders++;
    feed->busy = true;
    if (only)
        serve_stream(streams, feed, only);
    else
        serve_waiting(streams, feed);
    while (feed->again) {
        feed->again = false;
        serve_waiting(streams, feed);
    }
    feed->busy = false;
    feed_listen(streams, feed);
    feed_drop(feed);
}

void feed_serve(struct streams *streams, struct feed *feed, struct stream *only)
{
    if (feed->busy)
        feed->again = true;
    else
        serve_feed(streams, feed, only);
    while ((feed = queue_take(streams))) {
        if (feed->busy)
            feed->again = true;
        else
            serve_feed(streams, feed, NULL);
        feed_drop(feed);
    }
}
