/*
 * test_pace.c - how to wait for the next request: whatever takes less, soon after it does.
 */
#include "test.h"

#include "pace.h"

/* What a wait takes either way, ns. */
struct place {
    uint64_t asleep;
    uint64_t awake;
};

/* The sleeper is woken on the client's processor, and would be in his way there. */
static const struct place together = {10000, 40000};

/* Each is on a processor of his own. */
static const struct place apart = {50000, 13000};

/* A client that thinks for longer than anybody stays awake. */
static const struct place slow = {150000, 160000};

/* Returns how many of the waits were spent awake. */
static int wait_in(struct pace *pace, const struct place *place, int waits)
{
    int awake = 0;

    for (int i = 0; i < waits; i++) {
        const bool chosen = pace_is_awake(pace);

        awake += chosen;
        pace_learn(pace, chosen, chosen ? place->awake : place->asleep);
    }
    return awake;
}

static void expect_most(struct pace *pace, const struct place *place, int least, int most)
{
    int awake;

    wait_in(pace, place, 50);
    awake = wait_in(pace, place, 10000);
    cr_assert(awake >= least && awake <= most, "%d of 10000 awake", awake);
}

Test(pace, is_what_takes_less)
{
    struct pace pace = PACE_NEW;

    expect_most(&pace, &together, 1, 200);
    expect_most(&pace, &apart, 9800, 9999);
    expect_most(&pace, &slow, 0, 5000);
    expect_most(&pace, &together, 1, 200);
}

Test(pace, starts_with_a_sleep_after_each_break)
{
    struct pace pace = PACE_NEW;

    cr_assert(!pace_is_awake(&pace));
    wait_in(&pace, &apart, 100);
    cr_assert(pace_is_awake(&pace));
    pace_learn(&pace, true, PACE_BREAK + 1);
    cr_assert_eq(wait_in(&pace, &together, 30), 0);
    pace_learn(&pace, false, UINT64_MAX);
    cr_assert_eq(wait_in(&pace, &together, 30), 0);
    pace_learn(&pace, false, UINT64_MAX);
    cr_assert_geq(wait_in(&pace, &apart, 100), 90);
}

/* The client was held up, once. */
Test(pace, takes_no_fright)
{
    struct pace pace = PACE_NEW;

    wait_in(&pace, &apart, 1000);
    pace_learn(&pace, true, PACE_BREAK);
    cr_assert_geq(wait_in(&pace, &apart, 100), 90);
    pace = (struct pace)PACE_NEW;
    wait_in(&pace, &together, 100);
    pace_learn(&pace, false, PACE_BREAK);
    cr_assert_leq(wait_in(&pace, &together, 100), 10);
}
