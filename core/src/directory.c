/*
 * directory.c - the directory of the segments, and the names they may have.
 */
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

const char *kymo_directory(void)
{
    const char *directory = secure_getenv("KYMO_DIR");

    return directory && directory[0] ? directory : "/dev/shm";
}

static int is_name_byte(char byte, int first)
{
    if ((byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
        (byte >= '0' && byte <= '9') || byte == '_')
        return 1;
    return !first && (byte == '.' || byte == '-');
}

int kymo_name_check(const char *name)
{
    /* Other files in the root of a mount. */
    static const char *const reserved[] = {"metrics.prom", "README", "at"};
    size_t len;

    if (!name)
        return -EINVAL;
    for (len = 0; name[len]; len++) {
        if (!is_name_byte(name[len], len == 0))
            return -EINVAL;
        if (len >= KYMO_NAME_LIMIT)
            return -ENAMETOOLONG;
    }
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (strcmp(name, reserved[i]) == 0)
            return -EINVAL;
    }
    return len > 0 ? 0 : -EINVAL;
}

int kymo_directory_open(void)
{
    return kymo_descriptor(open(kymo_directory(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

int kymo_directory_read(DIR **listing)
{
    int fd = kymo_descriptor(open(kymo_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int error = fd < 0 ? fd : 0;

    *listing = fd >= 0 ? fdopendir(fd) : NULL;
    if (fd >= 0 && !*listing) {
        error = -errno;
        close(fd);
    }
    return error;
}

static int compare_names(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

/* Stores the pointers to the names before the names, in one block for free(). */
static int index_names(char *block, size_t size, size_t count, char ***names)
{
    char **index = malloc(count * sizeof(*index) + size + 1);
    char *name;

    if (!index)
        return -ENOMEM;
    name = (char *)(index + count);
    if (size > 0)
        memcpy(name, block, size);
    for (size_t i = 0; i < count; i++) {
        index[i] = name;
        name += strlen(name) + 1;
    }
    qsort(index, count, sizeof(*index), compare_names);
    *names = index;
    return 0;
}

static int read_names(DIR *directory, char **block, size_t *size, size_t *count)
{
    size_t room = 0;
    struct dirent *entry;

    while ((entry = readdir(directory))) {
        size_t len = strlen(entry->d_name) + 1;

        if (entry->d_name[0] == '.')
            continue;
        if (*size + len > room) {
            char *grown = realloc(*block, room = (*size + len) * 2);

            if (!grown)
                return -ENOMEM;
            *block = grown;
        }
        memcpy(*block + *size, entry->d_name, len);
        *size += len;
        ++*count;
    }
    return 0;
}

int kymo_directory_names(char ***names, size_t *count)
{
    DIR *directory;
    char *block = NULL;
    size_t size = 0;
    int error = kymo_directory_read(&directory);

    *count = 0;
    *names = NULL;
    if (error)
        return error;
    error = read_names(directory, &block, &size, count);
    closedir(directory);
    if (!error)
        error = index_names(block, size, *count, names);
    free(block);
    return error;
}
