/*
 * render_history.c - many records: the whole history, or what lies between two instants.
 *
 * Records are copied first and spelled after that: copying keeps ahead of a writer that spelling
 * would not. What a file shows is contiguous up to its newest record; what the writer overtook all
 * the same is counted in the last line.
 */
#include "render.h"

#include <inttypes.h>
#include <stdlib.h>

/* How often all records may be lost before the answer is -EAGAIN. */
#define ROUNDS 8

/* Where a history begins and ends: all that is there, or what lies between two instants. */
struct span {
    const struct query *query; /* NULL: all */
    uint64_t first;
    uint64_t end; /* the position behind the last */
};

/* A history in private memory: each record, then its payload. */
struct history {
    struct kymo_text copies;
    uint64_t first; /* the first position that is in it */
    struct render_copy copy;
};

static int span_find(const struct node *node, struct span *span)
{
    const struct kymo_reader *reader = node_reader(node);
    struct kymo_window window = {0, 0};
    struct kymo_range range = {0, 0, 0};
    int error;

    if (span->query) {
        error = kymo_series_range(reader, span->query->from, span->query->to, &range);
        window = (struct kymo_window){range.first, range.first + range.count};
    } else {
        error = kymo_window_pin(&reader->ring, &window);
    }
    span->first = window.low;
    span->end = window.high;
    /* Where nothing was published yet the history is there, and empty. */
    return error == -ENODATA ? 0 : error;
}

static int history_add(struct history *history, const struct node *node, uint64_t pos)
{
    int error = render_copy(node_reader(node), pos, 0, render_payload_most(node_schema(node)),
                            &history->copy);

    if (error)
        return error;
    if (history->copies.len + sizeof(struct kymo_record) + history->copy.len > RENDER_LIMIT)
        return -EFBIG;
    error = render_room(2 * history->copies.len + history->copy.len);
    if (error)
        return error;
    kymo_text_append(&history->copies, &history->copy.record, sizeof(struct kymo_record));
    kymo_text_append(&history->copies, history->copy.payload, history->copy.len);
    return history->copies.error;
}

/* Where to go on once `pos` is lost: where the writer is safe to keep away, a little further each
 * time. In the end that is behind the last, however damaged the segment. */
static uint64_t step_over(const struct kymo_ring *ring, uint64_t pos, uint64_t end, int tries)
{
    const uint64_t eighths = tries < 4 ? (uint64_t)tries : 4;
    const uint64_t keep = ring->mask - ring->mask / 8 * eighths;
    const uint64_t head = kymo_ring_head(ring);
    uint64_t next = pos + 1 + (tries > 8 ? (end - pos) / 8 : 0);

    if (head > keep && head - keep > next)
        next = head - keep;
    return next < end ? next : end;
}

/* Copies what is there of the span. -EAGAIN: nothing was, although there should be something. */
static int history_copy(struct history *history, const struct node *node, const struct span *span)
{
    int tries = 0;

    kymo_text_clear(&history->copies);
    history->first = span->first;
    for (uint64_t pos = span->first; pos < span->end;) {
        int error = history_add(history, node, pos);

        if (!error) {
            pos++;
            continue;
        }
        if (error != -ESTALE || tries == KYMO_RETRIES)
            return error == -ESTALE ? -EAGAIN : error;
        kymo_text_clear(&history->copies);
        pos = step_over(node_ring(node), pos, span->end, tries++);
        history->first = pos;
    }
    return history->first == span->end && span->first < span->end ? -EAGAIN : 0;
}

/* Copies the span as it is now, or a little later. *missed: what it had, and is lost. */
static int history_take(struct history *history, const struct node *node, struct span *span,
                        uint64_t *missed)
{
    uint64_t asked = 0;
    int error = -EAGAIN;

    for (int round = 0; round < ROUNDS && error == -EAGAIN; round++) {
        error = span_find(node, span);
        if (error)
            break;
        if (round == 0)
            asked = span->first;
        error = history_copy(history, node, span);
    }
    *missed = history->first > asked ? history->first - asked : 0;
    return error == -ESTALE || error == -EAGAIN ? node_overtaken(node) : error;
}

/* ---- spelling ---- */

/* Bytes of its payload that the history has. */
static uint32_t history_payload(const struct kymo_schema *schema, const struct kymo_record *record)
{
    const uint32_t most = render_payload_most(schema);

    return record->len < most ? record->len : most;
}

static void spell_record(const struct node *node, bool csv, const struct kymo_record *record,
                         const void *payload, struct kymo_text *text)
{
    if (csv) {
        kymo_text_csv(text, node_schema(node), record, payload);
        return;
    }
    kymo_text_record(text, node_schema(node), node_clock(node), record, payload);
    kymo_text_append(text, "\n", 1);
}

static int spell_history(const struct node *node, bool csv, const struct history *history,
                         struct kymo_text *text)
{
    const struct kymo_schema *schema = node_schema(node);
    const char *at = history->copies.data;
    const char *end = at ? at + history->copies.len : at;
    const uint64_t usual = render_line_limit(schema, 0);
    struct kymo_record record;
    uint64_t len;
    int error = csv ? render_room(2 * render_header_limit(schema)) : 0;

    if (csv && !error)
        kymo_text_csv_header(text, schema);
    while (at < end && !error) {
        memcpy(&record, at, sizeof(record));
        at += sizeof(record);
        len = text->len + (schema->count ? usual : render_line_limit(schema, record.len));
        error = len > RENDER_LIMIT ? -EFBIG : render_room(2 * (len + history->copies.len));
        if (error)
            break;
        spell_record(node, csv, &record, at, text);
        at += history_payload(schema, &record);
    }
    return error;
}

static void spell_missed(bool csv, uint64_t missed, struct kymo_text *text)
{
    if (missed > 0)
        kymo_text_printf(text, csv ? "# missed %" PRIu64 "\n" : "{\"missed\":%" PRIu64 "}\n",
                         missed);
}

/* Whether one line alone would be too long. */
static bool is_too_long(const struct node *node, bool csv)
{
    const struct kymo_schema *schema = node_schema(node);

    return (csv && render_header_limit(schema) > RENDER_LIMIT) ||
           (schema->count > 0 && render_line_limit(schema, 0) > RENDER_LIMIT);
}

static int render_span(const struct node *node, bool csv, const struct query *query,
                       struct kymo_text *text)
{
    struct span span = {.query = query};
    struct history history = {.first = 0};
    uint64_t missed = 0;
    int error = is_too_long(node, csv) ? -EFBIG : history_take(&history, node, &span, &missed);

    if (!error)
        error = spell_history(node, csv, &history, text);
    if (!error)
        spell_missed(csv, missed, text);
    kymo_text_free(&history.copies);
    free(history.copy.payload);
    return error;
}

int render_history_table(const struct node *node, struct kymo_text *text)
{
    return render_span(node, true, NULL, text);
}

int render_history_lines(const struct node *node, struct kymo_text *text)
{
    return render_span(node, false, NULL, text);
}

int render_range(const struct node *node, struct kymo_text *text)
{
    struct query query;
    int error = node_question(node, &query);

    return error ? error : render_span(node, query.csv, &query, text);
}
