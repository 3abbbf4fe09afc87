/*
 * decode.h - lines of input into records: JSON and CSV.
 */
#ifndef KYMO_TOOLS_DECODE_H
#define KYMO_TOOLS_DECODE_H

#include "encode.h"

/* A record on its way from a line into the ring. The payload is the caller's, schema->size bytes,
 * zeroed before each line. */
struct draft {
    void *payload;
    bool has_time; /* the line says a time beside the fields */
    uint64_t time; /* as it stands there, without a unit */
    uint64_t tag;  /* 0 where the line says none */
};

/*
 * A line of JSON: an object by field name, an array of the fields in order (or of all their values,
 * flat), the one field's value alone, or a record as kymo prints it: {"time":..,"data":{..}}.
 * Every field must be there and no other. 0, or -EINVAL with the problem.
 */
int decode_json(const struct kymo_schema *schema, const char *line, size_t len, struct draft *draft,
                struct problem *problem);

/* Which value each column of a table holds. */
struct csv;

/*
 * Reads the header line: the names as kymo_text_csv_header spells them, in any order; pos, time and
 * tag may be missing. -EINVAL with the problem, -ENOMEM.
 */
int csv_begin(struct csv **csv, const struct kymo_schema *schema, const char *line, size_t len,
              struct problem *problem);
void csv_end(struct csv *csv);
/* Whether the table has a column time that is not one of the fields. */
bool csv_has_time(const struct csv *csv);

/* A line of cells, RFC 4180. -EINVAL with the problem, -ENOMEM. */
int csv_decode(struct csv *csv, const char *line, size_t len, struct draft *draft,
               struct problem *problem);

/* Whether the line ends within quotes: the cell goes on in the next line. */
bool csv_is_open(const char *line, size_t len);

#endif
