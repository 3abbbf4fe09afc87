/*
 * copy.h - memcpy for payloads, without the cases in which compilers and glibc are slow.
 */
#ifndef KYMO_IMPL_COPY_H
#define KYMO_IMPL_COPY_H

#include <kymo/impl/compiler.h>

#include <stddef.h>
#include <string.h>

/* gcc copies 257 to 8192 constant bytes with `rep movs`, which takes 20 ns to start. Hide the
 * constant, so that it calls memcpy instead. */
static inline size_t kymo_impl_copy_size(size_t size)
{
#if defined(__x86_64__)
    if (__builtin_constant_p(size) && size > 256)
        __asm__("" : "+r"(size));
#endif
    return size;
}

/*
 * memcpy, in parts of 2 KiB for sizes from 2 to 16 KiB: glibc uses `rep movsb` for larger sizes
 * where the CPU reports that it is fast, and on some CPUs vector moves are faster. Copies that do
 * not fit the near caches take the same time with both.
 */
static inline void kymo_impl_copy_bytes(void *to, const void *from, size_t size)
{
#if defined(__x86_64__)
    const size_t part = 2048, limit = 16384;

    if (KYMO_UNLIKELY(size > part && size <= limit)) {
        unsigned char *next = KYMO_IMPL_CAST(unsigned char *, to);
        const unsigned char *rest = KYMO_IMPL_CAST(const unsigned char *, from);

        for (; size > part; size -= part, next += part, rest += part)
            memcpy(next, rest, kymo_impl_copy_size(part));
        to = next;
        from = rest;
    }
#endif
    memcpy(to, from, kymo_impl_copy_size(size));
}

#endif
