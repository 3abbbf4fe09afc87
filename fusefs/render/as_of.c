/*
 * as_of.c - readers that end at an instant, and the times of files.
 *
 * Such a reader is a copy of the segment's reader with its own control page: its head is the position
 * behind the newest record at the instant, its first position the oldest that the live writer does not
 * overwrite next. Reading a record stays exact, because the slot's seq tells which record it holds.
 *
 * A search by time stays exact too (G: exact time queries), although the copy does not see the live head
 * move. A time that the writer stores over an old one is later than all times of the copy. A search
 * that meets it can only end too early, at a position that has been overwritten, where reading returns
 * -ESTALE; or find nothing. Then the copy is made again, later without some of the oldest records.
 */
#include "render.h"

/* Attempts until the oldest records have all been left out. */
#define TRIES 8

/* ---- windows ---- */

static const struct kymo_reader *live_reader(const struct request *request)
{
    return request->segment->reader;
}

int render_window(const struct request *request, struct kymo_window *window)
{
    const struct kymo_reader *reader = live_reader(request);
    const uint64_t first = reader->ring.first;
    uint64_t pos;
    int error;

    *window = (struct kymo_window){first, first};
    error = kymo_window_pin(&reader->ring, window);
    if (!error && request->has_instant) {
        error = kymo_series_find_as_of(reader, request_now(request), &pos);
        /* -EDOM: the first record was published later. */
        window->high = error ? window->low : pos + 1;
        if (error == -EDOM)
            *window = (struct kymo_window){first, first};
    }
    if (!error && window->high <= window->low)
        error = -ESTALE;
    return error == -ENODATA || error == -EDOM ? 0 : error;
}

/* ---- readers ---- */

struct as_of_reader {
    struct kymo_control control;
    struct kymo_reader reader;
};

/* Leaves out the `skip` oldest records. */
static int as_of_begin(struct as_of_reader *as_of, const struct request *request, uint64_t skip)
{
    const struct kymo_reader *reader = live_reader(request);
    struct kymo_window window;
    int error = render_window(request, &window);

    if (error)
        return error;
    if (window.low > reader->ring.first && window.high > window.low)
        window.low += skip < window.high - window.low ? skip : window.high - window.low - 1;
    as_of->control = (struct kymo_control){
        .head = window.high,
        .state = kymo_load_relaxed32(&reader->ring.control->state),
    };
    as_of->reader = *reader;
    as_of->reader.ring.control = &as_of->control;
    as_of->reader.ring.first = window.low;
    return 0;
}

/* None at first; then as many as the writer has overwritten since it was at `head`, and one more,
 * at most an eighth of the ring more at each attempt. */
static uint64_t skip_of(const struct request *request, uint64_t head, int tries)
{
    const struct kymo_ring *ring = &live_reader(request)->ring;
    const uint64_t limit = ring->mask / TRIES * (uint64_t)tries + (uint64_t)tries;
    const uint64_t moved = kymo_ring_head(ring) - head + 1;

    if (tries < TRIES / 2)
        return 0;
    return moved < limit ? moved : limit;
}

int render_as_of(struct request *request,
                 int (*render)(struct request *request, struct kymo_text *text),
                 struct kymo_text *text)
{
    const struct kymo_ring *ring = &live_reader(request)->ring;
    const uint64_t head = kymo_ring_head(ring);
    struct as_of_reader as_of;
    int error = -ESTALE;

    request->reader = live_reader(request);
    if (!request->has_instant)
        return render(request, text);
    for (int tries = 0; tries < TRIES && error == -ESTALE; tries++) {
        error = as_of_begin(&as_of, request, skip_of(request, head, tries));
        if (error)
            return error;
        kymo_text_clear(text);
        request->reader = &as_of.reader;
        error = render(request, text);
        request->reader = live_reader(request);
    }
    /* F (any content is safe): the SIGBUS guard marks the registered reader, not the copy. */
    if (kymo_load_relaxed32(&ring->damaged))
        return -EBADMSG;
    return error;
}

/* ---- times of files ---- */

/* What must be added to a time on that clock to get ns since 1970. Of several measurements the
 * fastest counts: the others may have been preempted. */
static int64_t measure_offset(enum kymo_clock clock)
{
    uint64_t best = UINT64_MAX;
    int64_t offset = 0;

    for (int tries = 0; tries < 4; tries++) {
        const uint64_t begin = kymo_clock_now(clock);
        const uint64_t realtime = kymo_clock_now(KYMO_REALTIME);
        const uint64_t took = kymo_clock_now(clock) - begin;

        if (took < best) {
            best = took;
            offset = (int64_t)(realtime - begin - took / 2);
        }
    }
    return offset;
}

/* Keeps the offset until one of the clocks is set, so that the mtime of an unchanged file stays the
 * same to the nanosecond. */
static int64_t clock_offset(enum kymo_clock clock)
{
    static uint64_t kept[KYMO_USER];
    const int64_t tolerance = 1000000;
    int64_t old = (int64_t)kymo_load_relaxed(&kept[clock]);
    int64_t now = measure_offset(clock);

    if (old != 0 && now - old < tolerance && old - now < tolerance)
        return old;
    kymo_store_relaxed(&kept[clock], (uint64_t)now);
    return now;
}

static struct change change_at_instant(const struct request *request)
{
    const enum kymo_clock clock = request_clock(request);
    struct kymo_window window;

    if (clock == KYMO_USER || render_window(request, &window) != 0 || window.low == window.high)
        return (struct change){KYMO_REALTIME, request->segment->created};
    return (struct change){clock, kymo_window_time(&live_reader(request)->ring, window.high - 1)};
}

struct change render_last_change(const struct request *request)
{
    const struct kymo_reader *reader = live_reader(request);
    const enum kymo_clock clock = request_clock(request);
    struct kymo_view view;
    struct kymo_info info;

    if (request->has_instant)
        return change_at_instant(request);
    if (clock != KYMO_USER && kymo_ring_view_latest(reader, &view) == 0)
        return (struct change){clock, view.record.time};
    /* The writer's own clock has no relation to realtime: use its heartbeat or its start. */
    if (kymo_segment_info(reader->segment, &info) != 0 || !(info.heartbeat | info.opened))
        return (struct change){KYMO_REALTIME, request->segment->created};
    return (struct change){KYMO_MONOTONIC,
                           info.heartbeat > info.opened ? info.heartbeat : info.opened};
}

uint64_t render_realtime(struct change change)
{
    return change.clock == KYMO_REALTIME ? change.time
                                         : change.time + (uint64_t)clock_offset(change.clock);
}
