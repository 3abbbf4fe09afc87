/*
 * limit.h - bounds that render/ alone uses.
 */
#ifndef KYMOFS_LIMIT_H
#define KYMOFS_LIMIT_H

#include "render.h"

/* Bytes at the start of a payload that its text is rendered from: what the schema describes, or all. */
uint32_t limit_payload(const struct kymo_schema *schema);

/* A bound of the first line of a table. */
uint64_t limit_header(const struct kymo_schema *schema);

#endif
