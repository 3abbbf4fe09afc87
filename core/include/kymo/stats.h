/*
 * stats.h - counters of one thread's own reads and waits: for those who ask, at the cost of an
 * addition; who does not include or use them pays nothing, for nothing is counted in a handle.
 *
 * What a writer did is counted in the segment (kymo_segment_info).
 */
#ifndef KYMO_STATS_H
#define KYMO_STATS_H

#include <kymo/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Begin with {0}. Belongs to one thread at a time. */
struct kymo_stats {
    uint64_t reads;    /* records read */
    uint64_t retries;  /* reads that the writer came by in the middle of, and that began anew */
    uint64_t failures; /* reads that returned an error */
    uint64_t missed;   /* records that a cursor missed */
    uint64_t waits;    /* waits that found nothing at once */
    uint64_t timeouts; /* waits that ended at their deadline */
    uint64_t waited;   /* ns spent in waits that found nothing at once */
};

/* kymo_ring_back, counted. Errors as there. */
KYMO_INLINE int kymo_stats_back(const struct kymo_reader *reader, uint64_t back, void *buffer,
                                size_t size, struct kymo_record *record, struct kymo_stats *stats)
{
    int error = kymo_impl_ring_back_counted(reader, back, buffer, size, record, &stats->retries);

    stats->reads += error == 0;
    stats->failures += error != 0;
    return error;
}

/* kymo_ring_latest, counted. */
KYMO_INLINE int kymo_stats_latest(const struct kymo_reader *reader, void *buffer, size_t size,
                                  struct kymo_record *record, struct kymo_stats *stats)
{
    return kymo_stats_back(reader, 0, buffer, size, record, stats);
}

/* kymo_cursor_next, counted; that there is no new record yet is no failure. */
KYMO_INLINE int kymo_stats_cursor_next(struct kymo_cursor *cursor, void *buffer, size_t size,
                                       struct kymo_record *record, uint64_t *missed,
                                       struct kymo_stats *stats)
{
    uint64_t skipped = 0;
    int error = kymo_cursor_next(cursor, buffer, size, record, &skipped);

    stats->reads += error == 0;
    stats->failures += error != 0 && error != -ENODATA;
    stats->missed += skipped;
    if (missed)
        *missed = skipped;
    return error;
}

/* kymo_ring_wait, counted and timed. */
KYMO_INLINE int kymo_stats_wait(const struct kymo_reader *reader, uint64_t seen, uint64_t deadline,
                                struct kymo_stats *stats)
{
    uint64_t began;
    int error;

    if (KYMO_LIKELY(kymo_ring_head(&reader->ring) > seen))
        return 0;
    began = kymo_clock_now(KYMO_MONOTONIC);
    error = kymo_impl_ring_wait_slow(reader, seen, deadline);
    stats->waits++;
    stats->timeouts += error == -ETIMEDOUT;
    stats->waited += kymo_clock_now(KYMO_MONOTONIC) - began;
    return error;
}

#ifdef __cplusplus
}
#endif

#endif
