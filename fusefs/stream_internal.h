/*
 * stream_internal.h - what the files of the streams share. Only these include it:
 *
 *     stream.c          requests, and what the threads of bells.h call: reads, polls, open and close
 *     stream_feed.c     the lock, and what it covers: feeds, and who waits at them
 *     stream_serve.c    who waits is answered
 *     stream_follow.c   what comes after a generation
 *
 * A feed is one generation with its lines; a stream is an open file, and is at one feed at a time.
 * Whoever has something to do at a feed, a worker with a read or a thread of bells.h with a record,
 * makes it busy: he alone then uses its lines and moves its streams on. Nobody waits for one who is
 * busy: he leaves his read where it is and asks to be served again; so a record that takes long to
 * spell out holds up nobody else.
 *
 * One lock covers what all threads look at: which reads and polls wait where, who is busy, and how
 * far each stream has come. It is not held while a line is made, a reply is sent, or the registry
 * is asked. Locks are taken in the order: a request's own (libfuse holds it while it interrupts),
 * this one, that of bells.h, that of libfuse's session. All functions here are called under the lock,
 * unless they say otherwise.
 */
#ifndef KYMOFS_STREAM_INTERNAL_H
#define KYMOFS_STREAM_INTERNAL_H

#include <fuse_lowlevel.h>
#include <pthread.h>

#include "bells.h"
#include "lines.h"
#include "stream.h"

#define BUCKETS 1024

/* A request that has not been answered yet. */
struct pending {
    fuse_req_t request;
    struct stream *stream;
    size_t size;
    bool impatient;
    struct pending *next;        /* of the same stream */
    struct pending *bucket_next; /* in the table by request */
};

/* How far a stream has come. */
struct cursor {
    uint64_t next;     /* the position of the next line, if no other is begun */
    struct line *rest; /* a line that is begun, or waits to be; NULL */
    size_t rest_at;    /* bytes of it that were sent */
};

struct stream {
    struct feed *feed;
    struct cursor cursor;
    /* Who might read it when it was opened (K). */
    uint32_t uid;
    uint32_t gid;
    uint32_t mode;
    bool ended;
    int error; /* of the end: 0, or a negative errno */
    struct pending *first;
    struct fuse_pollhandle *poll;
    bool told;  /* the poll has been told that there is something, and nobody has looked since */
    bool waits; /* in the feed's list */
    uint32_t holders;
    struct stream *feed_next;
    struct stream *feed_previous;
    struct stream *next; /* of all */
    struct stream *previous;
};

struct feed {
    struct listener listener; /* first */
    struct streams *streams;
    struct segment *segment;
    uint32_t holders; /* streams, whoever is busy, and the threads of bells.h */
    bool busy;
    bool again;      /* somebody came while it was busy */
    uint64_t served; /* the head up to which all that wait have been served */
    /* Those with a read or a poll to answer, in a circle. */
    struct stream *waiting;
    size_t waiting_count;
    struct lines lines; /* the busy one's own */
    bool queued;        /* in the list of those that nobody has got to yet */
    struct feed *queue_next;
    struct feed *bucket_next;
};

struct streams {
    struct registry *registry;
    struct bells *bells;
    pthread_mutex_t lock;
    struct feed *feeds[BUCKETS];      /* by segment */
    struct pending *pending[BUCKETS]; /* by request */
    struct stream *all;
    struct feed *queue; /* held: streams have moved there, and want to be served */
    struct feed *dead;  /* to be freed when the lock is left */
};

/* Of the tables. */
static inline size_t bucket_of(const void *address)
{
    return (size_t)(((uintptr_t)address >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 54);
}

/* ---- stream_feed.c ---- */

void streams_enter(struct streams *streams);
void streams_leave(struct streams *streams); /* and frees what is of no use any more */

void feed_free(struct feed *feed); /* without the lock */
void feed_drop(struct feed *feed);
/* The segment's feed, held; takes over the hold of the segment. NULL: no memory. */
struct feed *feed_get(struct streams *streams, struct segment *segment);
const struct kymo_ring *feed_ring(const struct feed *feed);
/* Whether nothing will come any more, but for what the ring holds. */
bool feed_is_over(const struct feed *feed);

bool stream_has_line(const struct stream *stream);
/* Whether the stream has to be moved on before it can have anything. */
bool stream_is_stuck(const struct stream *stream);
/* Puts the stream in its feed's list, or takes it out, as it has something to wait for. */
void stream_settle(struct stream *stream);
void stream_wait_no_more(struct feed *feed, struct stream *stream);
void stream_attach(struct stream *stream, struct feed *feed, uint64_t next);
void stream_drop(struct stream *stream);

/* ---- stream_serve.c ---- */

void pending_add(struct streams *streams, struct pending *pending);
void pending_remove(struct streams *streams, struct pending *pending);
struct pending *pending_find(const struct streams *streams, fuse_req_t request);
/* Replies with an error, or with nothing: the end of the file. Without the lock. */
void pending_refuse(struct pending *pending, int error);
/* Takes it out and does that; the lock is left meanwhile, also below. */
void pending_dismiss(struct streams *streams, struct pending *pending, int error);

/* Serves one stream, or where it is NULL all that wait at the feed, and whoever has moved on. */
void feed_serve(struct streams *streams, struct feed *feed, struct stream *only);
void feed_listen(struct streams *streams, struct feed *feed);

/* ---- stream_follow.c ---- */

/* A feed to which streams have moved, held; NULL: there is none. */
struct feed *queue_take(struct streams *streams);
/* Nothing will come where the stream is: on to the next generation, or to the end. The lock is left
 * meanwhile. */
void stream_move_on(struct streams *streams, struct stream *stream);

#endif
