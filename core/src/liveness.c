/*
 * liveness.c - whether the writer is alive: a kernel lock decides, not a heartbeat (promise H).
 */
#include "internal.h"

static uint64_t age(uint64_t now, uint64_t then)
{
    return now > then ? now - then : 0;
}

/* ns since the writer's newest heartbeat, open or record. */
static uint64_t silence(const struct kymo_segment *segment)
{
    const struct kymo_ring *ring = segment->ring;
    const enum kymo_clock clock = segment->header.clock;
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
    const uint64_t head = kymo_ring_head(ring);
    uint64_t beat = kymo_load_relaxed(&ring->control->heartbeat);
    uint64_t opened = kymo_load_relaxed(&ring->control->opened);
    uint64_t quiet = age(now, beat > opened ? beat : opened);

    if (clock != KYMO_USER && head > ring->first) {
        uint64_t time = kymo_load_relaxed(&ring->times[(head - 1) & ring->mask]);
        /* A record ahead of the clock, which may have been stepped back, has just been published. */
        uint64_t since = age(kymo_clock_now(clock), time);

        quiet = since < quiet ? since : quiet;
    }
    return quiet;
}

/* 1 if a writer holds the lock, 0 if none does. F_OFD_GETLK does not report a writer's own lock. */
static int is_held(const struct kymo_segment *segment)
{
    if (segment->role == KYMO_WRITING)
        return !segment->orphan;
    return segment->header.flags & KYMO_SHARED_WRITER
               ? kymo_file_is_shared(segment->fd, KYMO_LOCK_WRITER)
               : kymo_file_is_locked(segment->fd, KYMO_LOCK_WRITER);
}

int kymo_segment_liveness(const struct kymo_segment *segment, uint64_t limit)
{
    const struct kymo_control *control = segment->ring->control;
    struct stat status;
    uint32_t state, writers;
    int held;

    if (segment->orphan)
        return KYMO_LIVE_UNKNOWN;
    /* A generation without a name has ended, even if its remover died before it stored the state. */
    if (fstat(segment->fd, &status) == 0 && status.st_nlink == 0)
        return -EIDRM;
    /* STATE-3 (acquire load): the count of writers before the query of the lock. Pairs with
     * announce_owner. */
    writers = kymo_load_acquire32(&control->writers);
    held = is_held(segment);
    /* STATE-1 (acquire load): the state before what the writer did until then. Pairs with
     * announce_owner and kymo_writer_close. */
    state = kymo_load_acquire32(&control->state);
    if (kymo_load_relaxed32(&segment->ring->damaged))
        return -EBADMSG;
    if (state == KYMO_RETIRED)
        return -EIDRM;
    if (held < 0)
        return KYMO_LIVE_UNKNOWN;
    /* A writer that opened since the first load was alive then, and may have closed since. */
    if (held == 0 && state == KYMO_OPEN && kymo_load_relaxed32(&control->writers) != writers)
        held = 1;
    if (held)
        return silence(segment) > limit ? KYMO_LIVE_STALLED : KYMO_LIVE_ALIVE;
    return state == KYMO_CLOSED ? KYMO_LIVE_CLOSED : KYMO_LIVE_DEAD;
}

const char *kymo_liveness_text(int liveness)
{
    static const char *const names[] = {"unknown", "alive", "stalled", "closed", "dead"};

    if (liveness < 0 || liveness >= (int)(sizeof(names) / sizeof(names[0])))
        return names[0];
    return names[liveness];
}
