/*
 * test_generation.c - what other processes can open at each step of creating, replacing and taking
 * over a segment (promises H: liveness, I: complete or absent), checked at the library's test
 * points.
 */
#include "unit.h"

#include <dirent.h>
#include <pthread.h>

static const struct kymo_options of_payloads = {.clock = KYMO_USER,
                                                .depth = 8,
                                                .size = sizeof(struct unit_payload)};

/* The check at each point, and the first fault. */
struct watch {
    int points;            /* visited so far */
    int linked;            /* 1 once the name refers to the new generation */
    uint64_t old;          /* inode of the previous generation; 0: none */
    const char *complaint; /* the first */
    const char *complaint_at;
};

static void complain(struct watch *watch, const char *complaint, const char *point)
{
    if (watch->complaint)
        return;
    watch->complaint = complaint;
    watch->complaint_at = point;
}

/* Names that are visible to readers. */
static int count_names(void)
{
    DIR *directory = opendir(kymo_directory());
    struct dirent *entry;
    int count = 0;

    while ((entry = readdir(directory)))
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

/* Opens the name: absent, the complete old generation, or the complete new one. */
static const char *open_name(const struct watch *watch)
{
    struct kymo_reader *reader;
    struct kymo_info info;
    const char *complaint = NULL;
    int error = kymo_reader_open(&reader, "segment");

    if (count_names() != (watch->old || watch->linked))
        return "an unexpected name";
    if (!watch->old && !watch->linked)
        return error == -ENOENT ? NULL : "the name exists too early";
    if (error)
        return "the name exists and does not open";
    if (kymo_segment_info(reader->segment, &info) != 0)
        complaint = "it has no header";
    else if ((info.inode == watch->old) == watch->linked)
        complaint = "it is the wrong generation";
    else if (kymo_segment_liveness(reader->segment, KYMO_FOREVER) != KYMO_LIVE_ALIVE)
        complaint = "it is not locked";
    kymo_reader_close(reader);
    return complaint;
}

static void look_at_each_point(void *context, const char *point)
{
    struct watch *watch = context;
    const char *complaint;

    watch->points++;
    if (strcmp(point, "FILE_LINKED") == 0)
        watch->linked = 1;
    complaint = open_name(watch);
    if (complaint)
        complain(watch, complaint, point);
    testpoint_plan(NULL, 0, look_at_each_point, watch);
}

static void open_watched(struct watch *watch, const struct kymo_options *options)
{
    struct kymo_writer *writer;
    int error;

    testpoint_plan(NULL, 0, look_at_each_point, watch);
    error = kymo_writer_open(&writer, "segment", options);
    testpoint_cancel();
    cr_assert_eq(error, 0);
    cr_assert_null(watch->complaint, "at %s: %s", watch->complaint_at, watch->complaint);
    cr_assert_eq(watch->linked, 1);
    cr_assert_geq(watch->points, 4, "only %d points were visited", watch->points);
    kymo_writer_close(writer);
}

/* I: a segment has no name before it is complete and locked. */
Test(generation, has_no_name_before_it_is_complete)
{
    struct watch watch = {.old = 0};

    unit_directory("created");
    open_watched(&watch, &of_payloads);
}

/* I: the name refers to the complete old generation, and then to the complete new one. */
Test(generation, is_replaced_atomically)
{
    struct kymo_options options = of_payloads;
    struct watch watch = {.old = 0};
    struct stat status;
    char path[UNIT_PATH];

    unit_directory("replaced");
    kymo_writer_close(unit_writer("segment", &options));
    cr_assert_eq(stat(unit_path("segment", path), &status), 0);
    watch.old = status.st_ino;
    options.existing = KYMO_REPLACE;
    open_watched(&watch, &options);
}

/* ---- the name is removed between open and lock ---- */

static void remove_the_name(void *context, const char *point)
{
    char path[UNIT_PATH];

    (void)context;
    (void)point;
    unlink(unit_path("segment", path));
}

static void rename_over(void *other, const char *point)
{
    char from[UNIT_PATH], to[UNIT_PATH];

    (void)point;
    rename(unit_path(other, from), unit_path("segment", to));
}

static void expect_named(const struct kymo_writer *writer)
{
    struct stat status;
    char path[UNIT_PATH];

    cr_assert_eq(stat(unit_path("segment", path), &status), 0);
    cr_assert_eq(unit_info(writer->segment).inode, status.st_ino);
}

/* H: after locking, a writer checks that the name still refers to its inode, and retries if not. */
Test(generation, is_reopened_when_name_is_removed)
{
    struct kymo_writer *writer;

    unit_directory("gone");
    kymo_writer_close(unit_writer("segment", &of_payloads));
    testpoint_plan("LOCKED", 0, remove_the_name, NULL);
    writer = unit_writer("segment", &of_payloads);
    cr_assert_eq(testpoint_cancel(), 0);
    expect_named(writer);
    kymo_writer_close(writer);
}

Test(generation, is_reopened_when_name_is_replaced)
{
    struct kymo_writer *writer, *other;

    unit_directory("anothers");
    kymo_writer_close(unit_writer("segment", &of_payloads));
    other = unit_writer("other", &of_payloads);
    unit_publish(other, 3);
    kymo_writer_close(other);
    testpoint_plan("LOCKED", 0, rename_over, "other");
    writer = unit_writer("segment", &of_payloads);
    cr_assert_eq(testpoint_cancel(), 0);
    expect_named(writer);
    cr_assert_eq(writer->pos, 3);
    kymo_writer_close(writer);
}

#if !KYMO_TSAN

/* ---- the file is truncated while it is removed or replaced ---- */

static void cut_short(void *fd, const char *point)
{
    (void)point;
    cr_assert_eq(ftruncate(*(int *)fd, 0), 0);
}

/* F: truncation by a segment's owner does not crash the process that removes it. */
Test(generation, is_removed_during_truncation)
{
    struct kymo_options options = of_payloads;
    struct kymo_writer *writer;
    char path[UNIT_PATH];
    int fd;

    unit_directory("cut");
    cr_assert_eq(kymo_guard_install(), 0);
    kymo_writer_close(unit_writer("segment", &options));
    fd = open(unit_path("segment", path), O_RDWR | O_CLOEXEC);
    testpoint_plan("UNLINKED", 0, cut_short, &fd);
    cr_assert_eq(kymo_segment_remove("segment"), 0);
    cr_assert_eq(testpoint_cancel(), 0);
    cr_assert_eq(kymo_guard_caught(), 2, "the pages of the writer and of the bell");
    close(fd);

    kymo_writer_close(unit_writer("segment", &options));
    fd = open(path, O_RDWR | O_CLOEXEC);
    options.existing = KYMO_REPLACE;
    testpoint_plan("FILE_LINKED", 0, cut_short, &fd);
    writer = unit_writer("segment", &options);
    cr_assert_eq(testpoint_cancel(), 0);
    cr_assert_eq(kymo_guard_caught(), 4);
    unit_publish(writer, 1);
    cr_assert_eq(kymo_writer_remove(writer), 0);
    close(fd);
    kymo_guard_remove();
}

#endif

/* ---- threads concurrent with an open ---- */

struct opening {
    struct testpoint_gate *gate;
    int error;
};

/* Blocks with the library's lock held, as a large allocation would. */
static void *open_and_park(void *context)
{
    struct opening *opening = context;
    struct kymo_writer *writer;

    testpoint_plan("FILE_ALLOCATED", 0, testpoint_park, opening->gate);
    opening->error = kymo_writer_open(&writer, "large", &of_payloads);
    if (!opening->error)
        opening->error = kymo_writer_remove(writer);
    return NULL;
}

/* E: a wait keeps its deadline while another thread opens a segment slowly. */
Test(generation, does_not_block_waiters_while_created)
{
    struct kymo_writer *writer = unit_writer("waited", &of_payloads);
    struct kymo_reader *reader = unit_reader("waited");
    struct opening opening = {.gate = testpoint_gate_make()};
    const struct kymo_reader *const readers[] = {reader};
    const uint64_t seen = 0;
    pthread_t thread;

    cr_assert_eq(kymo_ring_wait(reader, 0, kymo_clock_now(KYMO_MONOTONIC) + 1000000), -ETIMEDOUT);
    cr_assert_eq(pthread_create(&thread, NULL, open_and_park, &opening), 0);
    testpoint_await(opening.gate);
    for (int i = 0; i < 3; i++) {
        const uint64_t deadline = kymo_clock_now(KYMO_MONOTONIC) + 5000000;

        cr_assert_eq(kymo_ring_wait(reader, 0, deadline), -ETIMEDOUT);
        cr_assert_eq(kymo_ring_wait_any(readers, &seen, 1, deadline), -ETIMEDOUT);
    }
    unit_publish(writer, 1);
    cr_assert_eq(kymo_ring_wait(reader, 0, KYMO_FOREVER), 0);
    testpoint_release(opening.gate);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_eq(opening.error, 0);
    testpoint_gate_free(opening.gate);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}
