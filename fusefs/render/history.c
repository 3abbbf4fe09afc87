/*
 * history.c - open histories.
 *
 * Records are copied first and formatted later: copying keeps ahead of a writer that formatting would
 * not keep ahead of.
 */
#include "history.h"

#include <stdlib.h>

#include "history_measure.h"

/* Attempts to copy a history of which every record was overwritten. */
#define ROUNDS 8

struct history {
    struct history_store *store;
    struct segment *segment; /* held: the store lives as long */
    enum history_format format;
    uint64_t first; /* position of the first row */
    uint64_t end;
    struct block **blocks;
    size_t block_count;
    size_t block_capacity;
    uint64_t *offsets; /* of each group's text behind the header, and its end */
    size_t group_count;
    struct kymo_text header;
    struct kymo_text missed;
    struct charge charge; /* for all that is not in blocks */
    uint64_t fixed;       /* bytes of it that stay until the end */
    pthread_mutex_t lock; /* for charge and those below */
    /* The text of the group in which the last read ended: sequential reads continue there. */
    struct kymo_text last;
    size_t last_group;
};

/* ---- what a history holds ---- */

static int find_range(const struct request *request, const struct kymo_window *window,
                      struct history_span *span)
{
    const struct query *query = &request->query;
    const uint64_t now = request->has_instant ? request_now(request) : query->to;
    const uint64_t to = query->to < now ? query->to : now;
    struct kymo_range range = {window->high, 0, 0};
    int error = 0;

    if (query->from <= to)
        error = kymo_series_range(request->segment->reader, query->from, to, &range);
    if (error == -ENODATA)
        range = (struct kymo_range){window->high, 0, 0};
    span->first = range.first;
    span->end = range.first + range.count;
    return error == -ENODATA ? 0 : error;
}

int history_find(const struct request *request, bool is_range, struct history_span *span)
{
    struct kymo_window window;
    int error = render_window(request, &window);

    *span = (struct history_span){window.low, window.high, is_range};
    return error || !is_range ? error : find_range(request, &window, span);
}

/* ---- copies ---- */

static void drop_blocks(struct history *history)
{
    for (size_t i = 0; i < history->block_count; i++)
        block_put(history->store, history->blocks[i]);
    history->block_count = 0;
}

static int charge_fixed(struct history *history, uint64_t bytes)
{
    history->fixed += bytes;
    return charge_grow(&history->charge, history->fixed);
}

static int add_block(struct history *history, struct block *block)
{
    const size_t capacity = history->block_capacity ? 2 * history->block_capacity : 8;
    struct block **blocks;

    if (history->block_count == history->block_capacity) {
        blocks = realloc(history->blocks, capacity * sizeof(struct block *));
        if (!blocks) {
            block_put(history->store, block);
            return -ENOMEM;
        }
        history->blocks = blocks;
        history->block_capacity = capacity;
    }
    history->blocks[history->block_count++] = block;
    return 0;
}

/* Copies what remains of the span. -EAGAIN: everything was overwritten. */
static int copy_span(struct history *history, struct copying *copying,
                     const struct history_span *span)
{
    const uint64_t records = UINT64_C(1) << history->store->block_shift;
    int error = 0, tries = 0;

    drop_blocks(history);
    history->first = span->first;
    history->end = span->end;
    for (uint64_t pos = span->first, to; pos < span->end && !error; pos = to) {
        struct block *block = NULL;

        to = (pos | (records - 1)) + 1;
        to = to < span->end ? to : span->end;
        error = block_get(copying, pos, to, &block);
        if (!error)
            error = add_block(history, block);
        if (error == -ESTALE && tries < KYMO_RETRIES) {
            drop_blocks(history);
            history->first = to =
                history_step_over(copying->request, copying->lost, span->end, tries++);
            error = 0;
        }
        if (!error)
            error = budget_pause(&copying->request->budget);
    }
    return !error && history->block_count == 0 && span->first < span->end ? -EAGAIN : error;
}

static int copy_history(struct history *history, struct copying *copying, struct history_span span)
{
    struct request *request = copying->request;
    const uint64_t first = span.first;
    int error = -EAGAIN;

    for (int round = 0; round < ROUNDS && error == -EAGAIN; round++) {
        if (round > 0 && (error = history_find(request, span.is_range, &span)))
            break;
        error = history_check(copying, &span);
        if (!error)
            error = copy_span(history, copying, &span);
        if (error == -ESTALE)
            error = -EAGAIN;
    }
    if (!error)
        rows_missed(history->format, history->first > first ? history->first - first : 0,
                    &history->missed);
    return error == -ESTALE || error == -EAGAIN ? request_overtaken(request) : error;
}

/* ---- lengths ---- */

static struct block *block_of(const struct history *history, uint64_t pos)
{
    const unsigned int shift = history->store->block_shift;

    return history->blocks[(pos >> shift) - (history->first >> shift)];
}

/* The positions of a group's rows, up to but not including *end. */
static uint64_t group_span(const struct history *history, size_t group, uint64_t *end)
{
    const unsigned int shift = history->store->group_shift;
    const uint64_t base = ((history->first >> shift) + group) << shift;

    *end = base + (UINT64_C(1) << shift);
    *end = *end < history->end ? *end : history->end;
    return base > history->first ? base : history->first;
}

/* Fills in the offset behind each group. */
static int measure_groups(struct history *history, struct copying *copying)
{
    uint64_t offset = 0, end;
    int error = 0;

    for (size_t group = 0; group < history->group_count && !error; group++) {
        const uint64_t from = group_span(history, group, &end);

        error = measure_group(copying, block_of(history, from), from, end, &offset);
        history->offsets[group + 1] = offset;
        if (!error)
            error = offset > HISTORY_LIMIT ? -EFBIG : budget_pause(&copying->request->budget);
    }
    return error;
}

static int measure_history(struct history *history, struct copying *copying)
{
    const unsigned int shift = history->store->group_shift;
    int error;

    if (history->first < history->end)
        history->group_count =
            (size_t)(((history->end - 1) >> shift) - (history->first >> shift) + 1);
    error = charge_fixed(history, (history->group_count + 1) * sizeof(uint64_t) +
                                      history->block_capacity * sizeof(struct block *));
    if (error)
        return error;
    history->offsets = calloc(history->group_count + 1, sizeof(uint64_t));
    return history->offsets ? measure_groups(history, copying) : -ENOMEM;
}

/* ---- open and close ---- */

static int fill_history(struct history *history, struct request *request,
                        const struct history_span *span)
{
    struct copying copying = {.store = history->store,
                              .request = request,
                              .format = history->format};
    int error = copy_history(history, &copying, *span);

    if (!error)
        error = measure_history(history, &copying);
    if (!error)
        error = rows_header(&history->store->layout, history->format, &request->budget,
                            &history->header);
    if (!error)
        error = charge_fixed(history, sizeof(*history) + history->header.capacity);
    free(copying.buffer.data);
    return error;
}

int history_open(struct request *request, enum history_format format,
                 const struct history_span *span, struct history **out)
{
    struct history *history = calloc(1, sizeof(*history));
    int error = history ? store_get(request, &history->store) : -ENOMEM;

    if (error) {
        free(history);
        return error;
    }
    segment_hold(request->segment);
    history->segment = request->segment;
    history->format = format;
    history->charge.shares = request->budget.charge.shares;
    history->charge.uid = request->budget.charge.uid;
    pthread_mutex_init(&history->lock, NULL);
    error = fill_history(history, request, span);
    if (error)
        history_close(history);
    else
        *out = history;
    return error;
}

void history_close(struct history *history)
{
    if (!history)
        return;
    drop_blocks(history);
    free(history->blocks);
    free(history->offsets);
    kymo_text_free(&history->header);
    kymo_text_free(&history->missed);
    kymo_text_free(&history->last);
    charge_release(&history->charge);
    pthread_mutex_destroy(&history->lock);
    segment_drop(history->segment);
    free(history);
}

/* ---- reads ---- */

uint64_t history_size(const struct history *history)
{
    return history->header.len + history->offsets[history->group_count] + history->missed.len;
}

/* The part of a text that a read has not copied yet. */
struct part {
    uint64_t offset; /* relative to the beginning of the text */
    size_t size;
    struct kymo_text *out;
};

/* Appends the part's bytes of a piece of text with `len` bytes, and advances behind the piece. */
static void append_piece(struct part *part, const char *piece, uint64_t len)
{
    size_t size = part->size;

    if (part->offset < len) {
        if (size > len - part->offset)
            size = (size_t)(len - part->offset);
        kymo_text_append(part->out, piece + part->offset, size);
        part->offset = 0;
        part->size -= size;
    } else {
        part->offset -= len;
    }
}

/* Takes the text of the group if the last read ended there. */
static bool take_last(struct history *history, size_t group, struct kymo_text *text)
{
    bool found;

    pthread_mutex_lock(&history->lock);
    found = history->last.data && history->last_group == group;
    if (found) {
        *text = history->last;
        history->last = (struct kymo_text){0};
        charge_shrink(&history->charge, history->fixed);
    }
    pthread_mutex_unlock(&history->lock);
    return found;
}

/* Keeps it for the next read, or frees it. */
static void put_last(struct history *history, size_t group, struct kymo_text *text)
{
    struct kymo_text other = *text;

    pthread_mutex_lock(&history->lock);
    charge_shrink(&history->charge, history->fixed);
    if (charge_grow(&history->charge, history->fixed + text->capacity) == 0) {
        other = history->last;
        history->last = *text;
        history->last_group = group;
    }
    pthread_mutex_unlock(&history->lock);
    kymo_text_free(&other);
}

/* Appends the group's rows; -EBADMSG: their length differs from the measured one. */
static int format_rows(struct history *history, struct budget *budget, size_t group,
                       struct kymo_text *text)
{
    const uint64_t length = history->offsets[group + 1] - history->offsets[group];
    const size_t begin = text->len;
    struct history_store *store = history->store;
    struct row_group none = {.number = 0};
    uint64_t end;
    const uint64_t from = group_span(history, group, &end);
    int error =
        rows_format(&store->layout, history->format,
                    block_seek(store, block_of(history, from), from), end - from, budget, text);

    if (error || text->len - begin == length)
        return error;
    none.number = from >> store->group_shift;
    store_set_length(store, history->format, &none);
    return -EBADMSG;
}

static int read_group(struct history *history, struct budget *budget, size_t group,
                      struct part *part)
{
    const uint64_t length = history->offsets[group + 1] - history->offsets[group];
    struct kymo_text text = {0};
    int error = 0;

    if (part->offset == 0 && part->size >= length) {
        part->size -= length;
        return format_rows(history, budget, group, part->out);
    }
    if (!take_last(history, group, &text))
        error = format_rows(history, budget, group, &text);
    if (!error)
        append_piece(part, text.data, length);
    if (!error && part->size == 0)
        put_last(history, group, &text);
    else
        kymo_text_free(&text);
    return error;
}

/* The group that has the byte at the offset behind the header. */
static size_t find_group(const struct history *history, uint64_t offset)
{
    size_t low = 0, high = history->group_count;

    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;

        if (history->offsets[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

int history_read(struct history *history, struct budget *budget, uint64_t offset, size_t size,
                 struct kymo_text *text)
{
    const uint64_t rows = history->offsets[history->group_count];
    struct part part = {offset, size, text};
    int error = budget_grow(budget, 2 * size);
    size_t group;

    append_piece(&part, history->header.data, history->header.len);
    group = part.offset < rows ? find_group(history, part.offset) : history->group_count;
    part.offset -= history->offsets[group];
    for (; group < history->group_count && part.size > 0 && !error; group++) {
        error = read_group(history, budget, group, &part);
        if (!error)
            error = budget_pause(budget);
    }
    if (!error && part.size > 0)
        append_piece(&part, history->missed.data, history->missed.len);
    return error ? error : text->error;
}
