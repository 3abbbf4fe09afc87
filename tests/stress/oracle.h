/*
 * oracle.h - what a time query must answer, by closed form from the records of checked.h.
 *
 * A query pins its window somewhere between two looks at head, one before the call and one after
 * it. Its answer is right where it is that of the window of some head in between (promise G):
 * positions head - (depth - 1) up to head - 1, or from the first record on while there are fewer.
 */
#ifndef KYMO_TEST_ORACLE_H
#define KYMO_TEST_ORACLE_H

#include "checked.h"

/* Between which heads the window was pinned, on a ring of mask + 1 slots. */
struct oracle_span {
    uint64_t from;
    uint64_t to;
    uint64_t first;
    uint64_t mask;
};

enum oracle_kind { ORACLE_CLOSEST, ORACLE_AS_OF, ORACLE_BRACKET, ORACLE_RANGE, ORACLE_KINDS };

struct oracle_question {
    enum oracle_kind kind;
    uint64_t time; /* range: from */
    uint64_t to;   /* range only */
};

/* An error, or positions; what a query has no use for is 0. */
struct oracle_answer {
    int error;
    uint64_t pos;    /* closest, as_of; before; the range's first */
    uint64_t second; /* after; the range's count */
    int truncated;   /* range only */
};

const char *oracle_name(enum oracle_kind kind);

uint64_t oracle_low(const struct oracle_span *span, uint64_t head);

struct oracle_answer oracle_as_of(uint64_t low, uint64_t head, uint64_t time, uint64_t first);

/* What the answer would be if exactly the positions from low on counted. */
struct oracle_answer oracle_ask(const struct oracle_question *question, uint64_t low, uint64_t head,
                                uint64_t first);

/* Times that tell neighbours apart: at, right before and right behind the record at pos, and half
 * of the way to the next. */
#define ORACLE_TIMES 5

uint64_t oracle_time(uint64_t pos, int which);

/* A question with its span, its answer, and what the copied records looked like. */
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

void oracle_try_range(struct oracle_trial *trial, const struct kymo_reader *reader);

/* Puts trial->question to the library, and takes down all that the verdict needs. */
void oracle_try(struct oracle_trial *trial, const struct kymo_reader *reader,
                const struct oracle_buffers *buffers);

/*
 * The same for several rings at one instant: each row is asked as its trial's question, of the same
 * time, and answered for its own ring's window. Returns how many rows the library says it answered;
 * or its error.
 */
#define ORACLE_ROWS 4

int oracle_try_align(struct oracle_trial *trials, const struct kymo_reader *const *readers,
                     size_t count, const struct oracle_buffers *buffers);

/* 1 where the answer is right, 0 where the library gave up with -ESTALE, -1 where it is wrong. */
int oracle_verdict(const struct oracle_trial *trial);

/* Says on stderr what was asked and answered. */
void oracle_describe(const struct oracle_trial *trial);

#endif
