/*
 * stats.h - reads and waits that count: for one thread, at the cost of an addition. Programs that
 * do not use these functions pay nothing, since the handles contain no counters.
 *
 *     #include <kymo/stats.h>
 *
 *     int read_counted(const struct kymo_reader *reader, double *value, struct kymo_stats *stats)
 *     {
 *         struct kymo_record record;
 *
 *         return kymo_stats_latest(reader, value, sizeof(*value), &record, stats);
 *     }
 *
 * The segment contains the counters of its writer (kymo_segment_info).
 *
 * Promises (A to K): kymo(7).
 */
#ifndef KYMO_STATS_H
#define KYMO_STATS_H

#include <kymo/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Initialize with {0}. One thread at a time. */
struct kymo_stats {
    uint64_t reads;    /* records read */
    uint64_t retries;  /* torn reads that were retried */
    uint64_t failures; /* reads that returned an error */
    uint64_t missed;   /* records that a cursor missed */
    uint64_t waits;    /* waits that blocked */
    uint64_t timeouts; /* waits that ended at their deadline */
    uint64_t waited;   /* ns spent in waits that blocked */
};

/* kymo_ring_latest, counted. Errors as there. */
KYMO_INLINE int kymo_stats_latest(const struct kymo_reader *reader, void *buffer, size_t size,
                                  struct kymo_record *record, struct kymo_stats *stats);

/* kymo_ring_back, counted. */
KYMO_INLINE int kymo_stats_back(const struct kymo_reader *reader, uint64_t back, void *buffer,
                                size_t size, struct kymo_record *record, struct kymo_stats *stats);

/* kymo_cursor_next, counted; -ENODATA is not counted as a failure. */
KYMO_INLINE int kymo_stats_cursor_next(struct kymo_cursor *cursor, void *buffer, size_t size,
                                       struct kymo_record *record, uint64_t *missed,
                                       struct kymo_stats *stats);

/* kymo_ring_wait, counted and timed. */
KYMO_INLINE int kymo_stats_wait(const struct kymo_reader *reader, uint64_t seen, uint64_t deadline,
                                struct kymo_stats *stats);

#ifdef __cplusplus
}
#endif

#include <kymo/impl/stats.h>

#endif
