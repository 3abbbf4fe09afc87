/*
 * explored_kernel.c - models of the system calls of a scenario's threads: futex, memory that is mapped already, locks on bytes that end with their owner. Each is wrapped by the linker.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "explored.h"

unsigned char *explored_map;
struct explored_handle explored_handles[EXPLORE_THREADS];

#define WRAPPED(type, name, ...)     \
    type __real_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__)

WRAPPED(long, syscall, long number, ...);
WRAPPED(int, fcntl, int fd, int command, ...);
WRAPPED(void *, mmap, void *at, size_t size, int protection, int flags, int fd, off_t offset);
WRAPPED(int, munmap, void *at, size_t size);
WRAPPED(void *, aligned_alloc, size_t alignment, size_t size);
WRAPPED(void, free, void *memory);
WRAPPED(uint64_t, kymo_clock_now, enum kymo_clock clock);
WRAPPED(void, kymo_library_lock, void);
WRAPPED(void, kymo_library_unlock, void);
WRAPPED(void, kymo_fork_watch, struct kymo_segment *segment);
WRAPPED(struct kymo_guard_entry *, kymo_guard_add, const void *map, size_t size, int writable,
        uint32_t *damaged);
WRAPPED(int, kymo_mapping_open, struct kymo_segment **segment, const char *name,
        struct kymo_file *file, enum kymo_role role, struct kymo_ring *ring);
WRAPPED(void, kymo_mapping_close, struct kymo_segment *segment);

/* ---- sleeping ---- */

/* No sleep times out, unless a thread has crashed: a lost wake-up is an endless wait. */
static long futex_sleep(const struct explore_wait *futex_waits, int count)
{
    if (explore_futex_wait(futex_waits, count) == 0)
        return 0;
    errno = EAGAIN;
    return -1;
}

static long futex(const uint32_t *word, int operation, uint32_t value)
{
    const struct explore_wait wait = {word, value};

    if ((operation & FUTEX_CMD_MASK) != FUTEX_WAKE)
        return futex_sleep(&wait, 1);
    explore_futex_wake(word, (int)value);
    return 0;
}

static long futex_waitv(const struct futex_waitv *waiters, int count)
{
    struct explore_wait futex_waits[EXPLORE_FUTEX_WAITS];

    if (count > EXPLORE_FUTEX_WAITS)
        explore_fail("sleeps on %d words", count);
    for (int i = 0; i < count; i++)
        futex_waits[i] = (struct explore_wait){(const void *)(uintptr_t)waiters[i].uaddr,
                                               (uint32_t)waiters[i].val};
    return futex_sleep(futex_waits, count);
}

long __wrap_syscall(long number, ...)
{
    va_list list;
    long arguments[6];

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_futex && explore_is_running())
        return futex((const uint32_t *)arguments[0], (int)arguments[1], (uint32_t)arguments[2]);
    if (number == SYS_futex_waitv && explore_is_running())
        return futex_waitv((const struct futex_waitv *)arguments[0], (int)arguments[1]);
    return __real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                          arguments[4], arguments[5]);
}

/* ---- locks on bytes ---- */

#define BYTES     5
#define HOLDERS   8
#define EXCLUSIVE 0x80000000u /* with one holder's bit: an exclusive lock */

static struct {
    struct {
        uint64_t start;
        uint32_t word; /* the bits of its holders */
    } bytes[BYTES];
    int byte_count;
    int holders[HOLDERS]; /* descriptors */
    int holder_count;
    uint32_t library; /* 1: kymo_library_lock is held */
} kernel;

void explored_kernel_begin(void)
{
    memset(&kernel, 0, sizeof(kernel));
    explore_share(&kernel.library, sizeof(kernel.library));
    for (int i = 0; i < BYTES; i++)
        explore_share(&kernel.bytes[i].word, sizeof(kernel.bytes[i].word));
}

void explored_kernel_end(void)
{
    memset(&kernel, 0, sizeof(kernel));
}

static uint32_t *find_byte(uint64_t start)
{
    for (int i = 0; i < kernel.byte_count; i++)
        if (kernel.bytes[i].start == start)
            return &kernel.bytes[i].word;
    return NULL;
}

static uint32_t bit_of(int fd)
{
    for (int i = 0; i < kernel.holder_count; i++)
        if (kernel.holders[i] == fd)
            return 1u << i;
    return 0;
}

static uint32_t *add_byte(uint64_t start)
{
    uint32_t *word = find_byte(start);

    if (word)
        return word;
    if (kernel.byte_count == BYTES)
        explore_fail("too many bytes are locked");
    kernel.bytes[kernel.byte_count].start = start;
    return &kernel.bytes[kernel.byte_count++].word;
}

void explored_kernel_free(uint64_t start)
{
    *add_byte(start) = 0;
}

void explored_kernel_know(int fd)
{
    if (kernel.holder_count == HOLDERS)
        explore_fail("too many descriptors hold locks");
    kernel.holders[kernel.holder_count++] = fd;
}

void explored_kernel_lock(uint64_t start, int fd, int exclusive)
{
    *add_byte(start) |= bit_of(fd) | (exclusive ? EXCLUSIVE : 0);
}

static uint32_t lock_exclusive(uint32_t word, uint32_t mine)
{
    return word & ~EXCLUSIVE & ~mine ? word : EXCLUSIVE | mine;
}

static uint32_t lock_shared(uint32_t word, uint32_t mine)
{
    if (!(word & EXCLUSIVE))
        return word | mine;
    return word & mine ? mine : word;
}

static uint32_t unlock(uint32_t word, uint32_t mine)
{
    const uint32_t others = word & ~EXCLUSIVE & ~mine;

    return others ? word & ~mine : 0;
}

/* -1: another descriptor holds it. */
static int set_lock(uint32_t *word, int type, uint32_t mine)
{
    uint32_t old;

    if (type == F_UNLCK) {
        explore_kernel_rmw(word, unlock, mine);
        return 0;
    }
    if (!mine)
        explore_fail("an unknown descriptor locks");
    old = explore_kernel_rmw(word, type == F_RDLCK ? lock_shared : lock_exclusive, mine);
    if ((type == F_RDLCK ? lock_shared : lock_exclusive)(old, mine) & mine)
        return 0;
    errno = EAGAIN;
    return -1;
}

static uint32_t same(uint32_t word, uint32_t mine)
{
    (void)mine;
    return word;
}

/* A query by a descriptor that has locked a byte of the file takes the kernel's internal lock, so it is ordered; other queries may only acquire. */
static int is_locked(const uint32_t *word, int type, uint32_t mine)
{
    const uint32_t found = mine ? explore_kernel_rmw(word, same, 0) : explore_kernel_load(word);

    return (found & ~EXCLUSIVE & ~mine) != 0 && (type == F_WRLCK || (found & EXCLUSIVE) != 0);
}

/* Bytes that the scenario does not state count as locked by their owners. */
int __wrap_fcntl(int fd, int command, ...)
{
    struct flock *lock;
    uint32_t *word;
    va_list list;

    va_start(list, command);
    lock = va_arg(list, struct flock *);
    va_end(list);
    if (!explore_is_running())
        return __real_fcntl(fd, command, lock);
    word = find_byte((uint64_t)lock->l_start);
    if (command != F_OFD_GETLK)
        return word ? set_lock(word, lock->l_type, bit_of(fd)) : 0;
    lock->l_type = !word || is_locked(word, lock->l_type, bit_of(fd)) ? F_WRLCK : F_UNLCK;
    return 0;
}

void explored_kernel_await(uint64_t start)
{
    explore_await(find_byte(start));
}

/* Closes the descriptor, also after its owner's crash. */
void explored_kernel_close(int fd)
{
    for (int i = 0; i < kernel.byte_count; i++)
        if (explore_known(&kernel.bytes[i].word) & bit_of(fd))
            explore_kernel_rmw(&kernel.bytes[i].word, unlock, bit_of(fd));
}

/* ---- memory ---- */

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (explore_is_running())
        return explored_map + offset;
    return __real_mmap(at, size, protection, flags, fd, offset);
}

int __wrap_munmap(void *at, size_t size)
{
    return explore_is_running() ? 0 : __real_munmap(at, size);
}

/* An execution may end at any step, so each thread has static memory for its allocation. */
void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    static _Alignas(64) unsigned char rooms[EXPLORE_THREADS][256];

    if (!explore_is_running())
        return __real_aligned_alloc(alignment, size);
    if (size > sizeof(rooms[0]))
        explore_fail("allocates %d bytes", (int)size);
    return rooms[explore_thread()];
}

void __wrap_free(void *memory)
{
    if (!explore_is_running())
        __real_free(memory);
}

/* ---- state of the library that would outlast an execution ---- */

static uint32_t take(uint32_t word, uint32_t owner)
{
    return word ? word : owner;
}

static uint32_t release(uint32_t word, uint32_t owner)
{
    (void)word;
    (void)owner;
    return 0;
}

/* A mutex. */
void __wrap_kymo_library_lock(void)
{
    if (!explore_is_running()) {
        __real_kymo_library_lock();
        return;
    }
    while (explore_kernel_rmw(&kernel.library, take, 1) != 0)
        explore_await(&kernel.library);
}

void __wrap_kymo_library_unlock(void)
{
    if (explore_is_running())
        explore_kernel_rmw(&kernel.library, release, 1);
    else
        __real_kymo_library_unlock();
}

void __wrap_kymo_fork_watch(struct kymo_segment *segment)
{
    if (!explore_is_running())
        __real_kymo_fork_watch(segment);
}

/* A constant time. */
uint64_t __wrap_kymo_clock_now(enum kymo_clock clock)
{
    return explore_is_running() ? 1000000000 : __real_kymo_clock_now(clock);
}

/* The mapping is guarded already. */
struct kymo_guard_entry *__wrap_kymo_guard_add(const void *map, size_t size, int writable,
                                               uint32_t *damaged)
{
    if (explore_is_running())
        return NULL;
    return __real_kymo_guard_add(map, size, writable, damaged);
}

/* The handle was opened before the execution, and is not freed. */
int __wrap_kymo_mapping_open(struct kymo_segment **segment, const char *name,
                             struct kymo_file *file, enum kymo_role role, struct kymo_ring *ring)
{
    const struct explored_handle *handle;

    if (!explore_is_running())
        return __real_kymo_mapping_open(segment, name, file, role, ring);
    handle = &explored_handles[explore_thread()];
    *segment = handle->segment;
    *ring = *handle->ring;
    return 0;
}

void __wrap_kymo_mapping_close(struct kymo_segment *segment)
{
    if (explore_is_running())
        explored_kernel_close(segment->fd);
    else
        __real_kymo_mapping_close(segment);
}
