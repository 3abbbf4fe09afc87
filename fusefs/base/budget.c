/*
 * budget.c - memory charged to users.
 */
#include "budget.h"

#include <errno.h>

int charge_grow(struct charge *charge, uint64_t bytes)
{
    if (bytes <= charge->bytes)
        return 0;
    if (charge->shares && bytes <= CHARGE_SMALL)
        shares_force(charge->shares, charge->uid, bytes - charge->bytes);
    else if (charge->shares && !shares_take(charge->shares, charge->uid, bytes - charge->bytes))
        return -ENOMEM;
    charge->bytes = bytes;
    return 0;
}

void charge_shrink(struct charge *charge, uint64_t bytes)
{
    if (bytes >= charge->bytes)
        return;
    if (charge->shares)
        shares_return(charge->shares, charge->uid, charge->bytes - bytes);
    charge->bytes = bytes;
}
