/*
 * render.h - what stands in a file. Everything is spelled by kymo/text.h, so that the command line
 * prints the same bytes.
 *
 * The functions that take a node are those of the rows in node.c: they append the content, as of
 * now, to an empty text, and return 0 or a negative errno, after which the text means nothing.
 */
#ifndef KYMOFS_RENDER_H
#define KYMOFS_RENDER_H

#include "node.h"

/*
 * Anybody may put a segment into the directory that takes no memory, has slots of a gibibyte or a
 * million million of them, and then open its files. No file is longer than this, bytes; where the
 * content would be, the answer is -EFBIG. It leaves room for a frame of 7680 x 4320 pixels.
 */
#define RENDER_LIMIT (UINT64_C(128) << 20)

/*
 * Who has content made may want to know how much memory that takes while it grows: `more` is asked
 * by the thread that makes it, with the bytes that it is about to take in all, and may refuse.
 */
struct render_room {
    int (*more)(struct render_room *room, uint64_t bytes);
};

/* For this thread; NULL: nobody wants to know. */
void render_room_set(struct render_room *room);
int render_room(uint64_t bytes);

int render_readme(const struct node *node, struct kymo_text *text);
int render_record(const struct node *node, struct kymo_text *text);
int render_field(const struct node *node, struct kymo_text *text);
int render_interp(const struct node *node, struct kymo_text *text);
int render_history_table(const struct node *node, struct kymo_text *text);
int render_history_lines(const struct node *node, struct kymo_text *text);
int render_range(const struct node *node, struct kymo_text *text);
int render_info(const struct node *node, struct kymo_text *text);
int render_schema(const struct node *node, struct kymo_text *text);
int render_picture(const struct node *node, struct kymo_text *text);
int render_plot(const struct node *node, struct kymo_text *text);
int render_link(const struct node *node, struct kymo_text *text);

/* Bytes that these do not exceed, whatever is published; possibly beyond RENDER_LIMIT. */
uint64_t render_record_limit(const struct node *node);
uint64_t render_field_limit(const struct node *node);
uint64_t render_interp_limit(const struct node *node);
uint64_t render_history_limit(const struct node *node);
uint64_t render_info_limit(const struct node *node);
uint64_t render_picture_limit(const struct node *node);
uint64_t render_plot_limit(const struct node *node);

/* The field and the element that a file below field/ shows, as its number. */
#define RENDER_WHOLE_FIELD UINT32_MAX
static inline uint64_t render_field_number(uint32_t field, uint32_t element)
{
    return (uint64_t)field << 32 | element;
}

/* ---- records ---- */

/* A copy of one record, or of a part of it. Its text is made from a copy because other processes
 * may change the original between two looks at it. Begin with {0}; free the payload. */
struct render_copy {
    struct kymo_record record;
    unsigned char *payload;
    size_t len; /* bytes of payload */
    size_t capacity;
};

/* Copies up to `most` bytes of the payload at pos, from `offset` on. -EFBIG; else as reads. */
int render_copy(const struct kymo_reader *reader, uint64_t pos, uint32_t offset, uint32_t most,
                struct render_copy *copy);

/* How much of a payload its text is made from: what the schema describes, or all. */
uint32_t render_payload_most(const struct kymo_schema *schema);

/* Bytes that a record's line, in JSON or in a table, does not exceed, if its payload has `len`. */
uint64_t render_line_limit(const struct kymo_schema *schema, uint32_t len);

/* The same for the first line of a table. */
uint64_t render_header_limit(const struct kymo_schema *schema);

#endif
