/*
 * reading.c - the checks behind reading.h, one for each way to read.
 */
#include "reading.h"

static uint64_t reading_depth(const struct reading *reading)
{
    return kymo_ring_depth(&reading->reader->ring);
}

/* The expected result of reading the record at pos. */
static int reading_expected(const struct reading *reading, uint64_t pos)
{
    const uint64_t depth = reading_depth(reading);

    if (pos >= reading->head)
        return -ENODATA;
    if (reading->head - pos > depth)
        return -ESTALE;
    return reading->begun && reading->head - pos == depth ? -ESTALE : 0;
}

static const char *reading_fault(const struct reading *reading, const struct kymo_record *record,
                                 const void *payload)
{
    return checked_fault(record, payload, reading->reader->ring.size);
}

/* Compares a result with the expected one, and a record with its position. */
static const char *reading_compare(const struct reading *reading, int result, int expected,
                                   uint64_t pos, const struct kymo_record *record,
                                   const void *payload)
{
    if (result != expected)
        return "result";
    if (result != 0)
        return NULL;
    if (record->pos != pos)
        return "position";
    return reading_fault(reading, record, payload);
}

const char *reading_latest(const struct reading *reading)
{
    unsigned char buffer[READING_LIMIT];
    struct kymo_record record = {0};
    int result = kymo_ring_latest(reading->reader, buffer, sizeof(buffer), &record);

    return reading_compare(reading, result, reading->head ? 0 : -ENODATA, reading->head - 1,
                           &record, buffer);
}

static const char *reading_at(const struct reading *reading)
{
    unsigned char buffer[READING_LIMIT];
    struct kymo_record record = {0};
    const char *fault = NULL;

    for (uint64_t pos = 0; pos < reading->head + 2 && !fault; pos++) {
        int result = kymo_ring_at(reading->reader, pos, buffer, sizeof(buffer), &record);

        fault =
            reading_compare(reading, result, reading_expected(reading, pos), pos, &record, buffer);
    }
    return fault;
}

static const char *reading_back(const struct reading *reading)
{
    const uint64_t depth = reading_depth(reading);
    unsigned char buffer[READING_LIMIT];
    struct kymo_record record = {0};
    const char *fault = NULL;

    for (uint64_t back = 0; back < depth + 2 && !fault; back++) {
        uint64_t pos = reading->head - 1 - back;
        int result = kymo_ring_back(reading->reader, back, buffer, sizeof(buffer), &record);
        int expected = back < reading->head ? reading_expected(reading, pos) : -ENODATA;

        /* The oldest slot is read by position alone, as kymo_ring_available says. */
        if (expected == 0 && back >= depth - 1)
            expected = -ESTALE;
        fault = reading_compare(reading, result, expected, pos, &record, buffer);
    }
    return fault;
}

static const char *reading_view(const struct reading *reading)
{
    const char *fault = NULL;
    struct kymo_view view = {0};

    for (uint64_t pos = 0; pos < reading->head + 2 && !fault; pos++) {
        int result = kymo_ring_view(reading->reader, pos, &view);

        fault = reading_compare(reading, result, reading_expected(reading, pos), pos, &view.record,
                                view.payload);
        if (result == 0 && kymo_ring_validate(reading->reader, &view) != 0)
            fault = "validate";
    }
    return fault;
}

/* A cursor that begins at `next` returns all following records, once and in order. */
static const char *reading_follow(const struct reading *reading, struct kymo_cursor *cursor)
{
    unsigned char buffer[READING_LIMIT];
    struct kymo_record record = {0};
    uint64_t pos = cursor->next;
    uint64_t missed;
    int result;

    while ((result = kymo_cursor_next(cursor, buffer, sizeof(buffer), &record, &missed)) == 0) {
        if (pos + missed != record.pos)
            return "missed";
        if (reading_expected(reading, record.pos) != 0 || reading_fault(reading, &record, buffer))
            return "record";
        /* After an overrun, it skips the slot that the writer overwrites next. */
        if (missed && reading->head - record.pos != reading_depth(reading) - 1)
            return "a cursor missed an existing record";
        pos = record.pos + 1;
    }
    if (result != -ENODATA)
        return "result";
    return pos == reading->head ? NULL : "end";
}

static const char *reading_cursor(const struct reading *reading)
{
    struct kymo_cursor oldest, first = {.reader = reading->reader}, newest;
    const char *fault;

    kymo_cursor_oldest(&oldest, reading->reader);
    kymo_cursor_newest(&newest, reading->reader);
    fault = reading_follow(reading, &oldest);
    fault = fault ? fault : reading_follow(reading, &first);
    return fault ? fault : reading_follow(reading, &newest);
}

/* While the writer is stopped, each query has exactly one correct result. */
static const char *reading_questions(const struct reading *reading, uint64_t pos, int which)
{
    unsigned char one[READING_LIMIT], other[READING_LIMIT];
    const struct oracle_buffers buffers = {one, other};
    struct oracle_trial trial;

    for (enum oracle_kind kind = 0; kind < ORACLE_KINDS; kind++) {
        const uint64_t time = oracle_subject(kind, pos, which);

        trial.question = (struct oracle_question){kind, time, time + 200};
        oracle_try(&trial, reading->reader, &buffers);
        if (reading->head == 0 && trial.answer.error == -ENODATA)
            continue;
        if (reading->head == 0 || oracle_verdict(&trial) != 1) {
            oracle_describe(&trial);
            return oracle_name(kind);
        }
    }
    return NULL;
}

static const char *reading_queries(const struct reading *reading)
{
    const char *fault = NULL;

    for (uint64_t pos = 0; pos < reading->head + 2; pos++) {
        for (int which = 0; which < ORACLE_TIMES && !fault; which++)
            fault = reading_questions(reading, pos, which);
    }
    return fault;
}

static const char *reading_wait(const struct reading *reading)
{
    const uint64_t head = reading->head;

    if (kymo_ring_head(&reading->reader->ring) != head)
        return "head";
    if (head > 0 && kymo_ring_wait(reading->reader, head - 1, 0) != 0)
        return "a wait for an existing record";
    return kymo_ring_wait(reading->reader, head, 0) == -ETIMEDOUT ? NULL
                                                                  : "a wait for a future record";
}

static const char *reading_liveness(const struct reading *reading)
{
    int live = kymo_segment_liveness(reading->reader->segment, KYMO_FOREVER);

    return live == reading->live ? NULL : kymo_liveness_text(live);
}

const char *reading_check_all(const struct reading *reading, const char **name)
{
    static const struct reading_check checks[READING_CHECKS] = {
        {"latest", reading_latest}, {"at", reading_at},
        {"back", reading_back},     {"view", reading_view},
        {"cursor", reading_cursor}, {"queries", reading_queries},
        {"wait", reading_wait},     {"liveness", reading_liveness},
    };

    for (size_t i = 0; i < READING_CHECKS; i++) {
        const char *fault = checks[i].run(reading);

        *name = checks[i].name;
        if (fault)
            return fault;
    }
    return NULL;
}
