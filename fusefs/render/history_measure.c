/*
 * history_measure.c - lengths of rows, and of whole histories.
 *
 * A row's text never changes, so that each is measured once. Only the group at the oldest end, which
 * loses rows, is measured again each time.
 */
#include "history_measure.h"

#include <stdlib.h>

#include "base/counters.h"

uint64_t history_step_over(const struct request *request, uint64_t lost, uint64_t end, int tries)
{
    const struct kymo_ring *ring = &request->segment->reader->ring;
    const uint64_t eighths = tries < 4 ? (uint64_t)tries : 4;
    const uint64_t keep = ring->mask - ring->mask / 8 * eighths;
    const uint64_t head = kymo_ring_head(ring);
    uint64_t next = lost + 1 + (tries > 8 ? (end - lost) / 8 : 0);

    if (head > keep && head - keep > next)
        next = head - keep;
    return next < end ? next : end;
}

static int measure_new(struct copying *copying, const struct block *block, uint64_t from,
                       uint64_t to, uint64_t *length)
{
    struct history_store *store = copying->store;
    struct row_cursor cursor = {NULL, from};
    int error = 0;

    if (block) {
        cursor = block_seek(store, block, from);
    } else {
        error = copy_records(copying, from, to);
        cursor.at = copying->buffer.data;
    }
    counter_add(COUNTER_ROWS_MEASURED, to - from);
    return error ? error
                 : rows_measure(&store->layout, copying->format, cursor, to - from,
                                &copying->request->budget, length);
}

int measure_group(struct copying *copying, const struct block *block, uint64_t from, uint64_t to,
                  uint64_t *length)
{
    struct history_store *store = copying->store;
    const uint64_t number = from >> store->group_shift;
    const uint64_t base = number << store->group_shift;
    struct row_group wanted = {.number = number,
                               .first = (uint16_t)(from - base),
                               .end = (uint16_t)(to - base)};
    struct row_group measured = {.number = number};
    const bool is_known = store_find_length(store, copying->format, number, &measured);
    const bool grows = is_known && measured.first == wanted.first && measured.end <= wanted.end;
    const bool is_part = is_known && measured.first <= wanted.first && wanted.end <= measured.end;
    uint64_t sum = grows ? measured.length : 0;
    int error = 0;

    if (!grows || measured.end < wanted.end)
        error = measure_new(copying, block, grows ? base + measured.end : from, to, &sum);
    if (error)
        return error;
    *length += sum;
    if (!is_part && sum <= UINT32_MAX) {
        wanted.length = (uint32_t)sum;
        store_set_length(store, copying->format, &wanted);
    }
    return 0;
}

int measure_header(struct copying *copying, uint64_t *length)
{
    struct history_store *store = copying->store;
    struct kymo_text text = {0};
    int error = 0;

    *length = kymo_load_relaxed(&store->header_length);
    if (copying->format != HISTORY_CSV)
        *length = 0;
    else if (*length == 0) {
        error = rows_header(&store->layout, copying->format, &copying->request->budget, &text);
        *length = text.len;
        if (!error)
            kymo_store_relaxed(&store->header_length, text.len);
    }
    kymo_text_free(&text);
    return error;
}

/* ---- a whole history ---- */

/* Adds up the rows of [first, end); *first moves behind records that were overwritten. */
static int measure_rows(struct copying *copying, uint64_t *first, uint64_t end, uint64_t *sum)
{
    struct request *request = copying->request;
    const uint64_t rows = UINT64_C(1) << copying->store->group_shift;
    int error = 0, tries = 0;

    *sum = 0;
    for (uint64_t pos = *first, to; pos < end && !error; pos = to) {
        to = store_add_lengths(copying->store, copying->format, pos, end, sum);
        if (to == pos) {
            to = (pos | (rows - 1)) + 1;
            to = to < end ? to : end;
            error = measure_group(copying, NULL, pos, to, sum);
        }
        if (error == -ESTALE && tries < KYMO_RETRIES) {
            *sum = 0;
            *first = to = history_step_over(request, copying->lost, end, tries++);
            error = 0;
        } else if (*sum > HISTORY_LIMIT) {
            error = -EFBIG;
        }
        if (!error)
            error = budget_pause(&request->budget);
    }
    return error;
}

int history_check(const struct copying *copying, const struct history_span *span)
{
    if (span->end - span->first > HISTORY_LIMIT / row_least(copying->format))
        return -EFBIG;
    return row_check(&copying->store->layout, copying->format);
}

int history_measure(struct request *request, enum history_format format,
                    const struct history_span *span, uint64_t *size)
{
    struct copying copying = {.request = request, .format = format};
    struct kymo_text missed = {0};
    uint64_t first = span->first, rows = 0, header = 0;
    int error = store_get(request, &copying.store);

    if (!error)
        error = history_check(&copying, span);
    if (!error)
        error = measure_header(&copying, &header);
    if (!error)
        error = measure_rows(&copying, &first, span->end, &rows);
    if (!error && first == span->end && span->first < span->end)
        error = -EAGAIN;
    if (!error) {
        rows_missed(format, first - span->first, &missed);
        *size = header + rows + missed.len;
        error = missed.error;
    }
    kymo_text_free(&missed);
    free(copying.buffer.data);
    return error == -ESTALE || error == -EAGAIN ? request_overtaken(request) : error;
}
