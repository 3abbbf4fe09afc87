/*
 * plot.h - the history of a segment's numeric fields as a picture.
 */
#ifndef KYMOFS_PLOT_H
#define KYMOFS_PLOT_H

#include <stdbool.h>

#include <kymo/kymo.h>

/* Records that a plot looks back at; of a deeper ring it shows the newest. */
#define PLOT_RECORDS 65536

/* Lines that it has at most; what is left out is said in it. */
#define PLOT_LINES 48

/* Whether there is anything to draw. */
bool plot_is_possible(const struct kymo_schema *schema);

/*
 * Appends an SVG of what the ring holds now: a panel for the fields that share a unit and an order of
 * magnitude, a line for each field or element, time to the right. It suits light and dark pages.
 * `name`: the segment's. -ENODATA: no record, or no numeric field; else as reads.
 */
int plot_history(const char *name, const struct kymo_reader *reader, struct kymo_text *svg);

#endif
