/*
 * remove.c - segments without a writer: remove, reap, delete unfinished files.
 *
 * A file is removed only if it is a kymo segment, this process holds its lock, and it has the name.
 */
#include "internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int remove_locked(const struct kymo_file *file, int directory, const char *name)
{
    if (!kymo_file_is_named(file, directory, name))
        return -ENOENT;
    if (unlinkat(directory, name, 0) != 0)
        return -errno;
    KYMO_TESTPOINT(UNLINKED);
    return kymo_mapping_retire(file);
}

/* The records of a queue outlive their producer. */
static int is_garbage(const struct kymo_file *file)
{
    struct kymo_control control;

    return kymo_file_waiting(file) == 0 &&
           pread(file->fd, &control, sizeof(control), (off_t)file->header.control_offset) ==
               (ssize_t)sizeof(control) &&
           control.state == KYMO_OPEN;
}

/* Returns 1 if it was removed, 0 if it was not because it is no garbage. */
static int remove_named(const char *name, int only_garbage)
{
    struct kymo_file file;
    int directory = kymo_directory_open();
    int error;

    if (directory < 0)
        return directory;
    kymo_library_lock();
    error = kymo_file_open(directory, name, O_RDWR, &file, NULL);
    if (!error) {
        error = kymo_file_lock(file.fd, KYMO_LOCK_WRITER, 1);
        if (only_garbage && (error == -EBUSY || (!error && !is_garbage(&file)))) {
            error = 0;
        } else if (!error) {
            error = remove_locked(&file, directory, name);
            error = error ? error : 1;
        }
        kymo_file_close(&file);
    }
    kymo_library_unlock();
    close(directory);
    return error;
}

int kymo_segment_remove(const char *name)
{
    int result = remove_named(name, 0);

    return result < 0 ? result : 0;
}

int kymo_segment_reap(const char *name)
{
    return remove_named(name, 1);
}

/* A creator locks its file directly after creating it: an unlocked file older than 1 s has no
 * living creator. */
static int reap_unfinished(int directory, const char *name)
{
    struct stat status;
    int removed;
    int fd;

    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode) ||
        kymo_clock_now(KYMO_REALTIME) / 1000000000 < (uint64_t)status.st_ctime + 2)
        return 0;
    kymo_library_lock();
    fd = openat(directory, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    removed = fd >= 0 && kymo_file_lock(fd, KYMO_LOCK_WRITER, 1) == 0 &&
              unlinkat(directory, name, 0) == 0;
    if (fd >= 0)
        close(fd);
    kymo_library_unlock();
    return removed;
}

int kymo_segment_reap_unfinished(void)
{
    DIR *listing = opendir(kymo_directory());
    struct dirent *entry;
    int count = 0;

    if (!listing)
        return -errno;
    while ((entry = readdir(listing))) {
        if (strncmp(entry->d_name, KYMO_UNFINISHED_PREFIX, strlen(KYMO_UNFINISHED_PREFIX)) == 0)
            count += reap_unfinished(dirfd(listing), entry->d_name);
    }
    closedir(listing);
    return count;
}
