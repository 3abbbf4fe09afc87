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

/* A ring and what it is asked for. */
struct asked {
    struct bench_pair pair;
    uint64_t *instants;
    uint64_t next; /* instant; goes on from round to round */
};

struct series {
    struct asked row;
    struct asked small; /* what growth is held against */
};

static void pick_instants(struct asked *asked)
{
    const uint64_t span = (asked->pair.depth - 1) * PERIOD;
    uint64_t state = 1181783497276652981u;

    asked->instants = bench_memory(INSTANTS * sizeof(*asked->instants));
    for (unsigned int i = 0; i < INSTANTS; i++)
        asked->instants[i] = asked->pair.time - bench_random(&state) % span;
}

static inline uint64_t next_instant(struct asked *asked)
{
    return asked->instants[asked->next++ % INSTANTS];
}

static int open_asked(const struct bench_row *row, struct asked *asked)
{
    int status = bench_pair_open(row, &asked->pair);

    if (status)
        return status;
    bench_pair_fill(&asked->pair, PERIOD, JITTER);
    pick_instants(asked);
    return 0;
}

static void close_asked(struct asked *asked)
{
    if (!asked->instants)
        return;
    bench_pair_close(&asked->pair);
    bench_memory_free(asked->instants, INSTANTS * sizeof(*asked->instants));
}

static int open_series(const struct bench_row *row, void **context)
{
    struct series *series = calloc(1, sizeof(*series));

    bench_require(series ? 0 : -ENOMEM, row->name);
    *context = series;
    return open_asked(row, &series->row);
}

/* With a ring of 64 lines beside the row's. */
static int open_growth(const struct bench_row *row, void **context)
{
    static const struct bench_row small = {.name = "small", .size = 64, .depth = 64};
    int status = open_series(row, context);
    struct series *series = *context;

    return status ? status : open_asked(&small, &series->small);
}

static void close_series(void *context)
{
    struct series *series = context;

    close_asked(&series->row);
    close_asked(&series->small);
    free(series);
}

static uint64_t copy_line(void *context, uint64_t count)
{
    const struct bench_data *data = &((struct series *)context)->row.pair.data;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        memcpy(data->copy, bench_record(data, i), bench_hidden(sizeof(struct bench_line)));
        sum += bench_marked(data->copy, sizeof(struct bench_line));
    }
    return sum;
}

static inline uint64_t closest(struct asked *asked, uint64_t count)
{
    struct bench_line copy;
    struct kymo_record record;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(line_closest(asked->pair.line_reader, next_instant(asked), KYMO_ANY_DISTANCE,
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

    return closest(&series->row, count);
}

static uint64_t run_small_closest(void *context, uint64_t count)
{
    struct series *series = context;

    return closest(&series->small, count);
}

/* Each question waits for the answer to the one before: what a single one takes. */
static uint64_t run_closest_chained(void *context, uint64_t count)
{
    struct asked *asked = &((struct series *)context)->row;
    struct bench_line copy;
    struct kymo_record record;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t instant = next_instant(asked) + (sum & 1);

        bench_require(line_closest(asked->pair.line_reader, instant, KYMO_ANY_DISTANCE, &copy,
                                   &record),
                      "closest");
        __asm__ volatile("" : : "r"(&copy), "r"(&record) : "memory");
        sum += copy.word[0];
    }
    return sum;
}

static inline uint64_t find(struct asked *asked, uint64_t count)
{
    uint64_t pos = 0, sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(kymo_series_find_closest(asked->pair.reader, next_instant(asked),
                                               KYMO_ANY_DISTANCE, &pos),
                      "find_closest");
        sum += pos;
    }
    return sum;
}

static uint64_t run_find(void *context, uint64_t count)
{
    struct series *series = context;

    return find(&series->row, count);
}

static uint64_t run_small_find(void *context, uint64_t count)
{
    struct series *series = context;

    return find(&series->small, count);
}

static uint64_t run_bracket(void *context, uint64_t count)
{
    struct asked *asked = &((struct series *)context)->row;
    struct bench_line before, after;
    struct kymo_bracket bracket = {.alpha = 0};
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        int error =
            line_bracket(asked->pair.line_reader, next_instant(asked), &before, &after, &bracket);

        if (error != -EDOM) /* an instant before the oldest record */
            bench_require(error, "bracket");
        __asm__ volatile("" : : "r"(&before), "r"(&after), "r"(&bracket) : "memory");
        sum += before.word[0] + (bracket.alpha > 0.5);
    }
    return sum;
}

static uint64_t run_fresh(void *context, uint64_t count)
{
    const struct bench_pair *pair = &((struct series *)context)->row.pair;
    struct bench_line copy;
    struct kymo_record record;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(line_fresh(pair->line_reader, pair->time, &copy, &record), "fresh");
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
