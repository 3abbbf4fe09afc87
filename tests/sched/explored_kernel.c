/*
 * explored_kernel.c - system calls as the threads of a scenario see them: a futex by the book, memory
 * that is already there. The linker is told to --wrap each.
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

void *explored_map;

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t size);
int __wrap_munmap(void *at, size_t size);
struct kymo_guard_entry *__real_kymo_guard_add(const void *map, size_t size, int writable,
                                               uint32_t *damaged);
struct kymo_guard_entry *__wrap_kymo_guard_add(const void *map, size_t size, int writable,
                                               uint32_t *damaged);

/* No sleep ends by itself: who is not woken has been forgotten. */
static long futex(const uint32_t *word, int operation, uint32_t value)
{
    if ((operation & FUTEX_CMD_MASK) == FUTEX_WAKE) {
        explore_futex_wake(word, (int)value);
        return 0;
    }
    if (explore_futex_wait(word, value) == 0)
        return 0;
    errno = EAGAIN;
    return -1;
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
    return __real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                          arguments[4], arguments[5]);
}

/* Everybody lives, and holds what they hold. An execution may be given up with such a lock in hand,
 * so none is really taken. */
int __wrap_fcntl(int fd, int command, ...)
{
    struct flock *lock;
    va_list list;

    va_start(list, command);
    lock = va_arg(list, struct flock *);
    va_end(list);
    if (!explore_is_running())
        return __real_fcntl(fd, command, lock);
    if (command == F_OFD_GETLK)
        lock->l_type = F_WRLCK;
    return 0;
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (explore_is_running())
        return explored_map;
    return __real_mmap(at, size, protection, flags, fd, offset);
}

int __wrap_munmap(void *at, size_t size)
{
    return explore_is_running() ? 0 : __real_munmap(at, size);
}

/* Memory that is already there is guarded as well. */
struct kymo_guard_entry *__wrap_kymo_guard_add(const void *map, size_t size, int writable,
                                               uint32_t *damaged)
{
    if (explore_is_running())
        return NULL;
    return __real_kymo_guard_add(map, size, writable, damaged);
}
