/*
 * bench_series.c - time queries: records every 5 ms with 10 % jitter, queried at instants of the whole
 * history, at random or in sequence.
 */
#include <errno.h>
#include <stdlib.h>

#include "fixture.h"
#include "rows.h"

/* Number of different instants: more than the caches hold. */
#define INSTANTS (1u << 16)

#define PERIOD UINT64_C(5000000)
#define JITTER UINT64_C(500000)

/* A ring and the instants queried. */
struct query_set {
    struct bench_pair pair;
    unsigned char *after; /* buffer of the later record of a bracket */
    uint64_t *instants;
    uint64_t next;      /* next instant; continues across rounds */
    unsigned int kinds; /* of pages: enum kymo_prefault */
    int in_sequence;
};

struct series {
    struct query_set row;
    struct query_set small; /* baseline of growth */
};

static void pick_instants(struct query_set *queries)
{
    const uint64_t span = (queries->pair.depth - 1) * PERIOD;
    uint64_t state = 1181783497276652981u;

    queries->instants = bench_memory(INSTANTS * sizeof(*queries->instants));
    for (unsigned int i = 0; i < INSTANTS; i++)
        queries->instants[i] =
            queries->pair.time -
            (queries->in_sequence ? span / INSTANTS * (INSTANTS - i) : bench_random(&state) % span);
}

static inline uint64_t next_instant(struct query_set *queries)
{
    return queries->instants[queries->next++ % INSTANTS];
}

static int open_queries(const struct bench_row *row, struct query_set *queries)
{
    int status = bench_pair_open(row, &queries->pair);

    if (status)
        return status;
    if (queries->kinds) {
        kymo_segment_prefault(queries->pair.writer->segment, queries->kinds, NULL);
        kymo_segment_prefault(queries->pair.reader->segment, queries->kinds, NULL);
    }
    bench_pair_fill(&queries->pair, PERIOD, JITTER);
    pick_instants(queries);
    queries->after = bench_memory(row->size);
    return 0;
}

static void close_queries(struct query_set *queries)
{
    if (!queries->instants)
        return;
    bench_memory_free(queries->after, queries->pair.size);
    bench_pair_close(&queries->pair);
    bench_memory_free(queries->instants, INSTANTS * sizeof(*queries->instants));
}

static int open_series(const struct bench_row *row, void **context)
{
    struct series *series = calloc(1, sizeof(*series));

    bench_require(series ? 0 : -ENOMEM, row->name);
    *context = series;
    return open_queries(row, &series->row);
}

static int open_sequence(const struct bench_row *row, void **context)
{
    struct series *series = calloc(1, sizeof(*series));

    bench_require(series ? 0 : -ENOMEM, row->name);
    *context = series;
    series->row.in_sequence = 1;
    return open_queries(row, &series->row);
}

/* The baseline is a ring of depth 64. */
static int open_growth(const struct bench_row *row, void **context)
{
    static const struct bench_row small = {.name = "small", .size = 64, .depth = 64};
    int status = open_series(row, context);
    struct series *series = *context;

    return status ? status : open_queries(&small, &series->small);
}

/* The same with the deep ring in huge pages. */
static int open_growth_huge(const struct bench_row *row, void **context)
{
    static const struct bench_row small = {.name = "small", .size = 64, .depth = 64};
    struct series *series = calloc(1, sizeof(*series));
    int status;

    bench_require(series ? 0 : -ENOMEM, row->name);
    *context = series;
    series->row.kinds = KYMO_HUGE_PAGES | KYMO_PREFAULT;
    status = open_queries(row, &series->row);
    return status ? status : open_queries(&small, &series->small);
}

static void close_series(void *context)
{
    struct series *series = context;

    close_queries(&series->row);
    close_queries(&series->small);
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

static inline uint64_t closest(struct query_set *queries, uint64_t count)
{
    struct bench_line copy;
    struct kymo_record record;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(line_closest(queries->pair.line_reader, next_instant(queries),
                                   KYMO_ANY_DISTANCE, &copy, &record),
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

/* Each query depends on the result of the previous one: the latency of one query. */
static uint64_t run_closest_chained(void *context, uint64_t count)
{
    struct query_set *queries = &((struct series *)context)->row;
    struct bench_line copy;
    struct kymo_record record;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t instant = next_instant(queries) + (sum & 1);

        bench_require(line_closest(queries->pair.line_reader, instant, KYMO_ANY_DISTANCE, &copy,
                                   &record),
                      "closest");
        __asm__ volatile("" : : "r"(&copy), "r"(&record) : "memory");
        sum += copy.word[0];
    }
    return sum;
}

static inline uint64_t find(struct query_set *queries, uint64_t count)
{
    uint64_t pos = 0, sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(kymo_series_find_closest(queries->pair.reader, next_instant(queries),
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
    struct query_set *queries = &((struct series *)context)->row;
    struct bench_line before, after;
    struct kymo_bracket bracket = {.alpha = 0};
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        int error = line_bracket(queries->pair.line_reader, next_instant(queries), &before, &after,
                                 &bracket);

        if (error != -EDOM) /* before the oldest record */
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

/* ---- any payload: bytes in, bytes out ---- */

static uint64_t run_closest_bytes(void *context, uint64_t count)
{
    struct query_set *queries = &((struct series *)context)->row;
    const struct bench_data *data = &queries->pair.data;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(kymo_series_closest(queries->pair.reader, next_instant(queries),
                                          KYMO_ANY_DISTANCE, data->copy, data->size, NULL),
                      "closest");
        sum += bench_marked(data->copy, data->size);
    }
    return sum;
}

static uint64_t run_bracket_bytes(void *context, uint64_t count)
{
    struct query_set *queries = &((struct series *)context)->row;
    const struct bench_data *data = &queries->pair.data;
    struct kymo_bracket bracket = {.alpha = 0};
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        int error = kymo_series_bracket(queries->pair.reader, next_instant(queries), data->copy,
                                        queries->after, data->size, &bracket);

        if (error != -EDOM) /* before the oldest record */
            bench_require(error, "bracket");
        sum += bench_marked(data->copy, data->size) + bench_marked(queries->after, data->size);
    }
    return sum;
}

static uint64_t run_fresh_bytes(void *context, uint64_t count)
{
    const struct bench_pair *pair = &((struct series *)context)->row.pair;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(kymo_series_fresh(pair->reader, pair->time, pair->data.copy, pair->size,
                                        NULL),
                      "fresh");
        sum += bench_marked(pair->data.copy, pair->size);
    }
    return sum;
}

static uint64_t run_latest_bytes(void *context, uint64_t count)
{
    const struct bench_pair *pair = &((struct series *)context)->row.pair;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(kymo_ring_latest(pair->reader, pair->data.copy, pair->size, NULL), "reading");
        sum += bench_marked(pair->data.copy, pair->size);
    }
    return sum;
}

/* Baseline of bracket, which also reads two records. */
static uint64_t run_newest_two(void *context, uint64_t count)
{
    const struct query_set *queries = &((struct series *)context)->row;
    const struct bench_pair *pair = &queries->pair;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(kymo_ring_back(pair->reader, 1, pair->data.copy, pair->size, NULL),
                      "reading");
        bench_require(kymo_ring_latest(pair->reader, queries->after, pair->size, NULL), "reading");
        sum += bench_marked(pair->data.copy, pair->size) + bench_marked(queries->after, pair->size);
    }
    return sum;
}

/* ---- correctness beside a full-speed writer (G: exact time queries) ---- */

#define CHECKS 100000000u

/* The time of the record at pos. It grows by 600 to 1400. */
static inline uint64_t time_of(uint64_t pos)
{
    uint64_t hash = (pos + 1) * 0x9e3779b97f4a7c15u;

    return (pos + 1) * 1000 + (hash >> 40) % 400;
}

struct raced {
    struct bench_pair pair;
    volatile int stop;
};

static void *race(void *context)
{
    struct raced *raced = context;
    struct bench_line line = {{0}};

    for (uint64_t pos = kymo_ring_head(&raced->pair.reader->ring); !raced->stop; pos++) {
        line.word[0] = line.word[7] = pos;
        bench_require(line_publish(raced->pair.lines, &line, time_of(pos), pos), "publishing");
    }
    return NULL;
}

static int open_raced(const struct bench_row *row, void **context)
{
    struct raced *raced = calloc(1, sizeof(*raced));
    struct bench_line line = {{0}};
    int status;

    bench_require(raced ? 0 : -ENOMEM, row->name);
    if (bench_pin(0) < 2) {
        free(raced);
        return bench_skip("needs two CPUs");
    }
    status = bench_pair_open(row, &raced->pair);
    *context = raced;
    for (uint64_t pos = 0; !status && pos < row->depth; pos++) {
        line.word[0] = line.word[7] = pos;
        bench_require(line_publish(raced->pair.lines, &line, time_of(pos), pos), "publishing");
    }
    return status;
}

static void close_raced(void *context)
{
    struct raced *raced = context;

    bench_pair_close(&raced->pair);
    free(raced);
}

static uint64_t distance_between(uint64_t one, uint64_t other)
{
    return one > other ? one - other : other - one;
}

/* Whether pos is correct for a window during the query: a neighbour present all the time must not be
 * closer; of two equally distant times, the earlier counts. */
static int is_closest(uint64_t instant, uint64_t pos, uint64_t lowest, uint64_t head)
{
    const uint64_t distance = distance_between(instant, time_of(pos));

    if (pos > lowest && distance_between(instant, time_of(pos - 1)) <= distance)
        return 0;
    return pos + 1 >= head || distance_between(instant, time_of(pos + 1)) >= distance;
}

static int is_right(const struct raced *raced, uint64_t instant, uint64_t head,
                    const struct bench_line *line, const struct kymo_record *record)
{
    const struct kymo_ring *ring = &raced->pair.reader->ring;
    const uint64_t now = kymo_ring_head(ring);

    return record->time == time_of(record->pos) && line->word[0] == record->pos &&
           line->word[7] == record->pos &&
           is_closest(instant, record->pos, now > ring->mask ? now - ring->mask : 0, head);
}

static void measure_raced(void *context, const struct bench_settings *settings,
                          struct bench_result *result)
{
    struct raced *raced = context;
    const struct kymo_ring *ring = &raced->pair.reader->ring;
    const uint64_t most = settings->rounds < 100 ? CHECKS / 1000 : CHECKS;
    uint64_t state = 88172645463325252u, began;
    pthread_t thread;

    bench_partner_start(&thread, race, raced);
    began = bench_now();
    /* At most 30 s. */
    for (uint64_t i = 0; i < most && (i % 4096 || bench_now() - began < 30000000000u); i++) {
        const uint64_t head = kymo_ring_head(ring);
        const uint64_t back = bench_random(&state) % (ring->mask + 4);
        const uint64_t instant = time_of(head - 1) + 700 - back * 1000;
        struct kymo_record record;
        struct bench_line line;
        int error =
            line_closest(raced->pair.line_reader, instant, KYMO_ANY_DISTANCE, &line, &record);

        if (error == -ESTALE)
            continue;
        bench_require(error, "closest");
        result->checked++;
        result->wrong += !is_right(raced, instant, head, &line, &record);
    }
    raced->stop = 1;
    result->ns = (double)(bench_now() - began) / (result->checked > 0 ? result->checked : 1);
    pthread_join(thread, NULL);
}

/* ---- rows ---- */

#define LINES(slots) .size = 64, .depth = (slots), .close = close_series

#define CLOSEST(slots, ratio)                                                            \
    {                                                                                    \
        .name = "closest-typed", .against = "memcpy of 64 bytes", .most_ratio = (ratio), \
        LINES(slots), .open = open_series, .run = run_closest, .baseline = copy_line     \
    }

/* One query: name of the row, setup of the instants, query; for records of one line, or for records
 * of any size against reads without a search. */
#define OVER_DEPTH(slots, what, opened, query)                         \
    {                                                                  \
        .name = (what), LINES(slots), .open = (opened), .run = (query) \
    }
#define OVER_PAYLOAD(bytes, what, opened, query, reads, how)                              \
    {                                                                                     \
        .name = (what), .against = (how), .size = (bytes), .depth = 64, .open = (opened), \
        .run = (query), .baseline = (reads), .close = close_series                        \
    }

/* All queries at one depth. */
#define DEPTH(slots)                                                         \
    OVER_DEPTH(slots, "closest-random", open_series, run_closest),           \
        OVER_DEPTH(slots, "closest-sequential", open_sequence, run_closest), \
        OVER_DEPTH(slots, "bracket-random", open_series, run_bracket),       \
        OVER_DEPTH(slots, "bracket-sequential", open_sequence, run_bracket), \
        OVER_DEPTH(slots, "fresh", open_series, run_fresh)

/* All queries at one size. */
#define PAYLOAD(bytes)                                                                       \
    OVER_PAYLOAD(bytes, "closest-payload-random", open_series, run_closest_bytes,            \
                 run_latest_bytes, "latest"),                                                \
        OVER_PAYLOAD(bytes, "closest-payload-sequential", open_sequence, run_closest_bytes,  \
                     run_latest_bytes, "latest"),                                            \
        OVER_PAYLOAD(bytes, "bracket-payload-random", open_series, run_bracket_bytes,        \
                     run_newest_two, "the two newest"),                                      \
        OVER_PAYLOAD(bytes, "bracket-payload-sequential", open_sequence, run_bracket_bytes,  \
                     run_newest_two, "the two newest"),                                      \
        OVER_PAYLOAD(bytes, "fresh-payload", open_series, run_fresh_bytes, run_latest_bytes, \
                     "latest")

#define GROWTH(what, opened, ratio)                                                            \
    {                                                                                          \
        .name = (what), .against = "closest, depth 64", .most_ratio = (ratio), LINES(1 << 20), \
        .open = (opened), .run = run_closest, .baseline = run_small_closest                    \
    }

const struct bench_row bench_series_rows[] = {
    CLOSEST(64, 12),
    CLOSEST(1 << 10, 0),
    CLOSEST(1 << 15, 0),
    GROWTH("closest-growth", open_growth, 0),
    GROWTH("closest-growth-huge-pages", open_growth_huge, 8),
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
    DEPTH(1 << 6),
    DEPTH(1 << 8),
    DEPTH(1 << 10),
    DEPTH(1 << 12),
    DEPTH(1 << 14),
    DEPTH(1 << 16),
    DEPTH(1 << 18),
    DEPTH(1 << 20),
    PAYLOAD(8),
    PAYLOAD(64),
    PAYLOAD(512),
    PAYLOAD(4096),
    PAYLOAD(1 << 16),
    PAYLOAD(1 << 20),
    PAYLOAD(6 << 20),
    {.name = "closest-beside-full-speed-writer",
     .size = 64,
     .depth = 64,
     .open = open_raced,
     .measure = measure_raced,
     .close = close_raced},
    {.name = "closest-beside-full-speed-writer",
     .size = 64,
     .depth = 1 << 14,
     .open = open_raced,
     .measure = measure_raced,
     .close = close_raced},
    {.name = NULL},
};
