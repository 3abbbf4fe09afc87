/*
 * queue.c - both ends of a queue: who is held back by whom, and what happens when one end dies.
 */
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define MILLISECOND UINT64_C(1000000)

/* How long one end sleeps before it asks the kernel whether the other one lives. */
#define PEER_SLICE (50 * MILLISECOND)

static struct kymo_consumer_control *consumer_control(const struct kymo_segment *segment)
{
    return (void *)(segment->map + segment->header.consumer_offset);
}

static struct kymo_bell *consumer_bell(const struct kymo_segment *segment)
{
    return (void *)(segment->map + segment->header.consumer_bell_offset);
}

static uint64_t sooner(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

/* How long this call may wait for a lock that it shares: until its deadline, and a moment where it
 * has none, since whoever holds the lock is about to let it go. */
static uint64_t lock_timeout_until(uint64_t deadline)
{
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
    const uint64_t left = deadline > now ? deadline - now : 0;

    return left > MILLISECOND ? sooner(left, UINT64_MAX / 2) : MILLISECOND;
}

/* Whether nobody holds the byte, which several hold together where the segment has this flag. */
static int is_unlocked(const struct kymo_segment *segment, uint32_t shared, uint64_t start)
{
    return (segment->header.flags & shared ? kymo_file_is_shared(segment->fd, start)
                                           : kymo_file_is_locked(segment->fd, start)) == 0;
}

/* ---- the producer ---- */

int kymo_queue_find_limit(struct kymo_writer *writer)
{
    const struct kymo_ring *ring = &writer->ring;
    /* QUEUE-1 (acquire load): tail before the stores into the slots that it gives back. Pairs with
     * kymo_queue_acknowledge. */
    const uint64_t tail = kymo_load_acquire(&consumer_control(writer->segment)->tail);

    /* What anybody with write permission may have scribbled there bounds nothing. */
    if (tail < ring->first || tail > writer->pos || writer->pos - tail > ring->mask + 1)
        return -EBADMSG;
    writer->limit = sooner(tail + ring->mask + 1, KYMO_POSITION_LIMIT);
    if (writer->pos < writer->limit)
        return 0;
    return writer->pos < KYMO_POSITION_LIMIT ? -EAGAIN : -ENOSPC;
}

static int is_full(const struct kymo_writer *writer)
{
    const struct kymo_ring *ring = &writer->ring;
    /* QUEUE-2 (ordered load): our bit in the bell before this look at tail. Pairs with
     * kymo_queue_acknowledge. */
    const uint64_t tail = kymo_load_ordered(&consumer_control(writer->segment)->tail);
    /* The writer's own word where it is the only one: whoever scribbles on head makes nobody spin
     * between here and kymo_queue_find_limit. */
    const int is_shared = writer->segment->header.flags & KYMO_SHARED_WRITER ? 1 : 0;

    return (is_shared ? kymo_ring_head(ring) : writer->pos) - tail > ring->mask;
}

/* A consumer that was never there is waited for; one that was, and is not, is gone. What it gave back
 * before it went counts: the look at tail comes after the kernel's word. */
static int consumer_is_gone(const struct kymo_writer *writer)
{
    const struct kymo_segment *segment = writer->segment;

    return kymo_load_relaxed32(&consumer_control(segment)->consumer_pid) != 0 &&
           is_unlocked(segment, KYMO_SHARED_CONSUMER, KYMO_LOCK_CONSUMER) && is_full(writer);
}

/* The bell is touched only before a sleep: who just looks costs the other end no wake. */
static int wait_for_room(struct kymo_writer *writer, uint64_t deadline)
{
    struct kymo_bell *bell = consumer_bell(writer->segment);

    while (is_full(writer)) {
        const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
        uint32_t word;
        int error;

        if (kymo_load_relaxed32(&writer->ring.damaged))
            return -EBADMSG;
        if (consumer_is_gone(writer))
            return -EPIPE;
        if (now >= deadline)
            return -ETIMEDOUT;
        /* QUEUE-2 (ordered change): our bit before the look at tail. Pairs with
         * kymo_queue_acknowledge. */
        word = kymo_fetch_or_ordered32(&bell->word, KYMO_BELL_WAITING) | KYMO_BELL_WAITING;
        KYMO_TESTPOINT(WAITING);
        if (!is_full(writer))
            break;
        error = kymo_futex_wait(&bell->word, word, sooner(deadline, now + PEER_SLICE));
        if (error)
            return error;
    }
    return 0;
}

/* The deadline is for the lock of several producers, too. */
static int publish_until(struct kymo_writer *writer, const void *data, size_t len, uint64_t time,
                         uint64_t tag, uint64_t deadline)
{
    struct kymo_segment *segment = writer->segment;
    const uint64_t lock_timeout = segment->lock_timeout;
    int error;

    if (segment->header.flags & KYMO_SHARED_WRITER)
        segment->lock_timeout = lock_timeout_until(deadline);
    error = kymo_ring_publish(writer, data, len, time, tag);
    segment->lock_timeout = lock_timeout;
    return error;
}

int kymo_queue_push(struct kymo_writer *writer, const void *data, size_t len, uint64_t time,
                    uint64_t tag, uint64_t deadline)
{
    int error;

    if (writer->segment->header.kind != KYMO_QUEUE)
        return -EINVAL;
    for (int tries = 0;; tries++) {
        error = publish_until(writer, data, len, time, tag, deadline);
        if (error != -EAGAIN)
            return error;
        /* Others may take the room that was waited for, again and again (promise E). */
        if (tries > 0 && kymo_clock_now(KYMO_MONOTONIC) >= deadline)
            return -ETIMEDOUT;
        error = wait_for_room(writer, deadline);
        if (error)
            return error;
    }
}

/* ---- the consumer ---- */

static int is_shared(const struct kymo_consumer *consumer)
{
    return consumer->segment->header.flags & KYMO_SHARED_CONSUMER ? 1 : 0;
}

/* Everything up to head may be received; -ENODATA where that is nothing. */
static int find_limit(struct kymo_consumer *consumer)
{
    const struct kymo_ring *ring = &consumer->ring;
    const uint64_t head = kymo_ring_head(ring);

    if (kymo_load_relaxed32(&ring->damaged))
        return -EBADMSG;
    if (consumer->next > head || head - consumer->next > ring->mask + 1)
        return -EBADMSG;
    if (consumer->next == head)
        return kymo_ring_is_over(ring, head) ? -EIDRM : -ENODATA;
    consumer->limit = head;
    return 0;
}

int kymo_impl_queue_receive_slow(struct kymo_consumer *consumer)
{
    if (consumer->segment->orphan)
        return -EPERM;
    return is_shared(consumer) ? -EINVAL : find_limit(consumer);
}

void kymo_impl_queue_wake_producer(struct kymo_consumer *consumer)
{
    kymo_bell_ring(consumer->bell);
}

uint64_t kymo_queue_waiting(const struct kymo_consumer *consumer)
{
    if (consumer->segment->orphan)
        return 0;
    return kymo_ring_head(&consumer->ring) - kymo_load_relaxed(&consumer->control->tail);
}

/* The next position that this consumer would get; of several, it takes it under their lock. */
static uint64_t next_of(const struct kymo_consumer *consumer)
{
    return is_shared(consumer) ? kymo_load_relaxed(&consumer->control->tail) : consumer->next;
}

static int look(const struct kymo_consumer *consumer)
{
    const struct kymo_ring *ring = &consumer->ring;

    /* BELL-1 (ordered load): our bit in the bell before this look at head. Pairs with
     * kymo_impl_ring_complete. */
    if (kymo_load_ordered(&ring->control->head) != next_of(consumer))
        return 0;
    if (kymo_load_relaxed32(&ring->damaged))
        return -EBADMSG;
    /* BELL-2 orders this behind the bell's word, if that is the new one. */
    return kymo_ring_is_over(ring, next_of(consumer)) ? -EIDRM : -EAGAIN;
}

static int producer_is_gone(const struct kymo_consumer *consumer)
{
    return is_unlocked(consumer->segment, KYMO_SHARED_WRITER, KYMO_LOCK_WRITER) &&
           look(consumer) == -EAGAIN;
}

int kymo_queue_wait(struct kymo_consumer *consumer, uint64_t deadline)
{
    struct kymo_bell *bell;

    if (consumer->segment->orphan)
        return -EPERM;
    bell = (void *)(consumer->segment->map + consumer->segment->header.bell_offset);
    for (;;) {
        int error = look(consumer);
        uint64_t now;
        uint32_t word;

        if (error != -EAGAIN)
            return error;
        now = kymo_clock_now(KYMO_MONOTONIC);
        if (producer_is_gone(consumer))
            return -EPIPE;
        if (now >= deadline)
            return -ETIMEDOUT;
        /* BELL-1 (ordered change): our bit before the look at head. */
        word = kymo_fetch_or_ordered32(&bell->word, KYMO_BELL_WAITING) | KYMO_BELL_WAITING;
        KYMO_TESTPOINT(WAITING);
        error = look(consumer);
        if (error != -EAGAIN)
            return error;
        error = kymo_futex_wait(&bell->word, word, sooner(deadline, now + PEER_SLICE));
        if (error)
            return error;
    }
}

/* Of several consumers one at a time looks at tail, copies and moves it on. */
static int pop_shared(struct kymo_consumer *consumer, void *buffer, size_t size,
                      struct kymo_record *record, uint64_t deadline)
{
    struct kymo_segment *segment = consumer->segment;
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
    int error = kymo_robust_lock(&segment->lock_slot, now + lock_timeout_until(deadline));

    /* A dead owner left nothing half-done: the tail is one word. */
    if (error < 0)
        return error;
    consumer->next = kymo_load_relaxed(&consumer->control->tail);
    error = find_limit(consumer);
    if (!error)
        error = kymo_impl_ring_read(&consumer->ring, consumer->next, buffer, size, record);
    if (!error) {
        consumer->next++;
        kymo_queue_acknowledge(consumer);
    }
    consumer->limit = 0;
    kymo_robust_unlock(&segment->lock_slot);
    return error == -ESTALE ? -EBADMSG : error;
}

static int pop_alone(struct kymo_consumer *consumer, void *buffer, size_t size,
                     struct kymo_record *record)
{
    int error = kymo_queue_receive(consumer, buffer, size, record);

    if (!error)
        kymo_queue_acknowledge(consumer);
    return error;
}

int kymo_queue_pop(struct kymo_consumer *consumer, void *buffer, size_t size,
                   struct kymo_record *record, uint64_t deadline)
{
    int error;

    if (consumer->segment->orphan)
        return -EPERM;
    for (;;) {
        error = is_shared(consumer) ? pop_shared(consumer, buffer, size, record, deadline)
                                    : pop_alone(consumer, buffer, size, record);
        if (error != -ENODATA)
            return error;
        error = kymo_queue_wait(consumer, deadline);
        if (error)
            return error;
    }
}

/* ---- opening and closing ---- */

/* One consumer holds its byte alone, several hold it together. */
static int lock_consumer(const struct kymo_file *file, int directory, const char *name,
                         struct kymo_diagnostic *diagnostic)
{
    int error;

    if (file->header.kind != KYMO_QUEUE)
        return kymo_report(diagnostic, -EINVAL,
                           "kind: the segment is a %s, and a consumer needs a queue",
                           kymo_kind_text((enum kymo_kind)file->header.kind));
    error = file->header.flags & KYMO_SHARED_CONSUMER
                ? kymo_file_lock_shared(file->fd, KYMO_LOCK_CONSUMER)
                : kymo_file_lock(file->fd, KYMO_LOCK_CONSUMER, 1);
    KYMO_TESTPOINT(CONSUMER_LOCKED);
    if (error == -EBUSY)
        kymo_report(diagnostic, error, "another consumer is alive: end it first");
    if (!error && !kymo_file_is_named(file, directory, name))
        error = -EAGAIN;
    return error;
}

static void announce_owner(struct kymo_consumer_control *control)
{
    kymo_store_relaxed(&control->opened, kymo_clock_now(KYMO_MONOTONIC));
    kymo_store_relaxed32(&control->consumer_pid, (uint32_t)getpid());
    /* STATE-1 (release store): who consumes before that somebody does, as in a writer's announce_owner; but
     * nothing here looks yet. */
    kymo_store_release32(&control->state, KYMO_OPEN);
    KYMO_TESTPOINT(CONSUMER_SIGNED_IN);
}

static int take_place(struct kymo_consumer *consumer)
{
    struct kymo_segment *segment = consumer->segment;
    struct kymo_consumer_control *control = consumer->control;
    int locked;

    /* What the last one did came before the kernel gave its lock away. */
    consumer->next = kymo_load_relaxed(&control->tail);
    if (!is_shared(consumer)) {
        const uint64_t head = kymo_ring_head(&consumer->ring);

        if (consumer->next > head || head - consumer->next > consumer->ring.mask + 1)
            return -EBADMSG;
        announce_owner(control);
        return 0;
    }
    locked = kymo_robust_lock_join(segment, &control->lock, &control->takeovers,
                                   KYMO_LOCK_CONSUMER_SLOTS);
    if (locked < 0)
        return locked;
    announce_owner(control);
    kymo_robust_unlock(&segment->lock_slot);
    return 0;
}

static void destroy_handle(struct kymo_consumer *consumer)
{
    kymo_mapping_close(consumer->segment);
    free(consumer);
}

static int make_consumer(struct kymo_consumer **out, const char *name, struct kymo_file *file)
{
    struct kymo_consumer *consumer = aligned_alloc(KYMO_CACHE_LINE, 2 * KYMO_CACHE_LINE);
    int error;

    static_assert(sizeof(*consumer) <= 2 * KYMO_CACHE_LINE, "two lines hold a consumer");
    if (!consumer) {
        kymo_file_close(file);
        return -ENOMEM;
    }
    memset(consumer, 0, sizeof(*consumer));
    error = kymo_mapping_open(&consumer->segment, name, file, KYMO_CONSUMING, &consumer->ring);
    if (error) {
        free(consumer);
        return error;
    }
    consumer->control = consumer_control(consumer->segment);
    consumer->bell = consumer_bell(consumer->segment);
    consumer->segment->limit = &consumer->limit;
    kymo_fork_watch(consumer->segment);
    error = take_place(consumer);
    if (error)
        destroy_handle(consumer);
    else
        *out = consumer;
    return error;
}

static int open_named(struct kymo_consumer **consumer, int directory, const char *name,
                      struct kymo_diagnostic *diagnostic)
{
    struct kymo_file file;
    int error = -EAGAIN;

    for (int tries = 0; tries < 100 && error == -EAGAIN; tries++) {
        error = kymo_file_open(directory, name, O_RDWR, &file, diagnostic);
        if (error)
            return error;
        error = lock_consumer(&file, directory, name, diagnostic);
        if (error)
            kymo_file_close(&file);
    }
    return error ? error : make_consumer(consumer, name, &file);
}

int kymo_impl_consumer_open(struct kymo_consumer **consumer, const char *name, uint32_t major,
                            struct kymo_diagnostic *diagnostic)
{
    int directory;
    int error;

    *consumer = NULL;
    if (diagnostic)
        diagnostic->text[0] = 0;
    if (major != KYMO_LAYOUT_MAJOR)
        return kymo_report_major(diagnostic, major);
    directory = kymo_directory_open();
    if (directory < 0)
        return kymo_report_directory(diagnostic, directory);
    kymo_library_lock();
    error = open_named(consumer, directory, name, diagnostic);
    kymo_library_unlock();
    close(directory);
    return kymo_report_end(diagnostic, error);
}

void kymo_consumer_close(struct kymo_consumer *consumer)
{
    if (!consumer)
        return;
    /* Of several the last one closes: the one that can have the lock for itself. STATE-1 (release
     * store): every acknowledgement before the end. */
    if (!consumer->segment->orphan &&
        kymo_file_lock(consumer->segment->fd, KYMO_LOCK_CONSUMER, 1) == 0)
        kymo_store_release32(&consumer->control->state, KYMO_CLOSED);
    KYMO_TESTPOINT(CONSUMER_CLOSED);
    destroy_handle(consumer);
}
