/*
 * bench_ring.c - one thread publishes and reads: the cost of the protocol compared with
 * copies.
 */
#include <errno.h>
#include <stdlib.h>

#include "copy_baseline.h"
#include "fixture.h"
#include "rows.h"

#if BENCH_HAVE_CK
#include <ck_sequence.h>
#endif

struct ring {
    struct bench_pair pair;
    struct copy_baseline baseline;
#if BENCH_HAVE_CK
    ck_sequence_t sequence;
    struct bench_line guarded;
#endif
};

static int open_beside(const struct bench_row *row, void **context,
                       void (*open_baseline)(struct copy_baseline *, uint64_t size, uint64_t depth))
{
    struct ring *ring = calloc(1, sizeof(*ring));
    int status;

    bench_require(ring ? 0 : -ENOMEM, row->name);
    status = bench_pair_open(row, &ring->pair);
    if (status)
        return status;
    open_baseline(&ring->baseline, row->size, row->depth);
    bench_pair_fill(&ring->pair, 1, 0);
    *context = ring;
    return 0;
}

static int open_ring(const struct bench_row *row, void **context)
{
    return open_beside(row, context, copy_baseline_open);
}

/* The baseline uses a file mapped twice. */
static int open_ring_beside_file(const struct bench_row *row, void **context)
{
    return open_beside(row, context, copy_baseline_open_file);
}

/* The ring in huge pages, the baseline in base pages. */
static int open_ring_huge(const struct bench_row *row, void **context)
{
    const unsigned int kinds = KYMO_HUGE_PAGES | KYMO_PREFAULT;
    int status = open_ring(row, context);
    struct ring *ring = *context;

    if (status)
        return status;
    kymo_segment_prefault(ring->pair.writer->segment, kinds, NULL);
    kymo_segment_prefault(ring->pair.reader->segment, kinds, NULL);
    return 0;
}

static void close_ring(void *context)
{
    struct ring *ring = context;

    copy_baseline_close(&ring->baseline);
    bench_pair_close(&ring->pair);
    free(ring);
}

static uint64_t publish_and_read(void *context, uint64_t count)
{
    struct bench_pair *pair = &((struct ring *)context)->pair;
    const struct bench_data *data = &pair->data;
    struct kymo_writer *writer = pair->writer;
    const struct kymo_reader *reader = pair->reader;
    const uint64_t size = pair->size;
    uint64_t time = pair->time;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(kymo_ring_publish(writer, bench_record(data, i), size, ++time, i),
                      "publishing");
        bench_require(kymo_ring_latest(reader, data->copy, size, NULL), "reading");
        sum += bench_marked(data->copy, size);
    }
    pair->time = time;
    return sum;
}

/* The i-th record of one line. */
static inline struct bench_line *line_record(const struct bench_pair *pair, uint64_t i)
{
    return (struct bench_line *)(void *)pair->data.records + (i & pair->data.mask);
}

static uint64_t publish_and_read_lines(void *context, uint64_t count)
{
    struct bench_pair *pair = &((struct ring *)context)->pair;
    struct line_writer *writer = pair->lines;
    const struct line_reader *reader = pair->line_reader;
    uint64_t time = pair->time;
    struct bench_line copy;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(line_publish(writer, line_record(pair, i), ++time, i), "publishing");
        bench_require(line_latest(reader, &copy, NULL), "reading");
        sum += bench_marked((unsigned char *)&copy, sizeof(copy));
    }
    pair->time = time;
    return sum;
}

static uint64_t copy_twice(void *context, uint64_t count)
{
    struct ring *ring = context;

    return copy_baseline_run(&ring->baseline, &ring->pair.data, count);
}

static uint64_t copy_twice_locked(void *context, uint64_t count)
{
    struct ring *ring = context;

    return copy_baseline_run_locked(&ring->baseline, &ring->pair.data, count);
}

/* ---- publish or read only ---- */

static inline uint64_t publish_to(struct bench_pair *pair, uint64_t count)
{
    struct line_writer *writer = pair->lines;
    uint64_t time = pair->time;

    for (uint64_t i = 0; i < count; i++)
        bench_require(line_publish(writer, line_record(pair, i), ++time, i), "publishing");
    return pair->time = time;
}

static uint64_t publish_lines(void *context, uint64_t count)
{
    return publish_to(&((struct ring *)context)->pair, count);
}

static uint64_t copy_locked(void *context, uint64_t count)
{
    struct ring *ring = context;
    struct copy_baseline *baseline = &ring->baseline;

    for (uint64_t i = 0; i < count; i++) {
        memcpy(baseline->memory + (i & baseline->mask) * baseline->stride,
               line_record(&ring->pair, i), bench_hidden(sizeof(struct bench_line)));
        __atomic_exchange_n(&baseline->word, i, __ATOMIC_SEQ_CST);
    }
    return count;
}

/*
 * The cost of a deep ring without its cache misses, which a bare copy to as many slots of two cache
 * lines (96 bytes copied) and one time has as well.
 */
struct bare {
    unsigned char *slots;
    uint64_t *times;
    uint64_t mask;
    uint64_t next;
    uint64_t word;
};

#define BARE_STRIDE UINT64_C(128)
#define BARE_OFFSET 32
#define BARE_BYTES  96

static void open_bare(struct bare *bare, uint64_t depth)
{
    bare->slots = bench_memory(depth * BARE_STRIDE);
    bare->times = bench_memory(depth * sizeof(*bare->times));
    bare->mask = depth - 1;
}

static void close_bare(struct bare *bare)
{
    bench_memory_free(bare->slots, (bare->mask + 1) * BARE_STRIDE);
    bench_memory_free(bare->times, (bare->mask + 1) * sizeof(*bare->times));
}

static void copy_bare(struct bare *bare, uint64_t count)
{
    static unsigned char record[BARE_BYTES];

    for (uint64_t i = 0; i < count; i++) {
        const uint64_t slot = bare->next++ & bare->mask;

        memcpy(bare->slots + slot * BARE_STRIDE + BARE_OFFSET, record, BARE_BYTES);
        bare->times[slot] = i;
        __atomic_exchange_n(&bare->word, i, __ATOMIC_SEQ_CST);
    }
}

/* A deep ring and one of two slots, and bare memory of the same sizes. */
struct growth {
    struct bench_pair deep, small;
    struct bare deep_bare, small_bare;
};

static int open_growth(const struct bench_row *row, void **context)
{
    static const struct bench_row small = {.name = "small", .size = 64, .depth = 2};
    struct growth *growth = calloc(1, sizeof(*growth));
    int status;

    bench_require(growth ? 0 : -ENOMEM, row->name);
    status = bench_pair_open(row, &growth->deep);
    if (status) {
        free(growth);
        return status;
    }
    bench_require(bench_pair_open(&small, &growth->small), "a small ring");
    bench_pair_fill(&growth->deep, 1, 0);
    bench_pair_fill(&growth->small, 1, 0);
    open_bare(&growth->deep_bare, row->depth);
    open_bare(&growth->small_bare, small.depth);
    *context = growth;
    return 0;
}

static void close_growth(void *context)
{
    struct growth *growth = context;

    close_bare(&growth->deep_bare);
    close_bare(&growth->small_bare);
    bench_pair_close(&growth->deep);
    bench_pair_close(&growth->small);
    free(growth);
}

static void measure_growth(void *context, const struct bench_settings *settings,
                           struct bench_result *result)
{
    const uint64_t count = 20000;
    struct growth *growth = context;
    double ns[4][256];

    for (unsigned int round = 0; round < settings->rounds; round++) {
        uint64_t at[5];

        at[0] = bench_now();
        publish_to(&growth->deep, count);
        at[1] = bench_now();
        copy_bare(&growth->deep_bare, count);
        at[2] = bench_now();
        publish_to(&growth->small, count);
        at[3] = bench_now();
        copy_bare(&growth->small_bare, count);
        at[4] = bench_now();
        for (int i = 0; i < 4; i++)
            ns[i][round] = (double)(at[i + 1] - at[i]) / (double)count;
    }
    result->ns = bench_quantile(ns[0], settings->rounds, 0.5) -
                 bench_quantile(ns[1], settings->rounds, 0.5) +
                 bench_quantile(ns[3], settings->rounds, 0.5);
    result->baseline = bench_quantile(ns[2], settings->rounds, 0.5);
}

static uint64_t read_lines(void *context, uint64_t count)
{
    const struct line_reader *reader = ((struct ring *)context)->pair.line_reader;
    struct bench_line copy;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(line_latest(reader, &copy, NULL), "reading");
        __asm__ volatile("" : : "r"(&copy) : "memory");
        sum += copy.word[0] + copy.word[7];
    }
    return sum;
}

static uint64_t read_records(void *context, uint64_t count)
{
    struct ring *ring = context;
    struct bench_line copy;
    struct kymo_record record;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(line_latest(ring->pair.line_reader, &copy, &record), "reading");
        __asm__ volatile("" : : "r"(&copy), "r"(&record) : "memory");
        sum += copy.word[0] + copy.word[7];
    }
    return sum;
}

#if BENCH_HAVE_CK

static int open_sequence_lock(const struct bench_row *row, void **context)
{
    int status = open_ring(row, context);
    struct ring *ring = *context;

    if (status)
        return status;
    ck_sequence_init(&ring->sequence);
    ck_sequence_write_begin(&ring->sequence);
    memcpy(&ring->guarded, ring->pair.data.records, sizeof(ring->guarded));
    ck_sequence_write_end(&ring->sequence);
    return 0;
}

static uint64_t read_sequence_lock(void *context, uint64_t count)
{
    struct ring *ring = context;
    struct bench_line copy;
    unsigned int version;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        do {
            version = ck_sequence_read_begin(&ring->sequence);
            copy = ring->guarded;
        } while (ck_sequence_read_retry(&ring->sequence, version));
        __asm__ volatile("" : : "r"(&copy) : "memory");
        sum += copy.word[0] + copy.word[7];
    }
    return sum;
}

#else

static int open_sequence_lock(const struct bench_row *row, void **context)
{
    (void)row;
    (void)context;
    return bench_skip("built without libck-dev");
}

#define read_sequence_lock NULL

#endif

/* From the oldest record on, again and again: a reader that lags behind. */
static uint64_t follow(void *context, uint64_t count)
{
    struct ring *ring = context;
    struct line_cursor cursor;
    struct bench_line copy;
    struct kymo_record record;
    uint64_t sum = 0;

    line_cursor_oldest(&cursor, ring->pair.line_reader);
    for (uint64_t i = 0; i < count; i++) {
        int error = line_cursor_next(&cursor, &copy, &record, NULL);

        if (error == -ENODATA) {
            line_cursor_oldest(&cursor, ring->pair.line_reader);
            error = line_cursor_next(&cursor, &copy, &record, NULL);
        }
        bench_require(error, "following");
        __asm__ volatile("" : : "r"(&copy), "r"(&record) : "memory");
        sum += copy.word[0];
    }
    return sum;
}

/* ---- in place ---- */

static uint64_t loan_and_view(void *context, uint64_t count)
{
    struct bench_pair *pair = &((struct ring *)context)->pair;
    struct kymo_view view;
    void *payload;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(kymo_ring_loan(pair->writer, &payload), "loan");
        bench_require(kymo_ring_commit(pair->writer, pair->size, ++pair->time, i), "committing");
        bench_require(kymo_ring_view_latest(pair->reader, &view), "viewing");
        sum += view.record.tag;
        bench_require(kymo_ring_validate(pair->reader, &view), "validating");
    }
    return sum;
}

#define COMMON(bytes, slots) .size = (bytes), .depth = (slots), .close = close_ring

#define COPIES(bytes, slots, called, what, ratio, opened, times)                          \
    {                                                                                     \
        .name = (called), .against = (what), .most_ratio = (ratio), COMMON(bytes, slots), \
        .open = (opened), .run = publish_and_read, .baseline = copy_twice, .same_sum = 1, \
        .stretch = (times)                                                                \
    }

/* Long rounds visit each slot several times: cache contents left by the other side do not count. */
#define BANDWIDTH(bytes, slots, times)                                                          \
    COPIES(bytes, slots, "publish+latest", "two memcpys through a file mapped twice", 1 / 0.95, \
           open_ring_beside_file, times),                                                       \
        COPIES(bytes, slots, "publish+latest-against-private", "two memcpys", 0, open_ring, times)

#define LINES(slots, ratio)                                                               \
    {                                                                                     \
        .name = "publish+latest-typed", .against = "two memcpys, one locked instruction", \
        .most_ratio = (ratio), COMMON(64, slots), .open = open_ring,                      \
        .run = publish_and_read_lines, .baseline = copy_twice_locked, .same_sum = 1       \
    }

const struct bench_row bench_ring_rows[] = {
    LINES(64, 1.5),
    LINES(2, 0),
    LINES(1 << 20, 0),
    {.name = "publish+latest",
     .against = "two memcpys, one locked instruction",
     COMMON(64, 64),
     .open = open_ring,
     .run = publish_and_read,
     .baseline = copy_twice_locked,
     .same_sum = 1},
    COPIES(4096, 64, "publish+latest", "two memcpys", 1 / 0.95, open_ring, 0),
    BANDWIDTH(1 << 20, 8, 8),
    BANDWIDTH(6 << 20, 4, 32),
    {.name = "publish+latest-huge-pages",
     .against = "two memcpys",
     COMMON(1 << 20, 8),
     .open = open_ring_huge,
     .run = publish_and_read,
     .baseline = copy_twice,
     .same_sum = 1,
     .stretch = 8},
    {.name = "publish-typed",
     .against = "memcpy, one locked instruction",
     COMMON(64, 64),
     .open = open_ring,
     .run = publish_lines,
     .baseline = copy_locked},
    {.name = "publish-typed",
     .against = "memcpy, one locked instruction",
     COMMON(64, 1 << 20),
     .open = open_ring,
     .run = publish_lines,
     .baseline = copy_locked},
    {.name = "publish-growth",
     .against = "publish, depth 2; without the cache misses of a bare copy",
     .most_ratio = 1.5,
     .size = 64,
     .depth = 1 << 20,
     .open = open_growth,
     .measure = measure_growth,
     .close = close_growth},
    {.name = "latest-typed",
     .against = "ck_sequence's read",
     .most_ratio = 1.5,
     COMMON(64, 64),
     .open = open_sequence_lock,
     .run = read_lines,
     .baseline = read_sequence_lock},
    {.name = "latest-typed-with-record", COMMON(64, 64), .open = open_ring, .run = read_records},
    {.name = "cursor-next-typed", COMMON(64, 1024), .open = open_ring, .run = follow},
    {.name = "loan+commit+view+validate",
     .most_ns = 100,
     COMMON(6 << 20, 4),
     .open = open_ring,
     .run = loan_and_view},
    {.name = NULL},
};
