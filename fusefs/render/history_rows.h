/*
 * history_rows.h - records in private memory, and the rows of text that are formatted from them.
 *
 * The files of histories, from the lowest: row_length.h, history_rows.h, history_store.h,
 * history_measure.h, history.c.
 */
#ifndef KYMOFS_HISTORY_ROWS_H
#define KYMOFS_HISTORY_ROWS_H

#include "row_length.h"

#define HISTORY_FORMATS (HISTORY_NDJSON + 1)

/* All that rows depend on beside the records. Stays valid when the segment is unmapped. */
struct row_layout {
    struct kymo_schema *schema;
    enum kymo_clock clock;
    uint32_t payload_limit; /* bytes of a payload that are copied */
    uint64_t line_limit;    /* of a row, bytes; 0: depends on the record's length */
    struct row_measure measures[HISTORY_FORMATS];
};

/* Copies of consecutive records: time, tag, len, and the payload as far as rows need it. */
struct row_buffer {
    unsigned char *data;
    size_t len;
    size_t capacity;
};

/* Where the copy of the record at pos begins. */
struct row_cursor {
    const unsigned char *at;
    uint64_t pos;
};

/* Bytes of a copy beside the payload. */
#define ROW_COPY_REST 20u

int row_layout_init(struct row_layout *layout, const struct request *request);
void row_layout_free(struct row_layout *layout);

/* The shortest row that is possible, bytes. */
uint64_t row_least(enum history_format format);
/* -EFBIG: the header, or a single row, may exceed RENDER_LIMIT. */
int row_check(const struct row_layout *layout, enum history_format format);

/* Appends a copy of the record at pos. -EFBIG: its row would exceed RENDER_LIMIT; -ENOMEM; else as
 * reads, and nothing is appended. */
int rows_copy(const struct row_layout *layout, struct request *request, uint64_t pos,
              struct row_buffer *buffer);

/* Moves the cursor to a later position. */
void rows_skip(const struct row_layout *layout, struct row_cursor *cursor, uint64_t pos);

/* Appends the rows of the next `count` records. -ENOMEM, -EINTR. */
int rows_format(const struct row_layout *layout, enum history_format format,
                struct row_cursor cursor, uint64_t count, struct budget *budget,
                struct kymo_text *text);

/* Adds the lengths of the next `count` rows. -ENOMEM, -EINTR. */
int rows_measure(const struct row_layout *layout, enum history_format format,
                 struct row_cursor cursor, uint64_t count, struct budget *budget, uint64_t *length);

/* The text before the first row, and behind the last. */
int rows_header(const struct row_layout *layout, enum history_format format, struct budget *budget,
                struct kymo_text *text);
void rows_missed(enum history_format format, uint64_t missed, struct kymo_text *text);

#endif
