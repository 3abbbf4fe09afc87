/*
 * align.c - records of several rings at one instant.
 */
#include "internal.h"

static uint64_t distance(uint64_t one, uint64_t other)
{
    return one > other ? one - other : other - one;
}

static enum kymo_clock clock_of(const struct kymo_alignment *row)
{
    return kymo_segment_clock(row->reader->segment);
}

static int check_rows(const struct kymo_alignment *rows, size_t count,
                      struct kymo_diagnostic *diagnostic)
{
    for (size_t i = 0; i < count; i++) {
        if ((unsigned int)rows[i].mode > KYMO_ALIGN_BRACKET)
            return kymo_report(diagnostic, -EINVAL,
                               "mode: %u of row %zu is not one of enum kymo_align_mode, 0 to %u",
                               (unsigned int)rows[i].mode, i, KYMO_ALIGN_BRACKET);
        if (clock_of(&rows[i]) != clock_of(&rows[0]))
            return kymo_report(diagnostic, -EINVAL, "clock: %s of row %zu is not that of row 0, %s",
                               kymo_clock_text(clock_of(&rows[i])), i,
                               kymo_clock_text(clock_of(&rows[0])));
    }
    return 0;
}

int kymo_series_align_diagnose(const struct kymo_alignment *rows, size_t count,
                               struct kymo_diagnostic *diagnostic)
{
    kymo_report_begin(diagnostic);
    return check_rows(rows, count, diagnostic);
}

static int fill_bracket(struct kymo_alignment *row, uint64_t time)
{
    struct kymo_bracket bracket;
    int error =
        kymo_series_bracket(row->reader, time, row->buffer, row->after, row->size, &bracket);
    uint64_t before, after;

    if (error)
        return error;
    before = distance(time, bracket.before.time);
    after = distance(time, bracket.after.time);
    row->record = bracket.before;
    row->later = bracket.after;
    row->alpha = bracket.alpha;
    row->distance = before > after ? before : after;
    return 0;
}

static int fill_row(struct kymo_alignment *row, uint64_t time)
{
    int error;

    if (row->mode == KYMO_ALIGN_BRACKET) {
        error = fill_bracket(row, time);
    } else {
        error = row->mode == KYMO_ALIGN_CLOSEST
                    ? kymo_series_closest(row->reader, time, KYMO_ANY_DISTANCE, row->buffer,
                                          row->size, &row->record)
                    : kymo_series_as_of(row->reader, time, row->buffer, row->size, &row->record);
        if (!error)
            row->distance = distance(time, row->record.time);
    }
    return !error && row->distance > row->max_distance ? -ERANGE : error;
}

int kymo_series_align(struct kymo_alignment *rows, size_t count, uint64_t time)
{
    int answered = 0;

    if (check_rows(rows, count, NULL))
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        rows[i].error = fill_row(&rows[i], time);
        answered += rows[i].error == 0;
    }
    return answered;
}
