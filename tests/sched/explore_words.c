/*
 * explore_words.c - shared words: found by address, with all values that they were given.
 */
#include "explore_internal.h"

/* ---- words ---- */

struct region *find_region(const void *memory)
{
    if ((uintptr_t)memory - explorer.lowest >= explorer.size)
        return NULL;
    for (int i = 0; i < explorer.region_count; i++) {
        struct region *region = &explorer.regions[i];

        if ((uintptr_t)memory - (uintptr_t)region->memory < region->size)
            return region;
    }
    return NULL;
}

static struct region *add_region(const void *memory, size_t size)
{
    struct region *region = &explorer.regions[explorer.region_count++];
    const uintptr_t first = (uintptr_t)memory, end = explorer.lowest + explorer.size;

    if (explorer.region_count > REGIONS || size > REGION_BYTES)
        abort_explorer("too much is shared");
    memset(region, 0, sizeof(*region));
    region->memory = memory;
    region->size = size;
    if (explorer.size == 0 || first < explorer.lowest)
        explorer.lowest = first;
    explorer.size = (first + size > end ? first + size : end) - explorer.lowest;
    return region;
}

void explore_share(const void *memory, size_t size)
{
    add_region(memory, size);
}

void explore_watch(const void *memory, size_t size)
{
    add_region(memory, size)->plain = 1;
}

void explore_split(const void *memory, size_t offset, size_t stride)
{
    struct region *region = find_region(memory);

    region->split = offset;
    region->stride = stride;
}

void explore_alias(const void *memory, const void *same)
{
    struct region *of = find_region(same);

    if (!of || of->memory != same || !memory)
        abort_explorer("an alias of memory that is not shared");
    add_region(memory, of->size)->same = of;
}

uint64_t read_memory(const void *memory, size_t size)
{
    uint64_t bits = 0;

    memcpy(&bits, memory, size);
    return bits;
}

void reset_word(struct word *word)
{
    memset(&word->values[0], 0, sizeof(word->values[0]));
    word->values[0].bits = read_memory(word->memory, word->size);
    word->count = 1;
    word->ordered = 0;
    word->touched = 0;
    word->storers_before = word->storers;
    word->orderers_before = word->orderers;
    memset(word->plain_reads, 0, sizeof(word->plain_reads));
}

static struct word *make_word(const void *memory, size_t size)
{
    struct word *word = &explorer.words[explorer.word_count++];

    if (explorer.word_count > WORDS)
        abort_explorer("too many words");
    memset(word, 0, sizeof(*word));
    word->memory = memory;
    word->size = size;
    reset_word(word);
    return word;
}

/* The sets of storers and orderers are part of the schedule, since the reduction depends on them. */
static void touch_word(struct word *word)
{
    word->touched = 1;
    explorer.touched[explorer.touched_count++] = word;
    if (explorer.schedule_words && *explorer.schedule_words && *explorer.schedule_words != '.') {
        word->storers |= (unsigned int)digit_of(*explorer.schedule_words++);
        word->orderers |= (unsigned int)digit_of(*explorer.schedule_words++);
    }
}

struct word *find_word(const void *memory, size_t size)
{
    struct region *region = explorer.current || explorer.over ? find_region(memory) : NULL;
    struct word *word;
    size_t offset;
    uint8_t *number;

    if (!region)
        return NULL;
    offset = (size_t)((const unsigned char *)memory - region->memory);
    if (region->same)
        region = region->same;
    number = &region->words[offset / 4];
    if (*number == 0) {
        if (size == 0)
            size = region->size - offset < 8 ? 4 : 8;
        make_word(region->memory + offset, size);
        *number = (uint8_t)explorer.word_count;
    }
    word = &explorer.words[*number - 1];
    if (size != 0 && word->size != size)
        abort_explorer("a word is accessed in two sizes");
    if (!word->touched)
        touch_word(word);
    return word;
}

int is_subset(const struct view *view, const struct view *other)
{
    unsigned int more = 0;

    for (size_t i = 0; i < sizeof(view->at) / sizeof(view->at[0]); i++)
        more |= view->at[i] > other->at[i];
    return !more;
}

unsigned int bit(const struct thread *thread)
{
    return 1U << thread->number;
}

void learn_access(unsigned int *threads)
{
    if (*threads & bit(explorer.current))
        return;
    *threads |= bit(explorer.current);
    explorer.learned = 1;
}

size_t number_of(const struct word *word)
{
    return (size_t)(word - explorer.words);
}

uint16_t *known(struct thread *thread, const struct word *word)
{
    return &thread->current_view.at[number_of(word)];
}
