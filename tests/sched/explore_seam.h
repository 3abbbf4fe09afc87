/*
 * explore_seam.h - the operations of <kymo/atomic.h>, passed to the explorer of explore.h with
 * their place in the source.
 */
#ifndef KYMO_TEST_EXPLORE_SEAM_H
#define KYMO_TEST_EXPLORE_SEAM_H

#include <string.h>

#include "explore.h"

#define EXPLORE_SITE(operation_, what_, order_)                              \
    (__extension__({                                                         \
        static struct explore_site explore_site_ = {.file = __FILE__,        \
                                                    .function = __func__,    \
                                                    .operation = operation_, \
                                                    .what = what_,           \
                                                    .line = __LINE__,        \
                                                    .order = order_,         \
                                                    .now = order_};          \
        &explore_site_;                                                      \
    }))

#define EXPLORE_LOAD(word, type, name, order) \
    ((type)explore_load(word, sizeof(type), EXPLORE_SITE(name, #word, order)))
#define EXPLORE_STORE(word, type, value, name, order) \
    explore_store(word, sizeof(type), value, EXPLORE_SITE(name, #word, order))
#define EXPLORE_CHANGE(word, type, change, expected, value, name, order)        \
    explore_change(word, sizeof(type), change, (type)(expected), (type)(value), \
                   EXPLORE_SITE(name, #word, order))

/* A function's result may be left unused. */
static inline uint32_t explore_narrow(uint64_t value)
{
    return (uint32_t)value;
}

#define kymo_load_relaxed(word)   EXPLORE_LOAD(word, uint64_t, "load_relaxed", EXPLORE_RELAXED)
#define kymo_load_acquire(word)   EXPLORE_LOAD(word, uint64_t, "load_acquire", EXPLORE_ACQUIRE)
#define kymo_load_ordered(word)   EXPLORE_LOAD(word, uint64_t, "load_ordered", EXPLORE_ORDERED)
#define kymo_load_relaxed32(word) EXPLORE_LOAD(word, uint32_t, "load_relaxed32", EXPLORE_RELAXED)
#define kymo_load_acquire32(word) EXPLORE_LOAD(word, uint32_t, "load_acquire32", EXPLORE_ACQUIRE)
#define kymo_load_ordered32(word) EXPLORE_LOAD(word, uint32_t, "load_ordered32", EXPLORE_ORDERED)

#define kymo_store_relaxed(word, value) \
    EXPLORE_STORE(word, uint64_t, value, "store_relaxed", EXPLORE_RELAXED)
#define kymo_store_release(word, value) \
    EXPLORE_STORE(word, uint64_t, value, "store_release", EXPLORE_RELEASE)
#define kymo_store_ordered(word, value) \
    EXPLORE_STORE(word, uint64_t, value, "store_ordered", EXPLORE_ORDERED)
#define kymo_store_relaxed32(word, value) \
    EXPLORE_STORE(word, uint32_t, value, "store_relaxed32", EXPLORE_RELAXED)
#define kymo_store_release32(word, value) \
    EXPLORE_STORE(word, uint32_t, value, "store_release32", EXPLORE_RELEASE)

#define kymo_fetch_or_ordered32(word, bits)                                                  \
    explore_narrow(EXPLORE_CHANGE(word, uint32_t, EXPLORE_OR, 0, bits, "fetch_or_ordered32", \
                                  EXPLORE_ORDERED))
#define kymo_fetch_add_ordered32(word, value)                                                   \
    explore_narrow(EXPLORE_CHANGE(word, uint32_t, EXPLORE_ADD, 0, value, "fetch_add_ordered32", \
                                  EXPLORE_ORDERED))
#define kymo_fetch_add_relaxed(word, value) \
    EXPLORE_CHANGE(word, uint64_t, EXPLORE_ADD, 0, value, "fetch_add_relaxed", EXPLORE_RELAXED)
#define kymo_compare_exchange_ordered32(word, expected, desired)         \
    (EXPLORE_CHANGE(word, uint32_t, EXPLORE_EXCHANGE, expected, desired, \
                    "compare_exchange_ordered32", EXPLORE_ORDERED) == (expected))

#define kymo_fence_release() explore_fence(EXPLORE_SITE("fence_release", "", EXPLORE_RELEASE))
#define kymo_fence_acquire() explore_fence(EXPLORE_SITE("fence_acquire", "", EXPLORE_ACQUIRE))

#define kymo_fence_stores() explore_fence_stores(EXPLORE_SITE("fence_stores", "", EXPLORE_RELEASE))

#define kymo_copy_in(shared, data, size) \
    explore_copy_in(shared, data, size, EXPLORE_SITE("copy_in", #shared, EXPLORE_RELAXED))
#define kymo_copy_out(data, shared, size) \
    explore_copy_out(data, shared, size, EXPLORE_SITE("copy_out", #shared, EXPLORE_RELAXED))

#endif
