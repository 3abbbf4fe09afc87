/*
 * exposition.h - a strict parser of Prometheus' exposition format 0.0.4.
 *
 * HELP and TYPE occur once for each name, HELP first, before the name's samples, which are contiguous; no duplicate sample; label names, values, escapes and numbers are well-formed; no timestamps, no blank lines, and a final newline.
 */
#ifndef KYMO_FUZZ_EXPOSITION_H
#define KYMO_FUZZ_EXPOSITION_H

#include <stddef.h>

/* Returns NULL, or the fault in text[len]; *samples is the number of samples. */
const char *exposition_check(const char *text, size_t len, size_t *samples);

#endif
