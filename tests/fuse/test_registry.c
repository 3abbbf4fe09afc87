/*
 * test_registry.c - which generation a name refers to, which files are shown, and what is reported to
 * the listener.
 */
#include "registry_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

/* Called once, after this thread's next lstat(): simulates a change by another process. */
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

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(private_path(name), "w");

    fputs(text, file);
    fclose(file);
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

Test(registry, renamed_file_is_detected_without_a_retired_ring, .init = begin, .fini = end)
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

Test(registry, name_that_changes_during_validation_is_retried, .init = begin, .fini = end)
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

/* Both the directory and the file must permit access. */
Test(registry, directory_without_search_permission_denies_access, .init = begin, .fini = end)
{
    struct credentials other = {.uid = geteuid() + 1, .gid = getegid() + 1};
    struct credentials owner = {.uid = geteuid(), .gid = getegid()};
    struct stat status;

    publish("s", 1, 0644);
    cr_assert_eq(registry_find(registry, "s", NULL, &status), 0);
    cr_assert_eq(registry_check_segment(registry, &other, "s", &status), 0);
    cr_assert_eq(registry_check_directory(registry, &other, S_IROTH | S_IXOTH), 0);
    cr_assert_eq(chmod(private_directory, 0701), 0);
    cr_assert_eq(registry_check_segment(registry, &other, "s", &status), 0);
    cr_assert_eq(registry_check_directory(registry, &other, S_IROTH), -EACCES);
    cr_assert_eq(chmod(private_directory, 0700), 0);
    cr_assert_eq(registry_check_directory(registry, &other, S_IXOTH), -EACCES);
    cr_assert_eq(registry_check_directory(registry, &owner, S_IXOTH), 0);
}

struct replacer {
    uint32_t stop;
    uint32_t replaced;
};

/* Even generations are readable by all and have one record; odd ones by the owner, and have two. */
static void *replace_repeatedly(void *argument)
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
    cr_assert_eq(pthread_create(&thread, NULL, replace_repeatedly, &replacer), 0);
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
        error = registry_check_segment(registry, &other, "s", &status);
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

/* The size does not change: only the file's times do. */
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

Test(registry, truncated_file_is_an_error_and_not_shown, .init = begin, .fini = end)
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
    /* The old size again: the reader's mapping remains damaged. */
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

            /* Also if the file was valid in between. */
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

Test(registry, thread_calls_changed_for_each_event, .init = begin, .fini = end)
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

/* Event queue overflow. */
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
