/*
 * test_shared_writer.c - several writers of one segment: order, liveness, limits, and a lock with an invalid owner. proc/shared_writer.c kills them.
 */
#include "unit.h"

#include <pthread.h>
#include <sys/resource.h>

#define MILLISECOND UINT64_C(1000000)

static const struct kymo_options shared = {.clock = KYMO_USER,
                                           .depth = 64,
                                           .size = 16,
                                           .flags = KYMO_SHARED_WRITER};

static struct kymo_writer *open_shared(const char *name)
{
    return unit_writer(name, &shared);
}

static int publish(struct kymo_writer *writer, uint64_t number)
{
    const struct unit_payload payload = unit_payload(number);

    return kymo_ring_publish(writer, &payload, sizeof(payload), 10 * number, number + 7);
}

static void expect_latest(const struct kymo_reader *reader, uint64_t number)
{
    struct unit_payload payload;
    struct kymo_record record;

    cr_assert_eq(kymo_ring_latest(reader, &payload, sizeof(payload), &record), 0);
    cr_assert_eq(record.pos, number);
    cr_assert_eq(payload.pos, number);
    cr_assert_eq(payload.inverse, ~number);
}

static int liveness(const struct kymo_reader *reader)
{
    return kymo_segment_liveness(reader->segment, KYMO_FOREVER);
}

static void set_lock_timeout(struct kymo_writer *writer, uint64_t timeout)
{
    cr_assert_eq(kymo_writer_set_lock_timeout(writer, timeout), 0);
}

/* ---- one after the other ---- */

Test(shared_writer, publishes_after_other_writers)
{
    struct kymo_writer *writers[3];
    struct kymo_reader *reader;

    for (int i = 0; i < 3; i++)
        writers[i] = open_shared("turns");
    reader = unit_reader("turns");
    for (uint64_t pos = 0; pos < 300; pos++) {
        cr_assert_eq(publish(writers[(pos * 7 / 3) % 3], pos), 0);
        expect_latest(reader, pos);
    }
    cr_assert_eq(unit_info(reader->segment).writers, 3U);
    /* All writers share the newest time. */
    cr_assert_eq(publish(writers[0], 300), 0);
    cr_assert_eq(kymo_ring_publish(writers[1], "late", 4, 2999, 0), -EINVAL);
    cr_assert_eq(kymo_ring_publish(writers[1], "equal", 5, 3000, 0), 0);
    cr_assert_eq(unit_info(reader->segment).rejected, 1U);
    cr_assert_eq(unit_info(reader->segment).takeovers, 0U);
    kymo_reader_close(reader);
    for (int i = 0; i < 3; i++)
        kymo_writer_close(writers[i]);
    cr_assert_eq(kymo_segment_remove("turns"), 0);
}

Test(shared_writer, refuses_invalid_records)
{
    struct kymo_writer *one = open_shared("refuses");
    struct kymo_writer *other = open_shared("refuses");
    static const char large[17];

    cr_assert_eq(kymo_ring_publish(one, large, sizeof(large), 0, 0), -EMSGSIZE);
    cr_assert_eq(kymo_ring_commit(one, 1, 0, 0), -EINVAL);
    cr_assert_eq(kymo_ring_abort(one), -EINVAL);
    /* The lock is released after the error. */
    set_lock_timeout(other, 0);
    cr_assert_eq(publish(other, 5), 0);
    cr_assert_eq(publish(one, 4), -EINVAL);
    cr_assert_eq(publish(other, 6), 0);
    kymo_writer_close(one);
    cr_assert_eq(kymo_writer_remove(other), 0);
}

/* ---- loans ---- */

Test(shared_writer, blocks_others_during_loan)
{
    struct kymo_writer *one = open_shared("loans");
    struct kymo_writer *other = open_shared("loans");
    struct kymo_reader *reader = unit_reader("loans");
    const struct unit_payload payload = unit_payload(0);
    void *loan, *again;
    uint64_t began;

    set_lock_timeout(other, 20 * MILLISECOND);
    cr_assert_eq(kymo_ring_loan(one, &loan), 0);
    began = kymo_clock_now(KYMO_MONOTONIC);
    cr_assert_eq(publish(other, 0), -ETIMEDOUT);
    cr_assert_geq(kymo_clock_now(KYMO_MONOTONIC) - began, 20 * MILLISECOND);
    cr_assert_eq(kymo_ring_loan(other, &again), -ETIMEDOUT);
    cr_assert_eq(publish(one, 0), -EINVAL);
    cr_assert_eq(kymo_ring_loan(one, &again), 0);
    cr_assert_eq(again, loan);
    /* After an error of commit, the loan and the lock remain. */
    cr_assert_eq(kymo_ring_commit(one, 17, 0, 0), -EMSGSIZE);
    cr_assert_eq(publish(other, 0), -ETIMEDOUT);
    memcpy(loan, &payload, sizeof(payload));
    cr_assert_eq(kymo_ring_commit(one, sizeof(payload), 0, 7), 0);
    expect_latest(reader, 0);
    cr_assert_eq(publish(other, 1), 0);
    expect_latest(reader, 1);
    cr_assert_eq(unit_info(reader->segment).takeovers, 0U, "the writer was always alive");
    kymo_reader_close(reader);
    kymo_writer_close(one);
    cr_assert_eq(kymo_writer_remove(other), 0);
}

Test(shared_writer, aborts_loan)
{
    struct kymo_writer *one = open_shared("aborts");
    struct kymo_writer *other = open_shared("aborts");
    struct kymo_reader *reader = unit_reader("aborts");
    void *loan;

    set_lock_timeout(other, 0);
    for (uint64_t pos = 0; pos < 200; pos += 2) {
        cr_assert_eq(kymo_ring_loan(one, &loan), 0);
        memset(loan, 0xee, 16);
        cr_assert_eq(kymo_ring_abort(one), 0);
        cr_assert_eq(publish(other, pos), 0);
        expect_latest(reader, pos);
        cr_assert_eq(publish(one, pos + 1), 0);
        expect_latest(reader, pos + 1);
    }
    /* Closing ends the loan and releases the lock, too. */
    cr_assert_eq(kymo_ring_loan(one, &loan), 0);
    kymo_writer_close(one);
    cr_assert_eq(publish(other, 200), 0);
    expect_latest(reader, 200);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(other), 0);
}

/* ---- lock timeout ---- */

struct release {
    struct kymo_writer *writer;
    useconds_t after;
};

static void *abort_later(void *context)
{
    const struct release *release = context;

    usleep(release->after);
    cr_assert_eq(kymo_ring_abort(release->writer), 0);
    return NULL;
}

Test(shared_writer, keeps_lock_timeout)
{
    static const uint64_t timeouts[] = {2 * UINT64_C(1000000000), UINT64_MAX / 2, UINT64_MAX - 1,
                                        KYMO_FOREVER};
    struct kymo_writer *one = open_shared("timeout");
    struct kymo_writer *other = open_shared("timeout");
    struct release release = {.writer = one, .after = 30000};
    pthread_t thread;
    void *loan;

    for (uint64_t i = 0; i < 4; i++) {
        set_lock_timeout(other, timeouts[i]);
        cr_assert_eq(kymo_ring_loan(one, &loan), 0);
        cr_assert_eq(pthread_create(&thread, NULL, abort_later, &release), 0);
        cr_assert_eq(publish(other, i), 0, "timeout %ju", (uintmax_t)timeouts[i]);
        pthread_join(thread, NULL);
    }
    kymo_writer_close(one);
    cr_assert_eq(kymo_writer_remove(other), 0);
    one = unit_writer_of_depth("timeout", 4);
    cr_assert_eq(kymo_writer_set_lock_timeout(one, 1), -EINVAL);
    cr_assert_eq(kymo_writer_remove(one), 0);
}

/* ---- liveness ---- */

struct other_process {
    int ready[2];
    int go[2];
    pid_t pid;
};

/* A writer in a child process, which publishes `number` unless it is 0, and then waits. */
static struct other_process start_writer(const char *name)
{
    struct other_process other;
    char byte;

    cr_assert_eq(pipe(other.ready), 0);
    cr_assert_eq(pipe(other.go), 0);
    fflush(NULL);
    other.pid = fork();
    if (other.pid == 0) {
        struct kymo_writer *writer = NULL;

        close(other.ready[0]);
        close(other.go[1]);
        if (kymo_writer_open(&writer, name, &shared) != 0 || write(other.ready[1], "r", 1) != 1)
            _exit(1);
        /* Ends on request, or at the end of the test. */
        if (read(other.go[0], &byte, 1) == 1)
            kymo_writer_close(writer);
        _exit(0);
    }
    close(other.ready[1]);
    close(other.go[0]);
    cr_assert_eq(read(other.ready[0], &byte, 1), 1);
    return other;
}

static void end_writer(struct other_process *other, int number)
{
    if (number)
        kill(other->pid, number);
    else
        cr_assert_eq(write(other->go[1], "g", 1), 1);
    cr_assert_eq(waitpid(other->pid, NULL, 0), other->pid);
    close(other->ready[0]);
    close(other->go[1]);
}

Test(shared_writer, is_alive_while_any_writer_is)
{
    struct kymo_writer *one = open_shared("alive");
    struct kymo_writer *two = open_shared("alive");
    struct kymo_reader *reader = unit_reader("alive");
    struct other_process others[2];

    cr_assert_eq(liveness(reader), KYMO_LIVE_ALIVE);
    kymo_writer_close(one);
    cr_assert_eq(liveness(reader), KYMO_LIVE_ALIVE);
    kymo_writer_close(two);
    cr_assert_eq(liveness(reader), KYMO_LIVE_CLOSED);
    for (int i = 0; i < 2; i++)
        others[i] = start_writer("alive");
    cr_assert_eq(liveness(reader), KYMO_LIVE_ALIVE);
    end_writer(&others[0], SIGKILL);
    cr_assert_eq(liveness(reader), KYMO_LIVE_ALIVE);
    end_writer(&others[1], SIGKILL);
    cr_assert_eq(liveness(reader), KYMO_LIVE_DEAD);
    /* The last writer to end determines the state: killed and then closed, and the reverse. */
    for (int i = 0; i < 2; i++)
        others[i] = start_writer("alive");
    end_writer(&others[0], SIGKILL);
    end_writer(&others[1], 0);
    cr_assert_eq(liveness(reader), KYMO_LIVE_CLOSED);
    for (int i = 0; i < 2; i++)
        others[i] = start_writer("alive");
    end_writer(&others[0], 0);
    cr_assert_eq(liveness(reader), KYMO_LIVE_ALIVE);
    end_writer(&others[1], SIGKILL);
    cr_assert_eq(liveness(reader), KYMO_LIVE_DEAD);
    cr_assert_eq(kymo_segment_reap("alive"), 1);
    cr_assert_eq(liveness(reader), -EIDRM);
    kymo_reader_close(reader);
}

static int open_with(const char *name, enum kymo_existing existing, uint32_t size)
{
    struct kymo_options options = shared;
    struct kymo_writer *writer;
    int error;

    options.existing = existing;
    options.size = size;
    error = kymo_writer_open(&writer, name, &options);
    if (!error)
        kymo_writer_close(writer);
    return error;
}

/* A segment is neither replaced nor removed while any writer is alive. */
Test(shared_writer, keeps_segment_while_any_writer_lives)
{
    struct kymo_writer *one = open_shared("keeps");
    struct kymo_writer *two = open_shared("keeps");
    struct kymo_reader *reader = unit_reader("keeps");

    cr_assert_eq(publish(one, 0), 0);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(open_with("keeps", KYMO_REPLACE, 16), -EBUSY);
        cr_assert_eq(open_with("keeps", KYMO_OPEN_OR_CREATE, 24), -EBUSY);
        cr_assert_eq(open_with("keeps", KYMO_CREATE_NEW, 16), -EEXIST);
        cr_assert_eq(kymo_segment_remove("keeps"), -EBUSY);
        cr_assert_eq(kymo_segment_reap("keeps"), 0);
        expect_latest(reader, 0);
        if (i == 0)
            cr_assert_eq(kymo_writer_remove(two), -EBUSY, "-EBUSY, and the handle is closed");
    }
    cr_assert_eq(open_with("keeps", KYMO_OPEN_EXISTING, 16), 0);
    cr_assert_eq(liveness(reader), KYMO_LIVE_ALIVE);
    cr_assert_eq(publish(one, 1), 0);
    expect_latest(reader, 1);
    cr_assert_eq(kymo_writer_remove(one), 0);
    cr_assert_eq(liveness(reader), -EIDRM);
    cr_assert_eq(kymo_segment_exists("keeps"), 0);
    kymo_reader_close(reader);
}

/* The flag is part of the layout: an exclusive writer cannot join shared writers. */
Test(shared_writer, refuses_exclusive_writer)
{
    struct kymo_options options = shared;
    struct kymo_writer *one = open_shared("alone"), *two;

    options.flags = 0;
    cr_assert_eq(kymo_writer_open(&two, "alone", &options), -EBUSY);
    options.existing = KYMO_OPEN_EXISTING;
    cr_assert_eq(kymo_writer_open(&two, "alone", &options), -EBUSY);
    cr_assert_eq(kymo_writer_open(&two, "alone", NULL), 0);
    kymo_writer_close(two);
    kymo_writer_close(one);
    cr_assert_eq(kymo_writer_open(&two, "alone", &options), -EEXIST);
    cr_assert_eq(kymo_segment_remove("alone"), 0);
}

/* ---- lock slots ---- */

Test(shared_writer, has_1024_lock_slots)
{
    static struct kymo_writer *writers[KYMO_LOCK_SLOTS];
    const struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};
    struct kymo_reader *reader;
    struct kymo_writer *more;

    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        cr_skip_test("cannot open so many files");
    for (uint64_t i = 0; i < KYMO_LOCK_SLOTS; i++) {
        writers[i] = open_shared("slots");
        cr_assert_eq(writers[i]->segment ? 0 : 1, 0);
    }
    cr_assert_eq(kymo_writer_open(&more, "slots", &shared), -EBUSY);
    cr_assert_null(more);
    for (uint64_t i = 0; i < KYMO_LOCK_SLOTS; i++)
        cr_assert_eq(publish(writers[i], i), 0);
    reader = unit_reader("slots");
    expect_latest(reader, KYMO_LOCK_SLOTS - 1);
    /* Every released lock slot is used again. */
    for (uint64_t i = 0; i < KYMO_LOCK_SLOTS; i += 341) {
        kymo_writer_close(writers[i]);
        writers[i] = open_shared("slots");
        cr_assert_eq(kymo_writer_open(&more, "slots", &shared), -EBUSY);
        cr_assert_eq(publish(writers[i], KYMO_LOCK_SLOTS + i / 341), 0);
    }
    expect_latest(reader, KYMO_LOCK_SLOTS + 3);
    kymo_reader_close(reader);
    for (uint64_t i = 0; i < KYMO_LOCK_SLOTS; i++)
        kymo_writer_close(writers[i]);
    cr_assert_eq(kymo_segment_remove("slots"), 0);
}

Test(shared_writer, reuses_a_released_lock_slot)
{
    struct kymo_writer *one = open_shared("reused");
    struct kymo_reader *reader = unit_reader("reused");

    for (uint64_t i = 0; i < 3000; i++) {
        struct kymo_writer *other = open_shared("reused");

        cr_assert_eq(publish(other, 2 * i), 0);
        kymo_writer_close(other);
        cr_assert_eq(publish(one, 2 * i + 1), 0);
    }
    expect_latest(reader, 5999);
    cr_assert_eq(unit_info(reader->segment).writers, 3001U);
    cr_assert_eq(unit_info(reader->segment).takeovers, 0U);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(one), 0);
}

/* ---- concurrent open and close ---- */

#define VISITS 400

/* A writer can always join a shared segment, also while the last one closes. */
static int come_and_go(void *context)
{
    (void)context;
    for (int i = 0; i < VISITS; i++) {
        struct kymo_writer *writer;
        int error = kymo_writer_open(&writer, "visits", &shared);

        if (!error)
            error = kymo_ring_publish(writer, "visit", 5, 0, 0);
        if (error) {
            fprintf(stderr, "visit %d: %s\n", i, kymo_error_text(error));
            return 1;
        }
        kymo_writer_close(writer);
    }
    return 0;
}

Test(shared_writer, opens_while_others_close)
{
    struct kymo_reader *reader;
    pid_t pids[3];

    kymo_writer_close(open_shared("visits"));
    reader = unit_reader("visits");
    fflush(NULL);
    for (int i = 0; i < 3; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            _exit(come_and_go(NULL));
    }
    for (int i = 0; i < 3; i++) {
        int status = -1;

        cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
        cr_assert_eq(status, 0);
    }
    cr_assert_eq(kymo_ring_head(&reader->ring), 3U * VISITS);
    cr_assert_eq(liveness(reader), KYMO_LIVE_CLOSED);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_segment_remove("visits"), 0);
}

/* Holds the exclusive lock, as close, replace and remove do, for a given time. */
struct alone {
    int fd;
    useconds_t length;
};

static void take_alone(struct alone *alone, const char *name)
{
    struct flock lock = {.l_type = F_WRLCK, .l_start = (off_t)KYMO_LOCK_WRITER, .l_len = 1};
    char path[UNIT_PATH];

    alone->fd = open(unit_path(name, path), O_RDWR | O_CLOEXEC);
    cr_assert_geq(alone->fd, 0);
    cr_assert_eq(fcntl(alone->fd, F_OFD_SETLK, &lock), 0);
}

static void *let_go_later(void *context)
{
    const struct alone *alone = context;

    usleep(alone->length);
    close(alone->fd);
    return NULL;
}

Test(shared_writer, waits_for_exclusive_lock)
{
    struct alone alone = {.length = 5000};
    struct kymo_writer *writer;
    pthread_t thread;

    kymo_writer_close(open_shared("moment"));
    take_alone(&alone, "moment");
    cr_assert_eq(pthread_create(&thread, NULL, let_go_later, &alone), 0);
    writer = open_shared("moment");
    pthread_join(thread, NULL);
    kymo_writer_close(writer);
    /* An open does not wait for the lock endlessly. */
    take_alone(&alone, "moment");
    cr_assert_eq(kymo_writer_open(&writer, "moment", &shared), -EBUSY);
    close(alone.fd);
    cr_assert_eq(kymo_segment_remove("moment"), 0);
}

/* ---- invalid words in the lock ---- */

Test(shared_writer, does_not_take_lock_of_living_owner)
{
    static const uint32_t words[] = {
        900, 1024, 1025, 5000, 0x7fffffff, 0xffffffff, KYMO_LOCK_WAITING, KYMO_LOCK_WAITING | 77};
    struct kymo_writer *writer = open_shared("unread");
    struct kymo_writer *other = open_shared("unread");
    struct kymo_reader *reader = unit_reader("unread");
    const size_t count = sizeof(words) / sizeof(words[0]);

    for (uint64_t i = 0; i < count; i++) {
        kymo_store_relaxed32(&writer->ring.control->lock, words[i]);
        cr_assert_eq(publish(writer, 2 * i), 0, "%x", words[i]);
        cr_assert_eq(publish(other, 2 * i + 1), 0, "%x", words[i]);
        expect_latest(reader, 2 * i + 1);
    }
    cr_assert_eq(unit_info(reader->segment).takeovers, count - 1);
    kymo_reader_close(reader);
    kymo_writer_close(other);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

/* The lock names a living owner that does not hold it: no call hangs. */
Test(shared_writer, times_out_at_corrupted_lock)
{
    struct kymo_writer *one = open_shared("invalid");
    struct kymo_writer *other = open_shared("invalid");

    set_lock_timeout(one, 5 * MILLISECOND);
    set_lock_timeout(other, 5 * MILLISECOND);
    for (uint32_t slot = 1; slot <= 2; slot++) {
        kymo_store_relaxed32(&one->ring.control->lock, slot);
        cr_assert_eq(publish(one, 0), -ETIMEDOUT);
        cr_assert_eq(publish(other, 0), -ETIMEDOUT);
    }
    kymo_store_relaxed32(&one->ring.control->lock, 0);
    cr_assert_eq(publish(one, 0), 0);
    cr_assert_eq(publish(other, 1), 0);
    kymo_writer_close(one);
    cr_assert_eq(kymo_writer_remove(other), 0);
}

/* ---- an owner that is killed while its lock slot is reused ---- */

static void (*before_slot_claim)(void);
int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, void *argument);

/* Calls before_slot_claim, once, before a lock slot is claimed. */
int __wrap_fcntl(int fd, int command, void *argument)
{
    const struct flock *lock = argument;
    void (*hook)(void) = before_slot_claim;

    if (hook && command == F_OFD_SETLK && lock->l_type == F_WRLCK &&
        lock->l_start == (off_t)KYMO_LOCK_WRITER_SLOTS) {
        before_slot_claim = NULL;
        hook();
    }
    return __real_fcntl(fd, command, argument);
}

static pid_t doomed;
static int doomed_go[2], doomed_ready[2];

/* Takes the lock on request, and keeps it. */
static int loan_and_wait(void)
{
    struct kymo_writer *writer;
    void *loan;
    char byte;

    before_slot_claim = NULL;
    if (kymo_writer_open(&writer, "doomed", &shared) != 0 || write(doomed_ready[1], "o", 1) != 1 ||
        read(doomed_go[0], &byte, 1) != 1 || kymo_ring_loan(writer, &loan) != 0 ||
        write(doomed_ready[1], "l", 1) != 1)
        return 1;
    for (;;)
        pause();
}

static void await_doomed(void)
{
    char byte;

    cr_assert_eq(read(doomed_ready[0], &byte, 1), 1);
}

/* It takes the lock and is killed with it, after the new writer has begun to search for a lock
 * slot. */
static void doom(void)
{
    cr_assert_eq(write(doomed_go[1], "g", 1), 1);
    await_doomed();
    kill(doomed, SIGKILL);
    cr_assert_eq(waitpid(doomed, NULL, 0), doomed);
}

/* The new writer must not use the dead owner's lock slot: the lock would then never be taken
 * over. */
Test(shared_writer, does_not_reuse_lock_slot_of_dead_owner)
{
    struct kymo_writer *newcomer;

    cr_assert_eq(pipe(doomed_go), 0);
    cr_assert_eq(pipe(doomed_ready), 0);
    fflush(NULL);
    doomed = fork();
    if (doomed == 0)
        _exit(loan_and_wait());
    await_doomed();
    before_slot_claim = doom;
    newcomer = open_shared("doomed");
    cr_assert_null(before_slot_claim);
    cr_assert_eq(publish(newcomer, 0), 0);
    cr_assert_eq(unit_info(newcomer->segment).takeovers, 1U);
    cr_assert_eq(kymo_writer_remove(newcomer), 0);
}
