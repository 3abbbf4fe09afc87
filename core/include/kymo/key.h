/*
 * key.h - validated times: a time that has passed a validator becomes a key of that policy, and the
 * queries of a policy accept no other type.
 *
 *     #include <kymo/key.h>
 *
 *     KYMO_KEY_POLICY(imu);
 *
 *     int read_at(const struct kymo_reader *reader, uint64_t time, double *value)
 *     {
 *         const uint64_t second = 1000000000;
 *         struct kymo_validator plausible =
 *             kymo_validator_plausible(KYMO_MONOTONIC, 3600 * second, second);
 *         struct imu_key key;
 *         int error = imu_key_make(&plausible, time, &key);
 *
 *         return error ? error
 *                      : imu_key_closest(reader, key, second, value, sizeof(*value), NULL);
 *     }
 *
 * Each policy is a distinct struct type, so that a bare integer or the key of another policy does
 * not compile where a key is required. A key costs no more than its integer; nothing is allocated.
 * The functions of series.h remain for times that need no validation.
 *
 * Promises (A to K): kymo(7).
 */
#ifndef KYMO_KEY_H
#define KYMO_KEY_H

#include <kymo/series.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Returns 0 if the time is valid, else a negative errno of its choice. */
struct kymo_validator;
typedef int kymo_validate(const struct kymo_validator *validator, uint64_t time);

/* A rule and its parameters. Make one with the functions below, or set check and context. */
struct kymo_validator {
    kymo_validate *check;
    uint64_t low;  /* ns; see the functions below */
    uint64_t high; /* ns */
    enum kymo_clock clock;
    const struct kymo_validator *all; /* all-of: the rules */
    size_t count;
    void *context; /* custom: the caller's */
};

/*
 * At most `past` ns before the present time of `clock` and at most `ahead` ns after it, at the time
 * of each check. Rejects times of another clock or in another unit: a CLOCK_REALTIME time is
 * decades ahead of CLOCK_MONOTONIC. -ERANGE. KYMO_USER has no present time, so every time is
 * rejected.
 */
KYMO_EXPORT struct kymo_validator kymo_validator_plausible(enum kymo_clock clock, uint64_t past,
                                                           uint64_t ahead);

/* From low to high, inclusive. -ERANGE. */
KYMO_EXPORT struct kymo_validator kymo_validator_range(uint64_t low, uint64_t high);

/* At most tolerance ns from reference. -ERANGE. */
KYMO_EXPORT struct kymo_validator kymo_validator_proximity(uint64_t reference, uint64_t tolerance);

/* All of rules[count], which must outlive the validator; the error of the first that fails. */
KYMO_EXPORT struct kymo_validator kymo_validator_all_of(const struct kymo_validator *rules,
                                                        size_t count);

/* The result of check, which finds the caller's context in validator->context. */
KYMO_EXPORT struct kymo_validator kymo_validator_custom(kymo_validate *check, void *context);

/* Checks a time: 0 or the rule's error; -EINVAL: the validator has no rule. */
KYMO_EXPORT int kymo_validator_check(const struct kymo_validator *validator, uint64_t time);

/*
 * Defines a policy: struct NAME_key, and these static inline functions, which do what the functions
 * of series.h of that name do:
 *
 *     int NAME_key_make(const struct kymo_validator *, uint64_t time, struct NAME_key *)
 *     int NAME_key_closest(reader, struct NAME_key, uint64_t max_distance, void *buffer,
 *                          size_t size, struct kymo_record *)
 *     int NAME_key_as_of(reader, struct NAME_key, void *buffer, size_t size, struct kymo_record *)
 *     int NAME_key_bracket(reader, struct NAME_key, void *before, void *after, size_t size,
 *                          struct kymo_bracket *)
 *     int NAME_key_fresh(reader, struct NAME_key min_key, void *buffer, size_t size,
 *                        struct kymo_record *)
 *     int NAME_key_range(reader, struct NAME_key from, struct NAME_key to, struct kymo_range *)
 *
 * make returns the validator's error if the time is not valid, and does not change the key then.
 */
#define KYMO_KEY_POLICY(name) KYMO_IMPL_KEY_POLICY(name)

#ifdef __cplusplus
}
#endif

#include <kymo/impl/key.h>

#endif
