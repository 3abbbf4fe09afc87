/*
 * mapping.c - a checked file in memory: which pages may be written, by whom, and for how long.
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

/* The first page that this role may write, and the first behind them. */
static void writable_pages(const struct kymo_segment *segment, uint64_t *from, uint64_t *to)
{
    const struct kymo_header *header = &segment->header;

    *from = *to = 0;
    if (segment->role == KYMO_WRITING) {
        *from = header->control_offset;
        *to = header->file_size;
    } else if (segment->role == KYMO_CONSUMING) {
        /* Its own page, between the two bells. */
        *from = header->bell_offset;
        *to = header->times_offset;
    }
}

/* A file with room for huge pages begins on one, so that it can get them (prefault.c). */
#define HUGE_PAGE (UINT64_C(1) << 21)

/*
 * A process that reads what it writes has the file mapped twice, and some processors look for a line
 * in their first-level cache by a hash of its virtual address: AMD's, of bits 12 to 27, miss whenever
 * the line was last used through the other mapping, which more than doubles what a publish and a read
 * take. Addresses that are equal modulo this have equal hashes.
 */
#define CONGRUENCE (UINT64_C(1) << 28)

/* Where to map a file beside its twin: below, the highest place or one of the next. */
static void *place_beside(const unsigned char *twin, size_t size, unsigned int tries)
{
    const uint64_t step = (size + CONGRUENCE - 1) / CONGRUENCE * CONGRUENCE;

    return (void *)((uintptr_t)twin - (tries + 1) * step);
}

/* A multiple of a huge page where that many bytes are free; NULL: anywhere. */
static void *place_aligned(size_t size)
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

/* A place is a wish: where somebody else has it, the kernel finds another. */
static void *map_somewhere(const struct kymo_segment *segment, size_t size, int fd)
{
    const unsigned char *twin = kymo_fork_find(segment->device, segment->inode);

    for (unsigned int tries = 0; twin && tries < 16; tries++) {
        void *place = place_beside(twin, size, tries);
        void *map = mmap(place, size, PROT_READ, MAP_SHARED, fd, 0);

        if (map == place || map == MAP_FAILED)
            return map;
        munmap(map, size);
    }
    return mmap(place_aligned(size), size, PROT_READ, MAP_SHARED, fd, 0);
}

/*
 * Readers map everything read-only (promise B). The others map through a description of their own,
 * so that closing the lock's descriptor releases the lock, write no page that is not theirs, and
 * give the mapping to no child: it would hold neither lock nor right (promise H).
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
    map = map_somewhere(segment, size, fd);
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

/* Bytes of a record that are pixels. Whole frames may be larger, of which records then hold a part,
 * or which they hold in few bytes; and a stranger's may be of any size (promise F). */
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
    /* In a forked child those addresses may be somebody else's by now. */
    if (segment->map && !segment->orphan)
        munmap(segment->map, segment->header.file_size);
    /* Last: as long as the mapping may be written, the lock has to stand. */
    if (segment->role == KYMO_READING)
        close(segment->fd);
    else
        kymo_fork_forget(segment);
    free(segment->fields);
    free(segment);
}

/* ---- the bell's page ---- */

/* Maps it writable where the file's permissions allow; opening changes nothing in the segment. */
static void map_bell(struct kymo_segment *segment)
{
    const size_t page = segment->header.page_size;
    int fd = kymo_file_reopen(segment->fd, O_RDWR);
    void *map;

    if (fd < 0)
        return;
    map = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
               (off_t)segment->header.bell_offset);
    close(fd);
    if (map == MAP_FAILED)
        return;
    segment->bell_guard = kymo_guard_add(map, page, 1, &segment->ring->damaged);
    segment->bell = map;
}

struct kymo_bell *kymo_mapping_bell(struct kymo_segment *segment, int *may_write)
{
    struct kymo_bell *bell;

    /* BELL-3 (acquire load): that it was tried before what came of it. Only a reader's first wait
     * takes the lock: whoever opens a segment may have it for longer than a deadline (promise E). */
    if (!kymo_load_acquire32(&segment->bell_tried)) {
        kymo_library_lock();
        if (!kymo_load_relaxed32(&segment->bell_tried))
            map_bell(segment);
        /* BELL-3 (release store): what came of it before that it was tried. */
        kymo_store_release32(&segment->bell_tried, 1);
        kymo_library_unlock();
    }
    bell = segment->bell;
    *may_write = bell != NULL;
    return bell ? bell : (void *)(segment->map + segment->header.bell_offset);
}

/* ---- retiring ---- */

int kymo_mapping_retire(const struct kymo_file *file)
{
    const struct kymo_header *header = &file->header;
    const size_t size = header->times_offset;
    unsigned char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
    struct kymo_guard_entry *guard;
    struct kymo_control *control;
    uint32_t damaged = 0;

    if (map == MAP_FAILED)
        return -errno;
    /* Whoever may write the file may cut it short under us; its readers then find out by that. */
    guard = kymo_guard_add(map, size, 1, &damaged);
    control = (void *)(map + header->control_offset);
    /* BELL-2 (store, before the ordered exchange in the ring): whoever takes the bell's word after
     * the ring sees the state, and whoever took it before is woken. STATE-2 (release store): every
     * record before the end; those of a dead writer came before its lock. Pairs with
     * kymo_ring_is_over. */
    kymo_store_release32(&control->state, KYMO_RETIRED);
    KYMO_TESTPOINT(RETIRED);
    kymo_bell_ring((void *)(map + header->bell_offset));
    if (header->consumer_bell_offset)
        kymo_bell_ring((void *)(map + header->consumer_bell_offset));
    kymo_guard_drop(guard);
    munmap(map, size);
    return 0;
}
