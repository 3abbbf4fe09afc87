/*
 * explore.h - a model checker: runs up to EXPLORE_THREADS threads under every interleaving and every
 * stale read that C11 allows, one execution after another.
 *
 * explore_seam.h passes it each access to a shared word. A shared word is the list of all values
 * that it was given; a thread may read each value that its view does not exclude:
 *
 *   - a view holds, for each word, the oldest value that may still be read;
 *   - a release store, or a store after a release fence, stores the thread's view with the value; an
 *     acquire load of that value, or an acquire fence after the load, joins it to the reader's view;
 *   - ordered accesses are executed in one total order, and see a word in that order;
 *   - a non-temporal store stores the view of the last release fence before a store fence, and is in
 *     no view that the thread passes on before the next store fence.
 *
 * This is RC11 (Lahav et al., PLDI 2017) as a view machine (Kang et al., POPL 2017): C11 without
 * cycles of program order and reads-from, so a load never reads from a store that is executed later.
 * What such a load could break is a data race: plain accesses are checked for those
 * (explore_plain_read). ORDERING.md compares the model with C11 and ARM64; litmus.c checks it.
 *
 * Executions that differ only in the order of independent steps run once: fences, and stores to words
 * with one writer, take no turn; a load that is not ordered chooses among the values present, or
 * waits for a later one; only the other steps take turns, with sleep sets (Godefroid 1996). Among
 * equal values, only the one with the smallest view is read.
 */
#ifndef KYMO_TEST_EXPLORE_H
#define KYMO_TEST_EXPLORE_H

#include <stddef.h>
#include <stdint.h>

#define EXPLORE_THREADS     4
#define EXPLORE_FUTEX_WAITS 2 /* futex words of one wait */

/* Threads that run concurrently. Every execution begins with reset, and with the memory after that;
 * the threads' stores do not reach the memory. */
struct explore_scenario {
    const char *name;
    const char *bound; /* the bound to which the exploration is complete */
    void (*open)(const struct explore_scenario *scenario);
    void (*reset)(const struct explore_scenario *scenario);
    const char *(*finish)(const struct explore_scenario *scenario);         /* the fault, or NULL */
    void (*close)(const struct explore_scenario *scenario);                 /* or NULL */
    void (*body[EXPLORE_THREADS])(const struct explore_scenario *scenario); /* NULL: none */
    /* Parameters of the bodies. */
    uint64_t depth, first, history, records, tries;
    uint64_t quick_records; /* in place of records outside of tools/soak; 0: the same */
    int kind;
    const void *more;
    /* The thread that may crash at each of its stores, counted from 1; 0: none. After a crash, sleeping
     * threads wake up if no thread can continue. */
    int may_crash;
    int crashed_before; /* a thread has crashed before the execution begins */
    /* The kernel's release of a crashed thread's locks, as its last steps; or NULL. */
    void (*release_locks)(const struct explore_scenario *scenario);
    int spurious_wakeups; /* how many of each thread's sleeps may end without a wake */
};

struct explore_result {
    uint64_t executions; /* complete ones */
    uint64_t steps;      /* accesses to shared words, in all executions */
    int complete;        /* 0 after a failure, or at the limit */
    int failed;
    char fault[256];     /* the first fault */
    char schedule[1024]; /* its choices, for explore_replay */
};

/* Runs all executions up to the first that fails; at most `limit`. */
void explore_run(const struct explore_scenario *scenario, uint64_t limit,
                 struct explore_result *result);
/* Runs one execution by its schedule; with `trace`, prints each step. */
void explore_replay(const struct explore_scenario *scenario, const char *schedule, int trace,
                    struct explore_result *result);

/* ---- for open: shared memory ---- */

/* These bytes are shared words. All other memory is private to its thread. */
void explore_share(const void *memory, size_t size);
/* These are plain memory of several threads: accesses reported to explore_plain_touch must not race. */
void explore_watch(const void *memory, size_t size);
/* In this memory, the 8 bytes at `offset` of every `stride` are two words of 4 bytes, also in copies. */
void explore_split(const void *memory, size_t offset, size_t stride);
/* A second mapping of the same words. */
void explore_alias(const void *memory, const void *same);

/* ---- for bodies ---- */

/* Ends the execution as failed. */
__attribute__((format(printf, 1, 2), noreturn)) void explore_fail(const char *format, ...);
/* Returns 0 to count - 1; explores each. */
int explore_pick(int count);
/* Waits until the word has a newer value than the one read last. */
void explore_await(const void *word);
/* The oldest value that this thread may read. */
uint64_t explore_known(const void *word);
/* The newest value; also for finish. */
uint64_t explore_newest(const void *word);
/* Accesses that must not race with any other: 8 aligned bytes. */
uint64_t explore_plain_read(const void *word);
void explore_plain_write(void *word, uint64_t value);
/* A caller's copy into a loan by non-temporal stores. */
void explore_copy_nontemporal(void *shared, const void *data, size_t size);
/* A plain access reported by the compiler's instrumentation: must not race in watched memory, and
 * must not touch a shared word. */
void explore_plain_touch(const void *memory, size_t size, int stores);
/* Whether the caller is one of the threads; and which. */
int explore_is_running(void);
int explore_thread(void);

/* ---- system calls ---- */

struct explore_wait {
    const void *word;
    uint32_t expected;
};

/* As futex(2) and futex_waitv(2) without a timeout: -1 if a word has not the expected value. */
int explore_futex_wait(const struct explore_wait *futex_waits, int count);
void explore_futex_wake(const void *word, int count);
/* A word of the kernel: an ordered read-modify-write, and an acquire load. Both return the old value. */
uint32_t explore_kernel_rmw(const void *word, uint32_t (*change)(uint32_t value, uint32_t holder),
                            uint32_t holder);
uint32_t explore_kernel_load(const void *word);

/* ---- sites: the operations in the source ---- */

enum explore_order {
    EXPLORE_RELAXED,
    EXPLORE_ACQUIRE,
    EXPLORE_RELEASE,
    EXPLORE_BOTH, /* acquire and release */
    EXPLORE_ORDERED,
    EXPLORE_SPLIT_RMW,  /* ordered, but split into a load and a store */
    EXPLORE_NONTEMPORAL /* a store that only a store fence orders */
};

struct explore_site {
    const char *file; /* its last part */
    const char *function;
    const char *operation; /* "load_acquire" */
    const char *what;      /* the word's expression */
    int line;
    int ordinal;              /* of those of the same function and operation, from 1, by line */
    enum explore_order order; /* in the source */
    enum explore_order now;   /* as explored, maybe weakened */
    int known;                /* in the list of sites */
    uint64_t reached;         /* a bit for each explore_mark */
    struct explore_site *next;
};

/* Sets the bit for sites that are reached from now on. */
void explore_mark(uint64_t mark);
/* All sites reached so far; one for each translation unit. */
struct explore_site *explore_sites(void);
/* Whether both are the same place in the source, with the same ordinal. */
int explore_same_site(const struct explore_site *one, const struct explore_site *other);
/* Weakens a place of the source in all translation units; NULL: none. */
void explore_weaken(const struct explore_site *site, enum explore_order order);

/* ---- the operations behind the seam ---- */

uint64_t explore_load(const void *word, size_t size, struct explore_site *site);
void explore_store(void *word, size_t size, uint64_t value, struct explore_site *site);
void explore_fence(struct explore_site *site);
void explore_fence_stores(struct explore_site *site);

enum explore_change { EXPLORE_ADD, EXPLORE_OR, EXPLORE_EXCHANGE };

/* Returns the old value; EXPLORE_EXCHANGE stores `value` only over `expected`. */
uint64_t explore_change(void *word, size_t size, enum explore_change change, uint64_t expected,
                        uint64_t value, struct explore_site *site);
void explore_copy_in(void *shared, const void *data, size_t size, struct explore_site *site);
void explore_copy_out(void *data, const void *shared, size_t size, struct explore_site *site);

#endif
