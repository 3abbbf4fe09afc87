/*
 * text_internal.h - what the text_*.c files share. text.c and text_number.c are the lowest layer;
 * time.c, text_record.c and text_info.c append through them.
 */
#ifndef KYMO_TEXT_INTERNAL_H
#define KYMO_TEXT_INTERNAL_H

#include <kymo/text.h>

/* Ensures capacity for `more` bytes and a zero at data + len; or returns the error, which text
 * keeps. */
int kymo_text_reserve(struct kymo_text *text, size_t more);

/* The content of kymo_text_quoted, without quotes. */
void kymo_text_escaped(struct kymo_text *text, const char *bytes, size_t len);

/* The bytes with invalid UTF-8 replaced, and nothing escaped. */
void kymo_text_repaired(struct kymo_text *text, const char *bytes, size_t len);

/* The value rounded to that many significant digits, 1 to 15. */
void kymo_text_rounded(struct kymo_text *text, double value, int digits);

#endif
