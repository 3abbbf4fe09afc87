/*
 * snapshot.c - compares a directory with its copy in memory by name, size and bytes.
 */
#include "snapshot.h"

__attribute__((noreturn)) static void fail(const char *what)
{
    perror(what);
    abort();
}

/* Maps the file again after its size has changed. */
static void resize(struct snapshot_file *file, int fd, size_t size)
{
    void *live = NULL;

    if (file->live)
        munmap((void *)(uintptr_t)file->live, file->size);
    if (size > 0)
        live = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (live == MAP_FAILED)
        fail("mmap");
    free(file->bytes);
    file->live = (const unsigned char *)live;
    file->bytes = (unsigned char *)calloc(1, size + 1);
    file->size = size;
}

static struct snapshot_file *find_inode(struct snapshot *snapshot, ino_t inode)
{
    for (size_t i = 0; i < snapshot->count; i++) {
        if (snapshot->files[i].inode == inode)
            return &snapshot->files[i];
    }
    return NULL;
}

/* Returns 1 if the file or its size is new. */
static int update_name(struct snapshot *snapshot, const char *name, char names[SNAPSHOT_FILES][64])
{
    const int fd = openat(dirfd(snapshot->listing), name, O_RDONLY | O_CLOEXEC);
    struct snapshot_file *file;
    struct stat status;
    int changed = 0;

    if (fd < 0 || fstat(fd, &status) != 0)
        fail(name);
    file = find_inode(snapshot, status.st_ino);
    if (!file) {
        if (snapshot->count == SNAPSHOT_FILES)
            fail("more files than SNAPSHOT_FILES");
        file = &snapshot->files[snapshot->count++];
        *file = (struct snapshot_file){.inode = status.st_ino};
        changed = 1;
    }
    if (file->size != (size_t)status.st_size) {
        resize(file, fd, (size_t)status.st_size);
        changed = 1;
    }
    close(fd);
    if (strlen(name) >= sizeof(file->name))
        fail(name);
    strcpy(names[file - snapshot->files], name);
    return changed;
}

/* Returns 1 if a name was added or removed, or refers to another file. */
static int update_names(struct snapshot *snapshot)
{
    char names[SNAPSHOT_FILES][64] = {""};
    struct dirent *entry;
    int changed = 0;

    rewinddir(snapshot->listing);
    while ((entry = readdir(snapshot->listing))) {
        if (entry->d_type != DT_DIR)
            changed |= update_name(snapshot, entry->d_name, names);
    }
    for (size_t i = 0; i < snapshot->count; i++) {
        changed |= strcmp(snapshot->files[i].name, names[i]) != 0;
        memcpy(snapshot->files[i].name, names[i], sizeof(names[i]));
    }
    return changed;
}

int snapshot_update(struct snapshot *snapshot, int names)
{
    int changed = names && update_names(snapshot);

    for (size_t i = 0; i < snapshot->count; i++) {
        struct snapshot_file *file = &snapshot->files[i];

        if (file->live && memcmp(file->bytes, file->live, file->size) != 0) {
            memcpy(file->bytes, file->live, file->size);
            changed = 1;
        }
    }
    return changed;
}

void snapshot_open(struct snapshot *snapshot, const char *directory)
{
    memset(snapshot, 0, sizeof(*snapshot));
    snapshot->listing = opendir(directory);
    if (!snapshot->listing)
        fail(directory);
    snapshot_update(snapshot, 1);
}

void snapshot_close(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->count; i++)
        resize(&snapshot->files[i], -1, 0);
    for (size_t i = 0; i < snapshot->count; i++)
        free(snapshot->files[i].bytes);
    closedir(snapshot->listing);
}

uint64_t snapshot_hash(const struct snapshot *snapshot)
{
    uint64_t hash = snapshot->count;
    uint64_t word;

    for (size_t i = 0; i < snapshot->count; i++) {
        const struct snapshot_file *file = &snapshot->files[i];

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

const struct snapshot_file *snapshot_find(const struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < snapshot->count; i++) {
        if (strcmp(snapshot->files[i].name, name) == 0)
            return &snapshot->files[i];
    }
    return NULL;
}

void snapshot_write_file(const struct snapshot_file *file, const char *directory, const char *name)
{
    char path[512];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, file->bytes, file->size) != (ssize_t)file->size)
        fail(path);
    close(fd);
}

void snapshot_write(const struct snapshot *snapshot, const char *directory)
{
    for (size_t i = 0; i < snapshot->count; i++) {
        if (snapshot->files[i].name[0])
            snapshot_write_file(&snapshot->files[i], directory, snapshot->files[i].name);
    }
}

void snapshot_clear_directory(const char *directory)
{
    DIR *listing = opendir(directory);
    struct dirent *entry;

    if (!listing)
        fail(directory);
    while ((entry = readdir(listing))) {
        if (entry->d_type != DT_DIR && unlinkat(dirfd(listing), entry->d_name, 0) != 0)
            fail(entry->d_name);
    }
    closedir(listing);
}
