/*
 * atomic.h - loads, stores, fences and the payload copy on shared memory: the only file of the
 * library that names a memory order.
 *
 *     #include <kymo/atomic.h>
 *
 *     uint64_t count_event(uint64_t *events)
 *     {
 *         return kymo_fetch_add_relaxed(events, 1) + 1;
 *     }
 *
 * Shared words are plain integers, aligned to their size, and accessed only by these functions. The
 * suffix states the ordering: relaxed (none), acquire (before all later accesses), release (after
 * all earlier ones), ordered (sequentially consistent among all `ordered` operations). 32 as the
 * last part of a name: a uint32_t, else a uint64_t.
 *
 * There are three builds: the plain one; one for thread sanitizers (KYMO_TSAN is 1), which model
 * orderings but not fences; and one that a test provides through KYMO_ATOMIC_SEAM, to schedule,
 * count or weaken each operation.
 *
 * Promises (A to K): kymo(7). Proofs of the orderings: core/ORDERING.md.
 */
#ifndef KYMO_ATOMIC_H
#define KYMO_ATOMIC_H

#include <kymo/impl/compiler.h>

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef KYMO_ATOMIC_SEAM
#include KYMO_ATOMIC_SEAM
#else

/* Without fences, the accesses that they order carry the ordering themselves. */
#if KYMO_TSAN
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

/* A release store that is also ordered before every later kymo_load_ordered and _ordered32. */
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

/*
 * Behind a release fence, orders later non-temporal stores as that fence orders others; in front of
 * a release store, earlier ones. Only x86-64 exempts them from its orderings. For memory that the
 * caller writes, by instructions of its choice (kymo_ring_loan).
 */
static inline void kymo_fence_stores(void)
{
#if defined(__x86_64__)
    __asm__ volatile("sfence" ::: "memory");
#endif
}

/* Stores `desired` and returns 1 if the word held `expected`, else returns 0. Fully ordered. */
static inline int kymo_compare_exchange_ordered32(uint32_t *word, uint32_t expected,
                                                  uint32_t desired)
{
    return __atomic_compare_exchange_n(word, &expected, desired, 0, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

#if !KYMO_TSAN

#include <kymo/impl/copy.h>

static inline void kymo_fence_release(void)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline void kymo_fence_acquire(void)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
}

/*
 * Copies a payload into and out of shared memory. The copy is a data race by design: a reader may
 * copy while the writer overwrites, and detects it afterwards (Boehm 2012, "Can seqlocks get along
 * with programming language memory models?"; WG21 P1478). C11 has no such operation, so these two
 * functions are the only ones that do it: memcpy between two fences, which order the bytes on every
 * supported target. A small constant `size` compiles to a few moves. Fences of its own surround a
 * copy that memcpy may make with non-temporal stores.
 */
static inline void kymo_copy_in(void *shared, const void *data, size_t size)
{
#if defined(__x86_64__)
    if (KYMO_UNLIKELY(size > KYMO_IMPL_COPY_LIMIT)) {
        kymo_fence_stores();
        memcpy(shared, data, kymo_impl_copy_size(size));
        kymo_fence_stores();
        return;
    }
#endif
    kymo_impl_copy_bytes(shared, data, size);
}

static inline void kymo_copy_out(void *data, const void *shared, size_t size)
{
    kymo_impl_copy_bytes(data, shared, size);
}

#else /* KYMO_TSAN: each word of the payload carries the ordering of the fences */

static inline void kymo_fence_release(void)
{
}

static inline void kymo_fence_acquire(void)
{
}

/* Slots and payloads are aligned to 8 bytes, so whole words are aligned; the rest is copied byte by
 * byte. */
static inline void kymo_copy_in(void *shared, const void *data, size_t size)
{
    uint64_t *word = KYMO_IMPL_CAST(uint64_t *, shared);
    const unsigned char *from = KYMO_IMPL_CAST(const unsigned char *, data);
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
    const uint64_t *word = KYMO_IMPL_CAST(const uint64_t *, shared);
    unsigned char *to = KYMO_IMPL_CAST(unsigned char *, data);
    uint64_t value;

    for (; size >= 8; size -= 8, to += 8) {
        value = __atomic_load_n(word++, __ATOMIC_ACQUIRE);
        memcpy(to, &value, 8);
    }
    for (const unsigned char *byte = (const unsigned char *)word; size > 0; size--)
        *to++ = __atomic_load_n(byte++, __ATOMIC_ACQUIRE);
}

#endif /* KYMO_TSAN */
#endif /* KYMO_ATOMIC_SEAM */

#endif
