/*
 * rows.h - the tables of rows, one per file; a row without a name ends a table.
 */
#ifndef KYMO_BENCH_ROWS_H
#define KYMO_BENCH_ROWS_H

#include "harness.h"

extern const struct bench_row bench_memory_rows[];    /* copies without a protocol */
extern const struct bench_row bench_ring_rows[];      /* publish, read, loan, view */
extern const struct bench_row bench_series_rows[];    /* time queries */
extern const struct bench_row bench_queue_rows[];     /* lossless hand-off */
extern const struct bench_row bench_wake_rows[];      /* hand-off between threads */
extern const struct bench_row bench_peer_rows[];      /* other means of IPC */
extern const struct bench_row bench_fuse_rows[];      /* the mount: files */
extern const struct bench_row bench_fuse_load_rows[]; /* the mount: many readers and segments */

#endif
