/*
 * test_hot.c - hot paths call nothing (promise J) and publishing enters no kernel while nobody
 * waits (promise D): the kernel itself kills a process in strict mode at its first system call.
 */
#include "unit.h"

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define RECORDS 10000

/* exit_group is forbidden as well. */
static _Noreturn void leave(int status)
{
    for (;;)
        syscall(SYS_exit, status);
}

static int publish_all(struct kymo_writer *writer)
{
    struct unit_payload payload = unit_payload(0);
    int error = 0;
    void *lent;

    for (uint64_t time = 0; time < RECORDS && !error; time++) {
        error = kymo_ring_publish(writer, &payload, sizeof(payload), time, 0);
        if (!error)
            error = kymo_ring_loan(writer, &lent);
        if (!error)
            error = time % 2 ? kymo_ring_commit(writer, 8, time, 0) : kymo_ring_abort(writer);
    }
    return error;
}

static int read_all(const struct kymo_reader *reader)
{
    struct kymo_cursor cursor;
    struct unit_payload payload, after;
    struct kymo_bracket bracket;
    struct kymo_range range;
    struct kymo_view view;
    uint64_t missed, pos;
    int error = 0;

    kymo_cursor_oldest(&cursor, reader);
    for (uint64_t back = 0; back < kymo_ring_available(&reader->ring) && !error; back++) {
        error |= kymo_ring_latest(reader, &payload, sizeof(payload), NULL);
        error |= kymo_ring_back(reader, back, &payload, sizeof(payload), NULL);
        error |= kymo_ring_view_back(reader, back, &view);
        error |= kymo_ring_validate(reader, &view);
        error |= kymo_cursor_next(&cursor, &payload, sizeof(payload), NULL, &missed);
        error |= kymo_series_find_closest(reader, RECORDS - back, KYMO_ANY_DISTANCE, &pos);
        error |=
            kymo_series_closest(reader, RECORDS - back, back + 1, &payload, sizeof(payload), NULL);
        error |= kymo_series_as_of(reader, RECORDS - 1, &payload, sizeof(payload), NULL);
        error |=
            kymo_series_bracket(reader, RECORDS - 1, &payload, &after, sizeof(after), &bracket);
        error |= kymo_series_fresh(reader, 0, &payload, sizeof(payload), NULL);
        error |= kymo_series_range(reader, 0, RECORDS, &range);
        error |= kymo_ring_wait(reader, 0, KYMO_FOREVER);
    }
    return error;
}

static int publish_and_read(void *depth)
{
    const struct kymo_options options = {.clock = KYMO_USER,
                                         .depth = *(uint64_t *)depth,
                                         .size = sizeof(struct unit_payload)};
    struct kymo_writer *writer;
    struct kymo_reader *reader;

    if (kymo_writer_open(&writer, "hot", &options) || kymo_reader_open(&reader, "hot"))
        return 2;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
        return 3;
    leave(publish_all(writer) || read_all(reader));
}

static int call_something(void *context)
{
    (void)context;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
        return 3;
    leave(getppid() == 0);
}

/* D, J */
Test(hot, paths_call_nothing)
{
    uint64_t depths[] = {2, 64, 1024};

    cr_assert_eq(unit_child(call_something, NULL), -SIGKILL, "strict mode is what it says");
    for (int i = 0; i < 3; i++)
        cr_assert_eq(unit_child(publish_and_read, &depths[i]), 0);
}
