/*
 * key.c - the rules of validators.
 */
#include "internal.h"

#include <kymo/key.h>

static int check_range(const struct kymo_validator *validator, uint64_t time)
{
    return time >= validator->low && time <= validator->high ? 0 : -ERANGE;
}

static int check_plausible(const struct kymo_validator *validator, uint64_t time)
{
    const uint64_t now = kymo_clock_now(validator->clock);

    if (validator->clock == KYMO_USER)
        return -ERANGE;
    if (time > now)
        return time - now <= validator->high ? 0 : -ERANGE;
    return now - time <= validator->low ? 0 : -ERANGE;
}

static int check_all(const struct kymo_validator *validator, uint64_t time)
{
    int error = 0;

    for (size_t i = 0; i < validator->count && !error; i++)
        error = kymo_validator_check(&validator->all[i], time);
    return error;
}

struct kymo_validator kymo_validator_plausible(enum kymo_clock clock, uint64_t past, uint64_t ahead)
{
    return (struct kymo_validator){.check = check_plausible,
                                   .clock = clock,
                                   .low = past,
                                   .high = ahead};
}

struct kymo_validator kymo_validator_range(uint64_t low, uint64_t high)
{
    return (struct kymo_validator){.check = check_range, .low = low, .high = high};
}

struct kymo_validator kymo_validator_proximity(uint64_t reference, uint64_t tolerance)
{
    return kymo_validator_range(reference > tolerance ? reference - tolerance : 0,
                                UINT64_MAX - reference > tolerance ? reference + tolerance
                                                                   : UINT64_MAX);
}

struct kymo_validator kymo_validator_all_of(const struct kymo_validator *rules, size_t count)
{
    return (struct kymo_validator){.check = check_all, .all = rules, .count = count};
}

struct kymo_validator kymo_validator_custom(kymo_validate *check, void *context)
{
    return (struct kymo_validator){.check = check, .context = context};
}

int kymo_validator_check(const struct kymo_validator *validator, uint64_t time)
{
    return validator && validator->check ? validator->check(validator, time) : -EINVAL;
}
