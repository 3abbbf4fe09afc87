/*
 * rows.h - the tables of rows, one a file; each ends with a row without a name.
 */
#ifndef KYMO_BENCH_ROWS_H
#define KYMO_BENCH_ROWS_H

#include "harness.h"

extern const struct bench_row bench_memory_rows[]; /* what the machine itself does */
extern const struct bench_row bench_ring_rows[];   /* publish, read, lend, view */
extern const struct bench_row bench_series_rows[]; /* questions about time */
extern const struct bench_row bench_queue_rows[];  /* lossless hand-off */
extern const struct bench_row bench_wake_rows[];   /* from one thread to another */
extern const struct bench_row bench_peer_rows[];   /* the same with the system's other means */
extern const struct bench_row bench_fuse_rows[];   /* through the file view */

#endif
