/*
 * nameless.h - a file system that has no nameless files (O_TMPFILE), when told so. For programs that
 * are linked with --wrap=openat.
 */
#ifndef KYMO_TEST_NAMELESS_H
#define KYMO_TEST_NAMELESS_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

static int no_tmpfile;

int __real_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...);

int __wrap_openat(int directory, const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list list;

    if (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) {
        va_start(list, flags);
        mode = va_arg(list, mode_t);
        va_end(list);
    }
    if (no_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return __real_openat(directory, path, flags, mode);
}

#endif
