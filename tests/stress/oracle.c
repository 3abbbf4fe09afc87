/*
 * oracle.c - the correct results, and the comparison with those of the library.
 */
#include "oracle.h"

const char *oracle_name(enum oracle_kind kind)
{
    static const char *const names[ORACLE_KINDS] = {"closest", "as_of", "bracket", "range", "tag"};

    return names[kind];
}

uint64_t oracle_low(const struct oracle_span *span, uint64_t head)
{
    return head - span->first < span->mask ? span->first : head - span->mask;
}

static uint64_t oracle_clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* The newest position below head with the time of pos. */
static uint64_t oracle_newest_of(uint64_t pos, uint64_t head)
{
    uint64_t after = checked_after(checked_time(pos));

    return (after < head ? after : head) - 1;
}

static struct oracle_answer oracle_closest(uint64_t low, uint64_t head, uint64_t time)
{
    uint64_t after = oracle_clamp(checked_after(time), low, head);

    if (after == head)
        return (struct oracle_answer){.pos = head - 1};
    if (after > low && time - checked_time(after - 1) <= checked_time(after) - time)
        return (struct oracle_answer){.pos = after - 1};
    return (struct oracle_answer){.pos = oracle_newest_of(after, head)};
}

struct oracle_answer oracle_as_of(uint64_t low, uint64_t head, uint64_t time, uint64_t first)
{
    uint64_t after = oracle_clamp(checked_after(time), low, head);

    if (after == low)
        return (struct oracle_answer){.error = low == first ? -EDOM : -ESTALE};
    return (struct oracle_answer){.pos = after - 1};
}

static struct oracle_answer oracle_bracket(uint64_t low, uint64_t head, uint64_t time)
{
    uint64_t after = oracle_clamp(checked_after(time), low, head);

    if (after > low && checked_time(after - 1) == time)
        return (struct oracle_answer){.pos = after - 1, .second = after - 1};
    if (after == low || after == head)
        return (struct oracle_answer){.error = -EDOM};
    return (struct oracle_answer){.pos = after - 1, .second = oracle_newest_of(after, head)};
}

static struct oracle_answer oracle_range(uint64_t low, uint64_t head,
                                         const struct oracle_question *question, uint64_t first)
{
    uint64_t begin = question->time == 0 ? 0 : checked_after(question->time - 1);
    uint64_t end;

    begin = oracle_clamp(begin, low, head);
    end = oracle_clamp(checked_after(question->to), begin, head);
    return (struct oracle_answer){.pos = begin,
                                  .second = end - begin,
                                  .truncated = begin == low && low != first};
}

static struct oracle_answer oracle_tag(uint64_t low, uint64_t head, uint64_t tag, uint64_t first)
{
    uint64_t after = oracle_clamp(checked_after_tag(tag), low, head);

    if (after > low && checked_tag(after - 1) == tag)
        return (struct oracle_answer){.pos = after - 1};
    if (after == low && low < head)
        return (struct oracle_answer){.error = low == first ? -ENOMSG : -ESTALE};
    return (struct oracle_answer){.error = after == head ? -ENODATA : -ENOMSG};
}

struct oracle_answer oracle_query(const struct oracle_question *question, uint64_t low,
                                  uint64_t head, uint64_t first)
{
    switch (question->kind) {
    case ORACLE_CLOSEST:
        return oracle_closest(low, head, question->time);
    case ORACLE_AS_OF:
        return oracle_as_of(low, head, question->time, first);
    case ORACLE_BRACKET:
        return oracle_bracket(low, head, question->time);
    case ORACLE_TAG:
        return oracle_tag(low, head, question->time, first);
    default:
        return oracle_range(low, head, question, first);
    }
}

/* Whether the answer is correct for the window that ends at head. A truncated range may begin
 * later, by up to 7/8, if the writer overwrote its beginning repeatedly. */
static int oracle_agrees(const struct oracle_question *question, const struct oracle_span *span,
                         uint64_t head, const struct oracle_answer *answer)
{
    uint64_t low = oracle_low(span, head);
    struct oracle_answer right;

    if (head < span->from || head > span->to)
        return 0;
    if (answer->truncated && answer->pos >= low && answer->pos < head &&
        answer->pos - low <= span->mask * 7 / 8)
        low = answer->pos;
    right = oracle_query(question, low, head, span->first);
    return right.error == answer->error && right.pos == answer->pos &&
           right.second == answer->second && right.truncated == answer->truncated;
}

/* Whether the answer is correct for a head of the span. Tries first the likely heads, where the
 * window ends at the answer or begins near it. */
static int oracle_accepts(const struct oracle_question *question, const struct oracle_span *span,
                          const struct oracle_answer *answer)
{
    const uint64_t after = question->kind == ORACLE_TAG ? checked_after_tag(question->time)
                                                        : checked_after(question->time);
    const uint64_t likely[] = {
        span->from,
        span->to,
        answer->pos + 1,
        answer->second + 1,
        answer->pos + answer->second,
        answer->pos + span->mask,
        after,
        after + span->mask,
    };

    for (size_t i = 0; i < sizeof(likely) / sizeof(likely[0]); i++)
        if (oracle_agrees(question, span, likely[i], answer))
            return 1;
    for (uint64_t head = span->from; head <= span->to; head++)
        if (oracle_agrees(question, span, head, answer))
            return 1;
    return 0;
}

uint64_t oracle_time(uint64_t pos, int which)
{
    const uint64_t time = checked_time(pos);
    const uint64_t half = (checked_time(pos + 1) - time) / 2;
    const uint64_t times[ORACLE_TIMES] = {time - 1, time, time + 1, time + half, time + half + 1};

    return times[which];
}

uint64_t oracle_subject(enum oracle_kind kind, uint64_t pos, int which)
{
    return kind == ORACLE_TAG ? checked_tag(pos) + (uint64_t)which - 1 : oracle_time(pos, which);
}

/* ---- queries of the library ---- */

void oracle_try_tag(struct oracle_trial *trial, const struct kymo_reader *reader)
{
    struct oracle_answer *answer = &trial->answer;

    answer->error = kymo_series_find_tag(reader, trial->question.time, &answer->pos);
    if (answer->error)
        answer->pos = 0;
}

void oracle_try_bracket(struct oracle_trial *trial, const struct kymo_reader *reader,
                        const struct oracle_buffers *buffers)
{
    const uint32_t size = reader->ring.size;
    const uint64_t time = trial->question.time;
    struct oracle_answer *answer = &trial->answer;
    struct kymo_bracket found = {0};
    double alpha;

    answer->error = kymo_series_bracket(reader, time, buffers->one, buffers->other, size, &found);
    if (answer->error)
        return;
    answer->pos = found.before.pos;
    answer->second = found.after.pos;
    trial->fault = checked_fault(&found.before, buffers->one, size);
    if (!trial->fault)
        trial->fault = checked_fault(&found.after, buffers->other, size);
    if (trial->fault)
        return;
    alpha = answer->pos == answer->second ? 0.0
                                          : (double)(time - found.before.time) /
                                                (double)(found.after.time - found.before.time);
    if (found.alpha < alpha || found.alpha > alpha)
        trial->fault = "alpha";
}

void oracle_try_range(struct oracle_trial *trial, const struct kymo_reader *reader)
{
    struct kymo_range found = {0};

    trial->answer.error =
        kymo_series_range(reader, trial->question.time, trial->question.to, &found);
    if (trial->answer.error)
        return;
    trial->answer.pos = found.first;
    trial->answer.second = found.count;
    trial->answer.truncated = found.truncated;
}

void oracle_try_one(struct oracle_trial *trial, const struct kymo_reader *reader,
                    const struct oracle_buffers *buffers)
{
    const uint32_t size = reader->ring.size;
    const uint64_t time = trial->question.time;
    struct kymo_record found = {0};

    if (trial->question.kind == ORACLE_CLOSEST)
        trial->answer.error =
            kymo_series_closest(reader, time, KYMO_ANY_DISTANCE, buffers->one, size, &found);
    else
        trial->answer.error = kymo_series_as_of(reader, time, buffers->one, size, &found);
    if (trial->answer.error)
        return;
    trial->answer.pos = found.pos;
    trial->fault = checked_fault(&found, buffers->one, size);
}

void oracle_try(struct oracle_trial *trial, const struct kymo_reader *reader,
                const struct oracle_buffers *buffers)
{
    trial->span.first = reader->ring.first;
    trial->span.mask = reader->ring.mask;
    trial->answer = (struct oracle_answer){0};
    trial->fault = NULL;
    trial->span.from = kymo_ring_head(&reader->ring);
    if (trial->question.kind == ORACLE_BRACKET)
        oracle_try_bracket(trial, reader, buffers);
    else if (trial->question.kind == ORACLE_RANGE)
        oracle_try_range(trial, reader);
    else if (trial->question.kind == ORACLE_TAG)
        oracle_try_tag(trial, reader);
    else
        oracle_try_one(trial, reader, buffers);
    trial->span.to = kymo_ring_head(&reader->ring);
}

static void oracle_take_row(struct oracle_trial *trial, const struct kymo_alignment *row)
{
    const uint32_t size = row->reader->ring.size;
    const int pair = row->mode == KYMO_ALIGN_BRACKET;
    const struct kymo_record *far = pair ? &row->later : &row->record;
    const uint64_t time = trial->question.time;
    uint64_t distance, other;

    trial->answer = (struct oracle_answer){.error = row->error};
    if (row->error)
        return;
    trial->answer.pos = row->record.pos;
    trial->answer.second = pair ? row->later.pos : 0;
    trial->fault = checked_fault(&row->record, row->buffer, size);
    if (!trial->fault && pair)
        trial->fault = checked_fault(&row->later, row->after, size);
    distance = kymo_impl_distance(time, row->record.time);
    other = kymo_impl_distance(time, far->time);
    if (!trial->fault && row->distance != (distance > other ? distance : other))
        trial->fault = "distance";
}

int oracle_try_align(struct oracle_trial *trials, const struct kymo_reader *const *readers,
                     size_t count, const struct oracle_buffers *buffers)
{
    static const enum kymo_align_mode modes[] = {
        [ORACLE_CLOSEST] = KYMO_ALIGN_CLOSEST,
        [ORACLE_AS_OF] = KYMO_ALIGN_AS_OF,
        [ORACLE_BRACKET] = KYMO_ALIGN_BRACKET,
    };
    struct kymo_alignment rows[ORACLE_ROWS] = {{0}};
    int answered;

    for (size_t i = 0; i < count; i++) {
        rows[i].reader = readers[i];
        rows[i].mode = modes[trials[i].question.kind];
        rows[i].max_distance = KYMO_ANY_DISTANCE;
        rows[i].buffer = buffers[i].one;
        rows[i].after = buffers[i].other;
        rows[i].size = readers[i]->ring.size;
        trials[i].span.first = readers[i]->ring.first;
        trials[i].span.mask = readers[i]->ring.mask;
        trials[i].fault = NULL;
        trials[i].span.from = kymo_ring_head(&readers[i]->ring);
    }
    answered = kymo_series_align(rows, count, trials[0].question.time);
    for (size_t i = 0; i < count; i++) {
        trials[i].span.to = kymo_ring_head(&readers[i]->ring);
        oracle_take_row(&trials[i], &rows[i]);
    }
    return answered;
}

int oracle_verdict(const struct oracle_trial *trial)
{
    if (trial->fault)
        return -1;
    if (oracle_accepts(&trial->question, &trial->span, &trial->answer))
        return 1;
    return trial->answer.error == -ESTALE ? 0 : -1;
}

void oracle_describe(const struct oracle_trial *trial)
{
    const struct oracle_answer *answer = &trial->answer;
    struct oracle_answer right =
        oracle_query(&trial->question, oracle_low(&trial->span, trial->span.from), trial->span.from,
                     trial->span.first);

    fprintf(stderr,
            "%s of %llu..%llu under head %llu..%llu, depth %llu: error %d, %llu, %llu, %d (%s); "
            "correct at the first head: error %d, %llu, %llu, %d\n",
            oracle_name(trial->question.kind), (unsigned long long)trial->question.time,
            (unsigned long long)trial->question.to, (unsigned long long)trial->span.from,
            (unsigned long long)trial->span.to, (unsigned long long)trial->span.mask + 1,
            answer->error, (unsigned long long)answer->pos, (unsigned long long)answer->second,
            answer->truncated, trial->fault ? trial->fault : "whole", right.error,
            (unsigned long long)right.pos, (unsigned long long)right.second, right.truncated);
}
