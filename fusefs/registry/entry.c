/*
 * entry.c - one generation of a name: validated without mapping its file, held and dropped.
 */
#include "registry_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct entry *entry_new(struct registry *registry, const char *name)
{
    struct entry *entry = calloc(1, sizeof(*entry) + strlen(name) + 1);

    if (!entry)
        return NULL;
    memcpy(entry->name, name, strlen(name) + 1);
    entry->segment.name = entry->name;
    entry->registry = registry;
    entry->holders = 1;
    reader_init(entry);
    return entry;
}

static void entry_free(struct entry *entry)
{
    reader_close(entry);
    if (entry->segment.record_cache)
        entry->segment.record_cache->free(entry->segment.record_cache);
    free(entry);
}

void segment_hold(struct segment *segment)
{
    kymo_fetch_add_ordered32(&entry_of(segment)->holders, 1);
}

void segment_drop(struct segment *segment)
{
    if (segment && kymo_fetch_add_ordered32(&entry_of(segment)->holders, UINT32_MAX) == 1)
        entry_free(entry_of(segment));
}

/* ---- validation ---- */

/* F: any content: the file was checked, but may be changed at any time. */
static int read_header(int file, uint64_t size, struct segment *segment)
{
    struct kymo_header header;
    uint32_t state;

    if (pread(file, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
        header.file_size != size || header.clock > KYMO_USER || header.control_offset > size ||
        pread(file, &state, sizeof(state),
              (off_t)(header.control_offset + offsetof(struct kymo_control, state))) !=
            (ssize_t)sizeof(state))
        return -EBADMSG;
    segment->clock = (enum kymo_clock)header.clock;
    segment->created = header.created_realtime;
    return state == KYMO_RETIRED ? -EIDRM : 0;
}

/* Validates the file that has the path now, and sets `status` to its. */
static int validate(struct entry *entry, const char *path, struct stat *status,
                    char reason[REASON_SIZE])
{
    int error = kymo_segment_check(entry->name, reason, REASON_SIZE);
    int file;

    if (error)
        return error;
    file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    error = fstat(file, status) != 0
                ? -errno
                : read_header(file, (uint64_t)status->st_size, &entry->segment);
    close(file);
    if (error == -EIDRM)
        snprintf(reason, REASON_SIZE, "removed, but the file has remained");
    else if (error)
        snprintf(reason, REASON_SIZE, "%s", kymo_error_text(error));
    return error;
}

int entry_discover(struct registry *registry, const char *name, struct entry **out,
                   struct stat *status, char reason[REASON_SIZE])
{
    const int tries = 8; /* E: a segment may be replaced over and over */
    struct entry *entry = entry_new(registry, name);
    struct stat before;
    char path[PATH_MAX];
    int error = entry ? 0 : -ENOMEM;

    segment_path(registry, name, path);
    for (int i = 0; i < tries && !error; i++) {
        error = lstat(path, status) == 0 ? 0 : -errno;
        if (error)
            break;
        before = *status;
        entry->error = validate(entry, path, status, reason);
        if (entry->error == -ENOENT || before.st_dev != status->st_dev ||
            before.st_ino != status->st_ino)
            continue;
        entry->segment.device = status->st_dev;
        entry->segment.inode = status->st_ino;
        entry->segment.size = (uint64_t)status->st_size;
        entry->changed = status->st_ctim;
        *out = entry;
        return 0;
    }
    free(entry);
    return error ? error : -ENOENT;
}

bool entry_matches(struct entry *entry, const struct stat *status)
{
    const struct segment *segment = &entry->segment;

    if (segment->device != status->st_dev || segment->inode != status->st_ino ||
        segment->size != (uint64_t)status->st_size)
        return false;
    if (entry->error)
        return entry->changed.tv_sec == status->st_ctim.tv_sec &&
               entry->changed.tv_nsec == status->st_ctim.tv_nsec &&
               !error_is_transient(entry->error);
    return !reader_is_stale(entry);
}

/* ---- functions for holders of a segment ---- */

bool segment_is_current(const struct segment *segment)
{
    return !kymo_load_relaxed32(&segment->retired) && !kymo_ring_retired(&segment->reader->ring);
}

struct segment_cache *segment_cache_set(struct segment *segment, struct segment_cache *cache)
{
    struct registry *registry = entry_of(segment)->registry;
    struct segment_cache *stored;

    pthread_mutex_lock(&registry->lock);
    if (!segment->record_cache)
        segment->record_cache = cache;
    stored = segment->record_cache;
    pthread_mutex_unlock(&registry->lock);
    return stored;
}
