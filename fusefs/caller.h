/*
 * caller.h - who asks, and what he may read: for content that is not the same for all (K).
 */
#ifndef KYMOFS_CALLER_H
#define KYMOFS_CALLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct segment;

/* As the kernel tells it with each request. */
struct caller {
    uint64_t thread; /* its number where the mount was made; 0: elsewhere, or nobody's */
    uint32_t uid;    /* those by which files are opened */
    uint32_t gid;
};

static inline bool caller_is(const struct caller *one, const struct caller *other)
{
    return one->thread == other->thread && one->uid == other->uid && one->gid == other->gid;
}

/* What the caller may read. */
struct rights {
    struct caller caller;
    uint32_t *groups; /* the supplementary ones */
    size_t count;
    bool everything; /* mode bits do not hold him */
};

/* Asks the kernel about the caller, who waits for an answer meanwhile. What can't be found out is no
 * right: nothing fails. Free it. */
void rights_find(struct rights *rights, const struct caller *caller);
void rights_free(struct rights *rights);

/* Whether the caller could open the segment's own file, by the mode that the view shows for it. */
bool rights_may_read(const struct rights *rights, const struct segment *segment);

#endif
