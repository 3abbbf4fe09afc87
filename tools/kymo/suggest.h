/*
 * suggest.h - finds the most similar of several words, for "did you mean" hints.
 */
#ifndef KYMO_TOOLS_SUGGEST_H
#define KYMO_TOOLS_SUGGEST_H

#include <stddef.h>

#include <kymo/segment.h>

/* Initialise with {.word = ..., .len = ...}. */
struct suggestion {
    const char *word; /* the misspelt word; not terminated */
    size_t len;
    size_t distance; /* of best, edits */
    char best[256];  /* "": no similar word */
};

/* Compares one candidate. */
void suggest_offer(struct suggestion *suggestion, const char *candidate);

/* "; did you mean 'best'?", or "" without a similar word. Valid until the next call. */
const char *suggest_hint(const struct suggestion *suggestion);

/* The hint for a misspelt segment. */
const char *suggest_segment(const char *name);

/* The hint for a misspelt field. */
const char *suggest_field(const struct kymo_schema *schema, const char *word, size_t len);

#endif
