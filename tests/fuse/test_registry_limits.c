/*
 * test_registry_limits.c - limits of descriptors, address space and memory, and the share of each owner.
 */
#include "registry_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void publish_sparse(const char *name, uint64_t depth, uint32_t uid)
{
    const struct kymo_options options = {.size = UINT32_C(1) << 30, .depth = depth, .mode = 0644};

    is_sparse = true;
    publish_with(name, &options, 1);
    is_sparse = false;
    cr_assert_eq(chown(private_path(name), uid, uid), 0);
}

static uint64_t mapped_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;

    cr_assert_eq(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void need_address_space(void)
{
    if (mapped_bytes() > UINT64_C(1) << 40)
        cr_skip_test("a sanitizer maps the whole address space");
}

static void need_root(void)
{
    if (geteuid() != 0)
        cr_skip_test("needs root, to change owners");
}

/* ---- shares ---- */

static void set_limit(__rlimit_resource_t resource, rlim_t most)
{
    struct rlimit limit;

    cr_assert_eq(getrlimit(resource, &limit), 0);
    limit.rlim_cur = most;
    cr_assert_eq(setrlimit(resource, &limit), 0);
}

/* Acquires segments from PREFIX0000 on until one fails with that error. Returns how many it acquired. */
static int acquire_until(const char *prefix, int count, int error, struct segment **segments)
{
    char name[32];
    int acquired;

    for (acquired = 0; acquired < count; acquired++) {
        snprintf(name, sizeof(name), "%s%04d", prefix, acquired);
        segments[acquired] = find(name);
        const int result = segment_acquire(segments[acquired]);

        if (result) {
            cr_assert_eq(result, error, "%s: %s", name, kymo_error_text(result));
            segment_drop(segments[acquired]);
            break;
        }
    }
    return acquired;
}

static void release(struct segment **segments, int count)
{
    for (int i = 0; i < count; i++) {
        segment_release(segments[i]);
        segment_drop(segments[i]);
    }
}

static void expect_all_readable(const char *prefix, int count)
{
    char name[32];

    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%s%04d", prefix, i);
        cr_assert_eq(read_newest(name), 0, "%s", name);
    }
}

Test(registry_limits, more_segments_than_descriptors_are_shown_and_read)
{
    struct segment *segments[400];
    int acquired;

    private_directory_make();
    set_limit(RLIMIT_NOFILE, 300);
    open_registry();
    publish_many("s", 400, geteuid());
    cr_assert_eq(count_listed(), 400);
    cr_assert_eq(registry_skipped(registry), 0);
    for (int round = 0; round < 3; round++)
        expect_all_readable("s", 400);
    acquired = acquire_until("s", 400, -EMFILE, segments);
    cr_assert_gt(acquired, 50);
    cr_assert_lt(acquired, 300);
    cr_assert_eq(count_listed(), 400);
    cr_assert_eq(kymo_load_relaxed32(&skips), 0);
    release(segments, acquired);
    expect_all_readable("s", 400);
    end();
}

Test(registry_limits, readers_remain_open_while_the_share_suffices, .init = begin, .fini = end)
{
    const struct kymo_reader *reader;
    struct segment *segment;

    publish("s", 3, 0644);
    segment = find("s");
    cr_assert_null(segment->reader);
    cr_assert_eq(segment_acquire(segment), 0);
    reader = segment->reader;
    cr_assert_eq(segment_acquire(segment), 0);
    segment_release(segment);
    segment_release(segment);
    cr_assert_eq(segment_acquire(segment), 0);
    cr_assert_eq(segment->reader, reader);
    segment_release(segment);
    segment_drop(segment);
}

/* The segments of one owner, in use or not, leave enough descriptors for those of another. */
Test(registry_limits, descriptors_are_shared_by_owners)
{
    struct segment *segments[400], *first;
    int acquired;

    need_root();
    private_directory_make();
    set_limit(RLIMIT_NOFILE, 300);
    open_registry();
    publish_many("many", 400, 1000);
    publish_many("few", 30, 1001);
    publish_many("other", 30, 1002);
    cr_assert_eq(count_listed(), 460);
    expect_all_readable("few", 30);
    first = find("few0000");
    expect_all_readable("many", 400);
    /* Readers of an owner that holds fewer are not closed. */
    cr_assert_not_null(first->reader);
    segment_drop(first);
    expect_all_readable("few", 30);
    acquired = acquire_until("many", 400, -EMFILE, segments);
    cr_assert_gt(acquired, 50);
    expect_all_readable("few", 30);
    acquired += acquire_until("few", 30, -EMFILE, segments + acquired);
    expect_all_readable("other", 30);
    release(segments, acquired);
    end();
}

/* A user with subordinate user IDs can own segments as many users. */
Test(registry_limits, unused_readers_of_many_owners_are_closed)
{
    struct segment *segments[40];
    char prefix[16];
    int acquired;

    need_root();
    private_directory_make();
    set_limit(RLIMIT_NOFILE, 300);
    open_registry();
    for (uint32_t uid = 0; uid < 20; uid++) {
        snprintf(prefix, sizeof(prefix), "u%u-", uid);
        publish_many(prefix, 40, 100000 + uid);
        expect_all_readable(prefix, 40);
    }
    publish_many("late", 40, 1000);
    acquired = acquire_until("late", 40, -EMFILE, segments);
    cr_assert_gt(acquired, 5);
    release(segments, acquired);
    end();
}

/* A user gets two thirds of half of the limit. */
Test(registry_limits, address_space_is_shared_by_owners)
{
    need_root();
    need_address_space();
    private_directory_make();
    set_limit(RLIMIT_AS, (rlim_t)96 << 40);
    open_registry();
    publish_sparse("huge", UINT64_C(1) << 15, 1000); /* more than 32 TiB */
    publish_sparse("large0000", UINT64_C(1) << 14, 1000);
    publish_sparse("large0001", UINT64_C(1) << 14, 1000);
    publish_sparse("large0002", UINT64_C(1) << 14, 1000);
    publish_many("tiny", 50, 1000);
    publish("other", 3, 0644);
    cr_assert_eq(count_listed(), 55);
    expect_all_readable("tiny", 50);
    for (int round = 0; round < 3; round++) {
        cr_assert_eq(read_newest("huge"), -ENOMEM);
        expect_all_readable("large", 3);
        cr_assert_eq(read_newest("other"), 2);
    }
    cr_assert_eq(count_listed(), 55);
    cr_assert_eq(registry_skipped(registry), 0);
    end();
}

/* ---- concurrency ---- */

static void *acquire_repeatedly(void *argument)
{
    char name[32];

    (void)argument;
    for (unsigned int i = 0; i < 20000; i++) {
        struct segment *segment;
        struct stat status;
        struct kymo_view view;

        snprintf(name, sizeof(name), "s%04u", i * 7 % 150);
        if (registry_find(registry, name, &segment, &status) != 0)
            continue;
        if (segment_acquire(segment) == 0) {
            const int error = kymo_ring_view_latest(segment->reader, &view);

            cr_assert(error == 0 || error == -EIDRM || error == -ENODATA);
            segment_release(segment);
        }
        segment_drop(segment);
    }
    return NULL;
}

/* Readers are opened, evicted and retired while threads use them. */
Test(registry_limits, threads_share_readers, .timeout = 120)
{
    pthread_t threads[4];
    char name[32];

    private_directory_make();
    set_limit(RLIMIT_NOFILE, 300);
    open_registry();
    publish_many("s", 150, geteuid());
    cr_assert_eq(registry_start(registry), 0);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, acquire_repeatedly, NULL), 0);
    for (unsigned int i = 0; i < 1500; i++) {
        snprintf(name, sizeof(name), "s%04u", i % 150);
        publish(name, 1, 0644);
        if (i % 10 == 0)
            count_listed();
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(count_listed(), 150);
    expect_all_readable("s", 150);
    end();
}

/* ---- shortage of memory ---- */

static void ignore_change(void *context, const char *name)
{
    (void)context;
    (void)name;
}

static bool opens_within(rlim_t bytes)
{
    static const struct registry_listener listener = {NULL, ignore_change, NULL};
    const struct rlimit limit = {bytes, bytes};
    int status;
    const pid_t pid = fork();

    if (pid == 0) {
        setrlimit(RLIMIT_AS, &limit);
        int error = registry_open(&registry, &listener);

        if (!error)
            error = registry_start(registry);
        if (!error)
            count_listed();
        if (registry)
            registry_close(registry);
        _exit(error != 0 && error != -ENOMEM && error != -EAGAIN ? 2 : error != 0);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) < 2, "%d: status %d", (int)(bytes >> 20),
              status);
    return WEXITSTATUS(status) == 0;
}

Test(registry_limits, address_space_limit_is_an_error, .init = private_directory_make,
     .fini = private_directory_remove)
{
    const uint64_t mapped = mapped_bytes();

    need_address_space();
    publish_many("s", 20, geteuid());
    for (uint64_t more = 0; more < UINT64_C(12) << 20; more += UINT64_C(1) << 18)
        opens_within(mapped + more);
    cr_assert(opens_within(mapped + (UINT64_C(64) << 20)));
}
