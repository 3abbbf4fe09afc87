/*
 * test_poll_policy.c - the policy chooses the faster of polling and sleeping, and adapts.
 */
#include "test.h"

#include "daemon/poll_policy.h"

/* How long a wait takes, ns. */
struct machine {
    uint64_t sleeping;
    uint64_t polling;
};

/* The sleeper is woken on the client's processor; polling delays the client. */
static const struct machine same_processor = {10000, 40000};

static const struct machine other_processor = {50000, 13000};

/* The client pauses for longer than the polling time. */
static const struct machine slow_client = {150000, 160000};

/* Returns how many of the waits began with polling. */
static int wait_on(struct poll_policy *policy, const struct machine *machine, int waits)
{
    int polled = 0;

    for (int i = 0; i < waits; i++) {
        const bool polls = poll_policy_polls(policy);

        polled += polls;
        poll_policy_update(policy, polls, polls ? machine->polling : machine->sleeping);
    }
    return polled;
}

static void expect_polls(struct poll_policy *policy, const struct machine *machine, int least,
                         int most)
{
    int polled;

    wait_on(policy, machine, 50);
    polled = wait_on(policy, machine, 10000);
    cr_assert(polled >= least && polled <= most, "%d of 10000 polled", polled);
}

Test(poll_policy, chooses_the_faster_of_polling_and_sleeping)
{
    struct poll_policy policy = POLL_POLICY_NEW;

    expect_polls(&policy, &same_processor, 1, 200);
    expect_polls(&policy, &other_processor, 9800, 9999);
    expect_polls(&policy, &slow_client, 0, 5000);
    expect_polls(&policy, &same_processor, 1, 200);
}

Test(poll_policy, sleeps_after_each_pause)
{
    struct poll_policy policy = POLL_POLICY_NEW;

    cr_assert(!poll_policy_polls(&policy));
    wait_on(&policy, &other_processor, 100);
    cr_assert(poll_policy_polls(&policy));
    poll_policy_update(&policy, true, POLL_POLICY_PAUSE + 1);
    cr_assert_eq(wait_on(&policy, &same_processor, 30), 0);
    poll_policy_update(&policy, false, UINT64_MAX);
    cr_assert_eq(wait_on(&policy, &same_processor, 30), 0);
    poll_policy_update(&policy, false, UINT64_MAX);
    cr_assert_geq(wait_on(&policy, &other_processor, 100), 90);
}

Test(poll_policy, ignores_a_single_delay)
{
    struct poll_policy policy = POLL_POLICY_NEW;

    wait_on(&policy, &other_processor, 1000);
    poll_policy_update(&policy, true, POLL_POLICY_PAUSE);
    cr_assert_geq(wait_on(&policy, &other_processor, 100), 90);
    policy = (struct poll_policy)POLL_POLICY_NEW;
    wait_on(&policy, &same_processor, 100);
    poll_policy_update(&policy, false, POLL_POLICY_PAUSE);
    cr_assert_leq(wait_on(&policy, &same_processor, 100), 10);
}
