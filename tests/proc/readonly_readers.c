/*
 * readonly_readers.c - readers modify nothing of a segment, and need read permission only (promise
 * B).
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "process.h"
#include "stress/checked.h"
#include "test.h"

#define NAME  "readonly"
#define DEPTH 8
#define SIZE  40

static struct kymo_options options = {.depth = DEPTH, .size = SIZE, .clock = KYMO_USER};

static void publish(struct kymo_writer *writer, int count)
{
    unsigned char buffer[SIZE];

    for (int i = 0; i < count; i++)
        cr_assert_eq(checked_publish(writer, buffer), 0);
}

/* ---- a file's attributes and bytes ---- */

struct state {
    struct stat status;
    struct stat directory;
    unsigned char *bytes;
};

static struct state take_state(void)
{
    struct state state;
    char path[4096];
    int fd;

    snprintf(path, sizeof(path), "%s/" NAME, kymo_directory());
    fd = open(path, O_RDONLY);
    cr_assert_geq(fd, 0);
    cr_assert_eq(fstat(fd, &state.status), 0);
    cr_assert_eq(stat(kymo_directory(), &state.directory), 0);
    state.bytes = malloc((size_t)state.status.st_size);
    cr_assert_eq(pread(fd, state.bytes, (size_t)state.status.st_size, 0), state.status.st_size);
    close(fd);
    return state;
}

static int same_time(const struct timespec *one, const struct timespec *other)
{
    return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

static void check_same(const struct state *one, const struct state *other)
{
    cr_assert_eq(one->status.st_ino, other->status.st_ino);
    cr_assert_eq(one->status.st_mode, other->status.st_mode);
    cr_assert_eq(one->status.st_nlink, other->status.st_nlink);
    cr_assert_eq(one->status.st_uid, other->status.st_uid);
    cr_assert_eq(one->status.st_size, other->status.st_size);
    cr_assert_eq(one->status.st_blocks, other->status.st_blocks);
    cr_assert(same_time(&one->status.st_mtim, &other->status.st_mtim));
    cr_assert(same_time(&one->status.st_ctim, &other->status.st_ctim));
    cr_assert(same_time(&one->directory.st_mtim, &other->directory.st_mtim));
    cr_assert_eq(memcmp(one->bytes, other->bytes, (size_t)one->status.st_size), 0);
}

/* ---- all calls of a reader that do not block ---- */

static int visit(void *context)
{
    const int says_goodbye = context != NULL;
    struct kymo_record record = {0};
    unsigned char buffer[SIZE];
    struct kymo_cursor cursor;
    struct kymo_reader *reader;
    struct kymo_range range;
    struct kymo_view view;
    struct kymo_info info;
    uint64_t missed;

    if (kymo_reader_open(&reader, NAME) != 0)
        return 1;
    if (kymo_ring_latest(reader, buffer, SIZE, &record) != 0 ||
        kymo_ring_back(reader, 3, buffer, SIZE, &record) != 0 ||
        kymo_ring_view_latest(reader, &view) != 0 || kymo_ring_validate(reader, &view) != 0)
        return 2;
    kymo_cursor_oldest(&cursor, reader);
    while (kymo_cursor_next(&cursor, buffer, SIZE, &record, &missed) == 0)
        ;
    if (kymo_series_closest(reader, 0, KYMO_ANY_DISTANCE, buffer, SIZE, &record) != 0 ||
        kymo_series_range(reader, 0, UINT64_MAX, &range) != 0)
        return 3;
    if (kymo_ring_wait(reader, cursor.next, 0) != -ETIMEDOUT)
        return 4;
    if (kymo_segment_info(reader->segment, &info) != 0 ||
        kymo_segment_liveness(reader->segment, 0) < 0 || kymo_segment_exists(NAME) != 1)
        return 5;
    if (says_goodbye)
        kymo_reader_close(reader);
    return 0;
}

static void visit_often(int visits)
{
    struct state before = take_state(), after;

    for (int i = 0; i < visits; i++)
        cr_assert_eq(process_wait(process_start(visit, i % 2 ? &before : NULL)), 0);
    after = take_state();
    check_same(&before, &after);
    free(before.bytes);
    free(after.bytes);
}

Test(readonly_readers, modify_nothing)
{
    const int visits = (int)process_count(10000, 200);
    struct kymo_writer *writer;

    cr_assert_eq(kymo_writer_open(&writer, NAME, &options), 0);
    publish(writer, DEPTH + 3);
    visit_often(visits / 2);
    kymo_writer_close(writer);
    visit_often(visits - visits / 2);
    printf("%d visits\n", visits);
    cr_assert_eq(kymo_segment_remove(NAME), 0);
}

/* ---- a reader without write permission ---- */

#define NOBODY 65534

static struct {
    uint32_t waits;  /* waits begun by the reader */
    uint32_t served; /* and those that returned 0 */
} * arena;

#define WAITS 20

/* root may always write, so it changes its user. */
static int become_unprivileged(void)
{
    return geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0);
}

static int wait_without_permission(void *context)
{
    const uint64_t timeout = UINT64_C(30000000000);
    struct kymo_writer *writer;
    struct kymo_reader *reader;
    unsigned char buffer[SIZE];
    struct kymo_record record;
    const int guaranteed = options.wake_policy == KYMO_WAKE_ALWAYS;
    struct kymo_wait_token token;
    uint64_t seen;

    (void)context;
    if (become_unprivileged() != 0 || kymo_writer_open(&writer, NAME, NULL) != -EACCES)
        return 1;
    if (kymo_segment_remove(NAME) != -EACCES || kymo_reader_open(&reader, NAME) != 0)
        return 2;
    if (kymo_ring_prepare_wait(reader, 0, &token) != -EAGAIN || token.wake_guaranteed != guaranteed)
        return 6;
    for (uint32_t i = 0; i < WAITS; i++) {
        seen = kymo_ring_head(&reader->ring);
        process_store(&arena->waits, i + 1);
        if (kymo_ring_wait(reader, seen, kymo_clock_now(KYMO_MONOTONIC) + timeout) != 0)
            return 3;
        if (kymo_ring_at(reader, seen, buffer, SIZE, &record) != 0 ||
            checked_fault(&record, buffer, SIZE))
            return 4;
        process_store(&arena->served, i + 1);
    }
    /* No further record: the deadline is kept. */
    seen = kymo_ring_head(&reader->ring);
    if (kymo_ring_wait(reader, seen, kymo_clock_now(KYMO_MONOTONIC) + 3000000) != -ETIMEDOUT)
        return 5;
    kymo_reader_close(reader);
    return 0;
}

static void wait_without_records(enum kymo_wake_policy wake_policy)
{
    struct kymo_writer *writer;
    struct kymo_info info;
    pid_t readonly_reader;

    arena = process_share(sizeof(*arena));
    options.mode = 0444;
    options.wake_policy = wake_policy;
    cr_assert_eq(kymo_writer_open(&writer, NAME, &options), 0);
    readonly_reader = process_start(wait_without_permission, NULL);
    for (uint32_t i = 0; i < WAITS; i++) {
        process_await(&arena->waits, i + 1);
        process_sleep(i % 2 ? 2000000 : 0); /* before or after the reader has begun to sleep */
        publish(writer, 1);
        process_await(&arena->served, i + 1);
    }
    cr_assert_eq(process_wait(readonly_reader), 0);
    /* It cannot set the waiter bit; wake=always or its time slices replace that. */
    cr_assert_eq(kymo_load_relaxed32(&writer->bell->word) & KYMO_BELL_WAITING, 0U);
    cr_assert_eq(kymo_segment_info(writer->segment, &info), 0);
    cr_assert_eq(info.wakes, wake_policy == KYMO_WAKE_ALWAYS ? (uint64_t)WAITS : 0U);
    cr_assert_eq(info.mode & 0777U, 0444U);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

Test(readonly_readers, block_without_permission)
{
    wait_without_records(KYMO_WAKE_WAITERS);
}

Test(readonly_readers, block_without_permission_where_each_publish_wakes)
{
    wait_without_records(KYMO_WAKE_ALWAYS);
}

/* With permission the publish wakes; the reader changes only one bit, in the bell's page. */
static int wait_with_permission(void *context)
{
    struct kymo_reader *reader;

    (void)context;
    if (kymo_reader_open(&reader, NAME) != 0)
        return 1;
    return kymo_ring_wait(reader, 1, KYMO_FOREVER) ? 2 : 0;
}

Test(readonly_readers, block_with_permission_and_write_the_bell_alone)
{
    struct kymo_writer *writer;
    struct state before, after;
    struct kymo_info info;
    pid_t readonly_reader;

    cr_assert_eq(kymo_writer_open(&writer, NAME, &options), 0);
    publish(writer, 1);
    before = take_state();
    readonly_reader = process_start(wait_with_permission, NULL);
    while (!(kymo_load_relaxed32(&writer->bell->word) & KYMO_BELL_WAITING))
        process_sleep(100000);
    after = take_state();
    for (off_t i = 0, changed = 0; i < after.status.st_size; i++) {
        changed += before.bytes[i] != after.bytes[i];
        cr_assert_leq(changed, 1);
    }
    publish(writer, 1);
    cr_assert_eq(process_wait(readonly_reader), 0);
    cr_assert_eq(kymo_segment_info(writer->segment, &info), 0);
    cr_assert_eq(info.wakes, 1U);
    free(before.bytes);
    free(after.bytes);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}
