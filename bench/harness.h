/*
 * harness.h - how a figure is taken: rows, each of which runs a subject and its baseline side by
 * side in alternating rounds, and reports the median of each.
 */
#ifndef KYMO_BENCH_HARNESS_H
#define KYMO_BENCH_HARNESS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* What open returns, with a reason by bench_skip, where this machine lacks something. */
#define BENCH_SKIPPED 1

struct bench_settings {
    unsigned int rounds; /* of each side */
    uint64_t slice;      /* ns that one round of one side takes, roughly */
};

/* ns per operation, or what the row's unit says. */
struct bench_result {
    double ns;
    double baseline;
    double ratio;     /* ns / baseline; 0 without a baseline */
    double tail[3];   /* p99, p99.9 and the largest of a latency; 0 where the row has none */
    double asked;     /* answers that were checked; 0 where the row checks none */
    double wrong;     /* of these */
    char reason[120]; /* why there is no figure; "" where there is one */
};

struct bench_row {
    const char *name;    /* what is measured: words joined by - and + */
    const char *against; /* what the baseline does; NULL: there is none */
    uint64_t size;       /* bytes of payload */
    uint64_t depth;      /* slots; 0: no ring */
    double most_ratio;   /* target: at most that; 0: none */
    double most_ns;      /* likewise, of the figure */
    double least;        /* target: at least that figure; 0: none */
    const char *unit;    /* of the figure; NULL: ns */

    /* Makes what both sides need. 0, BENCH_SKIPPED or a negative errno. */
    int (*open)(const struct bench_row *row, void **context);
    /* Do it `count` times and return a checksum of what was read. */
    uint64_t (*run)(void *context, uint64_t count);
    uint64_t (*baseline)(void *context, uint64_t count);
    void (*close)(void *context);
    /* Instead of the two, for a row that is no loop: fills in the result. */
    void (*measure)(void *context, const struct bench_settings *settings,
                    struct bench_result *result);
    unsigned int stretch; /* rounds last so many times longer, and are a quarter as many; 0: 1 */
    unsigned int rounds;  /* and are no more than that; 0: no limit */
    int same_sum;         /* 1: both sides read the same, so that their checksums must agree */
};

/* Measures one row. Ends the program where an operation fails: a figure of errors is worth nothing.
 */
void bench_measure(const struct bench_row *row, const struct bench_settings *settings,
                   struct bench_result *result);

/* Sorts values[count]; returns the one below which `part` of them lie. */
double bench_quantile(double *values, size_t count, double part);

/* Sorts the latencies values[count] into result: ns gets the median, tail the rest. */
void bench_distribution(struct bench_result *result, double *values, size_t count);

/* CLOCK_MONOTONIC, ns. */
uint64_t bench_now(void);

/* Says why a row cannot run here; returns BENCH_SKIPPED. */
int bench_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the program with a message for a negative errno. */
_Noreturn void bench_fail(int error, const char *what);

/* Every operation of every row must succeed. */
static inline void bench_require(int error, const char *what)
{
    if (__builtin_expect(error != 0, 0))
        bench_fail(error, what);
}

/* Everything that was ever read, so that no read can be left out. */
uint64_t bench_checksum(void);

/* Pins the caller to the first or the second CPU that this process may use; without a second CPU
 * it does nothing. Returns how many CPUs there are. */
int bench_pin(int cpu);

/* Gives the caller all CPUs back, as a program that is started from here has to have them. */
void bench_unpin(void);

/* A thread on the other CPU. It ends where run returns; join it. */
void bench_partner_start(pthread_t *thread, void *(*run)(void *), void *context);

/* The compiler has to assume that memory was read and written here. */
static inline void bench_barrier(void)
{
    __asm__ volatile("" ::: "memory");
}

/* A value that the compiler cannot know, so that a copy of that many bytes stays a call. */
static inline size_t bench_hidden(size_t value)
{
    __asm__ volatile("" : "+r"(value));
    return value;
}

/* Fast and good enough to pick random instants (Marsaglia's xorshift). */
static inline uint64_t bench_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Memory of this process, touched, in pages of the usual size as shared memory has them. */
void *bench_memory(size_t bytes);
void bench_memory_free(void *memory, size_t bytes);

#endif
