/*
 * bench_series.c - questions about time: records every 5 ms with 10 % of jitter, asked for instants
 * from their whole history, at random, each at another place than the one before, or in sequence.
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
    unsigned char *after; /* gets the later record of a bracket */
    uint64_t *instants;
    uint64_t next;      /* instant; goes on from round to round */
    unsigned int kinds; /* of pages: enum kymo_prefault */
    int in_sequence;
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
        asked->instants[i] =
            asked->pair.time -
            (asked->in_sequence ? span / INSTANTS * (INSTANTS - i) : bench_random(&state) % span);
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
    if (asked->kinds) {
        kymo_segment_prefault(asked->pair.writer->segment, asked->kinds, NULL);
        kymo_segment_prefault(asked->pair.reader->segment, asked->kinds, NULL);
    }
    bench_pair_fill(&asked->pair, PERIOD, JITTER);
    pick_instants(asked);
    asked->after = bench_memory(row->size);
    return 0;
}

static void close_asked(struct asked *asked)
{
    if (!asked->instants)
        return;
    bench_memory_free(asked->after, asked->pair.size);
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

static int open_sequence(const struct bench_row *row, void **context)
{
    struct series *series = calloc(1, sizeof(*series));

    bench_require(series ? 0 : -ENOMEM, row->name);
    *context = series;
    series->row.in_sequence = 1;
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

/* The same with the large ring in huge pages, as who has one asks for. */
static int open_growth_huge(const struct bench_row *row, void **context)
{
    static const struct bench_row small = {.name = "small", .size = 64, .depth = 64};
    struct series *series = calloc(1, sizeof(*series));
    int status;

    bench_require(series ? 0 : -ENOMEM, row->name);
    *context = series;
    series->row.kinds = KYMO_HUGE_PAGES | KYMO_PREFAULT;
    status = open_asked(row, &series->row);
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

/* ---- any payload: bytes in, bytes out ---- */

static uint64_t run_closest_bytes(void *context, uint64_t count)
{
    struct asked *asked = &((struct series *)context)->row;
    const struct bench_data *data = &asked->pair.data;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(kymo_series_closest(asked->pair.reader, next_instant(asked),
                                          KYMO_ANY_DISTANCE, data->copy, data->size, NULL),
                      "closest");
        sum += bench_marked(data->copy, data->size);
    }
    return sum;
}

static uint64_t run_bracket_bytes(void *context, uint64_t count)
{
    struct asked *asked = &((struct series *)context)->row;
    const struct bench_data *data = &asked->pair.data;
    struct kymo_bracket bracket = {.alpha = 0};
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        int error = kymo_series_bracket(asked->pair.reader, next_instant(asked), data->copy,
                                        asked->after, data->size, &bracket);

        if (error != -EDOM) /* an instant before the oldest record */
            bench_require(error, "bracket");
        sum += bench_marked(data->copy, data->size) + bench_marked(asked->after, data->size);
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

/* The two newest, as a bracket is two records. */
static uint64_t run_newest_two(void *context, uint64_t count)
{
    const struct asked *asked = &((struct series *)context)->row;
    const struct bench_pair *pair = &asked->pair;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(kymo_ring_back(pair->reader, 1, pair->data.copy, pair->size, NULL),
                      "reading");
        bench_require(kymo_ring_latest(pair->reader, asked->after, pair->size, NULL), "reading");
        sum += bench_marked(pair->data.copy, pair->size) + bench_marked(asked->after, pair->size);
    }
    return sum;
}

/* ---- under a writer at full speed: is any answer wrong? (promise G) ---- */

#define ANSWERS 100000000u

/* What the record at pos has for its time; both ends know it. It grows by 600 to 1400. */
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
        return bench_skip("takes two CPUs");
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

/* What closest said is right for some window that stood while it was asked: a neighbour that was
 * there all the time must not be closer, and of two equally far the earlier counts. */
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
    const uint64_t most = settings->rounds < 100 ? ANSWERS / 1000 : ANSWERS;
    uint64_t state = 88172645463325252u, began;
    pthread_t thread;

    bench_partner_start(&thread, race, raced);
    began = bench_now();
    /* Half a minute is enough even where the machine is busy. */
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
        result->asked++;
        result->wrong += !is_right(raced, instant, head, &line, &record);
    }
    raced->stop = 1;
    result->ns = (double)(bench_now() - began) / (result->asked > 0 ? result->asked : 1);
    pthread_join(thread, NULL);
}

/* ---- rows ---- */

#define LINES(slots) .size = 64, .depth = (slots), .close = close_series

#define CLOSEST(slots, ratio)                                                            \
    {                                                                                    \
        .name = "closest-typed", .against = "memcpy of 64 bytes", .most_ratio = (ratio), \
        LINES(slots), .open = open_series, .run = run_closest, .baseline = copy_line     \
    }

/* One question: how the row is called, the instants that it asks for, how it asks; over records of a
 * line, or over records of any size beside reads of the same without a search. */
#define OVER_DEPTH(slots, what, opened, asks)                         \
    {                                                                 \
        .name = (what), LINES(slots), .open = (opened), .run = (asks) \
    }
#define OVER_PAYLOAD(bytes, what, opened, asks, reads, how)                               \
    {                                                                                     \
        .name = (what), .against = (how), .size = (bytes), .depth = 64, .open = (opened), \
        .run = (asks), .baseline = (reads), .close = close_series                         \
    }

/* Each question over one depth. */
#define DEPTH(slots)                                                         \
    OVER_DEPTH(slots, "closest-random", open_series, run_closest),           \
        OVER_DEPTH(slots, "closest-sequential", open_sequence, run_closest), \
        OVER_DEPTH(slots, "bracket-random", open_series, run_bracket),       \
        OVER_DEPTH(slots, "bracket-sequential", open_sequence, run_bracket), \
        OVER_DEPTH(slots, "fresh", open_series, run_fresh)

/* Each question over one size. */
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
    {.name = "closest-while-flat-out",
     .size = 64,
     .depth = 64,
     .open = open_raced,
     .measure = measure_raced,
     .close = close_raced},
    {.name = "closest-while-flat-out",
     .size = 64,
     .depth = 1 << 14,
     .open = open_raced,
     .measure = measure_raced,
     .close = close_raced},
    {.name = NULL},
};
