/*
 * explored_plain.c - the plain accesses of the library, reported by the instrumentation of -fsanitize=thread: this file replaces the sanitizer's runtime. None may race, and none may touch a shared word.
 */
#include <stddef.h>
#include <stdint.h>

#include "explore.h"

#define REPORTS(name, parameters, body) \
    void __tsan_##name parameters;      \
    void __tsan_##name parameters body

#define ACCESS(name, size, stores) \
    REPORTS(name, (void *memory), { explore_plain_touch(memory, size, stores); })

#define ACCESSES(size)                    \
    ACCESS(read##size, size, 0)           \
    ACCESS(write##size, size, 1)          \
    ACCESS(unaligned_read##size, size, 0) \
    ACCESS(unaligned_write##size, size, 1)

ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

REPORTS(read_range, (void *memory, size_t size), { explore_plain_touch(memory, size, 0); })
REPORTS(write_range, (void *memory, size_t size), { explore_plain_touch(memory, size, 1); })

REPORTS(init, (void), {})
REPORTS(func_entry, (void *caller), { (void)caller; })
REPORTS(func_exit, (void), {})

/* Called by clang's instrumentation instead of the C library. */
void *__tsan_memcpy(void *to, const void *from, size_t size);
void *__tsan_memmove(void *to, const void *from, size_t size);
void *__tsan_memset(void *to, int value, size_t size);

void *__tsan_memcpy(void *to, const void *from, size_t size)
{
    return __tsan_memmove(to, from, size);
}

void *__tsan_memmove(void *to, const void *from, size_t size)
{
    explore_plain_touch(from, size, 0);
    explore_plain_touch(to, size, 1);
    return __builtin_memmove(to, from, size);
}

void *__tsan_memset(void *to, int value, size_t size)
{
    explore_plain_touch(to, size, 1);
    return __builtin_memset(to, value, size);
}
