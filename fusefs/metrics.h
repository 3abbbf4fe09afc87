/*
 * metrics.h - metrics.prom: all segments that the caller may read, and the daemon itself, as
 * Prometheus text.
 */
#ifndef KYMOFS_METRICS_H
#define KYMOFS_METRICS_H

#include "node.h"

/* Samples of segments in one answer, about 128 MiB. Where all together have more, the segments that
 * have most are left out, and counted. */
#define METRICS_SAMPLES (UINT64_C(1) << 20)

/* A row's render_for. Says when the newest of what it shows was written. */
int metrics_render(const struct node *node, struct request *request, struct kymo_text *text);

/* A row's limit: there is none. */
uint64_t metrics_limit(const struct node *node);

#endif
