/*
 * bench_wake.c - from one thread to another on the other CPU: a record handed
 * over and one handed back, against the barest that the machine can do; how
 * late a waiting reader is; what reading and publishing take while the other
 * side is at work.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "middle.h"
#include "rows.h"

#define READERS   4
#define LATENCIES 20000 /* of a distribution, at most */
#define TRIPS     5000  /* there and back, of one piece */
#define BATCH     8  /* trips timed at once where they take less than a few steps of the counter */
#define PIECES    11 /* of each side, in turn */

/* A word alone in its cache line. */
struct word {
    _Alignas(64) uint64_t value;
    uint32_t futex;
};

/* One direction: a ring of words that share their line with the slot's header. What one side changes
 * has no line in common with what the other looks at. */
struct direction {
    struct word_writer *writer;
    struct word_reader *reader;
    uint64_t *given;            /* the bare word, where its writer has it mapped */
    const uint64_t *taken;      /* and where its reader has */
    struct bench_middle file;   /* what it is in, where not in bare */
    _Alignas(64) uint64_t time; /* of the newest record */
    struct word bare;
};

struct wake {
    struct direction there, back;
    int blocking;
    int ready;       /* the other thread is there */
    uint64_t period; /* ns from one record to the next; 0: flat out */
    volatile int stop;
};

/* Filled beforehand, as the rows' other records (data.h). */
static struct bench_word words[64];

static void fill_words(void)
{
    for (uint64_t i = 0; i < 64; i++)
        words[i] = (struct bench_word){{i, 0, 0, i}};
}

static void open_direction(struct direction *direction)
{
    static unsigned int opened;
    const struct kymo_options options = {.depth = 64, .existing = KYMO_CREATE_NEW};
    const struct bench_word word = {{0}};
    char name[24];

    snprintf(name, sizeof(name), "wake%u", opened++);
    bench_require(word_writer_open(&direction->writer, name, &options), "opening a writer");
    bench_require(word_reader_open(&direction->reader, name), "opening a reader");
    direction->given = &direction->bare.value;
    direction->taken = &direction->bare.value;
    for (int i = 0; i < 64; i++)
        bench_require(word_publish(direction->writer, &word, 0, 0), "publishing");
    kymo_segment_prefault(direction->reader->untyped.segment, KYMO_PREFAULT, NULL);
}

static void close_direction(struct direction *direction)
{
    kymo_reader_close(&direction->reader->untyped);
    kymo_writer_remove(&direction->writer->untyped);
    if (direction->file.memory)
        bench_middle_close(&direction->file);
}

/* The bare word as two processes would have it: in a file that each has a mapping of, the reader a
 * read-only one as guests do. */
static void move_to_file(struct direction *direction)
{
    bench_middle_open_file(&direction->file, sizeof(struct word), 2);
    direction->given = (uint64_t *)(void *)direction->file.memory;
    direction->taken = (const uint64_t *)(const void *)direction->file.read;
}

static int open_wake(const struct bench_row *row, void **context)
{
    struct wake *wake = aligned_alloc(64, (sizeof(*wake) + 63) & ~(size_t)63);

    bench_require(wake ? 0 : -ENOMEM, row->name);
    memset(wake, 0, sizeof(*wake));
    if (bench_pin(0) < 2) {
        free(wake);
        return bench_skip("takes two CPUs");
    }
    open_direction(&wake->there);
    open_direction(&wake->back);
    fill_words();
    *context = wake;
    return 0;
}

static int open_wake_beside_file(const struct bench_row *row, void **context)
{
    int status = open_wake(row, context);
    struct wake *wake = *context;

    if (status)
        return status;
    move_to_file(&wake->there);
    move_to_file(&wake->back);
    return 0;
}

static int open_blocking(const struct bench_row *row, void **context)
{
    int status = open_wake(row, context);

    if (!status)
        ((struct wake *)*context)->blocking = 1;
    return status;
}

static void close_wake(void *context)
{
    struct wake *wake = context;

    close_direction(&wake->there);
    close_direction(&wake->back);
    free(wake);
}

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Short times: by the processor's counter where there is one, in ns by a look
 * at both clocks. */
static inline uint64_t ticks(void)
{
#if defined(__x86_64__)
    uint64_t now = __builtin_ia32_rdtsc();

    __asm__ volatile("" : : : "memory");
    return now;
#else
    return bench_now();
#endif
}

static double ns_per_tick(void)
{
    const uint64_t began = bench_now(), first = ticks();
    uint64_t now;

    while ((now = bench_now()) < began + 20000000)
        ;
    return (double)(now - began) / (double)(ticks() - first);
}

/* ---- hand-off: there and back ---- */

static inline void give(struct direction *direction, uint64_t i)
{
    bench_require(word_publish(direction->writer, &words[i % 64], ++direction->time, 0),
                  "publishing");
}

/* The record at *seen, which is then the next one. */
static inline uint64_t await(struct direction *direction, uint64_t *seen, int blocking)
{
    const struct kymo_reader *reader = &direction->reader->untyped;
    struct bench_word word;

    if (blocking)
        bench_require(kymo_ring_wait(reader, *seen, KYMO_FOREVER), "waiting");
    while (kymo_ring_poll(reader, *seen, &word, sizeof(word), NULL) != 0)
        relax();
    ++*seen;
    __asm__ volatile("" : : "r"(&word) : "memory");
    return word.word[0] + word.word[3];
}

static inline void give_bare(struct direction *direction, uint64_t i, int blocking)
{
    if (!blocking) {
        __atomic_store_n(direction->given, i + 1, __ATOMIC_RELEASE);
        return;
    }
    __atomic_store_n(&direction->bare.futex, (uint32_t)(i + 1), __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &direction->bare.futex, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static inline uint64_t await_bare(struct direction *direction, uint64_t i, int blocking)
{
    uint32_t now;

    if (!blocking) {
        while (__atomic_load_n(direction->taken, __ATOMIC_ACQUIRE) != i + 1)
            relax();
        return 2 * i;
    }
    while ((now = __atomic_load_n(&direction->bare.futex, __ATOMIC_SEQ_CST)) != (uint32_t)(i + 1))
        syscall(SYS_futex, &direction->bare.futex, FUTEX_WAIT, now, NULL, NULL, 0);
    return 2 * i;
}

static void *give_back(void *context)
{
    struct wake *wake = context;
    uint64_t seen = kymo_ring_head(&wake->there.reader->untyped.ring);

    __atomic_store_n(&wake->ready, 1, __ATOMIC_SEQ_CST);
    for (uint64_t i = 0;; i++) {
        await(&wake->there, &seen, wake->blocking);
        if (wake->stop)
            return NULL;
        give(&wake->back, i);
    }
}

static void *give_back_bare(void *context)
{
    struct wake *wake = context;

    __atomic_store_n(&wake->ready, 1, __ATOMIC_SEQ_CST);
    for (uint64_t i = 0;; i++) {
        await_bare(&wake->there, i, wake->blocking);
        if (wake->stop)
            return NULL;
        give_bare(&wake->back, i, wake->blocking);
    }
}

static void start(struct wake *wake, pthread_t *thread, void *(*run)(void *))
{
    wake->stop = 0;
    wake->ready = 0;
    bench_partner_start(thread, run, wake);
    while (!__atomic_load_n(&wake->ready, __ATOMIC_SEQ_CST))
        sched_yield();
}

/* A hand-off to a sleeper begins when the partner sleeps. On an idle machine neither side would ever
 * come to that, and each find its word changed whenever it asks the kernel to wait. */
static void let_sleep(const struct wake *wake)
{
    const uint64_t until = bench_now() + 50000;

    while (wake->blocking && bench_now() < until)
        relax();
}

static inline unsigned int batch(const struct wake *wake)
{
    return wake->blocking ? 1 : BATCH;
}

/* What each way there and back took, in ticks, into trips; until `end`, but some. */
static size_t ping_pong(struct wake *wake, uint64_t end, double *trips)
{
    uint64_t seen = kymo_ring_head(&wake->back.reader->untyped.ring);
    uint64_t i = 0;
    size_t count = 0;
    pthread_t thread;

    start(wake, &thread, give_back);
    while (count < TRIPS && (count < 100 || bench_now() < end)) {
        uint64_t began;

        let_sleep(wake);
        began = ticks();
        for (unsigned int trip = 0; trip < batch(wake); trip++) {
            give(&wake->there, i++);
            await(&wake->back, &seen, wake->blocking);
        }
        trips[count++] = (double)(ticks() - began) / batch(wake);
    }
    wake->stop = 1;
    give(&wake->there, i);
    pthread_join(thread, NULL);
    return count;
}

static size_t ping_pong_bare(struct wake *wake, uint64_t end, double *trips)
{
    uint64_t i = 0;
    size_t count = 0;
    pthread_t thread;

    wake->there.bare = wake->back.bare = (struct word){0, 0};
    *wake->there.given = *wake->back.given = 0;
    start(wake, &thread, give_back_bare);
    while (count < TRIPS && (count < 100 || bench_now() < end)) {
        uint64_t began;

        let_sleep(wake);
        began = ticks();
        for (unsigned int trip = 0; trip < batch(wake); trip++, i++) {
            give_bare(&wake->there, i, wake->blocking);
            await_bare(&wake->back, i, wake->blocking);
        }
        trips[count++] = (double)(ticks() - began) / batch(wake);
    }
    wake->stop = 1;
    give_bare(&wake->there, i, wake->blocking);
    pthread_join(thread, NULL);
    return count;
}

/* Each trip is timed by itself, or a few: on a busy machine some wait for a CPU a thousand times longer
 * than they take, and would be all of a mean. */
static void measure_hand_off(void *context, const struct bench_settings *settings,
                             struct bench_result *result)
{
    const uint64_t ns = (uint64_t)settings->rounds * settings->slice;
    double *trips = malloc(TRIPS * sizeof(*trips));
    double medians[2][PIECES];
    const double tick = ns_per_tick();

    bench_require(trips ? 0 : -ENOMEM, "timing trips");
    for (int piece = 0; piece < PIECES; piece++) {
        size_t count = ping_pong(context, bench_now() + ns, trips);

        medians[0][piece] = bench_quantile(trips, count, 0.5) * tick;
        count = ping_pong_bare(context, bench_now() + ns, trips);
        medians[1][piece] = bench_quantile(trips, count, 0.5) * tick;
    }
    result->ns = bench_quantile(medians[0], PIECES, 0.5);
    result->baseline = bench_quantile(medians[1], PIECES, 0.5);
    free(trips);
}

/* ---- how late a waiting reader is ---- */

static void sleep_until(uint64_t when)
{
    const struct timespec at = {.tv_sec = (time_t)(when / 1000000000),
                                .tv_nsec = (long)(when % 1000000000)};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* Publishes the time at which it does; sleeps between two records, or spins
 * where that is less than the kernel's timers do well. */
static void *publish_times(void *context)
{
    struct wake *wake = context;
    uint64_t next = bench_now();

    while (!wake->stop) {
        struct bench_word word = {{0}};

        next += wake->period;
        if (wake->period >= 1000000)
            sleep_until(next);
        else
            while (wake->period && bench_now() < next && !wake->stop)
                relax();
        word.word[0] = bench_now();
        word.word[3] = word.word[0];
        bench_require(word_publish(wake->there.writer, &word, ++wake->there.time, 0), "publishing");
    }
    return NULL;
}

static void *set_times(void *context)
{
    struct wake *wake = context;
    uint64_t next = bench_now();

    while (!wake->stop) {
        next += wake->period;
        while (bench_now() < next && !wake->stop)
            relax();
        __atomic_store_n(&wake->there.bare.value, bench_now(), __ATOMIC_RELEASE);
        if (wake->blocking) {
            __atomic_fetch_add(&wake->there.bare.futex, 1, __ATOMIC_SEQ_CST);
            syscall(SYS_futex, &wake->there.bare.futex, FUTEX_WAKE, 1, NULL, NULL, 0);
        }
    }
    return NULL;
}

static double await_time(struct wake *wake, uint64_t *seen)
{
    const struct kymo_reader *reader = &wake->there.reader->untyped;
    struct kymo_record record;
    struct bench_word word;

    if (wake->blocking)
        bench_require(kymo_ring_wait(reader, *seen, KYMO_FOREVER), "waiting");
    else
        while (kymo_ring_head(&reader->ring) <= *seen)
            relax();
    bench_require(word_latest(wake->there.reader, &word, &record), "reading");
    *seen = record.pos + 1;
    return (double)(bench_now() - word.word[0]);
}

static double await_bare_time(struct wake *wake, uint64_t *seen)
{
    struct word *bare = &wake->there.bare;
    uint64_t value;

    for (;;) {
        const uint32_t now = __atomic_load_n(&bare->futex, __ATOMIC_SEQ_CST);

        value = __atomic_load_n(&bare->value, __ATOMIC_ACQUIRE);
        if (value != *seen)
            break;
        if (wake->blocking)
            syscall(SYS_futex, &bare->futex, FUTEX_WAIT, now, NULL, NULL, 0);
        else
            relax();
    }
    *seen = value;
    return (double)(bench_now() - value);
}

/* As many latencies as fit the row's time, into values. */
static size_t collect(struct wake *wake, void *(*writer)(void *),
                      double (*reader)(struct wake *, uint64_t *), uint64_t ns, double *values)
{
    uint64_t seen = kymo_ring_head(&wake->there.reader->untyped.ring);
    const uint64_t end = bench_now() + ns;
    size_t count = 0;
    pthread_t thread;

    wake->stop = 0;
    if (reader == await_bare_time)
        seen = wake->there.bare.value = 0;
    bench_partner_start(&thread, writer, wake);
    for (int warm = 0; warm < 10; warm++)
        reader(wake, &seen);
    while (count < LATENCIES && (count < 100 || bench_now() < end))
        values[count++] = reader(wake, &seen);
    wake->stop = 1;
    pthread_join(thread, NULL);
    return count;
}

/* Ten pieces of each in turn. */
static void measure_lateness(void *context, const struct bench_settings *settings,
                             struct bench_result *result)
{
    const uint64_t ns = (uint64_t)settings->rounds * settings->slice / 4;
    double *values = malloc(2 * LATENCIES * sizeof(*values));
    double *bare = values + LATENCIES;
    double baseline[10];
    struct wake *wake = context;
    size_t count = 0;

    bench_require(values ? 0 : -ENOMEM, "a distribution");
    wake->period = 100000;
    for (int piece = 0; piece < 10; piece++) {
        size_t bares = collect(wake, set_times, await_bare_time, ns, bare);

        baseline[piece] = bench_quantile(bare, bares, 0.5);
        bares = collect(wake, publish_times, await_time, ns, bare);
        if (bares > LATENCIES - count)
            bares = LATENCIES - count;
        memcpy(values + count, bare, bares * sizeof(*values));
        count += bares;
    }
    bench_distribution(result, values, count);
    result->baseline = bench_quantile(baseline, 10, 0.5);
    free(values);
}

/* ---- reading beside a writer ---- */

static void measure_reads(void *context, const struct bench_settings *settings,
                          struct bench_result *result)
{
    const uint64_t end = bench_now() + 10 * settings->rounds * settings->slice;
    const size_t most = 2000000;
    double *values = malloc(most * sizeof(*values));
    const double tick = ns_per_tick();
    struct wake *wake = context;
    struct bench_word word;
    size_t count = 0;
    pthread_t thread;

    bench_require(values ? 0 : -ENOMEM, "a distribution");
    wake->stop = 0;
    bench_partner_start(&thread, publish_times, wake);
    while (count < most && (count < 10000 || bench_now() < end)) {
        for (int i = 0; i < 100 && count < most; i++) {
            const uint64_t began = ticks();
            int error = word_latest(wake->there.reader, &word, NULL);

            values[count++] = (double)(ticks() - began) * tick;
            if (error != -EAGAIN)
                bench_require(error, "reading");
            /* What the writer stored as one must be read as one. */
            bench_require(word.word[0] == word.word[3] ? 0 : -EBADMSG, "a torn record");
        }
    }
    wake->stop = 1;
    pthread_join(thread, NULL);
    bench_distribution(result, values, count);
    free(values);
}

#define PERIOD(function, ns)                                         \
    static int function(const struct bench_row *row, void **context) \
    {                                                                \
        int status = open_wake(row, context);                        \
                                                                     \
        if (!status)                                                 \
            ((struct wake *)*context)->period = (ns);                \
        return status;                                               \
    }

PERIOD(open_200, 5000000)
PERIOD(open_10k, 100000)
PERIOD(open_flat, 0)

/* ---- one writer, several readers ---- */

struct guest {
    struct wake *wake;
    uint64_t reads;
    uint64_t before; /* the writer began */
};

static void *read_on(void *context)
{
    struct guest *guest = context;
    struct bench_word word;

    while (!guest->wake->stop) {
        for (int i = 0; i < 64; i++) {
            int error = word_latest(guest->wake->there.reader, &word, NULL);

            if (error != -EAGAIN)
                bench_require(error, "reading");
            __asm__ volatile("" : : "r"(&word) : "memory");
        }
        __atomic_store_n(&guest->reads, guest->reads + 64, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* ns per publish, for the row's time; what `readers` read meanwhile, into
 * *read_ns. */
static double publish_beside(struct wake *wake, int readers, uint64_t ns, double *read_ns)
{
    struct guest guests[READERS];
    pthread_t threads[READERS];
    uint64_t count = 0, began, now;
    double reads = 0;

    wake->stop = 0;
    for (int i = 0; i < readers; i++) {
        guests[i] = (struct guest){wake, 0, 0};
        bench_partner_start(&threads[i], read_on, &guests[i]);
    }
    for (int i = 0; i < readers; i++)
        while ((guests[i].before = __atomic_load_n(&guests[i].reads, __ATOMIC_RELAXED)) == 0)
            sched_yield();
    began = bench_now();
    do {
        for (int i = 0; i < 256; i++)
            give(&wake->there, count++);
        now = bench_now();
    } while (now - began < ns);
    wake->stop = 1;
    for (int i = 0; i < readers; i++) {
        pthread_join(threads[i], NULL);
        reads += (double)(guests[i].reads - guests[i].before);
    }
    *read_ns = reads > 0 ? (double)(now - began) / reads : 0;
    return (double)(now - began) / (double)count;
}

static void measure_beside(void *context, const struct bench_settings *settings,
                           struct bench_result *result, int readers, int reading)
{
    const uint64_t ns = settings->rounds * settings->slice / 3;
    double values[2][11], read_ns;

    for (int piece = 0; piece < 11; piece++) {
        double beside = publish_beside(context, readers, ns, &read_ns);

        values[0][piece] = reading ? read_ns : beside;
        values[1][piece] = publish_beside(context, 0, ns, &read_ns);
    }
    result->ns = bench_quantile(values[0], 11, 0.5);
    if (!reading)
        result->baseline = bench_quantile(values[1], 11, 0.5);
}

#define BESIDE(readers)                                                                         \
    static void measure_publish_##readers(void *context, const struct bench_settings *settings, \
                                          struct bench_result *result)                          \
    {                                                                                           \
        measure_beside(context, settings, result, readers, 0);                                  \
    }                                                                                           \
    static void measure_read_##readers(void *context, const struct bench_settings *settings,    \
                                       struct bench_result *result)                             \
    {                                                                                           \
        measure_beside(context, settings, result, readers, 1);                                  \
    }

BESIDE(1)
BESIDE(2)
BESIDE(3)
BESIDE(4)

/* ---- rows ---- */

#define WORDS .size = 32, .depth = 64, .close = close_wake

#define BESIDE_ROWS(readers)                                                             \
    {.name = "publish-beside-" #readers "-readers",                                      \
     .against = "nobody reads",                                                          \
     WORDS,                                                                              \
     .open = open_wake,                                                                  \
     .measure = measure_publish_##readers},                                              \
    {                                                                                    \
        .name = "latest-beside-a-writer-" #readers "-readers", WORDS, .open = open_wake, \
        .measure = measure_read_##readers                                                \
    }

const struct bench_row bench_wake_rows[] = {
    {.name = "hand-off-spinning",
     .against = "there and back of a bare cache line, mapped read-only to its reader",
     .most_ratio = 1.25,
     WORDS,
     .open = open_wake_beside_file,
     .measure = measure_hand_off},
    {.name = "hand-off-spinning-against-writable",
     .against = "there and back of a bare cache line that both may write",
     WORDS,
     .open = open_wake,
     .measure = measure_hand_off},
    {.name = "hand-off-blocked",
     .against = "there and back by a bare futex",
     .most_ratio = 1.1,
     WORDS,
     .open = open_blocking,
     .measure = measure_hand_off},
    {.name = "lateness-spinning",
     .against = "a bare cache line, median",
     WORDS,
     .open = open_wake,
     .measure = measure_lateness},
    {.name = "lateness-blocked",
     .against = "a bare futex, median",
     WORDS,
     .open = open_blocking,
     .measure = measure_lateness},
    {.name = "latest-while-200-Hz", WORDS, .open = open_200, .measure = measure_reads},
    {.name = "latest-while-10-kHz", WORDS, .open = open_10k, .measure = measure_reads},
    {.name = "latest-while-flat-out", WORDS, .open = open_flat, .measure = measure_reads},
    BESIDE_ROWS(1),
    BESIDE_ROWS(2),
    BESIDE_ROWS(3),
    BESIDE_ROWS(4),
    {.name = NULL},
};
