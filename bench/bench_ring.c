/*
 * bench_ring.c - one thread publishes and reads: what the protocol costs beside the copies.
 */
#include <errno.h>
#include <stdlib.h>

#include "fixture.h"
#include "middle.h"
#include "rows.h"

#if BENCH_HAVE_CK
#include <ck_sequence.h>
#endif

struct ring {
    struct bench_pair pair;
    struct bench_pair small; /* what growth is held against */
    struct bench_middle middle;
#if BENCH_HAVE_CK
    ck_sequence_t sequence;
    struct bench_line guarded;
#endif
};

static int open_ring(const struct bench_row *row, void **context)
{
    struct ring *ring = calloc(1, sizeof(*ring));
    int status;

    bench_require(ring ? 0 : -ENOMEM, row->name);
    status = bench_pair_open(row, &ring->pair);
    if (status)
        return status;
    bench_middle_open(&ring->middle, row->size, row->depth);
    bench_pair_fill(&ring->pair, 1, 0);
    *context = ring;
    return 0;
}

static void close_ring(void *context)
{
    struct ring *ring = context;

    bench_middle_close(&ring->middle);
    bench_pair_close(&ring->pair);
    if (ring->small.writer)
        bench_pair_close(&ring->small);
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

/* The i-th record, where records are of a line. */
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

    return bench_middle_run(&ring->middle, &ring->pair.data, count);
}

static uint64_t copy_twice_locked(void *context, uint64_t count)
{
    struct ring *ring = context;

    return bench_middle_run_locked(&ring->middle, &ring->pair.data, count);
}

/* ---- one end alone ---- */

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

static uint64_t publish_small(void *context, uint64_t count)
{
    return publish_to(&((struct ring *)context)->small, count);
}

/* With a ring of two slots beside the row's. */
static int open_growth(const struct bench_row *row, void **context)
{
    static const struct bench_row small = {.name = "small", .size = 64, .depth = 2};
    int status = open_ring(row, context);
    struct ring *ring = *context;

    if (!status)
        status = bench_pair_open(&small, &ring->small);
    if (!status)
        bench_pair_fill(&ring->small, 1, 0);
    return status;
}

static uint64_t copy_locked(void *context, uint64_t count)
{
    struct ring *ring = context;
    struct bench_middle *middle = &ring->middle;

    for (uint64_t i = 0; i < count; i++) {
        memcpy(middle->memory + (i & middle->mask) * middle->stride, line_record(&ring->pair, i),
               bench_hidden(sizeof(struct bench_line)));
        __atomic_exchange_n(&middle->word, i, __ATOMIC_SEQ_CST);
    }
    return count;
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

static int open_guarded(const struct bench_row *row, void **context)
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

static uint64_t read_guarded(void *context, uint64_t count)
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

static int open_guarded(const struct bench_row *row, void **context)
{
    (void)row;
    (void)context;
    return bench_skip("built without libck-dev");
}

#define read_guarded NULL

#endif

/* The oldest first, then round the ring: what a reader that lags behind pays. */
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

static uint64_t lend_and_view(void *context, uint64_t count)
{
    struct bench_pair *pair = &((struct ring *)context)->pair;
    struct kymo_view view;
    void *payload;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(kymo_ring_loan(pair->writer, &payload), "lending");
        bench_require(kymo_ring_commit(pair->writer, pair->size, ++pair->time, i), "committing");
        bench_require(kymo_ring_view_latest(pair->reader, &view), "viewing");
        sum += view.record.tag;
        bench_require(kymo_ring_validate(pair->reader, &view), "validating");
    }
    return sum;
}

#define COMMON(bytes, slots) .size = (bytes), .depth = (slots), .close = close_ring

#define COPIES(bytes, slots)                                                                      \
    {                                                                                             \
        .name = "publish+latest", .against = "two memcpys", .most_ratio = 1 / 0.95,               \
        COMMON(bytes, slots), .open = open_ring, .run = publish_and_read, .baseline = copy_twice, \
        .same_sum = 1                                                                             \
    }

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
    COPIES(4096, 64),
    COPIES(1 << 20, 8),
    COPIES(6 << 20, 4),
    {.name = "publish-typed",
     .against = "memcpy, one locked instruction",
     COMMON(64, 64),
     .open = open_ring,
     .run = publish_lines,
     .baseline = copy_locked},
    {.name = "publish-growth",
     .against = "publish, depth 2",
     .most_ratio = 1.5,
     COMMON(64, 1 << 20),
     .open = open_growth,
     .run = publish_lines,
     .baseline = publish_small},
    {.name = "latest-typed",
     .against = "ck_sequence's read",
     .most_ratio = 1.5,
     COMMON(64, 64),
     .open = open_guarded,
     .run = read_lines,
     .baseline = read_guarded},
    {.name = "latest-typed-with-record", COMMON(64, 64), .open = open_ring, .run = read_records},
    {.name = "cursor-next-typed", COMMON(64, 1024), .open = open_ring, .run = follow},
    {.name = "loan+commit+view+validate",
     .most_ns = 100,
     COMMON(6 << 20, 4),
     .open = open_ring,
     .run = lend_and_view},
    {.name = NULL},
};
