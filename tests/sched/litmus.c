/*
 * litmus.c - the classic litmus tests in the explorer: it must find each outcome that its model
 * allows, and no other one. ORDERING.md states where the model differs from C11 and ARM64.
 *
 * An outcome is the string of the registers' values, in the order of `r`.
 */
#include <stdio.h>
#include <string.h>

#include <kymo/atomic.h>

#include "explore.h"
#include "test.h"

#define REGISTERS 4

static uint64_t x, y;
static uint32_t word;
static uint64_t r[REGISTERS];

#define OUTCOMES 81 /* values 0 to 2 */

static unsigned char seen[OUTCOMES];

static void open_words(const struct explore_scenario *scenario)
{
    (void)scenario;
    memset(seen, 0, sizeof(seen));
    explore_share(&x, sizeof(x));
    explore_share(&y, sizeof(y));
    explore_share(&word, sizeof(word));
}

static void reset(const struct explore_scenario *scenario)
{
    (void)scenario;
    memset(r, 0, sizeof(r));
}

static const char *finish(const struct explore_scenario *scenario)
{
    size_t outcome = 0;

    for (uint64_t i = 0; i < scenario->records; i++)
        outcome = outcome * 3 + r[i];
    seen[outcome] = 1;
    return NULL;
}

#define THREAD(name, ...)                                    \
    static void name(const struct explore_scenario *unused_) \
    {                                                        \
        (void)unused_;                                       \
        __VA_ARGS__                                          \
    }

/* Store buffering: each thread stores to one word, then loads the other. */
THREAD(sb_relaxed_0, kymo_store_relaxed(&x, 1); r[0] = kymo_load_relaxed(&y);)
THREAD(sb_relaxed_1, kymo_store_relaxed(&y, 1); r[1] = kymo_load_relaxed(&x);)
THREAD(sb_release_0, kymo_store_release(&x, 1); r[0] = kymo_load_acquire(&y);)
THREAD(sb_release_1, kymo_store_release(&y, 1); r[1] = kymo_load_acquire(&x);)
THREAD(sb_fences_0, kymo_store_relaxed(&x, 1); kymo_fence_release(); kymo_fence_acquire();
       r[0] = kymo_load_relaxed(&y);)
THREAD(sb_fences_1, kymo_store_relaxed(&y, 1); kymo_fence_release(); kymo_fence_acquire();
       r[1] = kymo_load_relaxed(&x);)
THREAD(sb_ordered_0, kymo_store_ordered(&x, 1); r[0] = kymo_load_ordered(&y);)
THREAD(sb_ordered_1, kymo_store_ordered(&y, 1); r[1] = kymo_load_ordered(&x);)
THREAD(sb_load_acquire_0, kymo_store_ordered(&x, 1); r[0] = kymo_load_acquire(&y);)
/* The bell: an exchange in place of one of the stores. */
THREAD(sb_bell_0, kymo_store_ordered(&x, 1); r[0] = kymo_load_ordered32(&word);)
THREAD(sb_bell_1, kymo_fetch_or_ordered32(&word, 1); r[1] = kymo_load_ordered(&x);)
THREAD(sb_bell_acquire_0, kymo_store_ordered(&x, 1); r[0] = kymo_load_acquire32(&word);)

/* Message passing: data, then a flag; the reader loads the flag, then the data. */
THREAD(mp_relaxed_0, kymo_store_relaxed(&x, 1); kymo_store_relaxed(&y, 1);)
THREAD(mp_relaxed_1, r[0] = kymo_load_relaxed(&y); r[1] = kymo_load_relaxed(&x);)
THREAD(mp_release_0, kymo_store_relaxed(&x, 1); kymo_store_release(&y, 1);)
THREAD(mp_acquire_1, r[0] = kymo_load_acquire(&y); r[1] = kymo_load_relaxed(&x);)
THREAD(mp_fence_0, kymo_store_relaxed(&x, 1); kymo_fence_release(); kymo_store_relaxed(&y, 1);)
THREAD(mp_fence_1, r[0] = kymo_load_relaxed(&y); kymo_fence_acquire();
       r[1] = kymo_load_relaxed(&x);)
/* A release orders only earlier accesses: a seqlock that marks its slot by one is wrong. */
THREAD(mp_release_first_0, kymo_store_release(&x, 1); kymo_store_relaxed(&y, 1);)
THREAD(mp_acquire_last_1, r[0] = kymo_load_relaxed(&y); r[1] = kymo_load_acquire(&x);)

/* Non-temporal data, or a non-temporal flag: only a store fence orders them. */
#define STORE_NONTEMPORAL(word) explore_copy_nontemporal(&(word), &(const uint64_t){1}, 8)
THREAD(mp_nontemporal_0, STORE_NONTEMPORAL(x); kymo_fence_release(); kymo_store_release(&y, 1);)
THREAD(mp_nontemporal_fence_0, STORE_NONTEMPORAL(x); kymo_fence_stores();
       kymo_store_release(&y, 1);)
THREAD(mp_nontemporal_flag_0, kymo_store_relaxed(&x, 1); kymo_fence_release();
       STORE_NONTEMPORAL(y);)
THREAD(mp_fence_nontemporal_flag_0, kymo_store_relaxed(&x, 1); kymo_fence_release();
       kymo_fence_stores(); STORE_NONTEMPORAL(y);)

/* Load buffering: each thread loads one word, then stores to the other. */
THREAD(lb_relaxed_0, r[0] = kymo_load_relaxed(&x); kymo_store_relaxed(&y, 1);)
THREAD(lb_relaxed_1, r[1] = kymo_load_relaxed(&y); kymo_store_relaxed(&x, 1);)
THREAD(lb_acquire_0, r[0] = kymo_load_acquire(&x); kymo_store_release(&y, 1);)
THREAD(lb_acquire_1, r[1] = kymo_load_acquire(&y); kymo_store_release(&x, 1);)

/* Independent reads of independent writes: two readers see two stores in opposite order. */
THREAD(store_x_relaxed, kymo_store_relaxed(&x, 1);)
THREAD(store_y_relaxed, kymo_store_relaxed(&y, 1);)
THREAD(store_x_release, kymo_store_release(&x, 1);)
THREAD(store_y_release, kymo_store_release(&y, 1);)
THREAD(store_x_ordered, kymo_store_ordered(&x, 1);)
THREAD(store_y_ordered, kymo_store_ordered(&y, 1);)
THREAD(xy_relaxed, r[0] = kymo_load_relaxed(&x); r[1] = kymo_load_relaxed(&y);)
THREAD(yx_relaxed, r[2] = kymo_load_relaxed(&y); r[3] = kymo_load_relaxed(&x);)
THREAD(xy_fence, r[0] = kymo_load_relaxed(&x); kymo_fence_acquire(); r[1] = kymo_load_relaxed(&y);)
THREAD(yx_fence, r[2] = kymo_load_relaxed(&y); kymo_fence_acquire(); r[3] = kymo_load_relaxed(&x);)
THREAD(xy_acquire, r[0] = kymo_load_acquire(&x); r[1] = kymo_load_acquire(&y);)
THREAD(yx_acquire, r[2] = kymo_load_acquire(&y); r[3] = kymo_load_acquire(&x);)
THREAD(xy_ordered, r[0] = kymo_load_ordered(&x); r[1] = kymo_load_ordered(&y);)
THREAD(yx_ordered, r[2] = kymo_load_ordered(&y); r[3] = kymo_load_ordered(&x);)

/* Coherence, cumulativity, and exchanges. */
THREAD(store_twice, kymo_store_relaxed(&x, 1); kymo_store_relaxed(&x, 2);)
THREAD(load_twice, r[0] = kymo_load_relaxed(&x); r[1] = kymo_load_relaxed(&x);)
THREAD(forward_relaxed, r[0] = kymo_load_acquire(&x); kymo_store_relaxed(&y, 1);)
THREAD(forward_acquire, r[0] = kymo_load_acquire(&x); kymo_store_release(&y, 1);)
THREAD(receive, r[1] = kymo_load_acquire(&y); r[2] = kymo_load_relaxed(&x);)
THREAD(add_0, r[0] = kymo_fetch_add_ordered32(&word, 1);)
THREAD(add_1, r[1] = kymo_fetch_add_ordered32(&word, 1);)

struct litmus {
    const char *name;
    const char *allowed; /* outcomes, separated by blanks */
    struct explore_scenario scenario;
};

#define LITMUS(name_, registers, allowed_, ...)           \
    {                                                     \
        .name = name_, .allowed = allowed_, .scenario = { \
            .name = name_,                                \
            .open = open_words,                           \
            .reset = reset,                               \
            .finish = finish,                             \
            .records = registers,                         \
            .body = {__VA_ARGS__}                         \
        }                                                 \
    }

/* All four outcomes of two bits; all but both readers seeing opposite orders. */
#define ANY         "00 01 10 11"
#define IRIW_WEAK   "0000 0001 0010 0011 0100 0101 0110 0111 1000 1001 1010 1011 1100 1101 1110 1111"
#define IRIW_STRONG "0000 0001 0010 0011 0100 0101 0110 0111 1000 1001 1011 1100 1101 1110 1111"

static const struct litmus litmus[] = {
    LITMUS("SB relaxed", 2, ANY, sb_relaxed_0, sb_relaxed_1),
    LITMUS("SB release, acquire", 2, ANY, sb_release_0, sb_release_1),
    LITMUS("SB release and acquire fences", 2, ANY, sb_fences_0, sb_fences_1),
    LITMUS("SB ordered", 2, "01 10 11", sb_ordered_0, sb_ordered_1),
    LITMUS("SB ordered, one load acquire", 2, ANY, sb_load_acquire_0, sb_ordered_1),
    LITMUS("SB bell", 2, "01 10 11", sb_bell_0, sb_bell_1),
    LITMUS("SB bell, load acquire", 2, ANY, sb_bell_acquire_0, sb_bell_1),
    LITMUS("MP relaxed", 2, ANY, mp_relaxed_0, mp_relaxed_1),
    LITMUS("MP release, acquire", 2, "00 01 11", mp_release_0, mp_acquire_1),
    LITMUS("MP release, relaxed", 2, ANY, mp_release_0, mp_relaxed_1),
    LITMUS("MP non-temporal data", 2, ANY, mp_nontemporal_0, mp_acquire_1),
    LITMUS("MP non-temporal data, store fence", 2, "00 01 11", mp_nontemporal_fence_0,
           mp_acquire_1),
    LITMUS("MP non-temporal flag", 2, ANY, mp_nontemporal_flag_0, mp_fence_1),
    LITMUS("MP non-temporal flag, store fence", 2, "00 01 11", mp_fence_nontemporal_flag_0,
           mp_fence_1),
    LITMUS("MP relaxed, acquire", 2, ANY, mp_relaxed_0, mp_acquire_1),
    LITMUS("MP fences", 2, "00 01 11", mp_fence_0, mp_fence_1),
    LITMUS("MP release fence, acquire", 2, "00 01 11", mp_fence_0, mp_acquire_1),
    LITMUS("MP release, acquire fence", 2, "00 01 11", mp_release_0, mp_fence_1),
    LITMUS("MP release fence, relaxed", 2, ANY, mp_fence_0, mp_relaxed_1),
    LITMUS("MP relaxed, acquire fence", 2, ANY, mp_relaxed_0, mp_fence_1),
    LITMUS("MP release at the first store", 2, ANY, mp_release_first_0, mp_fence_1),
    LITMUS("MP acquire at the last load", 2, ANY, mp_fence_0, mp_acquire_last_1),
    /* C11 and ARM64 allow 11 for relaxed accesses: stated in ORDERING.md. */
    LITMUS("LB relaxed", 2, "00 01 10", lb_relaxed_0, lb_relaxed_1),
    LITMUS("LB acquire, release", 2, "00 01 10", lb_acquire_0, lb_acquire_1),
    LITMUS("IRIW relaxed", 4, IRIW_WEAK, store_x_relaxed, store_y_relaxed, xy_relaxed, yx_relaxed),
    LITMUS("IRIW acquire fences", 4, IRIW_WEAK, store_x_release, store_y_release, xy_fence,
           yx_fence),
    /* ARM64 forbids 1010, as its stores are multi-copy atomic. */
    LITMUS("IRIW release, acquire", 4, IRIW_WEAK, store_x_release, store_y_release, xy_acquire,
           yx_acquire),
    LITMUS("IRIW ordered", 4, IRIW_STRONG, store_x_ordered, store_y_ordered, xy_ordered,
           yx_ordered),
    LITMUS("CoRR", 2, "00 01 02 11 12 22", store_twice, load_twice),
    LITMUS("WRC release", 3, "000 001 010 011 100 101 111", store_x_release, forward_acquire,
           receive),
    LITMUS("WRC relaxed", 3, "000 001 010 011 100 101 110 111", store_x_release, forward_relaxed,
           receive),
    LITMUS("two increments", 2, "01 10", add_0, add_1),
};

#define LITMUS_TESTS (sizeof(litmus) / sizeof(litmus[0]))

/* Writes the outcomes that were seen, as in `allowed`. */
static void list_outcomes(char *text, size_t size, size_t registers)
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < OUTCOMES && length + registers + 2 < size; i++) {
        char digits[REGISTERS + 1] = "";

        if (!seen[i])
            continue;
        for (size_t k = registers, rest = i; k-- > 0; rest /= 3)
            digits[k] = (char)('0' + rest % 3);
        length += (size_t)snprintf(text + length, size - length, "%s%s", length ? " " : "", digits);
    }
}

Test(litmus, finds_exactly_the_allowed_outcomes)
{
    struct explore_result result;
    char outcomes[512];

    for (size_t i = 0; i < LITMUS_TESTS; i++) {
        const struct explore_scenario *scenario = &litmus[i].scenario;

        explore_run(scenario, UINT64_MAX, &result);
        cr_assert_eq(result.failed, 0, "%s: %s", litmus[i].name, result.fault);
        cr_assert(result.complete);
        list_outcomes(outcomes, sizeof(outcomes), scenario->records);
        cr_assert_str_eq(outcomes, litmus[i].allowed, "%s: the outcomes are %s, not %s",
                         litmus[i].name, outcomes, litmus[i].allowed);
    }
    printf("count: litmus tests in the explorer: %zu\n", LITMUS_TESTS);
}

/* Takes the exchange of one thread apart: then both threads may read 0. */
Test(litmus, finds_the_lost_update_of_a_split_exchange)
{
    const struct litmus *adds = &litmus[LITMUS_TESTS - 1];
    struct explore_result result;
    char outcomes[512];

    explore_run(&adds->scenario, UINT64_MAX, &result);
    cr_assert_str_eq(explore_sites()->operation, "fetch_add_ordered32");
    explore_weaken(explore_sites(), EXPLORE_SPLIT_RMW);
    explore_run(&adds->scenario, UINT64_MAX, &result);
    list_outcomes(outcomes, sizeof(outcomes), adds->scenario.records);
    cr_assert_str_eq(outcomes, "00 01 10", "%s", outcomes);
}
