/*
 * explore.h - runs a few threads under every interleaving and every stale read that the orderings of
 * C11 allow, one execution after another, until there is none left.
 *
 * Stands behind explore_seam.h. A shared word is not memory here but the list of all values it was
 * ever given; a thread may read any of them that nothing it knows of forbids:
 *
 *   - it knows, for each word, the oldest value that it may still read: its view;
 *   - a release store, or a store behind a release fence, carries the view along; who reads the
 *     value with acquire, or has an acquire fence behind the read, knows what the storer knew;
 *   - ordered accesses to a word see it in one order, which is that in which they are executed.
 *
 * That is RC11 (Lahav et al., PLDI 2017), in the manner of view machines (Kang et al., POPL 2017):
 * C11 without values out of thin air, and without loads that see stores which come later in the
 * program's and the readers' order together. What such a load could break shows as a data race:
 * memory that is read or written plainly is checked for those (explore_plain_read).
 *
 * Executions that differ only in the order of independent steps are run once: stores to words with
 * one writer and fences take no turn at all; a load that is not ordered chooses among the values
 * there are, or waits for one that is still to come; only what is left takes turns, with sleep sets
 * (Godefroid 1996). Of equal values, the one that says least is read.
 */
#ifndef KYMO_TEST_EXPLORE_H
#define KYMO_TEST_EXPLORE_H

#include <stddef.h>
#include <stdint.h>

#define EXPLORE_THREADS 3
#define EXPLORE_BEDS    2 /* words that one thread sleeps on at once */

/* What runs beside each other. Every execution begins with reset and the memory as it then is; what
 * the threads store stays within the execution. */
struct explore_scenario {
    const char *name;
    const char *bound; /* what it is complete to, in words */
    void (*open)(const struct explore_scenario *scenario);
    void (*reset)(const struct explore_scenario *scenario);
    const char *(*finish)(const struct explore_scenario *scenario); /* what is wrong; or NULL */
    void (*close)(const struct explore_scenario *scenario);         /* or NULL */
    void (*body[EXPLORE_THREADS])(const struct explore_scenario *scenario); /* NULL: none */
    /* What the bodies need to know, each its own way. */
    uint64_t depth, first, history, records, tries;
    int kind;
    const void *more;
    /* The thread that may die at each of its stores, counted from 1; 0: none. Who sleeps then wakes up
     * by itself when nobody else can go on. And what the kernel does for the dead, as the thread's own
     * last steps. */
    int mortal;
    int begins_dead; /* somebody died before, and left it like that: sleeps end as well */
    void (*death)(const struct explore_scenario *scenario);
    int naps; /* how many of each thread's sleeps may end by themselves at any time */
};

struct explore_result {
    uint64_t executions; /* complete ones */
    uint64_t steps;      /* operations on shared words, all in all */
    int complete;        /* 0 where it failed, or the limit was reached */
    int failed;
    char fault[256];     /* what went wrong first */
    char schedule[1024]; /* the choices that lead there */
};

/* Every execution, or the first that fails; at most `limit` of them. */
void explore_run(const struct explore_scenario *scenario, uint64_t limit,
                 struct explore_result *result);
/* The one execution that a schedule tells; `trace`: prints each step. */
void explore_replay(const struct explore_scenario *scenario, const char *schedule, int trace,
                    struct explore_result *result);

/* ---- for open: what is shared ---- */

/* These bytes are shared words. Everything else is plain memory, and nobody's but its owner's. */
void explore_share(const void *memory, size_t size);
/* These are plain memory that several threads use: accesses that explore_plain_touch is told of must
 * not race. */
void explore_watch(const void *memory, size_t size);
/* In there, the 8 bytes at `offset` of every `stride` are two words, even where both are copied. */
void explore_split(const void *memory, size_t offset, size_t stride);
/* So are these, and they are the same words: another mapping of them. */
void explore_alias(const void *memory, const void *same);

/* ---- for bodies ---- */

/* Ends the execution: this must not happen. */
__attribute__((format(printf, 1, 2), noreturn)) void explore_fail(const char *format, ...);
/* 0 to count - 1: each is explored. */
int explore_pick(int count);
/* Waits until the word has another value than the one read last; then reads may still choose. */
void explore_await(const void *word);
/* The oldest value that this thread may read. */
uint64_t explore_known(const void *word);
/* The newest that there is; also for finish. */
uint64_t explore_newest(const void *word);
/* Accesses that must not race with any other: 8 aligned bytes. */
uint64_t explore_plain_read(const void *word);
void explore_plain_write(void *word, uint64_t value);
/* What a compiler's instrumentation reports of plain accesses: in watched memory they must not race,
 * to shared words there must be none. */
void explore_plain_touch(const void *memory, size_t size, int stores);
/* Whether the caller is one of the threads; and which. */
int explore_is_running(void);
int explore_thread(void);

/* ---- the kernel's part ---- */

struct explore_bed {
    const void *word;
    uint32_t expected;
};

/* Like futex(2) and futex_waitv(2), with no time limit: -1 where a word is not what is expected. */
int explore_futex_wait(const struct explore_bed *beds, int count);
void explore_futex_wake(const void *word, int count);
/* A word of the kernel's own, which it changes in one step, ordered; and a look at it that acquires.
 * Returns what it was. */
uint32_t explore_kernel_change(const void *word, uint32_t (*change)(uint32_t value, uint32_t who),
                               uint32_t who);
uint32_t explore_kernel_look(const void *word);

/* ---- sites: where the library orders something, and how strongly ---- */

enum explore_order {
    EXPLORE_RELAXED,
    EXPLORE_ACQUIRE,
    EXPLORE_RELEASE,
    EXPLORE_BOTH, /* acquire and release */
    EXPLORE_ORDERED,
    EXPLORE_PARTED /* ordered, but no longer one step: a load, and then a store */
};

struct explore_site {
    const char *file; /* its last part */
    const char *function;
    const char *operation; /* "load_acquire" */
    const char *what;      /* the word, as it is written there */
    int line;
    int ordinal;              /* of those of the same function and operation, from 1, by line */
    enum explore_order order; /* as written */
    enum explore_order now;   /* as explored: weaker, if that is tried */
    int known;                /* is in the list */
    uint64_t met;             /* by the runs with these marks */
    struct explore_site *next;
};

/* The bit that sites get in `met` from now on. */
void explore_mark(uint64_t mark);
/* Everything that was reached so far, a site for each file that it was compiled into. */
struct explore_site *explore_sites(void);
/* Whether two of them are one place in the source; then they have the same ordinal. */
int explore_same_site(const struct explore_site *one, const struct explore_site *other);
/* Weakens a place wherever it was compiled into; NULL: none any more. */
void explore_weaken(const struct explore_site *site, enum explore_order order);

/* ---- the operations behind the seam ---- */

uint64_t explore_load(const void *word, size_t size, struct explore_site *site);
void explore_store(void *word, size_t size, uint64_t value, struct explore_site *site);
void explore_fence(struct explore_site *site);

enum explore_change { EXPLORE_ADD, EXPLORE_OR, EXPLORE_EXCHANGE };

/* Returns what the word held; EXPLORE_EXCHANGE stores `value` only over `expected`. */
uint64_t explore_change(void *word, size_t size, enum explore_change change, uint64_t expected,
                        uint64_t value, struct explore_site *site);
void explore_copy_in(void *shared, const void *data, size_t size, struct explore_site *site);
void explore_copy_out(void *data, const void *shared, size_t size, struct explore_site *site);

#endif
