/*
 * stream_follow.c - what comes after a generation: the next, if the opener may read it, or the end.
 */
#include "stream_internal.h"

/*
 * The generation that the stream's name refers to now, held and acquired. -ENOENT: there is none.
 * -EACCES: the opener may not read it (K: checked against the current generation). A generation that
 * is replaced during the check can look inaccessible: only a second refusal of the same one counts.
 * Without the lock.
 */
static int find_next(const struct stream *stream, struct credentials *credentials,
                     struct segment **next)
{
    struct registry *registry = stream->streams->registry;
    const struct segment *const present = stream->generation->segment;
    const int tries = 8; /* E: a segment may be replaced again and again */
    struct segment *refused = NULL;
    struct stat status;
    int error = -EACCES;

    for (int i = 0; i < tries; i++) {
        struct segment *found = NULL;

        error = registry_find(registry, present->name, &found, &status);
        if (!error && found == present)
            error = kymo_load_relaxed32(&found->reader->ring.damaged) ? -EBADMSG : -ENOENT;
        if (!error)
            error = registry_check_directory(registry, credentials, S_IXOTH);
        if (!error)
            error = registry_check_segment(registry, credentials, present->name, &status);
        if (!error)
            error = segment_acquire(found);
        if (!error) {
            *next = found;
            break;
        }
        segment_drop(refused);
        if ((error != -EACCES && error != -EIDRM) || found == refused) {
            refused = found;
            break;
        }
        refused = found;
    }
    segment_drop(refused);
    return error;
}

void stream_next_generation(struct stream *stream)
{
    struct streams *streams = stream->streams;
    struct generation *generation = NULL;
    struct segment *segment = NULL;
    int error;

    streams_unlock(streams);
    error = find_next(stream, &stream->credentials, &segment);
    streams_lock(streams);
    if (!error)
        generation = generation_get(streams, segment, &error);
    if (generation) {
        /* A notifier thread serves it, as this one is busy with the generation before. */
        generation->again = true;
        stream_set_generation(stream, generation, generation_ring(generation)->first);
        generation_listen(generation);
    } else {
        stream->ended = true;
        stream->error = error == -ENOENT ? 0 : error;
    }
    if (segment) {
        segment_release(segment);
        segment_drop(segment);
    }
}
