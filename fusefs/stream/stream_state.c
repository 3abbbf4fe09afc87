/*
 * stream_state.c - the streams' lock and what it covers.
 */
#include "stream_internal.h"

#include <stdlib.h>

#include "base/counters.h"

/* ---- the lock ---- */

void streams_lock(struct streams *streams)
{
    pthread_mutex_lock(&streams->lock);
}

void streams_unlock(struct streams *streams)
{
    struct generations unused = streams->unused;

    LIST_INIT(&streams->unused);
    pthread_mutex_unlock(&streams->lock);
    while (!LIST_EMPTY(&unused)) {
        struct generation *generation = LIST_FIRST(&unused);

        unused.lh_first = LIST_NEXT(generation, entry);
        generation_free(generation);
    }
}

/* ---- generations ---- */

void generation_free(struct generation *generation)
{
    lines_close(&generation->lines);
    segment_release(generation->segment);
    segment_drop(generation->segment);
    free(generation);
}

void generation_drop(struct generation *generation)
{
    if (--generation->references > 0)
        return;
    LIST_REMOVE(generation, entry);
    LIST_INSERT_HEAD(&generation->streams->unused, generation, entry);
}

struct generation *generation_get(struct streams *streams, struct segment *segment, int *error)
{
    /* Fibonacci hashing (Knuth, vol. 3, 6.4). */
    const uint64_t hash = ((uintptr_t)segment >> 4) * UINT64_C(0x9e3779b97f4a7c15);
    struct generations *bucket = &streams->generations[hash / (UINT64_MAX / STREAM_BUCKETS + 1)];
    struct generation *generation;

    LIST_FOREACH(generation, bucket, entry)
    {
        if (generation->segment == segment) {
            generation->references++;
            return generation;
        }
    }
    generation = calloc(1, sizeof(*generation));
    *error = generation ? segment_acquire(segment) : -ENOMEM;
    if (*error) {
        free(generation);
        return NULL;
    }
    segment_hold(segment);
    generation->streams = streams;
    generation->segment = segment;
    generation->references = 1;
    generation->listener.reader = segment->reader;
    TAILQ_INIT(&generation->waiting);
    lines_open(&generation->lines, segment->reader);
    LIST_INSERT_HEAD(bucket, generation, entry);
    return generation;
}

const struct kymo_ring *generation_ring(const struct generation *generation)
{
    return &generation->listener.reader->ring;
}

bool generation_has_ended(const struct generation *generation)
{
    const struct kymo_ring *ring = generation_ring(generation);

    /* Acquire: read the state before the head. */
    return kymo_load_acquire32(&ring->control->state) == KYMO_RETIRED ||
           !segment_is_current(generation->segment) || kymo_load_relaxed32(&ring->damaged);
}

/* ---- streams ---- */

bool stream_has_line(const struct stream *stream)
{
    return stream->position.rest || stream->ended ||
           kymo_ring_head(generation_ring(stream->generation)) > stream->position.next;
}

bool stream_at_end_of_generation(const struct stream *stream)
{
    /* First the end, then the head: the last record was published before the end. */
    if (!generation_has_ended(stream->generation) || stream->ended || stream->position.rest)
        return false;
    return !stream_has_line(stream) ||
           kymo_load_relaxed32(&generation_ring(stream->generation)->damaged);
}

static void stop_waiting(struct stream *stream)
{
    if (!stream->waiting)
        return;
    TAILQ_REMOVE(&stream->generation->waiting, stream, waiting_entry);
    stream->generation->waiting_count--;
    stream->waiting = false;
}

void stream_update_waiting(struct stream *stream)
{
    if (TAILQ_EMPTY(&stream->reads) && (!stream->poll || stream->poll_notified || stream->ended)) {
        stop_waiting(stream);
    } else if (!stream->waiting) {
        TAILQ_INSERT_TAIL(&stream->generation->waiting, stream, waiting_entry);
        stream->generation->waiting_count++;
        stream->waiting = true;
    }
}

void stream_set_generation(struct stream *stream, struct generation *generation, uint64_t next)
{
    struct generation *before = stream->generation;

    stop_waiting(stream);
    stream->generation = generation;
    stream->position.next = next;
    stream_update_waiting(stream);
    if (before)
        generation_drop(before);
}

void stream_drop(struct stream *stream)
{
    if (--stream->references > 0)
        return;
    generation_drop(stream->generation);
    if (stream->poll)
        fuse_pollhandle_destroy(stream->poll);
    line_drop(stream->position.rest);
    credentials_free(&stream->credentials);
    free(stream);
    counter_sub(COUNTER_STREAMS, 1);
}

void read_remove(struct blocked_read *read)
{
    TAILQ_REMOVE(&read->stream->reads, read, entry);
    read->queued = false;
}
