/*
 * rendered.h - renders a record, a schema and a segment as text and parses it again: JSON by a strict grammar and by jansson, CSV by RFC 4180, metrics by the exposition format, numbers by strtod and similar functions. The values must equal the payload's.
 */
#ifndef KYMO_FUZZ_RENDERED_H
#define KYMO_FUZZ_RENDERED_H

#include <kymo/kymo.h>

void rendered_record(const struct kymo_schema *schema, enum kymo_clock clock,
                     const struct kymo_record *record, const unsigned char *payload);

void rendered_bracket(const struct kymo_schema *schema, enum kymo_clock clock, uint64_t time,
                      const struct kymo_bracket *bracket, const unsigned char *before,
                      const unsigned char *after);

void rendered_csv(const struct kymo_schema *schema, const struct kymo_record *record,
                  const unsigned char *payload);

void rendered_schema(const struct kymo_schema *schema);

/* Every line is "key: value", in UTF-8, without control characters. */
void rendered_info(const struct kymo_reader *reader);

void rendered_metrics(const struct kymo_reader *reader);

#endif
