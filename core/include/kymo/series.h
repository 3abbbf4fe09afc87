/*
 * series.h - questions about time: the closest record, the pair around an instant, what was known
 * then, everything between two instants.
 *
 * Exact under a racing writer (promise G). The window of positions is pinned once, from one load of
 * head. Only times are searched, in the dense array that runs beside the slots. Times never
 * decrease along positions, and an overwritten time can only be larger than the one it replaced; so
 * a search that met overwritten times can only end too early, at a position that is itself
 * overwritten by now. It is therefore enough to check, after the search, that the positions which
 * prove the answer are still there: one look at head. Where they are not, the query pins a new
 * window and begins anew, KYMO_QUERY_RETRIES times, and then says -ESTALE: never a wrong record.
 *
 * Ties: of equal times the newest record counts; of two equally far, the earlier time.
 *
 * The search: in windows of up to KYMO_IMPL_BISECT_LIMIT records, bisection by four without branches; in
 * wider ones two guesses by interpolation, the second between two of the times that all searches
 * share, a look at the few records around, and only where that fails steps that grow eightfold until
 * they bracket the time. Even times cost a dozen probes at any depth, of which one misses the cache;
 * the worst cost is logarithmic.
 *
 * Times are ns on the segment's clock. All queries return 0, or
 *   -ENODATA  nothing published yet
 *   -ESTALE   the writer overwrote the answer faster than it could be read
 *   -EIDRM    this generation was replaced or removed: reopen
 *   -ERANGE, -EDOM, -ETIME: see each
 *   -EMSGSIZE, -EBADMSG: as all reads (ring.h)
 */
#ifndef KYMO_SERIES_H
#define KYMO_SERIES_H

#include <kymo/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How often a query pins a new window before it says -ESTALE. */
#ifndef KYMO_QUERY_RETRIES
#define KYMO_QUERY_RETRIES 8
#endif

/* A max_distance that excludes nothing. */
#define KYMO_ANY_DISTANCE UINT64_MAX

/* The positions that a query may use: low up to, not including, high. */
struct kymo_window {
    uint64_t low;
    uint64_t high;
};

/* The two records around an instant. */
struct kymo_bracket {
    struct kymo_record before; /* the newest whose time is not after the instant */
    struct kymo_record after;  /* the next one; the same where the instant is before's time */
    double alpha;              /* 0 at before, 1 at after */
};

/* Positions first to first + count - 1. */
struct kymo_range {
    uint64_t first;
    uint64_t count;
    int truncated; /* 1: there may have been older ones, overwritten by now */
};

KYMO_INLINE int kymo_window_pin(const struct kymo_ring *ring, struct kymo_window *window)
{
    uint64_t head = kymo_ring_head(ring);
    uint64_t written = head - ring->first;

    if (KYMO_UNLIKELY(kymo_ring_retired(ring)))
        return -EIDRM;
    if (KYMO_UNLIKELY(written == 0))
        return kymo_impl_ring_none(ring);
    window->high = head;
    window->low = head - (written < ring->mask ? written : ring->mask);
    return 0;
}

/* The time at pos; possibly already that of a later record in the same slot. */
KYMO_INLINE uint64_t kymo_window_time(const struct kymo_ring *ring, uint64_t pos)
{
    return kymo_load_relaxed(&ring->times[pos & ring->mask]);
}

/* Whether every time read from pos on was that of the position it was read for, and not one of the
 * zeros that the guard puts where a page is lost. */
KYMO_INLINE int kymo_impl_window_holds(const struct kymo_ring *ring, uint64_t pos)
{
    /* SER-1 (acquire fence): times before head. Pairs with kymo_impl_ring_complete. */
    kymo_fence_acquire();
    return kymo_load_relaxed(&ring->control->head) - pos <= ring->mask &&
           !kymo_load_relaxed32(&ring->damaged);
}

/*
 * The first position in [low, high) whose time is after `time`; high if none. Three probes at once
 * cut the window into four: they wait for memory together, and the choice among them is one of
 * values, not of ways, so that nothing has to be foreseen.
 *
 * Of probes that contradict each other the newest that is not after `time` decides: an older one may
 * be overwritten by now. But the result is never beyond a probe that decided the other way, since
 * nothing then says that its own time is after `time`. So the window always has 2^n - 1 positions,
 * which three probes cut into four of 2^(n-2) - 1; what it has beyond that is cut off first.
 */
KYMO_INLINE uint64_t kymo_impl_window_bisect(const struct kymo_ring *ring, uint64_t low,
                                             uint64_t high, uint64_t time)
{
    const uint64_t count = high - low;
    uint64_t size = (UINT64_C(1) << (63 - __builtin_clzll(count + 1))) - 1;
    uint64_t from;

    if (size < count) {
        from = high - size;
        if (kymo_window_time(ring, from - 1) <= time)
            low = from;
        else
            high = from - 1;
    }
    while (size > 7) {
        const uint64_t part = (size + 1) / 4;
        const uint64_t first = low + part, second = first + part, third = second + part;
        const uint64_t first_time = kymo_window_time(ring, first - 1);
        const uint64_t second_time = kymo_window_time(ring, second - 1);
        const uint64_t third_time = kymo_window_time(ring, third - 1);

        low = first_time <= time ? first : low;
        low = second_time <= time ? second : low;
        low = third_time <= time ? third : low;
        size = part - 1;
    }
    from = low;
    for (uint64_t i = 0; i < size; i++)
        low = kymo_window_time(ring, from + i) <= time ? from + i + 1 : low;
    return low < high ? low : high;
}

/* A guess as a distance from the window's oldest, cut to 0 .. span. */
KYMO_INLINE uint64_t kymo_impl_window_cut(double guess, uint64_t span)
{
    guess = guess > 0 ? guess : 0;
    guess = guess < (double)(int64_t)span ? guess : (double)(int64_t)span;
    return (uint64_t)(int64_t)guess;
}

/*
 * Where `time` would lie if the records from low to low + span, whose times are `from` and `to`, came
 * evenly. Only a guess: nothing depends on what it is made of being true.
 */
KYMO_INLINE uint64_t kymo_impl_window_interpolate(uint64_t low, uint64_t span, uint64_t from,
                                                  uint64_t to, uint64_t time)
{
    /* Halves fit a signed number, which converts in one instruction. */
    const double rate = (double)(int64_t)span / ((double)(int64_t)((to - from) / 2) * 2.0 + 1.0);
    const int64_t ahead = (int64_t)(time / 2 - from / 2);

    return low + kymo_impl_window_cut((double)ahead * 2.0 * rate, span);
}

/* How far apart the records are whose times guide a guess: 129 cache lines of times, an odd number,
 * so that they spread over all sets of a cache and stay there. */
#ifndef KYMO_IMPL_SAMPLE
#define KYMO_IMPL_SAMPLE 1032
#endif

/*
 * The same in two steps: over the whole window, then between the two samples around that place.
 * Every search reads some of the same samples, which are therefore near; and between them the error
 * is what a thousand records deviate from even, not a million.
 */
KYMO_INLINE uint64_t kymo_impl_window_sample(const struct kymo_ring *ring, uint64_t low,
                                             uint64_t last, uint64_t from, uint64_t to,
                                             uint64_t time)
{
    const uint64_t guess = kymo_impl_window_interpolate(low, last - low, from, to, time);
    uint64_t below = guess - guess % KYMO_IMPL_SAMPLE;
    uint64_t above = below + KYMO_IMPL_SAMPLE;

    below = below > low ? below : low;
    above = above < last ? above : last;
    return kymo_impl_window_interpolate(below, above - below, kymo_window_time(ring, below),
                                        kymo_window_time(ring, above), time);
}

/* How far from a guess the time is looked for first: together in a cache line or two. */
#define KYMO_IMPL_NEAR 4

/* The first position after guess - KYMO_IMPL_NEAR whose time is after `time`, where it lies no further
 * than KYMO_IMPL_NEAR behind the guess; else 0. As bisection, and for the same reason, it lets the newest
 * of the probes decide. */
KYMO_INLINE uint64_t kymo_impl_window_near(const struct kymo_ring *ring, uint64_t guess,
                                           uint64_t time)
{
    const uint64_t mask = ring->mask;
    const uint64_t *times = ring->times;
    const uint64_t below = guess - KYMO_IMPL_NEAR;
    uint64_t after = 0;

    for (uint64_t i = 0; i < 2 * KYMO_IMPL_NEAR; i++)
        after = kymo_load_relaxed(&times[(below + i) & mask]) <= time ? below + i + 1 : after;
    return after > guess + KYMO_IMPL_NEAR - 1 ? 0 : after;
}

/* The same for wide windows: guess, bracket, bisect. */
KYMO_INLINE uint64_t kymo_impl_window_guess(const struct kymo_ring *ring, uint64_t low,
                                            uint64_t high, uint64_t time)
{
    const uint64_t last = high - 1;
    const uint64_t from = kymo_window_time(ring, low);
    const uint64_t to = kymo_window_time(ring, last);
    uint64_t step = 8 * KYMO_IMPL_NEAR;
    uint64_t guess, after;

    if (time >= to)
        return high;
    if (time < from)
        return low;
    guess = kymo_impl_window_sample(ring, low, last, from, to, time);
    /* Who asks for a time mostly reads the record next: let its slot come while times are compared.
     */
    __builtin_prefetch(kymo_impl_ring_slot(ring, guess));
    __builtin_prefetch(kymo_impl_slot_payload(kymo_impl_ring_slot(ring, guess)));
    if (KYMO_LIKELY(guess - low >= KYMO_IMPL_NEAR && last - guess >= KYMO_IMPL_NEAR)) {
        after = kymo_impl_window_near(ring, guess, time);
        if (KYMO_LIKELY(after))
            return after;
    }
    if (kymo_window_time(ring, guess) <= time) {
        low = guess;
        while (step < last - low && kymo_window_time(ring, low + step) <= time) {
            low += step;
            step *= 8;
        }
        if (step < last - low)
            high = low + step;
    } else {
        high = guess;
        while (step < high - low && kymo_window_time(ring, high - step) > time) {
            high -= step;
            step *= 8;
        }
        if (step < high - low)
            low = high - step;
    }
    return kymo_impl_window_bisect(ring, low, high, time);
}

/* Windows up to this many positions are bisected at once. */
#ifndef KYMO_IMPL_BISECT_LIMIT
#define KYMO_IMPL_BISECT_LIMIT 4096
#endif

/* The first position of the window whose time is after `time`; high if none is. */
KYMO_INLINE uint64_t kymo_impl_window_after(const struct kymo_ring *ring, uint64_t low,
                                            uint64_t high, uint64_t time)
{
    return high - low <= KYMO_IMPL_BISECT_LIMIT ? kymo_impl_window_bisect(ring, low, high, time)
                                                : kymo_impl_window_guess(ring, low, high, time);
}

/* The newest position in [pos, high) whose time is that of pos. */
KYMO_INLINE uint64_t kymo_impl_window_newest_of(const struct kymo_ring *ring, uint64_t pos,
                                                uint64_t high)
{
    uint64_t time = kymo_window_time(ring, pos);

    if (KYMO_LIKELY(pos + 1 == high || kymo_window_time(ring, pos + 1) != time))
        return pos;
    return kymo_impl_window_after(ring, pos, high, time) - 1;
}

/* ---- positions: for those who then look in place (kymo_ring_view), or copy typed ---- */

KYMO_INLINE uint64_t kymo_impl_distance(uint64_t one, uint64_t other)
{
    return one > other ? one - other : other - one;
}

/* One try at the closest position and its distance; -ESTALE where the window moved past it. */
KYMO_INLINE int kymo_impl_window_closest(const struct kymo_ring *ring, uint64_t time, uint64_t *pos,
                                         uint64_t *distance)
{
    struct kymo_window window;
    uint64_t before, after, nearest, before_distance, after_distance;
    int error = kymo_window_pin(ring, &window);

    if (KYMO_UNLIKELY(error))
        return error;
    /* At either end of the window both are the same. Which of the two it is cannot be foreseen, so
     * it is a choice of values and not of ways. */
    after = kymo_impl_window_after(ring, window.low, window.high, time);
    before = after - (after > window.low);
    after -= after == window.high;
    before_distance = kymo_impl_distance(time, kymo_window_time(ring, before));
    after_distance = kymo_impl_distance(time, kymo_window_time(ring, after));
    nearest = before_distance <= after_distance ? before : after;
    *distance = before_distance < after_distance ? before_distance : after_distance;
    *pos = kymo_impl_window_newest_of(ring, nearest, window.high);
    return kymo_impl_window_holds(ring, before) ? 0 : kymo_impl_ring_lost(ring);
}

/* One try at the newest position whose time is not after `time`. */
KYMO_INLINE int kymo_impl_window_as_of(const struct kymo_ring *ring, uint64_t time, uint64_t *pos)
{
    struct kymo_window window;
    uint64_t after;
    int error = kymo_window_pin(ring, &window);

    if (KYMO_UNLIKELY(error))
        return error;
    after = kymo_impl_window_after(ring, window.low, window.high, time);
    if (after == window.low) {
        if (!kymo_impl_window_holds(ring, after))
            return kymo_impl_ring_lost(ring);
        return window.low == ring->first ? -EDOM : -ESTALE;
    }
    *pos = after - 1;
    return kymo_impl_window_holds(ring, after - 1) ? 0 : kymo_impl_ring_lost(ring);
}

/* One try at the pair of positions around `time`. */
KYMO_INLINE int kymo_impl_window_bracket(const struct kymo_ring *ring, uint64_t time,
                                         uint64_t *before, uint64_t *after)
{
    struct kymo_window window;
    uint64_t next;
    int error = kymo_window_pin(ring, &window);

    if (KYMO_UNLIKELY(error))
        return error;
    next = kymo_impl_window_after(ring, window.low, window.high, time);
    *before = *after = next - 1;
    if (next == window.low)
        error = -EDOM;
    else if (kymo_window_time(ring, next - 1) == time)
        error = 0;
    else if (next == window.high)
        error = -EDOM;
    else
        *after = kymo_impl_window_newest_of(ring, next, window.high);
    if (!kymo_impl_window_holds(ring, next > window.low ? next - 1 : next))
        return kymo_impl_ring_lost(ring);
    return error;
}

/*
 * The position closest to `time`, into *pos. -ERANGE: it is farther away than max_distance, ns
 * (KYMO_ANY_DISTANCE: never). Before the oldest and after the newest record these are the closest.
 */
KYMO_INLINE int kymo_series_find_closest(const struct kymo_reader *reader, uint64_t time,
                                         uint64_t max_distance, uint64_t *pos)
{
    uint64_t distance = 0;
    int error = -ESTALE;

    for (int tries = 0; tries < KYMO_QUERY_RETRIES && error == -ESTALE; tries++)
        error = kymo_impl_window_closest(&reader->ring, time, pos, &distance);
    return error == 0 && distance > max_distance ? -ERANGE : error;
}

/*
 * The newest position whose time is not after `time`, into *pos. -EDOM: time is before the first
 * record ever. -ESTALE also: the record that it was has been overwritten.
 */
KYMO_INLINE int kymo_series_find_as_of(const struct kymo_reader *reader, uint64_t time,
                                       uint64_t *pos)
{
    int error = -ESTALE;

    for (int tries = 0; tries < KYMO_QUERY_RETRIES && error == -ESTALE; tries++)
        error = kymo_impl_window_as_of(&reader->ring, time, pos);
    return error;
}

/* The positions of the bracket of `time`. -EDOM: time is before the oldest record that is left, or
 * after the newest. */
KYMO_INLINE int kymo_series_find_bracket(const struct kymo_reader *reader, uint64_t time,
                                         uint64_t *before, uint64_t *after)
{
    int error = -ESTALE;

    for (int tries = 0; tries < KYMO_QUERY_RETRIES && error == -ESTALE; tries++)
        error = kymo_impl_window_bracket(&reader->ring, time, before, after);
    return error;
}

/* ---- records ---- */

/* Copies the record closest to `time` into buffer[size]. As kymo_series_find_closest. */
KYMO_INLINE int kymo_series_closest(const struct kymo_reader *reader, uint64_t time,
                                    uint64_t max_distance, void *buffer, size_t size,
                                    struct kymo_record *record)
{
    uint64_t pos = 0, distance = 0;
    int error = -ESTALE;

    for (int tries = 0; tries < KYMO_QUERY_RETRIES && error == -ESTALE; tries++) {
        error = kymo_impl_window_closest(&reader->ring, time, &pos, &distance);
        if (KYMO_LIKELY(error == 0))
            error = distance <= max_distance
                        ? kymo_impl_ring_read(&reader->ring, pos, buffer, size, record)
                        : -ERANGE;
    }
    return error;
}

/* Copies the newest record whose time is not after `time`. As kymo_series_find_as_of. */
KYMO_INLINE int kymo_series_as_of(const struct kymo_reader *reader, uint64_t time, void *buffer,
                                  size_t size, struct kymo_record *record)
{
    uint64_t pos = 0;
    int error = -ESTALE;

    for (int tries = 0; tries < KYMO_QUERY_RETRIES && error == -ESTALE; tries++) {
        error = kymo_impl_window_as_of(&reader->ring, time, &pos);
        if (KYMO_LIKELY(error == 0))
            error = kymo_impl_ring_read(&reader->ring, pos, buffer, size, record);
    }
    return error;
}

/*
 * Copies the two records around `time` into before[size] and after[size], to be interpolated with
 * bracket->alpha. As kymo_series_find_bracket. At the time of a record both are that record.
 */
KYMO_INLINE int kymo_series_bracket(const struct kymo_reader *reader, uint64_t time, void *before,
                                    void *after, size_t size, struct kymo_bracket *bracket)
{
    const struct kymo_ring *ring = &reader->ring;
    uint64_t first = 0, second = 0;
    int error = -ESTALE;

    for (int tries = 0; tries < KYMO_QUERY_RETRIES && error == -ESTALE; tries++) {
        error = kymo_impl_window_bracket(ring, time, &first, &second);
        if (KYMO_LIKELY(error == 0))
            error = kymo_impl_ring_read(ring, first, before, size, &bracket->before);
        if (KYMO_LIKELY(error == 0))
            error = kymo_impl_ring_read(ring, second, after, size, &bracket->after);
    }
    if (KYMO_LIKELY(error == 0))
        bracket->alpha = first == second ? 0.0
                                         : (double)(time - bracket->before.time) /
                                               (double)(bracket->after.time - bracket->before.time);
    return error;
}

/* Copies the newest record where its time is not before min_time. -ETIME: it is. */
KYMO_INLINE int kymo_series_fresh(const struct kymo_reader *reader, uint64_t min_time, void *buffer,
                                  size_t size, struct kymo_record *record)
{
    struct kymo_record found = {0, 0, 0, 0, 0};
    int error = kymo_ring_latest(reader, buffer, size, &found);

    if (KYMO_UNLIKELY(error && error != -EMSGSIZE))
        return error;
    if (record)
        *record = found;
    return KYMO_LIKELY(found.time >= min_time) ? error : -ETIME;
}

/* One try at the positions in [low of the window + skip, high) with from <= time <= to. */
KYMO_INLINE int kymo_impl_window_range(const struct kymo_ring *ring, uint64_t from, uint64_t to,
                                       uint64_t skip, struct kymo_range *range)
{
    struct kymo_window window;
    uint64_t end, lowest;
    int error = kymo_window_pin(ring, &window);

    if (KYMO_UNLIKELY(error))
        return error;
    /* Never beyond the end, even where somebody turned head back meanwhile. */
    window.low += skip < window.high - window.low ? skip : window.high - window.low;
    range->first =
        from == 0 ? window.low : kymo_impl_window_after(ring, window.low, window.high, from - 1);
    end = kymo_impl_window_after(ring, range->first, window.high, to);
    range->count = end - range->first;
    range->truncated = range->first == window.low && window.low != ring->first;
    lowest = range->first > window.low ? range->first - 1 : range->first;
    return kymo_impl_window_holds(ring, lowest) ? 0 : kymo_impl_ring_lost(ring);
}

/*
 * The positions of all records with from <= time <= to that are still there, into *range; count 0
 * where there is none. Read them with kymo_ring_at: the oldest may be overwritten before that.
 * Under a writer that overwrites the window's end faster than it can be searched, the range begins
 * a little later, and says truncated. -EINVAL: from is after to.
 */
KYMO_INLINE int kymo_series_range(const struct kymo_reader *reader, uint64_t from, uint64_t to,
                                  struct kymo_range *range)
{
    uint64_t available = kymo_ring_available(&reader->ring);
    int error = -ESTALE;

    if (from > to)
        return -EINVAL;
    for (uint64_t tries = 0; tries < KYMO_QUERY_RETRIES && error == -ESTALE; tries++)
        error = kymo_impl_window_range(&reader->ring, from, to,
                                       available * tries / KYMO_QUERY_RETRIES, range);
    return error;
}

/* ---- several rings at one instant ---- */

/* Which record of a ring stands for an instant. */
enum kymo_align_mode {
    KYMO_ALIGN_CLOSEST = 0,
    KYMO_ALIGN_AS_OF = 1,
    KYMO_ALIGN_BRACKET = 2 /* the pair around it, to be interpolated */
};

/* One ring's part in an alignment: above the line what is asked, below it what is answered. */
struct kymo_alignment {
    const struct kymo_reader *reader;
    enum kymo_align_mode mode;
    uint64_t max_distance; /* ns; KYMO_ANY_DISTANCE excludes nothing; 0 only the instant itself */
    void *buffer;          /* gets the payload; in a bracket the earlier one */
    void *after;           /* bracket: gets the later one */
    size_t size;           /* bytes of buffer, and of after */
    /* ---- */
    int error;                 /* 0, or as the query of that mode; -ERANGE: beyond max_distance */
    struct kymo_record record; /* in a bracket the earlier one */
    struct kymo_record later;  /* bracket: the later one */
    double alpha;              /* bracket: 0 at record, 1 at later */
    uint64_t distance;         /* ns from the instant; in a bracket that of the farther record */
};

/*
 * Answers rows[count] for one instant, `time`, ns on the clock that all of them must have. Returns
 * how many have error 0. -EINVAL: the clocks differ, or a mode does not exist; nothing is answered.
 * Each answer is exact for its own ring's window; the rings are asked one after the other.
 */
KYMO_EXPORT int kymo_series_align(struct kymo_alignment *rows, size_t count, uint64_t time);

#ifdef __cplusplus
}
#endif

#endif
