/*
 * explored_ring.c - the slot protocol, the cursor and the time queries, each concurrent with a writer that wraps the ring: every record is read as published (promise A), every query is exact (promise G).
 */
#include "stress/oracle.h"

#include "explored.h"

void explored_share_ring(const struct kymo_ring *ring, const struct kymo_bell *bell)
{
    explore_share(ring->control, sizeof(*ring->control));
    explore_share(bell, sizeof(*bell));
    explore_share(ring->times, (ring->mask + 1) * 8);
    explore_share(ring->slots, (ring->mask + 1) * ring->stride);
    explore_split(ring->slots, offsetof(struct kymo_slot, len), ring->stride);
}

void explored_share_again(const struct kymo_ring *ring, const struct kymo_ring *same)
{
    explore_alias(ring->control, same->control);
    explore_alias(ring->times, same->times);
    explore_alias(ring->slots, same->slots);
}

#define SIZE        16 /* bytes: two words, so that copies can be torn */
#define STRIDE      64 /* bytes */
#define DEPTH_LIMIT 8

/* A ring in private memory. */
static struct {
    struct kymo_control control;
    struct kymo_bell bell;
    uint64_t times[DEPTH_LIMIT];
    _Alignas(64) unsigned char slots[DEPTH_LIMIT * STRIDE];
} memory;

static struct kymo_writer writer, fresh;
static struct kymo_reader reader;

static void open_ring(const struct explore_scenario *scenario)
{
    unsigned char buffer[SIZE];

    memset(&memory, 0, sizeof(memory));
    memset(&writer, 0, sizeof(writer));
    writer.ring = (struct kymo_ring){.slots = memory.slots,
                                     .times = memory.times,
                                     .control = &memory.control,
                                     .mask = scenario->depth - 1,
                                     .stride = STRIDE,
                                     .first = scenario->first,
                                     .size = SIZE};
    writer.bell = &memory.bell;
    writer.limit = KYMO_POSITION_LIMIT;
    writer.pos = memory.control.head = scenario->first;
    for (uint64_t i = 0; i < scenario->history; i++)
        checked_publish(&writer, buffer);
    reader.ring = writer.ring;
    fresh = writer;
    explore_share(&memory.control, 16);
    explore_share(&memory.bell, 8);
    explore_share(memory.times, scenario->depth * 8);
    explore_share(memory.slots, scenario->depth * STRIDE);
    explore_split(memory.slots, offsetof(struct kymo_slot, len), STRIDE);
}

static void reset(const struct explore_scenario *scenario)
{
    (void)scenario;
    writer = fresh;
}

static void write_records(const struct explore_scenario *scenario)
{
    unsigned char buffer[SIZE];

    for (uint64_t i = 0; i < scenario->records; i++)
        if (checked_publish(&writer, buffer) != 0)
            explore_fail("a record was not published");
}

/* In place, by non-temporal stores. */
static void lend_records(const struct explore_scenario *scenario)
{
    unsigned char buffer[SIZE];
    void *payload;

    for (uint64_t i = 0; i < scenario->records; i++) {
        const uint64_t pos = writer.pos;
        const uint32_t len = checked_len(pos, SIZE);

        if (kymo_ring_loan(&writer, &payload) != 0)
            explore_fail("no loan");
        checked_fill(buffer, pos, len);
        explore_copy_nontemporal(payload, buffer, len);
        if (kymo_ring_commit(&writer, len, checked_time(pos), checked_tag(pos)) != 0)
            explore_fail("a record was not committed");
    }
}

/* ---- reads ---- */

static uint64_t known_head(void)
{
    return explore_known(&memory.control.head);
}

static uint64_t newest_head(void)
{
    return explore_newest(&memory.control.head);
}

static void check_record(const struct kymo_record *record, const void *payload)
{
    const char *fault = checked_fault(record, payload, SIZE);

    if (fault)
        explore_fail("a torn record at %d: %s", (int)record->pos, fault);
}

/* Ignores errors that a concurrent writer causes. */
static int is_beaten(int error)
{
    return error == -ESTALE || error == -EAGAIN;
}

static void read_newest(const struct explore_scenario *scenario)
{
    for (uint64_t i = 0; i < scenario->tries; i++) {
        const uint64_t head = known_head();
        struct kymo_record record = {0};
        unsigned char buffer[SIZE];
        const int error = kymo_ring_latest(&reader, buffer, SIZE, &record);

        if (error && !is_beaten(error) && !(error == -ENODATA && head == scenario->first))
            explore_fail("latest: error %d", error);
        if (error)
            continue;
        check_record(&record, buffer);
        if (record.pos + 1 < head || record.pos >= newest_head())
            explore_fail("latest: record %d under head %d", (int)record.pos, (int)head);
    }
}

static void read_at(const struct explore_scenario *scenario)
{
    for (uint64_t i = 0; i < scenario->tries; i++) {
        const uint64_t pos = scenario->first + scenario->history - 1 + i;
        struct kymo_record record = {0};
        unsigned char buffer[SIZE];
        const int error = kymo_ring_at(&reader, pos, buffer, SIZE, &record);

        if (error && !is_beaten(error) && error != -ENODATA)
            explore_fail("at: error %d", error);
        if (error == -ENODATA && pos < scenario->first + scenario->history)
            explore_fail("at: an existing record is not found");
        if (error)
            continue;
        check_record(&record, buffer);
        if (record.pos != pos)
            explore_fail("at: record %d instead of %d", (int)record.pos, (int)pos);
    }
}

/* By seq alone, without head: the newest record and the next ones. */
static void read_slot(const struct explore_scenario *scenario)
{
    for (uint64_t i = 0; i < scenario->tries; i++) {
        const uint64_t pos = scenario->first + scenario->history - 1 + i;
        struct kymo_record record = {0};
        unsigned char buffer[SIZE];
        const int error = kymo_impl_ring_read(&reader.ring, pos, buffer, SIZE, &record);

        if (error && error != -ESTALE)
            explore_fail("read: error %d", error);
        if (!error)
            check_record(&record, buffer);
    }
}

static void view_back(const struct explore_scenario *scenario)
{
    struct kymo_view view = {0};
    unsigned char buffer[SIZE];
    const int error = kymo_ring_view_back(&reader, scenario->tries, &view);

    if (error && !is_beaten(error) && error != -ENODATA)
        explore_fail("back: error %d", error);
    if (error)
        return;
    kymo_copy_out(buffer, view.payload, view.record.len);
    if (kymo_ring_validate(&reader, &view) == 0)
        check_record(&view.record, buffer);
}

/* Each record once and in order; missed ones are counted. */
static void follow(const struct explore_scenario *scenario)
{
    struct kymo_cursor cursor;
    uint64_t pos;

    kymo_cursor_oldest(&cursor, &reader);
    pos = cursor.next;
    for (uint64_t i = 0; i < scenario->tries; i++) {
        struct kymo_record record = {0};
        unsigned char buffer[SIZE];
        uint64_t missed;
        const int error = kymo_cursor_next(&cursor, buffer, SIZE, &record, &missed);

        if (error && !is_beaten(error) && error != -ENODATA)
            explore_fail("cursor: error %d", error);
        pos += missed;
        if (error)
            continue;
        check_record(&record, buffer);
        if (record.pos != pos++)
            explore_fail("cursor: record %d instead of %d", (int)record.pos, (int)pos - 1);
    }
    if (pos > newest_head())
        explore_fail("cursor: %d of %d records", (int)pos, (int)newest_head());
}

/* ---- queries ---- */

/* Each time that distinguishes the records, present and future. */
static void query_times(const struct explore_scenario *scenario)
{
    const uint64_t pos = scenario->first + (uint64_t)explore_pick((int)scenario->tries);
    const enum oracle_kind kind = (enum oracle_kind)scenario->kind;
    const uint64_t time = oracle_subject(kind, pos, explore_pick(ORACLE_TIMES));
    struct oracle_trial trial = {.question = {kind, time, time + 1000},
                                 .span = {.first = reader.ring.first,
                                          .mask = reader.ring.mask,
                                          .from = known_head()}};
    unsigned char one[SIZE], other[SIZE];
    const struct oracle_buffers buffers = {one, other};

    if (scenario->kind == ORACLE_BRACKET)
        oracle_try_bracket(&trial, &reader, &buffers);
    else if (scenario->kind == ORACLE_RANGE)
        oracle_try_range(&trial, &reader);
    else if (scenario->kind == ORACLE_TAG)
        oracle_try_tag(&trial, &reader);
    else
        oracle_try_one(&trial, &reader, &buffers);
    trial.span.to = newest_head();
    if (oracle_verdict(&trial) < 0)
        explore_fail("%s of %llu: error %d, %d, %d (%s)", oracle_name(trial.question.kind),
                     (unsigned long long)time, trial.answer.error, (int)trial.answer.pos,
                     (int)trial.answer.second, trial.fault ? trial.fault : "whole");
}

#define RING(name_, bound_, reader_, ...)                                  \
    {                                                                      \
        .name = name_, .bound = bound_, .open = open_ring, .reset = reset, \
        .body = {write_records, reader_}, __VA_ARGS__                      \
    }

const struct explore_scenario explored_ring[] = {
    RING("slot", "4 records, depth 2, 3 reads", read_slot, .depth = 2, .history = 1, .records = 4,
         .tries = 3),
    {.name = "loan",
     .bound = "4 records by non-temporal stores, depth 2, 3 reads",
     .open = open_ring,
     .reset = reset,
     .body = {lend_records, read_slot},
     .depth = 2,
     .history = 1,
     .records = 4,
     .tries = 3},
    RING("latest", "6 records, depth 2", read_newest, .depth = 2, .history = 1, .records = 6,
         .quick_records = 4, .tries = 1),
    RING("at", "3 records, depth 2, 2 reads", read_at, .depth = 2, .history = 1, .records = 3,
         .tries = 2),
    RING("view", "6 records, depth 2", view_back, .depth = 2, .history = 1, .records = 6,
         .tries = 1),
    RING("cursor", "3 records, depth 2, 3 calls", follow, .depth = 2, .history = 1, .records = 3,
         .tries = 3),
    RING("closest", "5 records, depth 4", query_times, .kind = ORACLE_CLOSEST, .depth = 4,
         .history = 4, .records = 5, .quick_records = 4, .tries = 10),
    RING("as of", "5 records, depth 4", query_times, .kind = ORACLE_AS_OF, .depth = 4, .history = 4,
         .records = 5, .quick_records = 4, .tries = 10),
    RING("bracket", "5 records, depth 4", query_times, .kind = ORACLE_BRACKET, .depth = 4,
         .history = 4, .records = 5, .tries = 10),
    RING("range", "6 records, depth 4", query_times, .kind = ORACLE_RANGE, .depth = 4, .history = 4,
         .records = 6, .tries = 10),
    RING("tag", "5 records, depth 4", query_times, .kind = ORACLE_TAG, .depth = 4, .history = 4,
         .records = 5, .quick_records = 3, .tries = 8),
    {.name = NULL},
};
