/*
 * plot.h - the history of a segment's numeric fields as a picture.
 */
#ifndef KYMOFS_PLOT_H
#define KYMOFS_PLOT_H

#include <kymo/kymo.h>

/* Records that a plot looks back at; of a deeper ring it shows the newest. */
#define PLOT_RECORDS 65536

/*
 * Appends an SVG of what the ring holds now: a panel for each unit, a line for each field or element,
 * time to the right. It suits light and dark pages. -ENODATA: no record, or no numeric field; else
 * as reads.
 */
int plot_history(const struct kymo_reader *reader, struct kymo_text *svg);

#endif
