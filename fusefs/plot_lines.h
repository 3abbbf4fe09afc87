/*
 * plot_lines.h - what a plot shows, between plot.c, which gathers it, and plot_draw.c, which draws.
 */
#ifndef KYMOFS_PLOT_LINES_H
#define KYMOFS_PLOT_LINES_H

#include "plot.h"

/* Columns of pixels that the records are put into by their times. */
#define PLOT_COLUMNS 640

/* More than these on one panel, or of one segment, would be unreadable. */
#define PLOT_PANEL_LINES 8
#define PLOT_PANELS      12

struct plot_line {
    const struct kymo_field *field;
    uint32_t element;
    double least[PLOT_COLUMNS]; /* NaN where the column has no value */
    double greatest[PLOT_COLUMNS];
    bool gap[PLOT_COLUMNS]; /* a record there had none: NaN, infinite, or too short */
    double size;            /* the greatest absolute value */
    double newest;
};

/* Lines of one unit and order of magnitude. */
struct plot_panel {
    const struct plot_line *lines[PLOT_PANEL_LINES];
    size_t count;
    double size;
    double low, high; /* what its values span */
};

struct plot {
    const char *name;
    enum kymo_clock clock;
    uint64_t from, to; /* times at the left and the right edge */
    uint64_t records;  /* that were read */
    uint64_t older;    /* that were not, although they are there */
    struct plot_line *lines;
    size_t line_count;
    uint64_t left_out; /* numeric elements without a line */
    struct plot_panel panels[PLOT_PANELS];
    size_t panel_count;
};

void plot_draw(const struct plot *plot, struct kymo_text *svg);

#endif
