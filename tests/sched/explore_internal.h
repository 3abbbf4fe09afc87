/*
 * explore_internal.h - the state of the explorer, shared by its files only.
 *
 *   explore_replay.c     all executions, or one by its schedule: the choices
 *   explore_scheduler.c  one execution: the threads, and which of them continues
 *   explore_model.c      loads, stores, fences and exchanges: the values that a thread may read
 *   explore_futex.c      system calls of a thread: futex and locks
 *   explore_words.c      the shared words
 *   explore_sites.c      the operations in the source, and how they are weakened
 */
#ifndef KYMO_TEST_EXPLORE_INTERNAL_H
#define KYMO_TEST_EXPLORE_INTERNAL_H

#include "explore.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define REGIONS      32
#define REGION_BYTES 1024
#define WORDS        56 /* shared words of a scenario */
#define VALUES       40 /* of a word in one execution */
#define CHOICES      1000
#define STEPS        4000 /* of one execution; more count as endless */
#define STACK        (128 * 1024)

/* For each word, the number of the oldest value that may still be read; after them, a vector clock of
 * the threads, for data races. */
struct view {
    uint16_t at[64];
};

#define CLOCK(thread) (WORDS + (thread))

_Static_assert(WORDS + EXPLORE_THREADS <= 64, "a view holds all words and all clocks");

struct value {
    uint64_t bits;
    struct view view; /* joined to the view of a reader that acquires */
};

struct word {
    const void *memory;
    size_t size;
    struct value values[VALUES]; /* in modification order; the first is the memory's */
    int count;
    int ordered;                           /* the newest value of an ordered access */
    uint16_t plain_reads[EXPLORE_THREADS]; /* time on the reader's clock; 0: none */
    int touched;                           /* in this execution */
    /* Bits of the threads that store, and of those with ordered accesses, from all executions so far. */
    unsigned int storers;
    unsigned int orderers;
    unsigned int storers_before, orderers_before; /* at the start of this execution */
};

struct region {
    const unsigned char *memory;
    size_t size;
    size_t split, stride;            /* as explore_split; stride 0: none */
    struct region *same;             /* of which this is another mapping, or NULL */
    int plain;                       /* no atomic words */
    uint8_t words[REGION_BYTES / 4]; /* number of the word + 1 */
};

enum thread_state {
    READY,    /* can continue */
    AT_LOAD,  /* at a load: chooses a value present, or waits for a later one */
    AT_TURN,  /* at a step whose order matters */
    AWAITING, /* until the word has a newer value */
    SLEEPING, /* in futex(2) */
    DONE
};

struct thread {
    int number;
    enum thread_state state;
    struct word *at;                               /* the word of its next step */
    int declined;                                  /* number of values that it has rejected */
    int chosen;                                    /* the number of its value */
    struct word *futex_waits[EXPLORE_FUTEX_WAITS]; /* words on which it is enqueued */
    int futex_wait_count;
    int woken;                 /* since it was enqueued */
    int may_crash;             /* may crash at its next store */
    int spurious_wakeups;      /* left in this execution */
    struct view current_view;  /* applies to its next accesses */
    struct view acquire_view;  /* of all loads: an acquire fence joins it to current_view */
    struct view released_view; /* what it passed on at its last release fence */
    struct view fenced_view;   /* released_view at its last store fence */
    struct view unfenced_view; /* of words with non-temporal stores since: before those */
    uint64_t unfenced;         /* a bit for each such word */
    int started;
    jmp_buf jump;
    ucontext_t context;
    unsigned char *stack;
};

struct choice {
    uint8_t chosen;
    uint8_t count;
};

extern struct explorer {
    const struct explore_scenario *scenario;
    struct region regions[REGIONS];
    int region_count;
    uintptr_t lowest, size; /* bounds of all regions */
    struct word words[WORDS];
    int word_count;
    struct thread threads[EXPLORE_THREADS];
    int thread_count;
    struct thread *current; /* NULL: the scheduler runs */
    jmp_buf scheduler_jump;
    ucontext_t scheduler_context;

    struct choice choices[CHOICES];
    int choice_count; /* made, or to be repeated */
    int choice_next;
    unsigned int
        sleep_set; /* threads whose next step was explored first, and is independent of all since */
    int learned;   /* this execution has added to storers or orderers */
    struct word *touched[WORDS]; /* in the order of first accesses */
    int touched_count;
    const char *schedule_words; /* the schedule's part for the next words, or NULL */
    uint64_t steps, all_steps;
    int trace;
    int over;     /* all threads have ended; finish() runs */
    int crashed;  /* a thread has crashed */
    int timeouts; /* how often waits have timed out while a thread was AT_LOAD */
    int failed;
    char fault[256];

    struct explore_site *sites;
    uint64_t mark;
    struct explore_site weakened; /* function NULL: none */
} explorer;

enum ending { COMPLETE, REPEATED, FAILED };

void reach_site(struct explore_site *site);

int digit_of(char digit);

struct region *find_region(const void *memory);

uint64_t read_memory(const void *memory, size_t size);

/* The word's only value is the memory's, and in every view. */
void reset_word(struct word *word);

/* The word at this address; NULL if it is not shared, or no thread runs. Size 0: any size. */
struct word *find_word(const void *memory, size_t size);

int is_subset(const struct view *view, const struct view *other);

/* Chooses the value for the thread's load. Returns 0 if it waits for a later one. */
int choose_value(struct thread *thread);

void learn_value(struct word *word, int number, enum explore_order order);

uint64_t load_word(struct word *word, struct explore_site *site);

void wake_sleep_set(const struct word *word);

/* `before`: the view of the value that an exchange replaces; NULL: a store. */
void add_value(struct word *word, uint64_t bits, enum explore_order order,
               const struct view *before);

/* The thread's next step accesses this word, atomically. */
void take_turn_at(struct word *word);

void wake_thread(struct thread *thread);

void switch_to_scheduler(void);

void stop_at(enum thread_state state, struct word *word);

void count_step(void);

void trace_event(const char *what);

/* Before a step that other threads can see: explores a crash here if the thread may crash. */
void crash_point(void);

void trace_step(const struct explore_site *site, uint64_t bits, const char *remark, int number);

enum ending execute(void);

int choose(int count);

/* A limit of the explorer, or an error in it. */
_Noreturn void abort_explorer(const char *why);

unsigned int bit(const struct thread *thread);
void learn_access(unsigned int *threads);
size_t number_of(const struct word *word);
uint16_t *known(struct thread *thread, const struct word *word);

#endif
