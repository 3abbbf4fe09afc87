/*
 * stream_follow.c - what comes after a generation: the next, if the same people may read it, or the
 * end.
 */
#include "stream_internal.h"

/* ---- what comes after a generation, under the lock, which is left meanwhile ---- */

static void queue_add(struct streams *streams, struct feed *feed)
{
    if (feed->queued)
        return;
    feed->holders++;
    feed->queued = true;
    feed->queue_next = streams->queue;
    streams->queue = feed;
}

/* NULL: nobody is in it. */
struct feed *queue_take(struct streams *streams)
{
    struct feed *feed = streams->queue;

    if (feed) {
        streams->queue = feed->queue_next;
        feed->queued = false;
    }
    return feed;
}

static bool may_follow(const struct stream *stream, const struct segment *segment)
{
    return kymo_load_relaxed32(&segment->uid) == stream->uid &&
           kymo_load_relaxed32(&segment->gid) == stream->gid &&
           kymo_load_relaxed32(&segment->mode) == stream->mode;
}

/* To the first record of the segment's generation, of which the hold is taken over. */
static int follow(struct streams *streams, struct stream *stream, struct segment *segment)
{
    struct feed *before = stream->feed;
    struct feed *feed = feed_get(streams, segment);

    if (!feed)
        return -ENOMEM;
    if (stream->waits)
        stream_wait_no_more(before, stream);
    stream_attach(stream, feed, feed_ring(feed)->first);
    stream_settle(stream);
    queue_add(streams, feed);
    feed_drop(before);
    return 0;
}

/*
 * The generation that the stream's name leads to now, held, if it may be followed there. One that
 * was replaced while it was looked at seems more closed than it was: only what is found twice shuts
 * anybody out. The lock is not held.
 */
static int find_next(struct streams *streams, const struct stream *stream, struct segment **segment)
{
    const struct segment *const present = stream->feed->segment; /* the busy one holds it */
    const int tries = 8; /* E: a segment may be replaced over and over */
    struct segment *before = NULL;
    struct segment *found;
    int error = 0;

    for (int i = 0; i < tries && !error; i++) {
        error = registry_find(streams->registry, present->name, &found);
        if (error)
            break;
        if (found != present && may_follow(stream, found)) {
            segment_drop(before);
            *segment = found;
            return 0;
        }
        if (found == present)
            error = -ENOENT;
        else if (found == before)
            error = -EACCES;
        segment_drop(before);
        before = found;
    }
    segment_drop(before);
    return error ? error : -EACCES;
}

/* Nothing will come where the stream is: on to the next generation, or to the end. */
void stream_move_on(struct streams *streams, struct stream *stream)
{
    struct segment *segment;
    int error;

    streams_leave(streams);
    error = find_next(streams, stream, &segment);
    streams_enter(streams);
    if (!error)
        error = follow(streams, stream, segment);
    if (error) {
        stream->ended = true;
        stream->error = error == -ENOENT ? 0 : error;
    }
}
