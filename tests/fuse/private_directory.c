/*
 * private_directory.c - the directory of one test, and the allocation of files in it.
 */
#include "private_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>

char private_directory[PATH_MAX];
bool is_sparse;

/* Replaces libkymo's (core/src/allocate.c), which allocates all memory of a segment. */
int kymo_file_allocate(int fd, int mode, uint64_t offset, uint64_t size);

int kymo_file_allocate(int fd, int mode, uint64_t offset, uint64_t size)
{
    const off_t end = (off_t)(offset + size);

    if (!is_sparse && fallocate(fd, mode, (off_t)offset, (off_t)size) == 0)
        return 0;
    return mode & FALLOC_FL_KEEP_SIZE || ftruncate(fd, end) == 0 ? 0 : -errno;
}

void private_directory_make(void)
{
    const char *parent = getenv("KYMO_DIR");

    cr_assert_not_null(parent, "KYMO_DIR is not set: start tests with run-in-private-directory");
    snprintf(private_directory, sizeof(private_directory), "%s/private-XXXXXX", parent);
    cr_assert_not_null(mkdtemp(private_directory));
    cr_assert_eq(chmod(private_directory, 01777), 0);
    cr_assert_eq(setenv("KYMO_DIR", private_directory, 1), 0);
}

void private_directory_remove(void)
{
    DIR *directory = opendir(private_directory);
    struct dirent *file;

    while (directory && (file = readdir(directory)))
        unlinkat(dirfd(directory), file->d_name, 0);
    if (directory)
        closedir(directory);
    rmdir(private_directory);
}

const char *private_path(const char *name)
{
    static char path[PATH_MAX + NAME_MAX + 2];

    snprintf(path, sizeof(path), "%s/%s", private_directory, name);
    return path;
}
