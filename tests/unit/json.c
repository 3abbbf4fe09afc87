/*
 * json.c - the parser, by recursive descent.
 */
#include "json.h"

#include <stdint.h>
#include <string.h>

static int json_value(const char **at);

static int json_digits(const char **at)
{
    const char *begin = *at;

    while (**at >= '0' && **at <= '9')
        ++*at;
    return *at > begin;
}

int json_number(const char **at)
{
    if (**at == '-')
        ++*at;
    if (**at == '0')
        ++*at;
    else if (!json_digits(at))
        return 0;
    if (**at == '.' && (++*at, !json_digits(at)))
        return 0;
    if (**at != 'e' && **at != 'E')
        return 1;
    ++*at;
    if (**at == '-' || **at == '+')
        ++*at;
    return json_digits(at);
}

int json_utf8(const char **at)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *byte = (const unsigned char *)*at;
    int length = byte[0] < 0x80 ? 1 : byte[0] >> 5 == 6 ? 2 : byte[0] >> 4 == 14 ? 3 : 4;
    uint32_t code = length == 1 ? byte[0] : byte[0] & (0xffu >> (length + 1));

    if (length == 4 && byte[0] >> 3 != 30)
        return 0;
    for (int i = 1; i < length; i++) {
        if (byte[i] >> 6 != 2)
            return 0;
        code = code << 6 | (byte[i] & 0x3f);
    }
    *at += length;
    return code >= least[length] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static int json_text(const char **at)
{
    if (*(*at)++ != '"')
        return 0;
    while (**at != '"') {
        if ((unsigned char)**at < 0x20)
            return 0;
        if (**at != '\\') {
            if (!json_utf8(at))
                return 0;
            continue;
        }
        ++*at;
        if (**at == 'u') {
            if (strspn(*at + 1, "0123456789abcdefABCDEF") < 4)
                return 0;
            *at += 5;
        } else if (**at && strchr("\"\\/bfnrt", **at)) {
            ++*at;
        } else {
            return 0;
        }
    }
    ++*at;
    return 1;
}

/* The elements between brackets; members have names. */
static int json_list(const char **at, char close, int named)
{
    ++*at;
    if (**at == close) {
        ++*at;
        return 1;
    }
    for (;;) {
        if (named && (!json_text(at) || *(*at)++ != ':'))
            return 0;
        if (!json_value(at))
            return 0;
        if (**at == close) {
            ++*at;
            return 1;
        }
        if (*(*at)++ != ',')
            return 0;
    }
}

static int json_value(const char **at)
{
    static const char *const words[] = {"null", "true", "false"};

    for (size_t i = 0; i < 3; i++) {
        if (strncmp(*at, words[i], strlen(words[i])) == 0) {
            *at += strlen(words[i]);
            return 1;
        }
    }
    if (**at == '{')
        return json_list(at, '}', 1);
    if (**at == '[')
        return json_list(at, ']', 0);
    return **at == '"' ? json_text(at) : json_number(at);
}

int json_is_valid(const char *text, size_t len)
{
    const char *at = text;

    return text && json_value(&at) && *at == '\0' && (size_t)(at - text) == len;
}
