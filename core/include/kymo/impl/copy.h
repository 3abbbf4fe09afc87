/*
 * copy.h - memcpy for payloads, without the cases in which compilers and glibc are slow.
 */
#ifndef KYMO_IMPL_COPY_H
#define KYMO_IMPL_COPY_H

#include <kymo/impl/compiler.h>

#include <stddef.h>
#include <string.h>

/* gcc copies 257 to 8192 constant bytes with `rep movs`, which takes 20 ns to start, and a variable
 * number below a known limit with a loop of moves. Hide these sizes, so that it calls memcpy. */
static inline size_t kymo_impl_copy_size(size_t size)
{
#if defined(__x86_64__)
    if (!__builtin_constant_p(size) || size > 256)
        __asm__("" : "+r"(size));
#endif
    return size;
}

/* Copies up to this size are made in parts. For larger ones memcpy may use non-temporal stores:
 * glibc's threshold for these (glibc.cpu.x86_non_temporal_threshold) is 16,448 bytes at least. */
#define KYMO_IMPL_COPY_LIMIT 16384

/*
 * memcpy, in parts of 2 KiB for sizes from 2 to 16 KiB: glibc uses `rep movsb` for larger sizes
 * where the CPU reports that it is fast, and on some CPUs vector moves are faster. Copies that do
 * not fit the near caches take the same time with both.
 */
static inline void kymo_impl_copy_bytes(void *to, const void *from, size_t size)
{
#if defined(__x86_64__)
    const size_t part = 2048, limit = KYMO_IMPL_COPY_LIMIT;

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
