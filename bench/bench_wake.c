/*
 * bench_wake.c - between threads on two CPUs: round trips of a record, against a bare cache line or
 * futex; latency of a waiting reader; reads and publishes beside the other side.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "copy_baseline.h"
#include "fixture.h"
#include "rows.h"

#define READERS   4
#define LATENCIES 20000 /* largest number in a distribution */
#define TRIPS     5000  /* round trips of one piece */
#define BATCH     8  /* round trips timed together if one takes only a few steps of the counter */
#define PIECES    11 /* of each side, alternating */

/* A word alone in its cache line. */
struct word {
    _Alignas(64) uint64_t value;
    uint32_t futex;
};

/* One direction: a ring whose payload shares its line with the slot's header. Data written by one side
 * never shares a line with data read by the other, except the record. */
struct direction {
    struct word_writer *writer;
    struct word_reader *reader;
    uint64_t *written;          /* the bare word in the writer's mapping */
    const uint64_t *read;       /* and in the reader's mapping */
    struct copy_baseline file;  /* its file, if it is not in bare */
    _Alignas(64) uint64_t time; /* of the newest record */
    struct word bare;
};

struct wake {
    struct direction ping, pong;
    int blocking;
    int ready;       /* the other thread runs */
    uint64_t period; /* ns between records; 0: full speed */
    volatile int stop;
};

/* Prepared in advance, see data.h. */
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
    direction->written = &direction->bare.value;
    direction->read = &direction->bare.value;
    for (int i = 0; i < 64; i++)
        bench_require(word_publish(direction->writer, &word, 0, 0), "publishing");
    kymo_segment_prefault(direction->reader->untyped.segment, KYMO_PREFAULT, NULL);
}

static void close_direction(struct direction *direction)
{
    kymo_reader_close(&direction->reader->untyped);
    kymo_writer_remove(&direction->writer->untyped);
    if (direction->file.memory)
        copy_baseline_close(&direction->file);
}

/* Places the bare word in a file with two mappings, the one of the reader read-only, as in two
 * processes. */
static void move_to_file(struct direction *direction)
{
    copy_baseline_open_file(&direction->file, sizeof(struct word), 2);
    direction->written = (uint64_t *)(void *)direction->file.memory;
    direction->read = (const uint64_t *)(const void *)direction->file.read;
}

static int open_wake(const struct bench_row *row, void **context)
{
    struct wake *wake = aligned_alloc(64, (sizeof(*wake) + 63) & ~(size_t)63);

    bench_require(wake ? 0 : -ENOMEM, row->name);
    memset(wake, 0, sizeof(*wake));
    if (bench_pin(0) < 2) {
        free(wake);
        return bench_skip("needs two CPUs");
    }
    open_direction(&wake->ping);
    open_direction(&wake->pong);
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
    move_to_file(&wake->ping);
    move_to_file(&wake->pong);
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

    close_direction(&wake->ping);
    close_direction(&wake->pong);
    free(wake);
}

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Short times: the processor's counter if there is one, calibrated with CLOCK_MONOTONIC. */
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

/* ---- hand-off: round trips ---- */

static inline void send_record(struct direction *direction, uint64_t i)
{
    bench_require(word_publish(direction->writer, &words[i % 64], ++direction->time, 0),
                  "publishing");
}

/* Waits for the record at *seen and advances it. */
static inline uint64_t await_record(struct direction *direction, uint64_t *seen, int blocking)
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

static inline void send_bare(struct direction *direction, uint64_t i, int blocking)
{
    if (!blocking) {
        __atomic_store_n(direction->written, i + 1, __ATOMIC_RELEASE);
        return;
    }
    __atomic_store_n(&direction->bare.futex, (uint32_t)(i + 1), __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &direction->bare.futex, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static inline uint64_t await_bare(struct direction *direction, uint64_t i, int blocking)
{
    uint32_t now;

    if (!blocking) {
        while (__atomic_load_n(direction->read, __ATOMIC_ACQUIRE) != i + 1)
            relax();
        return 2 * i;
    }
    while ((now = __atomic_load_n(&direction->bare.futex, __ATOMIC_SEQ_CST)) != (uint32_t)(i + 1))
        syscall(SYS_futex, &direction->bare.futex, FUTEX_WAIT, now, NULL, NULL, 0);
    return 2 * i;
}

static void *echo(void *context)
{
    struct wake *wake = context;
    uint64_t seen = kymo_ring_head(&wake->ping.reader->untyped.ring);

    __atomic_store_n(&wake->ready, 1, __ATOMIC_SEQ_CST);
    for (uint64_t i = 0;; i++) {
        await_record(&wake->ping, &seen, wake->blocking);
        if (wake->stop)
            return NULL;
        send_record(&wake->pong, i);
    }
}

static void *echo_bare(void *context)
{
    struct wake *wake = context;

    __atomic_store_n(&wake->ready, 1, __ATOMIC_SEQ_CST);
    for (uint64_t i = 0;; i++) {
        await_bare(&wake->ping, i, wake->blocking);
        if (wake->stop)
            return NULL;
        send_bare(&wake->pong, i, wake->blocking);
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

/* A blocked hand-off begins when the partner sleeps. Without this delay, on an idle machine, neither
 * side would ever sleep: each FUTEX_WAIT would find the word changed. */
static void wait_until_asleep(const struct wake *wake)
{
    const uint64_t until = bench_now() + 50000;

    while (wake->blocking && bench_now() < until)
        relax();
}

static inline unsigned int batch(const struct wake *wake)
{
    return wake->blocking ? 1 : BATCH;
}

/* Stores the time of each round trip in ticks; until `end`, at least 100. */
static size_t ping_pong(struct wake *wake, uint64_t end, double *trips)
{
    uint64_t seen = kymo_ring_head(&wake->pong.reader->untyped.ring);
    uint64_t i = 0;
    size_t count = 0;
    pthread_t thread;

    start(wake, &thread, echo);
    while (count < TRIPS && (count < 100 || bench_now() < end)) {
        uint64_t began;

        wait_until_asleep(wake);
        began = ticks();
        for (unsigned int trip = 0; trip < batch(wake); trip++) {
            send_record(&wake->ping, i++);
            await_record(&wake->pong, &seen, wake->blocking);
        }
        trips[count++] = (double)(ticks() - began) / batch(wake);
    }
    wake->stop = 1;
    send_record(&wake->ping, i);
    pthread_join(thread, NULL);
    return count;
}

static size_t ping_pong_bare(struct wake *wake, uint64_t end, double *trips)
{
    uint64_t i = 0;
    size_t count = 0;
    pthread_t thread;

    wake->ping.bare = wake->pong.bare = (struct word){0, 0};
    *wake->ping.written = *wake->pong.written = 0;
    start(wake, &thread, echo_bare);
    while (count < TRIPS && (count < 100 || bench_now() < end)) {
        uint64_t began;

        wait_until_asleep(wake);
        began = ticks();
        for (unsigned int trip = 0; trip < batch(wake); trip++, i++) {
            send_bare(&wake->ping, i, wake->blocking);
            await_bare(&wake->pong, i, wake->blocking);
        }
        trips[count++] = (double)(ticks() - began) / batch(wake);
    }
    wake->stop = 1;
    send_bare(&wake->ping, i, wake->blocking);
    pthread_join(thread, NULL);
    return count;
}

/* Round trips are timed one by one (or BATCH together): on a busy machine some wait a thousand times
 * longer for a CPU and would dominate a mean. */
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

/* ---- latency of a waiting reader ---- */

static void sleep_until(uint64_t when)
{
    const struct timespec at = {.tv_sec = (time_t)(when / 1000000000),
                                .tv_nsec = (long)(when % 1000000000)};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* Publishes the current time; sleeps between records, or spins if the period is below the precision
 * of the kernel's timers. */
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
        bench_require(word_publish(wake->ping.writer, &word, ++wake->ping.time, 0), "publishing");
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
        __atomic_store_n(&wake->ping.bare.value, bench_now(), __ATOMIC_RELEASE);
        if (wake->blocking) {
            __atomic_fetch_add(&wake->ping.bare.futex, 1, __ATOMIC_SEQ_CST);
            syscall(SYS_futex, &wake->ping.bare.futex, FUTEX_WAKE, 1, NULL, NULL, 0);
        }
    }
    return NULL;
}

static double await_time(struct wake *wake, uint64_t *seen)
{
    const struct kymo_reader *reader = &wake->ping.reader->untyped;
    struct kymo_record record;
    struct bench_word word;

    if (wake->blocking)
        bench_require(kymo_ring_wait(reader, *seen, KYMO_FOREVER), "waiting");
    else
        while (kymo_ring_head(&reader->ring) <= *seen)
            relax();
    bench_require(word_latest(wake->ping.reader, &word, &record), "reading");
    *seen = record.pos + 1;
    return (double)(bench_now() - word.word[0]);
}

static double await_bare_time(struct wake *wake, uint64_t *seen)
{
    struct word *bare = &wake->ping.bare;
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

/* Collects latencies for `ns`. */
static size_t collect(struct wake *wake, void *(*writer)(void *),
                      double (*reader)(struct wake *, uint64_t *), uint64_t ns, double *values)
{
    uint64_t seen = kymo_ring_head(&wake->ping.reader->untyped.ring);
    const uint64_t end = bench_now() + ns;
    size_t count = 0;
    pthread_t thread;

    wake->stop = 0;
    if (reader == await_bare_time)
        seen = wake->ping.bare.value = 0;
    bench_partner_start(&thread, writer, wake);
    for (int warm = 0; warm < 10; warm++)
        reader(wake, &seen);
    while (count < LATENCIES && (count < 100 || bench_now() < end))
        values[count++] = reader(wake, &seen);
    wake->stop = 1;
    pthread_join(thread, NULL);
    return count;
}

/* Ten pieces of each side, alternating. */
static void measure_latency(void *context, const struct bench_settings *settings,
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
            int error = word_latest(wake->ping.reader, &word, NULL);

            values[count++] = (double)(ticks() - began) * tick;
            if (error != -EAGAIN)
                bench_require(error, "reading");
            /* A: no torn record. */
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
PERIOD(open_full_speed, 0)

/* ---- one writer, several readers ---- */

struct reader_thread {
    struct wake *wake;
    uint64_t reads;
    uint64_t before; /* reads before the measurement */
};

static void *read_loop(void *context)
{
    struct reader_thread *thread = context;
    struct bench_word word;

    while (!thread->wake->stop) {
        for (int i = 0; i < 64; i++) {
            int error = word_latest(thread->wake->ping.reader, &word, NULL);

            if (error != -EAGAIN)
                bench_require(error, "reading");
            __asm__ volatile("" : : "r"(&word) : "memory");
        }
        __atomic_store_n(&thread->reads, thread->reads + 64, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* Publishes for `ns` beside `readers`. Returns ns per publish; *read_ns: ns per read. */
static double publish_beside(struct wake *wake, int readers, uint64_t ns, double *read_ns)
{
    struct reader_thread states[READERS];
    pthread_t threads[READERS];
    uint64_t count = 0, began, now;
    double reads = 0;

    wake->stop = 0;
    for (int i = 0; i < readers; i++) {
        states[i] = (struct reader_thread){wake, 0, 0};
        bench_partner_start(&threads[i], read_loop, &states[i]);
    }
    for (int i = 0; i < readers; i++)
        while ((states[i].before = __atomic_load_n(&states[i].reads, __ATOMIC_RELAXED)) == 0)
            sched_yield();
    began = bench_now();
    do {
        for (int i = 0; i < 256; i++)
            send_record(&wake->ping, count++);
        now = bench_now();
    } while (now - began < ns);
    wake->stop = 1;
    for (int i = 0; i < readers; i++) {
        pthread_join(threads[i], NULL);
        reads += (double)(states[i].reads - states[i].before);
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
     .against = "no reader",                                                             \
     WORDS,                                                                              \
     .open = open_wake,                                                                  \
     .measure = measure_publish_##readers},                                              \
    {                                                                                    \
        .name = "latest-beside-a-writer-" #readers "-readers", WORDS, .open = open_wake, \
        .measure = measure_read_##readers                                                \
    }

const struct bench_row bench_wake_rows[] = {
    {.name = "hand-off-spinning",
     .against = "round trip of a bare cache line, mapped read-only by the reader",
     .most_ratio = 1.25,
     WORDS,
     .open = open_wake_beside_file,
     .measure = measure_hand_off},
    {.name = "hand-off-spinning-against-writable",
     .against = "round trip of a bare cache line that both may write",
     WORDS,
     .open = open_wake,
     .measure = measure_hand_off},
    {.name = "hand-off-blocked",
     .against = "round trip with a bare futex",
     .most_ratio = 1.1,
     WORDS,
     .open = open_blocking,
     .measure = measure_hand_off},
    {.name = "latency-spinning",
     .against = "a bare cache line, median",
     WORDS,
     .open = open_wake,
     .measure = measure_latency},
    {.name = "latency-blocked",
     .against = "a bare futex, median",
     WORDS,
     .open = open_blocking,
     .measure = measure_latency},
    {.name = "latest-beside-200-Hz-writer", WORDS, .open = open_200, .measure = measure_reads},
    {.name = "latest-beside-10-kHz-writer", WORDS, .open = open_10k, .measure = measure_reads},
    {.name = "latest-beside-full-speed-writer",
     WORDS,
     .open = open_full_speed,
     .measure = measure_reads},
    BESIDE_ROWS(1),
    BESIDE_ROWS(2),
    BESIDE_ROWS(3),
    BESIDE_ROWS(4),
    {.name = NULL},
};
