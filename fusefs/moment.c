/*
 * moment.c - readers that end at an instant.
 *
 * Such a reader is a copy of the segment's, with a page of control data of its own: its head is the
 * position behind the newest record of that time, its first one the oldest that the live writer
 * leaves alone. Reading a record is as exact as ever, since its slot tells.
 *
 * So is a search among times, although the copy does not see the live head move (G). A time that the
 * writer puts in the place of another one meanwhile is not before the newest of the copy's. A search
 * that meets it can only end too early, at a position that has been overwritten, and reading that
 * says so; or find nothing, as it would a little later. Then the copy is made anew, and leaves the
 * writer some more of the oldest records.
 */
#include "moment.h"

#include <stdlib.h>

#include "node.h"

/* How often a copy is made anew because the writer came by. */
#define TRIES 8

/* ---- instants ---- */

int moment_pin(const char *text, struct moment **out)
{
    struct moment *moment = calloc(1, sizeof(*moment));
    uint64_t now[MOMENT_CLOCKS];
    int error = -EINVAL;

    if (!moment)
        return -ENOMEM;
    moment->holders = 1;
    for (int clock = 0; clock < MOMENT_CLOCKS; clock++)
        now[clock] = kymo_clock_now((enum kymo_clock)clock);
    for (int clock = 0; clock < MOMENT_CLOCKS; clock++) {
        moment->error[clock] =
            kymo_time_parse(text, (enum kymo_clock)clock, now[clock], &moment->time[clock]);
        if (error)
            error = moment->error[clock] == -EINVAL ? error : moment->error[clock];
    }
    if (error)
        free(moment);
    else
        *out = moment;
    return error;
}

void moment_hold(struct moment *moment)
{
    if (moment)
        kymo_fetch_add_ordered32(&moment->holders, 1);
}

void moment_drop(struct moment *moment)
{
    if (moment && kymo_fetch_add_ordered32(&moment->holders, UINT32_MAX) == 1)
        free(moment);
}

bool moment_same(const struct moment *one, const struct moment *other)
{
    if (one == other)
        return true;
    if (!one || !other)
        return false;
    for (int clock = 0; clock < MOMENT_CLOCKS; clock++) {
        if (one->error[clock] != other->error[clock] ||
            (!one->error[clock] && one->time[clock] != other->time[clock]))
            return false;
    }
    return true;
}

/* ---- windows ---- */

int moment_window(const struct node *node, struct kymo_window *window)
{
    const struct kymo_ring *ring = node_ring(node);
    uint64_t pos;
    int error;

    *window = (struct kymo_window){ring->first, ring->first};
    error = kymo_window_pin(ring, window);
    if (!error && node->key.moment) {
        error = kymo_series_find_as_of(node_reader(node), node_now(node), &pos);
        /* EDOM: the first record ever came later. */
        window->high = error ? window->low : pos + 1;
        if (error == -EDOM)
            *window = (struct kymo_window){ring->first, ring->first};
    }
    if (!error && window->high <= window->low)
        error = -ESTALE;
    return error == -ENODATA || error == -EDOM ? 0 : error;
}

/* ---- readers ---- */

struct past {
    struct kymo_control control;
    struct kymo_reader reader;
    struct segment segment;
};

/* `spare`: how many of the oldest records are left to the writer. */
static int past_begin(struct past *past, const struct node *node, uint64_t spare)
{
    const struct segment *segment = node->key.segment;
    struct kymo_window window;
    int error = moment_window(node, &window);

    if (error)
        return error;
    if (window.low > segment->reader->ring.first && window.high > window.low)
        window.low += spare < window.high - window.low ? spare : window.high - window.low - 1;
    past->control = (struct kymo_control){
        .head = window.high,
        .state = kymo_load_relaxed32(&segment->reader->ring.control->state),
    };
    past->reader = *segment->reader;
    past->reader.ring.control = &past->control;
    past->reader.ring.first = window.low;
    past->segment = (struct segment){.name = segment->name,
                                     .reader = &past->reader,
                                     .remains = segment->remains};
    return 0;
}

/* Once the writer came by: an eighth of the ring more for it, each time, and in any case a few. */
static uint64_t spare_of(const struct node *node, int tries)
{
    return tries == 0 ? 0 : node_ring(node)->mask / TRIES * (uint64_t)tries + (uint64_t)tries;
}

int moment_render(const struct node *node, struct kymo_text *text)
{
    struct past past;
    struct node then = *node;
    int error = -ESTALE;

    then.key.segment = &past.segment;
    for (int tries = 0; tries < TRIES && error == -ESTALE; tries++) {
        error = past_begin(&past, node, spare_of(node, tries));
        if (error)
            return error;
        kymo_text_clear(text);
        error = node->key.kind->render(&then, text);
    }
    /* F: the guard marks the reader that it knows. */
    if (kymo_load_relaxed32(&node_ring(node)->damaged))
        return -EBADMSG;
    /* Records before the copy's first are not missing: they have been overwritten. */
    if (error == -ENODATA && past.reader.ring.first != node_ring(node)->first)
        return -ESTALE;
    return error;
}
