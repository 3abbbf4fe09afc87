/*
 * streams.c - reads streams in all ways that programs use, and publishes what they must deliver.
 *
 *     streams MNT [CASE...]            the cases, or all; prints failed checks
 *     streams MNT crowd DAEMON COUNT   COUNT processes blocked in read; prints figures
 *
 * A case that hangs is ended by an alarm.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <kymo/kymo.h>

#define CASE_SECONDS 240

static const char *mount_point;
static const char *running; /* the case */
static int checks, failures;

static void check(int holds, const char *format, ...)
{
    va_list arguments;

    checks++;
    if (holds)
        return;
    failures++;
    va_start(arguments, format);
    printf("FAILED: %s: ", running);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

static _Noreturn void fail(const char *what, int error)
{
    printf("FAILED: %s: %s: %s\n", running, what, strerror(error < 0 ? -error : error));
    exit(1);
}

static void on_alarm(int number)
{
    (void)number;
    printf("FAILED: %s: it does not end\n", running);
    fflush(stdout);
    _exit(1);
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* ---- segments ---- */

static struct kymo_writer *writer_of(const char *name, uint64_t depth, uint32_t size, uint32_t mode,
                                     enum kymo_existing existing)
{
    const struct kymo_options options = {
        .clock = KYMO_USER, .depth = depth, .size = size, .mode = mode, .existing = existing};
    struct kymo_writer *writer;
    int error = kymo_writer_open(&writer, name, &options);

    if (error)
        fail(name, error);
    return writer;
}

static struct kymo_writer *new_writer(const char *name, uint64_t depth)
{
    return writer_of(name, depth, 8, 0644, KYMO_REPLACE);
}

static void publish(struct kymo_writer *writer, int count)
{
    const uint32_t size = writer->ring.size;
    unsigned char *payload = malloc(size);

    for (int i = 0; i < count; i++) {
        memset(payload, (int)(writer->pos % 251), size);
        if (kymo_ring_publish(writer, payload, size, writer->pos, writer->pos) != 0)
            fail("publish", EIO);
    }
    free(payload);
}

static void remove_segment(struct kymo_writer *writer)
{
    kymo_writer_remove(writer);
}

/* ---- streams ---- */

static char *path_of(const char *name, char path[4096])
{
    snprintf(path, 4096, "%s/%s/stream", mount_point, name);
    return path;
}

static int open_stream(const char *name, int flags)
{
    char path[4096];
    int fd = open(path_of(name, path), O_RDONLY | flags);

    if (fd < 0)
        fail(path, errno);
    return fd;
}

/* What has been read from a stream so far. */
struct received {
    uint64_t lines;
    uint64_t missed;
    uint64_t next;   /* the position after the last */
    uint64_t broken; /* lines that were incomplete, or out of order */
};

/* One line, without its "\n"; the position must be the expected one. */
static void receive_line(struct received *received, const char *line)
{
    unsigned long long number;
    int end = 0;

    if (sscanf(line, "{\"missed\":%llu}%n", &number, &end) == 1 && end && !line[end]) {
        received->missed += number;
        received->next += number;
    } else if (sscanf(line, "{\"pos\":%llu,", &number) == 1 && line[strlen(line) - 1] == '}') {
        if (number != received->next)
            received->broken++;
        received->next = number + 1;
        received->lines++;
    } else {
        received->broken++;
    }
}

static void receive(struct received *received, char *text)
{
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        receive_line(received, line);
}

/* Reads once; must get whole lines, as the records are short. Returns the result of read(). */
static ssize_t read_lines(int fd, struct received *received)
{
    char text[65537];
    ssize_t len = read(fd, text, sizeof(text) - 1);

    if (len > 0) {
        text[len] = '\0';
        if (text[len - 1] != '\n')
            received->broken++;
        receive(received, text);
    }
    return len;
}

static int is_empty(int fd)
{
    char byte;

    return read(fd, &byte, 1) == -1 && errno == EAGAIN;
}

/* ---- cases: content ---- */

struct publishing {
    struct kymo_writer *writer;
    int count;
    int burst; /* records between two pauses */
};

static void *publish_slowly(void *context)
{
    const struct publishing *publishing = context;

    for (int i = 0; i < publishing->count; i += publishing->burst) {
        publish(publishing->writer, publishing->burst);
        usleep(200);
    }
    return NULL;
}

/* Each record once, in order, from the moment of open, at any rate. */
static void order(void)
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
        check(received.broken == 0, "%llu lines broken or out of order",
              (unsigned long long)received.broken);
        check(received.next == writer->pos, "ended at %llu of %llu",
              (unsigned long long)received.next, (unsigned long long)writer->pos);
        check(received.lines > 0, "nothing but missed");
        close(fd);
        remove_segment(writer);
    }
}

/* A slow reader gets the number of records that were overwritten, then the rest. */
static void missed(void)
{
    struct kymo_writer *writer = new_writer("missed", 16);
    struct received received = {0};
    int fd = open_stream("missed", O_NONBLOCK);

    for (int round = 1; round <= 3; round++) {
        publish(writer, 100);
        while (read_lines(fd, &received) > 0)
            ;
        check(errno == EAGAIN, "%s", strerror(errno));
        check(received.next == writer->pos && received.broken == 0, "not in order");
        check(received.lines >= 15U * (unsigned)round, "only %llu lines",
              (unsigned long long)received.lines);
        check(received.missed >= 80U * (unsigned)round, "only %llu missed",
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
static void large(void)
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
    /* `wanted` ends within the fourth. */
    publish(writer, 1);
    for (int i = 0; i < 5; i++) {
        pthread_join(threads[i], NULL);
        check(readers_by_size[i].len == wanted, "%zu bytes of %zu by %zu", readers_by_size[i].len,
              wanted, sizes[i]);
        check(memcmp(readers_by_size[i].got, readers_by_size[0].got, wanted) == 0,
              "by %zu is other bytes", sizes[i]);
    }
    readers_by_size[0].got[wanted] = '\0';
    *strrchr(readers_by_size[0].got, '\n') = '\0';
    receive(&received, readers_by_size[0].got);
    check(received.broken == 0 && received.lines + received.missed >= 2, "%llu lines, %llu broken",
          (unsigned long long)received.lines, (unsigned long long)received.broken);
    for (int i = 0; i < 5; i++) {
        close(readers_by_size[i].fd);
        free(readers_by_size[i].got);
    }
    remove_segment(writer);
}

/* A byte at a time, as the shell's read does; the record may be overwritten before its line ends. */
static void bytes(void)
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
    check(received.next == 51 && received.broken == 0 && received.missed > 0, "%s", text);
    close(fd);
    remove_segment(writer);
}

/* ---- cases: blocking and polling ---- */

static void nonblock(void)
{
    struct kymo_writer *writer = new_writer("nonblock", 16);
    struct received received = {0};
    int fd = open_stream("nonblock", O_NONBLOCK);

    check(is_empty(fd), "an empty stream");
    publish(writer, 2);
    check(read_lines(fd, &received) > 0 && received.lines == 2, "two records");
    check(is_empty(fd), "a stream that was read to the end");
    fcntl(fd, F_SETFL, 0);
    publish(writer, 1);
    check(read_lines(fd, &received) > 0 && received.next == 3, "blocking again");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    check(is_empty(fd), "and not");
    close(fd);
    remove_segment(writer);
}

/* Programs may seek (head -n 3 does), without effect. The page cache never holds a stream. */
static void seekable(void)
{
    struct kymo_writer *writer = new_writer("seekable", 16);
    int fd = open_stream("seekable", O_NONBLOCK);
    struct stat status;
    char text[4096];
    int ends[2];

    publish(writer, 1);
    check(fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0, "its size");
    check(lseek(fd, 1000, SEEK_SET) == 1000, "lseek");
    check(read(fd, text, 1) == 1 && text[0] == '{', "read after lseek");
    check(pread(fd, text, sizeof(text), 0) > 0 && strncmp(text, "\"pos\":0,", 8) == 0,
          "pread continues");
    check(pipe(ends) == 0 && sendfile(ends[1], fd, NULL, 4096) <= 0, "sendfile");
    check(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0, "the process");
    close(fd);
    remove_segment(writer);
}

static int readable(int fd, int timeout)
{
    struct pollfd file = {.fd = fd, .events = POLLIN};

    return poll(&file, 1, timeout) == 1 ? file.revents : 0;
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

static void polls(void)
{
    struct kymo_writer *writer = new_writer("polls", 16);
    struct received received = {0};
    pthread_t thread;
    int fd = open_stream("polls", O_NONBLOCK);

    check(readable(fd, 0) == 0 && !selectable(fd), "an empty stream");
    check(readable(fd, 20) == 0, "an empty stream, for a while");
    for (int round = 0; round < 10; round++) {
        pthread_create(&thread, NULL, publish_later, writer);
        check(readable(fd, -1) == POLLIN && selectable(fd), "a record");
        check(readable(fd, 0) == POLLIN, "still there");
        pthread_join(thread, NULL);
        check(read_lines(fd, &received) > 0, "read");
        check(readable(fd, 0) == 0 && !selectable(fd), "read to the end");
    }
    check(received.lines == 10 && received.broken == 0, "%llu lines",
          (unsigned long long)received.lines);
    close(fd);
    remove_segment(writer);
}

static int epolled(int epoll, int timeout)
{
    struct epoll_event event;

    return epoll_wait(epoll, &event, 1, timeout);
}

static void read_to_the_end(int fd, struct received *received)
{
    while (read_lines(fd, received) > 0)
        ;
}

static void epolls(uint32_t mode)
{
    struct kymo_writer *writer = new_writer("epolls", 64);
    struct received received = {0};
    struct epoll_event event = {.events = EPOLLIN | mode};
    int fd = open_stream("epolls", O_NONBLOCK);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    pthread_t thread;

    check(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl: %s", strerror(errno));
    check(epolled(epoll, 20) == 0, "an empty stream");
    for (int round = 0; round < 20; round++) {
        pthread_create(&thread, NULL, publish_later, writer);
        check(epolled(epoll, -1) == 1, "a record");
        pthread_join(thread, NULL);
        check(epolled(epoll, 0) == (mode ? 0 : 1) || mode, "once, or as long as it is there");
        read_to_the_end(fd, &received);
        check(epolled(epoll, 5) == 0 || mode, "read to the end");
    }
    /* A record behind unread ones is an edge as well, once something has been read. */
    publish(writer, 3);
    check(epolled(epoll, -1) == 1, "three records");
    read_to_the_end(fd, &received);
    check(received.lines == 23 && received.broken == 0, "%llu lines",
          (unsigned long long)received.lines);
    close(epoll);
    close(fd);
    remove_segment(writer);
}

static void epoll_level(void)
{
    epolls(0);
}

static void epoll_edge(void)
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

/* A signal ends a read that waits, at once; and no record is lost or doubled by it. */
static void signals(void)
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
            check(errno == EINTR, "%s", strerror(errno));
            interrupted++;
        }
    }
    pthread_join(thread, NULL);
    check(received.broken == 0 && received.missed == 0 && received.lines == 200, "%llu lines",
          (unsigned long long)received.lines);
    check(interrupted > 0, "never interrupted");
    close(fd);
    remove_segment(writer);
}

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
static void threads(void)
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
    remove_segment(writer); /* the end, for all four */
    for (int i = 0; i < 4; i++) {
        pthread_join(readers[i], NULL);
        lines += sharers[i].received.lines;
        broken += sharers[i].received.broken;
        sum += sharers[i].sum;
    }
    check(lines == 2000 && sum == 1999 * 1000 && broken == 0, "%llu lines, sum %llu",
          (unsigned long long)lines, (unsigned long long)sum);
    close(fd);
}

/* A killed reader ends at once. */
static void killed(void)
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
                  "waitpid");
    }
    remove_segment(writer);
}

/* More segments than one notifier thread has bells for, and than all have. */
static void many(void)
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
        check(readable(files[i], 0) == 0, "empty");
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            struct received received = {.next = (uint64_t)round};

            publish(writers[i], 1);
            check(readable(files[i], 10000) == POLLIN, "stream %d", i);
            check(read_lines(files[i], &received) > 0 && received.lines == 1 &&
                      received.broken == 0,
                  "stream %d, a line", i);
            check(readable(files[i], 0) == 0, "stream %d, empty", i);
        }
    }
    for (int i = 0; i < COUNT; i++) {
        remove_segment(writers[i]);
        check(readable(files[i], 10000) & POLLIN, "the end of stream %d", i);
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
static void replaced(void)
{
    struct kymo_writer *writer = new_writer("replaced", 16);
    struct kymo_writer *next;
    struct blocked blocked;
    struct received received = {0};
    int slow = open_stream("replaced", O_NONBLOCK);

    start_blocked(&blocked, open_stream("replaced", 0));
    publish(writer, 3);
    expect_blocked(&blocked, 1, 0, "the first generation");
    fcntl(blocked.fd, F_SETFL, O_NONBLOCK);
    receive(&received, blocked.text);
    read_to_the_end(blocked.fd, &received);
    check(received.lines == 3 && received.broken == 0, "all three");
    fcntl(blocked.fd, F_SETFL, 0);
    for (int round = 0; round < 20; round++) {
        start_blocked(&blocked, blocked.fd);
        kymo_writer_close(writer);
        next = new_writer("replaced", round % 2 ? 16 : 32);
        publish(next, 1);
        expect_blocked(&blocked, 1, 0, "the next generation");
        check(strncmp(blocked.text, "{\"pos\":0,", 9) == 0, "its first record: %s", blocked.text);
        writer = next;
    }
    received = (struct received){0};
    check(read_lines(slow, &received) > 0 && received.lines == 3, "what a slow reader still had");
    received = (struct received){0};
    check(read_lines(slow, &received) > 0 && received.next == 1, "and the newest generation then");
    check(is_empty(slow), "and no more");
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

/* K: the opener's credentials are checked again for each generation: not the mode as such. */
static void access_revoked(void)
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
        check(chmod(path, modes[i][0]) == 0, "chmod");
        kymo_writer_close(writer);
        writer = writer_of("revoked", 16, 8, modes[i][1], KYMO_REPLACE);
        publish(writer, 1);
        if (modes[i][1] & 4) {
            expect_blocked(&blocked, 1, 0, "another mode with the same access");
        } else {
            expect_blocked(&blocked, -1, EACCES, "no access");
            start_blocked(&blocked, blocked.fd);
            expect_blocked(&blocked, -1, EACCES, "the second read");
        }
        close(blocked.fd);
        remove_segment(writer);
    }
}

static void unlink_segment(const char *name)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", kymo_directory(), name);
    check(unlink(path) == 0, "unlink");
}

/* The end of the file: for blocked reads, polls, and all later reads. */
static void removed(void)
{
    for (int way = 0; way < 2; way++) {
        struct kymo_writer *writer = new_writer("removed", 16);
        struct blocked blocked;
        int fd = open_stream("removed", 0);
        int late = open_stream("removed", 0);
        struct received received = {0};

        start_blocked(&blocked, open_stream("removed", 0));
        check(readable(fd, 0) == 0, "there is nothing");
        publish(writer, 1);
        expect_blocked(&blocked, 1, 0, "a record");
        start_blocked(&blocked, blocked.fd);
        check(read_lines(fd, &received) > 0, "a record");
        if (way == 0)
            remove_segment(writer);
        else
            unlink_segment("removed");
        expect_blocked(&blocked, 0, 0, "the end");
        check(readable(fd, -1) & POLLHUP, "hung up");
        check(read_lines(fd, &received) == 0 && read_lines(fd, &received) == 0, "the end, again");
        check(read_lines(late, &received) > 0 && read_lines(late, &received) == 0,
              "all, then the end");
        close(fd);
        close(late);
        close(blocked.fd);
        if (way == 1)
            kymo_writer_close(writer);
    }
}

static void truncated(void)
{
    struct kymo_writer *writer = new_writer("truncated", 16);
    struct kymo_writer *other = new_writer("sound", 16);
    struct blocked blocked, beside;
    char path[4096];

    start_blocked(&blocked, open_stream("truncated", 0));
    start_blocked(&beside, open_stream("sound", 0));
    snprintf(path, sizeof(path), "%s/truncated", kymo_directory());
    check(truncate(path, 0) == 0, "truncate");
    expect_blocked(&blocked, -1, EBADMSG, "the damaged one");
    publish(other, 1);
    expect_blocked(&beside, 1, 0, "the one beside");
    close(blocked.fd);
    close(beside.fd);
    unlink(path);
    kymo_writer_close(writer);
    remove_segment(other);
}

/* ---- the crowd ---- */

struct crowd {
    uint32_t waiting;
    uint32_t go;
    uint64_t when[]; /* CLOCK_MONOTONIC ns at which each had its record */
};

static _Noreturn void wait_in_crowd(struct crowd *crowd, int number, int rounds)
{
    char text[4096];
    int fd = open_stream("crowd", 0);

    for (int round = 0; round < rounds; round++) {
        kymo_fetch_add_ordered32(&crowd->waiting, 1);
        if (read(fd, text, sizeof(text)) <= 0)
            _exit(1);
        kymo_store_release(&crowd->when[number], kymo_clock_now(KYMO_MONOTONIC));
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
static uint64_t deliver(struct crowd *crowd, struct kymo_writer *writer, int count)
{
    const uint64_t began = kymo_clock_now(KYMO_MONOTONIC);
    uint64_t longest = 0;

    publish(writer, 1);
    for (int i = 0; i < count; i++) {
        while (kymo_load_acquire(&crowd->when[i]) < began)
            usleep(200);
        if (crowd->when[i] - began > longest)
            longest = crowd->when[i] - began;
    }
    return longest;
}

static void crowd(const char *daemon, int count)
{
    enum { ROUNDS = 5 };
    const size_t size = sizeof(struct crowd) + (size_t)count * sizeof(uint64_t);
    struct crowd *crowd =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct kymo_writer *writer = new_writer("crowd", 64);
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
            wait_in_crowd(crowd, i, ROUNDS);
    }
    for (int round = 1; round <= ROUNDS; round++) {
        uint64_t took;

        while (kymo_load_acquire32(&crowd->waiting) < (uint32_t)(round * count))
            usleep(1000);
        pause_ms(100);
        took = deliver(crowd, writer, count);
        best = took < best ? took : best;
        worst = took > worst ? took : worst;
    }
    threads_now = status_of(daemon, "Threads:");
    memory = status_of(daemon, "VmRSS:");
    for (int i = 0; i < count; i++)
        ended += waitpid(children[i], &status, 0) == children[i] && status == 0;
    check(ended == count, "%d of %d had all records", ended, count);
    printf("count: readers of one stream: %d blocked at once, %lu threads, %lu KiB, all served "
           "after %.1f to %.1f ms\n",
           count, threads_now, memory, (double)best / 1e6, (double)worst / 1e6);
#ifndef __SANITIZE_ADDRESS__
    check(memory < 64 * 1024, "%lu KiB", memory);
#endif
    check(threads_now > 0 && threads_now <= 8, "%lu threads", threads_now);
    free(children);
    munmap(crowd, size);
    remove_segment(writer);
}

/* ---- */

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"order", order},     {"missed", missed},           {"large", large},
    {"bytes", bytes},     {"nonblock", nonblock},       {"seekable", seekable},
    {"polls", polls},     {"epoll_level", epoll_level}, {"epoll_edge", epoll_edge},
    {"signals", signals}, {"threads", threads},         {"killed", killed},
    {"many", many},       {"replaced", replaced},       {"access_revoked", access_revoked},
    {"removed", removed}, {"truncated", truncated},
};

static int is_wanted(const char *name, char **names, int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return 1;
    }
    return count == 0;
}

int main(int argc, char **argv)
{
    const struct sigaction alarmed = {.sa_handler = on_alarm};
    char **names = argv + 2;

    if (argc < 2)
        return 2;
    mount_point = argv[1];
    kymo_guard_install();
    sigaction(SIGALRM, &alarmed, NULL);
    if (argc == 5 && strcmp(argv[2], "crowd") == 0) {
        running = "crowd";
        alarm(CASE_SECONDS);
        crowd(argv[3], atoi(argv[4]));
    } else {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            if (!is_wanted(cases[i].name, names, argc - 2))
                continue;
            running = cases[i].name;
            alarm(CASE_SECONDS);
            cases[i].run();
        }
    }
    printf("%d checks, %d failed\n", checks, failures);
    return failures > 0 || checks == 0;
}
