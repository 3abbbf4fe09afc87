/*
 * allocate.c - memory for every page of a file before it is mapped: a full file system is an error at
 * open, and never SIGBUS later.
 */
#include "internal.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* 0 if the file system may have these bytes. Checked first: tmpfs would take all free memory before
 * it finds that it is too little. */
static int check_space(int fd, uint64_t size)
{
    struct statvfs files;
    struct stat status;

    if (fstatvfs(fd, &files) != 0 || fstat(fd, &status) != 0 || files.f_blocks == 0)
        return 0;
    return size > (uint64_t)files.f_bfree * files.f_frsize + (uint64_t)status.st_blocks * 512
               ? -ENOSPC
               : 0;
}

/* File systems without fallocate(2): writes the bytes behind the end of the file. */
static int append_zeros(int fd, uint64_t end)
{
    static const unsigned char zeros[4096];
    struct stat status;
    int error = fstat(fd, &status) == 0 ? 0 : -errno;

    for (uint64_t at = (uint64_t)status.st_size; !error && at < end; at += sizeof(zeros)) {
        const uint64_t len = end - at < sizeof(zeros) ? end - at : sizeof(zeros);

        error = kymo_file_write(fd, zeros, len, (off_t)at);
    }
    return error;
}

static int allocate_piece(int fd, int mode, uint64_t offset, uint64_t size)
{
    if (fallocate(fd, mode, (off_t)offset, (off_t)size) == 0)
        return 0;
    if (errno != EOPNOTSUPP)
        return -errno;
    return mode & FALLOC_FL_KEEP_SIZE ? 0 : append_zeros(fd, offset + size);
}

#define PIECE         (UINT64_C(1) << 24) /* bytes */
#define INTERRUPTIONS 1000

/*
 * Before Linux 6.18, a signal that is pending makes tmpfs undo the whole call: one call for a large
 * file would never succeed under a periodic timer. So allocate in pieces, halved at each
 * interruption.
 */
int kymo_file_allocate(int fd, int mode, uint64_t offset, uint64_t size)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    const uint64_t end = offset + size;
    uint64_t piece = PIECE;
    int interruptions = 0;
    int error = check_space(fd, size);

    while (!error && offset < end) {
        const uint64_t len = end - offset < piece ? end - offset : piece;

        error = allocate_piece(fd, mode, offset, len);
        if (!error) {
            offset += len;
            interruptions = 0;
        } else if (error == -EINTR && ++interruptions < INTERRUPTIONS) {
            piece = piece / 2 > page ? piece / 2 : page;
            error = 0;
        }
    }
    return error == -EFBIG ? -ENOSPC : error;
}
