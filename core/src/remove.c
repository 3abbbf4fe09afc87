/*
 * remove.c - segments without a writer: remove, reap, delete unfinished files.
 *
 * A file is removed only if it is a kymo segment, this process holds its lock, and it has the name.
 */
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int remove_locked(const struct kymo_file *file, int directory, const char *name)
{
    struct kymo_retirement retirement;
    int error = kymo_file_check_name(file, directory, name);

    if (error)
        return error == -EAGAIN ? -ENOENT : error;
    error = kymo_retirement_begin(&retirement, file);
    if (error)
        return error;
    if (unlinkat(directory, name, 0) == 0) {
        KYMO_TESTPOINT(UNLINKED);
        kymo_retirement_commit(&retirement);
    } else {
        error = -errno;
    }
    kymo_retirement_end(&retirement);
    return error;
}

/* 1 if its last writer has not closed it, 0 if it has; or -errno. The records of a queue outlive their
 * producer. */
static int is_garbage(const struct kymo_file *file)
{
    struct kymo_control control;
    uint64_t waiting;
    int error = kymo_file_waiting(file, &waiting);

    if (!error)
        error = kymo_file_read_control(file, &control);
    return error ? error : waiting == 0 && control.state == KYMO_OPEN;
}

/* Returns 1 if it was removed, 0 if it was not because it is no garbage. */
static int remove_named(int directory, const char *name, int only_garbage)
{
    struct kymo_file file;
    int error = kymo_file_open(directory, name, O_RDWR, &file, NULL);

    if (error)
        return error;
    error = kymo_file_lock(file.fd, KYMO_LOCK_WRITER, 1);
    if (only_garbage && error == -EBUSY)
        error = 0;
    else if (!error)
        error = only_garbage ? is_garbage(&file) : 1;
    if (error == 1) {
        error = remove_locked(&file, directory, name);
        error = error ? error : 1;
    }
    kymo_file_close(&file);
    return error;
}

/* As remove_named. Read permission suffices to find that there is nothing to remove. */
static int reap_named(int directory, const char *name)
{
    struct kymo_file file;
    int result = kymo_file_open(directory, name, O_RDONLY, &file, NULL);

    if (result)
        return result;
    result = is_garbage(&file);
    if (result == 1)
        result = kymo_file_is_shared(file.fd, KYMO_LOCK_WRITER) == 0;
    kymo_file_close(&file);
    return result == 1 ? remove_named(directory, name, 1) : result;
}

int kymo_segment_remove(const char *name)
{
    int directory = kymo_directory_open();
    int error;

    if (directory < 0)
        return directory;
    kymo_library_lock();
    error = remove_named(directory, name, 0);
    kymo_library_unlock();
    close(directory);
    return error < 0 ? error : 0;
}

int kymo_segment_reap(const char *name)
{
    int directory = kymo_directory_open();
    int result;

    if (directory < 0)
        return directory;
    kymo_library_lock();
    result = reap_named(directory, name);
    kymo_library_unlock();
    close(directory);
    return result;
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
    fd = kymo_descriptor(openat(directory, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    removed = fd >= 0 && kymo_file_lock(fd, KYMO_LOCK_WRITER, 1) == 0 &&
              unlinkat(directory, name, 0) == 0;
    if (fd >= 0) {
        kymo_file_unlock_all(fd);
        close(fd);
    }
    kymo_library_unlock();
    return removed;
}

int kymo_segment_reap_unfinished(void)
{
    DIR *listing;
    struct dirent *entry;
    int count = kymo_directory_read(&listing);

    if (count < 0)
        return count;
    while ((entry = readdir(listing))) {
        if (strncmp(entry->d_name, KYMO_UNFINISHED_PREFIX, strlen(KYMO_UNFINISHED_PREFIX)) == 0)
            count += reap_unfinished(dirfd(listing), entry->d_name);
    }
    closedir(listing);
    return count;
}
