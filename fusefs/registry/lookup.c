/*
 * lookup.c - lookups, lists and access by name, and the thread that watches the directory.
 *
 * The table may be behind the directory: each lookup compares what it found with the directory
 * itself, and inotify only reports changes earlier.
 */
#include "registry_internal.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Smaller segments stay mapped: a scrape acquires all of them, and a page costs less than opening. */
#define UNMAP_SIZE (UINT64_C(1) << 20)

/* ---- notifications ---- */

/* Calls the listener for the names, or forgets them. */
static void deliver(struct registry *registry, struct notices *notices, bool call)
{
    const struct registry_listener *listener = &registry->listener;
    struct notice *notice, *next;

    pthread_mutex_lock(&registry->lock);
    notice = notices->first;
    *notices = (struct notices){0};
    pthread_mutex_unlock(&registry->lock);
    for (; notice; notice = next) {
        next = notice->next;
        if (call && notices == &registry->skipped_names)
            listener->skipped(listener->context, notice->name, notice->reason);
        else if (call)
            listener->changed(listener->context, notice->name);
        free(notice);
    }
}

/* Requests do not wait for `changed`, nor for a grace period: both are the thread's. */
static void unlock_and_notify(struct registry *registry)
{
    const bool work = registry->changed_names.first || registry->unlinked;
    const bool skipped = registry->skipped_names.first;

    pthread_mutex_unlock(&registry->lock);
    if (work)
        eventfd_write(registry->wake, 1);
    if (skipped)
        deliver(registry, &registry->skipped_names, true);
}

/* ---- lookups ---- */

int registry_find(struct registry *registry, const char *name, struct segment **segment,
                  struct stat *status)
{
    struct entry *entry;
    char path[PATH_MAX];
    int error;

    if (kymo_name_check(name) != 0)
        return -ENOENT;
    segment_path(registry, name, path);
    entry = table_find(registry, name);
    if (!entry || lstat(path, status) != 0 || !entry_matches(entry, status)) {
        if (entry)
            segment_drop(&entry->segment);
        pthread_mutex_lock(&registry->lock);
        error = table_refresh(registry, name, &entry, status);
        unlock_and_notify(registry);
        if (error)
            return error;
    }
    error = entry->error;
    if (error || !segment)
        segment_drop(&entry->segment);
    else
        *segment = &entry->segment;
    return error == -EIDRM ? -ENOENT : error;
}

static bool is_shown(const struct entry *entry)
{
    return !entry->error;
}

static int compare_segments(const void *one, const void *other)
{
    return strcmp((*(struct segment *const *)one)->name, (*(struct segment *const *)other)->name);
}

ssize_t registry_list(struct registry *registry, struct segment ***segments)
{
    struct segments list = {0};

    pthread_mutex_lock(&registry->lock);
    directory_apply_events(registry);
    unlock_and_notify(registry);
    if (table_list(registry, is_shown, &list) != 0) {
        segments_free(&list);
        return -ENOMEM;
    }
    if (list.count > 0)
        qsort(list.segments, list.count, sizeof(*list.segments), compare_segments);
    *segments = list.segments;
    return (ssize_t)list.count;
}

static uint64_t locked_load(struct registry *registry, const uint64_t *number)
{
    uint64_t value;

    pthread_mutex_lock(&registry->lock);
    value = *number;
    pthread_mutex_unlock(&registry->lock);
    return value;
}

void registry_unmap_unused(struct registry *registry)
{
    readers_close_unused(&registry->readers, UNMAP_SIZE);
}

uint64_t registry_count(struct registry *registry)
{
    return locked_load(registry, &registry->shown);
}

uint64_t registry_skipped(struct registry *registry)
{
    return locked_load(registry, &registry->skipped);
}

/* ---- access ---- */

/* DIRECTORY/. is the directory also if DIRECTORY is a symbolic link. */
int registry_directory_status(struct registry *registry, struct stat *status)
{
    char path[PATH_MAX];

    segment_path(registry, ".", path);
    if (lstat(path, status) == 0)
        return 0;
    if (errno != ENOENT)
        return -errno;
    *status = (struct stat){.st_mode = S_IFDIR | 0555};
    return 0;
}

int registry_check_directory(struct registry *registry, struct credentials *credentials,
                             mode_t permission)
{
    struct stat status;
    char path[PATH_MAX];
    int error = registry_directory_status(registry, &status);

    segment_path(registry, ".", path);
    return error ? error : credentials_check(credentials, path, &status, permission);
}

int registry_check_segment(struct registry *registry, struct credentials *credentials,
                           const char *name, const struct stat *status)
{
    char path[PATH_MAX];

    segment_path(registry, name, path);
    return credentials_check(credentials, path, status, S_IROTH);
}

/* ---- the thread ---- */

static void *run(void *argument)
{
    struct registry *registry = argument;
    struct pollfd files[] = {{.fd = registry->inotify, .events = POLLIN},
                             {.fd = registry->wake, .events = POLLIN}};
    eventfd_t wakes;

    while (!kymo_load_relaxed32(&registry->stop)) {
        if (poll(files, 2, -1) < 0)
            continue;
        eventfd_read(registry->wake, &wakes);
        pthread_mutex_lock(&registry->lock);
        directory_apply_events(registry);
        unlock_and_notify(registry);
        deliver(registry, &registry->changed_names, true);
        table_reclaim(registry);
    }
    return NULL;
}

int registry_start(struct registry *registry)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    /* A fault in a truncated segment is delivered to the thread that met it. */
    sigdelset(&all, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&registry->thread, NULL, run, registry);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    registry->started = error == 0;
    return -error;
}

void registry_stop(struct registry *registry)
{
    if (!registry->started)
        return;
    kymo_store_relaxed32(&registry->stop, 1);
    eventfd_write(registry->wake, 1);
    pthread_join(registry->thread, NULL);
    registry->started = false;
}

/* ---- open and close ---- */

static int open_parts(struct registry *registry)
{
    const char *directory = kymo_directory();
    int error = readers_open(&registry->readers);

    registry->directory_len = strlen(directory) + 1;
    if (registry->directory_len + NAME_MAX >= PATH_MAX)
        return -ENAMETOOLONG;
    sprintf(registry->directory, "%s/", directory);

    registry->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!error && registry->wake < 0)
        error = -errno;
    if (!error)
        error = directory_open(registry);
    return error ? error : table_open(registry);
}

int registry_open(struct registry **out, const struct registry_listener *listener)
{
    struct registry *registry = calloc(1, sizeof(*registry));
    int error;

    *out = NULL;
    if (!registry)
        return -ENOMEM;
    registry->listener = *listener;
    registry->inotify = registry->wake = registry->watch = -1;
    pthread_mutex_init(&registry->lock, NULL);
    error = open_parts(registry);
    if (error) {
        registry_close(registry);
        return error;
    }
    pthread_mutex_lock(&registry->lock);
    directory_scan(registry);
    unlock_and_notify(registry);
    *out = registry;
    return 0;
}

void registry_close(struct registry *registry)
{
    if (!registry)
        return;
    registry_stop(registry);
    table_close(registry);
    deliver(registry, &registry->changed_names, false);
    directory_close(registry);
    if (registry->wake >= 0)
        close(registry->wake);
    readers_close(&registry->readers);
    pthread_mutex_destroy(&registry->lock);
    free(registry);
}
