/*
 * plot_draw.c - a plot as SVG, without scripts, fonts or other external parts.
 */
#include "plot.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Pixels. */
#define PANEL_HEIGHT 112
#define PANEL_STEP   144 /* from one panel's top to the next */
#define LEFT         84
#define RIGHT        212
#define TOP          62
#define BOTTOM       64
#define WIDTH        (LEFT + PLOT_COLUMNS + RIGHT)
#define LEGEND_STEP  14

/* Up to this number, records are also shown as points. */
#define POINTS 40

/* Characters that fit. */
#define TITLE_ROOM  44
#define LEGEND_ROOM 23
#define UNIT_ROOM   9

/* ---- text ---- */

/* The length of the character; 0 if it is not UTF-8, or not allowed in XML. */
static size_t character_len(const unsigned char *at)
{
    const size_t len = *at < 0x80   ? 1
                       : *at < 0xc2 ? 0
                       : *at < 0xe0 ? 2
                       : *at < 0xf0 ? 3
                       : *at < 0xf5 ? 4
                                    : 0;
    uint32_t code = len > 1 ? *at & (0x7fu >> len) : *at;

    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    if (len == 1)
        return code >= ' ' && code != 0x7f;
    if ((len == 3 && code < 0x800) || (len == 4 && (code < 0x10000 || code > 0x10ffff)))
        return 0;
    return (code >= 0xd800 && code < 0xe000) || (code & 0xfffe) == 0xfffe ? 0 : len;
}

/* At most `room` characters of the text, then an ellipsis. */
static void append_escaped(struct kymo_text *svg, const char *text, size_t room)
{
    const unsigned char *at = (const unsigned char *)text;

    for (; *at; room--) {
        const size_t len = character_len(at);

        if (room == 0) {
            kymo_text_string(svg, "…");
            return;
        }
        if (len == 0)
            kymo_text_string(svg, "\xef\xbf\xbd");
        else if (*at == '<')
            kymo_text_string(svg, "&lt;");
        else if (*at == '&')
            kymo_text_string(svg, "&amp;");
        else
            kymo_text_append(svg, at, len);
        at += len > 0 ? len : 1;
    }
}

static void begin_text(struct kymo_text *svg, double x, double y, const char *class)
{
    kymo_text_printf(svg, "<text x=\"%g\" y=\"%g\" class=\"%s\">", x, y, class);
}

static void end_text(struct kymo_text *svg)
{
    kymo_text_string(svg, "</text>\n");
}

/* ---- scales ---- */

/* The vertical axis of a panel shows (value - base) / unit. */
struct scale {
    double low, high; /* values at the ends of the axis */
    double step;      /* from one mark to the next */
    double base;      /* not 0 if values differ in their last digits only */
    double unit;
    const char *prefix; /* of the unit */
};

/* The step of 1, 2 or 5 times a power of ten that divides the span into about `count` parts. */
static double nice_step(double span, int count)
{
    const double raw = span / count;
    const double power = pow(10, floor(log10(raw)));
    const double part = raw / power;

    return power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
}

static void choose_prefix(struct scale *scale, double size)
{
    static const struct {
        double unit;
        const char *prefix;
    } prefixes[] = {{1e15, "P"}, {1e12, "T"}, {1e9, "G"},  {1e6, "M"},  {1e3, "k"},
                    {1, ""},     {1e-3, "m"}, {1e-6, "µ"}, {1e-9, "n"}, {1e-12, "p"}};
    const size_t count = sizeof(prefixes) / sizeof(prefixes[0]);
    size_t i = 0;

    scale->unit = 1;
    scale->prefix = "";
    if (size < 1e4 && size >= 0.01)
        return;
    while (i < count && size < prefixes[i].unit)
        i++;
    /* Beyond the prefixes, numbers have exponents. */
    if (i == count || size >= 1e19)
        return;
    scale->unit = prefixes[i].unit;
    scale->prefix = prefixes[i].prefix;
}

/* Half of the span: the span itself may overflow a double. */
static double half_of(double low, double high)
{
    return high / 2 - low / 2;
}

/* A little more than the span of the values; a constant is in the middle. */
static void fit_scale(struct scale *scale, const struct plot_panel *panel)
{
    const bool is_empty = !(panel->low <= panel->high);
    const double low = is_empty ? 0 : panel->low;
    const double high = is_empty ? 0 : panel->high;
    const double size = fmax(fabs(low), fabs(high));
    double margin = half_of(low, high) * 0.12;

    if (!(margin > size * 1e-15))
        margin = size * 0.05;
    /* Values that are tiny in every unit are drawn as 0. */
    if (!(margin > 1e-300))
        margin = 0.5;
    scale->low = fmax(low - margin, -DBL_MAX);
    scale->high = fmin(high + margin, DBL_MAX);
    scale->step = nice_step(half_of(scale->low, scale->high), 2);
    scale->base = 0;
    if (size / scale->step > 2e5)
        scale->base = ceil(scale->low / scale->step) * scale->step;
    choose_prefix(scale, scale->base != 0 ? scale->high - scale->base : size);
}

static double y_of(const struct scale *scale, double value)
{
    return PANEL_HEIGHT -
           half_of(scale->low, value) / half_of(scale->low, scale->high) * PANEL_HEIGHT;
}

/* ---- axes ---- */

/* As many decimals as the step needs; a rounding error around 0 is shown as 0. */
static void append_tick(struct kymo_text *svg, const struct scale *scale, double value)
{
    const double step = scale->step / scale->unit;
    const double shown = fabs(value - scale->base) / scale->unit;
    const int decimals = step < 1 ? (int)ceil(-log10(step) - 1e-9) : 0;

    if (shown < step / 1e3) {
        kymo_text_string(svg, "0");
        return;
    }
    if (value < scale->base)
        kymo_text_string(svg, "−");
    if (decimals > 6 || shown >= 1e7)
        kymo_text_printf(svg, "%.6g", shown);
    else
        kymo_text_printf(svg, "%.*f", decimals, shown);
}

/* Above the axis: the unit on its left, and on the right the base to add. */
static void draw_unit(struct kymo_text *svg, const struct scale *scale, const char *unit)
{
    const bool is_short = strlen(unit) <= UNIT_ROOM;

    if (unit[0] || scale->prefix[0]) {
        begin_text(svg, is_short ? -8 : 12 - LEFT, -9, is_short ? "value" : "about");
        kymo_text_string(svg, scale->prefix);
        append_escaped(svg, unit, SIZE_MAX);
        end_text(svg);
    }
    if (scale->base != 0) {
        begin_text(svg, PLOT_COLUMNS, -9, "value");
        kymo_text_printf(svg, "above %.15g", scale->base);
        end_text(svg);
    }
}

static void draw_values_axis(struct kymo_text *svg, const struct scale *scale, const char *unit)
{
    const double first = ceil(scale->low / scale->step);
    const double last = floor(scale->high / scale->step);

    for (double number = first; number <= last && number < first + 12; number++) {
        const double value = number * scale->step;
        const double y = y_of(scale, value);

        kymo_text_printf(svg, "<path class=\"grid\" d=\"M0 %.1fH%d\"/>", y, PLOT_COLUMNS);
        begin_text(svg, -8, round(y) + 4, "value");
        append_tick(svg, scale, value);
        end_text(svg);
    }
    draw_unit(svg, scale, unit);
}

/* The largest unit of which the span has at least two. */
static void time_unit(double span, double *unit, const char **name)
{
    static const struct {
        double ns;
        const char *name;
    } units[] = {{86400e9, "d"}, {3600e9, "h"}, {60e9, "min"}, {1e9, "s"},
                 {1e6, "ms"},    {1e3, "µs"},   {1, "ns"}};
    size_t i = 0;

    while (i + 1 < sizeof(units) / sizeof(units[0]) && span < 2 * units[i].ns)
        i++;
    *unit = units[i].ns;
    *name = units[i].name;
}

/* Times relative to the newest record, which is at the right edge. */
static void draw_time_axis(struct kymo_text *svg, const struct plot *plot, double height)
{
    const double span = (double)(plot->to - plot->from);
    const char *name;
    double unit, step;

    if (span <= 0)
        return;
    time_unit(span, &unit, &name);
    step = nice_step(span / unit, 7);
    for (int number = 0; number * step <= span / unit * (1 + 1e-9) && number < 20; number++) {
        const double x = (PLOT_COLUMNS - 1) * (1 - number * step * unit / span);

        kymo_text_printf(svg, "<path class=\"grid\" d=\"M%.1f 0V%g\"/>", fabs(x), height);
        begin_text(svg, round(x), height + 18, "time");
        kymo_text_printf(svg, "%s%.6g %s", number > 0 ? "−" : "", number * step, name);
        end_text(svg);
    }
}

/* ---- lines ---- */

/* Draws a path in tenths of a pixel, and joins horizontal steps. */
struct pen {
    struct kymo_text *path;
    struct kymo_text *dots; /* values that a line would not show */
    bool is_down;
    bool has_moved; /* since it was put down */
    bool all_dots;
    long x, y;
    long pending; /* x reached at the height y, not yet written */
};

static void append_tenths(struct kymo_text *path, const char *verb, long tenths)
{
    kymo_text_printf(path, tenths % 10 ? "%s%ld.%ld" : "%s%ld", verb, tenths / 10, tenths % 10);
}

static void add_dot(struct pen *pen, long x, long y)
{
    kymo_text_printf(pen->dots, "M%ld %ld.%ldh0", x, y / 10, y % 10);
}

static void pen_flush(struct pen *pen)
{
    if (pen->pending != pen->x)
        kymo_text_printf(pen->path, "H%ld", pen->pending);
    pen->x = pen->pending;
}

static void pen_lift(struct pen *pen)
{
    if (!pen->is_down)
        return;
    pen_flush(pen);
    if (!pen->has_moved && !pen->all_dots)
        add_dot(pen, pen->x, pen->y);
    pen->is_down = false;
}

static void pen_to(struct pen *pen, long x, long y)
{
    if (pen->all_dots)
        add_dot(pen, x, y);
    if (pen->is_down) {
        pen->has_moved = true;
        if (y == pen->y) {
            pen->pending = x;
            return;
        }
        pen_flush(pen);
        kymo_text_printf(pen->path, "L%ld ", x);
    } else {
        kymo_text_printf(pen->path, "M%ld ", x);
        pen->has_moved = false;
    }
    append_tenths(pen->path, "", y);
    pen->is_down = true;
    pen->x = pen->pending = x;
    pen->y = y;
}

/* A column with several values, from the end that is nearer to the previous point. */
static void pen_span(struct pen *pen, long x, long least, long greatest)
{
    const bool from_greatest = pen->is_down && labs(pen->y - greatest) < labs(pen->y - least);
    const long other = from_greatest ? least : greatest;

    pen_to(pen, x, from_greatest ? greatest : least);
    if (least == greatest)
        return;
    pen_flush(pen);
    append_tenths(pen->path, "V", other);
    pen->y = other;
    pen->has_moved = true;
}

/* Interrupted where records had no value. */
static void draw_line(struct kymo_text *svg, const struct scale *scale,
                      const struct plot_line *line, size_t colour, bool all_dots)
{
    struct kymo_text dots = {0};
    struct pen pen = {.path = svg, .dots = &dots, .all_dots = all_dots};

    kymo_text_printf(svg, "<path class=\"line c%zu\" d=\"", colour);
    for (size_t column = 0; column < PLOT_COLUMNS; column++) {
        if (!isnan(line->least[column]))
            pen_span(&pen, (long)column, lround(y_of(scale, line->least[column]) * 10),
                     lround(y_of(scale, line->greatest[column]) * 10));
        else if (line->gap[column])
            pen_lift(&pen);
    }
    pen_lift(&pen);
    kymo_text_string(svg, "\"/>\n");
    if (dots.len > 0)
        kymo_text_printf(svg, "<path class=\"line dot c%zu\" d=\"%s\"/>\n", colour, dots.data);
    if (dots.error)
        svg->error = dots.error;
    kymo_text_free(&dots);
}

/* Shortens a long name in its middle: names mostly differ at their ends. */
static void append_name(struct kymo_text *svg, const char *name, size_t room)
{
    const size_t len = strlen(name);

    if (len <= room) {
        kymo_text_append(svg, name, len);
        return;
    }
    kymo_text_append(svg, name, room / 2);
    kymo_text_string(svg, "…");
    kymo_text_string(svg, name + len - (room - 1 - room / 2));
}

/* The newest value, in the unit of the axis unless the axis has a base. */
static void format_newest(char *value, size_t size, const struct scale *scale, double newest)
{
    if (!isfinite(newest))
        snprintf(value, size, "–");
    else if (scale->base != 0 || newest == 0)
        snprintf(value, size, "%.9g", newest);
    else
        snprintf(value, size, "%.5g%s", newest / scale->unit, scale->prefix);
}

/* The colour of the line, its name and the newest value. */
static void draw_legend(struct kymo_text *svg, const struct scale *scale,
                        const struct plot_line *line, size_t colour)
{
    const double y = 10 + LEGEND_STEP * (double)colour;
    char name[sizeof(line->field->name) + 16], value[32];

    snprintf(name, sizeof(name), line->field->dimensions > 0 ? "%s.%u" : "%s", line->field->name,
             line->element);
    format_newest(value, sizeof(value), scale, line->newest);
    kymo_text_printf(svg, "<path class=\"line c%zu\" d=\"M%d %gh14\"/>", colour, PLOT_COLUMNS + 14,
                     y - 4);
    begin_text(svg, PLOT_COLUMNS + 34, y, "name");
    if (line->field->help[0]) {
        kymo_text_string(svg, "<title>");
        append_escaped(svg, line->field->help, SIZE_MAX);
        kymo_text_string(svg, "</title>");
    }
    append_name(svg, name, LEGEND_ROOM - strlen(value));
    kymo_text_printf(svg, " <tspan class=\"newest\">%s</tspan>", value);
    end_text(svg);
}

static void draw_panel(struct kymo_text *svg, const struct plot *plot,
                       const struct plot_panel *panel, double top)
{
    struct scale scale;

    fit_scale(&scale, panel);
    kymo_text_printf(svg, "<g transform=\"translate(%d %g)\">\n", LEFT, top);
    draw_values_axis(svg, &scale, panel->lines[0]->field->unit);
    for (size_t i = 0; i < panel->count; i++) {
        draw_line(svg, &scale, panel->lines[i], i, plot->records <= POINTS);
        draw_legend(svg, &scale, panel->lines[i], i);
    }
    kymo_text_string(svg, "</g>\n");
}

/* ---- the page ---- */

/* Colours that colour-blind readers can distinguish (Okabe and Ito 2008), for light and dark pages. */
static const char style[] =
    "<style>\n"
    "text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;"
    "fill:#24292f}\n"
    ".title{font-size:16px;font-weight:600}.page{fill:#fff}\n"
    ".value,.time,.about,.newest{fill:#656d76}.value{text-anchor:end}.time{text-anchor:middle}\n"
    ".grid{stroke:#e3e6ea;fill:none}\n"
    ".line{fill:none;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}"
    ".dot{stroke-width:4.5}\n"
    ".c0{stroke:#0072b2}.c1{stroke:#d55e00}.c2{stroke:#009e73}.c3{stroke:#c2609a}\n"
    ".c4{stroke:#d99200}.c5{stroke:#3aa0de}.c6{stroke:#7f7f2a}.c7{stroke:#882255}\n"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117}\n"
    ".value,.time,.about,.newest{fill:#8d96a0}.grid{stroke:#262c35}\n"
    ".c0{stroke:#4aa8e8}.c1{stroke:#ff8a4a}.c2{stroke:#2fc79a}.c3{stroke:#e39ac6}\n"
    ".c4{stroke:#f0b840}.c5{stroke:#a5dcff}.c6{stroke:#c8c860}.c7{stroke:#d4729f}}\n"
    "</style>\n";

static void draw_title(struct kymo_text *svg, const struct plot *plot)
{
    const uint64_t span = plot->to - plot->from;

    begin_text(svg, LEFT, 26, "title");
    append_escaped(svg, plot->name, TITLE_ROOM);
    end_text(svg);
    begin_text(svg, WIDTH - 16, 26, "value");
    kymo_text_printf(svg, "%s%llu record%s", plot->older > 0 ? "the newest " : "",
                     (unsigned long long)plot->records, plot->records == 1 ? "" : "s");
    if (span > 0) {
        kymo_text_string(svg, " over ");
        kymo_text_duration(svg, span);
    }
    if (plot->clock == KYMO_REALTIME) {
        kymo_text_string(svg, " up to ");
        kymo_text_when(svg, plot->to);
    }
    end_text(svg);
}

static void draw_left_out(struct kymo_text *svg, const struct plot *plot, int height)
{
    if (plot->left_out == 0)
        return;
    begin_text(svg, LEFT, height - 16, "about");
    kymo_text_printf(svg, "%llu more %s not drawn: see history.csv",
                     (unsigned long long)plot->left_out,
                     plot->left_out == 1 ? "value is" : "values are");
    end_text(svg);
}

void plot_draw(const struct plot *plot, struct kymo_text *svg)
{
    const int last = TOP + ((int)plot->panel_count - 1) * PANEL_STEP + PANEL_HEIGHT;
    const int height = last + (plot->left_out > 0 ? BOTTOM : BOTTOM - 24);

    kymo_text_printf(svg,
                     "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
                     "height=\"%d\" role=\"img\">\n<title>",
                     WIDTH, height, WIDTH, height);
    append_escaped(svg, plot->name, TITLE_ROOM);
    kymo_text_string(svg, ": the newest records</title>\n");
    kymo_text_string(svg, style);
    kymo_text_printf(svg, "<rect class=\"page\" width=\"%d\" height=\"%d\" rx=\"6\"/>\n", WIDTH,
                     height);
    draw_title(svg, plot);
    kymo_text_printf(svg, "<g transform=\"translate(%d %d)\">\n", LEFT, TOP);
    draw_time_axis(svg, plot, last - TOP);
    kymo_text_string(svg, "</g>\n");
    for (size_t i = 0; i < plot->panel_count; i++)
        draw_panel(svg, plot, &plot->panels[i], TOP + (int)i * PANEL_STEP);
    draw_left_out(svg, plot, height);
    kymo_text_string(svg, "</svg>\n");
}
