/*
 * stream_serve.c - serving the streams that wait at a generation.
 *
 * The lock is released during each reply; a stream is kept by a reference until it has been served.
 */
#include "stream_internal.h"

static void serve_reads(struct generation *generation, struct stream *stream)
{
    while (stream->generation == generation && (!TAILQ_EMPTY(&stream->reads) || stream->waiting)) {
        if (stream_at_end_of_generation(stream))
            stream_next_generation(stream);
        else if (TAILQ_EMPTY(&stream->reads) || !stream_has_line(stream))
            break;
        else if (stream->ended && !stream->position.rest)
            read_complete(TAILQ_FIRST(&stream->reads), stream->error);
        else if (!stream_reply(stream) && !stream_at_end_of_generation(stream))
            break;
    }
}

static void serve_poll(struct stream *stream)
{
    if (!stream->poll || stream->poll_notified || !stream_has_line(stream))
        return;
    stream->poll_notified = true;
    streams_unlock(stream->streams);
    fuse_lowlevel_notify_poll(stream->poll);
    streams_lock(stream->streams);
}

static void serve_stream(struct generation *generation, struct stream *stream)
{
    stream->references++;
    serve_reads(generation, stream);
    if (stream->generation == generation) {
        complete_aborted_reads(stream);
        serve_poll(stream);
    }
    stream_update_waiting(stream);
    stream_drop(stream);
}

/* Streams that are added during this have been served, or have set `again`. */
static void serve_waiting(struct generation *generation)
{
    for (size_t remaining = generation->waiting_count; remaining > 0; remaining--) {
        struct stream *stream = TAILQ_FIRST(&generation->waiting);

        if (!stream)
            return;
        TAILQ_REMOVE(&generation->waiting, stream, waiting_entry);
        TAILQ_INSERT_TAIL(&generation->waiting, stream, waiting_entry);
        serve_stream(generation, stream);
    }
}

void generation_serve(struct generation *generation, struct stream *only)
{
    if (generation->is_served || !only)
        generation->again = true;
    if (generation->is_served)
        return;
    generation->references++;
    generation->is_served = true;
    if (only)
        serve_stream(generation, only);
    while (generation->again) {
        generation->again = false;
        serve_waiting(generation);
    }
    generation->is_served = false;
    generation_listen(generation);
    generation_drop(generation);
}
