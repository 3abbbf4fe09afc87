/*
 * series.h - the inline bodies of <kymo/series.h>: the search in a window of times.
 *
 * Windows of up to KYMO_IMPL_BISECT_LIMIT records are bisected by four, without branches. Wider
 * ones take two guesses by interpolation, the second between two sampled times that all searches
 * share, and check the few records around it; if the time is not there, steps that grow eightfold
 * bracket it. Evenly spaced times need about 12 probes at any depth, with one cache miss; the worst
 * case is logarithmic.
 */
#ifndef KYMO_IMPL_SERIES_H
#define KYMO_IMPL_SERIES_H

#include <kymo/impl/ring.h>
#include <kymo/series.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Windows up to this many positions are bisected directly. */
#ifndef KYMO_IMPL_BISECT_LIMIT
#define KYMO_IMPL_BISECT_LIMIT 4096
#endif

/* The distance of the records whose times are sampled for a guess: 129 cache lines of times, an odd
 * number, so that the samples spread over all sets of a cache and remain cached. */
#ifndef KYMO_IMPL_SAMPLE
#define KYMO_IMPL_SAMPLE 1032
#endif

/* How many records before and after a guess are checked first: one or two cache lines of times. */
#define KYMO_IMPL_NEAR 4

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
    KYMO_TESTPOINT(WINDOW_PINNED);
    return 0;
}

KYMO_INLINE uint64_t kymo_window_time(const struct kymo_ring *ring, uint64_t pos)
{
    return kymo_load_relaxed(&ring->times[pos & ring->mask]);
}

/* 1 if every time loaded for pos and later positions was that of its position, and none was a zero
 * that the guard maps for a lost page. */
KYMO_INLINE int kymo_impl_window_holds(const struct kymo_ring *ring, uint64_t pos)
{
    /* SER-1 (acquire fence): times before head. Pairs with kymo_impl_ring_complete. */
    kymo_fence_acquire();
    return kymo_load_relaxed(&ring->control->head) - pos <= ring->mask &&
           !kymo_load_relaxed32(&ring->damaged);
}

/*
 * The first position in [low, high) whose time is after `time`; high if none. Three probes at once
 * divide the window into four: their cache misses overlap, and the selection among them compiles to
 * conditional moves, so that no branch can be mispredicted.
 *
 * If probes contradict each other, the newest that is not after `time` decides: an older one may
 * have been overwritten. But the result is never beyond a probe that decided the other way, since
 * then no probe proves that its own time is after `time`. So the window always has 2^n - 1
 * positions, which three probes divide into four of 2^(n-2) - 1; the excess is cut off first.
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

/* A number below 2^63, which converts in one instruction. */
KYMO_INLINE double kymo_impl_double(uint64_t number)
{
    const int64_t signed_number = KYMO_IMPL_CAST(int64_t, number);

    return KYMO_IMPL_CAST(double, signed_number);
}

/* A guess as a distance from the window's oldest record, limited to 0 .. span. */
KYMO_INLINE uint64_t kymo_impl_window_cut(double guess, uint64_t span)
{
    guess = guess > 0 ? guess : 0;
    guess = guess < kymo_impl_double(span) ? guess : kymo_impl_double(span);
    return KYMO_IMPL_CAST(uint64_t, KYMO_IMPL_CAST(int64_t, guess));
}

/* The position of `time` if the records from low to low + span, whose times are `from` and `to`,
 * were evenly spaced. A guess: correctness does not depend on it. */
KYMO_INLINE uint64_t kymo_impl_window_interpolate(uint64_t low, uint64_t span, uint64_t from,
                                                  uint64_t to, uint64_t time)
{
    /* Halves are below 2^63. */
    const double rate = kymo_impl_double(span) / (kymo_impl_double((to - from) / 2) * 2.0 + 1.0);
    const int64_t ahead = KYMO_IMPL_CAST(int64_t, time / 2 - from / 2);

    return low + kymo_impl_window_cut(KYMO_IMPL_CAST(double, ahead) * 2.0 * rate, span);
}

/*
 * The same in two steps: over the whole window, then between the two samples around that position.
 * All searches read the same samples, which are therefore cached; and between them the error is the
 * unevenness of 1,000 records, not of 1,000,000.
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

/* The first position after guess - KYMO_IMPL_NEAR whose time is after `time`, if it is at most
 * KYMO_IMPL_NEAR after the guess; else 0. As in bisection, and for the same reason, the newest
 * probe decides. */
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

/*
 * The same for wide windows: guess, bracket, bisect.
 *
 * The oldest records are overwritten first, so a probe near the window's low end that is after
 * `time` says nothing about the newer records: the time may be that of a later record. A probe that
 * is not after `time` proves that all earlier probes of newer records were valid. Without that proof
 * nothing is cut off above the guess.
 */
KYMO_INLINE uint64_t kymo_impl_window_guess(const struct kymo_ring *ring, uint64_t low,
                                            uint64_t high, uint64_t time)
{
    const uint64_t last = high - 1;
    const uint64_t from = kymo_window_time(ring, low);
    const uint64_t to = kymo_window_time(ring, last);
    uint64_t step = 8 * KYMO_IMPL_NEAR;
    uint64_t guess, after, below;

    if (time >= to)
        return high;
    if (KYMO_UNLIKELY(time < from))
        return kymo_impl_window_bisect(ring, low, high, time);
    KYMO_TESTPOINT(WINDOW_PROBED);
    guess = kymo_impl_window_sample(ring, low, last, from, to, time);
    /* The caller usually reads the record next: fetch its slot while times are compared. */
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
        after = guess;
        while (step < after - low && kymo_window_time(ring, after - step) > time) {
            after -= step;
            step *= 8;
        }
        below = step < after - low ? after - step : low;
        if (kymo_window_time(ring, below) <= time) {
            low = below;
            high = after;
        }
    }
    return kymo_impl_window_bisect(ring, low, high, time);
}

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

KYMO_INLINE uint64_t kymo_impl_distance(uint64_t one, uint64_t other)
{
    return one > other ? one - other : other - one;
}

/* One try at the closest position and its distance; -ESTALE if the window moved past it. */
KYMO_INLINE int kymo_impl_window_closest(const struct kymo_ring *ring, uint64_t time, uint64_t *pos,
                                         uint64_t *distance)
{
    struct kymo_window window;
    uint64_t before, after, nearest, before_distance, after_distance;
    int error = kymo_window_pin(ring, &window);

    if (KYMO_UNLIKELY(error))
        return error;
    /* At either end of the window both are the same. The choice between the two is
     * unpredictable, so it is a selection of values, not a branch. */
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

KYMO_INLINE int kymo_series_find_closest(const struct kymo_reader *reader, uint64_t time,
                                         uint64_t max_distance, uint64_t *pos)
{
    uint64_t distance = 0;
    int error = -ESTALE;

    for (int tries = 0; tries < KYMO_QUERY_RETRIES && error == -ESTALE; tries++)
        error = kymo_impl_window_closest(&reader->ring, time, pos, &distance);
    return error == 0 && distance > max_distance ? -ERANGE : error;
}

KYMO_INLINE int kymo_series_find_as_of(const struct kymo_reader *reader, uint64_t time,
                                       uint64_t *pos)
{
    int error = -ESTALE;

    for (int tries = 0; tries < KYMO_QUERY_RETRIES && error == -ESTALE; tries++)
        error = kymo_impl_window_as_of(&reader->ring, time, pos);
    return error;
}

KYMO_INLINE int kymo_series_find_bracket(const struct kymo_reader *reader, uint64_t time,
                                         uint64_t *before, uint64_t *after)
{
    int error = -ESTALE;

    for (int tries = 0; tries < KYMO_QUERY_RETRIES && error == -ESTALE; tries++)
        error = kymo_impl_window_bracket(&reader->ring, time, before, after);
    return error;
}

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
        bracket->alpha =
            first == second
                ? 0.0
                : KYMO_IMPL_CAST(double, time - bracket->before.time) /
                      KYMO_IMPL_CAST(double, bracket->after.time - bracket->before.time);
    return error;
}

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
    /* Never beyond the end, even if head was turned back since kymo_ring_available. */
    window.low += skip < window.high - window.low ? skip : window.high - window.low;
    range->first =
        from == 0 ? window.low : kymo_impl_window_after(ring, window.low, window.high, from - 1);
    end = kymo_impl_window_after(ring, range->first, window.high, to);
    range->count = end - range->first;
    range->truncated = range->first == window.low && window.low != ring->first;
    lowest = range->first > window.low ? range->first - 1 : range->first;
    return kymo_impl_window_holds(ring, lowest) ? 0 : kymo_impl_ring_lost(ring);
}

KYMO_INLINE int kymo_series_range(const struct kymo_reader *reader, uint64_t from, uint64_t to,
                                  struct kymo_range *range)
{
    const struct kymo_ring *ring = &reader->ring;
    const uint64_t available = kymo_ring_available(ring), head = kymo_ring_head(ring);
    uint64_t skip = 0, limit;
    int error = -ESTALE;

    if (from > to)
        return -EINVAL;
    for (uint64_t tries = 0; tries < KYMO_QUERY_RETRIES && error == -ESTALE; tries++) {
        error = kymo_impl_window_range(ring, from, to, skip, range);
        /* First without the oldest records that the writer has overwritten; if it is faster, also
         * without those that it will overwrite during the next try. */
        if (KYMO_UNLIKELY(error == -ESTALE && tries + 1 >= KYMO_QUERY_RETRIES / 2)) {
            limit = available * (tries + 1) / KYMO_QUERY_RETRIES;
            skip = kymo_ring_head(ring) - head;
            skip = skip < limit ? skip : limit;
        }
    }
    return error;
}

#ifdef __cplusplus
}
#endif

#endif
