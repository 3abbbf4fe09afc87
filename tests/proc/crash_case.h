/*
 * crash_case.h - one case of crash_every_instruction.c: the calls in which a process is killed, and
 * the state of the segment before.
 *
 * Records are those of checked.h: a position determines its record. The numbers of calls that have
 * begun and that have returned bound the records that a reader may find.
 */
#ifndef KYMO_TEST_CRASH_CASE_H
#define KYMO_TEST_CRASH_CASE_H

#include "process.h"
#include "sched/testpoints.h"
#include "snapshot.h"
#include "steps.h"
#include "stress/reading.h"

#define NAME  "crash"
#define SIZE  72
#define DEPTH 4
#define CALLS 6

/* What the calls do to the segment of that name. */
enum fate { SEGMENT_STAYS, SEGMENT_CREATED, SEGMENT_REPLACED, SEGMENT_REMOVED };

/* Another process that has the segment open and survives. */
enum peer { NO_PEER, PEER_WRITER, PEER_CONSUMER };

struct victim;

struct call {
    int (*run)(struct victim *victim);
    uint64_t publishes; /* records that it adds */
    uint64_t takes;     /* records that it acknowledges */
    int closes;         /* after it, the segment is closed cleanly */
};

struct crash_case {
    const char *name;
    const struct kymo_options *options;
    const struct kymo_options *next; /* of the new generation, if any */
    enum fate fate;
    uint64_t history; /* records published before */
    uint64_t taken;   /* acknowledged ones among them */
    const char *
        crash; /* the test point at which an earlier writer was killed, in the record after the history */
    int crashed_while_open; /* that were in progress while the victim had the segment open */
    enum peer peer;
    int waiter;     /* a waiter sleeps on the bells */
    int no_tmpfile; /* the file system has no O_TMPFILE */
    int (*prepare)(struct victim *victim);
    struct call calls[CALLS];
};

/* The killed process's own memory. */
struct victim {
    const struct crash_case *crash_case;
    struct progress *progress;
    struct kymo_writer *writer;
    struct kymo_consumer *consumer;
    uint64_t pos;    /* of the next record */
    uint64_t number; /* of records received */
};

/* Shared memory that survives the victim. */
struct progress {
    uint32_t begun; /* calls */
    uint32_t done;
    uint32_t finished;
    int32_t error;              /* of a call that failed */
    size_t point;               /* the number of a visit to a test point, from 1; 0: none */
    testpoint_action *at_point; /* executed there */
    const char *trace[TESTPOINT_TRACE_LIMIT];
    struct kymo_record taken[CALLS];
    unsigned char payloads[CALLS][READING_LIMIT];
};

int is_queue(const struct kymo_options *options);

int crash_case_publish(struct kymo_writer *writer, const struct kymo_options *options,
                       uint64_t pos);

int crash_case_commit(struct kymo_writer *writer, const struct kymo_options *options, uint64_t pos);

struct bounds {
    uint64_t low;
    uint64_t high;
};

/* The number of records in the old generation, or in the new one. */
struct bounds published(const struct crash_case *crash_case, const struct progress *progress,
                        int next);

struct bounds taken(const struct crash_case *crash_case, const struct progress *progress);

/* Whether the last call that returned has closed the segment. */
int has_closed(const struct crash_case *crash_case, const struct progress *progress);

/* Whether the victim was killed in or after a call that publishes, so not closed. A first call without
 * `prepare` opens the segment, and may adopt a record. */
int is_publishing(const struct crash_case *crash_case, const struct progress *progress);

const struct kymo_header *header_of(const struct snapshot_file *file);

const struct kymo_control *control_of(const struct snapshot_file *file);

const struct kymo_consumer_control *consumer_of(const struct snapshot_file *file);

/* The record at head is complete: the next writer will adopt it. */
int is_adoptable(const struct snapshot_file *file);

/* The slot of the oldest record is being overwritten. */
int has_begun(const struct snapshot_file *file);

/* At a test point: stepping begins here. */
void mark_at_point(void *context, const char *name);

/* The body of the victim. */
int crash_case_run(void *context);

#endif
