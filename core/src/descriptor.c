/*
 * descriptor.c - the library's descriptors are above the standard ones: a program that runs with
 * one of these closed would print into a segment.
 */
#include "internal.h"

#include <fcntl.h>
#include <unistd.h>

#define FIRST_FREE 3

int kymo_descriptor(int fd)
{
    int above = fd;
    int error;

    if (fd >= FIRST_FREE)
        return fd;
    if (fd >= 0)
        above = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE);
    error = errno;
    if (fd >= 0)
        close(fd);
    return above >= 0 ? above : -error;
}
