/*
 * decode.h - decodes lines of JSON and CSV into records.
 */
#ifndef KYMO_TOOLS_DECODE_H
#define KYMO_TOOLS_DECODE_H

#include "encode.h"

/* A decoded record. The caller provides the payload, schema->size bytes, zeroed before each line. */
struct draft {
    void *payload;
    bool has_time; /* the line has a time beside the fields */
    uint64_t time; /* as written, without a unit */
    uint64_t tag;  /* 0 if the line has none */
};

/*
 * Decodes a line of JSON: an object with the field names as keys, an array of the fields in order
 * (or of all their values, flat), the value of a single field, or a record as kymo prints it:
 * {"time":..,"data":{..}}. Every field must be present, and no other. 0, or -EINVAL with the problem.
 */
int decode_json(const struct kymo_schema *schema, const char *line, size_t len, struct draft *draft,
                struct problem *problem);

/* The columns of a table. */
struct csv;

/*
 * Decodes the header line: the names of kymo_text_csv_header in any order; pos, time and tag are
 * optional. -EINVAL with the problem, -ENOMEM.
 */
int csv_begin(struct csv **csv, const struct kymo_schema *schema, const char *line, size_t len,
              struct problem *problem);
void csv_end(struct csv *csv);
/* Whether the table has a column time that is not a field. */
bool csv_has_time(const struct csv *csv);

/* Decodes a line of cells, RFC 4180. -EINVAL with the problem, -ENOMEM. */
int csv_decode(struct csv *csv, const char *line, size_t len, struct draft *draft,
               struct problem *problem);

/* Whether the line ends within quotes: the cell continues in the next line. */
bool csv_is_open(const char *line, size_t len);

#endif
