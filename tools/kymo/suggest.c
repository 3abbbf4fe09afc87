/*
 * suggest.c - finds the most similar of several words.
 */
#include "suggest.h"

#include <stdio.h>
#include <string.h>

/* Longer words have no suggestions. */
#define LENGTH_LIMIT 64

static size_t least(size_t one, size_t other)
{
    return one < other ? one : other;
}

/* Damerau-Levenshtein distance: insertions, deletions, replacements and swaps of neighbours. */
static size_t distance_of(const char *one, size_t one_len, const char *other, size_t other_len)
{
    size_t rows[3][LENGTH_LIMIT + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2], *free_row;

    for (size_t j = 0; j <= other_len; j++)
        last[j] = j;
    for (size_t i = 1; i <= one_len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= other_len; j++) {
            row[j] = least(last[j], row[j - 1]) + 1;
            row[j] = least(row[j], last[j - 1] + (one[i - 1] != other[j - 1]));
            if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        free_row = before;
        before = last;
        last = row;
        row = free_row;
    }
    return last[other_len];
}

void suggest_offer(struct suggestion *suggestion, const char *candidate)
{
    const size_t len = strlen(candidate);
    size_t distance;

    if (len > LENGTH_LIMIT || suggestion->len > LENGTH_LIMIT)
        return;
    distance = distance_of(suggestion->word, suggestion->len, candidate, len);
    /* At most one edit per three characters. */
    if (distance > (suggestion->len + 2) / 3 || distance >= len ||
        (suggestion->best[0] && distance >= suggestion->distance))
        return;
    suggestion->distance = distance;
    snprintf(suggestion->best, sizeof(suggestion->best), "%s", candidate);
}

const char *suggest_hint(const struct suggestion *suggestion)
{
    static char hint[300];

    if (suggestion->best[0] == '\0')
        return "";
    snprintf(hint, sizeof(hint), "; did you mean '%s'?", suggestion->best);
    return hint;
}

static int offer_segment(void *context, const struct kymo_entry *entry)
{
    if (!entry->error)
        suggest_offer(context, entry->name);
    return 0;
}

const char *suggest_segment(const char *name)
{
    struct suggestion suggestion = {.word = name, .len = strlen(name)};

    kymo_segment_list(offer_segment, &suggestion);
    return suggest_hint(&suggestion);
}

const char *suggest_field(const struct kymo_schema *schema, const char *word, size_t len)
{
    struct suggestion suggestion = {.word = word, .len = len};

    for (uint32_t i = 0; i < schema->count; i++)
        suggest_offer(&suggestion, schema->fields[i].name);
    return suggest_hint(&suggestion);
}
