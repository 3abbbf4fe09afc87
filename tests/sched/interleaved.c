/*
 * interleaved.c - a reader and a writer take turns at every operation on shared memory: in no schedule is a read torn or misplaced (promise A), or a query wrong (promise G).
 *
 * First all schedules with one turn of the writer: at every step of the reader, for every number of the writer's steps, so that it also stops in the middle of a record. Then many schedules with several turns. Each has a known result, which may be an error.
 */
#include <stdio.h>
#include <stdlib.h>

#include "proc/process.h"
#include "stress/oracle.h"
#include "test.h"

#include "actor.h"

#define SIZE        20 /* bytes: two words and a half, so that copies can be torn */
#define STRIDE      64 /* bytes */
#define DEPTH_LIMIT 256

/* ---- a ring in private memory ---- */

struct memory {
    struct kymo_control control;
    struct kymo_bell bell;
    uint64_t times[DEPTH_LIMIT];
    _Alignas(64) unsigned char slots[DEPTH_LIMIT * STRIDE];
};

static struct memory memory, snapshot;
static struct kymo_writer writer, writer_snapshot;
static struct kymo_reader reader;

/* The state at the start of a schedule. */
struct setup {
    uint64_t depth;
    uint64_t first;
    uint64_t history; /* records published before */
};

/* The writer: pauses between two records on request. */
static int resting;

static void write_for_ever(void)
{
    unsigned char buffer[SIZE];

    for (;;) {
        if (resting)
            actor_pause();
        checked_publish(&writer, buffer);
    }
}

static void build(const struct setup *setup)
{
    unsigned char buffer[SIZE];

    memset(&memory, 0, sizeof(memory));
    memset(&writer, 0, sizeof(writer));
    writer.ring = (struct kymo_ring){.slots = memory.slots,
                                     .times = memory.times,
                                     .control = &memory.control,
                                     .mask = setup->depth - 1,
                                     .stride = STRIDE,
                                     .first = setup->first,
                                     .size = SIZE};
    writer.bell = &memory.bell;
    writer.limit = KYMO_POSITION_LIMIT;
    writer.pos = memory.control.head = setup->first;
    for (uint64_t i = 0; i < setup->history; i++)
        cr_assert_eq(checked_publish(&writer, buffer), 0);
    reader.ring = writer.ring;
    snapshot = memory;
    writer_snapshot = writer;
}

/* Lets the writer complete its record, and restores the state. */
static void reset(void)
{
    resting = 1;
    actor_go(ACTOR_FOREVER);
    resting = 0;
    memory = snapshot;
    writer = writer_snapshot;
}

/* ---- the reader's calls; each returns NULL, or the fault ---- */

struct act {
    const char *name;
    const char *(*run)(const struct act *act);
    uint64_t number; /* back, or the position from the oldest on */
    struct oracle_question question;
};

static uint64_t head_before;
static int turns_taken; /* the writer's, at most, during the call */

static uint64_t head_now(void)
{
    return __atomic_load_n(&memory.control.head, __ATOMIC_RELAXED);
}

/* Whether the writer has begun to overwrite the slot of pos, or may have. */
static int overtaken(uint64_t pos)
{
    return head_now() - pos > reader.ring.mask;
}

static const char *judge_back(int error, uint64_t back, const struct kymo_record *record,
                              const void *payload)
{
    const uint64_t published = head_before - reader.ring.first;

    if (error == -ENODATA)
        return back >= published ? NULL : "no record, although records exist";
    if (error == -ESTALE)
        return back >= reader.ring.mask ? NULL : "stale";
    if (error == -EAGAIN)
        return "gave up";
    if (error)
        return "error";
    if (record->pos + 1 + back < head_before || record->pos + 1 + back > head_now())
        return "position";
    return checked_fault(record, payload, SIZE);
}

static const char *act_back(const struct act *act)
{
    struct kymo_record record = {0};
    unsigned char buffer[SIZE];
    int error = kymo_ring_back(&reader, act->number, buffer, SIZE, &record);

    return judge_back(error, act->number, &record, buffer);
}

static const char *act_view_back(const struct act *act)
{
    struct kymo_view view = {0};
    unsigned char buffer[SIZE];
    int error = kymo_ring_view_back(&reader, act->number, &view);

    if (!error) {
        kymo_copy_out(buffer, view.payload, view.record.len);
        if (kymo_ring_validate(&reader, &view) != 0)
            return overtaken(view.record.pos) ? NULL : "invalid";
    }
    return judge_back(error, act->number, &view.record, buffer);
}

static const char *judge_at(int error, uint64_t pos, const struct kymo_record *record,
                            const void *payload)
{
    if (error == -ENODATA)
        return pos >= head_before ? NULL : "no record, although records exist";
    if (error == -ESTALE)
        return overtaken(pos) ? NULL : "stale";
    if (error)
        return "error";
    if (record->pos != pos || pos >= head_now())
        return "position";
    return checked_fault(record, payload, SIZE);
}

static uint64_t position_of(const struct act *act)
{
    return reader.ring.first + act->number;
}

static const char *act_at(const struct act *act)
{
    struct kymo_record record = {0};
    unsigned char buffer[SIZE];
    int error = kymo_ring_at(&reader, position_of(act), buffer, SIZE, &record);

    return judge_at(error, position_of(act), &record, buffer);
}

static const char *act_view(const struct act *act)
{
    struct kymo_view view = {0};
    unsigned char buffer[SIZE];
    int error = kymo_ring_view(&reader, position_of(act), &view);

    if (!error) {
        kymo_copy_out(buffer, view.payload, view.record.len);
        error = kymo_ring_validate(&reader, &view);
    }
    return judge_at(error, position_of(act), &view.record, buffer);
}

/* All records from the oldest on, once and in order; missed and delivered ones add up. */
static const char *act_cursor(const struct act *act)
{
    struct kymo_record record = {0};
    struct kymo_cursor cursor;
    unsigned char buffer[SIZE];
    uint64_t missed, pos;
    const char *fault;
    int error = 0;

    (void)act;
    kymo_cursor_oldest(&cursor, &reader);
    pos = cursor.next;
    while (error == 0 || error == -EAGAIN) {
        error = kymo_cursor_next(&cursor, buffer, SIZE, &record, &missed);
        pos += missed;
        if (error)
            continue;
        fault = checked_fault(&record, buffer, SIZE);
        if (fault || record.pos != pos)
            return fault ? fault : "position";
        pos++;
    }
    if (error != -ENODATA)
        return "error";
    return pos >= head_before && pos <= head_now() ? NULL : "end";
}

static const char *act_query(const struct act *act)
{
    unsigned char one[SIZE], other[SIZE];
    const struct oracle_buffers buffers = {one, other};
    struct oracle_trial trial = {.question = act->question};
    int verdict;

    oracle_try(&trial, &reader, &buffers);
    verdict = oracle_verdict(&trial);
    if (verdict > 0 || (verdict == 0 && turns_taken >= KYMO_QUERY_RETRIES))
        return NULL;
    oracle_describe(&trial);
    return verdict < 0 ? "wrong answer" : "gave up";
}

/* ---- schedules ---- */

static uint64_t schedules;

static uint64_t run_once(const struct setup *setup, const struct act *act,
                         const struct actor_turn *turns, int count)
{
    const char *fault;
    uint64_t steps;

    reset();
    head_before = setup->first + setup->history;
    turns_taken = count;
    actor_begin(turns, count);
    fault = act->run(act);
    steps = actor_end();
    schedules++;
    cr_assert_null(fault,
                   "%s %d, depth %d, from %d, %d records before, %d turns, first %d at %d: %s",
                   act->name, (int)act->number, (int)setup->depth, (int)setup->first,
                   (int)setup->history, count, count ? (int)turns->steps : 0,
                   count ? (int)turns->at : 0, fault);
    return steps;
}

/* The writer's operations for a record, at most. */
static uint64_t steps_per_record(void)
{
    unsigned char buffer[SIZE];
    uint64_t steps;

    reset();
    actor_begin(NULL, 0);
    checked_publish(&writer, buffer);
    steps = actor_end();
    reset();
    return steps + 2;
}

/* Every schedule with one turn of up to depth + 2 records. */
static void run_one_turn(const struct setup *setup, const struct act *act, uint64_t longest)
{
    const uint64_t steps = run_once(setup, act, NULL, 0);

    for (uint64_t at = 0; at <= steps; at++) {
        for (uint64_t length = 1; length <= longest; length++) {
            const struct actor_turn turn = {at, length};

            run_once(setup, act, &turn, 1);
        }
    }
}

static uint64_t dice;

static uint64_t roll(uint64_t sides)
{
    return checked_mix(dice++) % sides;
}

/* Up to ACTOR_TURNS turns: most of them short, some longer than the ring. */
static void run_many_turns(const struct setup *setup, const struct act *act, uint64_t per_record)
{
    struct actor_turn turns[ACTOR_TURNS];
    const int count = 2 + (int)roll(ACTOR_TURNS - 1);
    uint64_t at = 0;

    for (int i = 0; i < count; i++) {
        uint64_t records = roll(3) ? roll(3) : roll(setup->depth + 3);

        at += roll(12);
        turns[i] = (struct actor_turn){at, records * per_record + roll(per_record)};
    }
    run_once(setup, act, turns, count);
}

static void report(void)
{
    printf("%llu schedules\n", (unsigned long long)schedules);
}

/* At first the times mostly differ; from 958 on, 40 are equal. */
static const struct setup setups[] = {
    {2, 0, 1}, {2, 3, 5}, {4, 0, 1}, {4, 0, 4}, {4, 7, 9}, {4, 994, 8}, {4, 956, 6}, {8, 2040, 15},
};
#define SETUPS (sizeof(setups) / sizeof(setups[0]))

static void make(const struct setup *setup)
{
    build(setup);
    actor_make(write_for_ever);
}

static void each_read(void (*run)(const struct setup *setup, const struct act *act, uint64_t count),
                      const struct setup *setup, uint64_t count)
{
    for (uint64_t number = 0; number < setup->depth + 2; number++) {
        const struct act acts[] = {
            {.name = "back", .run = act_back, .number = number},
            {.name = "view back", .run = act_view_back, .number = number},
            {.name = "at", .run = act_at, .number = number},
            {.name = "view", .run = act_view, .number = number},
        };

        for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
            run(setup, &acts[i], count);
    }
    run(setup, &(struct act){.name = "cursor", .run = act_cursor}, count);
}

static struct act query_act(enum oracle_kind kind, uint64_t time, uint64_t length)
{
    return (struct act){.name = oracle_name(kind),
                        .run = act_query,
                        .question = {kind, time, time + length}};
}

static void each_query(void (*run)(const struct setup *setup, const struct act *act,
                                   uint64_t count),
                       const struct setup *setup, uint64_t count)
{
    const uint64_t head = setup->first + setup->history;
    const uint64_t low = head > setup->depth ? head - setup->depth : 0;
    uint64_t last = 0;

    for (uint64_t pos = low; pos < head + setup->depth; pos++) {
        for (int which = 0; which < ORACLE_TIMES; which++) {
            const uint64_t time = oracle_time(pos, which);

            if (time <= last)
                continue;
            last = time;
            for (enum oracle_kind kind = 0; kind < ORACLE_KINDS; kind++) {
                struct act act = query_act(kind, time, (uint64_t)which * 100);

                run(setup, &act, count);
            }
        }
    }
}

Test(interleaved, reads_with_one_turn)
{
    for (size_t i = 0; i < SETUPS; i++) {
        make(&setups[i]);
        each_read(run_one_turn, &setups[i], (setups[i].depth + 2) * steps_per_record());
    }
    report();
}

Test(interleaved, queries_with_one_turn)
{
    for (size_t i = 0; i < SETUPS; i++) {
        if (setups[i].depth > 4)
            continue; /* further schedules, with many turns */
        make(&setups[i]);
        each_query(run_one_turn, &setups[i], (setups[i].depth + 2) * steps_per_record());
    }
    report();
}

Test(interleaved, reads_and_queries_with_many_turns)
{
    const int rounds = (int)process_count(15000, 150);

    for (size_t i = 0; i < SETUPS; i++) {
        make(&setups[i]);
        for (int round = 0; round < rounds; round++) {
            each_read(run_many_turns, &setups[i], steps_per_record());
            each_query(run_many_turns, &setups[i], steps_per_record());
        }
    }
    report();
}

/* Deep enough for the interpolation search. */
Test(interleaved, interpolation_search)
{
    static const struct setup deep[] = {{256, 0, 200}, {256, 900, 700}, {256, 1900, 255}};
    const int rounds = (int)process_count(2000000, 20000);

    for (size_t i = 0; i < sizeof(deep) / sizeof(deep[0]); i++) {
        const struct setup *setup = &deep[i];

        make(setup);
        for (int round = 0; round < rounds; round++) {
            uint64_t pos = setup->first + setup->history + 20 - roll(300);
            struct act act = query_act((enum oracle_kind)roll(ORACLE_KINDS),
                                       oracle_time(pos, (int)roll(ORACLE_TIMES)), roll(100000));

            run_many_turns(setup, &act, 13);
        }
    }
    report();
}
