/*
 * explore_model.c - what each operation may read and what it passes on (RC11 by views, see explore.h).
 */
#include "explore_internal.h"

static int used_by_others(unsigned int threads)
{
    return (threads & ~bit(explorer.current)) != 0;
}

static void join(struct view *view, const struct view *other)
{
    for (size_t i = 0; i < sizeof(view->at) / sizeof(view->at[0]); i++)
        view->at[i] = view->at[i] > other->at[i] ? view->at[i] : other->at[i];
}

static int acquires(enum explore_order order)
{
    return order == EXPLORE_ACQUIRE || order == EXPLORE_BOTH || order == EXPLORE_ORDERED;
}

static int releases(enum explore_order order)
{
    return order == EXPLORE_RELEASE || order == EXPLORE_BOTH || order == EXPLORE_ORDERED;
}

/* ---- loads ---- */

/* An older value has the same bits and a view that is no larger. */
static int is_covered(const struct word *word, int number, int oldest)
{
    const struct value *value = &word->values[number];

    for (int i = oldest; i < number; i++)
        if (word->values[i].bits == value->bits && is_subset(&word->values[i].view, &value->view))
            return 1;
    return 0;
}

/* Lists the values from `fresh` on that are not covered by another one from `oldest` on, newest
 * first. Returns their number. */
static int list_readable(const struct word *word, int oldest, int fresh, int *numbers)
{
    int count = 0;

    for (int i = word->count - 1; i >= fresh; i--)
        if (!is_covered(word, i, oldest))
            numbers[count++] = i;
    return count;
}

static int larger(int one, int other)
{
    return one > other ? one : other;
}

int choose_value(struct thread *thread)
{
    struct word *word = thread->at;
    const int oldest = *known(thread, word);
    int numbers[VALUES];
    int count = list_readable(word, oldest, larger(oldest, thread->declined), numbers);
    unsigned int others = 0;
    int choice;

    if (count == 0)
        return 0;
    for (int i = 0; i < explorer.thread_count; i++)
        if (i != thread->number && explorer.threads[i].state != DONE)
            others |= 1U << i;
    choice = choose(count + ((others & word->storers) != 0));
    thread->declined = word->count;
    if (choice == count)
        return 0;
    thread->chosen = numbers[choice];
    thread->state = READY;
    return 1;
}

static int pick_value(struct word *word, enum explore_order order)
{
    struct thread *thread = explorer.current;
    int oldest, numbers[VALUES];

    if (order != EXPLORE_ORDERED) {
        if (!used_by_others(word->storers))
            return word->count - 1;
        thread->declined = 0;
        thread->at = word;
        thread->state = AT_LOAD;
        switch_to_scheduler();
        return thread->chosen;
    }
    if (used_by_others(word->storers))
        stop_at(AT_TURN, word);
    oldest = larger(*known(thread, word), word->ordered);
    return numbers[choose(list_readable(word, oldest, oldest, numbers))];
}

void learn_value(struct word *word, int number, enum explore_order order)
{
    struct thread *thread = explorer.current;
    const struct view *view = &word->values[number].view;

    if (*known(thread, word) < number)
        *known(thread, word) = (uint16_t)number;
    join(&thread->acquire_view, view);
    if (acquires(order))
        join(&thread->current_view, view);
    if (order == EXPLORE_ORDERED && word->ordered < number)
        word->ordered = number;
}

uint64_t load_word(struct word *word, struct explore_site *site)
{
    const enum explore_order order = site->now;
    int number;

    count_step();
    if (order == EXPLORE_ORDERED)
        learn_access(&word->orderers);
    number = pick_value(word, order);
    learn_value(word, number, order);
    trace_step(site, word->values[number].bits, "", word->count - 1 - number);
    return word->values[number].bits;
}

uint64_t explore_load(const void *memory, size_t size, struct explore_site *site)
{
    struct word *word = find_word(memory, size);

    if (!word)
        return read_memory(memory, size);
    reach_site(site);
    return load_word(word, site);
}

/* ---- stores ---- */

void wake_sleep_set(const struct word *word)
{
    for (int i = 0; i < explorer.thread_count; i++)
        if (explorer.threads[i].at == word)
            explorer.sleep_set &= ~bit(&explorer.threads[i]);
}

/* A store must happen after all earlier stores to the word, so that the modification order is that of
 * the execution, and after all plain reads. */
static void check_order(const struct word *word, const char *what)
{
    struct thread *thread = explorer.current;

    if (*known(thread, word) != word->count - 1)
        explore_fail("two stores to %s race", what);
    for (int i = 0; i < explorer.thread_count; i++)
        if (i != thread->number && word->plain_reads[i] > thread->current_view.at[CLOCK(i)])
            explore_fail("a store to %s races with a read", what);
}

/* What a release passes on: all but non-temporal stores since the last store fence. */
static struct view view_to_release(const struct thread *thread)
{
    struct view view = thread->current_view;

    for (size_t i = 0; i < WORDS; i++)
        if (thread->unfenced >> i & 1)
            view.at[i] = thread->unfenced_view.at[i];
    return view;
}

static void note_unfenced(struct thread *thread, const struct word *word)
{
    const uint64_t mask = UINT64_C(1) << number_of(word);

    if (!(thread->unfenced & mask))
        thread->unfenced_view.at[number_of(word)] = *known(thread, word);
    thread->unfenced |= mask;
}

void add_value(struct word *word, uint64_t bits, enum explore_order order,
               const struct view *before)
{
    struct thread *thread = explorer.current;
    struct value *value = &word->values[word->count];
    uint16_t *clock = &thread->current_view.at[CLOCK(thread->number)];

    if (word->count == VALUES)
        abort_explorer("too many values of a word");
    if (order == EXPLORE_NONTEMPORAL)
        note_unfenced(thread, word);
    *known(thread, word) = (uint16_t)word->count;
    value->bits = bits;
    value->view = releases(order)                ? view_to_release(thread)
                  : order == EXPLORE_NONTEMPORAL ? thread->fenced_view
                                                 : thread->released_view;
    if (before)
        join(&value->view, before);
    value->view.at[number_of(word)] = (uint16_t)word->count;
    if (order == EXPLORE_ORDERED)
        word->ordered = word->count;
    word->count++;
    ++*clock;
    wake_sleep_set(word);
}

static void store_word(struct word *word, uint64_t bits, struct explore_site *site)
{
    const enum explore_order order = site->now;

    count_step();
    crash_point();
    learn_access(&word->storers);
    if (order == EXPLORE_ORDERED)
        learn_access(&word->orderers);
    if (used_by_others(word->storers) ||
        (order == EXPLORE_ORDERED && used_by_others(word->orderers)))
        stop_at(AT_TURN, word);
    check_order(word, site->what);
    add_value(word, bits, order, NULL);
    trace_step(site, bits, "", 0);
}

void explore_store(void *memory, size_t size, uint64_t value, struct explore_site *site)
{
    struct word *word = find_word(memory, size);

    if (!word) {
        memcpy(memory, &value, size);
        return;
    }
    reach_site(site);
    store_word(word, value, site);
}

void explore_fence(struct explore_site *site)
{
    struct thread *thread = explorer.current;

    if (!thread)
        return;
    reach_site(site);
    trace_step(site, 0, "", -1);
    if (acquires(site->now))
        join(&thread->current_view, &thread->acquire_view);
    if (releases(site->now)) {
        thread->released_view = view_to_release(thread);
        thread->current_view.at[CLOCK(thread->number)]++;
    }
}

void explore_fence_stores(struct explore_site *site)
{
    struct thread *thread = explorer.current;

    if (!thread)
        return;
    reach_site(site);
    trace_step(site, 0, "", -1);
    if (releases(site->now)) {
        thread->unfenced = 0;
        thread->fenced_view = thread->released_view;
    }
}

/* ---- exchanges ---- */

static uint64_t changed(enum explore_change change, uint64_t bits, uint64_t value, size_t size)
{
    if (change == EXPLORE_ADD)
        value += bits;
    else if (change == EXPLORE_OR)
        value |= bits;
    return size == 4 ? (uint32_t)value : value;
}

/* An exchange replaces the newest value; a failed one is a load of any value but the expected. */
static int pick_replaced(struct word *word, enum explore_change change, uint64_t expected,
                         enum explore_order order)
{
    const int newest = word->count - 1;
    int oldest = *known(explorer.current, word);
    int numbers[VALUES];
    int count = 1;

    if (change != EXPLORE_EXCHANGE)
        return newest;
    if (order == EXPLORE_ORDERED)
        oldest = larger(oldest, word->ordered);
    numbers[0] = newest;
    for (int i = newest - 1; i >= oldest; i--)
        if (word->values[i].bits != expected)
            numbers[count++] = i;
    return numbers[choose(count)];
}

void take_turn_at(struct word *word)
{
    count_step();
    learn_access(&word->storers);
    learn_access(&word->orderers);
    if (used_by_others(word->storers | word->orderers))
        stop_at(AT_TURN, word);
}

/* A load, then a store over the newest value at that time. */
static uint64_t change_by_split_rmw(struct word *word, enum explore_change change,
                                    uint64_t expected, uint64_t value,
                                    const struct explore_site *site)
{
    uint64_t found;

    take_turn_at(word);
    found = word->values[word->count - 1].bits;
    learn_value(word, word->count - 1, site->order);
    trace_step(site, found, ", loaded", 0);
    if (change == EXPLORE_EXCHANGE && found != expected)
        return found;
    value = changed(change, found, value, word->size);
    take_turn_at(word);
    add_value(word, value, site->order, NULL);
    trace_step(site, value, ", stored", 0);
    return found;
}

static uint64_t change_word(struct word *word, enum explore_change change, uint64_t expected,
                            uint64_t value, struct explore_site *site)
{
    const enum explore_order order = site->now;
    const struct value *found;
    int number;

    crash_point();
    if (order == EXPLORE_SPLIT_RMW)
        return change_by_split_rmw(word, change, expected, value, site);
    take_turn_at(word);
    number = pick_replaced(word, change, expected, order);
    found = &word->values[number];
    learn_value(word, number, order);
    if (number == word->count - 1 && (change != EXPLORE_EXCHANGE || found->bits == expected)) {
        const uint64_t bits = changed(change, found->bits, value, word->size);

        check_order(word, site->what);
        add_value(word, bits, order, &found->view);
        trace_step(site, bits, ", exchanged", 0);
    } else {
        trace_step(site, found->bits, ", not exchanged", word->count - 1 - number);
    }
    return found->bits;
}

uint64_t explore_change(void *memory, size_t size, enum explore_change change, uint64_t expected,
                        uint64_t value, struct explore_site *site)
{
    struct word *word = find_word(memory, size);
    uint64_t bits;

    if (word) {
        reach_site(site);
        return change_word(word, change, expected, value, site);
    }
    bits = read_memory(memory, size);
    value = changed(change, bits, value, size);
    if (change != EXPLORE_EXCHANGE || bits == expected)
        memcpy(memory, &value, size);
    return bits;
}

/* ---- copies, word by word ---- */

static size_t word_size(const void *memory)
{
    const struct region *region = find_region(memory);
    size_t offset;

    if (!region)
        return 8;
    offset = (size_t)((const unsigned char *)memory - region->memory);
    if (region->same)
        region = region->same;
    return region->stride && offset % region->stride / 8 == region->split / 8 ? 4 : 8;
}

void explore_copy_in(void *shared, const void *data, size_t size, struct explore_site *site)
{
    unsigned char *to = shared;
    const unsigned char *from = data;

    if (explorer.current)
        reach_site(site);
    while (size > 0) {
        const size_t whole = word_size(to);
        const size_t part = size < whole ? size : whole;
        struct word *word = find_word(to, whole);

        if (word) {
            uint64_t bits = word->values[word->count - 1].bits;

            memcpy(&bits, from, part);
            store_word(word, bits, site);
        } else {
            memcpy(to, from, part);
        }
        to += part;
        from += part;
        size -= part;
    }
}

void explore_copy_nontemporal(void *shared, const void *data, size_t size)
{
    static struct explore_site site = {.file = "",
                                       .function = "caller",
                                       .operation = "copy_nontemporal",
                                       .what = "loan",
                                       .order = EXPLORE_NONTEMPORAL,
                                       .now = EXPLORE_NONTEMPORAL};
    unsigned char *to = shared;
    const unsigned char *from = data;

    for (; size > 0; to += 8, from += 8, size -= size < 8 ? size : 8) {
        struct word *word = find_word(to, 8);
        uint64_t bits = word ? word->values[word->count - 1].bits : read_memory(to, 8);

        memcpy(&bits, from, size < 8 ? size : 8);
        if (word)
            store_word(word, bits, &site);
        else
            memcpy(to, &bits, 8);
    }
}

void explore_copy_out(void *data, const void *shared, size_t size, struct explore_site *site)
{
    unsigned char *to = data;
    const unsigned char *from = shared;

    if (explorer.current)
        reach_site(site);
    while (size > 0) {
        const size_t whole = word_size(from);
        const size_t part = size < whole ? size : whole;
        struct word *word = find_word(from, whole);
        const uint64_t bits = word ? load_word(word, site) : read_memory(from, part);

        /* A copy into watched memory is a plain store. */
        if (find_word(to, 8))
            explore_plain_write(to, bits);
        else
            memcpy(to, &bits, part);
        to += part;
        from += part;
        size -= part;
    }
}

/* ---- for bodies ---- */

uint64_t explore_plain_read(const void *memory)
{
    struct word *word = find_word(memory, 8);
    struct thread *thread = explorer.current;

    count_step();
    if (*known(thread, word) != word->count - 1)
        explore_fail("a plain read races with a store");
    word->plain_reads[thread->number] = thread->current_view.at[CLOCK(thread->number)];
    return word->values[word->count - 1].bits;
}

void explore_plain_write(void *memory, uint64_t value)
{
    static struct explore_site site = {.file = "",
                                       .function = "plain",
                                       .operation = "write",
                                       .what = "private memory"};
    struct word *word = find_word(memory, 8);

    store_word(word, value, &site);
}

void explore_plain_touch(const void *memory, size_t size, int stores)
{
    const struct region *region = explorer.current ? find_region(memory) : NULL;
    const unsigned char *first, *last;

    if (!region)
        return;
    if (!region->plain)
        explore_fail("plain access to a shared word");
    first = region->memory + ((const unsigned char *)memory - region->memory) / 8 * 8;
    last = (const unsigned char *)memory + size;
    for (const unsigned char *at = first; at < last; at += 8) {
        if (stores)
            explore_plain_write((void *)(uintptr_t)at, 0);
        else
            explore_plain_read(at);
    }
}

void explore_await(const void *memory)
{
    struct word *word = find_word(memory, 0);

    stop_at(AWAITING, word);
}

uint64_t explore_known(const void *memory)
{
    struct word *word = find_word(memory, 0);

    return word->values[*known(explorer.current, word)].bits;
}

uint64_t explore_newest(const void *memory)
{
    struct word *word = find_word(memory, 0);

    return word->values[word->count - 1].bits;
}

int explore_thread(void)
{
    return explorer.current->number;
}
