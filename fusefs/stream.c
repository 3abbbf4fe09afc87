/*
 * stream.c - reads that wait, and who answers them.
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
 * this one, that of bells.h, that of libfuse's session.
 *
 * A stream moves on before its reply is sent: when the reader has it he may close the file. What
 * the reply consists of is held until it has been sent.
 */
#include "stream.h"

#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "bells.h"
#include "counters.h"
#include "lines.h"

#define BUCKETS 1024

/* Lines that one reply holds at most. */
#define PARTS 128

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

static struct feed *feed_of(struct listener *listener)
{
    return (struct feed *)listener;
}

static size_t bucket_of(const void *address)
{
    return (size_t)(((uintptr_t)address >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 54);
}

/* ---- the lock, and what is done when it has been left ---- */

static void enter(struct streams *streams)
{
    pthread_mutex_lock(&streams->lock);
}

static void feed_free(struct feed *feed)
{
    lines_close(&feed->lines);
    segment_drop(feed->segment);
    free(feed);
}

static void leave(struct streams *streams)
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

static void feed_drop(struct feed *feed)
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
static struct feed *feed_get(struct streams *streams, struct segment *segment)
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

static const struct kymo_ring *ring_of(const struct feed *feed)
{
    return &feed->segment->reader->ring;
}

/* Whether nothing will come any more, but for what the ring holds. */
static bool feed_is_over(const struct feed *feed)
{
    /* Acquire: the state before a look at head. */
    return kymo_load_acquire32(&ring_of(feed)->control->state) == KYMO_RETIRED ||
           !segment_is_current(feed->segment) || kymo_load_relaxed32(&ring_of(feed)->damaged);
}

/* ---- streams, under the lock ---- */

static bool has_line(const struct stream *stream)
{
    return stream->cursor.rest || stream->ended ||
           kymo_ring_head(ring_of(stream->feed)) > stream->cursor.next;
}

/* Whether the stream has to be moved on before it can have anything. */
static bool is_stuck(const struct stream *stream)
{
    /* First whether it is over: what the last writer published, it did before. */
    if (!feed_is_over(stream->feed) || stream->ended || stream->cursor.rest)
        return false;
    return !has_line(stream) || kymo_load_relaxed32(&ring_of(stream->feed)->damaged);
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

static void waiting_remove(struct feed *feed, struct stream *stream)
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
static void settle(struct stream *stream)
{
    const bool waits = stream->first || (stream->poll && !stream->told && !stream->ended);

    if (waits && !stream->waits)
        waiting_add(stream->feed, stream);
    else if (!waits && stream->waits)
        waiting_remove(stream->feed, stream);
}

static void stream_free(struct stream *stream)
{
    if (stream->poll)
        fuse_pollhandle_destroy(stream->poll);
    line_drop(stream->cursor.rest);
    free(stream);
    counter_take(COUNTER_STREAMS, 1);
}

static void stream_drop(struct stream *stream)
{
    if (--stream->holders > 0)
        return;
    feed_drop(stream->feed);
    stream_free(stream);
}

/* ---- requests, under the lock ---- */

static void pending_add(struct streams *streams, struct pending *pending)
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

static void pending_remove(struct streams *streams, struct pending *pending)
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
static void refuse(struct pending *pending, int error)
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
static struct feed *queue_take(struct streams *streams)
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

static void stream_attach(struct stream *stream, struct feed *feed, uint64_t next)
{
    stream->feed = feed;
    stream->cursor.next = next;
}

/* To the first record of the segment's generation, of which the hold is taken over. */
static int follow(struct streams *streams, struct stream *stream, struct segment *segment)
{
    struct feed *before = stream->feed;
    struct feed *feed = feed_get(streams, segment);

    if (!feed)
        return -ENOMEM;
    if (stream->waits)
        waiting_remove(before, stream);
    stream_attach(stream, feed, ring_of(feed)->first);
    settle(stream);
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
static void move_on(struct streams *streams, struct stream *stream)
{
    struct segment *segment;
    int error;

    leave(streams);
    error = find_next(streams, stream, &segment);
    enter(streams);
    if (!error)
        error = follow(streams, stream, segment);
    if (error) {
        stream->ended = true;
        stream->error = error == -ENOENT ? 0 : error;
    }
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
    leave(streams);
    error = answer_gather(&answer, &feed->lines, pending->size);
    enter(streams);
    stream->cursor = answer.cursor;
    if (error && error != -ENOMEM) {
        pending_put_back(streams, pending);
        return false;
    }
    stream->told = false;
    leave(streams);
    if (error)
        refuse(pending, error);
    else
        answer_send(&answer, pending);
    enter(streams);
    return true;
}

static void dismiss(struct streams *streams, struct pending *pending, int error)
{
    pending_remove(streams, pending);
    pending->stream->told = false;
    leave(streams);
    refuse(pending, error);
    enter(streams);
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

    while (pending && !has_line(stream)) {
        const int error = unwillingness(pending);

        if (error)
            dismiss(streams, pending, error);
        pending = error ? stream->first : pending->next;
    }
}

static void serve_reads(struct streams *streams, struct feed *feed, struct stream *stream)
{
    while (stream->feed == feed && (stream->first || stream->waits)) {
        if (is_stuck(stream))
            move_on(streams, stream);
        else if (!stream->first || !has_line(stream))
            break;
        else if (stream->ended && !stream->cursor.rest)
            dismiss(streams, stream->first, stream->error);
        else if (!serve_read(streams, feed, stream) && !is_stuck(stream))
            break;
    }
}

static void serve_poll(struct streams *streams, struct stream *stream)
{
    if (!stream->poll || stream->told || !has_line(stream))
        return;
    stream->told = true;
    leave(streams);
    fuse_lowlevel_notify_poll(stream->poll);
    enter(streams);
}

static void serve_stream(struct streams *streams, struct feed *feed, struct stream *stream)
{
    stream->holders++;
    serve_reads(streams, feed, stream);
    if (stream->feed == feed) {
        dismiss_unwilling(streams, stream);
        serve_poll(streams, stream);
    }
    settle(stream);
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
            dismiss(streams, stream->first, error);
        stream->told = true;
        settle(stream);
        stream_drop(stream);
    }
}

static void listen_for(struct streams *streams, struct feed *feed)
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
    listen_for(streams, feed);
    feed_drop(feed);
}

static void serve(struct streams *streams, struct feed *feed, struct stream *only)
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

/* ---- what the threads of bells.h call ---- */

/* A reader that keeps up asks again before the next record: until then we go on listening for him,
 * as he needs nobody woken up for it. */
static bool look(struct listener *listener, uint64_t *seen)
{
    struct feed *feed = feed_of(listener);
    struct streams *streams = feed->streams;
    bool goes_on = false;
    bool over;

    *seen = kymo_ring_head(ring_of(feed));
    enter(streams);
    over = feed_is_over(feed);
    if (feed->busy) {
        feed->again = true; /* and then he listens who is */
    } else if (*seen != feed->served || over) {
        goes_on = feed->waiting && !over;
        feed->served = *seen;
        serve(streams, feed, NULL);
    }
    goes_on |= !feed->busy && feed->waiting;
    leave(streams);
    return goes_on;
}

static void left(struct listener *listener)
{
    struct streams *streams = feed_of(listener)->streams;

    enter(streams);
    feed_drop(feed_of(listener));
    leave(streams);
}

/* ---- requests ---- */

static struct pending *pending_find(const struct streams *streams, fuse_req_t request)
{
    struct pending *pending = streams->pending[bucket_of(request)];

    while (pending && pending->request != request)
        pending = pending->bucket_next;
    return pending;
}

/* The request is in the table, or has been taken from it by one who will ask whether it was
 * interrupted before he puts it back. */
static void interrupt_read(fuse_req_t request, void *context)
{
    struct streams *streams = context;
    struct pending *pending;

    enter(streams);
    pending = pending_find(streams, request);
    if (pending) {
        pending_remove(streams, pending);
        settle(pending->stream);
    }
    leave(streams);
    if (pending)
        refuse(pending, -EINTR);
}

void stream_read(struct streams *streams, struct stream *stream, fuse_req_t request, size_t size,
                 int flags)
{
    struct pending *pending = malloc(sizeof(*pending));

    if (!pending || size == 0) {
        free(pending);
        if (size == 0)
            fuse_reply_buf(request, "", 0);
        else
            fuse_reply_err(request, ENOMEM);
        return;
    }
    *pending = (struct pending){request, stream, size, flags & O_NONBLOCK, NULL, NULL};
    fuse_req_interrupt_func(request, interrupt_read, streams);
    enter(streams);
    pending_add(streams, pending);
    settle(stream);
    serve(streams, stream->feed, stream);
    leave(streams);
}

static unsigned int events_of(const struct stream *stream)
{
    if (!has_line(stream) || is_stuck(stream))
        return 0;
    if (!stream->ended || stream->cursor.rest)
        return POLLIN | POLLRDNORM;
    return POLLIN | POLLRDNORM | (stream->error ? POLLERR : POLLHUP);
}

/* The handle that came first is as good as all that follow. */
static void keep_handle(struct stream *stream, struct fuse_pollhandle *handle)
{
    if (!stream->poll)
        stream->poll = handle;
    else if (handle)
        fuse_pollhandle_destroy(handle);
}

void stream_poll(struct streams *streams, struct stream *stream, fuse_req_t request,
                 struct fuse_pollhandle *handle)
{
    unsigned int events;

    enter(streams);
    keep_handle(stream, handle);
    events = events_of(stream);
    /* Edge by edge, the next record is news even to him who has not read this one. */
    stream->told = false;
    settle(stream);
    if (events)
        listen_for(streams, stream->feed);
    else
        serve(streams, stream->feed, stream);
    leave(streams);
    fuse_reply_poll(request, events);
}

/* ---- open and close ---- */

static void stream_link(struct streams *streams, struct stream *stream)
{
    stream->next = streams->all;
    if (stream->next)
        stream->next->previous = stream;
    streams->all = stream;
}

static void stream_unlink(struct streams *streams, struct stream *stream)
{
    if (stream->next)
        stream->next->previous = stream->previous;
    if (stream->previous)
        stream->previous->next = stream->next;
    else
        streams->all = stream->next;
}

int stream_open(struct streams *streams, struct segment *segment, struct stream **out)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    const struct kymo_ring *ring = &segment->reader->ring;
    const uint64_t head = kymo_ring_head(ring);
    struct feed *feed;

    if (!stream || kymo_load_relaxed32(&ring->damaged)) {
        segment_drop(segment);
        free(stream);
        return stream ? -EBADMSG : -ENOMEM;
    }
    stream->uid = kymo_load_relaxed32(&segment->uid);
    stream->gid = kymo_load_relaxed32(&segment->gid);
    stream->mode = kymo_load_relaxed32(&segment->mode);
    stream->holders = 1;
    enter(streams);
    feed = feed_get(streams, segment);
    if (feed) {
        stream_attach(stream, feed, head);
        stream_link(streams, stream);
    }
    leave(streams);
    if (!feed) {
        free(stream);
        return -ENOMEM;
    }
    counter_add(COUNTER_STREAMS, 1);
    *out = stream;
    return 0;
}

void stream_close(struct streams *streams, struct stream *stream)
{
    enter(streams);
    stream->ended = true;
    settle(stream);
    stream_unlink(streams, stream);
    stream_drop(stream);
    leave(streams);
}

/* A stream has no position: reads of several threads do not wait for each other, and pread and
 * lseek are errors. libfuse 3.14 has no word for that. */
int stream_reply_open(fuse_req_t request, struct stream *stream)
{
    const struct fuse_open_out reply = {
        .fh = (uintptr_t)stream,
        .open_flags = FOPEN_DIRECT_IO | FOPEN_STREAM | FOPEN_NONSEEKABLE | FOPEN_NOFLUSH,
    };

    return fuse_reply_buf(request, (const char *)&reply, sizeof(reply));
}

void streams_changed(struct streams *streams)
{
    bells_ring(streams->bells);
}

int streams_open(struct streams **out, struct registry *registry)
{
    struct streams *streams = calloc(1, sizeof(*streams));
    int error = streams ? bells_open(&streams->bells, look, left) : -ENOMEM;

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
    while (streams->all) {
        struct stream *stream = streams->all;

        while (stream->first)
            dismiss(streams, stream->first, -ENOTCONN);
        stream->ended = true;
        settle(stream);
        stream_unlink(streams, stream);
        stream_drop(stream);
    }
}

void streams_close(struct streams *streams)
{
    if (!streams)
        return;
    bells_close(streams->bells);
    enter(streams);
    end_all(streams);
    leave(streams);
    /* The threads have ended with feeds in hand. */
    for (size_t i = 0; i < BUCKETS; i++) {
        while (streams->feeds[i]) {
            struct feed *feed = streams->feeds[i];

            streams->feeds[i] = feed->bucket_next;
            feed_free(feed);
        }
    }
    pthread_mutex_destroy(&streams->lock);
    free(streams);
}
