/*
 * loader.c - the thread that loads the newest record, and the pins that protect buffers.
 */
#include "internal.h"

#include <kymo/loader.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MILLISECOND UINT64_C(1000000)

/* Slots from this size on are unmapped after a load, bytes. */
#define UNMAP_LEAST (UINT64_C(1) << 17)

/* How often the waiting thread checks whether it must end. */
#define SLICE (50 * MILLISECOND)

static uint64_t earlier(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

struct buffer {
    uint32_t pins;
    struct kymo_record record;
    uint64_t load;       /* number of the load */
    uint64_t generation; /* value of `reopened` */
    void *payload;
    size_t size; /* bytes allocated */
};

struct kymo_loader {
    char name[KYMO_NAME_LIMIT + 1];
    struct kymo_reader
        *reader; /* replaced by the thread under the lock; others use it under the lock */
    pthread_mutex_t lock;
    struct buffer buffers[KYMO_LOADER_BUFFERS];
    uint32_t max_buffers;
    uint32_t stop;
    uint32_t error;        /* positive errno that stopped loading, or 0 */
    uint64_t newest;       /* number of the buffer + 1; 0: none yet */
    struct kymo_bell bell; /* rung at each load, for its waiters */
    uint64_t seen;         /* published before the next load */
    pthread_t thread;
    uint64_t loaded, missed, skipped, reopened, allocated;
};

/* ---- the thread ---- */

/* LOADER-1 (ordered store of newest, then ordered load of pins): a buffer is written only after it
 * stopped being the newest and no pin was found. Pairs with kymo_loader_pin, which pins and then
 * checks whether the buffer is still the newest: one of the two sees the other. */
/* LOADER-3 (acquire, by the ordered load of pins): the last read of a buffer before it is written.
 * Pairs with kymo_loader_unpin. */
static struct buffer *find_idle(struct kymo_loader *loader)
{
    const uint64_t newest = kymo_load_relaxed(&loader->newest);

    for (uint32_t i = 0; i < loader->max_buffers; i++) {
        struct buffer *buffer = &loader->buffers[i];

        if (i + 1 != newest && kymo_load_ordered32(&buffer->pins) == 0)
            return buffer;
    }
    return NULL;
}

/* Allocates for a record of this generation; an old buffer may be too small for it. */
static int reserve_buffer(struct kymo_loader *loader, struct buffer *buffer)
{
    const size_t size = loader->reader->ring.size;
    const size_t rounded = (size + KYMO_CACHE_LINE - 1) / KYMO_CACHE_LINE * KYMO_CACHE_LINE;

    if (buffer->size >= size)
        return 0;
    if (buffer->payload)
        kymo_fetch_add_relaxed(&loader->allocated, UINT64_MAX);
    free(buffer->payload);
    buffer->payload = aligned_alloc(KYMO_CACHE_LINE, rounded);
    buffer->size = buffer->payload ? rounded : 0;
    if (!buffer->payload)
        return -ENOMEM;
    kymo_fetch_add_relaxed(&loader->allocated, 1);
    return 0;
}

static void publish(struct kymo_loader *loader, struct buffer *buffer)
{
    const uint64_t pos = buffer->record.pos;

    if (pos > loader->seen)
        kymo_fetch_add_relaxed(&loader->missed, pos - loader->seen);
    loader->seen = pos + 1;
    kymo_fetch_add_relaxed(&loader->loaded, 1);
    buffer->load = kymo_load_relaxed(&loader->loaded);
    buffer->generation = kymo_load_relaxed(&loader->reopened);
    /* LOADER-2 (ordered store of newest, then ordered load of the bell): as BELL-1, for waiters of
     * a load. Pairs with kymo_loader_pin_wait. LOADER-4 (release, by the ordered store): the record
     * before the number of its buffer. Pairs with kymo_loader_pin. */
    kymo_store_ordered(&loader->newest, (uint64_t)(buffer - loader->buffers) + 1);
    if (kymo_load_ordered32(&loader->bell.word) & KYMO_BELL_WAITING)
        kymo_bell_ring(&loader->bell);
}

/* Pages that were read count as this process's memory until they are unmapped. Only whole pages of the
 * slot: the SIGBUS guard may have mapped private memory beside them. Small slots take little. */
static void unmap_slot(const struct kymo_ring *ring, uint64_t pos)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t slot = (uintptr_t)ring->slots + (pos & ring->mask) * ring->stride;
    const uintptr_t begin = (slot + page - 1) & ~(page - 1);
    const uintptr_t end = (slot + ring->stride) & ~(page - 1);

    if (ring->stride >= UNMAP_LEAST && end > begin)
        madvise((void *)begin, end - begin, MADV_DONTNEED);
}

/* Loads the newest record, if there is one and an unused buffer. */
static int load(struct kymo_loader *loader)
{
    struct buffer *buffer = find_idle(loader);
    int error;

    if (!buffer) {
        kymo_fetch_add_relaxed(&loader->skipped, 1);
        return -EBUSY;
    }
    error = reserve_buffer(loader, buffer);
    if (!error)
        error = kymo_ring_latest(loader->reader, buffer->payload, buffer->size, &buffer->record);
    if (!error) {
        publish(loader, buffer);
        unmap_slot(&loader->reader->ring, buffer->record.pos);
    }
    return error;
}

/* Follows a replaced segment; the old snapshot remains until the new generation has a record. */
static int reopen(struct kymo_loader *loader)
{
    struct kymo_reader *old = loader->reader;
    struct kymo_reader *reader;
    int error = kymo_reader_open(&reader, loader->name);

    if (error)
        return error;
    pthread_mutex_lock(&loader->lock);
    loader->reader = reader;
    kymo_fetch_add_relaxed(&loader->reopened, 1);
    pthread_mutex_unlock(&loader->lock);
    kymo_reader_close(old);
    loader->seen = 0;
    kymo_bell_ring(&loader->bell);
    return 0;
}

/* Records why nothing is loaded, and wakes the waiters of a first load. */
static void report(struct kymo_loader *loader, int error)
{
    const int transient =
        error == -ETIMEDOUT || error == -EBUSY || error == -EAGAIN || error == -ENODATA;
    const uint32_t value = transient ? 0 : (uint32_t)-error;

    if (kymo_load_relaxed32(&loader->error) == value)
        return;
    kymo_store_relaxed32(&loader->error, value);
    kymo_bell_ring(&loader->bell);
}

static void *run(void *argument)
{
    struct kymo_loader *loader = argument;

    while (!kymo_load_relaxed32(&loader->stop)) {
        const uint64_t slice = kymo_clock_now(KYMO_MONOTONIC) + SLICE;
        int error = kymo_ring_wait(loader->reader, loader->seen, slice);

        if (!error)
            error = load(loader);
        if (error == -EIDRM || error == -EBADMSG)
            error = reopen(loader);
        report(loader, error);
        if (error && error != -ETIMEDOUT)
            usleep(1000);
    }
    return NULL;
}

/* ---- open and close ---- */

/* Block signals: a handler on this thread would delay the loads. Fault signals remain unblocked,
 * since the guard's handler runs on the thread that faults. */
static int start(struct kymo_loader *loader)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGFPE);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = -pthread_create(&loader->thread, NULL, run, loader);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!error)
        pthread_setname_np(loader->thread, "kymo-loader");
    return error;
}

static void free_loader(struct kymo_loader *loader)
{
    kymo_reader_close(loader->reader);
    pthread_mutex_destroy(&loader->lock);
    for (uint32_t i = 0; i < KYMO_LOADER_BUFFERS; i++)
        free(loader->buffers[i].payload);
    free(loader);
}

static int check_arguments(const char *name, uint32_t max_buffers,
                           struct kymo_diagnostic *diagnostic)
{
    const int error = kymo_name_diagnose(name, diagnostic);

    if (!error && max_buffers != 0 && (max_buffers < 3 || max_buffers > KYMO_LOADER_BUFFERS))
        return kymo_report(diagnostic, -EINVAL, "max_buffers: %u is not from 3 to %u (0: 8)",
                           max_buffers, KYMO_LOADER_BUFFERS);
    return error;
}

int kymo_loader_open_diagnosed(struct kymo_loader **out, const char *name, uint32_t max_buffers,
                               struct kymo_diagnostic *diagnostic)
{
    struct kymo_loader *loader;
    int error = check_arguments(name, max_buffers, diagnostic);

    *out = NULL;
    if (error)
        return error;
    loader = calloc(1, sizeof(*loader));
    if (!loader)
        return kymo_report_end(diagnostic, -ENOMEM);
    pthread_mutex_init(&loader->lock, NULL);
    memcpy(loader->name, name, strlen(name) + 1);
    loader->max_buffers = max_buffers ? max_buffers : 8;
    error = kymo_reader_open_diagnosed(&loader->reader, name, diagnostic);
    /* Load an existing record now, so that it can be pinned at once; otherwise the thread loads
     * it. */
    if (!error && load(loader) == -ENOMEM)
        error = -ENOMEM;
    if (!error) {
        error = start(loader);
        if (error == -EAGAIN)
            kymo_report(diagnostic, error, "the loader's thread cannot be started: see ulimit -u");
    }
    if (error)
        free_loader(loader);
    else
        *out = loader;
    return kymo_report_end(diagnostic, error);
}

int kymo_loader_open(struct kymo_loader **out, const char *name, uint32_t max_buffers)
{
    return kymo_loader_open_diagnosed(out, name, max_buffers, NULL);
}

void kymo_loader_close(struct kymo_loader *loader)
{
    if (!loader)
        return;
    kymo_store_relaxed32(&loader->stop, 1);
    pthread_join(loader->thread, NULL);
    free_loader(loader);
}

/* ---- pins ---- */

int kymo_loader_pin(struct kymo_loader *loader, struct kymo_snapshot *snapshot)
{
    for (int tries = 0; tries < KYMO_RETRIES; tries++) {
        const uint64_t newest = kymo_load_ordered(&loader->newest);
        struct buffer *buffer;

        if (newest == 0) {
            const uint32_t error = kymo_load_relaxed32(&loader->error);

            return error ? -(int)error : -ENODATA;
        }
        buffer = &loader->buffers[newest - 1];
        /* LOADER-1 (ordered exchange, then ordered load): the pin before the second load of newest.
         * Pairs with find_idle. LOADER-4 (acquire, by the ordered load): that load before the reads
         * of the buffer. Pairs with publish. */
        kymo_fetch_add_ordered32(&buffer->pins, 1);
        KYMO_TESTPOINT(PINNED);
        if (kymo_load_ordered(&loader->newest) == newest) {
            snapshot->record = buffer->record;
            snapshot->load = buffer->load;
            snapshot->payload = buffer->payload;
            snapshot->buffer = (uint32_t)newest - 1;
            return 0;
        }
        kymo_fetch_add_ordered32(&buffer->pins, UINT32_MAX);
    }
    return -EAGAIN;
}

void kymo_loader_unpin(struct kymo_loader *loader, struct kymo_snapshot *snapshot)
{
    if (!snapshot->payload)
        return;
    snapshot->payload = NULL;
    /* LOADER-3 (release, by the ordered change): every read of the buffer before its release. Pairs
     * with find_idle. */
    kymo_fetch_add_ordered32(&loader->buffers[snapshot->buffer].pins, UINT32_MAX);
}

/* LOADER-2 (ordered change of the bell, then ordered load of newest, in the pin that follows): the waiter
 * bit before that load. Pairs with publish. */
static uint32_t arm_bell(struct kymo_loader *loader)
{
    return kymo_fetch_or_ordered32(&loader->bell.word, KYMO_BELL_WAITING) | KYMO_BELL_WAITING;
}

int kymo_loader_pin_wait(struct kymo_loader *loader, uint64_t seen, uint64_t deadline,
                         struct kymo_snapshot *snapshot)
{
    for (;;) {
        const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
        const uint32_t word = arm_bell(loader);
        int error = kymo_loader_pin(loader, snapshot);

        if (!error && snapshot->load > seen)
            return 0;
        if (!error)
            kymo_loader_unpin(loader, snapshot);
        /* It has no record yet, is being replaced, or does not exist at present. */
        if (error && error != -ENODATA && error != -EIDRM && error != -ENOENT)
            return error;
        if (now >= deadline)
            return -ETIMEDOUT;
        kymo_futex_wait(&loader->bell.word, word, deadline);
    }
}

/* What was published at the time of a call. */
struct published {
    uint64_t generation;
    uint64_t end; /* the position behind the newest */
    int is_empty;
    int is_over; /* no record will follow in this generation */
};

/* Updates the generation, and with it the end: a record of a later generation suffices as well. */
static void find_published(struct kymo_loader *loader, struct published *published)
{
    const struct kymo_ring *ring;
    struct stat status;
    uint64_t generation;

    pthread_mutex_lock(&loader->lock);
    ring = &loader->reader->ring;
    generation = kymo_load_relaxed(&loader->reopened);
    if (published->generation != generation) {
        published->generation = generation;
        published->end = kymo_ring_head(ring);
        published->is_empty = published->end == ring->first;
    }
    published->is_over = kymo_ring_retired(ring) ||
                         (fstat(loader->reader->segment->fd, &status) == 0 && status.st_nlink == 0);
    pthread_mutex_unlock(&loader->lock);
}

/* Whether the pinned snapshot is the newest that was published, or a later one. */
static int is_current(struct kymo_loader *loader, const struct published *published,
                      const struct kymo_snapshot *snapshot)
{
    const uint64_t generation = loader->buffers[snapshot->buffer].generation;

    /* No reader can read the records of a generation that is over. */
    if (published->is_over)
        return kymo_load_relaxed32(&loader->error) == ENOENT;
    return published->is_empty ||
           (generation == published->generation && snapshot->record.pos + 1 >= published->end);
}

int kymo_loader_pin_current(struct kymo_loader *loader, uint64_t deadline,
                            struct kymo_snapshot *snapshot)
{
    struct published published = {.generation = UINT64_MAX};

    for (;;) {
        const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
        const uint32_t word = arm_bell(loader);
        int error;

        find_published(loader, &published);
        error = kymo_loader_pin(loader, snapshot);
        if (!error && is_current(loader, &published, snapshot))
            return 0;
        if (!error)
            kymo_loader_unpin(loader, snapshot);
        if (error == -ENODATA && published.is_empty && !published.is_over)
            return error;
        if (error && error != -ENODATA && error != -EIDRM && error != -ENOENT)
            return error;
        if (now >= deadline)
            return -ETIMEDOUT;
        /* The end of a generation rings no bell of the loader. */
        kymo_futex_wait(&loader->bell.word, word, earlier(deadline, now + SLICE));
    }
}

void kymo_loader_get_stats(struct kymo_loader *loader, struct kymo_loader_stats *stats)
{
    *stats = (struct kymo_loader_stats){
        .loaded = kymo_load_relaxed(&loader->loaded),
        .missed = kymo_load_relaxed(&loader->missed),
        .skipped = kymo_load_relaxed(&loader->skipped),
        .reopened = kymo_load_relaxed(&loader->reopened),
        .buffers = (uint32_t)kymo_load_relaxed(&loader->allocated),
    };
}
