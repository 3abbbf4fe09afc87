/*
 * file.c - a segment's file: open it without following links, check its whole header, lock it,
 * create it complete before it has a name.
 */
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

/* ---- opening and checking ---- */

static int check_status(const struct stat *status, struct kymo_diagnostic *diagnostic)
{
    static const struct {
        mode_t type;
        const char *text;
    } types[] = {
        {S_IFDIR, "a directory"}, {S_IFLNK, "a symbolic link, which is not followed"},
        {S_IFIFO, "a fifo"},      {S_IFSOCK, "a socket"},
        {S_IFCHR, "a device"},    {S_IFBLK, "a device"},
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if ((status->st_mode & S_IFMT) == types[i].type)
            return kymo_report(diagnostic, -EBADMSG, "%s", types[i].text);
    }
    if (status->st_size == 0)
        return kymo_report(diagnostic, -EBADMSG, "an empty file");
    if (status->st_size < (off_t)sizeof(struct kymo_header))
        return kymo_report(diagnostic, -EBADMSG, "not a kymo segment: only %lld bytes",
                           (long long)status->st_size);
    return 0;
}

/* 0 if this machine and this library can read the layout. */
static int check_version(const struct kymo_header *header, struct kymo_diagnostic *diagnostic)
{
    if (memcmp(header->magic, KYMO_MAGIC, sizeof(header->magic)) != 0)
        return kymo_report(diagnostic, -EBADMSG, "not a kymo segment");
    if (header->byte_order != KYMO_BYTE_ORDER)
        return kymo_report(diagnostic, -EPROTONOSUPPORT,
                           "byte order: made on a machine of the opposite one");
    if (header->layout_major < KYMO_LAYOUT_MAJOR)
        return kymo_report(
            diagnostic, -EPROTONOSUPPORT,
            "layout version %u.%u of an older libkymo, this one reads version %u: link its "
            "writer with this libkymo, and remove the file",
            header->layout_major, header->layout_minor, KYMO_LAYOUT_MAJOR);
    if (header->layout_major > KYMO_LAYOUT_MAJOR)
        return kymo_report(
            diagnostic, -EPROTONOSUPPORT,
            "layout version %u.%u of a newer libkymo, this one reads version %u: link this "
            "program with the newer libkymo",
            header->layout_major, header->layout_minor, KYMO_LAYOUT_MAJOR);
    if (header->word_size != sizeof(void *))
        return kymo_report(
            diagnostic, -EPROTONOSUPPORT,
            "word size: made by a program of %u-bit words, this one has %zu-bit words",
            header->word_size * 8, sizeof(void *) * 8);
    if (header->page_size != (uint32_t)sysconf(_SC_PAGESIZE))
        return kymo_report(diagnostic, -EPROTONOSUPPORT,
                           "page size: made on a machine with pages of %u bytes, this one has %ld",
                           header->page_size, sysconf(_SC_PAGESIZE));
    return 0;
}

static int check_texts(const struct kymo_header *header)
{
    return !header->creator[sizeof(header->creator) - 1] &&
           !header->boot_id[sizeof(header->boot_id) - 1] &&
           !header->host[sizeof(header->host) - 1] &&
           !header->origin.host[sizeof(header->origin.host) - 1];
}

/* Compares the header with the plan of its own choices (layout.c). */
static int check_plan(const struct kymo_header *header, off_t size,
                      struct kymo_diagnostic *diagnostic)
{
    struct kymo_header planned = *header;

    if (kymo_layout_plan(&planned) != 0 || memcmp(&planned, header, sizeof(planned)) != 0)
        return kymo_report(
            diagnostic, -EBADMSG,
            "damaged: the offsets in the header do not follow from its depth and sizes");
    if (header->file_size != (uint64_t)size)
        return kymo_report(diagnostic, -EBADMSG, "%s: %lld bytes instead of %llu",
                           (uint64_t)size < header->file_size ? "truncated" : "overgrown",
                           (long long)size, (unsigned long long)header->file_size);
    return 0;
}

static int read_exactly(int fd, void *bytes, size_t len, off_t offset)
{
    while (len > 0) {
        ssize_t got = pread(fd, bytes, len, offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EBADMSG;
        bytes = (unsigned char *)bytes + got;
        len -= (size_t)got;
        offset += got;
    }
    return 0;
}

static int read_fields(struct kymo_file *file, struct kymo_diagnostic *diagnostic)
{
    const uint32_t count = file->header.field_count;
    struct kymo_schema schema;

    if (count > 0) {
        file->fields = calloc(count, sizeof(*file->fields));
        if (!file->fields)
            return -ENOMEM;
        if (read_exactly(file->fd, file->fields, count * sizeof(*file->fields),
                         sizeof(file->header)) != 0)
            return kymo_report(diagnostic, -EBADMSG, "damaged: the schema can't be read");
    }
    if (kymo_layout_checksum(&file->header, file->fields) != file->header.checksum)
        return kymo_report(diagnostic, -EBADMSG, "damaged: wrong checksum of the header");
    schema = (struct kymo_schema){file->fields, count, file->header.schema_size};
    if (count > 0 && kymo_schema_check(&schema, NULL) != 0)
        return kymo_report(diagnostic, -EBADMSG, "damaged: the schema is invalid");
    return 0;
}

/* Every byte that is trusted later is read once, here, and checked (promise F). */
static int check_file(struct kymo_file *file, struct kymo_diagnostic *diagnostic)
{
    int error = check_status(&file->status, diagnostic);

    if (!error && read_exactly(file->fd, &file->header, sizeof(file->header), 0) != 0)
        error = kymo_report(diagnostic, -EBADMSG, "the header can't be read");
    if (!error)
        error = check_version(&file->header, diagnostic);
    if (!error)
        error = check_plan(&file->header, file->status.st_size, diagnostic);
    if (!error && !check_texts(&file->header))
        error = kymo_report(diagnostic, -EBADMSG,
                            "damaged: a text in the header does not end with a zero byte");
    return error ? error : read_fields(file, diagnostic);
}

int kymo_file_open(int directory, const char *name, int flags, struct kymo_file *file,
                   struct kymo_diagnostic *diagnostic)
{
    int error = kymo_name_diagnose(name, diagnostic);

    memset(file, 0, sizeof(*file));
    file->fd = -1;
    if (error)
        return error;
    /* Check the type before the open: opening a device has effects, and opening a fifo blocks. */
    if (fstatat(directory, name, &file->status, AT_SYMLINK_NOFOLLOW) != 0)
        return kymo_report(diagnostic, -errno, "%s", kymo_error_text(errno));
    if (!S_ISREG(file->status.st_mode))
        return check_status(&file->status, diagnostic);
    file->fd = kymo_descriptor(
        openat(directory, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (file->fd < 0)
        return kymo_report(diagnostic, file->fd == -ELOOP ? -EBADMSG : file->fd, "%s",
                           kymo_error_text(file->fd));
    if (fstat(file->fd, &file->status) != 0)
        error = kymo_report(diagnostic, -errno, "%s", kymo_error_text(errno));
    if (!error)
        error = check_file(file, diagnostic);
    if (error)
        kymo_file_close(file);
    return error;
}

void kymo_file_close(struct kymo_file *file)
{
    if (file->fd >= 0) {
        kymo_file_unlock_all(file->fd);
        close(file->fd);
    }
    free(file->fields);
    file->fields = NULL;
    file->fd = -1;
}

int kymo_file_read_control(const struct kymo_file *file, struct kymo_control *control)
{
    return read_exactly(file->fd, control, sizeof(*control), (off_t)file->header.control_offset);
}

int kymo_file_waiting(const struct kymo_file *file, uint64_t *waiting)
{
    struct kymo_consumer_control consumer;
    struct kymo_control control;
    int error;

    *waiting = 0;
    if (file->header.kind != KYMO_QUEUE)
        return 0;
    error =
        read_exactly(file->fd, &consumer, sizeof(consumer), (off_t)file->header.consumer_offset);
    if (!error)
        error = kymo_file_read_control(file, &control);
    if (!error && control.head - consumer.tail <= file->header.depth)
        *waiting = control.head - consumer.tail;
    return error;
}

int kymo_file_check_name(const struct kymo_file *file, int directory, const char *name)
{
    struct stat now;

    if (fstatat(directory, name, &now, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? -EAGAIN : -errno;
    return now.st_dev == file->status.st_dev && now.st_ino == file->status.st_ino ? 0 : -EAGAIN;
}

int kymo_file_reopen(int fd, int flags)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    /* O_NONBLOCK: the file's owner may have a lease on it, and open(2) would wait for its end. */
    return kymo_descriptor(open(path, flags | O_NONBLOCK | O_CLOEXEC));
}

/* ---- locking (promise H) ---- */

#define MILLISECOND UINT64_C(1000000)

static int set_lock(int fd, short type, uint64_t start, uint64_t count)
{
    struct flock lock = {.l_type = type,
                         .l_whence = SEEK_SET,
                         .l_start = (off_t)start,
                         .l_len = (off_t)count};

    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return 0;
    return errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
}

int kymo_file_lock(int fd, uint64_t start, uint64_t count)
{
    return set_lock(fd, F_WRLCK, start, count);
}

/* Another process holds the lock exclusively only while it closes, replaces or removes: retry for
 * 100 ms, also if signals interrupt the sleeps. */
int kymo_file_lock_shared(int fd, uint64_t start)
{
    const uint64_t deadline = kymo_clock_now(KYMO_MONOTONIC) + 100 * MILLISECOND;
    int error = set_lock(fd, F_RDLCK, start, 1);

    while (error == -EBUSY && kymo_clock_now(KYMO_MONOTONIC) < deadline) {
        usleep(1000);
        error = set_lock(fd, F_RDLCK, start, 1);
    }
    return error;
}

void kymo_file_unlock(int fd, uint64_t start)
{
    set_lock(fd, F_UNLCK, start, 1);
}

void kymo_file_unlock_all(int fd)
{
    set_lock(fd, F_UNLCK, 0, 0);
}

/* 1 if another description holds a lock that conflicts with one of this type. */
static int is_barred(int fd, short type, uint64_t start)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)start, .l_len = 1};

    if (fcntl(fd, F_OFD_GETLK, &lock) != 0)
        return -errno;
    return lock.l_type != F_UNLCK;
}

/* Any process with read permission can lock the file shared: such a lock is not a writer's. */
int kymo_file_is_locked(int fd, uint64_t start)
{
    return is_barred(fd, F_RDLCK, start);
}

int kymo_file_is_shared(int fd, uint64_t start)
{
    return is_barred(fd, F_WRLCK, start);
}

/* ---- creating (promise I) ---- */

static void hidden_name(char name[64])
{
    uint64_t number = 0;

    if (getrandom(&number, sizeof(number), 0) != sizeof(number))
        number = kymo_clock_now(KYMO_MONOTONIC) ^ (uint64_t)getpid() << 40;
    snprintf(name, 64, KYMO_UNFINISHED_PREFIX "%016llx", (unsigned long long)number);
}

/* Without a name if the file system supports that; else under a hidden one. `unfinished` is "" or
 * that name. */
static int create_inode(int directory, mode_t mode, char unfinished[64])
{
    int fd = kymo_descriptor(openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode));

    unfinished[0] = 0;
    if (fd >= 0 && access("/proc/self/fd", X_OK) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    else if (fd != -EOPNOTSUPP && fd != -EISDIR && fd != -EINVAL && fd != -ENOENT)
        return fd;
    hidden_name(unfinished);
    return kymo_descriptor(
        openat(directory, unfinished, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, mode));
}

/* Copies the access list, or its absence: the directory may have given the new file one. */
static int copy_access_list(int fd, int old)
{
    static const char name[] = "system.posix_acl_access";
    const ssize_t size = fgetxattr(old, name, NULL, 0);
    ssize_t got;
    char *list;
    int error = 0;

    if (size < 0 && errno == ENODATA)
        return fremovexattr(fd, name) == 0 || errno == ENODATA ? 0 : -errno;
    if (size < 0)
        return errno == EOPNOTSUPP ? 0 : -errno;
    list = malloc((size_t)size + 1);
    if (!list)
        return -ENOMEM;
    got = fgetxattr(old, name, list, (size_t)size);
    if (got < 0 || fsetxattr(fd, name, list, (size_t)got, 0) != 0)
        error = -errno;
    free(list);
    return error;
}

static int set_permissions(int fd, mode_t mode, const struct kymo_file *old)
{
    struct stat status;
    int error = 0;

    if (old && (fstat(old->fd, &status) != 0 || fchown(fd, status.st_uid, status.st_gid) != 0))
        return -errno;
    if (old && !mode) {
        mode = status.st_mode & 0777;
        error = copy_access_list(fd, old->fd);
    } else if (!mode) {
        return 0;
    }
    if (!error && fchmod(fd, mode) != 0)
        error = -errno;
    return error;
}

int kymo_file_write(int fd, const void *bytes, size_t len, off_t offset)
{
    while (len > 0) {
        ssize_t put = pwrite(fd, bytes, len, offset);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -errno;
        bytes = (const unsigned char *)bytes + put;
        len -= (size_t)put;
        offset += put;
    }
    return 0;
}

static int fill_inode(int fd, const struct kymo_header *header, const struct kymo_field *fields)
{
    const struct kymo_control control = {.head = header->first};
    const struct kymo_consumer_control consumer = {.tail = header->first};
    int error = kymo_file_allocate(fd, 0, 0, header->file_size);

    if (error)
        return error;
    KYMO_TESTPOINT(FILE_ALLOCATED);
    error = kymo_file_write(fd, fields, header->field_count * sizeof(*fields), sizeof(*header));
    if (!error)
        error = kymo_file_write(fd, &control, sizeof(control), (off_t)header->control_offset);
    if (!error && header->consumer_offset)
        error = kymo_file_write(fd, &consumer, sizeof(consumer), (off_t)header->consumer_offset);
    if (!error)
        error = kymo_file_write(fd, header, sizeof(*header), 0);
    KYMO_TESTPOINT(FILE_FILLED);
    return error;
}

static int copy_fields(struct kymo_file *file, const struct kymo_field *fields)
{
    const size_t count = file->header.field_count;

    if (count == 0)
        return 0;
    file->fields = calloc(count, sizeof(*fields));
    if (!file->fields)
        return -ENOMEM;
    memcpy(file->fields, fields, count * sizeof(*fields));
    return 0;
}

int kymo_file_create(int directory, const struct kymo_header *header,
                     const struct kymo_field *fields, uint32_t mode, const struct kymo_file *old,
                     struct kymo_file *file, char unfinished[64])
{
    int error;

    memset(file, 0, sizeof(*file));
    file->header = *header;
    mode &= 0777;
    file->fd = create_inode(directory, old ? 0600 : mode ? mode : 0666, unfinished);
    if (file->fd < 0)
        return file->fd;
    KYMO_TESTPOINT(FILE_CREATED);
    /* Locked before it has a name: the name never appears without a living writer. */
    error = kymo_file_lock(file->fd, KYMO_LOCK_WRITER, 1);
    if (!error)
        error = set_permissions(file->fd, mode, old);
    if (!error)
        error = copy_fields(file, fields);
    if (!error) {
        kymo_layout_sign(&file->header, file->fields);
        error = fill_inode(file->fd, &file->header, file->fields);
    }
    if (!error && fstat(file->fd, &file->status) != 0)
        error = -errno;
    if (!error && header->flags & KYMO_SHARED_WRITER)
        error = kymo_file_lock_shared(file->fd, KYMO_LOCK_WRITER);
    if (error) {
        kymo_file_discard(directory, unfinished);
        kymo_file_close(file);
    }
    return error;
}

/* A hidden name for an unnamed file, from which it can be renamed. */
static int link_hidden(int fd, int directory, const char *name)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, path, directory, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : -errno;
}

/* Fails with -EEXIST if the new name is in use. */
static int rename_new(int directory, const char *from, const char *to)
{
    if (syscall(SYS_renameat2, directory, from, directory, to, RENAME_NOREPLACE) == 0)
        return 0;
    /* ENOSYS: before Linux 3.15. EINVAL: the file system does not support the flag. */
    if (errno != ENOSYS && errno != EINVAL)
        return -errno;
    if (linkat(directory, from, directory, to, 0) != 0)
        return -errno;
    unlinkat(directory, from, 0);
    return 0;
}

void kymo_file_discard(int directory, const char *unfinished)
{
    if (unfinished[0])
        unlinkat(directory, unfinished, 0);
}

int kymo_file_link(int fd, int directory, const char *name, char unfinished[64], int replace)
{
    int error = 0;

    if (!unfinished[0] && !replace) {
        error = link_hidden(fd, directory, name);
        KYMO_TESTPOINT(FILE_LINKED);
        return error;
    }
    if (!unfinished[0]) {
        hidden_name(unfinished);
        error = link_hidden(fd, directory, unfinished);
        KYMO_TESTPOINT(FILE_HIDDEN);
    }
    if (!error && replace)
        error = renameat(directory, unfinished, directory, name) == 0 ? 0 : -errno;
    else if (!error)
        error = rename_new(directory, unfinished, name);
    if (error)
        kymo_file_discard(directory, unfinished);
    KYMO_TESTPOINT(FILE_LINKED);
    return error;
}
