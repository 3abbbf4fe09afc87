/*
 * missed_wakeups.c - readers asleep while the process that should wake them is killed: without a next writer they wake up by themselves within a second (promises C, D).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "proc/process.h"
#include "test.h"

#include <kymo/kymo.h>

#define NAME "wakes"
#define SIZE 24

static const struct kymo_options plain = {.depth = 4, .size = SIZE, .clock = KYMO_USER};

/* ---- the victim's operations ---- */

static int publish(struct kymo_writer **writer)
{
    return kymo_ring_publish(*writer, "the last", 9, 1, 2);
}

static int commit(struct kymo_writer **writer)
{
    void *payload;
    int error = kymo_ring_loan(*writer, &payload);

    return error ? error : kymo_ring_commit(*writer, SIZE, 1, 2);
}

static int remove_own(struct kymo_writer **writer)
{
    struct kymo_writer *closing = *writer;

    *writer = NULL;
    return kymo_writer_remove(closing);
}

static int remove_closed(struct kymo_writer **writer)
{
    kymo_writer_close(*writer);
    *writer = NULL;
    return kymo_segment_remove(NAME);
}

static int replace(struct kymo_writer **writer)
{
    struct kymo_options options = plain;

    options.existing = KYMO_REPLACE;
    kymo_writer_close(*writer);
    return kymo_writer_open(writer, NAME, &options);
}

/* From the point `notified` on, a reader's wait must return `expected`. */
static const struct operation {
    const char *name;
    int (*run)(struct kymo_writer **writer);
    const char *notified;
    int expected;
} operations[] = {
    {"publish", publish, "HEAD_STORED", 0},
    {"loan and commit", commit, "HEAD_STORED", 0},
    {"remove by its writer", remove_own, "UNLINKED", -EIDRM},
    {"remove", remove_closed, "UNLINKED", -EIDRM},
    {"replace", replace, "FILE_LINKED", -EIDRM},
};

#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

/* ---- the processes ---- */

struct scene {
    const struct operation *operation;
    size_t point;
    const uint32_t *bell;
    char *reached; /* shared: the name of the point where it ends */
};

static void say_and_die(void *context, const char *name)
{
    strcpy(context, name);
    testpoint_kill(NULL, name);
}

/* Waits until a reader has set its bit: it sleeps, or is about to. */
static void await_sleeper(const uint32_t *bell)
{
    for (int rounds = 0; rounds < 300000; rounds++) {
        if (__atomic_load_n(bell, __ATOMIC_SEQ_CST) & KYMO_BELL_WAITING)
            return;
        process_sleep(100000);
    }
    abort();
}

static int victim(void *context)
{
    const struct scene *scene = context;
    struct kymo_writer *writer;

    if (kymo_writer_open(&writer, NAME, &plain) != 0)
        return 1;
    await_sleeper(scene->bell);
    testpoint_plan(NULL, scene->point, say_and_die, scene->reached);
    return scene->operation->run(&writer) ? 2 : 0;
}

/* Exits with the errno of the wait. */
static int reader(void *context)
{
    struct kymo_reader *reader;
    int error;

    (void)context;
    if (kymo_reader_open(&reader, NAME) != 0)
        return 100;
    error = kymo_ring_wait(reader, 0, KYMO_FOREVER);
    kymo_reader_close(reader);
    return -error;
}

/* Maps the bell of the current segment. */
static const uint32_t *map_bell(void)
{
    char path[512];
    struct kymo_header header;
    void *page;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", kymo_directory(), NAME);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(pread(fd, &header, sizeof(header), 0), (ssize_t)sizeof(header));
    page = mmap(NULL, header.page_size, PROT_READ, MAP_SHARED, fd, (off_t)header.bell_offset);
    cr_assert_neq(page, MAP_FAILED);
    close(fd);
    return &((const struct kymo_bell *)page)->word;
}

/* ---- one kill ---- */

/* The points of an operation, from a complete run. */
static size_t trace(const struct operation *operation, const char *names[TESTPOINT_TRACE_LIMIT])
{
    struct kymo_writer *writer;
    size_t count;

    cr_assert_eq(kymo_writer_open(&writer, NAME, &plain), 0);
    __atomic_fetch_or(&writer->bell->word, KYMO_BELL_WAITING, __ATOMIC_SEQ_CST);
    testpoint_trace_begin(names);
    cr_assert_eq(operation->run(&writer), 0);
    count = testpoint_trace_end();
    kymo_writer_close(writer);
    cr_assert_leq(count, (size_t)TESTPOINT_TRACE_LIMIT);
    return count;
}

/* Removes the segment and unfinished files at once: the library waits for a second. */
static void sweep(void)
{
    DIR *listing = opendir(kymo_directory());
    struct dirent *entry;

    cr_assert_not_null(listing);
    while ((entry = readdir(listing))) {
        if (entry->d_type == DT_REG)
            cr_assert_eq(unlinkat(dirfd(listing), entry->d_name, 0), 0);
    }
    closedir(listing);
}

/* A sleeping reader, and a process that is killed at the scene's point. */
static pid_t kill_beside_sleeper(struct scene *scene)
{
    struct kymo_writer *writer;
    pid_t sleeper;

    sweep();
    cr_assert_eq(kymo_writer_open(&writer, NAME, &plain), 0);
    kymo_writer_close(writer);
    scene->bell = map_bell();
    sleeper = process_start(reader, scene);
    cr_assert_eq(process_wait(process_start(victim, scene)), -SIGKILL, "%s, point %u",
                 scene->operation->name, (unsigned int)scene->point);
    return sleeper;
}

/* Without a next writer, the reader's sleep times out. */
static void run(struct scene *scene)
{
    pid_t sleeper = kill_beside_sleeper(scene);

    cr_assert_eq(process_wait(sleeper), -scene->operation->expected,
                 "%s killed at %s, without a next writer", scene->operation->name, scene->reached);
    munmap((void *)(uintptr_t)scene->bell, 4096);
}

Test(missed_wakeups, end_by_timeout)
{
    char *reached = process_share(4096);
    unsigned int deaths = 0;

    for (size_t i = 0; i < OPERATIONS; i++) {
        const char *names[TESTPOINT_TRACE_LIMIT];
        const size_t count = trace(&operations[i], names);
        size_t point = 0;

        while (point < count && strcmp(names[point], operations[i].notified) != 0)
            point++;
        cr_assert_lt(point, count, "%s never came to %s", operations[i].name,
                     operations[i].notified);
        for (; point < count; point++, deaths++) {
            struct scene scene = {.operation = &operations[i], .point = point, .reached = reached};

            run(&scene);
            cr_assert_str_eq(reached, names[point]);
        }
    }
    sweep();
    printf("%u deaths beside a sleeper, without a next writer\n", deaths);
}
