/*
 * streams_reads.c - content of streams; blocking reads, poll, select, epoll and signals.
 */
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- cases: content ---- */

/* Each record once, in order, from the moment of open, at any rate. */
void case_order(void)
{
    static const int bursts[] = {1, 7, 63, 200};

    for (int i = 0; i < 4; i++) {
        struct kymo_writer *writer = new_writer("order", 64);
        /* Whole bursts. */
        const int count = (2000 + bursts[i] - 1) / bursts[i] * bursts[i];
        struct publishing publishing = {writer, count, bursts[i]};
        struct received received = {.next = 5};
        pthread_t thread;
        int fd;

        publish(writer, 5);
        fd = open_stream("order", 0);
        pthread_create(&thread, NULL, publish_slowly, &publishing);
        while (received.lines + received.missed < (unsigned)count && read_lines(fd, &received) > 0)
            ;
        pthread_join(thread, NULL);
        check(received.broken == 0, "no line is incomplete or out of order: %llu are",
              (unsigned long long)received.broken);
        check(received.next == writer->pos, "reads end at the last record: %llu of %llu",
              (unsigned long long)received.next, (unsigned long long)writer->pos);
        check(received.lines > 0, "at least one record is returned");
        close(fd);
        remove_segment(writer);
    }
}

/* A slow reader gets the number of records that were overwritten, then the rest. */
void case_missed(void)
{
    struct kymo_writer *writer = new_writer("missed", 16);
    struct received received = {0};
    int fd = open_stream("missed", O_NONBLOCK);

    for (int round = 1; round <= 3; round++) {
        publish(writer, 100);
        while (read_lines(fd, &received) > 0)
            ;
        check(errno == EAGAIN, "the last read fails with EAGAIN: %s", strerror(errno));
        check(received.next == writer->pos && received.broken == 0, "records are in order");
        check(received.lines >= 15U * (unsigned)round,
              "the records in the ring are returned: %llu lines",
              (unsigned long long)received.lines);
        check(received.missed >= 80U * (unsigned)round, "overwritten records are counted: %llu",
              (unsigned long long)received.missed);
    }
    close(fd);
    remove_segment(writer);
}

struct chunk_reader {
    int fd;
    size_t size; /* bytes a read */
    size_t wanted;
    char *got;
    size_t len;
};

static void *read_chunks(void *context)
{
    struct chunk_reader *reader = context;

    while (reader->len < reader->wanted) {
        size_t left = reader->wanted - reader->len;
        ssize_t len =
            read(reader->fd, reader->got + reader->len, left < reader->size ? left : reader->size);

        if (len <= 0)
            break;
        reader->len += (size_t)len;
    }
    return NULL;
}

/* A line longer than the read is returned in parts, to each reader at its own pace. */
void case_large(void)
{
    static const size_t sizes[] = {100, 4096, 10007, 131072, 1 << 20};
    struct kymo_writer *writer = writer_of("large", 4, 100000, 0644, KYMO_REPLACE);
    const size_t wanted = 3 * 200040;
    struct chunk_reader readers_by_size[5];
    pthread_t threads[5];
    struct received received = {0};

    for (int i = 0; i < 5; i++) {
        readers_by_size[i] =
            (struct chunk_reader){open_stream("large", 0), sizes[i], wanted, malloc(wanted + 1), 0};
        pthread_create(&threads[i], NULL, read_chunks, &readers_by_size[i]);
    }
    publish(writer, 3);
    pause_ms(20);
    /* `wanted` ends within the fourth line. */
    publish(writer, 1);
    for (int i = 0; i < 5; i++) {
        pthread_join(threads[i], NULL);
        check(readers_by_size[i].len == wanted, "%zu bytes of %zu in reads of %zu",
              readers_by_size[i].len, wanted, sizes[i]);
        check(memcmp(readers_by_size[i].got, readers_by_size[0].got, wanted) == 0,
              "reads of %zu return the same bytes", sizes[i]);
    }
    readers_by_size[0].got[wanted] = '\0';
    *strrchr(readers_by_size[0].got, '\n') = '\0';
    receive(&received, readers_by_size[0].got);
    check(received.broken == 0 && received.lines + received.missed >= 2,
          "lines are complete: %llu lines, %llu broken", (unsigned long long)received.lines,
          (unsigned long long)received.broken);
    for (int i = 0; i < 5; i++) {
        close(readers_by_size[i].fd);
        free(readers_by_size[i].got);
    }
    remove_segment(writer);
}

/* Reads of one byte, as of the shell; the record is overwritten before the end of its line is read. */
void case_bytes(void)
{
    struct kymo_writer *writer = new_writer("bytes", 4);
    int fd = open_stream("bytes", O_NONBLOCK);
    char text[4096];
    size_t len = 0;
    struct received received = {0};

    publish(writer, 1);
    while (len < sizeof(text) - 1 && read(fd, text + len, 1) == 1) {
        len++;
        if (len == 10)
            publish(writer, 50);
    }
    text[len] = '\0';
    receive(&received, text);
    check(received.next == 51 && received.broken == 0 && received.missed > 0,
          "a line is complete over an overwrite, then records are missed: %s", text);
    close(fd);
    remove_segment(writer);
}

/* ---- cases: blocking and polling ---- */

void case_nonblock(void)
{
    struct kymo_writer *writer = new_writer("nonblock", 16);
    struct received received = {0};
    int fd = open_stream("nonblock", O_NONBLOCK);

    check(is_empty(fd), "a read without records fails with EAGAIN");
    publish(writer, 2);
    check(read_lines(fd, &received) > 0 && received.lines == 2, "a read returns two records");
    check(is_empty(fd), "a read after the last record fails with EAGAIN");
    fcntl(fd, F_SETFL, 0);
    publish(writer, 1);
    check(read_lines(fd, &received) > 0 && received.next == 3,
          "a read returns a record after O_NONBLOCK was cleared");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    check(is_empty(fd), "a read fails with EAGAIN after O_NONBLOCK was set");
    close(fd);
    remove_segment(writer);
}

/* Seeking (head -n 3 does) has no effect. The page cache never holds a stream. */
void case_seekable(void)
{
    struct kymo_writer *writer = new_writer("seekable", 16);
    int fd = open_stream("seekable", O_NONBLOCK);
    struct stat status;
    char text[4096];
    int ends[2];

    publish(writer, 1);
    check(fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0,
          "a stream is a regular file of size 0");
    check(lseek(fd, 1000, SEEK_SET) == 1000, "lseek succeeds");
    check(read(fd, text, 1) == 1 && text[0] == '{', "lseek does not change what read returns");
    check(pread(fd, text, sizeof(text), 0) > 0 && strncmp(text, "\"pos\":0,", 8) == 0,
          "pread continues after the last byte read");
    check(pipe(ends) == 0 && sendfile(ends[1], fd, NULL, 4096) <= 0, "sendfile returns no data");
    check(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0,
          "the process can open files after sendfile");
    close(fd);
    remove_segment(writer);
}

static void *publish_later(void *context)
{
    pause_ms(30);
    publish(context, 1);
    return NULL;
}

static int selectable(int fd)
{
    struct timeval now = {0};
    fd_set set;

    FD_ZERO(&set);
    FD_SET(fd, &set);
    return select(fd + 1, &set, NULL, NULL, &now) == 1;
}

void case_polls(void)
{
    struct kymo_writer *writer = new_writer("polls", 16);
    struct received received = {0};
    pthread_t thread;
    int fd = open_stream("polls", O_NONBLOCK);

    check(readable(fd, 0) == 0 && !selectable(fd), "a stream without records is not readable");
    check(readable(fd, 20) == 0, "a stream without records is not readable within 20 ms");
    for (int round = 0; round < 10; round++) {
        pthread_create(&thread, NULL, publish_later, writer);
        check(readable(fd, -1) == POLLIN && selectable(fd), "a record makes a stream readable");
        check(readable(fd, 0) == POLLIN, "an unread record keeps a stream readable");
        pthread_join(thread, NULL);
        check(read_lines(fd, &received) > 0, "a read returns the record");
        check(readable(fd, 0) == 0 && !selectable(fd), "a stream that was read is not readable");
    }
    check(received.lines == 10 && received.broken == 0, "10 records are read: %llu",
          (unsigned long long)received.lines);
    close(fd);
    remove_segment(writer);
}

static int epolled(int epoll, int timeout)
{
    struct epoll_event event;

    return epoll_wait(epoll, &event, 1, timeout);
}

static void epolls(uint32_t mode)
{
    struct kymo_writer *writer = new_writer("epolls", 64);
    struct received received = {0};
    struct epoll_event event = {.events = EPOLLIN | mode};
    int fd = open_stream("epolls", O_NONBLOCK);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    pthread_t thread;

    check(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl succeeds: %s",
          strerror(errno));
    check(epolled(epoll, 20) == 0, "a stream without records has no event");
    for (int round = 0; round < 20; round++) {
        pthread_create(&thread, NULL, publish_later, writer);
        check(epolled(epoll, -1) == 1, "a record causes an event");
        pthread_join(thread, NULL);
        check(epolled(epoll, 0) == (mode ? 0 : 1) || mode,
              "level-triggered: an unread record causes an event again");
        read_to_the_end(fd, &received);
        check(epolled(epoll, 5) == 0 || mode,
              "level-triggered: a stream that was read has no event");
    }
    /* Several records cause an edge after a read. */
    publish(writer, 3);
    check(epolled(epoll, -1) == 1, "three records cause an event");
    read_to_the_end(fd, &received);
    check(received.lines == 23 && received.broken == 0, "23 records are read: %llu",
          (unsigned long long)received.lines);
    close(epoll);
    close(fd);
    remove_segment(writer);
}

void case_epoll_level(void)
{
    epolls(0);
}

void case_epoll_edge(void)
{
    epolls(EPOLLET);
}

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    (void)number;
    caught = 1;
}

struct interrupting {
    struct kymo_writer *writer;
    pthread_t reader;
    int count;
};

static void *interrupt(void *context)
{
    const struct interrupting *interrupting = context;

    for (int i = 0; i < interrupting->count; i++) {
        usleep((unsigned)(i * 7 % 300));
        pthread_kill(interrupting->reader, SIGUSR1);
        if (i % 2)
            publish(interrupting->writer, 1);
    }
    return NULL;
}

/* A signal interrupts a blocked read; no record is lost or repeated. */
void case_signals(void)
{
    const struct sigaction action = {.sa_handler = on_signal}; /* not SA_RESTART */
    struct kymo_writer *writer = new_writer("signals", 1024);
    struct interrupting interrupting = {writer, pthread_self(), 400};
    struct received received = {0};
    pthread_t thread;
    int interrupted = 0;
    int fd = open_stream("signals", 0);

    sigaction(SIGUSR1, &action, NULL);
    pthread_create(&thread, NULL, interrupt, &interrupting);
    while (received.lines < 200) {
        if (read_lines(fd, &received) < 0) {
            check(errno == EINTR, "a read fails with EINTR only: %s", strerror(errno));
            interrupted++;
        }
    }
    pthread_join(thread, NULL);
    check(received.broken == 0 && received.missed == 0 && received.lines == 200,
          "200 records are read in order, none missed: %llu", (unsigned long long)received.lines);
    check(interrupted > 0, "at least one read is interrupted");
    close(fd);
    remove_segment(writer);
}
