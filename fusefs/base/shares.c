/*
 * shares.c - what each user holds, in a balanced tree by user.
 */
#include "shares.h"

#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <stdlib.h>

struct holder {
    uint32_t uid;
    uint64_t held;
};

struct shares {
    pthread_mutex_t lock;
    uint64_t limit;
    uint64_t held; /* by all users */
    void *holders; /* struct holder by uid, see tsearch(3); only those that hold something */
};

static int compare_holders(const void *one, const void *other)
{
    const uint32_t a = ((const struct holder *)one)->uid;
    const uint32_t b = ((const struct holder *)other)->uid;

    return (a > b) - (a < b);
}

/* NULL: the user holds nothing, or there is no memory to `create` a record. */
static struct holder *find_holder(struct shares *shares, uint32_t uid, bool create)
{
    const struct holder key = {.uid = uid};
    struct holder **found = tfind(&key, &shares->holders, compare_holders);
    struct holder *holder;

    if (found || !create)
        return found ? *found : NULL;
    holder = calloc(1, sizeof(*holder));
    if (!holder)
        return NULL;
    holder->uid = uid;
    if (tsearch(holder, &shares->holders, compare_holders))
        return holder;
    free(holder);
    return NULL;
}

static void remove_if_empty(struct shares *shares, struct holder *holder)
{
    if (holder->held > 0)
        return;
    tdelete(holder, &shares->holders, compare_holders);
    free(holder);
}

int shares_open(struct shares **out, uint64_t limit)
{
    struct shares *shares = calloc(1, sizeof(*shares));

    *out = shares;
    if (!shares)
        return -ENOMEM;
    shares->limit = limit;
    pthread_mutex_init(&shares->lock, NULL);
    return 0;
}

void shares_close(struct shares *shares)
{
    if (!shares)
        return;
    tdestroy(shares->holders, free);
    pthread_mutex_destroy(&shares->lock);
    free(shares);
}

static bool take(struct shares *shares, uint32_t uid, uint64_t amount, bool force)
{
    struct holder *holder;
    bool fits;

    pthread_mutex_lock(&shares->lock);
    holder = find_holder(shares, uid, true);
    /* held + amount <= 2 * (limit - all - amount), without overflow. */
    fits = holder && shares->held <= shares->limit && amount <= shares->limit - shares->held &&
           (holder->held + amount + 1) / 2 <= shares->limit - shares->held - amount;
    if (fits || (force && holder)) {
        holder->held += amount;
        shares->held += amount;
    }
    if (holder)
        remove_if_empty(shares, holder);
    pthread_mutex_unlock(&shares->lock);
    return fits;
}

bool shares_take(struct shares *shares, uint32_t uid, uint64_t amount)
{
    return take(shares, uid, amount, false);
}

void shares_force(struct shares *shares, uint32_t uid, uint64_t amount)
{
    take(shares, uid, amount, true);
}

void shares_return(struct shares *shares, uint32_t uid, uint64_t amount)
{
    struct holder *holder;

    pthread_mutex_lock(&shares->lock);
    holder = find_holder(shares, uid, false);
    /* What shares_force() could not record for want of memory is returned all the same. */
    if (holder) {
        amount = amount < holder->held ? amount : holder->held;
        holder->held -= amount;
        shares->held -= amount;
        remove_if_empty(shares, holder);
    }
    pthread_mutex_unlock(&shares->lock);
}

uint64_t shares_held(struct shares *shares)
{
    uint64_t held;

    pthread_mutex_lock(&shares->lock);
    held = shares->held;
    pthread_mutex_unlock(&shares->lock);
    return held;
}

uint64_t shares_held_by(struct shares *shares, uint32_t uid)
{
    const struct holder *holder;
    uint64_t held;

    pthread_mutex_lock(&shares->lock);
    holder = find_holder(shares, uid, false);
    held = holder ? holder->held : 0;
    pthread_mutex_unlock(&shares->lock);
    return held;
}
