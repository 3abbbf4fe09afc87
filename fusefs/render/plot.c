/*
 * plot.c - the newest records of a segment's numeric fields, reduced to columns of pixels.
 *
 * A panel for the fields that share a unit and an order of magnitude, a line for each field or element,
 * time to the right. Each record is read once, and each line keeps the least and the greatest value of
 * every column: the picture has the same size for ten records and for a deep ring, and shows every
 * spike. Of large records only the values that are drawn are read.
 */
#include "plot.h"

#include <math.h>
#include <stdlib.h>

#include "render.h"

/* Fields of one unit share a panel if none is larger than another by this factor. */
#define PANEL_RATIO 30.0

/* Bytes of SVG: a line has a point or two in each column, of some ten bytes. */
#define TEXT_LIMIT (UINT64_C(4) << 20)

/* Records between two pauses. */
#define RECORDS_PER_PAUSE 128

/* ---- lines ---- */

bool render_has_plot(const struct request *request)
{
    const struct kymo_schema *schema = request_schema(request);

    for (uint32_t i = 0; i < schema->count; i++) {
        if (kymo_type_is_numeric(schema->fields[i].type))
            return true;
    }
    return false;
}

static void add_line(struct plot *plot, const struct kymo_field *field, uint32_t element)
{
    struct plot_line *line = &plot->lines[plot->line_count++];

    line->field = field;
    line->element = element;
    line->newest = NAN;
    for (size_t column = 0; column < PLOT_COLUMNS; column++)
        line->least[column] = line->greatest[column] = NAN;
}

static int choose_lines(struct plot *plot, const struct kymo_schema *schema)
{
    plot->lines = calloc(PLOT_LINES, sizeof(*plot->lines));
    if (!plot->lines)
        return -ENOMEM;
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct kymo_field *field = &schema->fields[i];
        uint32_t element = 0;

        if (!kymo_type_is_numeric(field->type))
            continue;
        while (element < field->count && element < PLOT_PANEL_LINES &&
               plot->line_count < PLOT_LINES)
            add_line(plot, field, element++);
        plot->left_out += field->count - element;
    }
    return plot->line_count > 0 ? 0 : -ENODATA;
}

/* ---- records ---- */

static size_t column_of(const struct plot *plot, uint64_t time)
{
    const double span = (double)(plot->to - plot->from);

    if (span <= 0 || time >= plot->to)
        return PLOT_COLUMNS - 1;
    if (time <= plot->from)
        return 0;
    return (size_t)((double)(time - plot->from) / span * (PLOT_COLUMNS - 1) + 0.5);
}

static void add_value(struct plot_line *line, size_t column, double value)
{
    line->newest = value;
    if (!isfinite(value)) {
        line->gap[column] = true;
        return;
    }
    line->least[column] = fmin(line->least[column], value);
    line->greatest[column] = fmax(line->greatest[column], value);
    line->size = fmax(line->size, fabs(value));
}

/* Values are used after they have been validated. */
static int add_record(struct plot *plot, const struct kymo_reader *reader, uint64_t pos)
{
    double values[PLOT_LINES];
    struct kymo_view view;
    size_t column;
    int error = kymo_ring_view(reader, pos, &view);

    if (error)
        return error;
    for (size_t i = 0; i < plot->line_count; i++)
        values[i] = kymo_element_value(plot->lines[i].field, plot->lines[i].element, view.payload,
                                       view.record.len);
    error = kymo_ring_validate(reader, &view);
    if (error)
        return error;
    column = column_of(plot, view.record.time);
    for (size_t i = 0; i < plot->line_count; i++)
        add_value(&plot->lines[i], column, values[i]);
    plot->records++;
    return 0;
}

/* Sets the left edge to the time of the first record from *pos on that can still be read. */
static int find_start(struct plot *plot, struct request *request, uint64_t *pos, uint64_t end)
{
    struct kymo_view view;
    int error = -ENODATA;

    for (; *pos < end; ++*pos) {
        error = kymo_ring_view(request->reader, *pos, &view);
        if (error != -ESTALE)
            break;
        if (*pos % RECORDS_PER_PAUSE == 0 && budget_pause(&request->budget))
            return -EINTR;
    }
    if (!error)
        plot->from = view.record.time;
    return error;
}

static int add_records(struct plot *plot, struct request *request, uint64_t pos, uint64_t end)
{
    for (; pos < end; pos++) {
        int error = add_record(plot, request->reader, pos);

        if (error && error != -ESTALE)
            return error;
        if (pos % RECORDS_PER_PAUSE == 0 && budget_pause(&request->budget))
            return -EINTR;
    }
    return plot->records > 0 ? 0 : -EAGAIN;
}

static int read_history(struct plot *plot, struct request *request)
{
    const struct kymo_ring *ring = request_ring(request);
    const uint64_t end = kymo_ring_head(ring);
    const uint64_t available = kymo_ring_available(ring);
    const uint64_t count = available < PLOT_RECORDS ? available : PLOT_RECORDS;
    struct kymo_view newest;
    uint64_t pos = end - count;
    int error;

    if (count == 0 || count > end)
        return -ENODATA;
    plot->older = available - count;
    error = kymo_ring_view(request->reader, end - 1, &newest);
    if (!error)
        error = find_start(plot, request, &pos, end);
    if (error)
        return error == -ESTALE ? -EAGAIN : error;
    plot->to = newest.record.time;
    return add_records(plot, request, pos, end);
}

/* ---- panels ---- */

static bool is_like(double one, double other)
{
    return one == 0 || other == 0 || (one < other * PANEL_RATIO && other < one * PANEL_RATIO);
}

/* The panel with space for `count` lines of that unit and size; NULL if no panel can be added. */
static struct plot_panel *panel_for(struct plot *plot, const char *unit, size_t count, double size)
{
    for (size_t i = 0; i < plot->panel_count; i++) {
        struct plot_panel *panel = &plot->panels[i];

        if (panel->count + count <= PLOT_PANEL_LINES && is_like(panel->size, size) &&
            strcmp(panel->lines[0]->field->unit, unit) == 0)
            return panel;
    }
    return plot->panel_count < PLOT_PANELS ? &plot->panels[plot->panel_count++] : NULL;
}

static void panel_add(struct plot_panel *panel, const struct plot_line *line)
{
    if (panel->count == 0) {
        panel->low = INFINITY;
        panel->high = -INFINITY;
    }
    panel->lines[panel->count++] = line;
    panel->size = fmax(panel->size, line->size);
    for (size_t column = 0; column < PLOT_COLUMNS; column++) {
        panel->low = fmin(panel->low, line->least[column]);
        panel->high = fmax(panel->high, line->greatest[column]);
    }
}

/* The elements of a field stay together. */
static void fill_panels(struct plot *plot)
{
    for (size_t first = 0, end; first < plot->line_count; first = end) {
        const struct kymo_field *field = plot->lines[first].field;
        struct plot_panel *panel;
        double size = 0;

        for (end = first; end < plot->line_count && plot->lines[end].field == field; end++)
            size = fmax(size, plot->lines[end].size);
        panel = panel_for(plot, field->unit, end - first, size);
        for (size_t i = first; panel && i < end; i++)
            panel_add(panel, &plot->lines[i]);
        if (!panel)
            plot->left_out += end - first;
    }
}

int render_plot(struct request *request, struct kymo_text *text)
{
    struct plot *plot;
    int error = budget_grow(&request->budget,
                            sizeof(*plot) + PLOT_LINES * sizeof(struct plot_line) + TEXT_LIMIT);

    if (error)
        return error;
    plot = calloc(1, sizeof(*plot));
    if (!plot)
        return -ENOMEM;
    plot->name = request->segment->name;
    plot->clock = request_clock(request);
    error = choose_lines(plot, request_schema(request));
    if (!error)
        error = read_history(plot, request);
    if (!error) {
        fill_panels(plot);
        plot_draw(plot, text);
        error = text->error;
    }
    free(plot->lines);
    free(plot);
    return error;
}
