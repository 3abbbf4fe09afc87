/*
 * key.h - the functions that KYMO_KEY_POLICY of <kymo/key.h> defines.
 */
#ifndef KYMO_IMPL_KEY_H
#define KYMO_IMPL_KEY_H

#include <kymo/key.h>

#define KYMO_IMPL_KEY_POLICY(name)                                                                 \
    struct name##_key {                                                                            \
        uint64_t validated; /* ns; made by name##_key_make only */                                 \
    };                                                                                             \
    /* Makes a key of a valid time; otherwise returns the error and does not change *key. */       \
    static inline                                                                                  \
        __attribute__((unused)) int name##_key_make(const struct kymo_validator *validator,        \
                                                    uint64_t time, struct name##_key *key)         \
    {                                                                                              \
        int error = kymo_validator_check(validator, time);                                         \
        if (!error)                                                                                \
            key->validated = time;                                                                 \
        return error;                                                                              \
    }                                                                                              \
    static inline                                                                                  \
        __attribute__((unused)) int name##_key_closest(const struct kymo_reader *reader,           \
                                                       struct name##_key key,                      \
                                                       uint64_t max_distance, void *buffer,        \
                                                       size_t size, struct kymo_record *record)    \
    {                                                                                              \
        return kymo_series_closest(reader, key.validated, max_distance, buffer, size, record);     \
    }                                                                                              \
    static inline                                                                                  \
        __attribute__((unused)) int name##_key_as_of(const struct kymo_reader *reader,             \
                                                     struct name##_key key, void *buffer,          \
                                                     size_t size, struct kymo_record *record)      \
    {                                                                                              \
        return kymo_series_as_of(reader, key.validated, buffer, size, record);                     \
    }                                                                                              \
    static inline                                                                                  \
        __attribute__((unused)) int name##_key_bracket(const struct kymo_reader *reader,           \
                                                       struct name##_key key, void *before,        \
                                                       void *after, size_t size,                   \
                                                       struct kymo_bracket *bracket)               \
    {                                                                                              \
        return kymo_series_bracket(reader, key.validated, before, after, size, bracket);           \
    }                                                                                              \
    static inline                                                                                  \
        __attribute__((unused)) int name##_key_fresh(const struct kymo_reader *reader,             \
                                                     struct name##_key min_key, void *buffer,      \
                                                     size_t size, struct kymo_record *record)      \
    {                                                                                              \
        return kymo_series_fresh(reader, min_key.validated, buffer, size, record);                 \
    }                                                                                              \
    static inline                                                                                  \
        __attribute__((unused)) int name##_key_range(const struct kymo_reader *reader,             \
                                                     struct name##_key from, struct name##_key to, \
                                                     struct kymo_range *range)                     \
    {                                                                                              \
        return kymo_series_range(reader, from.validated, to.validated, range);                     \
    }                                                                                              \
    struct name##_key

#endif
