/*
 * series.c - searches by keys that are in the slots: the tag, or a part of the payload (G: exact
 * queries).
 *
 * Keys do not decrease along positions, and a slot's seq shows whether it still holds the record at
 * a position. So a probe either compares that record's own key, or finds that this record and all
 * before it were overwritten. Both cut the window off, and no probe has to be checked again later.
 */
#include "internal.h"

struct key_search {
    const struct kymo_ring *ring;
    kymo_series_compare *compare;
    const void *key;
};

/* Stores the order of the record at pos. -ESTALE: overwritten. */
static int probe(const struct key_search *search, uint64_t pos, int *order)
{
    struct kymo_view view;
    int error = kymo_impl_ring_read_view(search->ring, pos, &view);

    if (error)
        return error;
    *order = search->compare(&view, search->key);
    return kymo_impl_ring_confirm(search->ring, kymo_impl_ring_slot(search->ring, pos), pos);
}

/* One try. -EAGAIN: the whole window was overwritten. */
static int search_window(const struct key_search *search, uint64_t *pos)
{
    struct kymo_window window;
    uint64_t low, high;
    int error = kymo_window_pin(search->ring, &window);
    int found; /* the result, if the record in front of low is the last one not after the key */

    if (error)
        return error;
    low = window.low;
    high = window.high;
    found = low == search->ring->first ? -ENOMSG : -ESTALE;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        int order = 0;

        error = probe(search, middle, &order);
        if (error && error != -ESTALE)
            return error;
        if (!error && order > 0) {
            high = middle;
            continue;
        }
        low = middle + 1;
        found = error ? -ESTALE : order ? -ENOMSG : 0;
    }
    *pos = low - 1;
    if (low < window.high || found == 0)
        return found;
    return found == -ENOMSG ? -ENODATA : -EAGAIN;
}

int kymo_series_find_key(const struct kymo_reader *reader, kymo_series_compare *compare,
                         const void *key, uint64_t *pos)
{
    const struct key_search search = {&reader->ring, compare, key};
    int error = -EAGAIN;

    for (int tries = 0; tries < KYMO_QUERY_RETRIES && error == -EAGAIN; tries++)
        error = search_window(&search, pos);
    return error == -EAGAIN ? -ESTALE : error;
}

static int compare_tag(const struct kymo_view *view, const void *key)
{
    const uint64_t tag = *(const uint64_t *)key;

    return view->record.tag < tag ? -1 : view->record.tag > tag;
}

int kymo_series_find_tag(const struct kymo_reader *reader, uint64_t tag, uint64_t *pos)
{
    return kymo_series_find_key(reader, compare_tag, &tag, pos);
}
