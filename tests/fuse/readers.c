/*
 * readers.c - reads a file by the methods that programs use.
 *
 *     readers matrix KIND FILE COPY      by all methods: prints those that return other bytes than
 *                                        read(), and then the number of methods
 *     readers capture FILE COPY ROUNDS   by all methods that return the complete content, ROUNDS times:
 *                                        prints what each returns after a line "--- METHOD"; skips
 *                                        opens that fail
 *     readers text FILE COPY ROUNDS      the same, also by methods for text
 *     readers uniform FILE COPY ROUNDS   the same, but prints the methods that return different bytes
 *                                        within one content
 *     readers METHOD FILE                by one method, to stdout
 *
 * KIND: text, json or raw. COPY: the target of programs that copy. A METHOD is one of those below that
 * need no program, or
 *
 * open, write  print the name of the error of open() for reading or writing, or "opened"
 * pinned       opens, waits for a line on stdin, then reads: the content at open
 * held         opens, then waits for a line on stdin before each sendfile from the start
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "readers: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Content that was read. */
static FILE *output;

static void put(const void *bytes, ssize_t len)
{
    if (len < 0)
        fail("read");
    if (fwrite(bytes, 1, (size_t)len, output) != (size_t)len)
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

/* The target of sendfile and splice: stdout may not be a pipe, or may be opened for appending. */
static void drain_pipe(int fd, size_t len)
{
    char buffer[65536];

    while (len > 0) {
        ssize_t got = read(fd, buffer, len < sizeof(buffer) ? len : sizeof(buffer));

        put(buffer, got);
        len -= (size_t)got;
    }
}

/* The page cache holds one content at a time: a call fails while opens with other contents exist, and
 * programs then use read(). */
static int is_refused(int fd, size_t offset)
{
    if (errno != EINVAL)
        return 0;
    if (lseek(fd, (off_t)offset, SEEK_SET) < 0)
        fail("lseek");
    read_all(fd);
    return 1;
}

static void send_up_to(int fd, size_t limit)
{
    int ends[2];
    off_t offset = 0;
    ssize_t len;

    if (pipe(ends) != 0)
        fail("pipe");
    while ((size_t)offset < limit && (len = sendfile(ends[1], fd, &offset, 65536)) != 0) {
        if (len < 0 && is_refused(fd, (size_t)offset))
            break;
        if (len < 0)
            fail("sendfile");
        drain_pipe(ends[0], (size_t)len);
    }
    close(ends[0]);
    close(ends[1]);
}

/* As web servers: no fstat. */
static void send_file(int fd)
{
    send_up_to(fd, SIZE_MAX);
}

/* Only as many bytes as fstat reports. */
static void send_on_request(int fd)
{
    send_up_to(fd, size_of(fd));
}

static void splice_file(int fd)
{
    size_t offset = 0;
    int ends[2];
    ssize_t len;

    if (pipe(ends) != 0)
        fail("pipe");
    while ((len = splice(fd, NULL, ends[1], NULL, 65536, 0)) != 0) {
        if (len < 0 && is_refused(fd, offset))
            break;
        if (len < 0)
            fail("splice");
        drain_pipe(ends[0], (size_t)len);
        offset += (size_t)len;
    }
    close(ends[0]);
    close(ends[1]);
}

static int has_byte(int fd, size_t offset)
{
    char byte;
    const ssize_t len = pread(fd, &byte, 1, (off_t)offset);

    if (len < 0)
        fail("pread");
    return len == 1;
}

/* The length of the content by reads: the first offset without a byte. */
static size_t length_of(int fd)
{
    size_t low = 0, high = 1;

    while (has_byte(fd, high - 1)) {
        low = high;
        high *= 2;
    }
    while (low + 1 < high) {
        const size_t middle = low + (high - low) / 2;

        if (has_byte(fd, middle - 1))
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Backwards, in pieces of a prime length, which cross every boundary. */
static void pread_file(int fd)
{
    const size_t piece = 1021;
    const size_t end = length_of(fd);
    char *all = malloc(end + 1);

    if (!all)
        fail("malloc");
    for (size_t begin = end; begin > 0;) {
        const size_t part = begin < piece ? begin : piece;

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

static void read_odd(int fd)
{
    char buffer[4097];
    ssize_t len;

    while ((len = read(fd, buffer, sizeof(buffer))) != 0)
        put(buffer, len);
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
        send_file(fd);
        fflush(stdout);
    }
}

/* strerrorname_np is in glibc from 2.32 on. */
static const char *error_name(int error)
{
    static const struct {
        int error;
        const char *name;
    } names[] = {
#define NAME(error) {error, #error}
        NAME(EACCES), NAME(EAGAIN), NAME(EBUSY),   NAME(EDOM),         NAME(EFBIG),  NAME(EINVAL),
        NAME(EIO),    NAME(EISDIR), NAME(ELOOP),   NAME(ENFILE),       NAME(EMFILE), NAME(ENODATA),
        NAME(ENOENT), NAME(ENOMEM), NAME(ENOTDIR), NAME(EPERM),        NAME(ERANGE), NAME(EROFS),
        NAME(ESTALE), NAME(ETIME),  NAME(EBADMSG), NAME(ENAMETOOLONG),
#undef NAME
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].error == error)
            return names[i].name;
    }
    return strerror(error);
}

static int try_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);

    puts(fd >= 0 ? "opened" : error_name(errno));
    return fflush(stdout) != 0;
}

/* ---- all methods ---- */

enum method_flags {
    METHOD_TEXT = 1,  /* for lines without zero bytes */
    METHOD_JSON = 2,  /* for lines of JSON */
    METHOD_SLOW = 4,  /* one request per few bytes: for short content only */
    METHOD_PART = 8,  /* returns a part of the content: see expect */
    METHOD_COUNT = 16 /* returns the length */
};

#define SLOW_LIMIT 5000

/* Placeholders in the arguments of a program. */
#define THE_FILE "<file>"
#define THE_COPY "<copy>"
#define OF_FILE  "if="

struct content {
    char *bytes;
    size_t len;
};

struct method {
    const char *name;
    void (*read)(int fd);
    const char *program[7]; /* where read is NULL */
    unsigned int flags;
    /* The part of all[len] that it returns. */
    struct content (*expect)(struct content all);
};

static struct content last_line(struct content all)
{
    const char *line = all.len > 1 ? memrchr(all.bytes, '\n', all.len - 1) : NULL;
    const size_t begin = line ? (size_t)(line + 1 - all.bytes) : 0;

    return (struct content){all.bytes + begin, all.len - begin};
}

static struct content first_five(struct content all)
{
    return (struct content){all.bytes, all.len < 5 ? all.len : 5};
}

static struct content last_five(struct content all)
{
    const size_t len = all.len < 5 ? all.len : 5;

    return (struct content){all.bytes + all.len - len, len};
}

static struct content from_third(struct content all)
{
    const size_t skip = all.len < 3 ? all.len : 3;

    return (struct content){all.bytes + skip, all.len - skip};
}

static const struct method methods[] = {
    {.name = "read", .read = read_all},
    {.name = "odd", .read = read_odd},
    {.name = "bytes", .read = read_bytes, .flags = METHOD_SLOW},
    {.name = "sendfile", .read = send_file},
    {.name = "fstat-sendfile", .read = send_on_request},
    {.name = "splice", .read = splice_file},
    {.name = "pread", .read = pread_file},
    {.name = "mmap", .read = map_file, .flags = METHOD_TEXT},
    {.name = "lseek", .read = seek_file},
    {.name = "poll", .read = poll_file},
    {.name = "cat", .program = {"cat", THE_FILE}},
    {.name = "cp", .program = {"cp", THE_FILE, THE_COPY}},
    {.name = "cp --sparse", .program = {"cp", "--sparse=always", THE_FILE, THE_COPY}},
    {.name = "dd 7", .program = {"dd", OF_FILE, "bs=7", "status=none"}, .flags = METHOD_SLOW},
    {.name = "dd 4095", .program = {"dd", OF_FILE, "bs=4095", "status=none"}},
    {.name = "dd 100000", .program = {"dd", OF_FILE, "bs=100000", "status=none"}},
    {.name = "head -c", .program = {"head", "-c", "1000000000", THE_FILE}},
    {.name = "tail -c", .program = {"tail", "-c", "1000000000", THE_FILE}},
    {.name = "grep", .program = {"grep", "-rh", "", THE_FILE}, .flags = METHOD_TEXT},
    {.name = "jq", .program = {"jq", "-c", ".", THE_FILE}, .flags = METHOD_JSON},
    {.name = "wc", .program = {"wc", "-c", THE_FILE}, .flags = METHOD_COUNT},
    {.name = "head -c 5",
     .program = {"head", "-c", "5", THE_FILE},
     .flags = METHOD_PART,
     .expect = first_five},
    {.name = "tail -c 5",
     .program = {"tail", "-c", "5", THE_FILE},
     .flags = METHOD_PART,
     .expect = last_five},
    {.name = "tail -c +4",
     .program = {"tail", "-c", "+4", THE_FILE},
     .flags = METHOD_PART,
     .expect = from_third},
    {.name = "tail -n 1",
     .program = {"tail", "-n", "1", THE_FILE},
     .flags = METHOD_PART | METHOD_TEXT,
     .expect = last_line},
};

#define METHODS (sizeof(methods) / sizeof(methods[0]))

static void capture_begin(struct content *content)
{
    output = open_memstream(&content->bytes, &content->len);
    if (!output)
        fail("open_memstream");
}

static void capture_end(void)
{
    if (fclose(output) != 0)
        fail("fclose");
    output = stdout;
}

/* Reads by one of the functions. Returns 0, or -1 if the open fails. */
static int read_by(void (*method)(int fd), const char *file, struct content *content)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    capture_begin(content);
    method(fd);
    capture_end();
    close(fd);
    return 0;
}

static pid_t start(char *const *arguments, int to)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int error;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    error = posix_spawnp(&pid, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    errno = error;
    if (error)
        fail(arguments[0]);
    return pid;
}

/* Collects the output of the program. Returns its status. */
static int run_program(char *const *arguments, struct content *content)
{
    int ends[2], status;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        fail("pipe");
    pid = start(arguments, ends[1]);
    close(ends[1]);
    capture_begin(content);
    read_all(ends[0]);
    capture_end();
    close(ends[0]);
    if (waitpid(pid, &status, 0) != pid)
        fail("waitpid");
    return status;
}

/* Reads by a program. Returns 0, or -1 if that fails. */
static int read_by_program(const struct method *method, const char *file, const char *copy,
                           struct content *content)
{
    char *arguments[8] = {NULL};
    char *of_file;
    int status, copies = 0;

    if (asprintf(&of_file, "%s%s", OF_FILE, file) < 0)
        fail("asprintf");
    for (size_t i = 0; method->program[i]; i++) {
        const char *word = method->program[i];

        copies |= strcmp(word, THE_COPY) == 0;
        word = strcmp(word, THE_FILE) == 0   ? file
               : strcmp(word, THE_COPY) == 0 ? copy
               : strcmp(word, OF_FILE) == 0  ? of_file
                                             : word;
        arguments[i] = (char *)(uintptr_t)word;
    }
    status = run_program(arguments, content);
    free(of_file);
    if (status == 0 && copies) {
        free(content->bytes);
        return read_by(read_all, copy, content);
    }
    return status == 0 ? 0 : -1;
}

static int read_method(const struct method *method, const char *file, const char *copy,
                       struct content *content)
{
    *content = (struct content){NULL, 0};
    return method->read ? read_by(method->read, file, content)
                        : read_by_program(method, file, copy, content);
}

static int is_same(const struct method *method, struct content all, struct content got)
{
    if (method->flags & METHOD_COUNT)
        return got.len > 0 && strtoull(got.bytes, NULL, 10) == all.len;
    if (method->flags & METHOD_PART)
        all = method->expect(all);
    return got.len == all.len && (all.len == 0 || memcmp(got.bytes, all.bytes, all.len) == 0);
}

static void try_method(const struct method *method, const char *file, const char *copy,
                       struct content all)
{
    struct content got;
    const int failed = read_method(method, file, copy, &got) != 0;

    if (failed || !is_same(method, all, got))
        printf("%s by %s: %s, %zu bytes, in all %zu\n", file, method->name,
               failed ? "failed" : "other bytes", got.len, all.len);
    free(got.bytes);
}

/* st_size is the length, or one page if the content fits a page. */
static int has_true_size(const char *file, size_t len)
{
    struct stat status;

    if (stat(file, &status) != 0)
        return 0;
    return (size_t)status.st_size == len || (len <= 4096 && status.st_size == 4096);
}

static int run_matrix(const char *kind, const char *file, const char *copy)
{
    const unsigned int unfit = strcmp(kind, "raw") == 0    ? METHOD_TEXT | METHOD_JSON
                               : strcmp(kind, "json") == 0 ? 0
                                                           : METHOD_JSON;
    struct content all = {NULL, 0};
    size_t count = 0;

    if (read_by(read_all, file, &all) != 0)
        fail(file);
    if (!has_true_size(file, all.len))
        printf("%s: st_size is not %zu\n", file, all.len);
    for (size_t i = 0; i < METHODS; i++) {
        if (methods[i].flags & unfit || (methods[i].flags & METHOD_SLOW && all.len > SLOW_LIMIT))
            continue;
        try_method(&methods[i], file, copy, all);
        count++;
    }
    printf("%zu\n", count);
    free(all.bytes);
    return 0;
}

/* Prints what one method returns of a file that changes. */
static void show_method(const struct method *method, int uniform, const char *file,
                        const char *copy)
{
    struct content got;

    if (read_method(method, file, copy, &got) == 0) {
        if (!uniform) {
            printf("--- %s\n", method->name);
            put(got.bytes, (ssize_t)got.len);
        } else if (got.len == 0 || memcmp(got.bytes, got.bytes + 1, got.len - 1) != 0) {
            printf("%s by %s: %zu bytes, not all the same\n", file, method->name, got.len);
        }
    }
    free(got.bytes);
}

/* By all methods that return the complete content. */
static int run_rounds(const char *mode, const char *file, const char *copy, int rounds)
{
    const int uniform = strcmp(mode, "uniform") == 0;
    const unsigned int fit = strcmp(mode, "text") == 0 ? METHOD_TEXT : 0;

    for (size_t i = 0; i < METHODS * (size_t)rounds; i++) {
        if ((methods[i % METHODS].flags & ~fit) == 0)
            show_method(&methods[i % METHODS], uniform, file, copy);
    }
    return 0;
}

static int run_one(const char *method, const char *file)
{
    int fd;

    if (strcmp(method, "open") == 0)
        return try_open(file, O_RDONLY);
    if (strcmp(method, "write") == 0)
        return try_open(file, O_WRONLY);
    fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail(file);
    if (strcmp(method, "pinned") == 0 && wait_for_line())
        read_all(fd);
    else if (strcmp(method, "held") == 0)
        hold_file(fd);
    for (size_t i = 0; i < METHODS; i++) {
        if (methods[i].read && strcmp(method, methods[i].name) == 0)
            methods[i].read(fd);
    }
    return 0;
}

int main(int argc, char **argv)
{
    int status = 1;

    output = stdout;
    if (argc == 5 && strcmp(argv[1], "matrix") == 0)
        status = run_matrix(argv[2], argv[3], argv[4]);
    else if (argc == 5)
        status = run_rounds(argv[1], argv[2], argv[3], atoi(argv[4]));
    else if (argc == 3)
        status = run_one(argv[1], argv[2]);
    return fflush(stdout) != 0 || status;
}
