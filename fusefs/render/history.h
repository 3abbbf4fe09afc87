/*
 * history.h - history.csv, history.ndjson and range: many records as rows of text.
 *
 * An open history holds copies of its records, not their text: reads render the rows that they need.
 * Copies are made in blocks of consecutive positions, which all open histories of a segment share, so
 * that a second reader costs only the records that are new. The length of a row never changes: the
 * lengths of groups of rows are summed up once, so that the size costs only the records that are new.
 *
 * A history is contiguous up to its newest record. Records that were overwritten before they could be
 * copied are missing at its old end, and counted in the last row.
 */
#ifndef KYMOFS_HISTORY_H
#define KYMOFS_HISTORY_H

#include "render.h"

/* No history has more text, bytes; a single row is bounded by RENDER_LIMIT. It bounds the time of a
 * rendering, not memory: the copies of the records count against the user's share. */
#define HISTORY_LIMIT (UINT64_C(4) << 30)

struct history;

/* The positions of a history: first up to, not including, end. */
struct history_span {
    uint64_t first;
    uint64_t end;
    bool is_range; /* of the request's query */
};

enum history_format { HISTORY_CSV, HISTORY_NDJSON };

/* What the request's history would hold now: everything up to its instant, or what its query selects if
 * `is_range`. A few memory accesses. Errors as the query's; an empty ring is an empty span. */
int history_find(const struct request *request, bool is_range, struct history_span *span);

/* The length of the text of that span, bytes. O(records that no call has measured before).
 * -EFBIG: a row may exceed RENDER_LIMIT, or all HISTORY_LIMIT. -EAGAIN, below at/TIME -ESTALE: all
 * records were overwritten. -EINTR, -ENOMEM; else as reads. */
int history_measure(struct request *request, enum history_format format,
                    const struct history_span *span, uint64_t *size);

/* Copies the records of the span that still remain; if all were overwritten, those of a later span, a
 * few times. The history keeps what it needs of the segment, and outlives the request. Errors as
 * history_measure(). */
int history_open(struct request *request, enum history_format format,
                 const struct history_span *span, struct history **history);
void history_close(struct history *history);

/* Bytes. Any thread. */
uint64_t history_size(const struct history *history);

/* Appends up to `size` bytes of the text from `offset` on; fewer only at the end. Any number of
 * threads at once. -EBADMSG: a record was modified in place after its row was measured; a later open
 * measures it again. -ENOMEM, -EINTR. */
int history_read(struct history *history, struct budget *budget, uint64_t offset, size_t size,
                 struct kymo_text *text);

#endif
