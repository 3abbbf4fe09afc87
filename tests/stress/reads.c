/*
 * reads.c - readers concurrent with a writer at full speed: every record is read complete and at its position (promise A: no torn record); a cursor delivers each record once and counts missed ones.
 *
 * The writer is a thread or a process. Threads read through the writer's mapping, since the thread sanitizer compares addresses.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "proc/process.h"
#include "stress/checked.h"
#include "test.h"

#define NAME "reads"

enum { WRITING = 1, STOPPING = 2, STOPPED = 3 };

static struct {
    uint32_t state;
} * arena;

/* ---- the writer ---- */

/* Publishes until stopped, every eighth record in place. */
static int write_on(struct kymo_writer *writer)
{
    void *buffer = malloc(writer->ring.size);
    int error = 0;

    process_store(&arena->state, WRITING);
    while (!error && process_load(&arena->state) == WRITING)
        error = writer->pos % 8 ? checked_publish(writer, buffer) : checked_commit(writer, buffer);
    free(buffer);
    process_store(&arena->state, STOPPED);
    return error;
}

static void stop_writer(void)
{
    process_store(&arena->state, STOPPING);
    process_await(&arena->state, STOPPED);
}

static void *writer_thread(void *context)
{
    return write_on(context) ? (void *)arena : NULL;
}

static int writer_process(void *context)
{
    const struct kymo_options *options = context;
    struct kymo_writer *writer;

    if (kymo_writer_open(&writer, NAME, options) != 0 || write_on(writer) != 0)
        return 1;
    kymo_writer_close(writer);
    return 0;
}

/* ---- the readers ---- */

struct tally {
    uint64_t reads;     /* that returned a record */
    uint64_t lost;      /* -ESTALE, -EAGAIN, or a view that is not valid */
    uint64_t torn;      /* records that were not what was published: must be none */
    uint64_t errors;    /* anything else: must be none */
    uint64_t misplaced; /* records of another position: must be 0 */
};

struct role {
    const char *name;
    void (*run)(struct role *role);
    uint64_t seldom; /* reads of other kinds for each of this one */
    const struct kymo_reader *reader;
    uint64_t count; /* of reads, and of records published during them */
    uint64_t began; /* head at the beginning */
    struct tally tally;
    uint64_t delivered; /* the cursor's */
    uint64_t missed;
};

/* With few processors, the two may alternate in long time slices; both counts are needed. */
static int goes_on(const struct role *role)
{
    return role->tally.reads + role->tally.lost < role->count ||
           kymo_ring_head(&role->reader->ring) - role->began < role->count;
}

static void note(struct tally *tally, int error, const struct kymo_record *record,
                 const void *payload, uint32_t size)
{
    const char *fault;

    if (error == -ENODATA) {
        sched_yield(); /* the writer may wait for this processor */
        return;
    }
    if (error == -ESTALE || error == -EAGAIN) {
        tally->lost++;
        return;
    }
    if (error) {
        tally->errors++;
        return;
    }
    tally->reads++;
    fault = checked_fault(record, payload, size);
    if (fault && tally->torn++ == 0)
        fprintf(stderr, "torn: %s of %llu\n", fault, (unsigned long long)record->pos);
}

/* The position of the newest record never decreases. */
static void run_latest(struct role *role)
{
    const uint32_t size = role->reader->ring.size;
    struct kymo_record record = {0};
    void *buffer = malloc(size);
    uint64_t newest = 0;

    while (goes_on(role)) {
        int error = kymo_ring_latest(role->reader, buffer, size, &record);

        note(&role->tally, error, &record, buffer, size);
        if (error)
            continue;
        role->tally.misplaced += record.pos < newest;
        newest = record.pos;
    }
    free(buffer);
}

/* Head advances during the call, so the record may be newer, but never older. */
static void run_back(struct role *role)
{
    const struct kymo_ring *ring = &role->reader->ring;
    struct kymo_record record = {0};
    void *buffer = malloc(ring->size);

    for (uint64_t i = 0; goes_on(role); i++) {
        const uint64_t back = checked_mix(i) % (kymo_ring_depth(ring) - 1);
        const uint64_t before = kymo_ring_head(ring);
        int error = kymo_ring_back(role->reader, back, buffer, ring->size, &record);
        const uint64_t after = kymo_ring_head(ring);

        note(&role->tally, error, &record, buffer, ring->size);
        if (!error)
            role->tally.misplaced +=
                record.pos + 1 + back < before || record.pos + 1 + back > after;
    }
    free(buffer);
}

static void run_at(struct role *role)
{
    const struct kymo_ring *ring = &role->reader->ring;
    struct kymo_record record = {0};
    void *buffer = malloc(ring->size);

    for (uint64_t i = 0; goes_on(role); i++) {
        const uint64_t head = kymo_ring_head(ring);
        const uint64_t back = checked_mix(i) % (kymo_ring_depth(ring) + 2);
        const uint64_t pos = head > back ? head - back : 0;
        int error = kymo_ring_at(role->reader, pos, buffer, ring->size, &record);

        note(&role->tally, error, &record, buffer, ring->size);
        if (!error)
            role->tally.misplaced += record.pos != pos;
    }
    free(buffer);
}

/* A copy made from a view is used only if the view is valid afterwards. */
static void run_view(struct role *role)
{
    const struct kymo_ring *ring = &role->reader->ring;
    void *buffer = malloc(ring->size);
    struct kymo_view view = {0};

    for (uint64_t i = 0; goes_on(role); i++) {
        const uint64_t back = checked_mix(i) % (kymo_ring_depth(ring) - 1);
        int error = kymo_ring_view_back(role->reader, i % 2 ? 0 : back, &view);

        if (!error) {
            kymo_copy_out(buffer, view.payload, view.record.len);
            error = kymo_ring_validate(role->reader, &view);
        }
        note(&role->tally, error, &view.record, buffer, ring->size);
    }
    free(buffer);
}

static int follow(struct role *role, struct kymo_cursor *cursor, uint64_t *pos, void *buffer)
{
    const uint32_t size = role->reader->ring.size;
    struct kymo_record record = {0};
    uint64_t missed;
    int error = kymo_cursor_next(cursor, buffer, size, &record, &missed);

    *pos += missed;
    role->missed += missed;
    note(&role->tally, error, &record, buffer, size);
    if (error)
        return error;
    role->tally.misplaced += record.pos != *pos;
    role->delivered++;
    ++*pos;
    return 0;
}

/* Each record once and in order; after the writer has stopped, delivered and missed ones add up to
 * all. */
static void run_cursor(struct role *role)
{
    void *buffer = malloc(role->reader->ring.size);
    struct kymo_cursor cursor = {.reader = role->reader};
    uint64_t pos = 0;
    int error = 0;

    while (goes_on(role))
        follow(role, &cursor, &pos, buffer);
    stop_writer();
    while (error != -ENODATA && role->tally.errors == 0)
        error = follow(role, &cursor, &pos, buffer);
    free(buffer);
}

/* ---- one run: a size, a depth, a writer, and each kind of read in turn ---- */

struct run {
    uint32_t size;
    uint64_t depth;
    uint64_t reads; /* of each kind */
};

/* Records of a word, a cache line, a page and many pages; rings that wrap within one read, and
 * rings that rarely wrap. */
static const struct run runs[] = {
    {8, 2, 800000},     {8, 1024, 800000}, {64, 4, 600000},   {100, 64, 600000},
    {1000, 16, 250000}, {4096, 8, 120000}, {65536, 2, 10000}, {65536, 4, 10000},
};

/* The cursor is last: it stops the writer. */
static const struct role roles[] = {
    {.name = "latest", .run = run_latest},
    {.name = "back", .run = run_back},
    {.name = "at", .run = run_at},
    {.name = "view", .run = run_view},
    {.name = "cursor", .run = run_cursor, .seldom = 49},
};

static void judge(const struct role *role)
{
    const struct tally *tally = &role->tally;

    printf(" %s %llu+%llu", role->name, (unsigned long long)tally->reads,
           (unsigned long long)tally->lost);
    cr_assert_eq(tally->torn, 0U, "%s", role->name);
    cr_assert_eq(tally->misplaced, 0U, "%s", role->name);
    cr_assert_eq(tally->errors, 0U, "%s", role->name);
    cr_assert_gt(tally->reads, 0U, "%s", role->name);
}

static void read_beside(const struct run *run, const struct kymo_reader *reader)
{
    struct role role;

    printf("%6u bytes, depth %4llu: reads+lost", run->size, (unsigned long long)run->depth);
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        role = roles[i];
        role.reader = reader;
        role.count = process_count(run->reads, 0) / (roles[i].seldom + 1);
        role.began = kymo_ring_head(&reader->ring);
        role.run(&role);
        judge(&role);
    }
    printf(", missed %llu of %llu\n", (unsigned long long)role.missed,
           (unsigned long long)kymo_ring_head(&reader->ring));
    cr_assert_eq(role.delivered + role.missed, kymo_ring_head(&reader->ring));
}

static struct kymo_options begin(const struct run *run)
{
    arena = process_share(sizeof(*arena));
    return (struct kymo_options){.size = run->size, .depth = run->depth, .clock = KYMO_USER};
}

static void run_beside_thread(const struct run *run)
{
    const struct kymo_options options = begin(run);
    struct kymo_writer *writer;
    struct kymo_reader reader;
    pthread_t thread;
    void *failed;

    cr_assert_eq(kymo_writer_open(&writer, NAME, &options), 0);
    reader = (struct kymo_reader){.ring = writer->ring, .segment = writer->segment};
    cr_assert_eq(pthread_create(&thread, NULL, writer_thread, writer), 0);
    read_beside(run, &reader);
    pthread_join(thread, &failed);
    cr_assert_null(failed);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

static void run_beside_process(const struct run *run)
{
    struct kymo_options options = begin(run);
    struct kymo_reader *reader;
    pid_t child = process_start(writer_process, &options);

    process_await(&arena->state, WRITING);
    cr_assert_eq(kymo_reader_open(&reader, NAME), 0);
    read_beside(run, reader);
    cr_assert_eq(process_wait(child), 0);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_segment_remove(NAME), 0);
}

Test(reads, are_complete_beside_writing_thread)
{
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
        run_beside_thread(&runs[i]);
}

Test(reads, are_complete_beside_writing_process)
{
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
        run_beside_process(&runs[i]);
}
