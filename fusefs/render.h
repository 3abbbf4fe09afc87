/*
 * render.h - what stands in a file. Everything is spelled by kymo/text.h, so that the command line
 * prints the same bytes.
 *
 * The functions that take a node are those of the rows in node.c: they append the content, as of
 * now, to an empty text, and return 0 or a negative errno, after which the text means nothing.
 */
#ifndef KYMOFS_RENDER_H
#define KYMOFS_RENDER_H

#include "node.h"

int render_readme(const struct node *node, struct kymo_text *text);
int render_record(const struct node *node, struct kymo_text *text);
int render_field(const struct node *node, struct kymo_text *text);
int render_info(const struct node *node, struct kymo_text *text);
int render_schema(const struct node *node, struct kymo_text *text);
int render_link(const struct node *node, struct kymo_text *text);

/* Bytes that these do not exceed. */
uint64_t render_record_limit(const struct node *node);
uint64_t render_field_limit(const struct node *node);
uint64_t render_info_limit(const struct node *node);

/* The field and the element that a file below field/ shows, as its number. */
#define RENDER_WHOLE_FIELD UINT32_MAX
static inline uint64_t render_field_number(uint32_t field, uint32_t element)
{
    return (uint64_t)field << 32 | element;
}

#endif
