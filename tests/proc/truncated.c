/*
 * truncated.c - a segment's file is truncated at random instants under a writer, readers and a waiter with the guard: each gets -EBADMSG and survives (promise F).
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "process.h"
#include "stress/oracle.h"
#include "test.h"

#define NAME  "truncated"
#define DEPTH 64
#define SIZE  500

static struct {
    uint32_t ready; /* the number of started processes */
} * arena;

static const struct kymo_options options = {.depth = DEPTH, .size = SIZE, .clock = KYMO_USER};

static void say_ready(void)
{
    __atomic_add_fetch(&arena->ready, 1, __ATOMIC_RELEASE);
}

/* ---- the processes: 0 if they end with -EBADMSG ---- */

static int write_on(void *context)
{
    struct kymo_writer *writer;
    unsigned char buffer[SIZE];
    int error = 0;

    (void)context;
    if (kymo_guard_install() != 0 || kymo_writer_open(&writer, NAME, &options) != 0)
        return 1;
    while (!error) {
        error = (writer->pos % 2 ? checked_publish : checked_commit)(writer, buffer);
        if (writer->pos == DEPTH)
            say_ready();
    }
    kymo_writer_close(writer);
    return error == -EBADMSG ? 0 : 2;
}

/* Before that, it may get other errors, but no wrong record. */
static int read_on(void *context)
{
    unsigned char one[SIZE], another[SIZE];
    const struct oracle_buffers buffers = {one, another};
    struct kymo_record record = {0};
    struct kymo_reader *reader;
    int error = 0;

    (void)context;
    if (kymo_guard_install() != 0 || kymo_reader_open(&reader, NAME) != 0)
        return 1;
    say_ready();
    for (uint64_t i = 0; error != -EBADMSG; i++) {
        const uint64_t head = kymo_ring_head(&reader->ring);
        const uint64_t back = checked_mix(i) % DEPTH;
        struct oracle_trial trial = {.question = {(enum oracle_kind)(i % ORACLE_KINDS),
                                                  checked_time(head - back), UINT64_MAX}};

        error = kymo_ring_back(reader, back, one, SIZE, &record);
        if (!error && checked_fault(&record, one, SIZE))
            return 2;
        if (error == -EBADMSG)
            break;
        oracle_try(&trial, reader, &buffers);
        error = trial.answer.error;
        if (!error && trial.fault)
            return 3;
    }
    kymo_reader_close(reader);
    return 0;
}

/* Waits for a record that is never published. */
static int sleep_on(void *context)
{
    struct kymo_reader *reader;
    int error;

    (void)context;
    if (kymo_guard_install() != 0 || kymo_reader_open(&reader, NAME) != 0)
        return 1;
    say_ready();
    error = kymo_ring_wait(reader, UINT64_MAX - 1, KYMO_FOREVER);
    kymo_reader_close(reader);
    return error == -EBADMSG ? 0 : 2;
}

/* ---- rounds ---- */

static int open_file(struct stat *status)
{
    char path[4096];
    int fd;

    snprintf(path, sizeof(path), "%s/" NAME, kymo_directory());
    fd = open(path, O_RDWR);
    cr_assert_geq(fd, 0);
    cr_assert_eq(fstat(fd, status), 0);
    return fd;
}

static void remove_file(void)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/" NAME, kymo_directory());
    cr_assert_eq(unlink(path), 0);
}

/* Truncates to a random number of pages, so that each page is the first lost one in some round. */
static void run_round(uint64_t round, int sleeps)
{
    const long page = sysconf(_SC_PAGESIZE);
    pid_t writer, readers[2];
    struct stat status;
    int fd;

    arena = process_share(sizeof(*arena));
    writer = process_start(write_on, NULL);
    process_await(&arena->ready, 1);
    readers[0] = process_start(read_on, NULL);
    readers[1] = process_start(sleeps ? sleep_on : read_on, NULL);
    process_await(&arena->ready, 3);
    process_sleep((long)(checked_mix(round) % 1000000));
    fd = open_file(&status);
    cr_assert_eq(ftruncate(fd, (off_t)(round % (uint64_t)(status.st_size / page)) * page), 0);
    close(fd);
    cr_assert_eq(process_wait(writer), 0, "the writer, round %d", (int)round);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(process_wait(readers[i]), 0, "reader %d, round %d", i, (int)round);
    cr_assert_eq(kymo_segment_exists(NAME), -EBADMSG);
    remove_file();
}

Test(truncated, ends_readers_and_writer_with_ebadmsg)
{
    const uint64_t rounds = process_count(2000, 32);

    for (uint64_t round = 0; round < rounds; round++)
        run_round(round, 0);
    printf("%llu rounds\n", (unsigned long long)rounds);
}

/* A waiter touches only the pages of the writer and the bell, once a second. */
Test(truncated, ends_waiter_with_ebadmsg)
{
    for (uint64_t round = 0; round < 3; round++)
        run_round(round, 1);
}
