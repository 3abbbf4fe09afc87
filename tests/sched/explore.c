/*
 * explore.c - the model behind explore.h: what each thread may read, who goes on, and what has not
 * been tried yet.
 */
#include "explore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define REGIONS      32
#define REGION_BYTES 1024
#define WORDS        56 /* shared words of a scenario */
#define VALUES       40 /* that a word takes in one execution */
#define CHOICES      1000
#define STEPS        4000 /* of one execution: more means that it does not end */
#define STACK        (128 * 1024)

/* For each word the number of the oldest value that may still be read; behind them, for each
 * thread, how much of what it did is known. */
struct view {
    uint16_t at[64];
};

#define CLOCK(thread) (WORDS + (thread))

_Static_assert(WORDS + EXPLORE_THREADS <= 64, "a view holds all words and all clocks");

struct value {
    uint64_t bits;
    struct view view; /* what its storer passes on with it */
};

struct word {
    const void *memory;
    size_t size;
    struct value values[VALUES]; /* in modification order, from what the memory holds */
    int count;
    int ordered;                           /* the newest value that an ordered access has met */
    uint16_t plain_reads[EXPLORE_THREADS]; /* when, on the reader's clock; 0: never */
    int touched;                           /* in this execution */
    /* Learned from all executions so far: which threads store, which access it in order. */
    unsigned int storers;
    unsigned int orderers;
    unsigned int told; /* both, as this execution found them */
};

struct region {
    const unsigned char *memory;
    size_t size;
    size_t split, stride;            /* where words of 4 bytes are; stride 0: nowhere */
    struct region *same;             /* the mapping that it repeats; NULL: none */
    int plain;                       /* nothing in it is an atomic word */
    uint8_t words[REGION_BYTES / 4]; /* number of the word + 1 */
};

enum state {
    GOING,    /* nothing holds it back */
    READING,  /* at a load: it chooses a value, or waits for one that is still to come */
    TURNING,  /* at a step that takes turns */
    AWAITING, /* until the word has a newer value */
    SLEEPING, /* in the kernel */
    DONE
};

struct thread {
    int number;
    enum state state;
    struct word *at;                 /* the word of its next step */
    int declined;                    /* values of it that it chose not to read */
    int chosen;                      /* the one that it chose */
    struct word *beds[EXPLORE_BEDS]; /* where the kernel knows it as a sleeper, or soon */
    int bed_count;
    int rung;          /* at one of them, since it lay down */
    int mortal;        /* may die at its next store */
    int naps;          /* sleeps that still may end by themselves */
    struct view known; /* what holds for all that it does next */
    struct view heard; /* what it read without acquire: an acquire fence makes it known */
    struct view told;  /* what it knew at its last release fence */
    int started;
    jmp_buf jump;
    ucontext_t context;
    unsigned char *stack;
};

struct choice {
    uint8_t chosen;
    uint8_t count;
};

static struct {
    const struct explore_scenario *scenario;
    struct region regions[REGIONS];
    int region_count;
    uintptr_t lowest, size; /* all of them are in there */
    struct word words[WORDS];
    int word_count;
    struct thread threads[EXPLORE_THREADS];
    int thread_count;
    struct thread *current; /* NULL: none, we are outside */
    jmp_buf outside;
    ucontext_t outside_context;

    struct choice choices[CHOICES];
    int choice_count; /* made or to be repeated */
    int choice_next;
    unsigned int asleep; /* threads whose next step has been tried, and still would do the same */
    int learned;         /* this execution met a word in a new way */
    struct word *touched[WORDS]; /* in this execution, in this order */
    int touched_count;
    const char *told; /* what a schedule says of words not yet touched, or NULL */
    uint64_t steps, all_steps;
    int trace;
    int over;   /* the threads have ended, and it is looked at what they left */
    int died;   /* one of the threads has, in this execution */
    int passes; /* how often time has passed in it while somebody could have read */
    int failed;
    char fault[256];

    struct explore_site *sites;
    uint64_t mark;
    struct explore_site weakened; /* function NULL: none */
} explorer;

/* The explorer itself is at its end, or wrong. */
static _Noreturn void give_up(const char *why)
{
    fprintf(stderr, "explore: %s: %s\n", explorer.scenario ? explorer.scenario->name : "", why);
    abort();
}

/* ---- sites ---- */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

int explore_same_site(const struct explore_site *one, const struct explore_site *other)
{
    return one->line == other->line && strcmp(one->file, other->file) == 0 &&
           strcmp(one->operation, other->operation) == 0;
}

static int is_alike(const struct explore_site *one, const struct explore_site *other)
{
    return strcmp(one->file, other->file) == 0 && strcmp(one->function, other->function) == 0 &&
           strcmp(one->operation, other->operation) == 0;
}

/* Places are numbered by line, whichever was met first. */
static void count_ordinals(const struct explore_site *like)
{
    for (struct explore_site *site = explorer.sites; site; site = site->next) {
        int ordinal = 1;

        if (!is_alike(site, like))
            continue;
        for (struct explore_site *other = explorer.sites; other; other = other->next) {
            int twin = 0;

            if (!is_alike(other, like) || other->line >= site->line)
                continue;
            for (struct explore_site *before = explorer.sites; before != other;
                 before = before->next)
                twin |= explore_same_site(before, other);
            ordinal += !twin;
        }
        site->ordinal = ordinal;
    }
}

static void apply_weakening(struct explore_site *site)
{
    const struct explore_site *weakened = &explorer.weakened;

    site->now = site->order;
    if (weakened->function && explore_same_site(weakened, site))
        site->now = weakened->now;
}

static void learn_site(struct explore_site *site)
{
    site->known = 1;
    site->file = last_part(site->file);
    site->next = explorer.sites;
    explorer.sites = site;
    count_ordinals(site);
    apply_weakening(site);
}

static void meet(struct explore_site *site)
{
    if (!site->known)
        learn_site(site);
    site->met |= explorer.mark;
}

void explore_mark(uint64_t mark)
{
    explorer.mark = mark;
}

struct explore_site *explore_sites(void)
{
    return explorer.sites;
}

void explore_weaken(const struct explore_site *weakened, enum explore_order order)
{
    explorer.weakened = (struct explore_site){0};
    if (weakened) {
        explorer.weakened = *weakened;
        explorer.weakened.now = order;
    }
    for (struct explore_site *site = explorer.sites; site; site = site->next)
        apply_weakening(site);
}

static int acquires(enum explore_order order)
{
    return order == EXPLORE_ACQUIRE || order == EXPLORE_BOTH || order == EXPLORE_ORDERED;
}

static int releases(enum explore_order order)
{
    return order == EXPLORE_RELEASE || order == EXPLORE_BOTH || order == EXPLORE_ORDERED;
}

/* ---- words ---- */

static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";

static int digit_of(char digit)
{
    const char *found = digit ? strchr(digits, digit) : NULL;

    if (!found)
        give_up("no schedule has that letter");
    return (int)(found - digits);
}

static struct region *find_region(const void *memory)
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
        give_up("too much is shared");
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
        give_up("nothing to be an alias of");
    add_region(memory, of->size)->same = of;
}

static uint64_t read_memory(const void *memory, size_t size)
{
    uint64_t bits = 0;

    memcpy(&bits, memory, size);
    return bits;
}

/* Before any thread runs: what the memory holds now, known to all. */
static void reset_word(struct word *word)
{
    memset(&word->values[0], 0, sizeof(word->values[0]));
    word->values[0].bits = read_memory(word->memory, word->size);
    word->count = 1;
    word->ordered = 0;
    word->touched = 0;
    word->told = word->storers | word->orderers << EXPLORE_THREADS;
    memset(word->plain_reads, 0, sizeof(word->plain_reads));
}

static struct word *make_word(const void *memory, size_t size)
{
    struct word *word = &explorer.words[explorer.word_count++];

    if (explorer.word_count > WORDS)
        give_up("too many words");
    memset(word, 0, sizeof(*word));
    word->memory = memory;
    word->size = size;
    reset_word(word);
    return word;
}

/* Which threads store and which access in order, of the words as they are met: a part of the
 * schedule, since what takes turns depends on it. */
static void touch(struct word *word)
{
    word->touched = 1;
    explorer.touched[explorer.touched_count++] = word;
    if (explorer.told && *explorer.told && *explorer.told != '.') {
        const int digit = digit_of(*explorer.told++);

        word->storers |= (unsigned int)digit & 7;
        word->orderers |= (unsigned int)digit >> 3;
    }
}

/* The word there, or NULL: memory that is not shared, or nobody runs. Size 0: of any size that it
 * was accessed in before. */
static struct word *find_word(const void *memory, size_t size)
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
        give_up("a word is accessed in two sizes");
    if (!word->touched)
        touch(word);
    return word;
}

static size_t number_of(const struct word *word)
{
    return (size_t)(word - explorer.words);
}

static uint16_t *known(struct thread *thread, const struct word *word)
{
    return &thread->known.at[number_of(word)];
}

static void join(struct view *view, const struct view *other)
{
    for (size_t i = 0; i < sizeof(view->at) / sizeof(view->at[0]); i++)
        view->at[i] = view->at[i] > other->at[i] ? view->at[i] : other->at[i];
}

static int says_no_more(const struct view *view, const struct view *other)
{
    unsigned int more = 0;

    for (size_t i = 0; i < sizeof(view->at) / sizeof(view->at[0]); i++)
        more |= view->at[i] > other->at[i];
    return !more;
}

/* ---- choices ---- */

static int choose(int count)
{
    struct choice *choice = &explorer.choices[explorer.choice_next];

    if (count == 1)
        return 0;
    if (explorer.choice_next == explorer.choice_count) {
        if (++explorer.choice_count > CHOICES)
            give_up("too many choices");
        *choice = (struct choice){0, (uint8_t)count};
    }
    explorer.choice_next++;
    /* A schedule from outside says what, and not of how many. */
    if (choice->count == 0)
        choice->count = (uint8_t)count;
    if (choice->count != count || choice->chosen >= count)
        give_up("it does not repeat itself");
    return choice->chosen;
}

/* The next execution, depth first. Returns 0 where there is none. */
static int advance(void)
{
    while (explorer.choice_count > 0) {
        struct choice *last = &explorer.choices[explorer.choice_count - 1];

        if (++last->chosen < last->count)
            return 1;
        explorer.choice_count--;
    }
    return 0;
}

static void write_schedule(char *schedule, size_t size)
{
    size_t length = 0;

    for (int i = 0; i < explorer.touched_count && length + 2 < size; i++)
        schedule[length++] = digits[explorer.touched[i]->told];
    schedule[length++] = '.';
    for (int i = 0; i < explorer.choice_next && length + 1 < size; i++)
        schedule[length++] = digits[explorer.choices[i].chosen];
    schedule[length] = 0;
}

static void read_schedule(const char *schedule)
{
    const char *digit = strchr(schedule, '.');

    explorer.told = schedule;
    for (digit = digit ? digit + 1 : schedule; *digit; digit++) {
        if (explorer.choice_count == CHOICES)
            give_up("the schedule is too long");
        explorer.choices[explorer.choice_count++] = (struct choice){(uint8_t)digit_of(*digit), 0};
    }
}

/* ---- threads ---- */

#if defined(__SANITIZE_ADDRESS__) || defined(EXPLORE_SWAP)

/* A sanitizer follows this, and no jumps between stacks. */
static void go_on(struct thread *thread)
{
    explorer.current = thread;
    swapcontext(&explorer.outside_context, &thread->context);
    explorer.current = NULL;
}

static void go_outside(void)
{
    struct thread *thread = explorer.current;

    swapcontext(&thread->context, &explorer.outside_context);
}

#else

/* Jumps, since a change of context is a system call. */
static void go_on(struct thread *thread)
{
    explorer.current = thread;
    if (_setjmp(explorer.outside) == 0) {
        if (thread->started)
            _longjmp(thread->jump, 1);
        thread->started = 1;
        setcontext(&thread->context);
    }
    explorer.current = NULL;
}

static void go_outside(void)
{
    if (_setjmp(explorer.current->jump) == 0)
        _longjmp(explorer.outside, 1);
}

#endif

static void run_body(void)
{
    struct thread *thread = explorer.current;

    explorer.scenario->body[thread->number](explorer.scenario);
    thread->state = DONE;
    for (;;)
        go_outside();
}

static void reset_thread(struct thread *thread)
{
    memset(&thread->known, 0, sizeof(thread->known));
    thread->known.at[CLOCK(thread->number)] = 1;
    thread->heard = thread->told = thread->known;
    memset(&thread->told, 0, sizeof(thread->told));
    thread->state = GOING;
    thread->bed_count = thread->rung = 0;
    thread->mortal = explorer.scenario->mortal == thread->number + 1;
    thread->naps = explorer.scenario->naps;
    thread->started = 0;
    thread->context.uc_stack.ss_sp = thread->stack;
    thread->context.uc_stack.ss_size = STACK;
    thread->context.uc_link = NULL;
    makecontext(&thread->context, run_body, 0);
}

int explore_pick(int count)
{
    return choose(count);
}

int explore_is_running(void)
{
    return explorer.current != NULL;
}

static void note_fault(const char *format, va_list arguments)
{
    explorer.failed = 1;
    vsnprintf(explorer.fault, sizeof(explorer.fault), format, arguments);
}

void explore_fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    note_fault(format, arguments);
    va_end(arguments);
    if (!explorer.current)
        give_up(explorer.fault);
    for (;;)
        go_outside();
}

static void fail_outside(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    note_fault(format, arguments);
    va_end(arguments);
}

static unsigned int bit(const struct thread *thread)
{
    return 1U << thread->number;
}

static int is_others(unsigned int threads)
{
    return (threads & ~bit(explorer.current)) != 0;
}

static void note(unsigned int *threads)
{
    if (*threads & bit(explorer.current))
        return;
    *threads |= bit(explorer.current);
    explorer.learned = 1;
}

static void stop_at(enum state state, struct word *word)
{
    explorer.current->state = state;
    explorer.current->at = word;
    go_outside();
}

static void count_step(void)
{
    if (++explorer.steps > STEPS)
        explore_fail("it does not end");
}

static void tell_event(const char *what)
{
    if (explorer.trace)
        printf("%*s%d  %s\n", 4 * explorer.current->number, "", explorer.current->number, what);
}

/* Where a mortal thread is about to do what others can see: here it goes no further, or on. What the
 * kernel does for the dead is done by what is left of it. */
static void may_die(void)
{
    struct thread *thread = explorer.current;

    if (!thread->mortal || choose(2) == 0)
        return;
    tell_event("dies");
    thread->mortal = 0;
    explorer.died = 1;
    if (explorer.scenario->death)
        explorer.scenario->death(explorer.scenario);
    thread->state = DONE;
    for (;;)
        go_outside();
}

static void tell(const struct explore_site *site, uint64_t bits, const char *remark, int number)
{
    if (!explorer.trace)
        return;
    printf("%*s%d  %s:%d %s(%s)", 4 * explorer.current->number, "", explorer.current->number,
           site->function, site->line, site->operation, site->what);
    if (number >= 0)
        printf(" = %llu%s", (unsigned long long)bits, remark);
    if (number > 0)
        printf(", %d behind the newest", number);
    putchar('\n');
}

/* ---- loads ---- */

/* An older value says the same, and no more. */
static int is_covered(const struct word *word, int number, int oldest)
{
    const struct value *value = &word->values[number];

    for (int i = oldest; i < number; i++)
        if (word->values[i].bits == value->bits &&
            says_no_more(&word->values[i].view, &value->view))
            return 1;
    return 0;
}

/* The numbers of the values from `fresh` on that are worth reading, where all from oldest on may be;
 * newest first. Returns how many. */
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

/* For the load at which the thread stands: the value it reads is chosen, or it waits. */
static int choose_value(struct thread *thread)
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
    thread->state = GOING;
    return 1;
}

static int pick_value(struct word *word, enum explore_order order)
{
    struct thread *thread = explorer.current;
    int oldest, numbers[VALUES];

    if (order != EXPLORE_ORDERED) {
        if (!is_others(word->storers))
            return word->count - 1;
        thread->declined = 0;
        thread->at = word;
        thread->state = READING;
        go_outside();
        return thread->chosen;
    }
    if (is_others(word->storers))
        stop_at(TURNING, word);
    oldest = larger(*known(thread, word), word->ordered);
    return numbers[choose(list_readable(word, oldest, oldest, numbers))];
}

static void learn_value(struct word *word, int number, enum explore_order order)
{
    struct thread *thread = explorer.current;
    const struct view *view = &word->values[number].view;

    if (*known(thread, word) < number)
        *known(thread, word) = (uint16_t)number;
    join(&thread->heard, view);
    if (acquires(order))
        join(&thread->known, view);
    if (order == EXPLORE_ORDERED && word->ordered < number)
        word->ordered = number;
}

static uint64_t load_word(struct word *word, struct explore_site *site)
{
    const enum explore_order order = site->now;
    int number;

    count_step();
    if (order == EXPLORE_ORDERED)
        note(&word->orderers);
    number = pick_value(word, order);
    learn_value(word, number, order);
    tell(site, word->values[number].bits, "", word->count - 1 - number);
    return word->values[number].bits;
}

uint64_t explore_load(const void *memory, size_t size, struct explore_site *site)
{
    struct word *word = find_word(memory, size);

    if (!word)
        return read_memory(memory, size);
    meet(site);
    return load_word(word, site);
}

/* ---- stores ---- */

static void wake_those_at(const struct word *word)
{
    for (int i = 0; i < explorer.thread_count; i++)
        if (explorer.threads[i].at == word)
            explorer.asleep &= ~bit(&explorer.threads[i]);
}

/* Whoever stores knows of all stores before: then there is one modification order, that of the
 * execution. And no plain read may be left that did not happen before. */
static void check_order(const struct word *word, const char *what)
{
    struct thread *thread = explorer.current;

    if (*known(thread, word) != word->count - 1)
        explore_fail("two stores to %s race", what);
    for (int i = 0; i < explorer.thread_count; i++)
        if (i != thread->number && word->plain_reads[i] > thread->known.at[CLOCK(i)])
            explore_fail("a store to %s races with a read", what);
}

/* `before`: what an exchange passes on of the value that it replaces; NULL: a plain store. */
static void add_value(struct word *word, uint64_t bits, enum explore_order order,
                      const struct view *before)
{
    struct thread *thread = explorer.current;
    struct value *value = &word->values[word->count];
    uint16_t *clock = &thread->known.at[CLOCK(thread->number)];

    if (word->count == VALUES)
        give_up("too many values of a word");
    *known(thread, word) = (uint16_t)word->count;
    value->bits = bits;
    value->view = releases(order) ? thread->known : thread->told;
    if (before)
        join(&value->view, before);
    value->view.at[number_of(word)] = (uint16_t)word->count;
    if (order == EXPLORE_ORDERED)
        word->ordered = word->count;
    word->count++;
    ++*clock;
    wake_those_at(word);
}

static void store_word(struct word *word, uint64_t bits, struct explore_site *site)
{
    const enum explore_order order = site->now;

    count_step();
    may_die();
    note(&word->storers);
    if (order == EXPLORE_ORDERED)
        note(&word->orderers);
    if (is_others(word->storers) || (order == EXPLORE_ORDERED && is_others(word->orderers)))
        stop_at(TURNING, word);
    check_order(word, site->what);
    add_value(word, bits, order, NULL);
    tell(site, bits, "", 0);
}

void explore_store(void *memory, size_t size, uint64_t value, struct explore_site *site)
{
    struct word *word = find_word(memory, size);

    if (!word) {
        memcpy(memory, &value, size);
        return;
    }
    meet(site);
    store_word(word, value, site);
}

void explore_fence(struct explore_site *site)
{
    struct thread *thread = explorer.current;

    if (!thread)
        return;
    meet(site);
    tell(site, 0, "", -1);
    if (acquires(site->now))
        join(&thread->known, &thread->heard);
    if (releases(site->now)) {
        thread->told = thread->known;
        thread->known.at[CLOCK(thread->number)]++;
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

/* An exchange changes the newest value; one that fails is a mere load, of any value but the
 * expected. */
static int pick_changed(struct word *word, enum explore_change change, uint64_t expected,
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

/* The next step is one at this word, and no other comes in between. */
static void take_turn_at(struct word *word)
{
    count_step();
    note(&word->storers);
    note(&word->orderers);
    if (is_others(word->storers | word->orderers))
        stop_at(TURNING, word);
}

/* A load, and then a store over whatever is there by that time. */
static uint64_t change_in_two(struct word *word, enum explore_change change, uint64_t expected,
                              uint64_t value, const struct explore_site *site)
{
    uint64_t found;

    take_turn_at(word);
    found = word->values[word->count - 1].bits;
    learn_value(word, word->count - 1, site->order);
    tell(site, found, ", looked at", 0);
    if (change == EXPLORE_EXCHANGE && found != expected)
        return found;
    value = changed(change, found, value, word->size);
    take_turn_at(word);
    add_value(word, value, site->order, NULL);
    tell(site, value, ", stored", 0);
    return found;
}

static uint64_t change_word(struct word *word, enum explore_change change, uint64_t expected,
                            uint64_t value, struct explore_site *site)
{
    const enum explore_order order = site->now;
    const struct value *found;
    int number;

    may_die();
    if (order == EXPLORE_PARTED)
        return change_in_two(word, change, expected, value, site);
    take_turn_at(word);
    number = pick_changed(word, change, expected, order);
    found = &word->values[number];
    learn_value(word, number, order);
    if (number == word->count - 1 && (change != EXPLORE_EXCHANGE || found->bits == expected)) {
        const uint64_t bits = changed(change, found->bits, value, word->size);

        check_order(word, site->what);
        add_value(word, bits, order, &found->view);
        tell(site, bits, ", exchanged", 0);
    } else {
        tell(site, found->bits, ", not exchanged", word->count - 1 - number);
    }
    return found->bits;
}

uint64_t explore_change(void *memory, size_t size, enum explore_change change, uint64_t expected,
                        uint64_t value, struct explore_site *site)
{
    struct word *word = find_word(memory, size);
    uint64_t bits;

    if (word) {
        meet(site);
        return change_word(word, change, expected, value, site);
    }
    bits = read_memory(memory, size);
    value = changed(change, bits, value, size);
    if (change != EXPLORE_EXCHANGE || bits == expected)
        memcpy(memory, &value, size);
    return bits;
}

/* ---- copies: word by word, a last one that is not whole as part of a whole one ---- */

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
        meet(site);
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

void explore_copy_out(void *data, const void *shared, size_t size, struct explore_site *site)
{
    unsigned char *to = data;
    const unsigned char *from = shared;

    if (explorer.current)
        meet(site);
    while (size > 0) {
        const size_t whole = word_size(from);
        const size_t part = size < whole ? size : whole;
        struct word *word = find_word(from, whole);
        const uint64_t bits = word ? load_word(word, site) : read_memory(from, part);

        /* Into private memory that is watched for races, a copy is a plain store. */
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
    word->plain_reads[thread->number] = thread->known.at[CLOCK(thread->number)];
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

/* ---- the kernel's part ---- */

/* One of the sleeps that may end by themselves, without anybody's doing. */
static int takes_nap(struct thread *thread)
{
    if (thread->naps == 0 || choose(2) == 0)
        return 0;
    thread->naps--;
    return 1;
}

/* Where the comparison is one step with lying down; parted, others come in between. */
static int lie_down(struct thread *thread, const struct explore_bed *bed)
{
    static struct explore_site site = {.file = "kernel",
                                       .function = "futex_wait",
                                       .operation = "comparison",
                                       .what = "the word",
                                       .order = EXPLORE_ORDERED,
                                       .now = EXPLORE_ORDERED};
    struct word *word = find_word(bed->word, 4);

    meet(&site);
    take_turn_at(word);
    /* The kernel's look is one of this thread's: it will not see an older value. */
    *known(thread, word) = (uint16_t)(word->count - 1);
    if (site.now != EXPLORE_RELAXED && word->values[word->count - 1].bits != bed->expected)
        return -1;
    if (site.now == EXPLORE_PARTED)
        take_turn_at(word);
    thread->beds[thread->bed_count++] = word;
    return 0;
}

static int sleep_there(struct thread *thread, const struct explore_bed *beds, int count)
{
    for (int i = 0; i < count; i++) {
        if (lie_down(thread, &beds[i]) != 0) {
            tell_event("futex: has changed");
            return -1;
        }
    }
    if (thread->rung || takes_nap(thread)) {
        tell_event("futex: does not sleep long");
        return 0;
    }
    tell_event("futex: sleeps");
    stop_at(SLEEPING, thread->beds[0]);
    tell_event("futex: wakes up");
    return 0;
}

int explore_futex_wait(const struct explore_bed *beds, int count)
{
    struct thread *thread = explorer.current;
    int error;

    if (count > EXPLORE_BEDS)
        give_up("too many words to sleep on");
    thread->rung = 0;
    error = sleep_there(thread, beds, count);
    thread->bed_count = 0;
    return error;
}

static int lies_at(const struct thread *thread, const struct word *word)
{
    for (int i = 0; i < thread->bed_count; i++)
        if (thread->beds[i] == word)
            return !thread->rung;
    return 0;
}

static void wake_up(struct thread *thread)
{
    thread->rung = 1;
    if (thread->state == SLEEPING)
        thread->state = GOING;
}

void explore_futex_wake(const void *memory, int count)
{
    struct word *word = find_word(memory, 4);

    may_die();
    count_step();
    note(&word->storers);
    note(&word->orderers);
    stop_at(TURNING, word);
    tell_event("futex: is rung");
    wake_those_at(word);
    for (; count > 0; count--) {
        struct thread *sleepers[EXPLORE_THREADS];
        int found = 0;

        for (int i = 0; i < explorer.thread_count; i++)
            if (lies_at(&explorer.threads[i], word))
                sleepers[found++] = &explorer.threads[i];
        if (found == 0)
            return;
        wake_up(sleepers[count >= found ? 0 : choose(found)]);
    }
}

uint32_t explore_kernel_change(const void *memory, uint32_t (*change)(uint32_t value, uint32_t who),
                               uint32_t who)
{
    static const struct explore_site site = {.function = "kernel",
                                             .operation = "change",
                                             .what = "a lock"};
    struct word *word = find_word(memory, 4);
    const struct value *found;
    uint32_t bits;

    may_die();
    take_turn_at(word);
    found = &word->values[word->count - 1];
    learn_value(word, word->count - 1, EXPLORE_ORDERED);
    bits = change((uint32_t)found->bits, who);
    if (bits != found->bits)
        add_value(word, bits, EXPLORE_ORDERED, &found->view);
    tell(&site, bits, "", 0);
    return (uint32_t)found->bits;
}

uint32_t explore_kernel_look(const void *memory)
{
    static struct explore_site site = {.function = "kernel",
                                       .operation = "look",
                                       .what = "a lock",
                                       .now = EXPLORE_ACQUIRE};

    return (uint32_t)load_word(find_word(memory, 4), &site);
}

/* ---- who goes on ---- */

/* Those that nothing holds back, each as far as it gets; they may wake others. */
static void go_far(void)
{
    for (int i = 0; i < explorer.thread_count && !explorer.failed; i++) {
        if (explorer.threads[i].state != GOING)
            continue;
        go_on(&explorer.threads[i]);
        i = -1;
    }
}

static int let_read(void)
{
    for (int i = 0; i < explorer.thread_count; i++)
        if (explorer.threads[i].state == READING && choose_value(&explorer.threads[i]))
            return 1;
    return 0;
}

static int end_waits(void)
{
    int ended = 0;

    for (int i = 0; i < explorer.thread_count; i++) {
        struct thread *thread = &explorer.threads[i];

        if (thread->state != AWAITING || *known(thread, thread->at) == thread->at->count - 1)
            continue;
        ++*known(thread, thread->at);
        thread->state = GOING;
        ended = 1;
    }
    return ended;
}

/* Where somebody has died, nobody may wake those who sleep: they have set an alarm. */
static int pass_time(void)
{
    int woken = 0;

    for (int i = 0; explorer.died && i < explorer.thread_count; i++) {
        if (explorer.threads[i].state != SLEEPING)
            continue;
        wake_up(&explorer.threads[i]);
        woken = 1;
    }
    return woken;
}

/* One of those that take turns goes; those tried before it stay asleep until something happens to
 * the word that they are at. Returns 0 where no one is awake. */
static int take_turn(void)
{
    struct thread *awake[EXPLORE_THREADS];
    int count = 0;
    int choice;

    for (int i = 0; i < explorer.thread_count; i++)
        if (explorer.threads[i].state == TURNING && !(explorer.asleep & (1U << i)))
            awake[count++] = &explorer.threads[i];
    if (count == 0)
        return 0;
    choice = choose(count);
    for (int i = 0; i < choice; i++)
        explorer.asleep |= bit(awake[i]);
    wake_those_at(awake[choice]->at);
    awake[choice]->state = GOING;
    return 1;
}

enum ending { COMPLETE, REPEATED, FAILED };

static int count_in(enum state state)
{
    int count = 0;

    for (int i = 0; i < explorer.thread_count; i++)
        count += explorer.threads[i].state == state;
    return count;
}

/* What it means that nobody can go on. */
static enum ending judge_end(void)
{
    if (count_in(DONE) == explorer.thread_count)
        return COMPLETE;
    /* Who waits for a value that never came has read an older one elsewhere; who is asleep has gone
     * first elsewhere. */
    if (count_in(READING) || count_in(TURNING))
        return REPEATED;
    fail_outside("%d of %d threads wait for ever", explorer.thread_count - count_in(DONE),
                 explorer.thread_count);
    return FAILED;
}

static void finish(const struct explore_scenario *scenario)
{
    const char *fault;

    explorer.over = 1;
    fault = scenario->finish(scenario);
    explorer.over = 0;
    if (fault)
        fail_outside("%s", fault);
}

/* Whether anybody can go on, or is woken by the time that passes where nobody can. Somebody at a load
 * may take that long, too, but not for ever. */
static int goes_on(void)
{
    if (let_read() || end_waits() || take_turn())
        return 1;
    if (count_in(TURNING) || (count_in(READING) && ++explorer.passes > 2))
        return 0;
    return pass_time();
}

static enum ending execute(void)
{
    const struct explore_scenario *scenario = explorer.scenario;
    enum ending ending = COMPLETE;

    explorer.choice_next = 0;
    explorer.touched_count = 0;
    explorer.asleep = 0;
    explorer.steps = 0;
    explorer.failed = 0;
    explorer.died = scenario->begins_dead;
    explorer.passes = 0;
    if (scenario->reset)
        scenario->reset(scenario);
    for (int i = 0; i < explorer.word_count; i++)
        reset_word(&explorer.words[i]);
    for (int i = 0; i < explorer.thread_count; i++)
        reset_thread(&explorer.threads[i]);
    do
        go_far();
    while (!explorer.failed && goes_on());
    if (!explorer.failed)
        ending = judge_end();
    if (ending == COMPLETE && !explorer.failed && scenario->finish)
        finish(scenario);
    explorer.all_steps += explorer.steps;
    return explorer.failed ? FAILED : ending;
}

/* ---- all executions ---- */

static void begin(const struct explore_scenario *scenario)
{
    explorer.scenario = scenario;
    explorer.region_count = 0;
    explorer.lowest = explorer.size = 0;
    explorer.word_count = 0;
    explorer.thread_count = 0;
    explorer.choice_count = 0;
    explorer.told = NULL;
    explorer.all_steps = 0;
    while (explorer.thread_count < EXPLORE_THREADS && scenario->body[explorer.thread_count]) {
        struct thread *thread = &explorer.threads[explorer.thread_count];

        thread->number = explorer.thread_count++;
        if (!thread->stack) {
            thread->stack = malloc(STACK);
            getcontext(&thread->context);
        }
    }
    scenario->open(scenario);
}

static void end(struct explore_result *result)
{
    result->steps = explorer.all_steps;
    if (result->failed)
        memcpy(result->fault, explorer.fault, sizeof(result->fault));
    if (explorer.scenario->close)
        explorer.scenario->close(explorer.scenario);
}

void explore_run(const struct explore_scenario *scenario, uint64_t limit,
                 struct explore_result *result)
{
    memset(result, 0, sizeof(*result));
    begin(scenario);
    do {
        enum ending ending;

        explorer.learned = 0;
        ending = execute();
        result->executions += ending == COMPLETE;
        if (ending == FAILED) {
            result->failed = 1;
            write_schedule(result->schedule, sizeof(result->schedule));
            break;
        }
        if (explorer.learned) {
            /* What was skipped before counted on less: once more from the beginning. */
            explorer.choice_count = 0;
            result->executions = 0;
            continue;
        }
        if (!advance()) {
            result->complete = 1;
            break;
        }
    } while (result->executions < limit);
    end(result);
}

void explore_replay(const struct explore_scenario *scenario, const char *schedule, int trace,
                    struct explore_result *result)
{
    memset(result, 0, sizeof(*result));
    begin(scenario);
    read_schedule(schedule);
    explorer.trace = trace;
    result->failed = execute() == FAILED;
    explorer.trace = 0;
    end(result);
}
