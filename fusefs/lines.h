/*
 * lines.h - the records of one generation as lines of JSON, each made once for all who read it.
 *
 * One thread at a time uses a struct lines; a line that somebody holds may be read and dropped from
 * any thread, and outlives where it came from.
 */
#ifndef KYMOFS_LINES_H
#define KYMOFS_LINES_H

#include <kymo/kymo.h>

/* Lines that are kept for the next reader; by number, and in bytes of text. */
#define LINES_KEPT  64
#define LINES_BYTES (UINT64_C(1) << 20)

struct line {
    struct kymo_text text; /* with its "\n" */
    uint64_t pos;
    uint32_t holders;
};

struct lines {
    const struct kymo_reader *reader; /* outlives this */
    struct line *kept[LINES_KEPT];    /* by pos */
    uint64_t bytes;
};

void lines_open(struct lines *lines, const struct kymo_reader *reader);
void lines_close(struct lines *lines);

/*
 * The line that a reader gets next who has had everything before *next, held; *next moves on. Where
 * records were overwritten before he could have them, that is {"missed":N}, and *next the position
 * of the first that is still there.
 * -ENODATA: nothing new yet. -EIDRM: nothing will come, the generation has ended. -EAGAIN: the
 * writer came by over and over. -EBADMSG: damaged. -ENOMEM.
 */
int lines_take(struct lines *lines, uint64_t *next, struct line **line);

void line_hold(struct line *line);
void line_drop(struct line *line); /* NULL is fine */

#endif
