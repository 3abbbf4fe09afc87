/*
 * versions.c - opens of different versions of one file, read in turns: each open returns the bytes and
 * the size of its own version by every system call (K).
 *
 *     versions MOUNT FILE METHOD [UID]    METHOD: read, sendfile, splice, mmap
 *
 * FILE is MOUNT/versions/NAME of the segment `versions`, which this program publishes to, or
 * metrics.prom; with UID the second open is by that user. Prints the differences.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kymo/kymo.h>

#define LIMIT ((size_t)8 << 20)

struct content {
    char *bytes;
    size_t len;
};

static _Noreturn void fail(const char *what)
{
    printf("%s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- methods of reading up to `size` bytes from the offset; they return the number of bytes ---- */

static ssize_t by_read(int fd, char *out, size_t size, off_t offset)
{
    return pread(fd, out, size, offset);
}

static ssize_t by_sendfile(int fd, char *out, size_t size, off_t offset)
{
    char name[] = "/tmp/versions-XXXXXX";
    int copy = mkstemp(name);
    ssize_t len;

    if (copy < 0)
        fail(name);
    unlink(name);
    len = sendfile(copy, fd, &offset, size);
    if (len > 0)
        len = pread(copy, out, (size_t)len, 0);
    close(copy);
    return len;
}

static ssize_t by_splice(int fd, char *out, size_t size, off_t offset)
{
    int ends[2];
    ssize_t len;

    if (pipe(ends) != 0)
        fail("pipe");
    len = splice(fd, &offset, ends[1], NULL, size < 65536 ? size : 65536, 0);
    if (len > 0)
        len = read(ends[0], out, (size_t)len);
    close(ends[0]);
    close(ends[1]);
    return len;
}

static sigjmp_buf refused;

static void refuse(int number)
{
    (void)number;
    siglongjmp(refused, 1);
}

/* A new mapping for each part: the current content of the page cache. SIGBUS: the read fails. */
static ssize_t by_mmap(int fd, char *out, size_t size, off_t offset)
{
    struct stat status;
    size_t len;
    char *map;

    if (fstat(fd, &status) != 0)
        fail("fstat");
    if (offset >= status.st_size)
        return 0;
    map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return -1;
    len = (size_t)(status.st_size - offset);
    len = len < size ? len : size;
    signal(SIGBUS, refuse);
    if (sigsetjmp(refused, 1) == 0) {
        memcpy(out, map + offset, len);
    } else {
        munmap(map, (size_t)status.st_size);
        errno = EINVAL;
        return -1;
    }
    munmap(map, (size_t)status.st_size);
    return (ssize_t)len;
}

static const struct method {
    const char *name;
    ssize_t (*read)(int fd, char *out, size_t size, off_t offset);
} methods[] = {{"read", by_read},
               {"sendfile", by_sendfile},
               {"splice", by_splice},
               {"mmap", by_mmap}};

/* Reads `size` more bytes, or to the end. Uses read() if the method fails, as programs do. */
static void read_on(int fd, const struct method *method, struct content *content, size_t size)
{
    while (size > 0) {
        const size_t part = size < 5000 ? size : 5000;
        char *at = content->bytes + content->len;
        ssize_t len = method->read(fd, at, part, (off_t)content->len);

        if (len < 0 && (errno == EINVAL || errno == ENODEV))
            len = by_read(fd, at, part, (off_t)content->len);
        if (len < 0)
            fail(method->name);
        if (len == 0 || content->len + (size_t)len > LIMIT - 5000)
            return;
        content->len += (size_t)len;
        size -= (size_t)len < size ? (size_t)len : size;
    }
}

static struct content content_new(void)
{
    struct content content = {malloc(LIMIT), 0};

    if (!content.bytes)
        fail("malloc");
    return content;
}

/* ---- the segment ---- */

static void publish(struct kymo_writer *writer, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t value = writer->pos;

        if (kymo_ring_publish(writer, &value, sizeof(value), value * 1000 + 1, 0) != 0)
            fail("publish");
    }
}

static struct kymo_writer *open_segment(void)
{
    struct kymo_schema *schema;
    struct kymo_options options = {.clock = KYMO_USER, .depth = 4096};
    struct kymo_writer *writer;

    if (kymo_schema_parse(&schema, "n:u64", NULL) != 0)
        fail("schema");
    options.schema = schema;
    if (kymo_writer_open(&writer, "versions", &options) != 0)
        fail("versions");
    kymo_schema_free(schema);
    publish(writer, 2000);
    return writer;
}

static int open_as(const char *path, uid_t uid)
{
    int fd;

    if (seteuid(uid) != 0)
        fail("seteuid");
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail(path);
    if (seteuid(0) != 0)
        fail("seteuid");
    return fd;
}

/* What read(2) returns for this open: it does not use the page cache. */
static struct content by_itself(int fd)
{
    struct content content = content_new();

    read_on(fd, &methods[0], &content, LIMIT);
    return content;
}

static void compare(const char *which, const struct content *expected, const struct content *got)
{
    size_t i = 0;

    while (i < expected->len && i < got->len && expected->bytes[i] == got->bytes[i])
        i++;
    if (i < expected->len || i < got->len)
        printf("%s: %zu bytes of %zu, different from byte %zu\n", which, got->len, expected->len,
               i);
}

static void compare_size(const char *which, int fd, const struct content *expected)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        fail("fstat");
    if ((size_t)status.st_size != expected->len)
        printf("%s: st_size %lld, content %zu\n", which, (long long)status.st_size, expected->len);
}

int main(int argc, char **argv)
{
    const struct method *method = methods;
    struct content first = content_new(), second = content_new();
    struct content first_expected, second_expected;
    struct kymo_writer *writer;
    int one, other;

    if (argc < 4)
        return 2;
    while (method < methods + 4 && strcmp(method->name, argv[3]) != 0)
        method++;
    if (method == methods + 4)
        return 2;
    writer = open_segment();
    one = open_as(argv[2], 0);
    first_expected = by_itself(one);
    read_on(one, method, &first, first_expected.len / 3);
    publish(writer, 700);
    other = open_as(argv[2], argc > 4 ? (uid_t)atoi(argv[4]) : 0);
    read_on(other, method, &second, first_expected.len / 2);
    read_on(one, method, &first, first_expected.len / 3);
    publish(writer, 700);
    second_expected = by_itself(other);
    read_on(other, method, &second, LIMIT);
    read_on(one, method, &first, LIMIT);
    compare("the first open", &first_expected, &first);
    compare("the second open", &second_expected, &second);
    /* All opens of a file of one record share an inode: its size is that of the newest open. */
    if (first_expected.len > 4096)
        compare_size("the first open", one, &first_expected);
    compare_size("the second open", other, &second_expected);
    kymo_writer_close(writer);
    kymo_segment_remove("versions");
    free(first.bytes);
    free(second.bytes);
    free(first_expected.bytes);
    free(second_expected.bytes);
    return 0;
}
