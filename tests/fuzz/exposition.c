/*
 * exposition.c - the parser, by recursive descent.
 */
#include "exposition.h"

#include "unit/json.h"

#include <string.h>

#define EXPOSITION_LIMIT 4096 /* samples and names */

struct exposition {
    const char *at;
    const char *names[EXPOSITION_LIMIT]; /* whose header was read, each ending in a blank */
    size_t name_count;
    const char *name; /* the current one */
    size_t name_len;
    int typed;   /* its TYPE was read */
    int counter; /* and is counter */
    const char *samples[EXPOSITION_LIMIT];
    size_t sample_lens[EXPOSITION_LIMIT];
    size_t sample_count;
    const char *fault; /* what is wrong, in words */
};

static size_t exposition_name(const char *at, int colons)
{
    size_t len = 0;

    while ((at[len] >= 'a' && at[len] <= 'z') || (at[len] >= 'A' && at[len] <= 'Z') ||
           at[len] == '_' || (colons && at[len] == ':') ||
           (len > 0 && at[len] >= '0' && at[len] <= '9'))
        len++;
    return len;
}

/* UTF-8 up to `end`, with "\\", "\n" and, in quotes, "\"" as the only escapes. */
static int exposition_text(const char **at, char end)
{
    while (**at != end) {
        if (**at == '\0' || **at == '\n')
            return 0;
        if (**at == '\\') {
            ++*at;
            if (**at != '\\' && **at != 'n' && !(end == '"' && **at == '"'))
                return 0;
            ++*at;
        } else if (!json_utf8(at)) {
            return 0;
        }
    }
    ++*at;
    return 1;
}

static int exposition_flaw(struct exposition *exposition, const char *fault)
{
    exposition->fault = fault;
    return 0;
}

static int exposition_help(struct exposition *exposition)
{
    const char *name = exposition->at;
    const size_t len = exposition_name(name, 1);

    if (len == 0 || name[len] != ' ')
        return exposition_flaw(exposition, "HELP without a name");
    for (size_t i = 0; i < exposition->name_count; i++)
        if (strncmp(exposition->names[i], name, len + 1) == 0)
            return exposition_flaw(exposition, "a second HELP of one name");
    if (exposition->name_count == EXPOSITION_LIMIT)
        return exposition_flaw(exposition, "too many names to check");
    exposition->names[exposition->name_count++] = name;
    exposition->name = name;
    exposition->name_len = len;
    exposition->typed = 0;
    exposition->at = name + len + 1;
    if (!exposition_text(&exposition->at, '\n'))
        return exposition_flaw(exposition, "a HELP that is not well-formed");
    return 1;
}

static int exposition_type(struct exposition *exposition)
{
    const char *at = exposition->at;

    if (exposition->typed || exposition->name_len == 0 ||
        strncmp(at, exposition->name, exposition->name_len + 1) != 0)
        return exposition_flaw(exposition, "a TYPE that does not follow its HELP");
    at += exposition->name_len + 1;
    exposition->typed = 1;
    exposition->counter = strncmp(at, "counter\n", 8) == 0;
    if (!exposition->counter && strncmp(at, "gauge\n", 6) != 0)
        return exposition_flaw(exposition, "an unknown TYPE");
    exposition->at = at + (exposition->counter ? 8 : 6);
    return 1;
}

static int exposition_labels(const char **at)
{
    for (;;) {
        const size_t len = exposition_name(*at, 0);

        if (len == 0 || strncmp(*at + len, "=\"", 2) != 0)
            return 0;
        *at += len + 2;
        if (!exposition_text(at, '"'))
            return 0;
        if (**at == '}') {
            ++*at;
            return 1;
        }
        if (*(*at)++ != ',')
            return 0;
    }
}

static int exposition_value(const char **at)
{
    static const char *const words[] = {"NaN", "+Inf", "-Inf"};

    for (size_t i = 0; i < 3; i++) {
        if (strncmp(*at, words[i], strlen(words[i])) == 0) {
            *at += strlen(words[i]);
            return **at == '\n';
        }
    }
    return json_number(at) && **at == '\n';
}

/* Up to the value: what no other sample may have. */
static int exposition_is_new(struct exposition *exposition, const char *sample, size_t len)
{
    for (size_t i = 0; i < exposition->sample_count; i++)
        if (exposition->sample_lens[i] == len && memcmp(exposition->samples[i], sample, len) == 0)
            return exposition_flaw(exposition, "the same sample twice");
    if (exposition->sample_count == EXPOSITION_LIMIT)
        return exposition_flaw(exposition, "too many samples to check");
    exposition->samples[exposition->sample_count] = sample;
    exposition->sample_lens[exposition->sample_count++] = len;
    return 1;
}

static int exposition_sample(struct exposition *exposition)
{
    const char *sample = exposition->at;
    const char *at = sample + exposition->name_len;

    if (!exposition->typed || exposition_name(sample, 1) != exposition->name_len ||
        strncmp(sample, exposition->name, exposition->name_len) != 0)
        return exposition_flaw(exposition, "a sample that is not below its own TYPE");
    if (*at == '{' && (at++, !exposition_labels(&at)))
        return exposition_flaw(exposition, "labels that are not well-formed");
    if (*at++ != ' ')
        return exposition_flaw(exposition, "a sample without a value");
    if (!exposition_is_new(exposition, sample, (size_t)(at - sample)))
        return 0;
    if (!exposition_value(&at))
        return exposition_flaw(exposition, "an invalid number, or text after it");
    exposition->at = at + 1;
    return 1;
}

const char *exposition_check(const char *text, size_t len, size_t *samples)
{
    static struct exposition exposition;
    int holds = 1;

    memset(&exposition, 0, sizeof(exposition));
    exposition.at = text;
    while (holds && *exposition.at) {
        if (strncmp(exposition.at, "# HELP ", 7) == 0) {
            exposition.at += 7;
            holds = exposition_help(&exposition);
        } else if (strncmp(exposition.at, "# TYPE ", 7) == 0) {
            exposition.at += 7;
            holds = exposition_type(&exposition);
        } else {
            holds = exposition_sample(&exposition);
        }
    }
    *samples = exposition.sample_count;
    if (holds && (size_t)(exposition.at - text) != len)
        exposition.fault = "a zero byte";
    return exposition.fault;
}
