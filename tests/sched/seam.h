/*
 * seam.h - the atomics of <kymo/atomic.h>, each preceded by a step at which a test may switch to another coroutine.
 *
 * Included through KYMO_ATOMIC_SEAM by the test and its copy of the library. The operations are
 * those of atomic.h under other names: the order of steps is explored, not the strength of an
 * ordering. Copies are made word by word, so that they can be torn.
 */
#ifndef KYMO_TEST_SEAM_H
#define KYMO_TEST_SEAM_H

/* seam.c: called before each operation of this thread on shared memory, or NULL. */
extern _Thread_local void (*seam_hook)(void);

static inline void seam_step(void)
{
    if (seam_hook)
        seam_hook();
}

#define kymo_load_relaxed               plain_load_relaxed
#define kymo_load_acquire               plain_load_acquire
#define kymo_load_ordered               plain_load_ordered
#define kymo_store_relaxed              plain_store_relaxed
#define kymo_store_release              plain_store_release
#define kymo_store_ordered              plain_store_ordered
#define kymo_load_relaxed32             plain_load_relaxed32
#define kymo_load_acquire32             plain_load_acquire32
#define kymo_load_ordered32             plain_load_ordered32
#define kymo_store_relaxed32            plain_store_relaxed32
#define kymo_store_release32            plain_store_release32
#define kymo_fetch_or_ordered32         plain_fetch_or_ordered32
#define kymo_compare_exchange_ordered32 plain_compare_exchange_ordered32
#define kymo_copy_in                    plain_copy_in
#define kymo_copy_out                   plain_copy_out

/* The second inclusion defines the plain bodies. */
#undef KYMO_ATOMIC_SEAM
#undef KYMO_ATOMIC_H
#include <kymo/atomic.h>

#undef kymo_load_relaxed
#undef kymo_load_acquire
#undef kymo_load_ordered
#undef kymo_store_relaxed
#undef kymo_store_release
#undef kymo_store_ordered
#undef kymo_load_relaxed32
#undef kymo_load_acquire32
#undef kymo_load_ordered32
#undef kymo_store_relaxed32
#undef kymo_store_release32
#undef kymo_fetch_or_ordered32
#undef kymo_compare_exchange_ordered32
#undef kymo_copy_in
#undef kymo_copy_out

#define SEAM_LOAD(name, type)                        \
    static inline type kymo_##name(const type *word) \
    {                                                \
        seam_step();                                 \
        return plain_##name(word);                   \
    }

#define SEAM_STORE(name, type)                             \
    static inline void kymo_##name(type *word, type value) \
    {                                                      \
        seam_step();                                       \
        plain_##name(word, value);                         \
    }

SEAM_LOAD(load_relaxed, uint64_t)
SEAM_LOAD(load_acquire, uint64_t)
SEAM_LOAD(load_ordered, uint64_t)
SEAM_STORE(store_relaxed, uint64_t)
SEAM_STORE(store_release, uint64_t)
SEAM_STORE(store_ordered, uint64_t)
SEAM_LOAD(load_relaxed32, uint32_t)
SEAM_LOAD(load_acquire32, uint32_t)
SEAM_LOAD(load_ordered32, uint32_t)
SEAM_STORE(store_relaxed32, uint32_t)
SEAM_STORE(store_release32, uint32_t)

static inline uint32_t kymo_fetch_or_ordered32(uint32_t *word, uint32_t bits)
{
    seam_step();
    return plain_fetch_or_ordered32(word, bits);
}

static inline int kymo_compare_exchange_ordered32(uint32_t *word, uint32_t expected,
                                                  uint32_t desired)
{
    seam_step();
    return plain_compare_exchange_ordered32(word, expected, desired);
}

static inline void kymo_copy_in(void *shared, const void *data, size_t size)
{
    for (size_t done = 0; done < size; done += 8) {
        seam_step();
        plain_copy_in((unsigned char *)shared + done, (const unsigned char *)data + done,
                      size - done < 8 ? size - done : 8);
    }
}

static inline void kymo_copy_out(void *data, const void *shared, size_t size)
{
    for (size_t done = 0; done < size; done += 8) {
        seam_step();
        plain_copy_out((unsigned char *)data + done, (const unsigned char *)shared + done,
                       size - done < 8 ? size - done : 8);
    }
}

#endif
