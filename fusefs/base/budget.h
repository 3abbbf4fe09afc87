/*
 * budget.h - the memory and the time that one request may use.
 *
 * Code that renders calls budget_grow() before it allocates an amount that the content of a segment
 * determines, and budget_pause() at least every 100 us in loops over records. It knows neither who
 * limits memory nor which thread it runs on.
 */
#ifndef KYMOFS_BUDGET_H
#define KYMOFS_BUDGET_H

#include "shares.h"

/* Memory charged to a user until charge_release(). Begin with {shares, uid, 0}; shares NULL: no
 * limit. One thread at a time. */
struct charge {
    struct shares *shares;
    uint32_t uid;
    uint64_t bytes;
};

/* Charges up to this in total are never refused, bytes. */
#define CHARGE_SMALL (UINT64_C(64) << 10)

/* Raises the charge to at least `bytes`. 0, or -ENOMEM: beyond the user's share. */
int charge_grow(struct charge *charge, uint64_t bytes);
/* Lowers it to `bytes`. */
void charge_shrink(struct charge *charge, uint64_t bytes);
static inline void charge_release(struct charge *charge)
{
    charge_shrink(charge, 0);
}

struct budget {
    struct charge charge;
    /* Called by budget_pause(): lets other requests run. Returns 0, or -EINTR: the caller no longer
     * waits for the reply. NULL: never pauses. */
    int (*pause)(struct budget *budget);
};

static inline int budget_grow(struct budget *budget, uint64_t bytes)
{
    return charge_grow(&budget->charge, bytes);
}

static inline int budget_pause(struct budget *budget)
{
    return budget->pause ? budget->pause(budget) : 0;
}

#endif
