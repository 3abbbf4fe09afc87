/*
 * lines.c - a cache of rendered lines, direct-mapped by position.
 *
 * A line is kept until a newer one needs its place or its bytes. Readers that keep up share the
 * newest lines. A reader that has fallen behind may find a record here that the ring has lost.
 */
#include "lines.h"

#include <stdlib.h>

#include "base/counters.h"
#include "render/render.h"

void lines_open(struct lines *lines, const struct kymo_reader *reader)
{
    *lines = (struct lines){.reader = reader};
}

static void evict(struct lines *lines, size_t place)
{
    struct line *line = lines->kept[place];

    if (!line)
        return;
    lines->kept[place] = NULL;
    lines->bytes -= line->text.len;
    line_drop(line);
}

void lines_close(struct lines *lines)
{
    for (size_t i = 0; i < LINES_KEPT; i++)
        evict(lines, i);
}

void line_hold(struct line *line)
{
    kymo_fetch_add_ordered32(&line->references, 1);
}

void line_drop(struct line *line)
{
    if (!line || kymo_fetch_add_ordered32(&line->references, UINT32_MAX) != 1)
        return;
    kymo_text_free(&line->text);
    free(line);
}

/* ---- the cache ---- */

/* The first kept line at or after pos; NULL: there is none. */
static struct line *find_kept(const struct lines *lines, uint64_t pos)
{
    struct line *found = lines->kept[pos % LINES_KEPT];

    if (found && found->pos == pos)
        return found;
    found = NULL;
    for (size_t i = 0; i < LINES_KEPT; i++) {
        struct line *line = lines->kept[i];

        if (line && line->pos >= pos && (!found || line->pos < found->pos))
            found = line;
    }
    return found;
}

static void keep(struct lines *lines, struct line *line)
{
    const size_t place = line->pos % LINES_KEPT;

    if ((lines->kept[place] && lines->kept[place]->pos >= line->pos) ||
        line->text.len > LINES_BYTES)
        return;
    evict(lines, place);
    while (lines->bytes + line->text.len > LINES_BYTES)
        evict(lines, find_kept(lines, 0)->pos % LINES_KEPT);
    line_hold(line);
    lines->kept[place] = line;
    lines->bytes += line->text.len;
}

/* ---- rendering ---- */

static struct line *line_new(uint64_t pos)
{
    struct line *line = calloc(1, sizeof(*line));

    if (line) {
        line->pos = pos;
        line->references = 1;
    }
    return line;
}

/* Stores the line, or drops it if memory ran out while it was rendered. */
static int line_finish(struct line *line, struct line **out)
{
    kymo_text_append(&line->text, "\n", 1);
    if (line->text.error) {
        line_drop(line);
        return -ENOMEM;
    }
    *out = line;
    return 0;
}

/* The line of the first record at or after pos that the ring still has, held. */
static int render_next(const struct lines *lines, uint64_t pos, struct line **out)
{
    const struct kymo_segment *segment = lines->reader->segment;
    const struct kymo_schema *schema = kymo_segment_schema(segment);
    const uint32_t size = lines->reader->ring.size;
    struct kymo_cursor cursor = {lines->reader, pos};
    struct kymo_record record;
    struct line *line = NULL;
    void *payload;
    int error;

    if (render_line_limit(schema, size) > RENDER_LIMIT)
        return -EFBIG;
    payload = malloc(size + (size_t)1);
    error = payload ? kymo_cursor_next(&cursor, payload, size, &record, NULL) : -ENOMEM;
    if (!error)
        line = line_new(record.pos);
    if (line) {
        kymo_text_record(&line->text, schema, kymo_segment_clock(segment), &record, payload);
        counter_add(COUNTER_STREAM_RECORDS, 1);
        error = line_finish(line, out);
    } else if (!error) {
        error = -ENOMEM;
    }
    free(payload);
    return error;
}

/* Stores `found`, which is taken over, or the line about what is missing before it. */
static int deliver(uint64_t *next, struct line *found, struct line **out)
{
    const uint64_t missed = found->pos - *next;
    struct line *line;
    int error = -ENOMEM;

    if (missed == 0) {
        *next = found->pos + 1;
        *out = found;
        return 0;
    }
    line_drop(found);
    line = line_new(*next);
    if (line) {
        kymo_text_printf(&line->text, "{\"missed\":%llu}", (unsigned long long)missed);
        error = line_finish(line, out);
    }
    if (!error) {
        counter_add(COUNTER_STREAM_MISSED, missed);
        *next += missed;
    }
    return error;
}

int lines_take(struct lines *lines, uint64_t *next, struct line **line)
{
    struct line *found = find_kept(lines, *next);
    struct line *made;
    int error;

    if (!found || found->pos != *next) {
        error = render_next(lines, *next, &made);
        if (error)
            return error;
        keep(lines, made);
        /* The cache may still have a record that the ring has lost. */
        found = find_kept(lines, *next);
        if (!found || found->pos > made->pos)
            return deliver(next, made, line);
        line_drop(made);
    }
    line_hold(found);
    return deliver(next, found, line);
}
