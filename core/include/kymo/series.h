/*
 * series.h - queries by time: the closest record, the pair around an instant, the newest record not
 * after an instant, all records between two instants; and searches by tag or by another key.
 *
 *     #include <kymo/series.h>
 *
 *     int temperature_at(const struct kymo_reader *reader, uint64_t time, double *celsius)
 *     {
 *         double after;
 *         struct kymo_bracket bracket;
 *         int error = kymo_series_bracket(reader, time, celsius, &after, sizeof(after), &bracket);
 *
 *         if (!error)
 *             *celsius += bracket.alpha * (after - *celsius);
 *         return error;
 *     }
 *
 * Exact under a racing writer (G: exact time queries). Each query pins its window of positions with
 * one load of head, and searches only times. Times never decrease along positions, and an
 * overwritten time is never smaller than the one it replaced; so a search that loaded overwritten
 * times can only end too early, at a position that has been overwritten itself. It is therefore
 * enough to check after the search, with one load of head, that the positions which prove the
 * answer remain. If they do not, the query pins a new window and searches again, up to
 * KYMO_QUERY_RETRIES times, and then returns -ESTALE: never a wrong record.
 *
 * Ties: the newest of records with equal times; the earlier of two equally distant times.
 *
 * Searches by key probe slots instead. A probe of an overwritten slot decides nothing: the search
 * continues with the newer records.
 *
 * Times are ns on the segment's clock. Every query returns 0, or
 *   -ENODATA  no record published yet
 *   -ESTALE   the writer overwrote the answer faster than it could be read
 *   -EIDRM    this generation was replaced or removed: reopen
 *   -ERANGE, -EDOM, -ETIME, -ENOMSG: see each query
 *   -EMSGSIZE, -EBADMSG: as all reads (ring.h)
 *
 * Any number of threads may query one reader, concurrently with the writer.
 *
 * Promises (A to K): kymo(7).
 */
#ifndef KYMO_SERIES_H
#define KYMO_SERIES_H

#include <kymo/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The number of windows that a query pins before it returns -ESTALE. */
#ifndef KYMO_QUERY_RETRIES
#define KYMO_QUERY_RETRIES 8
#endif

/* A max_distance that excludes nothing. */
#define KYMO_ANY_DISTANCE UINT64_MAX

/* The two records around an instant. */
struct kymo_bracket {
    struct kymo_record before; /* the newest whose time is not after the instant */
    struct kymo_record after;  /* the next one; equal to before if before's time is the instant */
    double alpha;              /* 0 at before, 1 at after */
};

/* Positions first to first + count - 1. */
struct kymo_range {
    uint64_t first;
    uint64_t count;
    int truncated; /* 1: older records of the range may have been overwritten */
};

/* ---- records: copied ---- */

/*
 * Copies the record closest to `time` into buffer[size]. Before the oldest and after the newest
 * record these are the closest. -ERANGE: the closest is farther away than max_distance, ns.
 */
KYMO_INLINE int kymo_series_closest(const struct kymo_reader *reader, uint64_t time,
                                    uint64_t max_distance, void *buffer, size_t size,
                                    struct kymo_record *record);

/*
 * Copies the newest record whose time is not after `time`. -EDOM: time is before the first record
 * ever. -ESTALE also: that record has been overwritten.
 */
KYMO_INLINE int kymo_series_as_of(const struct kymo_reader *reader, uint64_t time, void *buffer,
                                  size_t size, struct kymo_record *record);

/*
 * Copies the two records around `time` into before[size] and after[size], to be interpolated with
 * bracket->alpha. At the time of a record both are that record. -EDOM: time is before the oldest
 * record that remains, or after the newest.
 */
KYMO_INLINE int kymo_series_bracket(const struct kymo_reader *reader, uint64_t time, void *before,
                                    void *after, size_t size, struct kymo_bracket *bracket);

/* Copies the newest record if its time is not before min_time. -ETIME: it is before min_time. A time in
 * the future is not: after a clock was stepped back, compare it with kymo_clock_now(). */
KYMO_INLINE int kymo_series_fresh(const struct kymo_reader *reader, uint64_t min_time, void *buffer,
                                  size_t size, struct kymo_record *record);

/* ---- positions: to read the records in place (kymo_ring_view) or with kymo_ring_at ---- */

/* As kymo_series_closest, _as_of and _bracket. */
KYMO_INLINE int kymo_series_find_closest(const struct kymo_reader *reader, uint64_t time,
                                         uint64_t max_distance, uint64_t *pos);
KYMO_INLINE int kymo_series_find_as_of(const struct kymo_reader *reader, uint64_t time,
                                       uint64_t *pos);
KYMO_INLINE int kymo_series_find_bracket(const struct kymo_reader *reader, uint64_t time,
                                         uint64_t *before, uint64_t *after);

/*
 * Stores the positions of all remaining records with from <= time <= to into *range; count 0 if
 * there is none. The oldest may be overwritten before they are read. If the writer overwrites the
 * window's end faster than it can be searched, the range starts later and `truncated` is 1.
 * -EINVAL: from is after to.
 */
KYMO_INLINE int kymo_series_range(const struct kymo_reader *reader, uint64_t from, uint64_t to,
                                  struct kymo_range *range);

/* ---- keys other than time ---- */

/*
 * Stores the position of the record with that tag into *pos, of equal tags the newest: to read it,
 * kymo_ring_at or kymo_ring_view. The tags must never decrease, as frame numbers; otherwise the
 * record found has the tag, but one with the tag may not be found.
 * -ENODATA also: not published yet, all tags are smaller. -ESTALE: overwritten, all tags that remain
 * are larger. -ENOMSG: no record has it; the tags around it are published.
 * Reads O(log n) slots of the n that are available.
 */
KYMO_EXPORT int kymo_series_find_tag(const struct kymo_reader *reader, uint64_t tag, uint64_t *pos);

/*
 * Where a record is relative to `key`: negative, before; 0, it has the key; positive, after. The
 * record may be overwritten during the call, whose result is then discarded: check every offset and
 * length in the payload before using it.
 */
typedef int kymo_series_compare(const struct kymo_view *view, const void *key);

/* As kymo_series_find_tag, for any key of the record or payload that never decreases. */
KYMO_EXPORT int kymo_series_find_key(const struct kymo_reader *reader, kymo_series_compare *compare,
                                     const void *key, uint64_t *pos);

/* ---- windows ---- */

/* The positions that a query may use: low up to, but not including, high. */
struct kymo_window {
    uint64_t low;
    uint64_t high;
};

/* Stores the positions that a query may use now into *window: never empty. -ENODATA, -EIDRM. */
KYMO_INLINE int kymo_window_pin(const struct kymo_ring *ring, struct kymo_window *window);

/* The time at a position of a pinned window; if the writer has overwritten its slot since, the time
 * of the later record there. Not checked: for estimates, and for the newest record's age. */
KYMO_INLINE uint64_t kymo_window_time(const struct kymo_ring *ring, uint64_t pos);

/* ---- several rings at one instant ---- */

/* Which record of a ring is taken for an instant. */
enum kymo_align_mode {
    KYMO_ALIGN_CLOSEST = 0,
    KYMO_ALIGN_AS_OF = 1,
    KYMO_ALIGN_BRACKET = 2 /* the pair around it, to be interpolated */
};

/* One ring's row of an alignment: the caller's input, then the result. */
struct kymo_alignment {
    const struct kymo_reader *reader;
    enum kymo_align_mode mode;
    uint64_t max_distance; /* ns; KYMO_ANY_DISTANCE excludes nothing; 0 admits only the instant */
    void *buffer;          /* receives the payload; for a bracket the earlier one */
    void *after;           /* bracket: receives the later one */
    size_t size;           /* bytes of buffer, and of after */
    /* ---- */
    int error;                 /* 0, or as the query of that mode; -ERANGE: beyond max_distance */
    struct kymo_record record; /* for a bracket the earlier one */
    struct kymo_record later;  /* bracket: the later one */
    double alpha;              /* bracket: 0 at record, 1 at later */
    uint64_t distance;         /* ns from the instant; for a bracket that of the farther record */
};

/*
 * Answers rows[count] for one instant: `time`, ns on the clock that all rings must have. Returns
 * the number of rows with error 0. -EINVAL (kymo_series_align_diagnose): the clocks differ, or a
 * mode is unknown; no row is answered. Each row is exact for its own ring's window; the rings are
 * queried one after the other.
 */
KYMO_EXPORT int kymo_series_align(struct kymo_alignment *rows, size_t count, uint64_t time);

/* 0 if kymo_series_align answers these rows, else -EINVAL, with the cause in *diagnostic; its text
 * is "" for 0. */
KYMO_EXPORT int kymo_series_align_diagnose(const struct kymo_alignment *rows, size_t count,
                                           struct kymo_diagnostic *diagnostic);

#ifdef __cplusplus
}
#endif

#include <kymo/impl/series.h>

#endif
