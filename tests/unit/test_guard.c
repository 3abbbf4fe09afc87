/*
 * test_guard.c - a file that is truncated while mapped: with the guard, -EBADMSG (promise F); any other SIGBUS reaches the previous handler.
 */
#include "unit.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

static void truncate_segment(const char *name, off_t size)
{
    char path[UNIT_PATH];

    cr_assert_eq(truncate(unit_path(name, path), size), 0);
}

/* Every way to read returns it. */
static void expect_damaged(const struct kymo_reader *reader)
{
    struct unit_payload payload, after;
    struct kymo_bracket bracket;
    struct kymo_cursor cursor = {.reader = reader, .next = 0};
    struct kymo_range range;
    struct kymo_info info;
    struct kymo_view view;
    uint64_t pos;

    cr_assert_eq(kymo_ring_latest(reader, &payload, sizeof(payload), NULL), -EBADMSG);
    cr_assert_eq(kymo_ring_view_latest(reader, &view), -EBADMSG);
    cr_assert_eq(kymo_series_closest(reader, 5, 5, &payload, sizeof(payload), NULL), -EBADMSG);
    cr_assert_eq(kymo_series_find_closest(reader, 5, 5, &pos), -EBADMSG);
    cr_assert_eq(kymo_series_as_of(reader, 5, &payload, sizeof(payload), NULL), -EBADMSG);
    cr_assert_eq(kymo_series_bracket(reader, 5, &payload, &after, sizeof(after), &bracket),
                 -EBADMSG);
    cr_assert_eq(kymo_series_range(reader, 0, 9, &range), -EBADMSG);
    cr_assert_eq(kymo_series_fresh(reader, 0, &payload, sizeof(payload), NULL), -EBADMSG);
    cr_assert_eq(kymo_cursor_next(&cursor, &payload, sizeof(payload), NULL, NULL), -EBADMSG);
    cr_assert_eq(kymo_ring_wait(reader, 1000, kymo_clock_now(KYMO_MONOTONIC)), -EBADMSG);
    cr_assert_eq(kymo_segment_info(reader->segment, &info), -EBADMSG);
    cr_assert_eq(kymo_segment_liveness(reader->segment, KYMO_FOREVER), -EBADMSG);
}

/* Truncated before the slots, the times, the bell and the writer's page, and to 0. */
Test(guard, turns_lost_page_into_error)
{
    cr_assert_eq(kymo_guard_install(), 0);
    for (off_t pages = 4; pages >= 0; pages--) {
        const struct kymo_options options = {.clock = KYMO_USER, .depth = 4, .size = 16};
        struct unit_payload payload;
        uint64_t caught = kymo_guard_caught();
        char name[32];
        struct kymo_writer *writer;
        struct kymo_reader *reader;

        snprintf(name, sizeof(name), "lost-%d", (int)pages);
        writer = unit_writer(name, &options);
        reader = unit_reader(name);
        unit_publish(writer, 6);
        truncate_segment(name, pages * sysconf(_SC_PAGESIZE));
        cr_assert_eq(kymo_ring_latest(reader, &payload, sizeof(payload), NULL), -EBADMSG);
        cr_assert_gt(kymo_guard_caught(), caught);
        expect_damaged(reader);
        kymo_reader_close(reader);
        kymo_writer_close(writer);
    }
    kymo_guard_remove();
}

/* A writer of a truncated file gets the error at the latest in the call after the fault. */
/* A waiter maps the bell's page, and fills it if it is a hole. */
Test(guard, waiting_does_not_extend_a_truncated_file)
{
    const off_t size = 2 * sysconf(_SC_PAGESIZE); /* without the bell */
    struct kymo_writer *writer = unit_writer_of_depth("short", 4);
    struct kymo_reader *reader = unit_reader("short");
    const uint64_t deadline = kymo_clock_now(KYMO_MONOTONIC) + UINT64_C(2000000000);
    char path[UNIT_PATH];
    struct stat status;

    cr_assert_eq(kymo_guard_install(), 0);
    truncate_segment("short", size);
    cr_assert_eq(kymo_ring_wait(reader, 0, deadline), -EBADMSG);
    cr_assert_eq(stat(unit_path("short", path), &status), 0);
    cr_assert_eq(status.st_size, size);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
    kymo_guard_remove();
}

Test(guard, stops_writer_of_truncated_file)
{
    struct unit_payload payload = unit_payload(0);
    struct kymo_writer *writer;
    void *lent;

    cr_assert_eq(kymo_guard_install(), 0);
    writer = unit_writer_of_depth("writer", 4);
    unit_publish(writer, 6);
    truncate_segment("writer", 0);
    kymo_ring_publish(writer, &payload, sizeof(payload), 1000, 0);
    cr_assert_eq(kymo_guard_caught() > 0, 1);
    cr_assert_eq(kymo_ring_publish(writer, &payload, sizeof(payload), 1001, 0), -EBADMSG);
    cr_assert_eq(kymo_ring_loan(writer, &lent), -EBADMSG);
    kymo_writer_close(writer);
    kymo_guard_remove();
}

/* A record that is written in place while its page is lost. */
Test(guard, stops_commit_into_lost_page)
{
    struct kymo_writer *writer;
    void *lent;

    cr_assert_eq(kymo_guard_install(), 0);
    writer = unit_writer_of_depth("commit", 4);
    unit_publish(writer, 2);
    cr_assert_eq(kymo_ring_loan(writer, &lent), 0);
    truncate_segment("commit", 0);
    memset(lent, 1, sizeof(struct unit_payload));
    cr_assert_eq(kymo_ring_commit(writer, sizeof(struct unit_payload), 1000, 0), -EBADMSG);
    kymo_writer_close(writer);
    kymo_guard_remove();
}

/* Other segments of the process, and new ones, are not affected. */
Test(guard, marks_only_the_truncated_handle)
{
    struct kymo_writer *writer, *other;
    struct kymo_reader *reader, *sound;
    struct unit_payload payload;

    cr_assert_eq(kymo_guard_install(), 0);
    writer = unit_writer_of_depth("one", 4);
    other = unit_writer_of_depth("other", 4);
    reader = unit_reader("one");
    sound = unit_reader("other");
    unit_publish(writer, 6);
    unit_publish(other, 6);
    truncate_segment("one", 0);
    expect_damaged(reader);
    cr_assert_eq(kymo_ring_latest(sound, &payload, sizeof(payload), NULL), 0);
    unit_publish(other, 1);
    cr_assert_eq(kymo_ring_latest(sound, &payload, sizeof(payload), NULL), 0);
    cr_assert_eq(payload.pos, 6);
    kymo_reader_close(reader);
    kymo_reader_close(sound);
    kymo_writer_close(writer);
    kymo_writer_close(other);
    kymo_guard_remove();
}

/* More handles than the guard's table initially holds. */
Test(guard, guards_every_handle)
{
    enum { MANY = 600 };
    struct kymo_reader **readers = calloc(MANY, sizeof(struct kymo_reader *));
    struct kymo_writer *writer;
    struct unit_payload payload;

    cr_assert_eq(kymo_guard_install(), 0);
    writer = unit_writer_of_depth("many", 4);
    unit_publish(writer, 1);
    for (int i = 0; i < MANY; i++)
        readers[i] = unit_reader("many");
    truncate_segment("many", 0);
    for (int i = 0; i < MANY; i++) {
        kymo_ring_latest(readers[i], &payload, sizeof(payload), NULL);
        cr_assert_eq(kymo_ring_latest(readers[i], &payload, sizeof(payload), NULL), -EBADMSG);
        kymo_reader_close(readers[i]);
    }
    kymo_writer_close(writer);
    kymo_guard_remove();
    free(readers);
}

/* ---- SIGBUS outside of segments ---- */

/* A mapped page beyond the end of its file. */
static volatile unsigned char *page_of_nothing(void)
{
    const size_t size = (size_t)sysconf(_SC_PAGESIZE);
    char path[UNIT_PATH];
    int fd = open(unit_path(".nothing", path), O_RDWR | O_CREAT, 0600);
    unsigned char *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    close(fd);
    return page == MAP_FAILED ? NULL : page;
}

static sigjmp_buf jump;
static volatile sig_atomic_t handled;
static void *volatile handled_at;

static void on_signal(int number)
{
    (void)number;
    handled = 1;
    siglongjmp(jump, 1);
}

static void on_signal_with_info(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    handled = 2;
    handled_at = info->si_addr;
    siglongjmp(jump, 1);
}

static void touch(volatile unsigned char *page)
{
    handled = 0;
    if (sigsetjmp(jump, 1) == 0)
        page[3] = 1;
}

Test(guard, passes_other_faults_to_previous_handler)
{
    volatile unsigned char *page = page_of_nothing();
    struct sigaction with_info = {.sa_sigaction = on_signal_with_info, .sa_flags = SA_SIGINFO};

    cr_assert_not_null((const void *)(uintptr_t)page);
    signal(SIGBUS, on_signal);
    cr_assert_eq(kymo_guard_install(), 0);
    touch(page);
    cr_assert_eq(handled, 1);
    kymo_guard_remove();

    sigaction(SIGBUS, &with_info, NULL);
    cr_assert_eq(kymo_guard_install(), 0);
    touch(page);
    cr_assert_eq(handled, 2);
    cr_assert_eq(handled_at, (void *)(uintptr_t)(page + 3));
    kymo_guard_remove();
    cr_assert_eq(kymo_guard_caught(), 0);
}

static int die_of_another_fault(void *disposition)
{
    volatile unsigned char *page = page_of_nothing();

    signal(SIGBUS, *(void (**)(int))disposition);
    if (kymo_guard_install() != 0)
        return 1;
    page[0] = 1;
    return 2;
}

/* Without a previous handler, another fault terminates the process. */
Test(guard, other_faults_terminate_the_process)
{
    void (*by_default)(int) = SIG_DFL;
    void (*ignored)(int) = SIG_IGN;

    cr_assert_eq(unit_child(die_of_another_fault, &by_default), -SIGBUS);
    cr_assert_eq(unit_child(die_of_another_fault, &ignored), -SIGBUS);
}

static int read_unguarded(void *name)
{
    char path[UNIT_PATH];
    struct kymo_reader *reader;
    struct unit_payload payload;

    signal(SIGBUS, SIG_DFL);
    if (kymo_reader_open(&reader, name) != 0 || truncate(unit_path(name, path), 0) != 0)
        return 1;
    kymo_ring_latest(reader, &payload, sizeof(payload), NULL);
    return 2;
}

/* The guard acts only between install and the last remove. */
Test(guard, is_opt_in)
{
    struct sigaction before, after;

    kymo_writer_close(unit_writer_of_depth("bare", 4));
    cr_assert_eq(unit_child(read_unguarded, "bare"), -SIGBUS);

    signal(SIGBUS, on_signal);
    sigaction(SIGBUS, NULL, &before);
    cr_assert_eq(kymo_guard_install(), 0);
    cr_assert_eq(kymo_guard_install(), 0);
    kymo_guard_remove();
    sigaction(SIGBUS, NULL, &after);
    cr_assert_neq((void *)(uintptr_t)after.sa_handler, (void *)(uintptr_t)before.sa_handler,
                  "installed twice, removed once");
    kymo_guard_remove();
    sigaction(SIGBUS, NULL, &after);
    cr_assert_eq((void *)(uintptr_t)after.sa_handler, (void *)(uintptr_t)before.sa_handler);
    kymo_guard_remove();
    sigaction(SIGBUS, NULL, &after);
    cr_assert_eq((void *)(uintptr_t)after.sa_handler, (void *)(uintptr_t)before.sa_handler);
}
