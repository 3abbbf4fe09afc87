/*
 * registry_entry.c - one generation of a name: opened while there is room, who may read it, held and
 * dropped.
 */
#include "registry_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/xattr.h>

/* ---- paths, and who may read what is there ---- */

void segment_path(const char *name, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%s", kymo_directory(), name);
}

bool registry_has_access_list(const char *path)
{
    return lgetxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

/* K: who may read the file, in mode bits. Where these do not say it all, nobody but the owner. */
uint32_t path_mode(const char *path, mode_t mode)
{
    return mode & (registry_has_access_list(path) ? 0400 : 0444);
}

bool path_leads_to(const char *path, const struct segment *segment)
{
    struct stat status;

    return lstat(path, &status) == 0 && status.st_dev == segment->device &&
           status.st_ino == segment->inode;
}

struct entry *entry_new(const char *name)
{
    struct entry *entry = calloc(1, sizeof(*entry) + strlen(name) + 1);

    if (!entry)
        return NULL;
    memcpy(entry->name, name, strlen(name) + 1);
    entry->segment.name = entry->name;
    entry->holders = 1;
    return entry;
}

/* ---- room: each open segment takes a descriptor and a mapping ---- */

/* Descriptors and mappings that are kept for all else. */
#define DESCRIPTORS_KEPT 64
#define MAPPINGS_KEPT    4096

static unsigned long mapping_limit(void)
{
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    unsigned long limit = 65530;

    if (file) {
        if (fscanf(file, "%lu", &limit) != 1)
            limit = 65530;
        fclose(file);
    }
    return limit;
}

static unsigned long room_in(unsigned long limit, unsigned long kept)
{
    return limit > 2 * kept ? limit - kept : limit / 2;
}

unsigned long room_find(void)
{
    const unsigned long mappings = room_in(mapping_limit(), MAPPINGS_KEPT);
    struct rlimit limit;
    unsigned long descriptors;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return mappings;
    descriptors = room_in(limit.rlim_cur, DESCRIPTORS_KEPT);
    return descriptors < mappings ? descriptors : mappings;
}

bool room_is_left(const struct registry *registry)
{
    return uatomic_read(&registry->opened) < registry->capacity;
}

static int entry_open_reader(struct registry *registry, struct entry *entry)
{
    int error;

    if (!room_is_left(registry)) {
        registry->crowded = true;
        return -EMFILE;
    }
    error = kymo_reader_open(&entry->segment.reader, entry->name);
    if (!error) {
        entry->registry = registry;
        uatomic_inc(&registry->opened);
    }
    return error;
}

static void entry_close_reader(struct entry *entry)
{
    kymo_reader_close(entry->segment.reader);
    entry->segment.reader = NULL;
    if (entry->registry)
        uatomic_dec(&entry->registry->opened);
    entry->registry = NULL;
}

/* What is there now under the name; `status` is what lstat said. Where the name leads to another
 * generation in the end, the access list that was looked for was not this one's. */
static struct entry *entry_open(struct registry *registry, const char *name, const char *path,
                                const struct stat *status, bool *departed)
{
    struct entry *entry = entry_new(name);
    struct segment *segment = entry ? &entry->segment : NULL;
    struct kymo_info info;

    if (!entry)
        return NULL;
    segment->error = entry_open_reader(registry, entry);
    if (!segment->error)
        segment->error = kymo_segment_info(segment->reader->segment, &info);
    if (segment->error) {
        entry_close_reader(entry);
        segment->device = status->st_dev;
        segment->inode = status->st_ino;
    } else {
        /* The name may have changed hands since lstat: the descriptor's word counts. */
        segment->device = info.device;
        segment->inode = info.inode;
        segment->created = info.created_realtime;
    }
    segment->size = segment->error ? (uint64_t)status->st_size : info.file_size;
    segment->uid = segment->error ? status->st_uid : info.uid;
    segment->gid = segment->error ? status->st_gid : info.gid;
    segment->mode = path_mode(path, segment->error ? status->st_mode : info.mode);
    *departed = !segment->error && !path_leads_to(path, segment);
    if (*departed)
        segment->mode &= 0400;
    entry->changed = status->st_ctim;
    return entry;
}

static void entry_free(struct entry *entry)
{
    entry_close_reader(entry);
    segment_drop(entry->shell);
    free(entry);
}

/* The same, once more where the name changes hands meanwhile: the generation before would seem to be
 * for nobody to read. What loses its name meanwhile is not there. */
struct entry *entry_open_present(struct registry *registry, const char *name, const char *path,
                                 const struct stat *status)
{
    const int tries = 8; /* E: a segment may be replaced over and over */
    struct stat present = *status;
    bool departed = false;
    struct entry *entry = entry_open(registry, name, path, status, &departed);

    for (int i = 1; i < tries && departed; i++) {
        entry_free(entry);
        if (lstat(path, &present) != 0)
            return NULL;
        entry = entry_open(registry, name, path, &present, &departed);
    }
    return entry;
}

void segment_hold(struct segment *segment)
{
    uatomic_inc(&entry_of(segment)->holders);
}

void segment_drop(struct segment *segment)
{
    if (segment && uatomic_sub_return(&entry_of(segment)->holders, 1) == 0)
        entry_free(entry_of(segment));
}

/* The table's own hold ends a grace period after the entry left it (RCU-1): pairs with the hold
 * that entry_find takes inside its read-side section. */
void entry_release(struct rcu_head *rcu)
{
    segment_drop(&caa_container_of(rcu, struct entry, rcu)->segment);
}

static bool same_instant(const struct timespec *one, const struct timespec *other)
{
    return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

/* Whether want of something else than of a sound file was what kept it from being opened. */
static bool is_passing(int error)
{
    return error == -ENOMEM || error == -EMFILE || error == -ENFILE || error == -EAGAIN ||
           error == -ENOENT;
}

/* Whether the entry is what the directory has, contents included. */
bool entry_holds(const struct entry *entry, const struct stat *status)
{
    const struct segment *segment = &entry->segment;

    if (segment->device != status->st_dev || segment->inode != status->st_ino ||
        segment->size != (uint64_t)status->st_size)
        return false;
    if (segment->error)
        return same_instant(&entry->changed, &status->st_ctim) && !is_passing(segment->error);
    return !kymo_ring_retired(&segment->reader->ring) &&
           !kymo_load_relaxed32(&segment->reader->ring.damaged);
}

bool entry_owner_holds(const struct segment *segment, const struct stat *status, uint32_t mode)
{
    return kymo_load_relaxed32(&segment->uid) == status->st_uid &&
           kymo_load_relaxed32(&segment->gid) == status->st_gid &&
           kymo_load_relaxed32(&segment->mode) == mode;
}

/* ---- generations ---- */

struct segment *segment_remember(struct segment *segment)
{
    struct segment *shell = rcu_dereference(entry_of(segment)->shell);

    if (shell)
        segment_hold(shell);
    return shell;
}

bool segment_is_current(const struct segment *segment)
{
    return !kymo_load_relaxed32(&segment->gone) && !kymo_ring_retired(&segment->reader->ring);
}

bool segment_same_owner(const struct segment *one, const struct segment *other)
{
    return kymo_load_relaxed32(&one->uid) == kymo_load_relaxed32(&other->uid) &&
           kymo_load_relaxed32(&one->gid) == kymo_load_relaxed32(&other->gid) &&
           kymo_load_relaxed32(&one->mode) == kymo_load_relaxed32(&other->mode);
}
