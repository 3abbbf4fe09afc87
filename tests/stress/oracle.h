/*
 * oracle.h - the correct results of time queries, by closed form from the records of checked.h.
 *
 * A query pins its window between two loads of head, one before the call and one after it. Its answer must be that of the window of a head in between (promise G): positions head - (depth - 1) to head - 1, or from the first record on.
 */
#ifndef KYMO_TEST_ORACLE_H
#define KYMO_TEST_ORACLE_H

#include "checked.h"

/* The heads between which the window was pinned, on a ring of mask + 1 slots. */
struct oracle_span {
    uint64_t from;
    uint64_t to;
    uint64_t first;
    uint64_t mask;
};

enum oracle_kind {
    ORACLE_CLOSEST,
    ORACLE_AS_OF,
    ORACLE_BRACKET,
    ORACLE_RANGE,
    ORACLE_TAG,
    ORACLE_KINDS
};

struct oracle_question {
    enum oracle_kind kind;
    uint64_t time; /* range: from; tag: the tag */
    uint64_t to;   /* range only */
};

/* An error, or positions; unused members are 0. */
struct oracle_answer {
    int error;
    uint64_t pos;    /* closest, as_of; before; the range's first */
    uint64_t second; /* after; the range's count */
    int truncated;   /* range only */
};

const char *oracle_name(enum oracle_kind kind);

uint64_t oracle_low(const struct oracle_span *span, uint64_t head);

struct oracle_answer oracle_as_of(uint64_t low, uint64_t head, uint64_t time, uint64_t first);

/* The answer for the window of all positions from low on. */
struct oracle_answer oracle_query(const struct oracle_question *question, uint64_t low,
                                  uint64_t head, uint64_t first);

/* Times that distinguish neighbours: at, just before and just after the record at pos, and halfway to the next. */
#define ORACLE_TIMES 5

uint64_t oracle_time(uint64_t pos, int which);

/* The same for queries of that kind: a time, or a tag. */
uint64_t oracle_subject(enum oracle_kind kind, uint64_t pos, int which);

/* A query with its span, its answer, and the check of the copied records. */
struct oracle_trial {
    struct oracle_question question;
    struct oracle_span span;
    struct oracle_answer answer;
    const char *fault; /* of a copied record, as checked_fault; NULL: none */
};

/* Two payloads of the segment's size, for what is copied. */
struct oracle_buffers {
    void *one;
    void *other;
};

void oracle_try_bracket(struct oracle_trial *trial, const struct kymo_reader *reader,
                        const struct oracle_buffers *buffers);

void oracle_try_one(struct oracle_trial *trial, const struct kymo_reader *reader,
                    const struct oracle_buffers *buffers);

void oracle_try_tag(struct oracle_trial *trial, const struct kymo_reader *reader);

void oracle_try_range(struct oracle_trial *trial, const struct kymo_reader *reader);

/* Runs trial->question, and fills in the rest of the trial. */
void oracle_try(struct oracle_trial *trial, const struct kymo_reader *reader,
                const struct oracle_buffers *buffers);

/*
 * The same for several rings at one instant: one row for each trial, all with the same time. Returns the number of answered rows, or an error.
 */
#define ORACLE_ROWS 4

int oracle_try_align(struct oracle_trial *trials, const struct kymo_reader *const *readers,
                     size_t count, const struct oracle_buffers *buffers);

/* 1: correct; 0: -ESTALE, overwritten; -1: wrong. */
int oracle_verdict(const struct oracle_trial *trial);

/* Prints the query and its answer to stderr. */
void oracle_describe(const struct oracle_trial *trial);

#endif
