/*
 * stats.h - the inline bodies of <kymo/stats.h>.
 */
#ifndef KYMO_IMPL_STATS_H
#define KYMO_IMPL_STATS_H

#include <kymo/impl/ring.h>
#include <kymo/stats.h>

#ifdef __cplusplus
extern "C" {
#endif

KYMO_INLINE int kymo_stats_back(const struct kymo_reader *reader, uint64_t back, void *buffer,
                                size_t size, struct kymo_record *record, struct kymo_stats *stats)
{
    int error = kymo_impl_ring_back_counted(reader, back, buffer, size, record, &stats->retries);

    stats->reads += error == 0;
    stats->failures += error != 0;
    return error;
}

KYMO_INLINE int kymo_stats_latest(const struct kymo_reader *reader, void *buffer, size_t size,
                                  struct kymo_record *record, struct kymo_stats *stats)
{
    return kymo_stats_back(reader, 0, buffer, size, record, stats);
}

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
