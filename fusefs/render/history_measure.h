/*
 * history_measure.h - lengths of rows: from the store, or by formatting those that are new.
 */
#ifndef KYMOFS_HISTORY_MEASURE_H
#define KYMOFS_HISTORY_MEASURE_H

#include "history_store.h"

/* Adds the length of the rows [from, to), all of one group. `block` NULL: of the records in the ring.
 * -ESTALE: copying->lost was overwritten; -ENOMEM, -EINTR; else as reads. */
int measure_group(struct copying *copying, const struct block *block, uint64_t from, uint64_t to,
                  uint64_t *length);

/* The length of the text before the first row. */
int measure_header(struct copying *copying, uint64_t *length);

/* -EFBIG: the span has too many records, or a row may be too long. */
int history_check(const struct copying *copying, const struct history_span *span);

/* Where to continue after `lost` was overwritten: out of the writer's way, by more at each attempt. At
 * the latest that is the end, so that damaged segments are passed quickly (E, F). */
uint64_t history_step_over(const struct request *request, uint64_t lost, uint64_t end, int tries);

#endif
