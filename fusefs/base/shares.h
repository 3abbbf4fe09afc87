/*
 * shares.h - a limited amount (bytes, descriptors), shared by users.
 *
 * A user may hold at most twice as much as remains free: one user at most two thirds of the limit, each
 * of two users two fifths, each of N at most 2/(2N+1), so that something is always left for the next
 * one. Source: the dynamic thresholds of Choudhury and Hahne 1998, "Dynamic queue length thresholds for
 * shared-memory packet switches", with alpha = 2. All functions may be called from any thread.
 */
#ifndef KYMOFS_SHARES_H
#define KYMOFS_SHARES_H

#include <stdbool.h>
#include <stdint.h>

struct shares;

/* 0, or -ENOMEM. */
int shares_open(struct shares **shares, uint64_t limit);
void shares_close(struct shares *shares); /* NULL is allowed */

/* Takes the amount for the user. Returns false, and takes nothing, if that exceeds the user's share. */
bool shares_take(struct shares *shares, uint32_t uid, uint64_t amount);
/* The same, whatever the share is: for amounts too small to refuse. */
void shares_force(struct shares *shares, uint32_t uid, uint64_t amount);
void shares_return(struct shares *shares, uint32_t uid, uint64_t amount);

/* What all users hold together, and what one of them holds. */
uint64_t shares_held(struct shares *shares);
uint64_t shares_held_by(struct shares *shares, uint32_t uid);

#endif
