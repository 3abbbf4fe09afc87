/*
 * private_directory.h - a segment directory for one test, which only the test's own files are in.
 */
#ifndef KYMO_TEST_PRIVATE_DIRECTORY_H
#define KYMO_TEST_PRIVATE_DIRECTORY_H

#include "test.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char private_directory[PATH_MAX];

/* Below $KYMO_DIR, which the test runner sets; all users may search it, as /dev/shm. */
static inline void private_directory_make(void)
{
    const char *parent = getenv("KYMO_DIR");

    cr_assert_not_null(parent, "KYMO_DIR is not set: start tests with run-in-private-directory");
    snprintf(private_directory, sizeof(private_directory), "%s/private-XXXXXX", parent);
    cr_assert_not_null(mkdtemp(private_directory));
    cr_assert_eq(chmod(private_directory, 01777), 0);
    cr_assert_eq(setenv("KYMO_DIR", private_directory, 1), 0);
}

static inline void private_directory_remove(void)
{
    DIR *directory = opendir(private_directory);
    struct dirent *file;

    while (directory && (file = readdir(directory)))
        unlinkat(dirfd(directory), file->d_name, 0);
    if (directory)
        closedir(directory);
    rmdir(private_directory);
}

static inline const char *private_path(const char *name)
{
    static char path[PATH_MAX + NAME_MAX + 2];

    snprintf(path, sizeof(path), "%s/%s", private_directory, name);
    return path;
}

#endif
