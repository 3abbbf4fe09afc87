/*
 * queue.c - the two sides of a queue: waiting for each other, and the death of one side.
 */
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define MILLISECOND UINT64_C(1000000)

/* How long one side sleeps before it checks whether the other is alive. */
#define PEER_SLICE (50 * MILLISECOND)

static struct kymo_consumer_control *consumer_control(const struct kymo_segment *segment)
{
    return (void *)(segment->map + segment->header.consumer_offset);
}

static struct kymo_bell *consumer_bell(const struct kymo_segment *segment)
{
    return (void *)(segment->map + segment->header.consumer_bell_offset);
}

static uint64_t earlier(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

/* How long this call may wait for a shared lock: until its deadline, but at least 1 ms, since the
 * holder releases the lock soon. */
static uint64_t lock_timeout_until(uint64_t deadline)
{
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
    const uint64_t left = deadline > now ? deadline - now : 0;

    return left > MILLISECOND ? earlier(left, UINT64_MAX / 2) : MILLISECOND;
}

/* 1 if no process holds the byte, which several hold shared if the segment has this flag. */
static int is_unlocked(const struct kymo_segment *segment, uint32_t shared, uint64_t start)
{
    return (segment->header.flags & shared ? kymo_file_is_shared(segment->fd, start)
                                           : kymo_file_is_locked(segment->fd, start)) == 0;
}

/* ---- the producer ---- */

int kymo_queue_find_limit(struct kymo_writer *writer)
{
    const struct kymo_ring *ring = &writer->ring;
    /* QUEUE-1 (acquire load): tail before the stores into the slots that it releases. Pairs with
     * kymo_queue_acknowledge. */
    const uint64_t tail = kymo_load_acquire(&consumer_control(writer->segment)->tail);

    /* A corrupt tail must not bound anything. */
    if (tail < ring->first || tail > writer->pos || writer->pos - tail > ring->mask + 1)
        return -EBADMSG;
    writer->limit = earlier(tail + ring->mask + 1, KYMO_POSITION_LIMIT);
    if (writer->pos < writer->limit)
        return 0;
    return writer->pos < KYMO_POSITION_LIMIT ? -EAGAIN : -ENOSPC;
}

static int is_full(const struct kymo_writer *writer)
{
    const struct kymo_ring *ring = &writer->ring;
    /* QUEUE-2 (ordered load): the waiter bit before this load of tail. Pairs with
     * kymo_queue_acknowledge. */
    const uint64_t tail = kymo_load_ordered(&consumer_control(writer->segment)->tail);
    /* A single writer uses its own position: a corrupt head must not cause an endless loop between
     * here and kymo_queue_find_limit. */
    const int is_shared = writer->segment->header.flags & KYMO_SHARED_WRITER ? 1 : 0;

    return (is_shared ? kymo_ring_head(ring) : writer->pos) - tail > ring->mask;
}

/* 1 if a consumer has existed and no longer does. The slots it released still count: tail is loaded
 * after the query of the lock. */
static int consumer_has_ended(const struct kymo_writer *writer)
{
    const struct kymo_segment *segment = writer->segment;

    return kymo_load_relaxed32(&consumer_control(segment)->consumer_pid) != 0 &&
           is_unlocked(segment, KYMO_SHARED_CONSUMER, KYMO_LOCK_CONSUMER) && is_full(writer);
}

/* The bell's bit is set only before a sleep: a check that does not sleep costs the consumer no
 * wake. */
static int wait_for_slot(struct kymo_writer *writer, uint64_t deadline)
{
    struct kymo_bell *bell = consumer_bell(writer->segment);

    while (is_full(writer)) {
        const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
        uint32_t word;
        int error;

        if (kymo_load_relaxed32(&writer->ring.damaged))
            return -EBADMSG;
        if (consumer_has_ended(writer))
            return -EPIPE;
        if (now >= deadline)
            return -ETIMEDOUT;
        /* QUEUE-2 (ordered change): the waiter bit before the load of tail. Pairs with
         * kymo_queue_acknowledge. */
        word = kymo_fetch_or_ordered32(&bell->word, KYMO_BELL_WAITING) | KYMO_BELL_WAITING;
        KYMO_TESTPOINT(WAITING);
        if (!is_full(writer))
            break;
        error = kymo_futex_wait(&bell->word, word, earlier(deadline, now + PEER_SLICE));
        if (error)
            return error;
    }
    return 0;
}

/* The deadline also limits the wait for the lock of several producers. */
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
        /* Other producers may repeatedly take the free slot first (E: bounded waits). */
        if (tries > 0 && kymo_clock_now(KYMO_MONOTONIC) >= deadline)
            return -ETIMEDOUT;
        error = wait_for_slot(writer, deadline);
        if (error)
            return error;
    }
}

/* ---- the consumer ---- */

static int is_shared(const struct kymo_consumer *consumer)
{
    return consumer->segment->header.flags & KYMO_SHARED_CONSUMER ? 1 : 0;
}

/* Everything up to head may be received; -ENODATA if that is nothing. */
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

/* The position that this consumer receives next; several consumers load it under their lock. */
static uint64_t next_of(const struct kymo_consumer *consumer)
{
    return is_shared(consumer) ? kymo_load_relaxed(&consumer->control->tail) : consumer->next;
}

static int poll_queue(const struct kymo_consumer *consumer)
{
    const struct kymo_ring *ring = &consumer->ring;

    /* BELL-1 (ordered load): the waiter bit before this load of head. Pairs with
     * kymo_impl_ring_complete. */
    if (kymo_load_ordered(&ring->control->head) != next_of(consumer))
        return 0;
    if (kymo_load_relaxed32(&ring->damaged))
        return -EBADMSG;
    /* BELL-2 orders this after the load of the bell's word, if that is the new one. */
    return kymo_ring_is_over(ring, next_of(consumer)) ? -EIDRM : -EAGAIN;
}

static int producer_has_ended(const struct kymo_consumer *consumer)
{
    return is_unlocked(consumer->segment, KYMO_SHARED_WRITER, KYMO_LOCK_WRITER) &&
           poll_queue(consumer) == -EAGAIN;
}

int kymo_consumer_wait_for_producer(struct kymo_consumer *consumer, int is_waiting)
{
    if (consumer->segment->orphan)
        return -EPERM;
    consumer->segment->waits_for_producer = is_waiting;
    return 0;
}

/* Without a producer: -EPIPE, or 0 to wait for the next one. -EIDRM: a file that was unlinked by another
 * program gets none. */
static int check_producer(const struct kymo_consumer *consumer)
{
    struct stat status;

    if (!producer_has_ended(consumer))
        return 0;
    if (!consumer->segment->waits_for_producer)
        return -EPIPE;
    return fstat(consumer->segment->fd, &status) == 0 && status.st_nlink == 0 ? -EIDRM : 0;
}

int kymo_queue_wait(struct kymo_consumer *consumer, uint64_t deadline)
{
    struct kymo_bell *bell;

    if (consumer->segment->orphan)
        return -EPERM;
    bell = (void *)(consumer->segment->map + consumer->segment->header.bell_offset);
    for (;;) {
        int error = poll_queue(consumer);
        uint64_t now;
        uint32_t word;

        if (error != -EAGAIN)
            return error;
        now = kymo_clock_now(KYMO_MONOTONIC);
        error = check_producer(consumer);
        if (error)
            return error;
        if (now >= deadline)
            return -ETIMEDOUT;
        /* BELL-1 (ordered change): the waiter bit before the load of head. */
        word = kymo_fetch_or_ordered32(&bell->word, KYMO_BELL_WAITING) | KYMO_BELL_WAITING;
        KYMO_TESTPOINT(WAITING);
        error = poll_queue(consumer);
        if (error != -EAGAIN)
            return error;
        error = kymo_futex_wait(&bell->word, word, earlier(deadline, now + PEER_SLICE));
        if (error)
            return error;
    }
}

/* One consumer at a time loads tail, copies the record and advances tail. */
static int pop_shared(struct kymo_consumer *consumer, void *buffer, size_t size,
                      struct kymo_record *record, uint64_t deadline)
{
    struct kymo_segment *segment = consumer->segment;
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
    int error = kymo_robust_lock(&segment->lock_slot, now + lock_timeout_until(deadline));

    /* A dead owner leaves nothing incomplete: tail is one word. */
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

static int pop_exclusive(struct kymo_consumer *consumer, void *buffer, size_t size,
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
                                    : pop_exclusive(consumer, buffer, size, record);
        if (error != -ENODATA)
            return error;
        error = kymo_queue_wait(consumer, deadline);
        if (error)
            return error;
    }
}

/* ---- opening and closing ---- */

/* A single consumer locks its byte exclusively, several lock it shared. */
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
    if (!error)
        error = kymo_file_check_name(file, directory, name);
    /* The pages that a consumer writes may be holes, as in a file restored from an archive. */
    if (!error)
        error = kymo_file_allocate(file->fd, FALLOC_FL_KEEP_SIZE, file->header.bell_offset,
                                   file->header.times_offset - file->header.bell_offset);
    return error;
}

static void announce_owner(struct kymo_consumer_control *control)
{
    kymo_store_relaxed(&control->opened, kymo_clock_now(KYMO_MONOTONIC));
    kymo_store_relaxed32(&control->consumer_pid, (uint32_t)getpid());
    /* STATE-1 (release store): the new consumer's fields before the state, as in a writer's
     * announce_owner; but no reader loads this state yet. */
    kymo_store_release32(&control->state, KYMO_OPEN);
    KYMO_TESTPOINT(CONSUMER_ANNOUNCED);
}

static int claim_consumer(struct kymo_consumer *consumer)
{
    struct kymo_segment *segment = consumer->segment;
    struct kymo_consumer_control *control = consumer->control;
    int locked;

    /* The last consumer's stores came before the kernel released its lock. */
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
    error = claim_consumer(consumer);
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
    kymo_report_begin(diagnostic);
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
    /* The last of several consumers closes: the one that gets the lock exclusively.
     * STATE-1 (release store): every acknowledgement before the end. */
    if (!consumer->segment->orphan &&
        kymo_file_lock(consumer->segment->fd, KYMO_LOCK_CONSUMER, 1) == 0)
        kymo_store_release32(&consumer->control->state, KYMO_CLOSED);
    KYMO_TESTPOINT(CONSUMER_CLOSED);
    destroy_handle(consumer);
}
