/*
 * json.c - parses one line of JSON into an array of values.
 */
#include "json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Deepest nesting: fields have fewer dimensions. Bounds the recursion. */
#define DEPTH_LIMIT 32

struct parser {
    struct json *json;
    const char *line; /* first byte */
    const char *next;
    const char *end;
    int depth;
    struct problem *problem;
};

static int refuse(const struct parser *parser, const char *reason)
{
    return problem_set(parser->problem, "invalid JSON: %s (column %zu)", reason,
                       (size_t)(parser->next - parser->line) + 1);
}

static void skip_blanks(struct parser *parser)
{
    const char *at = parser->next;

    while (at < parser->end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
        at++;
    parser->next = at;
}

/* The next byte; 0 at the end of the line. */
static char peek(const struct parser *parser)
{
    if (parser->next < parser->end)
        return *parser->next;
    return '\0';
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* Appends a value. Returns its index, or SIZE_MAX: out of memory. */
static size_t value_add(struct json *json, enum json_type type)
{
    struct json_value *larger = json->values;

    if (json->count == json->capacity) {
        larger = realloc(json->values, (2 * json->capacity + 16) * sizeof(*larger));
        if (!larger)
            return SIZE_MAX;
        json->values = larger;
        json->capacity = 2 * json->capacity + 16;
    }
    larger[json->count] = (struct json_value){.type = type, .next = json->count + 1};
    return json->count++;
}

/* ---- strings ---- */

/* Bytes of the UTF-8 character at `text`, which ends at `end`; 0 if it is invalid. */
static size_t utf8_size(const unsigned char *text, const unsigned char *end)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = *text < 0x80 ? 1 : *text < 0xc0 ? 0 : *text < 0xe0 ? 2 : *text < 0xf0 ? 3 : 4;
    uint32_t character = *text & (0x7fu >> size);

    if (size <= 1)
        return size;
    if (*text >= 0xf5 || (size_t)(end - text) < size)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (text[i] & 0x3f);
    }
    if (character < least[size] || character > 0x10ffff || (character & 0x1ff800) == 0xd800)
        return 0;
    return size;
}

static char *utf8_put(char *text, uint32_t character)
{
    if (character < 0x80) {
        *text++ = (char)character;
    } else if (character < 0x800) {
        *text++ = (char)(0xc0 | character >> 6);
        *text++ = (char)(0x80 | (character & 0x3f));
    } else if (character < 0x10000) {
        *text++ = (char)(0xe0 | character >> 12);
        *text++ = (char)(0x80 | (character >> 6 & 0x3f));
        *text++ = (char)(0x80 | (character & 0x3f));
    } else {
        *text++ = (char)(0xf0 | character >> 18);
        *text++ = (char)(0x80 | (character >> 12 & 0x3f));
        *text++ = (char)(0x80 | (character >> 6 & 0x3f));
        *text++ = (char)(0x80 | (character & 0x3f));
    }
    return text;
}

/* Parses the four hex digits of \u. */
static bool parse_hex(struct parser *parser, uint32_t *number)
{
    static const char digits[] = "0123456789abcdefABCDEF";

    *number = 0;
    for (int i = 0; i < 4; i++, parser->next++) {
        const char byte = peek(parser);
        const char *digit = byte ? strchr(digits, byte) : NULL;
        size_t value = digit ? (size_t)(digit - digits) : 0;

        if (!digit)
            return false;
        *number = *number << 4 | (uint32_t)(value < 16 ? value : value - 6);
    }
    return true;
}

/* Parses the digits of \u, and the second half of a surrogate pair. */
static int parse_unicode(struct parser *parser, uint32_t *character)
{
    uint32_t low;

    if (!parse_hex(parser, character))
        return refuse(parser, "invalid \\u escape");
    if (*character == 0)
        return refuse(parser, "\\u0000 in a string");
    if ((*character & 0xfffff800) != 0xd800)
        return 0;
    if (*character >= 0xdc00 || parser->end - parser->next < 6 || parser->next[0] != '\\' ||
        parser->next[1] != 'u')
        return refuse(parser, "half of a surrogate pair");
    parser->next += 2;
    if (!parse_hex(parser, &low) || (low & 0xfffffc00) != 0xdc00)
        return refuse(parser, "half of a surrogate pair");
    *character = 0x10000 + ((*character & 0x3ff) << 10 | (low & 0x3ff));
    return 0;
}

/* Parses an escape, after the backslash, and appends the character at *out. */
static int parse_escape(struct parser *parser, char **out)
{
    static const char escapes[] = "\"\\/bfnrt", characters[] = "\"\\/\b\f\n\r\t";
    const char byte = peek(parser);
    const char *escape = byte ? strchr(escapes, byte) : NULL;
    uint32_t character;
    int error;

    if (escape) {
        *(*out)++ = characters[escape - escapes];
        parser->next++;
        return 0;
    }
    if (byte != 'u')
        return refuse(parser, "invalid escape");
    parser->next++;
    error = parse_unicode(parser, &character);
    if (error == 0)
        *out = utf8_put(*out, character);
    return error;
}

/* Skips characters up to an escape or the end of the string. */
static int skip_characters(struct parser *parser)
{
    const unsigned char *at = (const unsigned char *)parser->next;
    const unsigned char *end = (const unsigned char *)parser->end;
    size_t size = 1;

    while (at < end && size && *at >= ' ' && *at != '"' && *at != '\\') {
        size = *at < 0x80 ? 1 : utf8_size(at, end);
        at += size;
    }
    parser->next = (const char *)at;
    if (at == end)
        return refuse(parser, "missing closing quote");
    if (size == 0)
        return refuse(parser, "invalid UTF-8");
    return *at >= ' ' ? 0 : refuse(parser, "control character in a string");
}

/* Copies a string that begins with these bytes and continues with an escape to *out, unescaped; an
 * escape is never shorter than its character. */
static int unescape(struct parser *parser, const char *begin, char **out)
{
    int error = 0;

    while (error == 0) {
        memcpy(*out, begin, (size_t)(parser->next - begin));
        *out += parser->next - begin;
        if (*parser->next == '"')
            return 0;
        parser->next++;
        error = parse_escape(parser, out);
        begin = parser->next;
        if (error == 0)
            error = skip_characters(parser);
    }
    return error;
}

static int parse_string(struct parser *parser)
{
    struct json *json = parser->json;
    const char *begin = ++parser->next, *text = begin;
    char *out = json->strings + json->strings_used;
    int error = skip_characters(parser);
    size_t at, len = (size_t)(parser->next - begin);

    if (error == 0 && *parser->next == '\\') {
        text = out;
        error = unescape(parser, begin, &out);
        len = (size_t)(out - text);
        json->strings_used += len;
    }
    if (error)
        return error;
    parser->next++;
    at = value_add(json, JSON_STRING);
    if (at == SIZE_MAX)
        return -ENOMEM;
    json->values[at].text = text;
    json->values[at].len = len;
    return 0;
}

/* ---- numbers and words ---- */

static size_t skip_digits(struct parser *parser)
{
    const char *begin = parser->next, *at = begin;

    while (at < parser->end && is_digit(*at))
        at++;
    parser->next = at;
    return (size_t)(at - begin);
}

static bool skip_word(struct parser *parser, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(parser->end - parser->next) < len || memcmp(parser->next, word, len) != 0)
        return false;
    parser->next += len;
    return true;
}

static int skip_number(struct parser *parser)
{
    parser->next += peek(parser) == '-';
    if (skip_word(parser, "Infinity") || skip_word(parser, "NaN"))
        return 0;
    if (peek(parser) == '0')
        parser->next++;
    else if (skip_digits(parser) == 0)
        return refuse(parser, "invalid number");
    if (is_digit(peek(parser)))
        return refuse(parser, "a number with a leading zero");
    if (peek(parser) == '.') {
        parser->next++;
        if (skip_digits(parser) == 0)
            return refuse(parser, "a number without digits after the point");
    }
    if (peek(parser) != 'e' && peek(parser) != 'E')
        return 0;
    parser->next++;
    parser->next += peek(parser) == '+' || peek(parser) == '-';
    return skip_digits(parser) ? 0 : refuse(parser, "a number without digits in its exponent");
}

static int parse_number_token(struct parser *parser)
{
    const char *begin = parser->next;
    int error = skip_number(parser);
    size_t at;

    if (error)
        return error;
    at = value_add(parser->json, JSON_NUMBER);
    if (at == SIZE_MAX)
        return -ENOMEM;
    parser->json->values[at].text = begin;
    parser->json->values[at].len = (size_t)(parser->next - begin);
    return 0;
}

static int parse_word(struct parser *parser)
{
    static const struct {
        const char *word;
        enum json_type type;
    } words[] = {{"true", JSON_TRUE}, {"false", JSON_FALSE}, {"null", JSON_NULL}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (skip_word(parser, words[i].word))
            return value_add(parser->json, words[i].type) == SIZE_MAX ? -ENOMEM : 0;
    return refuse(parser,
                  parser->next == parser->end ? "the line ends too early" : "invalid value");
}

/* ---- arrays and objects ---- */

static int parse_value(struct parser *parser);

static int parse_member(struct parser *parser)
{
    int error;

    skip_blanks(parser);
    if (peek(parser) != '"')
        return refuse(parser, "a key must be a string");
    error = parse_string(parser);
    if (error)
        return error;
    skip_blanks(parser);
    if (peek(parser) != ':')
        return refuse(parser, "missing ':'");
    parser->next++;
    return parse_value(parser);
}

/* Parses an array or an object, which ends with `close`. */
static int parse_items(struct parser *parser, enum json_type type, char close)
{
    size_t at = value_add(parser->json, type), count = 0;
    int error;

    if (at == SIZE_MAX)
        return -ENOMEM;
    if (parser->depth == DEPTH_LIMIT)
        return refuse(parser, "nested too deeply");
    parser->depth++;
    parser->next++;
    skip_blanks(parser);
    while (peek(parser) != close || count) {
        error = type == JSON_OBJECT ? parse_member(parser) : parse_value(parser);
        if (error)
            return error;
        count++;
        skip_blanks(parser);
        if (peek(parser) == close)
            break;
        if (peek(parser) != ',')
            return refuse(parser,
                          type == JSON_OBJECT ? "missing ',' or '}'" : "missing ',' or ']'");
        parser->next++;
    }
    parser->next++;
    parser->depth--;
    parser->json->values[at].count = count;
    parser->json->values[at].next = parser->json->count;
    return 0;
}

static int parse_value(struct parser *parser)
{
    skip_blanks(parser);
    switch (peek(parser)) {
    case '{':
        return parse_items(parser, JSON_OBJECT, '}');
    case '[':
        return parse_items(parser, JSON_ARRAY, ']');
    case '"':
        return parse_string(parser);
    case 'N':
    case 'I':
    case '-':
        return parse_number_token(parser);
    default:
        return is_digit(peek(parser)) ? parse_number_token(parser) : parse_word(parser);
    }
}

static int strings_reserve(struct json *json, size_t len)
{
    char *larger;

    json->strings_used = 0;
    if (json->strings && len <= json->strings_size)
        return 0;
    larger = realloc(json->strings, 2 * len + 64);
    if (!larger)
        return -ENOMEM;
    json->strings = larger;
    json->strings_size = 2 * len + 64;
    return 0;
}

int json_parse(struct json *json, const char *line, size_t len, struct problem *problem)
{
    struct parser parser = {json, line, line, line + len, 0, problem};
    int error = strings_reserve(json, len);

    json->count = 0;
    if (error == 0)
        error = parse_value(&parser);
    if (error)
        return error;
    skip_blanks(&parser);
    return parser.next == parser.end ? 0 : refuse(&parser, "text after the value");
}

void json_free(struct json *json)
{
    free(json->values);
    free(json->strings);
}
