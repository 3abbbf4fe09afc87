/*
 * dying.h - an operation in which a process dies, what had happened before, and how far it may have
 * come by then.
 *
 * Records are those of checked.h: what stands at a position follows from the position. An operation
 * is a row of calls; how many have begun and how many have returned bounds what there is to see.
 */
#ifndef KYMO_TEST_DYING_H
#define KYMO_TEST_DYING_H

#include "frozen.h"
#include "process.h"
#include "sched/testpoints.h"
#include "steps.h"
#include "stress/reading.h"

#define NAME  "dead"
#define SIZE  72
#define DEPTH 4
#define CALLS 6

/* What becomes of the segment that has the name. */
enum fate { STAYS, COMES, REPLACED, GOES };

/* Who else has it open when it happens, and lives on. */
enum company { ALONE, WITH_WRITER, WITH_CONSUMER };

struct stage;

struct call {
    int (*run)(struct stage *stage);
    uint64_t publishes; /* records that are there when it has returned, and were not before */
    uint64_t takes;     /* likewise, acknowledged */
    int closes;         /* whoever dies behind it had ended cleanly */
};

struct operation {
    const char *name;
    const struct kymo_options *options;
    const struct kymo_options *next; /* of the generation that comes, where one does */
    enum fate fate;
    uint64_t history;  /* records before */
    uint64_t taken;    /* of those, acknowledged */
    const char *crash; /* where the one before died, about the record behind the history */
    int crash_late;    /* that was while the one that dies now had it open already */
    enum company company;
    int sleeper;    /* somebody sleeps on the bells */
    int no_tmpfile; /* the file system has no nameless files */
    int (*prepare)(struct stage *stage);
    struct call calls[CALLS];
};

/* What the dying process has to itself. */
struct stage {
    const struct operation *operation;
    struct arena *arena;
    struct kymo_writer *writer;
    struct kymo_consumer *consumer;
    uint64_t pos;    /* that is published next */
    uint64_t number; /* of records taken */
};

/* What outlives it. */
struct arena {
    uint32_t begun; /* calls */
    uint32_t done;
    uint32_t finished;
    int32_t error;              /* of a call that failed */
    size_t point;               /* a test point's number on the way, from 1 on; 0: none of them */
    testpoint_action *at_point; /* and what happens there */
    const char *trace[TESTPOINT_TRACE_LIMIT];
    struct kymo_record taken[CALLS];
    unsigned char payloads[CALLS][READING_LIMIT];
};

static inline int is_queue(const struct kymo_options *options)
{
    return options->kind == KYMO_QUEUE;
}

/* ---- records ---- */

/* Where times are clamped, a record that is as old as the one before it is given as older. */
static inline uint64_t given_time(const struct kymo_options *options, uint64_t pos)
{
    const uint64_t time = checked_time(pos);

    if (options->time_policy == KYMO_CLAMP && pos > 0 && time == checked_time(pos - 1))
        return time - 1;
    return time;
}

static inline int put(struct kymo_writer *writer, const struct kymo_options *options, uint64_t pos)
{
    const uint32_t len = checked_len(pos, writer->ring.size);
    unsigned char payload[READING_LIMIT];

    checked_fill(payload, pos, len);
    return kymo_ring_publish(writer, payload, len, given_time(options, pos), checked_tag(pos));
}

static inline int put_in_place(struct kymo_writer *writer, const struct kymo_options *options,
                               uint64_t pos)
{
    const uint32_t len = checked_len(pos, writer->ring.size);
    unsigned char payload[READING_LIMIT];
    void *loan;
    int error = kymo_ring_loan(writer, &loan);

    if (error)
        return error;
    checked_fill(payload, pos, len);
    kymo_copy_in(loan, payload, len);
    return kymo_ring_commit(writer, len, given_time(options, pos), checked_tag(pos));
}

/* ---- bounds ---- */

struct bounds {
    uint64_t low;
    uint64_t high;
};

/* How many records there may be in the generation that was there before, or in the next one. */
static inline struct bounds published(const struct operation *operation, const struct arena *arena,
                                      int next)
{
    const uint64_t before = next ? 0 : operation->history;
    struct bounds bounds = {before, before};

    if (!next && operation->fate != STAYS)
        return bounds;
    for (uint32_t i = 0; i < arena->begun; i++) {
        bounds.high += operation->calls[i].publishes;
        bounds.low += i < arena->done ? operation->calls[i].publishes : 0;
    }
    return bounds;
}

static inline struct bounds taken(const struct operation *operation, const struct arena *arena)
{
    struct bounds bounds = {operation->taken, operation->taken};

    for (uint32_t i = 0; i < arena->begun; i++) {
        bounds.high += operation->calls[i].takes;
        bounds.low += i < arena->done ? operation->calls[i].takes : 0;
    }
    return bounds;
}

/* Whether the last call that returned has ended things cleanly. */
static inline int has_closed(const struct operation *operation, const struct arena *arena)
{
    return arena->done > 0 && arena->begun == arena->done &&
           operation->calls[arena->done - 1].closes;
}

/* Whether it was about a record, or behind one: whoever dies there has not ended cleanly. Opening,
 * which may adopt a record, is a first call that nobody prepared. */
static inline int is_publishing(const struct operation *operation, const struct arena *arena)
{
    return (operation->prepare || arena->begun > 1) &&
           operation->calls[arena->begun - 1].publishes > 0;
}

/* ---- the bytes of a frozen file ---- */

static inline const struct kymo_header *header_of(const struct frozen_file *file)
{
    return (const struct kymo_header *)(const void *)file->bytes;
}

static inline const struct kymo_control *control_of(const struct frozen_file *file)
{
    return (const void *)(file->bytes + header_of(file)->control_offset);
}

static inline const struct kymo_consumer_control *consumer_of(const struct frozen_file *file)
{
    return (const void *)(file->bytes + header_of(file)->consumer_offset);
}

static inline uint64_t seq_at(const struct frozen_file *file, uint64_t pos)
{
    const struct kymo_header *header = header_of(file);
    const uint64_t index = pos & (header->depth - 1);
    const struct kymo_slot *slot =
        (const void *)(file->bytes + header->slots_offset + index * header->stride);

    return slot->seq;
}

/* The record behind the newest is whole: the next writer will count it. */
static inline int is_adoptable(const struct frozen_file *file)
{
    const uint64_t head = control_of(file)->head;

    return seq_at(file, head) == kymo_impl_seq_complete(head);
}

/* The oldest record has lost its slot to the one that comes next. */
static inline int has_begun(const struct frozen_file *file)
{
    const uint64_t head = control_of(file)->head;
    const uint64_t depth = header_of(file)->depth;

    return head >= depth && seq_at(file, head) != kymo_impl_seq_complete(head - depth);
}

/* ---- the process that dies ---- */

/* At a test point: from here on it goes step by step. */
static inline void mark_here(void *context, const char *name)
{
    (void)context;
    (void)name;
    steps_mark();
}

/* Its whole life. */
static inline int live_through(void *context)
{
    struct stage *stage = (struct stage *)context;
    const struct operation *operation = stage->operation;
    struct arena *arena = stage->arena;
    int error = operation->prepare ? operation->prepare(stage) : 0;

    if (error)
        return 1;
    process_say(&arena->begun, 1);
    testpoint_trace_begin(arena->trace);
    if (arena->point)
        testpoint_plan(NULL, arena->point - 1, arena->at_point, NULL);
    steps_mark();
    for (uint32_t i = 0; i < CALLS && operation->calls[i].run && !error; i++) {
        process_say(&arena->begun, i + 1);
        error = operation->calls[i].run(stage);
        stage->pos += operation->calls[i].publishes;
        process_say(&arena->done, i + 1);
    }
    arena->error = error;
    process_say(&arena->finished, 1);
    for (;;)
        steps_mark();
}

#endif
