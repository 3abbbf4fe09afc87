/*
 * registry.c - the table of segments: an RCU hash table that lookups walk without a lock, and one
 * lock for everything that changes it.
 *
 * The table may be behind the directory, never wrong about a generation: every lookup by name holds
 * what it found against the directory itself, and inotify only tells early what has changed. An
 * entry leaves the table first and is released after a grace period (RCU-1), so that a lookup that
 * met it could still take hold of it.
 */
#include "registry_internal.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#define WATCHED \
    (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_CLOSE_WRITE | IN_ONLYDIR)

static void wake(struct registry *registry)
{
    eventfd_write(registry->wake, 1);
}

void registry_tidy_soon(struct registry *registry)
{
    /* One wake for many calls. */
    if (kymo_fetch_or_ordered32(&registry->untidy, 1) == 0)
        wake(registry);
}

/* ---- threads that read the table ---- */

static pthread_key_t registered_key;
static pthread_once_t registered_once = PTHREAD_ONCE_INIT;
static __thread bool registered;

static void unregister(void *unused)
{
    (void)unused;
    registered = false;
    rcu_unregister_thread();
}

static void make_key(void)
{
    /* Without a key, threads stay registered when they end: urcu would wait for them for ever. */
    if (pthread_key_create(&registered_key, unregister) != 0)
        abort();
}

/* liburcu must know a thread before its first look at the table, and until it ends. */
static void reading_begin(void)
{
    if (!registered) {
        pthread_once(&registered_once, make_key);
        rcu_register_thread();
        pthread_setspecific(registered_key, &registered);
        registered = true;
    }
    rcu_read_lock();
}

static void reading_end(void)
{
    rcu_read_unlock();
}

/* ---- entries ---- */

static unsigned long hash_of(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return hash;
}

static int entry_is_named(struct cds_lfht_node *node, const void *name)
{
    return strcmp(caa_container_of(node, struct entry, node)->name, name) == 0;
}

/* The entry of that name, held; or NULL. */
static struct entry *entry_find(struct registry *registry, const char *name)
{
    struct cds_lfht_iter place;
    struct cds_lfht_node *node;
    struct entry *entry = NULL;

    reading_begin();
    cds_lfht_lookup(registry->table, hash_of(name), entry_is_named, name, &place);
    node = cds_lfht_iter_get_node(&place);
    if (node) {
        entry = caa_container_of(node, struct entry, node);
        segment_hold(&entry->segment);
    }
    reading_end();
    return entry;
}

/* ---- news ---- */

static void news_add(struct news *news, const char *name)
{
    char **grown;

    if (news->count == news->capacity) {
        grown = realloc(news->names, (news->capacity * 2 + 8) * sizeof(*grown));
        if (!grown)
            return;
        news->names = grown;
        news->capacity = news->capacity * 2 + 8;
    }
    news->names[news->count] = strdup(name);
    if (news->names[news->count])
        news->count++;
}

static void news_free(struct news *news)
{
    for (size_t i = 0; i < news->count; i++)
        free(news->names[i]);
    free(news->names);
}

static struct news news_take(struct registry *registry, struct news *news)
{
    struct news taken;

    pthread_mutex_lock(&registry->lock);
    taken = *news;
    *news = (struct news){0};
    pthread_mutex_unlock(&registry->lock);
    return taken;
}

static void tell_skipped(struct registry *registry)
{
    struct news news = news_take(registry, &registry->skipped);
    char reason[256];

    for (size_t i = 0; i < news.count; i++) {
        const bool sound = kymo_segment_check(news.names[i], reason, sizeof(reason)) == 0;

        if (sound && room_is_left(registry))
            continue;
        if (sound)
            snprintf(reason, sizeof(reason),
                     "%lu segments are open, and RLIMIT_NOFILE or vm.max_map_count allow no more",
                     registry->capacity);
        registry->listener.skipped(registry->listener.context, news.names[i], reason);
    }
    news_free(&news);
}

/* Returns whether there was anything to tell. */
static bool tell_changed(struct registry *registry)
{
    struct news news = news_take(registry, &registry->changed);

    for (size_t i = 0; i < news.count; i++)
        registry->listener.changed(registry->listener.context, news.names[i]);
    news_free(&news);
    return news.count > 0;
}

/* Leaves the registry's lock, and sees to it that what was found out gets told. Requests hold no
 * thread up for the kernel's sake: `changed` is the thread's, whom we only wake. */
static void leave(struct registry *registry)
{
    const bool changed = registry->changed.count > 0;
    const bool skipped = registry->skipped.count > 0;

    pthread_mutex_unlock(&registry->lock);
    if (changed)
        wake(registry);
    if (skipped)
        tell_skipped(registry);
}

/* ---- changing the table, under the lock ---- */

/* What is remembered of a segment does not keep its memory from being freed. */
static void depart(struct registry *registry, struct entry *entry)
{
    struct departed *departed = &registry->departed[registry->departed_count % DEPARTED_LIMIT];
    const struct segment *segment = &entry->segment;
    struct entry *shell = entry_new(segment->name);

    if (!shell)
        return;
    shell->segment = *segment;
    shell->segment.name = shell->name;
    shell->segment.reader = NULL;
    shell->segment.gone = 1;
    shell->segment.exact = 0;
    segment_drop(departed->segment);
    *departed = (struct departed){&shell->segment, kymo_clock_now(KYMO_MONOTONIC)};
    segment_hold(&shell->segment);
    rcu_assign_pointer(entry->shell, &shell->segment);
    registry->departed_count++;
}

/* What follows when an entry is in the table no more. */
static void entry_left(struct registry *registry, struct entry *entry)
{
    if (entry->segment.error) {
        registry->skipped_count--;
    } else {
        news_add(&registry->changed, entry->name);
        depart(registry, entry);
    }
    kymo_store_relaxed32(&entry->segment.gone, 1);
    call_rcu(&entry->rcu, entry_release);
}

static void table_remove(struct registry *registry, struct entry *entry)
{
    int missing;

    reading_begin();
    missing = cds_lfht_del(registry->table, &entry->node);
    reading_end();
    if (!missing)
        entry_left(registry, entry);
}

/* Puts the entry in the place of the one with its name, if any, so that whoever looks meanwhile
 * finds one of the two. */
static void table_put(struct registry *registry, struct entry *entry)
{
    struct cds_lfht_node *old;
    int old_error = 0;

    reading_begin();
    old = cds_lfht_add_replace(registry->table, hash_of(entry->name), entry_is_named, entry->name,
                               &entry->node);
    reading_end();
    if (old) {
        old_error = caa_container_of(old, struct entry, node)->segment.error;
        entry_left(registry, caa_container_of(old, struct entry, node));
    }
    if (!entry->segment.error)
        return;
    registry->skipped_count++;
    if (entry->segment.error != old_error && registry->listener.skipped)
        news_add(&registry->skipped, entry->name);
}

static void refresh_owner(struct registry *registry, struct segment *segment, const char *path,
                          const struct stat *status)
{
    const uint32_t mode = path_mode(path, status->st_mode);

    if (entry_owner_holds(segment, status, mode))
        return;
    kymo_store_relaxed32(&segment->uid, status->st_uid);
    kymo_store_relaxed32(&segment->gid, status->st_gid);
    kymo_store_relaxed32(&segment->mode, mode);
    if (!segment->error)
        news_add(&registry->changed, segment->name);
}

/* Brings the table up to the directory as far as that name goes. */
static void examine(struct registry *registry, const char *name)
{
    struct entry *old = entry_find(registry, name);
    struct entry *entry;
    struct stat status;
    char path[PATH_MAX];

    segment_path(name, path);
    if (lstat(path, &status) != 0) {
        if (old)
            table_remove(registry, old);
    } else if (old && entry_holds(old, &status)) {
        refresh_owner(registry, &old->segment, path, &status);
    } else {
        entry = entry_open_present(registry, name, path, &status);
        if (entry)
            table_put(registry, entry);
        else if (old && lstat(path, &status) != 0)
            table_remove(registry, old);
    }
    if (old)
        segment_drop(&old->segment);
}

/* ---- the directory ---- */

static int compare_segments(const void *one, const void *other)
{
    return strcmp((*(struct segment *const *)one)->name, (*(struct segment *const *)other)->name);
}

struct list {
    struct segment **segments;
    size_t count;
    size_t capacity;
};

static int list_add(struct list *list, struct segment *segment)
{
    const size_t capacity = list->capacity * 2 + 64;
    struct segment **grown;

    if (list->count == list->capacity) {
        grown = realloc(list->segments, capacity * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        list->segments = grown;
        list->capacity = capacity;
    }
    segment_hold(segment);
    list->segments[list->count++] = segment;
    return 0;
}

static void list_free(struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        segment_drop(list->segments[i]);
    free(list->segments);
}

/* Adds all entries, files that are not shown included where `skipped` says so. */
static int table_list(struct registry *registry, bool skipped, struct list *list)
{
    struct cds_lfht_iter place;
    struct cds_lfht_node *node;
    int error = 0;

    reading_begin();
    cds_lfht_for_each(registry->table, &place, node)
    {
        struct segment *segment = &caa_container_of(node, struct entry, node)->segment;

        if (!error && (skipped || !segment->error))
            error = list_add(list, segment);
    }
    reading_end();
    return error;
}

static void scan(struct registry *registry)
{
    DIR *directory = opendir(kymo_directory());
    struct list known = {0};
    struct dirent *file;

    registry->crowded = false;
    /* What was known may have gone; what is there may be new. */
    table_list(registry, true, &known);
    for (size_t i = 0; i < known.count; i++)
        examine(registry, known.segments[i]->name);
    list_free(&known);
    while (directory && (file = readdir(directory))) {
        if (file->d_name[0] != '.')
            examine(registry, file->d_name);
    }
    if (directory)
        closedir(directory);
}

/* Watches the directory of that name, which need not be the one of before. Returns whether it is
 * another. */
static bool watch(struct registry *registry)
{
    struct stat status;
    const bool exists = stat(kymo_directory(), &status) == 0;

    if (exists && registry->watch >= 0 && registry->device == status.st_dev &&
        registry->inode == status.st_ino)
        return false;
    if (registry->watch >= 0)
        inotify_rm_watch(registry->inotify, registry->watch);
    registry->watch = inotify_add_watch(registry->inotify, kymo_directory(), WATCHED);
    registry->device = exists ? status.st_dev : 0;
    registry->inode = exists ? status.st_ino : 0;
    return true;
}

/* Takes one event. Returns whether only a scan can tell what happened. */
static bool take_event(struct registry *registry, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW)
        return true;
    /* Of a directory that is no longer the one, names mean nothing. */
    if (event->wd != registry->watch)
        return false;
    if (event->mask & IN_IGNORED) {
        registry->watch = -1;
        return watch(registry);
    }
    if (event->len > 0 && event->name[0] != '.')
        examine(registry, event->name);
    return false;
}

/* Brings the table up to everything that happened in the directory before this call. */
static void drain(struct registry *registry)
{
    _Alignas(struct inotify_event) char buffer[16384];
    bool lost = watch(registry);
    ssize_t len;

    while ((len = read(registry->inotify, buffer, sizeof(buffer))) > 0) {
        for (const char *at = buffer; at < buffer + len;) {
            const struct inotify_event *event = (const void *)at;

            lost |= take_event(registry, event);
            at += sizeof(*event) + event->len;
        }
    }
    if (lost || (registry->crowded && room_is_left(registry)))
        scan(registry);
}

/* ---- lookups ---- */

int registry_find(struct registry *registry, const char *name, struct segment **segment)
{
    struct entry *entry;
    struct stat status;
    char path[PATH_MAX];
    int error;

    if (kymo_name_check(name) != 0)
        return -ENOENT;
    entry = entry_find(registry, name);
    segment_path(name, path);
    if (!entry || lstat(path, &status) != 0 || !entry_holds(entry, &status) ||
        !entry_owner_holds(&entry->segment, &status, path_mode(path, status.st_mode))) {
        if (entry)
            segment_drop(&entry->segment);
        pthread_mutex_lock(&registry->lock);
        examine(registry, name);
        leave(registry);
        entry = entry_find(registry, name);
    }
    if (!entry)
        return -ENOENT;
    error = entry->segment.error;
    if (error) {
        segment_drop(&entry->segment);
        return error == -EIDRM ? -ENOENT : error;
    }
    *segment = &entry->segment;
    return 0;
}

static struct segment *departed_find(const struct registry *registry, const char *name,
                                     uint64_t since)
{
    for (size_t i = 0; i < DEPARTED_LIMIT; i++) {
        const struct departed *departed = &registry->departed[i];

        if (departed->segment && departed->when >= since &&
            strcmp(departed->segment->name, name) == 0)
            return departed->segment;
    }
    return NULL;
}

int registry_find_departed(struct registry *registry, const char *name, uint64_t since,
                           struct segment **segment)
{
    pthread_mutex_lock(&registry->lock);
    *segment = departed_find(registry, name, since);
    if (*segment)
        segment_hold(*segment);
    pthread_mutex_unlock(&registry->lock);
    return *segment ? 0 : -ENOENT;
}

ssize_t registry_list(struct registry *registry, struct segment ***segments)
{
    struct list list = {0};

    pthread_mutex_lock(&registry->lock);
    drain(registry);
    leave(registry);
    if (table_list(registry, false, &list) != 0) {
        list_free(&list);
        return -ENOMEM;
    }
    if (list.count > 0)
        qsort(list.segments, list.count, sizeof(*list.segments), compare_segments);
    *segments = list.segments;
    return (ssize_t)list.count;
}

uint64_t registry_departures(struct registry *registry)
{
    uint64_t count;

    pthread_mutex_lock(&registry->lock);
    count = registry->departed_count;
    pthread_mutex_unlock(&registry->lock);
    return count;
}

bool registry_is_current(struct registry *registry, const struct segment *segment)
{
    char path[PATH_MAX];

    if (!segment_is_current(segment))
        return false;
    segment_path(segment->name, path);
    if (path_leads_to(path, segment))
        return true;
    pthread_mutex_lock(&registry->lock);
    examine(registry, segment->name);
    leave(registry);
    return segment_is_current(segment);
}

uint64_t registry_skipped(struct registry *registry)
{
    uint64_t count;

    pthread_mutex_lock(&registry->lock);
    count = registry->skipped_count;
    pthread_mutex_unlock(&registry->lock);
    return count;
}

/* ---- the thread ---- */

static bool stops(struct registry *registry)
{
    bool stop;

    pthread_mutex_lock(&registry->lock);
    stop = registry->stop;
    pthread_mutex_unlock(&registry->lock);
    return stop;
}

/* When the thread tidies up next. CLOCK_MONOTONIC ns. */
struct tidying {
    uint64_t due; /* 0: there is no need to */
    uint64_t pause;
};

#define TIDY_SOON      UINT64_C(20000000)
#define TIDY_PAUSE     UINT64_C(1000000000)
#define TIDY_PAUSE_MAX (60 * TIDY_PAUSE)

static void tidy_within(struct tidying *tidying, uint64_t now, uint64_t limit)
{
    tidying->pause = TIDY_PAUSE;
    if (tidying->due == 0 || tidying->due > now + limit)
        tidying->due = now + limit;
}

static void tidy_when_due(struct registry *registry, bool changed, struct tidying *tidying)
{
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);

    if (kymo_compare_exchange_ordered32(&registry->untidy, 1, 0))
        tidy_within(tidying, now, TIDY_SOON);
    if (changed)
        tidy_within(tidying, now, TIDY_PAUSE);
    if (tidying->due == 0 || now < tidying->due || !registry->listener.tidy)
        return;
    tidying->due = 0;
    if (registry->listener.tidy(registry->listener.context)) {
        tidying->due = kymo_clock_now(KYMO_MONOTONIC) + tidying->pause;
        tidying->pause = tidying->pause < TIDY_PAUSE_MAX ? 2 * tidying->pause : TIDY_PAUSE_MAX;
    }
}

/* For poll: until then, ms. */
static int wait_for(const struct tidying *tidying)
{
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);

    if (tidying->due == 0)
        return -1;
    return tidying->due > now ? (int)((tidying->due - now) / 1000000) + 1 : 0;
}

static void *run(void *argument)
{
    struct registry *registry = argument;
    struct pollfd files[] = {{.fd = registry->inotify, .events = POLLIN},
                             {.fd = registry->wake, .events = POLLIN}};
    struct tidying tidying = {0, TIDY_PAUSE};
    eventfd_t wakes;

    while (!stops(registry)) {
        bool changed;

        if (poll(files, 2, wait_for(&tidying)) < 0)
            continue;
        eventfd_read(registry->wake, &wakes);
        pthread_mutex_lock(&registry->lock);
        drain(registry);
        leave(registry);
        changed = tell_changed(registry);
        tidy_when_due(registry, changed, &tidying);
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
    /* Made here, so that its thread does not take our signals either. */
    get_default_call_rcu_data();
    error = pthread_create(&registry->thread, NULL, run, registry);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    registry->started = error == 0;
    return -error;
}

void registry_stop(struct registry *registry)
{
    if (!registry->started)
        return;
    pthread_mutex_lock(&registry->lock);
    registry->stop = true;
    pthread_mutex_unlock(&registry->lock);
    eventfd_write(registry->wake, 1);
    pthread_join(registry->thread, NULL);
    registry->started = false;
}

/* ---- open and close ---- */

static int open_files(struct registry *registry)
{
    registry->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    registry->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (registry->inotify < 0 || registry->wake < 0)
        return -errno;
    watch(registry);
    return registry->watch < 0 ? -errno : 0;
}

int registry_open(struct registry **out, const struct registry_listener *listener)
{
    struct registry *registry = calloc(1, sizeof(*registry));
    int error;

    *out = NULL;
    if (!registry)
        return -ENOMEM;
    registry->listener = *listener;
    registry->capacity = room_find();
    registry->inotify = registry->wake = registry->watch = -1;
    pthread_mutex_init(&registry->lock, NULL);
    registry->table = cds_lfht_new(64, 64, 0, CDS_LFHT_AUTO_RESIZE | CDS_LFHT_ACCOUNTING, NULL);
    error = registry->table ? open_files(registry) : -ENOMEM;
    if (error) {
        registry_close(registry);
        return error;
    }
    pthread_mutex_lock(&registry->lock);
    scan(registry);
    leave(registry);
    *out = registry;
    return 0;
}

static void empty(struct registry *registry)
{
    struct cds_lfht_iter place;
    struct cds_lfht_node *node;

    reading_begin();
    cds_lfht_for_each(registry->table, &place, node)
        table_remove(registry, caa_container_of(node, struct entry, node));
    reading_end();
    rcu_barrier();
    cds_lfht_destroy(registry->table, NULL);
}

void registry_close(struct registry *registry)
{
    if (!registry)
        return;
    registry_stop(registry);
    if (registry->table)
        empty(registry);
    for (size_t i = 0; i < DEPARTED_LIMIT; i++)
        segment_drop(registry->departed[i].segment);
    if (registry->inotify >= 0)
        close(registry->inotify);
    if (registry->wake >= 0)
        close(registry->wake);
    news_free(&registry->changed);
    news_free(&registry->skipped);
    pthread_mutex_destroy(&registry->lock);
    free(registry);
}
