/*
 * mapping.c - a checked file in memory: which pages each role may write.
 */
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void locate_ring(struct kymo_ring *ring, const struct kymo_header *header,
                        unsigned char *map)
{
    ring->slots = map + header->slots_offset;
    ring->times = (uint64_t *)(void *)(map + header->times_offset);
    ring->control = (struct kymo_control *)(void *)(map + header->control_offset);
    ring->mask = header->depth - 1;
    ring->stride = header->stride;
    ring->first = header->first;
    ring->size = header->size;
    ring->damaged = 0;
}

/* The offsets, from *from to before *to, that this role may write. */
static void writable_pages(const struct kymo_segment *segment, uint64_t *from, uint64_t *to)
{
    const struct kymo_header *header = &segment->header;

    *from = *to = 0;
    if (segment->role == KYMO_WRITING) {
        *from = header->control_offset;
        *to = header->file_size;
    } else if (segment->role == KYMO_CONSUMING) {
        /* The consumer's page, between the two bells. */
        *from = header->bell_offset;
        *to = header->times_offset;
    }
}

/* Aligns a file that is large enough for huge pages, so that it can get them (prefault.c). */
#define HUGE_PAGE (UINT64_C(1) << 21)

/*
 * A process that reads what it writes has the file mapped twice. Some CPUs look up the L1 cache by
 * a hash of the virtual address: AMD's, of bits 12 to 27, miss whenever the line was last used
 * through the other mapping, which more than doubles the cost of a publish and a read. Addresses
 * that are equal modulo this value have equal hashes.
 */
#define CONGRUENCE (UINT64_C(1) << 28)

/* An address for a second mapping of the file: below the first, at the nearest or one of the next
 * free places. */
static void *address_near(const unsigned char *twin, size_t size, unsigned int tries)
{
    const uint64_t step = (size + CONGRUENCE - 1) / CONGRUENCE * CONGRUENCE;

    return (void *)((uintptr_t)twin - (tries + 1) * step);
}

/* An address, a multiple of a huge page, with that many free bytes; NULL: any. */
static void *address_aligned(size_t size)
{
    void *space;

    if (size < HUGE_PAGE)
        return NULL;
    space = mmap(NULL, size + HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (space == MAP_FAILED)
        return NULL;
    munmap(space, size + HUGE_PAGE);
    return (void *)(((uintptr_t)space + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
}

/* The address is a hint: if it is in use, the kernel chooses another. */
static void *map_near_twin(const struct kymo_segment *segment, size_t size, int fd)
{
    const unsigned char *twin = kymo_fork_find(segment->device, segment->inode);

    for (unsigned int tries = 0; twin && tries < 16; tries++) {
        void *place = address_near(twin, size, tries);
        void *map = mmap(place, size, PROT_READ, MAP_SHARED, fd, 0);

        if (map == place || map == MAP_FAILED)
            return map;
        munmap(map, size);
    }
    return mmap(address_aligned(size), size, PROT_READ, MAP_SHARED, fd, 0);
}

/*
 * Readers map everything read-only (B: readers never modify a segment). The other roles map through
 * a second description, so that closing the lock's descriptor releases the lock; write only their
 * own pages; and set MADV_DONTFORK, since a child has neither the lock nor the right to write (H:
 * liveness by a kernel lock).
 */
static int map_file(struct kymo_segment *segment)
{
    const size_t size = segment->header.file_size;
    const int read_only = segment->role == KYMO_READING;
    int fd = read_only ? segment->fd : kymo_file_reopen(segment->fd, O_RDWR);
    uint64_t from, to;
    void *map;
    int error = 0;

    if (fd < 0)
        return fd;
    map = map_near_twin(segment, size, fd);
    if (map == MAP_FAILED)
        error = -errno;
    if (!read_only)
        close(fd);
    if (error)
        return error;
    segment->map = map;
    writable_pages(segment, &from, &to);
    if (!read_only && (mprotect(segment->map + from, to - from, PROT_READ | PROT_WRITE) != 0 ||
                       madvise(map, size, MADV_DONTFORK) != 0))
        return -errno;
    return 0;
}

/* Bytes of a record that are pixels. A frame may be larger than a record, or compressed; and a
 * file may declare a frame of any size (F: any content is handled safely). */
static uint32_t pixels_of(const struct kymo_header *header)
{
    const uint32_t frame = kymo_image_size(&header->geometry);

    return frame < header->size ? frame : header->size;
}

int kymo_mapping_open(struct kymo_segment **out, const char *name, struct kymo_file *file,
                      enum kymo_role role, struct kymo_ring *ring)
{
    struct kymo_segment *segment = calloc(1, sizeof(*segment));
    int error;

    if (!segment) {
        kymo_file_close(file);
        return -ENOMEM;
    }
    memcpy(segment->name, name, strlen(name) + 1);
    segment->header = file->header;
    segment->fields = file->fields;
    segment->schema =
        (struct kymo_schema){file->fields, file->header.field_count, file->header.schema_size};
    if (file->header.field_count == 0)
        segment->schema.size = pixels_of(&file->header);
    segment->device = (uint64_t)file->status.st_dev;
    segment->inode = (uint64_t)file->status.st_ino;
    segment->fd = file->fd;
    segment->role = role;
    segment->is_of_other_boot = kymo_layout_is_of_other_boot(&file->header);
    segment->ring = ring;
    file->fd = -1;
    file->fields = NULL;
    error = map_file(segment);
    if (error) {
        kymo_mapping_close(segment);
        return error;
    }
    locate_ring(ring, &segment->header, segment->map);
    segment->guard = kymo_guard_add(segment->map, segment->header.file_size, role != KYMO_READING,
                                    &ring->damaged);
    *out = segment;
    return 0;
}

void kymo_mapping_close(struct kymo_segment *segment)
{
    kymo_guard_drop(segment->guard);
    kymo_guard_drop(segment->bell_guard);
    if (segment->bell)
        munmap(segment->bell, segment->header.page_size);
    /* In a forked child these addresses may belong to another mapping. */
    if (segment->map && !segment->orphan)
        munmap(segment->map, segment->header.file_size);
    /* Last: the lock must be held as long as the mapping is writable. */
    if (segment->role == KYMO_READING)
        close(segment->fd);
    else
        kymo_fork_forget(segment);
    free(segment->fields);
    free(segment);
}

/* ---- the bell's page ---- */

/* The page of a complete file is not touched, also not its times (B: readers never modify a segment). */
static int fill_hole(int fd, uint64_t offset, size_t size)
{
    return lseek(fd, (off_t)offset, SEEK_DATA) == (off_t)offset
               ? 0
               : kymo_file_allocate(fd, FALLOC_FL_KEEP_SIZE, offset, size);
}

/* Maps it writable if the file's permissions allow; opening changes nothing in the segment. */
static void map_bell(struct kymo_segment *segment)
{
    const size_t page = segment->header.page_size;
    int fd = kymo_file_reopen(segment->fd, O_RDWR);
    void *map;

    if (fd < 0)
        return;
    map = fill_hole(fd, segment->header.bell_offset, page) == 0
              ? mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                     (off_t)segment->header.bell_offset)
              : MAP_FAILED;
    close(fd);
    if (map == MAP_FAILED)
        return;
    segment->bell_guard = kymo_guard_add(map, page, 1, &segment->ring->damaged);
    segment->bell = map;
}

struct kymo_bell *kymo_mapping_bell(struct kymo_segment *segment, int *may_write)
{
    struct kymo_bell *bell;

    /* BELL-3 (acquire load): the mark before the result of the attempt. Only a reader's first wait
     * takes the lock: a thread that opens a segment may hold it longer than a deadline (E: bounded
     * waits). */
    if (!kymo_load_acquire32(&segment->bell_tried)) {
        kymo_library_lock();
        if (!kymo_load_relaxed32(&segment->bell_tried))
            map_bell(segment);
        /* BELL-3 (release store): the result of the attempt before the mark. */
        kymo_store_release32(&segment->bell_tried, 1);
        kymo_library_unlock();
    }
    bell = segment->bell;
    *may_write = bell != NULL;
    return bell ? bell : (void *)(segment->map + segment->header.bell_offset);
}

/* ---- retiring ---- */

void kymo_mapping_end(unsigned char *map, const struct kymo_header *header)
{
    struct kymo_control *control = (void *)(map + header->control_offset);

    /* BELL-2 (store, before the ordered exchange in the ring): a waiter that loads the bell's word
     * after the ring sees the state, and one that loaded it before is woken. STATE-2 (release
     * store): every record before the end; those of a dead writer came before its lock was
     * released. Pairs with kymo_ring_is_over. */
    kymo_store_release32(&control->state, KYMO_RETIRED);
    KYMO_TESTPOINT(RETIRED);
    kymo_bell_ring((void *)(map + header->bell_offset));
    if (header->consumer_bell_offset)
        kymo_bell_ring((void *)(map + header->consumer_bell_offset));
}

int kymo_retirement_begin(struct kymo_retirement *retirement, const struct kymo_file *file)
{
    const size_t size = file->header.times_offset;
    unsigned char *map;
    int error = kymo_file_allocate(file->fd, FALLOC_FL_KEEP_SIZE, 0, size);

    *retirement = (struct kymo_retirement){.size = size, .header = file->header};
    /* A file with holes on a full file system may be removed, which gives memory back. */
    if (error == -ENOSPC)
        return 0;
    if (error)
        return error;
    map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    retirement->map = map;
    /* A process with write permission may truncate the file concurrently; its readers then detect
     * the truncation. */
    retirement->guard = kymo_guard_add(map, size, 1, &retirement->damaged);
    return 0;
}

void kymo_retirement_commit(const struct kymo_retirement *retirement)
{
    if (retirement->map)
        kymo_mapping_end(retirement->map, &retirement->header);
}

void kymo_retirement_end(struct kymo_retirement *retirement)
{
    kymo_guard_drop(retirement->guard);
    if (retirement->map)
        munmap(retirement->map, retirement->size);
}
