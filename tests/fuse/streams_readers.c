/*
 * streams_readers.c - several readers of a stream, several streams, and changes of generation.
 */
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- cases: several readers ---- */

struct sharer {
    int fd;
    struct received received;
    uint64_t sum; /* of positions */
};

static void *read_shared(void *context)
{
    struct sharer *sharer = context;
    char text[65537];
    ssize_t len;

    while ((len = read(sharer->fd, text, sizeof(text) - 1)) > 0) {
        text[len] = '\0';
        for (char *rest = text, *line; (line = strsep(&rest, "\n")) && *line;) {
            sharer->received.next = strtoull(line + strlen("{\"pos\":"), NULL, 10);
            sharer->sum += sharer->received.next;
            receive_line(&sharer->received, line);
        }
    }
    return NULL;
}

/* Threads that read one open file share its records: each is delivered once. */
void case_threads(void)
{
    struct kymo_writer *writer = new_writer("threads", 4096);
    struct publishing publishing = {writer, 2000, 1};
    int fd = open_stream("threads", 0);
    struct sharer sharers[4];
    uint64_t lines = 0, sum = 0, broken = 0;
    pthread_t readers[4];

    for (int i = 0; i < 4; i++) {
        sharers[i] = (struct sharer){.fd = fd};
        pthread_create(&readers[i], NULL, read_shared, &sharers[i]);
    }
    publish_slowly(&publishing);
    pause_ms(20);
    remove_segment(writer); /* ends all four reads */
    for (int i = 0; i < 4; i++) {
        pthread_join(readers[i], NULL);
        lines += sharers[i].received.lines;
        broken += sharers[i].received.broken;
        sum += sharers[i].sum;
    }
    check(lines == 2000 && sum == 1999 * 1000 && broken == 0,
          "4 threads read each of 2000 records once: %llu lines, sum of positions %llu",
          (unsigned long long)lines, (unsigned long long)sum);
    close(fd);
}

/* SIGKILL ends a blocked read. */
void case_killed(void)
{
    struct kymo_writer *writer = new_writer("killed", 16);
    pid_t children[50];
    int status;

    for (int round = 0; round < 4; round++) {
        fflush(stdout);
        for (int i = 0; i < 50; i++) {
            children[i] = fork();
            if (children[i] == 0) {
                char byte;
                int fd = open_stream("killed", 0);

                _exit(read(fd, &byte, 1) == 1 ? 0 : 1);
            }
        }
        pause_ms(round * 10);
        for (int i = 0; i < 50; i++)
            kill(children[i], SIGKILL);
        for (int i = 0; i < 50; i++)
            check(waitpid(children[i], &status, 0) == children[i] && WIFSIGNALED(status),
                  "SIGKILL ends a blocked reader");
    }
    remove_segment(writer);
}

/* More segments than the notifier threads have bells. */
void case_many(void)
{
    enum { COUNT = 600 };
    static struct kymo_writer *writers[COUNT];
    static int files[COUNT];
    struct rlimit limit = {8192, 8192};
    char name[32];

    setrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "many%d", i);
        writers[i] = new_writer(name, 2);
        files[i] = open_stream(name, O_NONBLOCK);
        check(readable(files[i], 0) == 0, "stream %d without records is not readable", i);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            struct received received = {.next = (uint64_t)round};

            publish(writers[i], 1);
            check(readable(files[i], 10000) == POLLIN, "stream %d with a record is readable", i);
            check(read_lines(files[i], &received) > 0 && received.lines == 1 &&
                      received.broken == 0,
                  "stream %d returns one line", i);
            check(readable(files[i], 0) == 0, "stream %d is not readable after its last record", i);
        }
    }
    for (int i = 0; i < COUNT; i++) {
        remove_segment(writers[i]);
        check(readable(files[i], 10000) & POLLIN, "stream %d of a removed segment is readable", i);
        close(files[i]);
    }
}

/* ---- cases: generations ---- */

/* A blocked read in a thread. */
struct blocked {
    int fd;
    char text[4096];
    ssize_t len;
    int error;
    pthread_t thread;
};

static void *block(void *context)
{
    struct blocked *blocked = context;

    blocked->len = read(blocked->fd, blocked->text, sizeof(blocked->text) - 1);
    blocked->error = errno;
    if (blocked->len >= 0)
        blocked->text[blocked->len] = '\0';
    return NULL;
}

static void start_blocked(struct blocked *blocked, int fd)
{
    *blocked = (struct blocked){.fd = fd};
    pthread_create(&blocked->thread, NULL, block, blocked);
    pause_ms(20);
}

static void expect_blocked(struct blocked *blocked, ssize_t len, int error, const char *what)
{
    pthread_join(blocked->thread, NULL);
    check((len < 0 && blocked->len < 0 && blocked->error == error) ||
              (len >= 0 && (len ? blocked->len > 0 : blocked->len == 0)),
          "%s: %zd bytes, %s", what, blocked->len,
          blocked->len < 0 ? strerror(blocked->error) : "no error");
}

/* After the rest of a generation come the records of the next, from its first. */
void case_replaced(void)
{
    struct kymo_writer *writer = new_writer("replaced", 16);
    struct kymo_writer *next;
    struct blocked blocked;
    struct received received = {0};
    int slow = open_stream("replaced", O_NONBLOCK);

    start_blocked(&blocked, open_stream("replaced", 0));
    publish(writer, 3);
    expect_blocked(&blocked, 1, 0, "a blocked read returns a record of the first generation");
    fcntl(blocked.fd, F_SETFL, O_NONBLOCK);
    receive(&received, blocked.text);
    read_to_the_end(blocked.fd, &received);
    check(received.lines == 3 && received.broken == 0,
          "all 3 records of the first generation are read");
    fcntl(blocked.fd, F_SETFL, 0);
    for (int round = 0; round < 20; round++) {
        start_blocked(&blocked, blocked.fd);
        kymo_writer_close(writer);
        next = new_writer("replaced", round % 2 ? 16 : 32);
        publish(next, 1);
        expect_blocked(&blocked, 1, 0, "a blocked read returns a record of the next generation");
        check(strncmp(blocked.text, "{\"pos\":0,", 9) == 0,
              "the next generation begins with position 0: %s", blocked.text);
        writer = next;
    }
    received = (struct received){0};
    check(read_lines(slow, &received) > 0 && received.lines == 3,
          "a slow reader reads the rest of its generation");
    received = (struct received){0};
    check(read_lines(slow, &received) > 0 && received.next == 1,
          "a slow reader continues with the newest generation");
    check(is_empty(slow), "a slow reader skips generations between");
    close(slow);
    close(blocked.fd);
    remove_segment(writer);
}

static void *open_as_other(void *context)
{
    int *fd = context;

    setfsgid(12345);
    setfsuid(12345);
    *fd = open_stream("revoked", 0);
    return NULL;
}

/* K: each generation is checked with the credentials of the opener. */
void case_access_revoked(void)
{
    static const uint32_t modes[][2] = {{0644, 0600}, {0600, 0600}, {0644, 0604}};
    char path[4096];
    pthread_t opener;
    int fd;

    if (geteuid() != 0)
        return;
    for (int i = 0; i < 3; i++) {
        struct kymo_writer *writer = writer_of("revoked", 16, 8, 0644, KYMO_REPLACE);
        struct blocked blocked;

        pthread_create(&opener, NULL, open_as_other, &fd);
        pthread_join(opener, NULL);
        start_blocked(&blocked, fd);
        snprintf(path, sizeof(path), "%s/revoked", kymo_directory());
        check(chmod(path, modes[i][0]) == 0, "chmod of the segment: %s", strerror(errno));
        kymo_writer_close(writer);
        writer = writer_of("revoked", 16, 8, modes[i][1], KYMO_REPLACE);
        publish(writer, 1);
        if (modes[i][1] & 4) {
            expect_blocked(&blocked, 1, 0, "another mode with read permission");
        } else {
            expect_blocked(&blocked, -1, EACCES, "a generation without read permission");
            start_blocked(&blocked, blocked.fd);
            expect_blocked(&blocked, -1, EACCES,
                           "a second read of a generation without read permission");
        }
        close(blocked.fd);
        remove_segment(writer);
    }
}

static void unlink_segment(const char *name)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", kymo_directory(), name);
    check(unlink(path) == 0, "unlink of the segment: %s", strerror(errno));
}

/* Removal ends blocked reads, polls and all later reads. */
void case_removed(void)
{
    for (int unlinks = 0; unlinks < 2; unlinks++) {
        struct kymo_writer *writer = new_writer("removed", 16);
        struct blocked blocked;
        int fd = open_stream("removed", 0);
        int late = open_stream("removed", 0);
        struct received received = {0};

        start_blocked(&blocked, open_stream("removed", 0));
        check(readable(fd, 0) == 0, "a stream without records is not readable");
        publish(writer, 1);
        expect_blocked(&blocked, 1, 0, "a blocked read returns a record");
        start_blocked(&blocked, blocked.fd);
        check(read_lines(fd, &received) > 0, "a read returns the record");
        if (!unlinks)
            remove_segment(writer);
        else
            unlink_segment("removed");
        expect_blocked(&blocked, 0, 0, "a blocked read returns the end of the file");
        check(readable(fd, -1) & POLLHUP, "poll reports POLLHUP after removal");
        check(read_lines(fd, &received) == 0 && read_lines(fd, &received) == 0,
              "all reads after removal return the end of the file");
        check(read_lines(late, &received) > 0 && read_lines(late, &received) == 0,
              "unread records are returned before the end of the file");
        close(fd);
        close(late);
        close(blocked.fd);
        if (unlinks)
            kymo_writer_close(writer);
    }
}

void case_truncated(void)
{
    struct kymo_writer *writer = new_writer("truncated", 16);
    struct kymo_writer *other = new_writer("valid", 16);
    struct blocked blocked, beside;
    char path[4096];

    start_blocked(&blocked, open_stream("truncated", 0));
    start_blocked(&beside, open_stream("valid", 0));
    snprintf(path, sizeof(path), "%s/truncated", kymo_directory());
    check(truncate(path, 0) == 0, "truncate of the segment: %s", strerror(errno));
    expect_blocked(&blocked, -1, EBADMSG, "a blocked read of a truncated segment fails");
    publish(other, 1);
    expect_blocked(&beside, 1, 0, "a blocked read of another segment returns a record");
    close(blocked.fd);
    close(beside.fd);
    unlink(path);
    kymo_writer_close(writer);
    remove_segment(other);
}

/* ---- many readers in processes of their own ---- */

struct barrier {
    uint32_t waiting;

    uint64_t received_at[]; /* per reader, on CLOCK_MONOTONIC, ns */
};

static _Noreturn void read_in_child(struct barrier *shared, int number, int rounds)
{
    char text[4096];
    int fd = open_stream("many_readers", 0);

    for (int round = 0; round < rounds; round++) {
        kymo_fetch_add_ordered32(&shared->waiting, 1);
        if (read(fd, text, sizeof(text)) <= 0)
            _exit(1);
        kymo_store_release(&shared->received_at[number], kymo_clock_now(KYMO_MONOTONIC));
    }
    _exit(0);
}

static unsigned long status_of(const char *daemon, const char *key)
{
    char path[64], line[256];
    unsigned long value = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%s/status", daemon);
    file = fopen(path, "r");
    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, key, strlen(key)) == 0)
            value = strtoul(line + strlen(key), NULL, 10);
    }
    if (file)
        fclose(file);
    return value;
}

/* The time from a publish until the last reader has the record, ns. */
static uint64_t deliver(struct barrier *shared, struct kymo_writer *writer, int count)
{
    const uint64_t began = kymo_clock_now(KYMO_MONOTONIC);
    uint64_t longest = 0;

    publish(writer, 1);
    for (int i = 0; i < count; i++) {
        while (kymo_load_acquire(&shared->received_at[i]) < began)
            usleep(200);
        if (shared->received_at[i] - began > longest)
            longest = shared->received_at[i] - began;
    }
    return longest;
}

void many_readers(const char *daemon, int count)
{
    enum { ROUNDS = 5 };
    const size_t size = sizeof(struct barrier) + (size_t)count * sizeof(uint64_t);
    struct barrier *shared =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct kymo_writer *writer = new_writer("many_readers", 64);
    pid_t *children = malloc((size_t)count * sizeof(*children));
    uint64_t best = UINT64_MAX, worst = 0;
    unsigned long threads_now, memory;
    int status, ended = 0;

    fflush(stdout);
    for (int i = 0; i < count; i++) {
        children[i] = fork();
        if (children[i] < 0)
            fail("fork", errno);
        if (children[i] == 0)
            read_in_child(shared, i, ROUNDS);
    }
    for (int round = 1; round <= ROUNDS; round++) {
        uint64_t took;

        while (kymo_load_acquire32(&shared->waiting) < (uint32_t)(round * count))
            usleep(1000);
        pause_ms(100);
        took = deliver(shared, writer, count);
        best = took < best ? took : best;
        worst = took > worst ? took : worst;
    }
    threads_now = status_of(daemon, "Threads:");
    memory = status_of(daemon, "VmRSS:");
    for (int i = 0; i < count; i++)
        ended += waitpid(children[i], &status, 0) == children[i] && status == 0;
    check(ended == count, "%d of %d readers received all records", ended, count);
    printf("count: readers of one stream: %d blocked at once, %lu threads, %lu KiB, all records "
           "received "
           "after %.1f to %.1f ms\n",
           count, threads_now, memory, (double)best / 1e6, (double)worst / 1e6);
#ifndef __SANITIZE_ADDRESS__
    check(memory < 64 * 1024, "the daemon uses less than 64 MiB: %lu KiB", memory);
#endif
    check(threads_now > 0 && threads_now <= 8, "the daemon has 1 to 8 threads: %lu", threads_now);
    free(children);
    munmap(shared, size);
    remove_segment(writer);
}
