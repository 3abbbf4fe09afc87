/*
 * metrics_names.c - the names of a segment's fields as metrics: kymo_SEGMENT_FIELD, changed where
 * Prometheus and its conventions require it.
 *
 * Names that need no change are assigned first; changed names avoid them. The cost is linear in the
 * number of fields.
 */
#include "metrics_names.h"

#include "text_internal.h"

int kymo_field_is_metric(const struct kymo_field *field)
{
    return kymo_type_is_numeric(field->type) && field->count <= KYMO_METRICS_ELEMENTS;
}

/* ---- words ---- */

static int is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static int is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static int is_word(char c)
{
    return is_lower(c) || is_upper(c) || (c >= '0' && c <= '9');
}

/* Up to a character that is neither letter nor digit, or to the capital of a camelCase. */
static size_t word_len(const char *name)
{
    size_t len = 0;

    while (is_word(name[len]) && !(len > 0 && is_lower(name[len - 1]) && is_upper(name[len])))
        len++;
    return len;
}

/* Words that promtool reads as an abbreviated unit, or as the type of the metric. */
static const char *const misread[] = {
    "s",  "ms", "us", "ns", "sec", "b",     "kb",      "mb",      "gb",
    "tb", "pb", "m",  "h",  "d",   "gauge", "counter", "summary", "histogram",
};

static int is_same_word(const char *word, size_t len, const char *other)
{
    for (size_t i = 0; i < len; i++) {
        if ((word[i] | 0x20) != other[i])
            return 0;
    }
    return other[len] == '\0';
}

static int is_misread(const char *word, size_t len)
{
    if (len == 0 || len > 9)
        return 0;
    for (size_t i = 0; i < sizeof(misread) / sizeof(misread[0]); i++) {
        if ((word[0] | 0x20) == misread[i][0] && is_same_word(word, len, misread[i]))
            return 1;
    }
    return 0;
}

static void append_words(struct kymo_text *text, const char *name)
{
    while (*name) {
        const size_t len = word_len(name);

        kymo_text_append(text, name, len);
        if (is_misread(name, len))
            kymo_text_append(text, "value", 5);
        name += len;
        if (*name)
            kymo_text_append(text, "_", 1);
        if (*name && !is_word(*name))
            name++;
    }
}

/* ---- endings ---- */

/* Suffixes by which Prometheus assigns a name to a counter, a summary or a histogram. */
static const char *const endings[] = {"_total", "_count", "_sum", "_bucket"};

static int ends_with(const struct kymo_text *text, const char *ending)
{
    const size_t len = strlen(ending);

    return text->len >= len && memcmp(text->data + text->len - len, ending, len) == 0;
}

static void append_ending(struct kymo_text *text, uint32_t metric)
{
    if (text->error)
        return;
    if (metric == KYMO_COUNTER) {
        if (!ends_with(text, endings[0]))
            kymo_text_string(text, endings[0]);
        return;
    }
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (ends_with(text, endings[i])) {
            kymo_text_append(text, "_value", 6);
            return;
        }
    }
}

/* ---- names in use ---- */

static int is_common(const char *name)
{
    return strcmp(name, KYMO_WRITER_UP) == 0 || strcmp(name, KYMO_RECORDS) == 0 ||
           strcmp(name, KYMO_AGE) == 0;
}

static uint32_t hash_of(const char *name)
{
    uint32_t hash = UINT32_C(0x811c9dc5);

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT32_C(0x01000193);
    return hash ^ (hash >> 15);
}

/* The name's place in the table, or the free place for it. Half of the table is always free. */
static uint16_t *place_of(struct kymo_names *names, const char *name)
{
    const size_t mask = sizeof(names->taken) / sizeof(names->taken[0]) - 1;
    size_t at = hash_of(name) & mask;

    while (names->taken[at] &&
           strcmp(names->text.data + names->start[names->taken[at] - 1], name) != 0)
        at = (at + 1) & mask;
    return &names->taken[at];
}

static int is_taken(struct kymo_names *names, const char *name)
{
    return is_common(name) || *place_of(names, name) != 0;
}

/* ---- all fields ---- */

/* Makes the metric name of a field, and sets `fits` if it is the field's name unchanged. */
static void name_directly(struct kymo_names *names, uint32_t number, const struct kymo_field *field,
                          size_t prefix)
{
    struct kymo_text *text = &names->text;

    names->start[number] = text->len;
    /* The prefix may move while it is copied. */
    if (kymo_text_reserve(text, prefix) == 0)
        kymo_text_append(text, text->data, prefix);
    append_words(text, field->name);
    append_ending(text, field->metric);
    if (text->error)
        return;
    names->fits[number] = strcmp(text->data + names->start[number] + prefix, field->name) == 0 &&
                          !is_common(text->data + names->start[number]);
    kymo_text_append(text, "", 1);
}

/* Appends suffixes until the name is not in use. */
static void name_uniquely(struct kymo_names *names, uint32_t number, const struct kymo_field *field,
                          size_t prefix)
{
    struct kymo_text *text = &names->text;
    size_t words;

    if (!is_taken(names, text->data + names->start[number]))
        return;
    names->start[number] = text->len;
    if (kymo_text_reserve(text, prefix) == 0)
        kymo_text_append(text, text->data, prefix);
    append_words(text, field->name);
    do {
        kymo_text_append(text, "_value", 6);
        words = text->len;
        if (field->metric == KYMO_COUNTER)
            kymo_text_string(text, endings[0]);
        kymo_text_append(text, "", 1);
        if (text->error || !is_taken(names, text->data + names->start[number]))
            return;
        kymo_text_truncate(text, words);
    } while (1);
}

static void take_name(struct kymo_names *names, uint32_t number)
{
    *place_of(names, names->text.data + names->start[number]) = (uint16_t)(number + 1);
}

/* If all fit, no name is used twice: the names in a schema differ. */
static void name_colliding(struct kymo_names *names, const struct kymo_schema *schema,
                           size_t prefix)
{
    memset(names->taken, 0, sizeof(names->taken));
    for (uint32_t i = 0; i < schema->count; i++) {
        if (kymo_field_is_metric(&schema->fields[i]) && names->fits[i])
            take_name(names, i);
    }
    for (uint32_t i = 0; i < schema->count && !names->text.error; i++) {
        if (!kymo_field_is_metric(&schema->fields[i]) || names->fits[i])
            continue;
        name_uniquely(names, i, &schema->fields[i], prefix);
        if (!names->text.error)
            take_name(names, i);
    }
}

int kymo_names_make(struct kymo_names *names, const char *segment, const struct kymo_schema *schema)
{
    size_t prefix;
    int all_fit = 1;

    kymo_text_clear(&names->text);
    kymo_text_string(&names->text, "kymo_");
    append_words(&names->text, segment);
    kymo_text_append(&names->text, "_", 1);
    prefix = names->text.len;
    for (uint32_t i = 0; i < schema->count && !names->text.error; i++) {
        if (!kymo_field_is_metric(&schema->fields[i]))
            continue;
        name_directly(names, i, &schema->fields[i], prefix);
        all_fit &= names->fits[i];
    }
    if (!names->text.error && !all_fit)
        name_colliding(names, schema, prefix);
    return names->text.error;
}
