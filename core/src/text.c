/*
 * text.c - growing text, and strings and bytes in it. The capacity doubles, so that appending is
 * linear; the first error is kept.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "text_internal.h"

#define CAPACITY_FIRST 256

static int text_fail(struct kymo_text *text)
{
    kymo_text_free(text);
    text->error = -ENOMEM;
    return -ENOMEM;
}

static int text_grow(struct kymo_text *text, size_t more)
{
    size_t capacity = text->capacity ? text->capacity : CAPACITY_FIRST / 2;
    char *data;

    /* No object is larger than PTRDIFF_MAX, so these sums do not overflow. */
    if (more >= PTRDIFF_MAX - text->len)
        return text_fail(text);
    capacity *= 2;
    if (capacity <= text->len + more)
        capacity = text->len + more + 1;
    data = realloc(text->data, capacity);
    if (!data)
        return text_fail(text);
    text->data = data;
    text->capacity = capacity;
    return 0;
}

int kymo_text_reserve(struct kymo_text *text, size_t more)
{
    if (text->error)
        return text->error;
    if (more < text->capacity - text->len)
        return 0;
    return text_grow(text, more);
}

void kymo_text_truncate(struct kymo_text *text, size_t len)
{
    if (len >= text->len)
        return;
    text->len = len;
    text->data[len] = '\0';
}

void kymo_text_clear(struct kymo_text *text)
{
    kymo_text_truncate(text, 0);
    text->error = 0;
}

void kymo_text_free(struct kymo_text *text)
{
    free(text->data);
    *text = (struct kymo_text){0};
}

void kymo_text_append(struct kymo_text *text, const void *bytes, size_t len)
{
    if (kymo_text_reserve(text, len))
        return;
    if (len > 0)
        memcpy(text->data + text->len, bytes, len);
    text->len += len;
    text->data[text->len] = '\0';
}

void kymo_text_string(struct kymo_text *text, const char *string)
{
    kymo_text_append(text, string, strlen(string));
}

/* Prints into the free capacity. Returns the length of the whole output. */
__attribute__((format(printf, 2, 0))) static size_t
text_print(struct kymo_text *text, const char *format, va_list arguments)
{
    size_t room = text->capacity - text->len;
    int printed = vsnprintf(text->data + text->len, room, format, arguments);
    size_t len = printed < 0 ? 0 : (size_t)printed;

    if (len < room)
        text->len += len;
    text->data[text->len] = '\0';
    return len;
}

void kymo_text_printf(struct kymo_text *text, const char *format, ...)
{
    va_list arguments;
    size_t begin, len;

    if (kymo_text_reserve(text, 0))
        return;
    begin = text->len;
    va_start(arguments, format);
    len = text_print(text, format, arguments);
    va_end(arguments);
    if (text->len - begin == len || kymo_text_reserve(text, len))
        return;
    va_start(arguments, format);
    text_print(text, format, arguments);
    va_end(arguments);
}

/* ---- strings ---- */

static int is_continuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The smallest and largest second byte of a sequence of three or four: they exclude overlong
 * encodings, surrogates, and code points beyond U+10FFFF. */
static int is_second(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0 && second <= 0xbf;
    case 0xed:
        return second >= 0x80 && second <= 0x9f;
    case 0xf0:
        return second >= 0x90 && second <= 0xbf;
    case 0xf4:
        return second >= 0x80 && second <= 0x8f;
    default:
        return is_continuation(second);
    }
}

/* Bytes of the UTF-8 sequence at the start of len bytes; 0 if there is none. */
static size_t sequence_length(const unsigned char *at, size_t len)
{
    size_t length = at[0] < 0x80    ? 1
                    : at[0] < 0xc2  ? 0
                    : at[0] < 0xe0  ? 2
                    : at[0] < 0xf0  ? 3
                    : at[0] <= 0xf4 ? 4
                                    : 0;

    if (length > len || (length > 1 && !is_second(at[0], at[1])))
        return 0;
    for (size_t i = 2; i < length; i++) {
        if (!is_continuation(at[i]))
            return 0;
    }
    return length;
}

/* The JSON escape of the sequence, "" if it needs none. Besides those of RFC 8259, escapes controls
 * that a terminal may interpret: DEL, and C1, U+0080 to U+009F. */
static const char *sequence_escape(const unsigned char *at, char escape[8])
{
    unsigned code = at[0] == 0xc2 ? at[1] : at[0];
    static const char letters[] = "btn?fr"; /* 0x08 to 0x0d, without vertical tab */

    if (at[0] == '"' || at[0] == '\\')
        snprintf(escape, 8, "\\%c", at[0]);
    else if (code >= 0x08 && code <= 0x0d && code != 0x0b)
        snprintf(escape, 8, "\\%c", letters[code - 0x08]);
    else if (code < 0x20 || code == 0x7f || (at[0] == 0xc2 && code < 0xa0))
        snprintf(escape, 8, "\\u%04x", code);
    else
        escape[0] = '\0';
    return escape;
}

/* Appends in runs: everything up to a sequence that must be escaped or replaced, then that. */
static void text_sequences(struct kymo_text *text, const char *bytes, size_t len, int escaping)
{
    const unsigned char *at = (const unsigned char *)bytes;
    size_t run = 0;

    while (run < len) {
        size_t length = sequence_length(at + run, len - run);
        const char *instead = "\xef\xbf\xbd"; /* U+FFFD */
        char escape[8];

        if (length > 0)
            instead = escaping ? sequence_escape(at + run, escape) : "";
        if (*instead == '\0') {
            run += length;
            continue;
        }
        kymo_text_append(text, at, run);
        kymo_text_string(text, instead);
        run += length ? length : 1;
        at += run;
        len -= run;
        run = 0;
    }
    kymo_text_append(text, at, run);
}

void kymo_text_repaired(struct kymo_text *text, const char *bytes, size_t len)
{
    text_sequences(text, bytes, len, 0);
}

void kymo_text_escaped(struct kymo_text *text, const char *bytes, size_t len)
{
    text_sequences(text, bytes, len, 1);
}

void kymo_text_quoted(struct kymo_text *text, const char *bytes, size_t len)
{
    kymo_text_string(text, "\"");
    kymo_text_escaped(text, bytes, len);
    kymo_text_string(text, "\"");
}

void kymo_text_hex(struct kymo_text *text, const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *byte = bytes;
    char *at;

    if (kymo_text_reserve(text, len < PTRDIFF_MAX / 2 ? 2 * len : PTRDIFF_MAX))
        return;
    at = text->data + text->len;
    for (size_t i = 0; i < len; i++) {
        *at++ = digits[byte[i] >> 4];
        *at++ = digits[byte[i] & 15];
    }
    *at = '\0';
    text->len += 2 * len;
}
