/*
 * directory.c - brings the table up to date with the directory: inotify reports each change early,
 * and a scan finds what no event has reported.
 */
#include "registry_internal.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#define WATCHED \
    (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_CLOSE_WRITE | IN_ONLYDIR)

/* Calls the listener later if `attributes` may have changed. */
static void refresh(struct registry *registry, const char *name, bool attributes)
{
    struct entry *entry;
    struct stat status;

    if (table_refresh(registry, name, &entry, &status) != 0)
        return;
    if (attributes && !entry->error)
        notices_add(&registry->changed_names, name, "");
    segment_drop(&entry->segment);
}

static void refresh_all(struct registry *registry, bool (*wanted)(const struct entry *entry),
                        bool attributes)
{
    struct segments list = {0};

    table_list(registry, wanted, &list);
    for (size_t i = 0; i < list.count; i++)
        refresh(registry, list.segments[i]->name, attributes);
    segments_free(&list);
}

static bool is_any(const struct entry *entry)
{
    (void)entry;
    return true;
}

static bool is_transient(const struct entry *entry)
{
    return error_is_transient(entry->error);
}

void directory_scan(struct registry *registry)
{
    DIR *directory = opendir(registry->directory);
    struct dirent *file;

    refresh_all(registry, is_any, true);
    while (directory && (file = readdir(directory))) {
        if (file->d_name[0] != '.')
            refresh(registry, file->d_name, false);
    }
    if (directory)
        closedir(directory);
}

/* Watches the directory that has the name now. Returns whether it is another one than before. */
static bool watch(struct registry *registry)
{
    struct stat status;
    const bool exists = stat(registry->directory, &status) == 0;

    if (exists && registry->watch >= 0 && registry->device == status.st_dev &&
        registry->inode == status.st_ino)
        return false;
    if (registry->watch >= 0)
        inotify_rm_watch(registry->inotify, registry->watch);
    registry->watch = inotify_add_watch(registry->inotify, registry->directory, WATCHED);
    registry->device = exists ? status.st_dev : 0;
    registry->inode = exists ? status.st_ino : 0;
    return true;
}

/* Returns whether events are missing: only a scan finds what happened. */
static bool apply_event(struct registry *registry, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW)
        return true;
    /* Of another directory than the present one. */
    if (event->wd != registry->watch)
        return false;
    if (event->mask & IN_IGNORED) {
        registry->watch = -1;
        return watch(registry);
    }
    if (event->len > 0 && event->name[0] != '.')
        refresh(registry, event->name, event->mask & IN_ATTRIB);
    return false;
}

void directory_apply_events(struct registry *registry)
{
    _Alignas(struct inotify_event) char buffer[16384];
    bool missing = watch(registry);
    ssize_t len;

    while ((len = read(registry->inotify, buffer, sizeof(buffer))) > 0) {
        for (const char *at = buffer; at < buffer + len;) {
            const struct inotify_event *event = (const void *)at;

            missing |= apply_event(registry, event);
            at += sizeof(*event) + event->len;
        }
    }
    if (missing)
        directory_scan(registry);
    else if (registry->transient > 0)
        refresh_all(registry, is_transient, false);
}

int directory_open(struct registry *registry)
{
    registry->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (registry->inotify < 0)
        return -errno;
    watch(registry);
    return registry->watch < 0 ? -errno : 0;
}

void directory_close(struct registry *registry)
{
    if (registry->inotify >= 0)
        close(registry->inotify);
}
