/*
 * lines.h - the records of one generation as lines of JSON, each rendered once for all readers.
 *
 * A struct lines is used by one thread at a time. A line that is held may be read and dropped by any
 * thread, and outlives the struct lines.
 */
#ifndef KYMOFS_LINES_H
#define KYMOFS_LINES_H

#include <kymo/kymo.h>

/* Lines kept for the next reader: their number, and bytes of text. */
#define LINES_KEPT  64
#define LINES_BYTES (UINT64_C(1) << 20)

struct line {
    struct kymo_text text; /* with its "\n" */
    uint64_t pos;
    uint32_t references;
};

struct lines {
    const struct kymo_reader *reader; /* outlives this */
    struct line *kept[LINES_KEPT];    /* by pos modulo LINES_KEPT */
    uint64_t bytes;
};

void lines_open(struct lines *lines, const struct kymo_reader *reader);
void lines_close(struct lines *lines);

/*
 * The line for a reader that has had everything before *next, held; advances *next. If records were
 * overwritten before that reader could have them, the line is {"missed":N}, and *next becomes the
 * position of the first that remains.
 * -ENODATA: nothing new. -EIDRM: the generation has ended. -EAGAIN: lapped by the writer, retries
 * exhausted. -EBADMSG: damaged. -EFBIG: lines may exceed RENDER_LIMIT. -ENOMEM.
 */
int lines_take(struct lines *lines, uint64_t *next, struct line **line);

void line_hold(struct line *line);
void line_drop(struct line *line); /* NULL is allowed */

#endif
