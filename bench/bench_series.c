/*
 * bench_series.c - questions about time: records every 5 ms with 10 % of jitter, asked for instants
 * picked at random from their whole history, each at a different place than the one before.
 */
#include <errno.h>
#include <stdlib.h>

#include "fixture.h"
#include "rows.h"

/* Instants asked for, in turn: enough to reach everything that a cache could hold back. */
#define INSTANTS (1u << 16)

#define PERIOD UINT64_C(5000000)
#define JITTER UINT64_C(500000)

struct series {
    struct bench_pair pair;
    uint64_t *instants;
    struct bench_pair small; /* what growth is held against */
    uint64_t *small_instants;
};

/* Publishes twice the depth, so that the ring has gone round. */
static void fill(struct bench_pair *pair)
{
    uint64_t state = 88172645463325252u;

    for (uint64_t i = 0; i < 2 * pair->depth; i++) {
        void *payload = NULL;

        pair->time += PERIOD - JITTER + bench_random(&state) % (2 * JITTER);
        bench_require(kymo_ring_loan(pair->writer, &payload), "lending");
        memcpy(payload, &i, sizeof(i));
        bench_require(kymo_ring_commit(pair->writer, pair->size, pair->time, i), "committing");
    }
}

static uint64_t *pick_instants(struct bench_pair *pair)
{
    uint64_t *instants = bench_memory(INSTANTS * sizeof(*instants));
    const uint64_t span = (pair->depth - 1) * PERIOD;
    uint64_t state = 1181783497276652981u;

    for (unsigned int i = 0; i < INSTANTS; i++)
        instants[i] = pair->time - bench_random(&state) % span;
    return instants;
}

static int open_pair(const struct bench_row *row, struct bench_pair *pair, uint64_t **instants)
{
    int status = bench_pair_open(row, pair);

    if (status)
        return status;
    fill(pair);
    *instants = pick_instants(pair);
    return 0;
}

static int open_series(const struct bench_row *row, void **context)
{
    struct series *series = calloc(1, sizeof(*series));

    bench_require(series ? 0 : -ENOMEM, row->name);
    *context = series;
    return open_pair(row, &series->pair, &series->instants);
}

/* With a ring of 64 lines beside the row's. */
static int open_growth(const struct bench_row *row, void **context)
{
    static const struct bench_row small = {.name = "small", .size = 64, .depth = 64};
    int status = open_series(row, context);
    struct series *series = *context;

    return status ? status : open_pair(&small, &series->small, &series->small_instants);
}

static void close_series(void *context)
{
    struct series *series = context;

    bench_pair_close(&series->pair);
    bench_memory_free(series->instants, INSTANTS * sizeof(*series->instants));
    if (series->small_instants) {
        bench_pair_close(&series->small);
        bench_memory_free(series->small_instants, INSTANTS * sizeof(*series->instants));
    }
    free(series);
}

static uint64_t copy_line(void *context, uint64_t count)
{
    const struct bench_data *data = &((struct series *)context)->pair.data;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        memcpy(data->copy, bench_record(data, i), bench_hidden(sizeof(struct bench_line)));
        sum += bench_marked(data->copy, sizeof(struct bench_line));
    }
    return sum;
}

static inline uint64_t closest(struct bench_pair *pair, const uint64_t *instants, uint64_t count)
{
    struct bench_line copy;
    struct kymo_record record;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(line_closest(pair->line_reader, instants[i % INSTANTS], KYMO_ANY_DISTANCE,
                                   &copy, &record),
                      "closest");
        __asm__ volatile("" : : "r"(&copy), "r"(&record) : "memory");
        sum += copy.word[0];
    }
    return sum;
}

static uint64_t run_closest(void *context, uint64_t count)
{
    struct series *series = context;

    return closest(&series->pair, series->instants, count);
}

static uint64_t run_small_closest(void *context, uint64_t count)
{
    struct series *series = context;

    return closest(&series->small, series->small_instants, count);
}

/* Each question waits for the answer to the one before: what a single one takes. */
static uint64_t run_closest_chained(void *context, uint64_t count)
{
    struct series *series = context;
    struct bench_line copy;
    struct kymo_record record;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t instant = series->instants[i % INSTANTS] + (sum & 1);

        bench_require(line_closest(series->pair.line_reader, instant, KYMO_ANY_DISTANCE, &copy,
                                   &record),
                      "closest");
        __asm__ volatile("" : : "r"(&copy), "r"(&record) : "memory");
        sum += copy.word[0];
    }
    return sum;
}

static inline uint64_t find(struct bench_pair *pair, const uint64_t *instants, uint64_t count)
{
    uint64_t pos = 0, sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(kymo_series_find_closest(pair->reader, instants[i % INSTANTS],
                                               KYMO_ANY_DISTANCE, &pos),
                      "find_closest");
        sum += pos;
    }
    return sum;
}

static uint64_t run_find(void *context, uint64_t count)
{
    struct series *series = context;

    return find(&series->pair, series->instants, count);
}

static uint64_t run_small_find(void *context, uint64_t count)
{
    struct series *series = context;

    return find(&series->small, series->small_instants, count);
}

static uint64_t run_bracket(void *context, uint64_t count)
{
    struct series *series = context;
    struct bench_line before, after;
    struct kymo_bracket bracket = {.alpha = 0};
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        int error = line_bracket(series->pair.line_reader, series->instants[i % INSTANTS], &before,
                                 &after, &bracket);

        if (error != -EDOM)
            bench_require(error, "bracket");
        __asm__ volatile("" : : "r"(&before), "r"(&after), "r"(&bracket) : "memory");
        sum += before.word[0] + (bracket.alpha > 0.5);
    }
    return sum;
}

static uint64_t run_fresh(void *context, uint64_t count)
{
    struct series *series = context;
    struct bench_line copy;
    struct kymo_record record;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(line_fresh(series->pair.line_reader, series->pair.time, &copy, &record),
                      "fresh");
        __asm__ volatile("" : : "r"(&copy), "r"(&record) : "memory");
        sum += copy.word[0];
    }
    return sum;
}

#define LINES(slots) .size = 64, .depth = (slots), .close = close_series

#define CLOSEST(slots, ratio)                                                            \
    {                                                                                    \
        .name = "closest-typed", .against = "memcpy of 64 bytes", .most_ratio = (ratio), \
        LINES(slots), .open = open_series, .run = run_closest, .baseline = copy_line     \
    }

const struct bench_row bench_series_rows[] = {
    CLOSEST(64, 12),
    CLOSEST(1 << 10, 0),
    CLOSEST(1 << 15, 0),
    {.name = "closest-growth",
     .against = "closest, depth 64",
     .most_ratio = 8,
     LINES(1 << 20),
     .open = open_growth,
     .run = run_closest,
     .baseline = run_small_closest},
    {.name = "closest-chained",
     .against = "memcpy of 64 bytes",
     LINES(64),
     .open = open_series,
     .run = run_closest_chained,
     .baseline = copy_line},
    {.name = "closest-chained", LINES(1 << 20), .open = open_series, .run = run_closest_chained},
    {.name = "find-closest-payload",
     .against = "find_closest, payload 64",
     .most_ratio = 1.1,
     .size = 1 << 20,
     .depth = 64,
     .open = open_growth,
     .run = run_find,
     .baseline = run_small_find,
     .close = close_series},
    {.name = "bracket-typed", LINES(64), .open = open_series, .run = run_bracket},
    {.name = "bracket-typed", LINES(1 << 20), .open = open_series, .run = run_bracket},
    {.name = "fresh-typed", LINES(64), .open = open_series, .run = run_fresh},
    {.name = NULL},
};
