/*
 * table.c - the table of entries: an RCU hash table that lookups search without a lock, and that
 * changes under the registry's lock.
 *
 * It neither resizes itself nor uses call_rcu(): liburcu aborts the process if it cannot create the
 * threads for these. The registry's thread waits for grace periods instead.
 */
#include "registry_internal.h"

#include <stdlib.h>

/* ---- threads that read the table ---- */

/* liburcu is not instrumented: ThreadSanitizer does not see that an entry is initialized before it
 * is found (TSAN-1), and no longer read after a grace period (TSAN-2). */
#if KYMO_TSAN
static uint64_t inserted;
static uint32_t read_sections;
#define TSAN_INSERT()  kymo_store_ordered(&inserted, 1)            /* TSAN-1 (release) */
#define TSAN_FOUND()   kymo_load_ordered(&inserted)                /* TSAN-1 (acquire) */
#define TSAN_READ()    kymo_fetch_add_ordered32(&read_sections, 1) /* TSAN-2 (release) */
#define TSAN_RECLAIM() kymo_load_ordered32(&read_sections)         /* TSAN-2 (acquire) */
#else
#define TSAN_INSERT()  ((void)0)
#define TSAN_FOUND()   ((void)0)
#define TSAN_READ()    ((void)0)
#define TSAN_RECLAIM() ((void)0)
#endif

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
    /* Without a key, threads stay registered when they end, and grace periods never end. */
    if (pthread_key_create(&registered_key, unregister) != 0)
        abort();
}

/* liburcu must know a thread before its first read of the table, and until it ends. */
static void read_begin(void)
{
    if (!registered) {
        pthread_once(&registered_once, make_key);
        rcu_register_thread();
        pthread_setspecific(registered_key, &registered);
        registered = true;
    }
    rcu_read_lock();
}

static void read_end(void)
{
    TSAN_READ();
    rcu_read_unlock();
}

/* ---- lookups ---- */

/* FNV-1a. */
static unsigned long hash_of(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return hash;
}

static int entry_has_name(struct cds_lfht_node *node, const void *name)
{
    TSAN_FOUND();
    return strcmp(caa_container_of(node, struct entry, node)->name, name) == 0;
}

struct entry *table_find(struct registry *registry, const char *name)
{
    struct cds_lfht_iter iterator;
    struct cds_lfht_node *node;
    struct entry *entry = NULL;

    read_begin();
    cds_lfht_lookup(registry->table, hash_of(name), entry_has_name, name, &iterator);
    node = cds_lfht_iter_get_node(&iterator);
    if (node) {
        entry = caa_container_of(node, struct entry, node);
        /* RCU-1 (hold, inside the read-side section): pairs with table_reclaim(). */
        segment_hold(&entry->segment);
    }
    read_end();
    return entry;
}

static int segments_add(struct segments *list, struct segment *segment)
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

void segments_free(struct segments *list)
{
    for (size_t i = 0; i < list->count; i++)
        segment_drop(list->segments[i]);
    free(list->segments);
}

int table_list(struct registry *registry, bool (*wanted)(const struct entry *entry),
               struct segments *list)
{
    struct cds_lfht_iter iterator;
    struct cds_lfht_node *node;
    int error = 0;

    read_begin();
    cds_lfht_for_each(registry->table, &iterator, node)
    {
        struct entry *entry = caa_container_of(node, struct entry, node);

        TSAN_FOUND();
        if (!error && wanted(entry))
            error = segments_add(list, &entry->segment);
    }
    read_end();
    return error;
}

/* ---- notices ---- */

void notices_add(struct notices *notices, const char *name, const char *reason)
{
    const size_t name_size = strlen(name) + 1;
    const size_t reason_size = strlen(reason) + 1;
    struct notice *notice;

    /* Many events in a row are about one name. */
    if (notices->last && strcmp(notices->last->name, name) == 0)
        return;
    notice = malloc(sizeof(*notice) + name_size + reason_size);
    if (!notice)
        return;
    notice->next = NULL;
    notice->reason = notice->name + name_size;
    memcpy(notice->name, name, name_size);
    memcpy(notice->name + name_size, reason, reason_size);
    if (notices->last)
        notices->last->next = notice;
    else
        notices->first = notice;
    notices->last = notice;
}

/* ---- changes ---- */

static void count_entry(struct registry *registry, const struct entry *entry, uint64_t by)
{
    registry->shown += entry->error ? 0 : by;
    registry->skipped += entry->error ? by : 0;
    registry->transient += error_is_transient(entry->error) ? by : 0;
}

/* The entry is no longer in the table. */
static void unlinked(struct registry *registry, struct entry *entry)
{
    count_entry(registry, entry, UINT64_MAX);
    if (!entry->error)
        notices_add(&registry->changed_names, entry->name, "");
    kymo_store_relaxed32(&entry->segment.retired, 1);
    reader_retire(entry);
    entry->next = registry->unlinked;
    registry->unlinked = entry;
}

void table_reclaim(struct registry *registry)
{
    struct entry *entry, *next;

    pthread_mutex_lock(&registry->lock);
    entry = registry->unlinked;
    registry->unlinked = NULL;
    pthread_mutex_unlock(&registry->lock);
    if (!entry)
        return;
    /* RCU-1 (grace period, before the table's hold ends): pairs with table_find(). */
    synchronize_rcu();
    TSAN_RECLAIM();
    for (; entry; entry = next) {
        next = entry->next;
        segment_drop(&entry->segment);
    }
}

static void table_remove(struct registry *registry, struct entry *entry)
{
    int missing;

    read_begin();
    missing = cds_lfht_del(registry->table, &entry->node);
    read_end();
    if (!missing)
        unlinked(registry, entry);
}

/* Calls for each name and cause once, as long as the name has an entry. */
static void report(struct registry *registry, struct entry *entry, const char *reason)
{
    const unsigned int error = (unsigned int)-entry->error;
    uint64_t *word = &entry->reported[error / 64 % 3];
    const uint64_t bit = UINT64_C(1) << error % 64;

    if (!entry->error || (*word & bit) || !registry->listener.skipped)
        return;
    *word |= bit;
    notices_add(&registry->skipped_names, entry->name, reason);
}

/* Replaces the entry of that name, if there is one, so that a lookup finds one of the two. */
static void table_put(struct registry *registry, struct entry *entry, struct entry *old,
                      const char *reason)
{
    struct cds_lfht_node *replaced;

    if (old)
        memcpy(entry->reported, old->reported, sizeof(entry->reported));
    report(registry, entry, reason);
    count_entry(registry, entry, 1);
    TSAN_INSERT();
    read_begin();
    replaced = cds_lfht_add_replace(registry->table, hash_of(entry->name), entry_has_name,
                                    entry->name, &entry->node);
    read_end();
    if (replaced)
        unlinked(registry, caa_container_of(replaced, struct entry, node));
    if (registry->shown + registry->skipped > 2 * registry->buckets) {
        registry->buckets *= 4;
        cds_lfht_resize(registry->table, registry->buckets);
    }
}

int table_refresh(struct registry *registry, const char *name, struct entry **out,
                  struct stat *status)
{
    struct entry *old = table_find(registry, name);
    struct entry *entry = old;
    char reason[REASON_SIZE] = "";
    char path[PATH_MAX];
    int error = 0;

    segment_path(registry, name, path);
    if (!old || lstat(path, status) != 0 || !entry_matches(old, status)) {
        error = entry_discover(registry, name, &entry, status, reason);
        if (!error) {
            segment_hold(&entry->segment);
            table_put(registry, entry, old, reason);
        } else if (old) {
            table_remove(registry, old);
        }
        if (old)
            segment_drop(&old->segment);
    }
    *out = error ? NULL : entry;
    return error;
}

/* ---- open and close ---- */

int table_open(struct registry *registry)
{
    registry->buckets = 64;
    registry->table = cds_lfht_new(registry->buckets, registry->buckets, 0, 0, NULL);
    return registry->table ? 0 : -ENOMEM;
}

void table_close(struct registry *registry)
{
    struct cds_lfht_iter iterator;
    struct cds_lfht_node *node;

    if (!registry->table)
        return;
    read_begin();
    cds_lfht_for_each(registry->table, &iterator, node)
        table_remove(registry, caa_container_of(node, struct entry, node));
    read_end();
    table_reclaim(registry);
    cds_lfht_destroy(registry->table, NULL);
}
