/*
 * key.h - times that somebody has checked: a number that went through a validator becomes a key of
 * that policy, and the queries of a policy take nothing else.
 *
 *     KYMO_KEY_POLICY(imu)
 *
 *     struct imu_key key;
 *     struct kymo_validator plausible = kymo_validator_plausible(KYMO_MONOTONIC, hour, second);
 *     if (imu_key_make(&plausible, time, &key) == 0)
 *         imu_key_closest(reader, key, 5000000, &reading, sizeof(reading), &record);
 *
 * A policy is a struct type of its own. So a bare integer, or another policy's key, where a key is
 * wanted does not compile. Nothing is allocated; a key is as cheap as its number. The raw functions
 * of series.h stay for those who want them.
 */
#ifndef KYMO_KEY_H
#define KYMO_KEY_H

#include <kymo/series.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Returns 0 where the time may become a key, else a negative errno of its choice. */
struct kymo_validator;
typedef int kymo_validate(const struct kymo_validator *validator, uint64_t time);

/* A rule and its numbers. Make one with the functions below, or fill in check and context. */
struct kymo_validator {
    kymo_validate *check;
    uint64_t low;  /* ns; see the functions below */
    uint64_t high; /* ns */
    enum kymo_clock clock;
    const struct kymo_validator *all; /* all-of: its rules */
    size_t count;
    void *context; /* custom: the caller's own */
};

/*
 * Plausible on `clock` now: not more than `past` ns before its present time nor `ahead` ns after
 * it. Held against the running clock at each check, so that a time of another clock, or in another
 * unit, does not pass: a CLOCK_REALTIME time is decades ahead of CLOCK_MONOTONIC. -ERANGE. On
 * KYMO_USER, which has no now, nothing passes.
 */
KYMO_EXPORT struct kymo_validator kymo_validator_plausible(enum kymo_clock clock, uint64_t past,
                                                           uint64_t ahead);

/* From low to high, both included. -ERANGE. */
KYMO_EXPORT struct kymo_validator kymo_validator_range(uint64_t low, uint64_t high);

/* Not farther than tolerance, ns, from reference. -ERANGE. */
KYMO_EXPORT struct kymo_validator kymo_validator_proximity(uint64_t reference, uint64_t tolerance);

/* All of rules[count], which the caller keeps; the error of the first that does not hold. */
KYMO_EXPORT struct kymo_validator kymo_validator_all_of(const struct kymo_validator *rules,
                                                        size_t count);

/* Whatever check says; it finds the caller's context in validator->context. */
KYMO_EXPORT struct kymo_validator kymo_validator_custom(kymo_validate *check, void *context);

/* Holds a time against a rule: 0 or the rule's error; -EINVAL: no rule. */
KYMO_EXPORT int kymo_validator_check(const struct kymo_validator *validator, uint64_t time);

/*
 * A policy: struct NAME_key, NAME_key_make, and the queries of series.h that take such keys. The
 * names are those of the raw functions, and so is all else about them.
 */
#define KYMO_KEY_POLICY(name)                                                                      \
    struct name##_key {                                                                            \
        uint64_t validated; /* ns; made by name##_key_make and by nobody else */                   \
    };                                                                                             \
    /* Makes a key of a time that holds; leaves *key alone and returns the error where not. */     \
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

#ifdef __cplusplus
}
#endif

#endif
