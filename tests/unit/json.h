/*
 * json.h - whether a text is exactly one JSON value in UTF-8, by RFC 8259.
 */
#ifndef KYMO_TEST_JSON_H
#define KYMO_TEST_JSON_H

#include <stddef.h>

/* Parsers advance *at past what they accept, and return whether they did. */
int json_number(const char **at);
/* One code point, in its shortest form, none of the surrogates. */
int json_utf8(const char **at);

/* `len` detects a zero byte. */
int json_is_valid(const char *text, size_t len);

#endif
