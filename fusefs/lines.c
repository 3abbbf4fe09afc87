/*
 * lines.c - records as lines of JSON, made once.
 *
 * A line is kept in the place that its position gives it, until a newer one needs the place or the
 * bytes. Readers that keep up share the newest lines; one that has fallen behind has its lines made
 * for it alone, and may find a record here that the ring has lost already.
 */
#include "lines.h"

#include <stdlib.h>

#include "counters.h"
#include "render.h"
#include "workers.h"

/* Bytes of a record that take a while to be made into text. */
#define LENGTHY 16384

void lines_open(struct lines *lines, const struct kymo_reader *reader)
{
    *lines = (struct lines){.reader = reader};
}

static void forget(struct lines *lines, size_t place)
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
        forget(lines, i);
}

void line_hold(struct line *line)
{
    kymo_fetch_add_ordered32(&line->holders, 1);
}

void line_drop(struct line *line)
{
    if (!line || kymo_fetch_add_ordered32(&line->holders, UINT32_MAX) != 1)
        return;
    kymo_text_free(&line->text);
    free(line);
}

/* ---- those that are kept ---- */

static void forget_oldest(struct lines *lines)
{
    size_t oldest = LINES_KEPT;

    for (size_t i = 0; i < LINES_KEPT; i++) {
        if (lines->kept[i] &&
            (oldest == LINES_KEPT || lines->kept[i]->pos < lines->kept[oldest]->pos))
            oldest = i;
    }
    if (oldest < LINES_KEPT)
        forget(lines, oldest);
}

/* Keeps the line unless a newer one has its place, or it is too long to be kept for anybody. */
static void keep(struct lines *lines, struct line *line)
{
    const size_t place = line->pos % LINES_KEPT;

    if ((lines->kept[place] && lines->kept[place]->pos >= line->pos) ||
        line->text.len > LINES_BYTES)
        return;
    forget(lines, place);
    while (lines->bytes > 0 && lines->bytes + line->text.len > LINES_BYTES)
        forget_oldest(lines);
    line_hold(line);
    lines->kept[place] = line;
    lines->bytes += line->text.len;
}

/* The first line at pos or behind it that is kept; NULL: none is. */
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

/* ---- making them ---- */

static struct line *line_new(uint64_t pos)
{
    struct line *line = calloc(1, sizeof(*line));

    if (line) {
        line->pos = pos;
        line->holders = 1;
    }
    return line;
}

/* Returns the line, or NULL where memory ran out while it was written. */
static struct line *finish(struct line *line)
{
    kymo_text_append(&line->text, "\n", 1);
    if (!line->text.error)
        return line;
    line_drop(line);
    return NULL;
}

static struct line *make_record(const struct lines *lines, const struct kymo_record *record,
                                const void *payload)
{
    const struct kymo_segment *segment = lines->reader->segment;
    struct line *line = line_new(record->pos);

    if (!line)
        return NULL;
    if (record->len >= LENGTHY)
        workers_step_aside();
    kymo_text_record(&line->text, kymo_segment_schema(segment), kymo_segment_clock(segment), record,
                     payload);
    counter_add(COUNTER_STREAM_RECORDS, 1);
    return finish(line);
}

static struct line *make_missed(uint64_t pos, uint64_t missed)
{
    struct line *line = line_new(pos);

    if (!line)
        return NULL;
    kymo_text_printf(&line->text, "{\"missed\":%llu}", (unsigned long long)missed);
    return finish(line);
}

/* The line of the first record at pos or behind it that the ring still has, held. */
static int make(const struct lines *lines, uint64_t pos, struct line **line)
{
    const uint32_t size = lines->reader->ring.size;
    struct kymo_cursor cursor = {lines->reader, pos};
    struct kymo_record record;
    void *payload;
    int error;

    /* No line is longer than a file may be. */
    if (render_line_limit(kymo_segment_schema(lines->reader->segment), size) > RENDER_LIMIT)
        return -EFBIG;
    payload = malloc(size + (size_t)1);
    error = payload ? kymo_cursor_next(&cursor, payload, size, &record, NULL) : -ENOMEM;

    if (!error) {
        *line = make_record(lines, &record, payload);
        error = *line ? 0 : -ENOMEM;
    }
    free(payload);
    return error;
}

/* Gives the line to a reader who has had everything before *next. */
static int give(uint64_t *next, struct line *found, struct line **line)
{
    const uint64_t missed = found->pos - *next;

    if (missed == 0) {
        *next = found->pos + 1;
        *line = found;
        return 0;
    }
    *line = make_missed(*next, missed);
    line_drop(found);
    if (!*line)
        return -ENOMEM;
    counter_add(COUNTER_STREAM_MISSED, missed);
    *next += missed;
    return 0;
}

int lines_take(struct lines *lines, uint64_t *next, struct line **line)
{
    struct line *found = find_kept(lines, *next);
    struct line *made;
    int error;

    if (!found || found->pos != *next) {
        error = make(lines, *next, &made);
        if (error)
            return error;
        keep(lines, made);
        /* What the ring has lost may still be here. */
        found = find_kept(lines, *next);
        if (!found || found->pos > made->pos)
            return give(next, made, line);
        line_drop(made);
    }
    line_hold(found);
    return give(next, found, line);
}
