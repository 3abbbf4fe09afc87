/*
 * registry_fixture.c - the one registry of a test, and what it reports.
 */
#include "registry_fixture.h"

struct registry *registry;
uint32_t changes;
uint32_t skips;

void publish_with(const char *name, const struct kymo_options *options, uint64_t count)
{
    struct kymo_writer *writer;
    int error = kymo_writer_open(&writer, name, options);

    cr_assert_eq(error, 0, "%s: %s", name, kymo_error_text(error));
    for (uint64_t n = 0; n < count; n++)
        cr_assert_eq(kymo_ring_publish(writer, &n, sizeof(n), n, n), 0);
    kymo_writer_close(writer);
}

void publish(const char *name, uint64_t count, uint32_t mode)
{
    const struct kymo_options options = {
        .clock = KYMO_USER, .existing = KYMO_REPLACE, .size = 8, .depth = 16, .mode = mode};

    publish_with(name, &options, count);
}

void publish_many(const char *prefix, int count, uint32_t uid)
{
    char name[32];

    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%s%04d", prefix, i);
        publish(name, 1, 0644);
        cr_assert_eq(chown(private_path(name), uid, uid), 0);
    }
}

static void count_change(void *context, const char *name)
{
    (void)context;
    (void)name;
    kymo_fetch_add_ordered32(&changes, 1);
}

static void count_skip(void *context, const char *name, const char *reason)
{
    (void)context;
    cr_assert_gt(strlen(name), 0);
    cr_assert_gt(strlen(reason), 0);
    kymo_fetch_add_ordered32(&skips, 1);
}

void open_registry(void)
{
    static const struct registry_listener listener = {NULL, count_change, count_skip};

    cr_assert_eq(registry_open(&registry, &listener), 0);
}

void begin(void)
{
    private_directory_make();
    open_registry();
}

void end(void)
{
    registry_close(registry);
    private_directory_remove();
}

int find_error(const char *name)
{
    struct segment *segment;
    struct stat status;
    const int error = registry_find(registry, name, &segment, &status);

    if (!error)
        segment_drop(segment);
    return error;
}

struct segment *find(const char *name)
{
    struct segment *segment;
    struct stat status;
    const int error = registry_find(registry, name, &segment, &status);

    cr_assert_eq(error, 0, "%s: %s", name, kymo_error_text(error));
    cr_assert_eq(segment->inode, status.st_ino);
    return segment;
}

static void drop_all(struct segment **segments, ssize_t count)
{
    for (ssize_t i = 0; i < count; i++)
        segment_drop(segments[i]);
    free(segments);
}

ssize_t count_listed(void)
{
    struct segment **segments;
    const ssize_t count = registry_list(registry, &segments);

    for (ssize_t i = 1; i < count; i++)
        cr_assert_lt(strcmp(segments[i - 1]->name, segments[i]->name), 0);
    drop_all(segments, count);
    return count;
}

int64_t read_newest(const char *name)
{
    struct segment *segment = find(name);
    struct kymo_view view;
    int64_t newest = segment_acquire(segment);

    if (newest == 0) {
        newest = kymo_ring_view_latest(segment->reader, &view);
        if (newest == 0)
            memcpy(&newest, view.payload, sizeof(newest));
        segment_release(segment);
    }
    segment_drop(segment);
    return newest;
}

bool waits_until(uint32_t *counter, uint32_t value)
{
    for (int tries = 0; tries < 1000 && kymo_load_relaxed32(counter) < value; tries++)
        usleep(5000);
    return kymo_load_relaxed32(counter) >= value;
}
