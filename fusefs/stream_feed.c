/*
 * stream_feed.c - the streams' lock and what it covers: feeds, and the streams that wait at them.
 */
#include "stream_internal.h"

#include <stdlib.h>

#include "counters.h"

/* ---- the lock, and what is done when it has been left ---- */

void streams_enter(struct streams *streams)
{
    pthread_mutex_lock(&streams->lock);
}

void feed_free(struct feed *feed)
{
    lines_close(&feed->lines);
    segment_drop(feed->segment);
    free(feed);
}

void streams_leave(struct streams *streams)
{
    struct feed *dead = streams->dead;

    streams->dead = NULL;
    pthread_mutex_unlock(&streams->lock);
    while (dead) {
        struct feed *next = dead->bucket_next;

        feed_free(dead);
        dead = next;
    }
}

/* ---- feeds, under the lock ---- */

static struct feed **feed_place(struct streams *streams, const struct segment *segment)
{
    struct feed **place = &streams->feeds[bucket_of(segment)];

    while (*place && (*place)->segment != segment)
        place = &(*place)->bucket_next;
    return place;
}

void feed_drop(struct feed *feed)
{
    struct streams *streams = feed->streams;

    if (--feed->holders > 0)
        return;
    *feed_place(streams, feed->segment) = feed->bucket_next;
    feed->bucket_next = streams->dead;
    streams->dead = feed;
}

static struct feed *feed_new(struct streams *streams, struct segment *segment)
{
    struct feed *feed = calloc(1, sizeof(*feed));

    if (!feed)
        return NULL;
    feed->streams = streams;
    feed->segment = segment;
    feed->listener.reader = segment->reader;
    lines_open(&feed->lines, segment->reader);
    return feed;
}

/* The segment's feed, held; takes over the hold of the segment. NULL: no memory. */
struct feed *feed_get(struct streams *streams, struct segment *segment)
{
    struct feed **place = feed_place(streams, segment);

    if (!*place) {
        *place = feed_new(streams, segment);
        if (!*place) {
            segment_drop(segment);
            return NULL;
        }
    } else {
        segment_drop(segment);
    }
    (*place)->holders++;
    return *place;
}

const struct kymo_ring *feed_ring(const struct feed *feed)
{
    return &feed->segment->reader->ring;
}

/* Whether nothing will come any more, but for what the ring holds. */
bool feed_is_over(const struct feed *feed)
{
    /* Acquire: the state before a look at head. */
    return kymo_load_acquire32(&feed_ring(feed)->control->state) == KYMO_RETIRED ||
           !segment_is_current(feed->segment) || kymo_load_relaxed32(&feed_ring(feed)->damaged);
}

/* ---- streams, under the lock ---- */

bool stream_has_line(const struct stream *stream)
{
    return stream->cursor.rest || stream->ended ||
           kymo_ring_head(feed_ring(stream->feed)) > stream->cursor.next;
}

/* Whether the stream has to be moved on before it can have anything. */
bool stream_is_stuck(const struct stream *stream)
{
    /* First whether it is over: what the last writer published, it did before. */
    if (!feed_is_over(stream->feed) || stream->ended || stream->cursor.rest)
        return false;
    return !stream_has_line(stream) || kymo_load_relaxed32(&feed_ring(stream->feed)->damaged);
}

static void waiting_add(struct feed *feed, struct stream *stream)
{
    if (feed->waiting) {
        stream->feed_next = feed->waiting;
        stream->feed_previous = feed->waiting->feed_previous;
        stream->feed_previous->feed_next = stream;
        feed->waiting->feed_previous = stream;
    } else {
        feed->waiting = stream->feed_next = stream->feed_previous = stream;
    }
    feed->waiting_count++;
    stream->waits = true;
}

void stream_wait_no_more(struct feed *feed, struct stream *stream)
{
    if (stream->feed_next == stream) {
        feed->waiting = NULL;
    } else {
        if (feed->waiting == stream)
            feed->waiting = stream->feed_next;
        stream->feed_next->feed_previous = stream->feed_previous;
        stream->feed_previous->feed_next = stream->feed_next;
    }
    feed->waiting_count--;
    stream->waits = false;
}

/* Puts the stream in its feed's list, or takes it out, as it has something to wait for. */
void stream_settle(struct stream *stream)
{
    const bool waits = stream->first || (stream->poll && !stream->told && !stream->ended);

    if (waits && !stream->waits)
        waiting_add(stream->feed, stream);
    else if (!waits && stream->waits)
        stream_wait_no_more(stream->feed, stream);
}

void stream_attach(struct stream *stream, struct feed *feed, uint64_t next)
{
    stream->feed = feed;
    stream->cursor.next = next;
}

static void stream_free(struct stream *stream)
{
    if (stream->poll)
        fuse_pollhandle_destroy(stream->poll);
    line_drop(stream->cursor.rest);
    free(stream);
    counter_take(COUNTER_STREAMS, 1);
}

void stream_drop(struct stream *stream)
{
    if (--stream->holders > 0)
        return;
    feed_drop(stream->feed);
    stream_free(stream);
}
