/*
 * frozen.h - the state of a segment directory, names and bytes: watched while a stopped process
 * changes it, and laid out again elsewhere. A copy has no locks: it is what a SIGKILL would leave.
 */
#ifndef KYMO_TEST_FROZEN_H
#define KYMO_TEST_FROZEN_H

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stress/checked.h"

#define FROZEN_FILES 4

/* A file as it was last seen. */
struct frozen_file {
    char name[64]; /* "": it has lost its name, and lives on for those who have it open */
    ino_t inode;
    size_t size;
    unsigned char *bytes;
    const unsigned char *live; /* the mapped file; NULL while it is empty */
};

/* A directory; the first file is the oldest. */
struct frozen {
    DIR *listing;
    struct frozen_file files[FROZEN_FILES];
    size_t count;
};

__attribute__((noreturn)) static inline void frozen_fail(const char *what)
{
    perror(what);
    abort();
}

/* Takes up the file's size, which has changed. */
static inline void frozen_resize(struct frozen_file *file, int fd, size_t size)
{
    void *live = NULL;

    if (file->live)
        munmap((void *)(uintptr_t)file->live, file->size);
    if (size > 0)
        live = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (live == MAP_FAILED)
        frozen_fail("mmap");
    free(file->bytes);
    file->live = (const unsigned char *)live;
    file->bytes = (unsigned char *)calloc(1, size + 1);
    file->size = size;
}

static inline struct frozen_file *frozen_file_of(struct frozen *frozen, ino_t inode)
{
    for (size_t i = 0; i < frozen->count; i++) {
        if (frozen->files[i].inode == inode)
            return &frozen->files[i];
    }
    return NULL;
}

/* One name of the directory. Returns 1 where it is new, or its file's size. */
static inline int frozen_look_at_name(struct frozen *frozen, const char *name,
                                      char names[FROZEN_FILES][64])
{
    const int fd = openat(dirfd(frozen->listing), name, O_RDONLY | O_CLOEXEC);
    struct frozen_file *file;
    struct stat status;
    int changed = 0;

    if (fd < 0 || fstat(fd, &status) != 0)
        frozen_fail(name);
    file = frozen_file_of(frozen, status.st_ino);
    if (!file) {
        if (frozen->count == FROZEN_FILES)
            frozen_fail("more files than there should be");
        file = &frozen->files[frozen->count++];
        *file = (struct frozen_file){.inode = status.st_ino};
        changed = 1;
    }
    if (file->size != (size_t)status.st_size) {
        frozen_resize(file, fd, (size_t)status.st_size);
        changed = 1;
    }
    close(fd);
    if (strlen(name) >= sizeof(file->name))
        frozen_fail(name);
    strcpy(names[file - frozen->files], name);
    return changed;
}

/* Returns 1 where a name has come, gone, or leads elsewhere. */
static inline int frozen_look_at_names(struct frozen *frozen)
{
    char names[FROZEN_FILES][64] = {""};
    struct dirent *entry;
    int changed = 0;

    rewinddir(frozen->listing);
    while ((entry = readdir(frozen->listing))) {
        if (entry->d_type != DT_DIR)
            changed |= frozen_look_at_name(frozen, entry->d_name, names);
    }
    for (size_t i = 0; i < frozen->count; i++) {
        changed |= strcmp(frozen->files[i].name, names[i]) != 0;
        memcpy(frozen->files[i].name, names[i], sizeof(names[i]));
    }
    return changed;
}

/* Takes up what has changed; `names`: names and sizes as well as bytes. Returns whether any did. */
static inline int frozen_look(struct frozen *frozen, int names)
{
    int changed = names && frozen_look_at_names(frozen);

    for (size_t i = 0; i < frozen->count; i++) {
        struct frozen_file *file = &frozen->files[i];

        if (file->live && memcmp(file->bytes, file->live, file->size) != 0) {
            memcpy(file->bytes, file->live, file->size);
            changed = 1;
        }
    }
    return changed;
}

/* Begins to watch the directory. */
static inline void frozen_begin(struct frozen *frozen, const char *directory)
{
    memset(frozen, 0, sizeof(*frozen));
    frozen->listing = opendir(directory);
    if (!frozen->listing)
        frozen_fail(directory);
    frozen_look(frozen, 1);
}

static inline void frozen_end(struct frozen *frozen)
{
    for (size_t i = 0; i < frozen->count; i++)
        frozen_resize(&frozen->files[i], -1, 0);
    for (size_t i = 0; i < frozen->count; i++)
        free(frozen->files[i].bytes);
    closedir(frozen->listing);
}

/* Tells states apart. */
static inline uint64_t frozen_hash(const struct frozen *frozen)
{
    uint64_t hash = frozen->count;
    uint64_t word;

    for (size_t i = 0; i < frozen->count; i++) {
        const struct frozen_file *file = &frozen->files[i];

        for (size_t at = 0; at < sizeof(file->name); at += 8) {
            memcpy(&word, file->name + at, 8);
            hash = checked_mix(hash ^ word);
        }
        for (size_t at = 0; at + 8 <= file->size; at += 8) {
            memcpy(&word, file->bytes + at, 8);
            hash = checked_mix(hash ^ word);
        }
    }
    return hash;
}

/* The file of that name; NULL where there is none. */
static inline const struct frozen_file *frozen_named(const struct frozen *frozen, const char *name)
{
    for (size_t i = 0; i < frozen->count; i++) {
        if (strcmp(frozen->files[i].name, name) == 0)
            return &frozen->files[i];
    }
    return NULL;
}

/* Lays a file out under `name`. */
static inline void frozen_copy(const struct frozen_file *file, const char *directory,
                               const char *name)
{
    char path[512];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, file->bytes, file->size) != (ssize_t)file->size)
        frozen_fail(path);
    close(fd);
}

/* Lays out all that has a name. */
static inline void frozen_copy_all(const struct frozen *frozen, const char *directory)
{
    for (size_t i = 0; i < frozen->count; i++) {
        if (frozen->files[i].name[0])
            frozen_copy(&frozen->files[i], directory, frozen->files[i].name);
    }
}

/* Removes every file of the directory, which may be laid out anew then. */
static inline void frozen_sweep(const char *directory)
{
    DIR *listing = opendir(directory);
    struct dirent *entry;

    if (!listing)
        frozen_fail(directory);
    while ((entry = readdir(listing))) {
        if (entry->d_type != DT_DIR && unlinkat(dirfd(listing), entry->d_name, 0) != 0)
            frozen_fail(entry->d_name);
    }
    closedir(listing);
}

#endif
