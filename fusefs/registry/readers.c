/*
 * readers.c - the readers of segments: opened on demand and kept open while their owner's share of
 * descriptors, mappings and addresses suffices.
 *
 * entry->pins counts the acquisitions of the reader. It is closed only by a compare-exchange that
 * finds no pin and sets PIN_CLOSED (PIN-1), so that an open reader is acquired without a lock.
 */
#include "registry_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define PIN_CLOSED  (UINT32_C(1) << 31) /* no reader is open */
#define PIN_RETIRED (UINT32_C(1) << 30) /* the last one to unpin closes it */

void reader_init(struct entry *entry)
{
    entry->pins = PIN_CLOSED;
}

/* ---- limits ---- */

/* Descriptors and mappings for everything else. */
#define DESCRIPTORS_RESERVED 128
#define MAPPINGS_RESERVED    4096

static uint64_t less_reserve(uint64_t limit, uint64_t reserve)
{
    return limit > 2 * reserve ? limit - reserve : limit / 2;
}

static uint64_t limit_of(__rlimit_resource_t resource)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return limit.rlim_cur;
}

/* Each reader has one descriptor and one mapping; a second one if it waits, or was truncated. */
static uint64_t handle_limit(void)
{
    const uint64_t descriptors = less_reserve(limit_of(RLIMIT_NOFILE), DESCRIPTORS_RESERVED);
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    unsigned long mappings = 0;

    if (!file || fscanf(file, "%lu", &mappings) != 1)
        mappings = 65530;
    if (file)
        fclose(file);
    mappings = less_reserve(mappings, MAPPINGS_RESERVED) / 2;
    return descriptors < mappings ? descriptors : mappings;
}

/* Half of the addresses below the stack, which is near the end of what the machine offers: 64 TiB on
 * x86-64. */
static uint64_t space_limit(void)
{
    const uint64_t limit = limit_of(RLIMIT_AS) / 2;
    const uint64_t half = (uint64_t)(uintptr_t)&limit / 2;

    return limit < half ? limit : half;
}

int readers_open(struct readers *readers)
{
    pthread_mutex_init(&readers->lock, NULL);
    readers->random = kymo_clock_now(KYMO_MONOTONIC) | 1;
    if (shares_open(&readers->handles, handle_limit()) != 0)
        return -ENOMEM;
    return shares_open(&readers->space, space_limit());
}

void readers_close(struct readers *readers)
{
    shares_close(readers->handles);
    shares_close(readers->space);
    free(readers->open);
    pthread_mutex_destroy(&readers->lock);
}

/* ---- closing ---- */

/* Takes the reader out of use unless it is pinned. Under the lock; the caller closes the result
 * without it. */
static struct kymo_reader *detach(struct entry *entry)
{
    struct readers *readers = &entry->registry->readers;
    const uint32_t pins = kymo_load_relaxed32(&entry->pins);
    struct kymo_reader *reader = entry->reader;
    const struct open_reader *open;

    /* PIN-1 (compare-exchange, before the reader is closed): pairs with pin(). */
    if ((pins & ~PIN_RETIRED) != 0 ||
        !kymo_compare_exchange_ordered32(&entry->pins, pins, pins | PIN_CLOSED))
        return NULL;
    open = &readers->open[entry->index];
    shares_return(readers->handles, open->uid, 1);
    shares_return(readers->space, open->uid, entry->segment.size);
    readers->open[entry->index] = readers->open[--readers->count];
    readers->open[entry->index].entry->index = entry->index;
    entry->segment.reader = entry->reader = NULL;
    return reader;
}

void reader_close(struct entry *entry)
{
    struct readers *readers = &entry->registry->readers;
    struct kymo_reader *reader;

    /* Also if the reader is closed: then no other thread is about to finish closing it. */
    pthread_mutex_lock(&readers->lock);
    reader = detach(entry);
    pthread_mutex_unlock(&readers->lock);
    kymo_reader_close(reader);
}

void readers_close_unused(struct readers *readers, uint64_t size)
{
    struct kymo_reader *reader;

    do {
        reader = NULL;
        pthread_mutex_lock(&readers->lock);
        for (size_t i = 0; i < readers->count && !reader; i++) {
            struct entry *entry = readers->open[i].entry;

            if (entry->segment.size >= size && kymo_load_relaxed32(&entry->pins) == 0)
                reader = detach(entry);
        }
        pthread_mutex_unlock(&readers->lock);
        kymo_reader_close(reader);
    } while (reader);
}

static uint64_t next_random(struct readers *readers)
{
    readers->random ^= readers->random << 13;
    readers->random ^= readers->random >> 7;
    readers->random ^= readers->random << 17;
    return readers->random;
}

/*
 * Closes one unused reader, of at least that size, of the owner or of one that holds more. A random
 * one: a scrape acquires all segments in order, and if they exceed the share by one, "least recently
 * used" would close each shortly before its turn. Returns false if there is none.
 */
static bool evict(struct readers *readers, uint32_t uid, uint64_t size)
{
    struct kymo_reader *reader = NULL;
    uint64_t held, start;

    pthread_mutex_lock(&readers->lock);
    held = shares_held_by(readers->handles, uid);
    start = next_random(readers);
    for (size_t i = 0; i < readers->count && !reader; i++) {
        const struct open_reader *open =
            &readers->open[(start % readers->count + i) % readers->count];

        if (open->entry->segment.size >= size && kymo_load_relaxed32(&open->entry->pins) == 0 &&
            (open->uid == uid || shares_held_by(readers->handles, open->uid) > held))
            reader = detach(open->entry);
    }
    pthread_mutex_unlock(&readers->lock);
    kymo_reader_close(reader);
    return reader != NULL;
}

/* Takes the owner's share for a reader of that size. 0, -EMFILE, -ENOMEM. */
static int reserve(struct readers *readers, uint32_t uid, uint64_t size)
{
    uint64_t tries = shares_held(readers->handles); /* E: others open readers concurrently */

    for (;; tries--) {
        const bool has_handle = shares_take(readers->handles, uid, 1);

        if (has_handle && shares_take(readers->space, uid, size))
            return 0;
        if (has_handle)
            shares_return(readers->handles, uid, 1);
        /* If the unused readers have that many bytes in all, one has at least the average. */
        if (tries == 0 || !evict(readers, uid, has_handle ? size / (tries + 1) : 0))
            return has_handle ? -ENOMEM : -EMFILE;
    }
}

/* ---- opening ---- */

static void unpin(struct entry *entry)
{
    if (kymo_fetch_add_ordered32(&entry->pins, UINT32_MAX) == (PIN_RETIRED | 1))
        reader_close(entry);
}

/* Returns whether the reader is open. */
static bool pin(struct entry *entry)
{
    /* PIN-1 (ordered add, before the reader is used): pairs with detach() and attach(). */
    if (!(kymo_fetch_add_ordered32(&entry->pins, 1) & PIN_CLOSED))
        return true;
    unpin(entry);
    return false;
}

static bool is_generation(const struct kymo_reader *reader, const struct segment *segment)
{
    struct kymo_info info;

    return kymo_segment_info(reader->segment, &info) == 0 && info.device == segment->device &&
           info.inode == segment->inode && info.file_size == segment->size &&
           info.clock == segment->clock;
}

/* Puts the reader to use, pinned. -EEXIST: another thread has opened one, which is pinned instead.
 * -ENOMEM. Under the lock. */
static int attach(struct entry *entry, struct kymo_reader *reader, uint32_t uid)
{
    struct readers *readers = &entry->registry->readers;
    const size_t capacity = readers->capacity * 2 + 64;
    struct open_reader *grown;

    if (!(kymo_load_relaxed32(&entry->pins) & PIN_CLOSED)) {
        kymo_fetch_add_ordered32(&entry->pins, 1);
        return -EEXIST;
    }
    if (readers->count == readers->capacity) {
        grown = realloc(readers->open, capacity * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        readers->open = grown;
        readers->capacity = capacity;
    }
    entry->index = readers->count;
    readers->open[readers->count++] = (struct open_reader){entry, uid};
    entry->segment.reader = entry->reader = reader;
    /* PIN-1 (ordered add, after the reader is stored): pairs with pin(). Pins that found no reader,
     * and are about to be taken back, remain counted. */
    kymo_fetch_add_ordered32(&entry->pins, 1 - PIN_CLOSED);
    return 0;
}

static int open_reader(struct entry *entry, uint32_t uid)
{
    const struct segment *segment = &entry->segment;
    struct readers *readers = &entry->registry->readers;
    struct kymo_reader *reader;
    int error = reserve(readers, uid, segment->size);

    if (error)
        return error;
    error = kymo_reader_open(&reader, entry->name);
    if (error == -ENOENT || (!error && !is_generation(reader, segment)))
        error = -EIDRM;
    if (!error) {
        pthread_mutex_lock(&readers->lock);
        error = attach(entry, reader, uid);
        pthread_mutex_unlock(&readers->lock);
    }
    if (error) {
        kymo_reader_close(reader);
        shares_return(readers->handles, uid, 1);
        shares_return(readers->space, uid, segment->size);
    }
    return error == -EEXIST ? 0 : error;
}

int segment_acquire(struct segment *segment)
{
    struct entry *entry = entry_of(segment);
    struct stat status;
    char path[PATH_MAX];
    int error = -EIDRM;

    if (pin(entry))
        return 0;
    segment_path(entry->registry, segment->name, path);
    if (lstat(path, &status) == 0 && status.st_dev == segment->device &&
        status.st_ino == segment->inode)
        error = open_reader(entry, status.st_uid);
    if (error && !error_is_transient(error))
        kymo_store_relaxed32(&entry->suspect, 1);
    return error;
}

void segment_release(struct segment *segment)
{
    unpin(entry_of(segment));
}

bool reader_is_stale(struct entry *entry)
{
    bool stale;

    if (!pin(entry))
        return kymo_load_relaxed32(&entry->suspect);
    stale = kymo_ring_retired(&entry->reader->ring) ||
            kymo_load_relaxed32(&entry->reader->ring.damaged);
    unpin(entry);
    return stale;
}

void reader_retire(struct entry *entry)
{
    kymo_fetch_or_ordered32(&entry->pins, PIN_RETIRED);
    reader_close(entry);
}
