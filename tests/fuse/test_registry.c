/*
 * test_registry.c - segments by name: which generation a name refers to, what can be read of it, and
 * what each owner's segments may take.
 */
#include "private_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "registry/registry.h"

/* ---- segments ---- */

static bool is_sparse;

/* The library takes all memory of a segment when it creates it; others need not. */
int posix_fallocate(int file, off_t offset, off_t len)
{
    if (is_sparse)
        return ftruncate(file, offset + len) == 0 ? 0 : errno;
    return fallocate(file, 0, offset, len) == 0 ? 0 : errno;
}

/* Records whose payload is 0, 1, ... count - 1. */
static void publish_with(const char *name, const struct kymo_options *options, uint64_t count)
{
    struct kymo_writer *writer;
    int error = kymo_writer_open(&writer, name, options);

    cr_assert_eq(error, 0, "%s: %s", name, kymo_error_text(error));
    for (uint64_t n = 0; n < count; n++)
        cr_assert_eq(kymo_ring_publish(writer, &n, sizeof(n), n, n), 0);
    kymo_writer_close(writer);
}

static void publish(const char *name, uint64_t count, uint32_t mode)
{
    const struct kymo_options options = {
        .clock = KYMO_USER, .existing = KYMO_REPLACE, .size = 8, .depth = 16, .mode = mode};

    publish_with(name, &options, count);
}

static void publish_many(const char *prefix, int count, uint32_t uid)
{
    char name[32];

    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%s%04d", prefix, i);
        publish(name, 1, 0644);
        cr_assert_eq(chown(private_path(name), uid, uid), 0);
    }
}

static void publish_sparse(const char *name, uint64_t depth, uint32_t uid)
{
    const struct kymo_options options = {.size = UINT32_C(1) << 30, .depth = depth, .mode = 0644};

    is_sparse = true;
    publish_with(name, &options, 1);
    is_sparse = false;
    cr_assert_eq(chown(private_path(name), uid, uid), 0);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(private_path(name), "w");

    fputs(text, file);
    fclose(file);
}

/* Called once, after this thread's next lstat(): another process acts at that moment. */
static _Thread_local void (*after_lstat)(void);

int lstat(const char *path, struct stat *status)
{
    void (*const call)(void) = after_lstat;
    const int result = fstatat(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
    const int error = errno;

    after_lstat = NULL;
    if (call)
        call();
    errno = error;
    return result;
}

/* ---- a registry ---- */

static struct registry *registry;
static uint32_t changes;
static uint32_t skips;

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

static void open_registry(void)
{
    static const struct registry_listener listener = {NULL, count_change, count_skip};

    cr_assert_eq(registry_open(&registry, &listener), 0);
}

static void begin(void)
{
    private_directory_make();
    open_registry();
}

static void end(void)
{
    registry_close(registry);
    private_directory_remove();
}

static int find_error(const char *name)
{
    struct segment *segment;
    struct stat status;
    const int error = registry_find(registry, name, &segment, &status);

    if (!error)
        segment_drop(segment);
    return error;
}

static struct segment *find(const char *name)
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

static ssize_t count_listed(void)
{
    struct segment **segments;
    const ssize_t count = registry_list(registry, &segments);

    for (ssize_t i = 1; i < count; i++)
        cr_assert_lt(strcmp(segments[i - 1]->name, segments[i]->name), 0);
    drop_all(segments, count);
    return count;
}

/* The newest payload, or -errno. */
static int64_t read_newest(const char *name)
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

static bool waits_until(uint32_t *counter, uint32_t value)
{
    for (int tries = 0; tries < 1000 && kymo_load_relaxed32(counter) < value; tries++)
        usleep(5000);
    return kymo_load_relaxed32(counter) >= value;
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

/* ---- names ---- */

Test(registry, name_refers_to_newest_generation, .init = begin, .fini = end)
{
    cr_assert_eq(find_error("s"), -ENOENT);
    publish("s", 3, 0644);
    cr_assert_eq(read_newest("s"), 2);
    publish("s", 9, 0644);
    cr_assert_eq(read_newest("s"), 8);
    cr_assert_eq(kymo_segment_remove("s"), 0);
    cr_assert_eq(find_error("s"), -ENOENT);
    publish("s", 5, 0644);
    cr_assert_eq(read_newest("s"), 4);
    cr_assert_eq(registry_count(registry), 1);
}

Test(registry, status_is_the_current_one, .init = begin, .fini = end)
{
    struct stat status;

    publish("s", 1, 0644);
    cr_assert_eq(registry_find(registry, "s", NULL, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0644);
    cr_assert_eq(chmod(private_path("s"), 0600), 0);
    cr_assert_eq(registry_find(registry, "s", NULL, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0600);
}

Test(registry, held_segment_remains_after_replacement, .init = begin, .fini = end)
{
    struct segment *first, *second;
    struct kymo_view view;

    publish("s", 3, 0644);
    first = find("s");
    cr_assert_eq(segment_acquire(first), 0);
    cr_assert(segment_is_current(first));
    publish("s", 9, 0644);
    cr_assert_not(segment_is_current(first));
    second = find("s");
    cr_assert_neq(first, second);
    cr_assert_eq(segment_acquire(second), 0);
    cr_assert_eq(kymo_ring_view_latest(first->reader, &view), -EIDRM);
    cr_assert_eq(kymo_ring_view_latest(second->reader, &view), 0);
    cr_assert_eq(view.record.pos, 8);
    cr_assert_eq(first->retired, 1);
    segment_release(first);
    segment_release(second);
    /* Its reader is closed with the last release, and the file has no name. */
    cr_assert_null(first->reader);
    cr_assert_eq(segment_acquire(first), -EIDRM);
    segment_drop(first);
    segment_drop(second);
}

Test(registry, moved_name_is_noticed_without_a_retired_ring, .init = begin, .fini = end)
{
    char from[PATH_MAX + NAME_MAX + 2];

    publish("a", 3, 0644);
    publish("b", 9, 0644);
    cr_assert_eq(read_newest("b"), 8);
    snprintf(from, sizeof(from), "%s", private_path("a"));
    cr_assert_eq(rename(from, private_path("b")), 0);
    cr_assert_eq(read_newest("b"), 2);
    cr_assert_eq(find_error("a"), -ENOENT);
}

Test(registry, replaced_directory_is_followed, .init = begin, .fini = end)
{
    char moved[PATH_MAX + 8];

    publish("old", 1, 0644);
    cr_assert_eq(count_listed(), 1);
    snprintf(moved, sizeof(moved), "%s-moved", private_directory);
    cr_assert_eq(rename(private_directory, moved), 0);
    cr_assert_eq(count_listed(), 0);
    cr_assert_eq(mkdir(private_directory, 01777), 0);
    publish("new", 1, 0644);
    cr_assert_eq(count_listed(), 1);
    cr_assert_eq(find_error("old"), -ENOENT);
    cr_assert_eq(find_error("new"), 0);
    publish("newer", 1, 0644);
    cr_assert_eq(count_listed(), 2);
    private_directory_remove();
    snprintf(private_directory, sizeof(private_directory), "%.*s",
             (int)sizeof(private_directory) - 1, moved);
}

static void replace_now(void)
{
    publish("s", 9, 0600);
}

static int replacements;

static void replace_again(void)
{
    replacements++;
    publish("s", 9, 0600);
    after_lstat = replace_again;
}

static void remove_now(void)
{
    cr_assert_eq(unlink(private_path("s")), 0);
}

Test(registry, acquired_reader_is_of_the_segment_or_fails, .init = begin, .fini = end)
{
    struct segment *segment;

    publish("s", 3, 0644);
    segment = find("s");
    after_lstat = replace_now;
    cr_assert_eq(segment_acquire(segment), -EIDRM);
    segment_drop(segment);
    cr_assert_eq(read_newest("s"), 8);
}

Test(registry, name_that_changes_while_it_is_validated_is_tried_again, .init = begin, .fini = end)
{
    struct segment *segment;
    struct stat status;

    publish("s", 3, 0644);
    after_lstat = replace_now;
    cr_assert_eq(registry_find(registry, "s", &segment, &status), 0);
    cr_assert_eq(segment->inode, status.st_ino);
    cr_assert_eq(status.st_mode & 0777, 0600);
    segment_drop(segment);
    cr_assert_eq(unlink(private_path("s")), 0);
    cr_assert_eq(find_error("s"), -ENOENT);
    publish("s", 3, 0644);
    after_lstat = remove_now;
    cr_assert_eq(find_error("s"), -ENOENT);
    /* E (no loop spins without bound). */
    publish("s", 3, 0644);
    after_lstat = replace_again;
    cr_assert_eq(find_error("s"), -ENOENT);
    cr_assert_leq(replacements, 10);
    after_lstat = NULL;
    cr_assert_eq(read_newest("s"), 8);
}

/* The directory counts as well as the file. */
Test(registry, closed_directory_denies_access, .init = begin, .fini = end)
{
    struct credentials other = {.uid = geteuid() + 1, .gid = getegid() + 1};
    struct credentials owner = {.uid = geteuid(), .gid = getegid()};
    struct stat status;

    publish("s", 1, 0644);
    cr_assert_eq(registry_find(registry, "s", NULL, &status), 0);
    cr_assert_eq(registry_check_access(registry, &other, "s", &status), 0);
    cr_assert_eq(registry_check_directory(registry, &other, S_IROTH | S_IXOTH), 0);
    cr_assert_eq(chmod(private_directory, 0701), 0);
    cr_assert_eq(registry_check_access(registry, &other, "s", &status), 0);
    cr_assert_eq(registry_check_directory(registry, &other, S_IROTH), -EACCES);
    cr_assert_eq(chmod(private_directory, 0700), 0);
    cr_assert_eq(registry_check_access(registry, &other, "s", &status), -EACCES);
    cr_assert_eq(registry_check_access(registry, &owner, "s", &status), 0);
}

struct replacer {
    uint32_t stop;
    uint32_t replaced;
};

/* Even generations may be read by all and hold one record; odd ones by the owner, and hold two. */
static void *replace_over_and_over(void *argument)
{
    struct replacer *replacer = argument;

    for (uint32_t i = 0; !kymo_load_relaxed32(&replacer->stop); i++) {
        publish("s", i % 2 + 1, i % 2 ? 0600 : 0644);
        if (i % 16 == 0)
            kymo_segment_remove("s");
        kymo_store_relaxed32(&replacer->replaced, i);
    }
    return NULL;
}

/* K (the same to every caller that may read it): access is checked against the generation whose
 * records are read. */
Test(registry, access_is_checked_for_the_generation_that_is_read, .init = begin, .fini = end,
     .timeout = 120)
{
    struct replacer replacer = {0};
    int granted = 0, read = 0;
    pthread_t thread;

    cr_assert_eq(registry_start(registry), 0);
    cr_assert_eq(pthread_create(&thread, NULL, replace_over_and_over, &replacer), 0);
    while (granted < 2000 || kymo_load_relaxed32(&replacer.replaced) < 2000) {
        struct credentials other = {.uid = geteuid() + 1, .gid = getegid() + 1};
        struct segment *segment;
        struct stat status;
        struct kymo_view view;
        int error = registry_find(registry, "s", &segment, &status);

        cr_assert(error == 0 || error == -ENOENT, "%s", kymo_error_text(error));
        if (error)
            continue;
        cr_assert_eq(segment->inode, status.st_ino);
        error = registry_check_access(registry, &other, "s", &status);
        cr_assert(error == 0 || error == -EACCES || error == -ENOENT);
        cr_assert(error != 0 || (status.st_mode & 0777) == 0644);
        granted += error == 0;
        if (error == 0) {
            error = segment_acquire(segment);
            cr_assert(error == 0 || error == -EIDRM, "%s", kymo_error_text(error));
            if (error == 0) {
                if (kymo_ring_view_latest(segment->reader, &view) == 0) {
                    cr_assert_eq(view.record.pos, 0);
                    read++;
                }
                segment_release(segment);
            }
        }
        segment_drop(segment);
    }
    kymo_store_relaxed32(&replacer.stop, 1);
    pthread_join(thread, NULL);
    cr_assert_gt(read, 0);
}

/* ---- files that are not shown ---- */

Test(registry, invalid_files_are_counted, .init = begin, .fini = end)
{
    cr_assert_eq(registry_skipped(registry), 0);
    write_file("text", "not a segment\n");
    cr_assert_eq(find_error("text"), -EBADMSG);
    cr_assert_eq(find_error("a/b"), -ENOENT);
    cr_assert_eq(find_error("README"), -ENOENT);
    cr_assert_eq(count_listed(), 0);
    cr_assert_eq(registry_skipped(registry), 1);
    unlink(private_path("text"));
    publish("text", 1, 0644);
    cr_assert_eq(count_listed(), 1);
    cr_assert_eq(registry_skipped(registry), 0);
    cr_assert_eq(registry_count(registry), 1);
}

/* Of the same size, so that only its time says that the content is another one. */
Test(registry, repaired_file_is_shown, .init = begin, .fini = end)
{
    char header[sizeof(struct kymo_header)];
    const char zero = 0;
    int file;

    publish("s", 3, 0644);
    file = open(private_path("s"), O_RDWR | O_CLOEXEC);
    cr_assert_eq(pread(file, header, sizeof(header), 0), sizeof(header));
    cr_assert_eq(pwrite(file, &zero, 1, 0), 1);
    cr_assert_eq(find_error("s"), -EBADMSG);
    usleep(20000); /* one tick of the kernel's clock for file times */
    cr_assert_eq(pwrite(file, header, sizeof(header), 0), sizeof(header));
    close(file);
    cr_assert_eq(read_newest("s"), 2);
}

Test(registry, retired_file_without_successor_is_not_found, .init = begin, .fini = end)
{
    struct kymo_header header;
    const uint32_t retired = KYMO_RETIRED;
    int file;

    publish("mapped", 3, 0644);
    publish("unmapped", 3, 0644);
    cr_assert_eq(read_newest("mapped"), 2);
    for (int i = 0; i < 2; i++) {
        file = open(private_path(i ? "mapped" : "unmapped"), O_RDWR | O_CLOEXEC);
        cr_assert_eq(pread(file, &header, sizeof(header), 0), sizeof(header));
        cr_assert_eq(pwrite(file, &retired, sizeof(retired),
                            (off_t)(header.control_offset + offsetof(struct kymo_control, state))),
                     sizeof(retired));
        close(file);
    }
    cr_assert_eq(find_error("mapped"), -ENOENT);
    cr_assert_eq(find_error("unmapped"), -ENOENT);
}

Test(registry, truncated_file_is_not_shown_and_harms_nobody, .init = begin, .fini = end)
{
    struct segment *segment;
    struct kymo_view view;

    cr_assert_eq(kymo_guard_install(), 0);
    publish("s", 3, 0644);
    segment = find("s");
    cr_assert_eq(segment_acquire(segment), 0);
    cr_assert_eq(truncate(private_path("s"), 0), 0);
    cr_assert_eq(kymo_ring_view_latest(segment->reader, &view), -EBADMSG);
    cr_assert_eq(find_error("s"), -EBADMSG);
    /* As large as before: the reader's mapping is damaged all the same. */
    cr_assert_eq(truncate(private_path("s"), (off_t)segment->size), 0);
    cr_assert_eq(find_error("s"), -EBADMSG);
    segment_release(segment);
    segment_drop(segment);
    kymo_guard_remove();
}

Test(registry, skipped_is_called_once_for_a_name_and_cause, .init = begin, .fini = end)
{
    const struct kymo_options options = {.size = 8};
    char text[64];

    cr_assert_eq(registry_start(registry), 0);
    for (int i = 0; i < 3000; i++) {
        snprintf(text, sizeof(text), "not a segment %d\n", i % 7 ? i : 0);
        write_file("bad", text);
        cr_assert_eq(find_error("bad"), -EBADMSG);
        if (i % 100 == 0) {
            char segment[PATH_MAX + NAME_MAX + 2];

            /* Also if it was valid in between. */
            publish_with("good", &options, 1);
            snprintf(segment, sizeof(segment), "%s", private_path("good"));
            cr_assert_eq(rename(segment, private_path("bad")), 0);
            cr_assert_eq(find_error("bad"), 0);
            count_listed();
        }
    }
    count_listed();
    cr_assert_eq(kymo_load_relaxed32(&skips), 1);
    cr_assert_eq(mkfifo(private_path("fifo"), 0600), 0);
    count_listed();
    cr_assert_eq(kymo_load_relaxed32(&skips), 2);
}

/* ---- the listener ---- */

Test(registry, changed_is_called_by_the_thread, .init = begin, .fini = end)
{
    publish("s", 1, 0644);
    cr_assert_eq(count_listed(), 1);
    cr_assert_eq(registry_start(registry), 0);
    cr_assert_eq(kymo_load_relaxed32(&changes), 0);
    cr_assert_eq(chmod(private_path("s"), 0600), 0);
    cr_assert(waits_until(&changes, 1));
    publish("s", 2, 0600);
    cr_assert(waits_until(&changes, 2));
    const uint32_t before = kymo_load_relaxed32(&changes);
    cr_assert_eq(kymo_segment_remove("s"), 0);
    cr_assert(waits_until(&changes, before + 1));
    registry_stop(registry);
}

/* More events than the kernel keeps: the list is complete all the same. */
Test(registry, lost_events_are_replaced_by_a_scan, .init = begin, .fini = end)
{
    unsigned long limit = 0;
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");

    if (!file || fscanf(file, "%lu", &limit) != 1 || limit > 100000)
        cr_skip_test("events are not lost here");
    fclose(file);
    publish("last", 1, 0644);
    cr_assert_eq(count_listed(), 1);
    publish("other", 1, 0644);
    /* The kernel merges equal events that follow each other. */
    for (unsigned long i = 0; i < limit + 10; i++)
        cr_assert_eq(chmod(private_path(i % 2 ? "last" : "other"), 0640), 0);
    publish("new", 1, 0644);
    cr_assert_eq(kymo_segment_remove("last"), 0);
    cr_assert_eq(count_listed(), 2);
    cr_assert_eq(find_error("new"), 0);
}

/* ---- shares ---- */

static void set_descriptor_limit(rlim_t count)
{
    struct rlimit limit;

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = count;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Acquires segments PREFIX0000 on until one fails with that error. Returns how many it holds. */
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

Test(registry, more_segments_than_descriptors_are_shown_and_read)
{
    struct segment *segments[400];
    int acquired;

    private_directory_make();
    set_descriptor_limit(300);
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

Test(registry, readers_remain_open_while_the_share_suffices, .init = begin, .fini = end)
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

/* Neither segments in use nor unused ones of one owner make those of another unreadable. */
Test(registry, descriptors_are_shared_by_owners)
{
    struct segment *segments[400], *first;
    int acquired;

    need_root();
    private_directory_make();
    set_descriptor_limit(300);
    open_registry();
    publish_many("many", 400, 1000);
    publish_many("few", 30, 1001);
    publish_many("other", 30, 1002);
    cr_assert_eq(count_listed(), 460);
    expect_all_readable("few", 30);
    first = find("few0000");
    expect_all_readable("many", 400);
    /* Nor does it close those of an owner that holds less. */
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

/* Users with subordinate IDs own segments as many users. */
Test(registry, unused_readers_of_many_owners_give_way)
{
    struct segment *segments[40];
    char prefix[16];
    int acquired;

    need_root();
    private_directory_make();
    set_descriptor_limit(300);
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

Test(registry, addresses_are_shared_by_owners, .init = begin, .fini = end)
{
    need_root();
    need_address_space();
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
}

/* ---- concurrency ---- */

static void *acquire_over_and_over(void *argument)
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

/* Readers are opened, evicted and retired under threads that use them. */
Test(registry, threads_share_readers, .timeout = 120)
{
    pthread_t threads[4];
    char name[32];

    private_directory_make();
    set_descriptor_limit(300);
    open_registry();
    publish_many("s", 150, geteuid());
    cr_assert_eq(registry_start(registry), 0);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, acquire_over_and_over, NULL), 0);
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

/* ---- caches ---- */

static uint32_t caches_freed;

static void count_freed(struct segment_cache *cache)
{
    (void)cache;
    kymo_fetch_add_ordered32(&caches_freed, 1);
}

Test(registry, cache_is_freed_with_its_segment, .init = begin, .fini = end)
{
    static struct segment_cache one = {count_freed}, another = {count_freed};
    struct segment *segment;

    publish("s", 1, 0644);
    segment = find("s");
    cr_assert_null(segment_cache_set(segment, NULL));
    cr_assert_eq(segment_cache_set(segment, &one), &one);
    cr_assert_eq(segment_cache_set(segment, &another), &one);
    cr_assert_eq(segment_cache_set(segment, NULL), &one);
    cr_assert_eq(kymo_segment_remove("s"), 0);
    cr_assert_eq(find_error("s"), -ENOENT);
    cr_assert_eq(kymo_load_relaxed32(&caches_freed), 0);
    cr_assert_eq(registry_start(registry), 0);
    for (int tries = 0; tries < 20; tries++)
        usleep(1000);
    segment_drop(segment);
    cr_assert(waits_until(&caches_freed, 1));
}

/* ---- shortage of memory ---- */

static bool opens_within(rlim_t bytes)
{
    static const struct registry_listener listener = {NULL, count_change, NULL};
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

Test(registry, address_space_limit_is_an_error, .init = private_directory_make,
     .fini = private_directory_remove)
{
    const uint64_t mapped = mapped_bytes();

    need_address_space();
    publish_many("s", 20, geteuid());
    for (uint64_t more = 0; more < UINT64_C(12) << 20; more += UINT64_C(1) << 18)
        opens_within(mapped + more);
    cr_assert(opens_within(mapped + (UINT64_C(64) << 20)));
}
