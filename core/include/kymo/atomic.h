/*
 * atomic.h - the one place that names a memory order: loads, stores, fences and the payload copy.
 *
 * Everything above this header says what it orders and never how. Three builds stand behind the
 * same names: the plain one; one for thread sanitizers, which know orderings but not fences; and
 * one that a test supplies through KYMO_ATOMIC_SEAM, which may schedule, count or weaken each of
 * these operations.
 *
 * All shared words are plain integers, aligned to their size, reached only through these functions.
 */
#ifndef KYMO_ATOMIC_H
#define KYMO_ATOMIC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* inline.c compiles every inline body once more as a real symbol, for bindings. */
#ifndef KYMO_INLINE
#define KYMO_INLINE static inline
#endif

#define KYMO_LIKELY(condition)   __builtin_expect(!!(condition), 1)
#define KYMO_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/*
 * A place where a test may stop, kill or count a process: always right after a side effect that
 * another process can see. Empty unless a test defines it; the layout never changes.
 */
#ifndef KYMO_TESTPOINT
#define KYMO_TESTPOINT(name) ((void)0)
#endif

#if defined(__SANITIZE_THREAD__)
#define KYMO_IMPL_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KYMO_IMPL_TSAN 1
#endif
#endif
#ifndef KYMO_IMPL_TSAN
#define KYMO_IMPL_TSAN 0
#endif

#ifdef KYMO_ATOMIC_SEAM
#include KYMO_ATOMIC_SEAM
#else

/* Where fences are missing, the accesses that they order carry the ordering themselves. */
#if KYMO_IMPL_TSAN
#define KYMO_IMPL_LOAD_FENCED  __ATOMIC_ACQUIRE
#define KYMO_IMPL_STORE_FENCED __ATOMIC_RELEASE
#else
#define KYMO_IMPL_LOAD_FENCED  __ATOMIC_RELAXED
#define KYMO_IMPL_STORE_FENCED __ATOMIC_RELAXED
#endif

static inline uint64_t kymo_load_relaxed(const uint64_t *word)
{
    return __atomic_load_n(word, KYMO_IMPL_LOAD_FENCED);
}

static inline uint64_t kymo_load_acquire(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline uint64_t kymo_load_ordered(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline void kymo_store_relaxed(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, KYMO_IMPL_STORE_FENCED);
}

static inline void kymo_store_release(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* A release store that is also ordered before every later kymo_load_ordered32. */
static inline void kymo_store_ordered(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static inline uint32_t kymo_load_relaxed32(const uint32_t *word)
{
    return __atomic_load_n(word, KYMO_IMPL_LOAD_FENCED);
}

static inline uint32_t kymo_load_acquire32(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline uint32_t kymo_load_ordered32(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline void kymo_store_relaxed32(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, KYMO_IMPL_STORE_FENCED);
}

static inline void kymo_store_release32(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline uint32_t kymo_fetch_or_ordered32(uint32_t *word, uint32_t bits)
{
    return __atomic_fetch_or(word, bits, __ATOMIC_SEQ_CST);
}

static inline uint32_t kymo_fetch_add_ordered32(uint32_t *word, uint32_t value)
{
    return __atomic_fetch_add(word, value, __ATOMIC_SEQ_CST);
}

static inline uint64_t kymo_fetch_add_relaxed(uint64_t *word, uint64_t value)
{
    return __atomic_fetch_add(word, value, __ATOMIC_RELAXED);
}

/* Returns 1 and stores `desired` where the word held `expected`, else 0. Fully ordered. */
static inline int kymo_compare_exchange_ordered32(uint32_t *word, uint32_t expected,
                                                  uint32_t desired)
{
    return __atomic_compare_exchange_n(word, &expected, desired, 0, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

#if !KYMO_IMPL_TSAN

static inline void kymo_fence_release(void)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline void kymo_fence_acquire(void)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
}

/* gcc copies 257 to 8192 constant bytes by `rep movs`, which takes 20 ns to begin with; memcpy does
 * not. It is called where the size is no constant. */
static inline size_t kymo_impl_copy_size(size_t size)
{
#if defined(__x86_64__)
    if (__builtin_constant_p(size) && size > 256)
        __asm__("" : "+r"(size));
#endif
    return size;
}

/*
 * memcpy, of a few kilobytes in parts of two: glibc leaves larger ones to `rep movsb` where the
 * processor says that it is quick at that, and on some it is not quite as quick as vectors are. Copies
 * that leave the near caches take the same both ways.
 */
static inline void kymo_impl_copy_bytes(void *to, const void *from, size_t size)
{
#if defined(__x86_64__)
    const size_t part = 2048, limit = 16384;

    if (KYMO_UNLIKELY(size > part && size <= limit)) {
        unsigned char *next = (unsigned char *)to;
        const unsigned char *rest = (const unsigned char *)from;

        for (; size > part; size -= part, next += part, rest += part)
            memcpy(next, rest, kymo_impl_copy_size(part));
        to = next;
        from = rest;
    }
#endif
    memcpy(to, from, kymo_impl_copy_size(size));
}

/*
 * The payload copy races by design: a reader may copy while the writer overwrites, and finds out
 * afterwards (Boehm 2012, "Can seqlocks get along with programming language memory models?";
 * WG21 P1478). C11 has no name for such a copy, so it happens here and nowhere else: memcpy between
 * two fences, which order the bytes on every target that we build for. A small constant `size` is
 * compiled into a few moves.
 */
static inline void kymo_copy_in(void *shared, const void *data, size_t size)
{
    kymo_impl_copy_bytes(shared, data, size);
}

static inline void kymo_copy_out(void *data, const void *shared, size_t size)
{
    kymo_impl_copy_bytes(data, shared, size);
}

#else /* KYMO_IMPL_TSAN: the fences become an ordering on each word of the payload */

static inline void kymo_fence_release(void)
{
}

static inline void kymo_fence_acquire(void)
{
}

/* Slots and payloads begin on 8 bytes, so whole words are aligned; the tail goes byte by byte. */
static inline void kymo_copy_in(void *shared, const void *data, size_t size)
{
    uint64_t *word = (uint64_t *)shared;
    const unsigned char *from = (const unsigned char *)data;
    uint64_t value;

    for (; size >= 8; size -= 8, from += 8) {
        memcpy(&value, from, 8);
        __atomic_store_n(word++, value, __ATOMIC_RELEASE);
    }
    for (unsigned char *byte = (unsigned char *)word; size > 0; size--)
        __atomic_store_n(byte++, *from++, __ATOMIC_RELEASE);
}

static inline void kymo_copy_out(void *data, const void *shared, size_t size)
{
    const uint64_t *word = (const uint64_t *)shared;
    unsigned char *to = (unsigned char *)data;
    uint64_t value;

    for (; size >= 8; size -= 8, to += 8) {
        value = __atomic_load_n(word++, __ATOMIC_ACQUIRE);
        memcpy(to, &value, 8);
    }
    for (const unsigned char *byte = (const unsigned char *)word; size > 0; size--)
        *to++ = __atomic_load_n(byte++, __ATOMIC_ACQUIRE);
}

#endif /* KYMO_IMPL_TSAN */
#endif /* KYMO_ATOMIC_SEAM */

#endif
