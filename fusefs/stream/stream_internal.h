/*
 * stream_internal.h - what the files of the streams share. Each calls only itself and those above:
 *
 *     stream_state.c    the lock, and what it covers: generations, streams, blocked reads
 *     stream_reply.c    replies to reads
 *     stream_follow.c   the generation after the one that ended
 *     stream_serve.c    all reads and polls of a generation
 *     stream.c          requests, and the callbacks of notifier.h
 *
 * A stream is an open file; it is at one generation at a time. A thread that serves a generation, a
 * worker with a read or a notifier thread with a record, sets `is_served`: only that thread then uses its
 * lines and moves its streams on. No thread waits for a generation that is served: it leaves its read in the
 * list and sets `again`. A record whose line takes long to render thus delays no other thread.
 *
 * One lock covers all states. It is released while a line is rendered, a reply is sent, or the
 * registry is called (but for references and acquisitions). Lock order: a request's own (libfuse holds
 * it during the interrupt function), this one, those of notifier.h and of the registry, libfuse's
 * session. All functions here are called with the lock held, unless they say otherwise.
 */
#ifndef KYMOFS_STREAM_INTERNAL_H
#define KYMOFS_STREAM_INTERNAL_H

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <sys/queue.h>

#include "lines.h"
#include "notifier.h"
#include "stream.h"

#define STREAM_BUCKETS 1024

/* A read without a reply. */
struct blocked_read {
    fuse_req_t request;
    struct stream *stream;
    size_t size;
    bool nonblocking;
    bool queued; /* in the stream's list; else the thread that took it sends the reply */
    TAILQ_ENTRY(blocked_read) entry;
};

struct read_position {
    uint64_t next;     /* the position of the next line, unless `rest` is set */
    struct line *rest; /* a line that was begun, or did not fit; or NULL */
    size_t rest_offset;
};

struct stream {
    struct streams *streams;
    struct generation *generation;
    struct credentials credentials; /* the opener's */
    struct read_position position;
    bool ended;
    int error; /* of the end: 0, or a negative errno */
    TAILQ_HEAD(, blocked_read) reads;
    struct fuse_pollhandle *poll;
    bool poll_notified; /* and no read or poll since */
    bool waiting;       /* in the generation's list */
    uint32_t references;
    TAILQ_ENTRY(stream) waiting_entry;
    LIST_ENTRY(stream) entry; /* in the list of all */
};

/* One generation of a segment with its lines. */
struct generation {
    struct listener listener; /* first */
    struct streams *streams;
    struct segment *segment; /* held and acquired */
    uint32_t references;     /* streams, the thread that serves it, the notifier */
    bool is_served;
    bool again;                   /* serve all that wait once more */
    uint64_t served;              /* the head up to which all that wait have been served */
    TAILQ_HEAD(, stream) waiting; /* streams with a read or a poll without a reply */
    size_t waiting_count;
    struct lines lines; /* used by the thread that serves, without the lock */
    LIST_ENTRY(generation) entry;
};

LIST_HEAD(generations, generation);

struct streams {
    struct registry *registry;
    struct notifier *notifier;
    pthread_mutex_t lock;
    struct generations generations[STREAM_BUCKETS]; /* by segment */
    struct generations unused;                      /* to be freed when the lock is released */
    LIST_HEAD(, stream) all;
};

/* ---- stream_state.c ---- */

void streams_lock(struct streams *streams);
void streams_unlock(struct streams *streams);

/* The segment's generation, with a reference. The caller has acquired the segment. NULL: error. */
struct generation *generation_get(struct streams *streams, struct segment *segment, int *error);
void generation_drop(struct generation *generation);
void generation_free(struct generation *generation); /* without the lock */
const struct kymo_ring *generation_ring(const struct generation *generation);
/* Whether no record will follow those that the ring holds. */
bool generation_has_ended(const struct generation *generation);

bool stream_has_line(const struct stream *stream);
/* Whether the stream must continue with the next generation before it has a line. */
bool stream_at_end_of_generation(const struct stream *stream);
/* Adds the stream to the list of its generation, or removes it. */
void stream_update_waiting(struct stream *stream);
/* Takes over the reference of the generation. */
void stream_set_generation(struct stream *stream, struct generation *generation, uint64_t next);
void stream_drop(struct stream *stream);

void read_remove(struct blocked_read *read);

/* ---- stream_reply.c: these release the lock and take it again ---- */

/* Replies with an error, or 0: the end of the file. Frees the read. Without the lock. */
void read_reply_error(struct blocked_read *read, int error);
/* The same for a read in the list, which is removed. */
void read_complete(struct blocked_read *read, int error);
/* Replies to the stream's first read. Returns false if there is nothing for it yet. */
bool stream_reply(struct stream *stream);
/* Replies to reads that do not wait: nonblocking or interrupted ones. */
void complete_aborted_reads(struct stream *stream);
/* Has the notifier serve the generation as long as streams wait. */
void generation_listen(struct generation *generation);

/* ---- stream_follow.c: releases the lock and takes it again ---- */

void stream_next_generation(struct stream *stream);

/* ---- stream_serve.c: releases the lock and takes it again ---- */

/* Serves one stream; NULL: all streams that wait for the generation. */
void generation_serve(struct generation *generation, struct stream *only);

#endif
