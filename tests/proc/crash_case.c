/*
 * crash_case.c - the victim's calls, and the bounds that follow from its progress.
 */
#include "crash_case.h"

int is_queue(const struct kymo_options *options)
{
    return options->kind == KYMO_QUEUE;
}

/* ---- records ---- */

/* With KYMO_CLAMP, a time equal to the previous one is passed as a smaller one. */
static uint64_t time_argument(const struct kymo_options *options, uint64_t pos)
{
    const uint64_t time = checked_time(pos);

    if (options->time_policy == KYMO_CLAMP && pos > 0 && time == checked_time(pos - 1))
        return time - 1;
    return time;
}

int crash_case_publish(struct kymo_writer *writer, const struct kymo_options *options, uint64_t pos)
{
    const uint32_t len = checked_len(pos, writer->ring.size);
    unsigned char payload[READING_LIMIT];

    checked_fill(payload, pos, len);
    return kymo_ring_publish(writer, payload, len, time_argument(options, pos), checked_tag(pos));
}

int crash_case_commit(struct kymo_writer *writer, const struct kymo_options *options, uint64_t pos)
{
    const uint32_t len = checked_len(pos, writer->ring.size);
    unsigned char payload[READING_LIMIT];
    void *loan;
    int error = kymo_ring_loan(writer, &loan);

    if (error)
        return error;
    checked_fill(payload, pos, len);
    kymo_copy_in(loan, payload, len);
    return kymo_ring_commit(writer, len, time_argument(options, pos), checked_tag(pos));
}

/* ---- bounds ---- */

struct bounds published(const struct crash_case *crash_case, const struct progress *progress,
                        int next)
{
    const uint64_t before = next ? 0 : crash_case->history;
    struct bounds bounds = {before, before};

    if (!next && crash_case->fate != SEGMENT_STAYS)
        return bounds;
    for (uint32_t i = 0; i < progress->begun; i++) {
        bounds.high += crash_case->calls[i].publishes;
        bounds.low += i < progress->done ? crash_case->calls[i].publishes : 0;
    }
    return bounds;
}

struct bounds taken(const struct crash_case *crash_case, const struct progress *progress)
{
    struct bounds bounds = {crash_case->taken, crash_case->taken};

    for (uint32_t i = 0; i < progress->begun; i++) {
        bounds.high += crash_case->calls[i].takes;
        bounds.low += i < progress->done ? crash_case->calls[i].takes : 0;
    }
    return bounds;
}

int has_closed(const struct crash_case *crash_case, const struct progress *progress)
{
    return progress->done > 0 && progress->begun == progress->done &&
           crash_case->calls[progress->done - 1].closes;
}

int is_publishing(const struct crash_case *crash_case, const struct progress *progress)
{
    return (crash_case->prepare || progress->begun > 1) &&
           crash_case->calls[progress->begun - 1].publishes > 0;
}

/* ---- the bytes of a file ---- */

const struct kymo_header *header_of(const struct snapshot_file *file)
{
    return (const struct kymo_header *)(const void *)file->bytes;
}

const struct kymo_control *control_of(const struct snapshot_file *file)
{
    return (const void *)(file->bytes + header_of(file)->control_offset);
}

const struct kymo_consumer_control *consumer_of(const struct snapshot_file *file)
{
    return (const void *)(file->bytes + header_of(file)->consumer_offset);
}

static uint64_t seq_at(const struct snapshot_file *file, uint64_t pos)
{
    const struct kymo_header *header = header_of(file);
    const uint64_t index = pos & (header->depth - 1);
    const struct kymo_slot *slot =
        (const void *)(file->bytes + header->slots_offset + index * header->stride);

    return slot->seq;
}

int is_adoptable(const struct snapshot_file *file)
{
    const uint64_t head = control_of(file)->head;

    return seq_at(file, head) == kymo_impl_seq_complete(head);
}

int has_begun(const struct snapshot_file *file)
{
    const uint64_t head = control_of(file)->head;
    const uint64_t depth = header_of(file)->depth;

    return head >= depth && seq_at(file, head) != kymo_impl_seq_complete(head - depth);
}

/* ---- the victim ---- */

void mark_at_point(void *context, const char *name)
{
    (void)context;
    (void)name;
    steps_mark();
}

int crash_case_run(void *context)
{
    struct victim *victim = (struct victim *)context;
    const struct crash_case *crash_case = victim->crash_case;
    struct progress *progress = victim->progress;
    int error = crash_case->prepare ? crash_case->prepare(victim) : 0;

    if (error)
        return 1;
    process_store(&progress->begun, 1);
    testpoint_trace_begin(progress->trace);
    if (progress->point)
        testpoint_plan(NULL, progress->point - 1, progress->at_point, NULL);
    steps_mark();
    for (uint32_t i = 0; i < CALLS && crash_case->calls[i].run && !error; i++) {
        process_store(&progress->begun, i + 1);
        error = crash_case->calls[i].run(victim);
        victim->pos += crash_case->calls[i].publishes;
        process_store(&progress->done, i + 1);
    }
    progress->error = error;
    process_store(&progress->finished, 1);
    for (;;)
        steps_mark();
}
