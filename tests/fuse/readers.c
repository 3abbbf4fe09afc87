/*
 * readers.c - reads a file in one of the ways that programs have, and writes it to stdout.
 *
 *     readers METHOD FILE
 *
 * sendfile    as web servers do: no fstat, 1 MiB a call
 * fstat-sendfile  what fstat told, and no more
 * splice      through a pipe
 * pread       at odd offsets, from the end to the start
 * bytes       one at a time
 * mmap        privately, as much as fstat told
 * lseek       to the end and back, then read
 * poll        waits until the file is readable, then reads it
 * open        and write, print the name of the error of opening it to read or write, or "opened"
 * pinned      opens, waits for a line on stdin, then reads: what was there at open
 * held        opens, then waits for a line on stdin before each sendfile from the start
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "readers: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void put(const void *bytes, ssize_t len)
{
    if (len < 0)
        fail("read");
    if (fwrite(bytes, 1, (size_t)len, stdout) != (size_t)len)
        fail("write");
}

static size_t size_of(int fd)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        fail("fstat");
    return (size_t)status.st_size;
}

static void read_all(int fd)
{
    char buffer[65536];
    ssize_t len;

    while ((len = read(fd, buffer, sizeof(buffer))) != 0)
        put(buffer, len);
}

/* sendfile's and splice's other end: stdout may be no pipe, or opened to append. */
static void drain_pipe(int fd, size_t len)
{
    char buffer[65536];

    while (len > 0) {
        ssize_t got = read(fd, buffer, len < sizeof(buffer) ? len : sizeof(buffer));

        put(buffer, got);
        len -= (size_t)got;
    }
}

static void send_file(int fd, size_t limit)
{
    int ends[2];
    off_t offset = 0;
    ssize_t len;

    if (pipe(ends) != 0)
        fail("pipe");
    while ((size_t)offset < limit && (len = sendfile(ends[1], fd, &offset, 65536)) != 0) {
        if (len < 0)
            fail("sendfile");
        drain_pipe(ends[0], (size_t)len);
    }
    close(ends[0]);
    close(ends[1]);
}

static void splice_file(int fd)
{
    int ends[2];
    ssize_t len;

    if (pipe(ends) != 0)
        fail("pipe");
    while ((len = splice(fd, NULL, ends[1], NULL, 65536, 0)) != 0) {
        if (len < 0)
            fail("splice");
        drain_pipe(ends[0], (size_t)len);
    }
}

/* Backwards, in pieces of a prime length that lie across every boundary there is. */
static void pread_file(int fd)
{
    const size_t piece = 1021;
    size_t end = 0, room = 1 << 20;
    char *all = malloc(room);
    ssize_t len;

    if (!all)
        fail("malloc");
    while ((len = pread(fd, all, 1, (off_t)end)) == 1) /* how long is it? */
        end++;
    if (end > room && !(all = realloc(all, end)))
        fail("realloc");
    for (size_t begin = end; begin > 0;) {
        size_t part = begin < piece ? begin : piece;

        begin -= part;
        if (pread(fd, all + begin, part, (off_t)begin) != (ssize_t)part)
            fail("pread");
    }
    put(all, (ssize_t)end);
    free(all);
}

static void read_bytes(int fd)
{
    char byte;
    ssize_t len;

    while ((len = read(fd, &byte, 1)) != 0)
        put(&byte, len);
}

static void map_file(int fd)
{
    size_t size = size_of(fd);
    char *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

    if (map == MAP_FAILED)
        fail("mmap");
    put(map, (ssize_t)strnlen(map, size));
}

static void seek_file(int fd)
{
    if (lseek(fd, 0, SEEK_END) < 0 || lseek(fd, 0, SEEK_SET) != 0)
        fail("lseek");
    read_all(fd);
}

static void poll_file(int fd)
{
    struct pollfd file = {.fd = fd, .events = POLLIN};

    if (poll(&file, 1, 10000) != 1 || !(file.revents & POLLIN))
        fail("poll");
    read_all(fd);
}

static int wait_for_line(void)
{
    char line[16];

    fprintf(stderr, "waiting\n");
    return fgets(line, sizeof(line), stdin) != NULL;
}

static void hold_file(int fd)
{
    while (wait_for_line()) {
        send_file(fd, SIZE_MAX);
        fflush(stdout);
    }
}

static int try_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);

    puts(fd >= 0 ? "opened" : strerrorname_np(errno));
    return fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
    const char *method = argc == 3 ? argv[1] : "";
    int fd;

    if (strcmp(method, "open") == 0)
        return try_open(argv[2], O_RDONLY);
    if (strcmp(method, "write") == 0)
        return try_open(argv[2], O_WRONLY);
    fd = argc == 3 ? open(argv[2], O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0)
        fail(argc == 3 ? argv[2] : "usage: readers METHOD FILE");
    if (strcmp(method, "sendfile") == 0)
        send_file(fd, SIZE_MAX);
    else if (strcmp(method, "fstat-sendfile") == 0)
        send_file(fd, size_of(fd));
    else if (strcmp(method, "splice") == 0)
        splice_file(fd);
    else if (strcmp(method, "pread") == 0)
        pread_file(fd);
    else if (strcmp(method, "bytes") == 0)
        read_bytes(fd);
    else if (strcmp(method, "mmap") == 0)
        map_file(fd);
    else if (strcmp(method, "lseek") == 0)
        seek_file(fd);
    else if (strcmp(method, "poll") == 0)
        poll_file(fd);
    else if (strcmp(method, "pinned") == 0 && wait_for_line())
        read_all(fd);
    else if (strcmp(method, "held") == 0)
        hold_file(fd);
    else
        fail(method);
    return fflush(stdout) != 0;
}
