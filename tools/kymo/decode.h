/*
 * decode.h - decodes lines of JSON and CSV into records.
 */
#ifndef KYMO_TOOLS_DECODE_H
#define KYMO_TOOLS_DECODE_H

#include "encode.h"

/* How the time of a record is given. */
struct time_format {
    const struct kymo_field *field; /* the field of --time; NULL: the time beside the fields */
    int digits;                     /* unit of the time: 10^digits ns */
    enum kymo_clock clock;          /* dates are allowed if it is realtime */
    bool ignored;                   /* no --time: times in the input are not parsed */
};

/* A decoded record. The caller provides the payload, schema->size bytes, zeroed before each line. */
struct draft {
    void *payload;
    bool has_time;
    uint64_t time; /* ns */
    uint64_t tag;  /* 0 if the line has none */
};

/* Stores text in the field of --time and sets the time of the draft to exactly this text. */
int decode_time_field(const struct time_format *format, const char *text, size_t len,
                      struct draft *draft, struct problem *problem);

/* Sets the time of the draft from the text beside the fields, unless the time is ignored or a field. */
int decode_time_beside(const struct time_format *format, const char *text, size_t len,
                       struct draft *draft, struct problem *problem);

/* ---- JSON ---- */

struct json_decoder;

/* 0, or -ENOMEM. The schema and the format must remain valid. */
int json_begin(struct json_decoder **decoder, const struct kymo_schema *schema,
               const struct time_format *format);
void json_end(struct json_decoder *decoder);

/*
 * Decodes a line of JSON: an object with the field names as keys, an array of the fields in order
 * (or of all their values, flat), the value of a single field, or a record as kymo prints it:
 * {"time":..,"data":{..}}. Every field must be present; the other keys allowed are pos, time and tag.
 * 0; -EINVAL with the problem; -ENOMEM.
 */
int json_decode(struct json_decoder *decoder, const char *line, size_t len, struct draft *draft,
                struct problem *problem);

/* ---- CSV ---- */

/* The columns of a table. */
struct csv;

/*
 * Decodes the header line: the names of kymo_text_csv_header in any order; pos, time and tag are
 * optional. -EINVAL with the problem, -ENOMEM.
 */
int csv_begin(struct csv **csv, const struct kymo_schema *schema, const struct time_format *format,
              const char *line, size_t len, struct problem *problem);
void csv_end(struct csv *csv);

/* Decodes a line of cells, RFC 4180; a quote within an unquoted cell is text. -EINVAL with the
 * problem, -ENOMEM. */
int csv_decode(struct csv *csv, const char *line, size_t len, struct draft *draft,
               struct problem *problem);

/* Whether the line ends within a quoted cell, which continues in the next line. `open`: it begins in
 * one. */
bool csv_is_open(const char *line, size_t len, bool open);

#endif
