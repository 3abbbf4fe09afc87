/*
 * row_length.h - the lengths of rows without their text.
 *
 * A length costs a fraction of the text: the digits of numbers are counted, not written. A row with
 * anything else than usual numbers and plain ASCII is formatted to learn its length.
 */
#ifndef KYMOFS_ROW_LENGTH_H
#define KYMOFS_ROW_LENGTH_H

#include "history.h"

/* The lengths of all rows of one schema and format. */
struct row_measure {
    const struct kymo_schema *schema;
    enum history_format format;
    uint64_t
        fixed; /* bytes that each row has beside numbers and strings; 0: each row is formatted */
};

/* `row`: the row of a record with pos, time and tag 0 and a payload of zeros; NULL: not available. */
void row_measure_init(struct row_measure *measure, const struct kymo_schema *schema,
                      enum history_format format, const struct kymo_text *row);

/* The length of the row, or 0: it must be formatted. */
uint64_t row_length(const struct row_measure *measure, const struct kymo_record *record,
                    const unsigned char *payload);

#endif
