/*
 * plot.c - the history of a segment's numeric fields as a picture.
 *
 * Records are read once, newest last, and each line keeps the least and the greatest value of every
 * column of pixels: so a picture costs the same to draw and to look at for ten records and for all
 * that a deep ring holds, and no spike is lost.
 */
#include "plot.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* Pixels. */
#define COLUMNS      640
#define PANEL_HEIGHT 130
#define PANEL_GAP    26
#define LEFT         76
#define RIGHT        176
#define TOP          44
#define BOTTOM       46

/* More than these on one panel, or of one segment, would be unreadable. */
#define PANEL_LINES 8
#define LINES       48

struct line {
    const struct kymo_field *field;
    uint32_t element;
    double least[COLUMNS]; /* NaN where the column has no value */
    double greatest[COLUMNS];
    bool gap[COLUMNS]; /* a record there had none: NaN, infinite, or too short */
    double newest;
};

/* Lines of one unit. */
struct panel {
    const char *unit;
    struct line *lines[PANEL_LINES];
    size_t count;
    double low, high; /* what the axis spans */
};

struct plot {
    const struct kymo_reader *reader;
    const struct kymo_schema *schema;
    uint64_t from, to; /* times at the left and the right edge */
    size_t records;
    struct line *lines;
    size_t line_count;
    struct panel panels[LINES];
    size_t panel_count;
    unsigned char *payload;
};

/* ---- what to draw ---- */

static struct panel *panel_for(struct plot *plot, const char *unit)
{
    struct panel *panel;

    for (size_t i = 0; i < plot->panel_count; i++) {
        panel = &plot->panels[i];
        if (panel->count < PANEL_LINES && strcmp(panel->unit, unit) == 0)
            return panel;
    }
    panel = &plot->panels[plot->panel_count++];
    panel->unit = unit;
    return panel;
}

static void add_line(struct plot *plot, const struct kymo_field *field, uint32_t element)
{
    struct panel *panel = panel_for(plot, field->unit);
    struct line *line = &plot->lines[plot->line_count++];

    line->field = field;
    line->element = element;
    line->newest = NAN;
    for (size_t column = 0; column < COLUMNS; column++)
        line->least[column] = line->greatest[column] = NAN;
    panel->lines[panel->count++] = line;
}

static int choose_lines(struct plot *plot)
{
    plot->lines = calloc(LINES, sizeof(*plot->lines));
    if (!plot->lines)
        return -ENOMEM;
    for (uint32_t i = 0; i < plot->schema->count; i++) {
        const struct kymo_field *field = &plot->schema->fields[i];

        for (uint32_t element = 0; kymo_type_is_numeric(field->type) && element < field->count &&
                                   element < PANEL_LINES && plot->line_count < LINES;
             element++)
            add_line(plot, field, element);
    }
    return plot->line_count > 0 ? 0 : -ENODATA;
}

/* ---- reading the history ---- */

static size_t column_of(const struct plot *plot, uint64_t time)
{
    const double span = (double)(plot->to - plot->from);

    if (time <= plot->from || span <= 0)
        return span <= 0 ? COLUMNS - 1 : 0;
    if (time >= plot->to)
        return COLUMNS - 1;
    return (size_t)((double)(time - plot->from) / span * (COLUMNS - 1) + 0.5);
}

static void take_record(struct plot *plot, const struct kymo_record *record)
{
    const size_t column = column_of(plot, record->time);

    for (size_t i = 0; i < plot->line_count; i++) {
        struct line *line = &plot->lines[i];
        const double value =
            kymo_element_value(line->field, line->element, plot->payload, record->len);

        line->newest = value;
        if (!isfinite(value)) {
            line->gap[column] = true;
            continue;
        }
        line->least[column] = fmin(line->least[column], value);
        line->greatest[column] = fmax(line->greatest[column], value);
    }
}

/* The time of the first record from pos on that can still be read. */
static int find_start(struct plot *plot, uint64_t *pos, uint64_t end)
{
    struct kymo_view view;
    int error = -ENODATA;

    for (; *pos < end; ++*pos) {
        error = kymo_ring_view(plot->reader, *pos, &view);
        if (error != -ESTALE)
            break;
    }
    plot->from = view.record.time;
    return error;
}

static int read_history(struct plot *plot)
{
    const struct kymo_ring *ring = &plot->reader->ring;
    const uint64_t available = kymo_ring_available(ring);
    const uint64_t end = kymo_ring_head(ring);
    struct kymo_record record;
    uint64_t pos = end - (available < PLOT_RECORDS ? available : PLOT_RECORDS);
    struct kymo_view newest;
    int error;

    if (available == 0)
        return -ENODATA;
    plot->payload = malloc(ring->size);
    if (!plot->payload)
        return -ENOMEM;
    error = kymo_ring_view(plot->reader, end - 1, &newest);
    if (!error)
        error = find_start(plot, &pos, end);
    if (error)
        return error;
    plot->to = newest.record.time;
    for (; pos < end; pos++) {
        error = kymo_ring_at(plot->reader, pos, plot->payload, ring->size, &record);
        if (error && error != -ESTALE)
            return error;
        if (error)
            continue;
        take_record(plot, &record);
        plot->records++;
    }
    return plot->records > 0 ? 0 : -ENODATA;
}

/* ---- scales ---- */

/* The step of 1, 2 or 5 times a power of ten that divides span into about `count` parts. */
static double nice_step(double span, int count)
{
    const double raw = span / count;
    const double power = pow(10, floor(log10(raw)));
    const double part = raw / power;

    return power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
}

static void fit_panel(struct panel *panel)
{
    double margin;

    panel->low = INFINITY;
    panel->high = -INFINITY;
    for (size_t i = 0; i < panel->count; i++) {
        for (size_t column = 0; column < COLUMNS; column++) {
            panel->low = fmin(panel->low, panel->lines[i]->least[column]);
            panel->high = fmax(panel->high, panel->lines[i]->greatest[column]);
        }
    }
    if (!(panel->low <= panel->high))
        panel->low = panel->high = 0;
    margin = (panel->high - panel->low) * 0.06;
    if (!(margin > 0) || !isfinite(margin))
        margin = fmax(fabs(panel->high) * 0.05, 0.5);
    panel->low -= margin;
    panel->high += margin;
}

static double y_of(const struct panel *panel, double value)
{
    return PANEL_HEIGHT - (value - panel->low) / (panel->high - panel->low) * PANEL_HEIGHT;
}

/* ---- drawing ---- */

static void append_escaped(struct kymo_text *svg, const char *string)
{
    for (; *string; string++) {
        if (*string == '<')
            kymo_text_string(svg, "&lt;");
        else if (*string == '&')
            kymo_text_string(svg, "&amp;");
        else if ((unsigned char)*string >= ' ')
            kymo_text_append(svg, string, 1);
    }
}

static void draw_text(struct kymo_text *svg, double x, double y, const char *class)
{
    kymo_text_printf(svg, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
}

/* Six digits; what is left of 0 after a few subtractions is 0. */
static void append_tick(struct kymo_text *svg, double value, double step)
{
    kymo_text_printf(svg, "%.6g</text>\n", fabs(value) < step / 1e6 ? 0.0 : value);
}

static void draw_values_axis(struct kymo_text *svg, const struct panel *panel)
{
    const double step = nice_step(panel->high - panel->low, 4);

    for (double value = ceil(panel->low / step) * step; value <= panel->high; value += step) {
        const double y = y_of(panel, value);

        kymo_text_printf(svg, "<path class=\"grid\" d=\"M0 %.1fH%d\"/>", y, COLUMNS);
        draw_text(svg, -8, y + 4, "value");
        append_tick(svg, value, step);
    }
    if (panel->unit[0]) {
        draw_text(svg, 0, -6, "unit");
        append_escaped(svg, panel->unit);
        kymo_text_string(svg, "</text>\n");
    }
}

/* The unit that times of this span read best in. */
static void time_unit(double span, double *unit, const char **name)
{
    static const struct {
        double ns;
        const char *name;
    } units[] = {{3600e9, "h"}, {60e9, "min"}, {1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
    size_t i = 0;

    while (i + 1 < sizeof(units) / sizeof(units[0]) && span < 2 * units[i].ns)
        i++;
    *unit = units[i].ns;
    *name = units[i].name;
}

/* Before the newest record, to the left; the label of the newest is at the right edge. */
static void draw_time_axis(struct kymo_text *svg, const struct plot *plot, double height)
{
    const double span = (double)(plot->to - plot->from);
    const char *name;
    double unit, step;

    if (span <= 0)
        return;
    time_unit(span, &unit, &name);
    step = nice_step(span / unit, 8);
    for (double value = 0; value <= span / unit; value += step) {
        const double x = COLUMNS - 1 - value * unit / span * (COLUMNS - 1);

        kymo_text_printf(svg, "<path class=\"grid\" d=\"M%.1f 0V%.1f\"/>", x, height);
        draw_text(svg, x, height + 18, "time");
        kymo_text_printf(svg, "%s%.6g %s</text>\n", value > 0 ? "-" : "", value, name);
    }
}

/* Up and down where a column holds more than one value; broken where records had none. */
static void draw_line(struct kymo_text *svg, const struct panel *panel, const struct line *line,
                      size_t colour)
{
    const char *verb = "M";

    kymo_text_printf(svg, "<path class=\"line c%zu\" d=\"", colour);
    for (size_t column = 0; column < COLUMNS; column++) {
        const double least = line->least[column];
        const double greatest = line->greatest[column];

        if (isnan(least)) {
            verb = line->gap[column] ? "M" : verb;
            continue;
        }
        kymo_text_printf(svg, "%s%zu %.1f", verb, column, y_of(panel, least));
        verb = "L";
        if (greatest > least)
            kymo_text_printf(svg, "V%.1f", y_of(panel, greatest));
        else if (column == COLUMNS - 1)
            kymo_text_string(svg, "h1");
    }
    kymo_text_string(svg, "\"/>\n");
}

/* The name in its line's colour, and the newest value. */
static void draw_legend(struct kymo_text *svg, const struct line *line, size_t colour)
{
    const double y = 12 + 16 * (double)colour;

    kymo_text_printf(svg, "<path class=\"line c%zu\" d=\"M%d %.1fh14\"/>", colour, COLUMNS + 12,
                     y - 4);
    draw_text(svg, COLUMNS + 32, y, "name");
    append_escaped(svg, line->field->name);
    if (line->field->dimensions > 0)
        kymo_text_printf(svg, ".%u", line->element);
    if (isfinite(line->newest))
        kymo_text_printf(svg, " <tspan class=\"newest\">%.6g</tspan>", line->newest);
    kymo_text_string(svg, "</text>\n");
}

static void draw_panel(struct kymo_text *svg, struct panel *panel, double top)
{
    fit_panel(panel);
    kymo_text_printf(svg, "<g transform=\"translate(%d %.0f)\">\n", LEFT, top);
    draw_values_axis(svg, panel);
    for (size_t i = 0; i < panel->count; i++) {
        draw_line(svg, panel, panel->lines[i], i);
        draw_legend(svg, panel->lines[i], i);
    }
    kymo_text_printf(svg, "<path class=\"frame\" d=\"M0 0V%d\"/></g>\n", PANEL_HEIGHT);
}

/* Colours that colour-blind eyes tell apart (Okabe and Ito 2008), on either background. */
static const char style[] =
    "<style>\n"
    "text{font:12px system-ui,sans-serif;fill:#333}.title{font-size:15px;font-weight:600}\n"
    ".page{fill:#fff}.value,.time,.unit,.newest{fill:#777}\n"
    ".value{text-anchor:end}.time{text-anchor:middle}\n"
    ".grid,.frame{stroke:#ddd;fill:none}.line{fill:none;stroke-width:1.5;stroke-linejoin:round}\n"
    ".c0{stroke:#0072b2}.c1{stroke:#d55e00}.c2{stroke:#009e73}.c3{stroke:#cc79a7}\n"
    ".c4{stroke:#e69f00}.c5{stroke:#56b4e9}.c6{stroke:#999933}.c7{stroke:#882255}\n"
    "@media(prefers-color-scheme:dark){.page{fill:#151515}text{fill:#ddd}\n"
    ".value,.time,.unit,.newest{fill:#999}.grid,.frame{stroke:#333}}\n"
    "</style>\n";

static void draw_title(struct kymo_text *svg, const struct plot *plot)
{
    struct kymo_info info;

    if (kymo_segment_info(plot->reader->segment, &info) != 0)
        return;
    draw_text(svg, LEFT, 20, "title");
    append_escaped(svg, info.name);
    kymo_text_string(svg, "</text>\n");
    draw_text(svg, LEFT + COLUMNS, 20, "value");
    kymo_text_printf(svg, "%zu records, newest ", plot->records);
    if (info.clock == KYMO_REALTIME) {
        kymo_text_when(svg, plot->to);
    } else {
        kymo_text_duration(svg, plot->to);
        kymo_text_printf(svg, " on %s", kymo_clock_text(info.clock));
    }
    kymo_text_string(svg, "</text>\n");
}

static void draw(struct kymo_text *svg, struct plot *plot)
{
    const int step = PANEL_HEIGHT + PANEL_GAP;
    const int height = TOP + (int)plot->panel_count * step - PANEL_GAP + BOTTOM;
    const int width = LEFT + COLUMNS + RIGHT;

    kymo_text_printf(svg,
                     "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
                     "height=\"%d\">\n",
                     width, height, width, height);
    kymo_text_string(svg, style);
    kymo_text_printf(svg, "<rect class=\"page\" width=\"%d\" height=\"%d\"/>\n", width, height);
    draw_title(svg, plot);
    kymo_text_printf(svg, "<g transform=\"translate(%d %d)\">\n", LEFT, TOP);
    draw_time_axis(svg, plot, height - TOP - BOTTOM);
    kymo_text_string(svg, "</g>\n");
    for (size_t i = 0; i < plot->panel_count; i++)
        draw_panel(svg, &plot->panels[i], TOP + (int)i * step);
    kymo_text_string(svg, "</svg>\n");
}

int plot_history(const struct kymo_reader *reader, struct kymo_text *svg)
{
    struct plot *plot = calloc(1, sizeof(*plot));
    int error;

    if (!plot)
        return -ENOMEM;
    plot->reader = reader;
    plot->schema = kymo_segment_schema(reader->segment);
    error = choose_lines(plot);
    if (!error)
        error = read_history(plot);
    if (!error)
        draw(svg, plot);
    free(plot->payload);
    free(plot->lines);
    free(plot);
    return error;
}
