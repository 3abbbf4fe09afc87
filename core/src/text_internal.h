/*
 * text_internal.h - what the text_*.c files share. text.c and text_number.c lie at the bottom;
 * time.c, text_record.c and text_info.c write through them.
 */
#ifndef KYMO_TEXT_INTERNAL_H
#define KYMO_TEXT_INTERNAL_H

#include <kymo/text.h>

/* Room for `more` bytes and a zero behind them at data + len; or the error, which text keeps. */
int kymo_text_reserve(struct kymo_text *text, size_t more);

/* The inside of kymo_text_quoted. */
void kymo_text_escaped(struct kymo_text *text, const char *bytes, size_t len);

/* The bytes with what is not UTF-8 replaced, and nothing escaped. */
void kymo_text_repaired(struct kymo_text *text, const char *bytes, size_t len);

/* The value rounded to that many significant digits, 1 to 15. */
void kymo_text_rounded(struct kymo_text *text, double value, int digits);

#endif
