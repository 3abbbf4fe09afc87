/*
 * plot.h - the content of a plot: plot.c collects it, plot_draw.c draws it.
 */
#ifndef KYMOFS_PLOT_H
#define KYMOFS_PLOT_H

#include <stdbool.h>

#include <kymo/kymo.h>

/* Records that a plot shows; of a deeper ring the newest. */
#define PLOT_RECORDS 65536

/* Lines of a plot; it states the number of values that are left out. */
#define PLOT_LINES 48

/* Columns of pixels; a record's time selects its column. */
#define PLOT_COLUMNS 640

/* More would be unreadable. */
#define PLOT_PANEL_LINES 8
#define PLOT_PANELS      12

struct plot_line {
    const struct kymo_field *field;
    uint32_t element;
    double least[PLOT_COLUMNS]; /* NaN where the column has no value */
    double greatest[PLOT_COLUMNS];
    bool gap[PLOT_COLUMNS]; /* a record there had no finite value, or was too short */
    double size;            /* the greatest absolute value */
    double newest;
};

/* Lines of one unit and order of magnitude. */
struct plot_panel {
    const struct plot_line *lines[PLOT_PANEL_LINES];
    size_t count;
    double size;
    double low, high; /* the least and the greatest value */
};

struct plot {
    const char *name;
    enum kymo_clock clock;
    uint64_t from, to; /* times at the left and the right edge */
    uint64_t records;  /* shown */
    uint64_t older;    /* available, but not shown */
    struct plot_line *lines;
    size_t line_count;
    uint64_t left_out; /* numeric elements without a line */
    struct plot_panel panels[PLOT_PANELS];
    size_t panel_count;
};

/* Appends an SVG that suits light and dark pages. */
void plot_draw(const struct plot *plot, struct kymo_text *svg);

#endif
