/*
 * test_shares.c - the share of each user, and what remains for the next one.
 */
#include "test.h"

#include <errno.h>
#include <pthread.h>

#include "base/shares.h"

static struct shares *shares;

static void open_shares(void)
{
    cr_assert_eq(shares_open(&shares, 1350), 0);
}

static void close_shares(void)
{
    shares_close(shares);
}

static uint64_t take_all(uint32_t uid)
{
    uint64_t count = 0;

    while (shares_take(shares, uid, 1))
        count++;
    return count;
}

Test(shares, one_user_gets_two_thirds, .init = open_shares, .fini = close_shares)
{
    cr_assert_eq(take_all(7), 900);
    cr_assert_eq(shares_held(shares), 900);
    cr_assert_eq(shares_held_by(shares, 7), 900);
    cr_assert_eq(shares_held_by(shares, 8), 0);
}

Test(shares, something_remains_for_each_next_user, .init = open_shares, .fini = close_shares)
{
    cr_assert_eq(take_all(1), 900);
    cr_assert_eq(take_all(2), 300);
    cr_assert_eq(take_all(3), 100);
    shares_return(shares, 1, 900);
    /* Each of two gets two fifths if both take in turn. */
    shares_return(shares, 2, 300);
    shares_return(shares, 3, 100);
    for (bool taken = true; taken;)
        taken = shares_take(shares, 1, 1) && shares_take(shares, 2, 1);
    cr_assert_eq(shares_held_by(shares, 1), 540);
    cr_assert_eq(shares_held_by(shares, 2), 540);
}

Test(shares, refused_amount_takes_nothing, .init = open_shares, .fini = close_shares)
{
    cr_assert(shares_take(shares, 1, 900));
    cr_assert_not(shares_take(shares, 1, 1));
    cr_assert_not(shares_take(shares, 2, 301));
    cr_assert_not(shares_take(shares, 2, UINT64_MAX));
    cr_assert_not(shares_take(shares, 2, UINT64_MAX / 2 + 2));
    cr_assert_eq(shares_held(shares), 900);
    cr_assert_eq(shares_held_by(shares, 2), 0);
    cr_assert(shares_take(shares, 2, 300));
}

/* A reserved amount is subtracted from what is free. */
Test(shares, amount_counts_on_both_sides, .init = open_shares, .fini = close_shares)
{
    cr_assert(shares_take(shares, 1, 600));
    cr_assert_not(shares_take(shares, 1, 400));
    cr_assert(shares_take(shares, 1, 300));
}

Test(shares, forced_amount_counts, .init = open_shares, .fini = close_shares)
{
    shares_force(shares, 1, 1400);
    cr_assert_eq(shares_held(shares), 1400);
    cr_assert_not(shares_take(shares, 2, 1));
    shares_return(shares, 1, 1400);
    cr_assert_eq(shares_held(shares), 0);
    cr_assert_eq(take_all(2), 900);
}

static void *take_and_return(void *argument)
{
    const uint32_t uid = (uint32_t)(uintptr_t)argument;

    for (int i = 0; i < 20000; i++) {
        if (shares_take(shares, uid, 3))
            shares_return(shares, uid, 3);
        shares_force(shares, uid + 100, 1);
        shares_return(shares, uid + 100, 1);
    }
    return NULL;
}

Test(shares, concurrent_users_lose_nothing, .init = open_shares, .fini = close_shares)
{
    pthread_t threads[4];

    for (uintptr_t i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, take_and_return, (void *)(i % 2)), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(shares_held(shares), 0);
    cr_assert_eq(take_all(7), 900);
}
