/*
 * test_open.c - opening and closing: descriptors, locks that forked children hold, allocation beside signals, segments of another boot, writers of another PID namespace, removal under a writer.
 */
#include "unit.h"

#include <kymo/metrics.h>

#include <sys/syscall.h>

static const struct kymo_options of_payloads = {.clock = KYMO_USER,
                                                .depth = 8,
                                                .size = sizeof(struct unit_payload)};

/* ---- descriptors ---- */

static int visit(void *context, const struct kymo_entry *entry)
{
    (void)context;
    return entry->error;
}

/* One of each call that opens a descriptor. */
static int open_everything(void)
{
    struct kymo_options options = of_payloads;
    struct kymo_residence residence;
    struct kymo_consumer *consumer;
    struct kymo_writer *writer;
    struct kymo_reader *reader;

    options.kind = KYMO_QUEUE;
    if (kymo_writer_open(&writer, "low", &options) || kymo_reader_open(&reader, "low") ||
        kymo_consumer_open(&consumer, "low"))
        return 1;
    if (kymo_ring_wait(reader, 1, 1) != -ETIMEDOUT || kymo_segment_reap_unfinished() ||
        kymo_segment_list(visit, NULL) || kymo_segment_prefault(reader->segment, 0, &residence))
        return 2;
    return 0;
}

static int open_without(void *closed)
{
    const int set = *(const int *)closed;
    int status;

    for (int fd = 0; fd < 3; fd++)
        if (set & 1 << fd)
            close(fd);
    status = open_everything();
    for (int fd = 0; fd < 3; fd++)
        if (set & 1 << fd && fcntl(fd, F_GETFD) >= 0)
            return 10 + fd;
    return status;
}

/* A program without standard output must not print into a segment. */
Test(open, uses_no_standard_descriptor)
{
    for (int closed = 0; closed < 8; closed++)
        cr_assert_eq(unit_child(open_without, &closed), 0, "closed: %d", closed);
}

/* ---- copies of descriptors in children ---- */

/* Forks as vfork and posix_spawn do: without the handlers of pthread_atfork(3). */
static pid_t fork_unseen(void)
{
    const pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

    if (child == 0)
        for (;;)
            pause();
    return child;
}

static void end_child(pid_t child)
{
    cr_assert_eq(kill(child, SIGKILL), 0);
    cr_assert_eq(waitpid(child, NULL, 0), child);
}

static void close_beside_child(uint32_t flags)
{
    struct kymo_options options = of_payloads;
    struct kymo_consumer *consumer;
    struct kymo_writer *writer;
    struct kymo_reader *reader;
    pid_t child;

    options.kind = KYMO_QUEUE;
    options.flags = flags;
    writer = unit_writer("copied", &options);
    cr_assert_eq(kymo_consumer_open(&consumer, "copied"), 0);
    reader = unit_reader("copied");
    child = fork_unseen();
    kymo_consumer_close(consumer);
    kymo_writer_close(writer);
    cr_assert_eq(kymo_segment_liveness(reader->segment, KYMO_FOREVER), KYMO_LIVE_CLOSED);
    cr_assert_eq(kymo_consumer_open(&consumer, "copied"), 0);
    writer = unit_writer("copied", &options);
    end_child(child);
    kymo_consumer_close(consumer);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

Test(open, closing_releases_locks_of_copies)
{
    close_beside_child(0);
    close_beside_child(KYMO_SHARED_WRITER | KYMO_SHARED_CONSUMER);
}

/* ---- allocation beside signals ---- */

int __real_fallocate(int fd, int mode, off_t offset, off_t len);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t len);

static off_t interrupted_size; /* calls for at least so many bytes are interrupted; 0: none are */
static int calls;

/* As tmpfs before Linux 6.18: a signal that is pending undoes the whole call. */
int __wrap_fallocate(int fd, int mode, off_t offset, off_t len)
{
    calls++;
    if (interrupted_size == 0 || len < interrupted_size)
        return __real_fallocate(fd, mode, offset, len);
    errno = EINTR;
    return -1;
}

Test(open, allocates_in_pieces_that_signals_permit)
{
    struct kymo_options options = {.size = 1 << 20, .depth = 32};
    struct kymo_writer *writer;
    struct stat status;
    char path[UNIT_PATH];

    interrupted_size = 1 << 20;
    writer = unit_writer("pieces", &options);
    cr_assert_eq(stat(unit_path("pieces", path), &status), 0);
    cr_assert_geq(status.st_blocks * 512, status.st_size);
    cr_assert(calls >= 64 && calls < 200, "%d calls", calls);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

Test(open, gives_up_if_signals_interrupt_every_attempt)
{
    struct kymo_writer *writer;

    interrupted_size = 1;
    cr_assert_eq(kymo_writer_open(&writer, "endless", &of_payloads), -EINTR);
    cr_assert_eq(calls, 1000);
    cr_assert_eq(kymo_segment_exists("endless"), 0);
}

/* ---- waiting for a lock beside signals ---- */

int __wrap_usleep(useconds_t duration);

static int naps;

/* As if a signal interrupted each sleep at once. */
int __wrap_usleep(useconds_t duration)
{
    (void)duration;
    naps++;
    errno = EINTR;
    return -1;
}

static int lock_byte(const char *name, uint64_t byte)
{
    struct flock lock = {.l_type = F_WRLCK,
                         .l_whence = SEEK_SET,
                         .l_start = (off_t)byte,
                         .l_len = 1};
    char path[UNIT_PATH];
    int fd = open(unit_path(name, path), O_RDWR | O_CLOEXEC);

    cr_assert_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
    return fd;
}

/* A wait of 100 ms or 1 s is no number of sleeps, which signals shorten. */
Test(open, waits_for_locks_in_spite_of_signals)
{
    static const uint64_t bytes[] = {KYMO_LOCK_WRITER, KYMO_LOCK_SLOT_CLAIM};
    struct kymo_options options = of_payloads;
    struct kymo_writer *writer;

    options.flags = KYMO_SHARED_WRITER;
    kymo_writer_close(unit_writer("locked", &options));
    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        const int fd = lock_byte("locked", bytes[i]);

        naps = 0;
        cr_assert_eq(kymo_writer_open(&writer, "locked", &options), -EBUSY);
        cr_assert_gt(naps, 1000);
        close(fd);
    }
    cr_assert_eq(kymo_writer_remove(unit_writer("locked", &options)), 0);
}

/* ---- another boot ---- */

static void leave_of_other_boot(const char *name, enum kymo_clock clock)
{
    struct kymo_options options = of_payloads;
    struct kymo_writer *writer;
    struct kymo_header header;

    options.clock = clock;
    writer = unit_writer(name, &options);
    cr_assert_eq(kymo_writer_heartbeat(writer), 0);
    cr_assert_eq(kymo_ring_publish(writer, "12345678", 8, UINT64_MAX / 2, 0), 0);
    kymo_writer_close(writer);
    header = unit_header(name);
    header.boot_id[0] ^= 1;
    unit_write_header(name, header);
}

static int has(const struct kymo_text *text, const char *line)
{
    return strstr(text->data, line) != NULL;
}

static void expect_no_age(const struct kymo_reader *reader)
{
    struct kymo_metrics *metrics;
    struct kymo_text text = {0};

    cr_assert_eq(kymo_text_info(&text, reader), 0);
    cr_assert(has(&text, "\nage_seconds: of another boot\n"), "%s", text.data);
    cr_assert(has(&text, "\nheartbeat_age_seconds: of another boot\n"), "%s", text.data);
    kymo_text_clear(&text);
    cr_assert_eq(kymo_metrics_open(&metrics), 0);
    cr_assert_gt(kymo_metrics_add(metrics, reader), 0);
    cr_assert_eq(kymo_metrics_write(metrics, &text), 0);
    cr_assert(has(&text, "\nkymo_other_boot{segment=\"boot\"} 1\n"), "%s", text.data);
    cr_assert(!has(&text, "kymo_age_seconds{"), "%s", text.data);
    kymo_metrics_close(metrics);
    kymo_text_free(&text);
}

static void expect_new_generation(enum kymo_clock clock)
{
    struct kymo_options options = of_payloads;
    struct kymo_diagnostic diagnostic;
    struct kymo_reader *reader;
    struct kymo_writer *writer;

    leave_of_other_boot("boot", clock);
    reader = unit_reader("boot");
    cr_assert_eq(kymo_segment_is_of_other_boot(reader->segment), 1);
    expect_no_age(reader);
    cr_assert_eq(kymo_writer_open(&writer, "boot", NULL), -EEXIST);
    options.clock = clock;
    cr_assert_eq(kymo_writer_open_diagnosed(&writer, "boot", &options, &diagnostic), 0);
    cr_assert_not_null(strstr(diagnostic.text, "times count from another boot"), "%s",
                       diagnostic.text);
    cr_assert_eq(writer->pos, 0);
    cr_assert_eq(kymo_segment_liveness(reader->segment, KYMO_FOREVER), -EIDRM);
    kymo_reader_close(reader);
    reader = unit_reader("boot");
    cr_assert_eq(kymo_segment_is_of_other_boot(reader->segment), 0);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

/* Each new record would be rejected until this boot lasts as long as the other did. */
Test(open, starts_new_generation_in_another_boot)
{
    expect_new_generation(KYMO_MONOTONIC);
    expect_new_generation(KYMO_BOOTTIME);
}

Test(open, resumes_times_that_do_not_count_from_boot)
{
    static const enum kymo_clock clocks[] = {KYMO_REALTIME, KYMO_TAI, KYMO_USER};

    for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
        struct kymo_writer *writer;

        leave_of_other_boot("absolute", clocks[i]);
        cr_assert_eq(kymo_writer_open(&writer, "absolute", NULL), 0);
        cr_assert_eq(writer->pos, 1);
        cr_assert_eq(kymo_segment_is_of_other_boot(writer->segment), 0);
        cr_assert_eq(kymo_writer_remove(writer), 0);
    }
}

/* ---- another PID namespace ---- */

Test(open, names_no_process_of_another_namespace)
{
    struct kymo_writer *writer = unit_writer("namespace", &of_payloads);
    struct kymo_reader *reader = unit_reader("namespace");
    struct kymo_info info = unit_info(reader->segment);

    cr_assert_eq(info.writer_pid, (uint32_t)getpid());
    cr_assert_eq(info.writer_foreign_pid, 0);
    writer->ring.control->writer_pid_namespace ^= 1;
    info = unit_info(reader->segment);
    cr_assert_eq(info.writer_pid, 0);
    cr_assert_eq(info.writer_foreign_pid, (uint32_t)getpid());
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

/* ---- the name is removed or given to another file ---- */

Test(open, heartbeat_finds_removal_of_the_file)
{
    struct kymo_writer *writer = unit_writer("removed", &of_payloads);
    char path[UNIT_PATH], other[UNIT_PATH];

    cr_assert_eq(kymo_writer_heartbeat(writer), 0);
    cr_assert_eq(unlink(unit_path("removed", path)), 0);
    cr_assert_eq(kymo_writer_heartbeat(writer), -EIDRM);
    kymo_writer_close(writer);
    writer = unit_writer("removed", &of_payloads);
    close(open(unit_path("other", other), O_CREAT | O_WRONLY, 0600));
    cr_assert_eq(rename(other, path), 0);
    cr_assert_eq(kymo_writer_heartbeat(writer), -EIDRM);
    kymo_writer_close(writer);
    cr_assert_eq(unlink(path), 0);
}
