/*
 * harness.h - measures rows: each runs a subject and its baseline in alternating rounds and reports
 * the median of each.
 */
#ifndef KYMO_BENCH_HARNESS_H
#define KYMO_BENCH_HARNESS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* Result of open if the machine lacks something; bench_skip sets the reason. */
#define BENCH_SKIPPED 1

struct bench_settings {
    unsigned int rounds; /* of each side */
    uint64_t slice;      /* approximate time of one round of one side, ns */
};

/* ns per operation, or the unit of the row. */
struct bench_result {
    double ns;
    double baseline;
    double ratio;     /* ns / baseline; 0 without a baseline */
    double tail[3];   /* p99, p99.9 and maximum of a latency; 0: none */
    double checked;   /* number of checked results; 0: none */
    double wrong;     /* wrong results among them */
    char reason[120]; /* why there is no figure; "": there is one */
};

struct bench_row {
    const char *name;    /* words joined by - and + */
    const char *against; /* description of the baseline; NULL: none */
    uint64_t size;       /* bytes of payload */
    uint64_t depth;      /* slots; 0: no ring */
    double most_ratio;   /* target: upper bound; 0: none */
    double most_ns;      /* upper bound of the figure; 0: none */
    double least;        /* lower bound of the figure; 0: none */
    const char *unit;    /* of the figure; NULL: ns */

    /* Prepares both sides. 0, BENCH_SKIPPED or a negative errno. */
    int (*open)(const struct bench_row *row, void **context);
    /* Perform `count` operations and return a checksum of the data read. */
    uint64_t (*run)(void *context, uint64_t count);
    uint64_t (*baseline)(void *context, uint64_t count);
    void (*close)(void *context);
    /* Replaces run and baseline for rows that are not loops: fills in the result. */
    void (*measure)(void *context, const struct bench_settings *settings,
                    struct bench_result *result);
    unsigned int stretch; /* factor of the length of rounds, a quarter as many; 0: 1 */
    unsigned int rounds;  /* limit of their number; 0: none */
    int same_sum;         /* 1: both sides read the same data: their checksums must be equal */
};

/* Measures one row. Exits if an operation fails. */
void bench_measure(const struct bench_row *row, const struct bench_settings *settings,
                   struct bench_result *result);

/* Sorts values[count]; returns the quantile `part`. */
double bench_quantile(double *values, size_t count, double part);

/* Sorts the latencies values[count] and sets ns (the median) and tail of the result. */
void bench_distribution(struct bench_result *result, double *values, size_t count);

/* CLOCK_MONOTONIC, ns. */
uint64_t bench_now(void);

/* Sets the reason why a row is skipped; returns BENCH_SKIPPED. */
int bench_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Exits with a message for a negative errno. */
_Noreturn void bench_fail(int error, const char *what);

/* Every operation of every row must succeed. */
static inline void bench_require(int error, const char *what)
{
    if (__builtin_expect(error != 0, 0))
        bench_fail(error, what);
}

/* The sum of all checksums: its output prevents the compiler from removing reads. */
uint64_t bench_checksum(void);

/* Pins the caller to the first (0) or second (1) allowed CPU; no effect without a second CPU.
 * Returns the number of CPUs. */
int bench_pin(int cpu);

/* Restores the affinity of the process, for programs started from here. */
void bench_unpin(void);

/* Starts a thread on the second CPU. The caller joins it. */
void bench_partner_start(pthread_t *thread, void *(*run)(void *), void *context);

/* Compiler barrier. */
static inline void bench_barrier(void)
{
    __asm__ volatile("" ::: "memory");
}

/* Hides a value from the compiler: a copy of this size remains a call. */
static inline size_t bench_hidden(size_t value)
{
    __asm__ volatile("" : "+r"(value));
    return value;
}

/* Random numbers (Marsaglia's xorshift). */
static inline uint64_t bench_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Private memory, pages touched, in pages of the size that shared memory uses. */
void *bench_memory(size_t bytes);
void bench_memory_free(void *memory, size_t bytes);

#endif
