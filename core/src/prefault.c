/*
 * prefault.c - pages mapped, locked and made huge ahead of time, and what the kernel granted.
 */
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* The number of "Name:   123 kB" in bytes, if the line has that name. */
static uint64_t read_number(const char *line, const char *name)
{
    const size_t len = strlen(name);

    return strncmp(line, name, len) == 0 ? strtoull(line + len, NULL, 10) * 1024 : 0;
}

/* Sums the kernel's figures for the parts of this mapping, which its page groups have split. */
static void read_residence(const struct kymo_segment *segment, struct kymo_residence *residence)
{
    const uint64_t begin = (uint64_t)(uintptr_t)segment->map;
    const uint64_t end = begin + segment->header.file_size;
    const int fd = kymo_descriptor(open("/proc/self/smaps", O_RDONLY | O_CLOEXEC));
    FILE *smaps = fd >= 0 ? fdopen(fd, "r") : NULL;
    unsigned long from, to;
    uint64_t part = 0;
    char line[512];
    int ours = 0;

    if (!smaps) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while (fgets(line, sizeof(line), smaps)) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            ours = from >= begin && to <= end;
        if (!ours)
            continue;
        if (strncmp(line, "Rss:", 4) == 0) {
            part = read_number(line, "Rss:");
            residence->resident += part;
        }
        residence->huge +=
            read_number(line, "ShmemPmdMapped:") + read_number(line, "FilePmdMapped:");
        /* "Locked:" is the proportional share of each page; the flag is about the whole mapping. */
        if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " lo"))
            residence->locked += part;
    }
    fclose(smaps);
}

/* A read is enough for a reader; a writer's first store to a page would fault again. */
static int populate(struct kymo_segment *segment)
{
    const size_t size = segment->header.file_size;
    const size_t own = segment->header.control_offset;

    if (madvise(segment->map, size, MADV_POPULATE_READ) != 0)
        return 0;
    return segment->role != KYMO_WRITING ||
           madvise(segment->map + own, size - own, MADV_POPULATE_WRITE) == 0;
}

#define HUGE_PAGE (UINT64_C(1) << 21)

/*
 * madvise(MADV_HUGEPAGE) affects pages allocated later, and a segment's are allocated at creation:
 * collapse the existing ones into huge pages. The first huge page is collapsed separately: a
 * writer's mapping contains a read-only page there, so that it can't be huge. Before Linux 6.1
 * khugepaged does it in the background.
 */
static int make_huge(struct kymo_segment *segment)
{
    const size_t size = segment->header.file_size;

    if (madvise(segment->map, size, MADV_HUGEPAGE) != 0)
        return 0;
    if (size >= HUGE_PAGE)
        madvise(segment->map, HUGE_PAGE, MADV_COLLAPSE);
    if (size >= 2 * HUGE_PAGE)
        madvise(segment->map + HUGE_PAGE, size - HUGE_PAGE, MADV_COLLAPSE);
    return 1;
}

int kymo_segment_prefault(struct kymo_segment *segment, unsigned int wanted,
                          struct kymo_residence *residence)
{
    const size_t size = segment->header.file_size;
    unsigned int granted = 0;

    if (wanted & ~(unsigned int)(KYMO_PREFAULT | KYMO_HUGE_PAGES | KYMO_LOCKED))
        return -EINVAL;
    if (segment->orphan)
        return -EPERM;
    if (wanted & KYMO_HUGE_PAGES && make_huge(segment))
        granted |= KYMO_HUGE_PAGES;
    if (wanted & KYMO_PREFAULT && populate(segment))
        granted |= KYMO_PREFAULT;
    if (wanted & KYMO_LOCKED && mlock(segment->map, size) == 0)
        granted |= KYMO_LOCKED;
    if (residence) {
        *residence = (struct kymo_residence){.mapped = size};
        read_residence(segment, residence);
    }
    return (int)granted;
}
