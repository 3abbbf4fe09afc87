/*
 * metrics.c - metrics.prom. What one caller may not read leaves no trace in what he gets: no sample,
 * no mtime (K).
 */
#include "metrics.h"

#include <kymo/metrics.h>
#include <stdio.h>
#include <stdlib.h>

#include "counters.h"

uint64_t metrics_limit(const struct node *node)
{
    (void)node;
    return UINT64_MAX;
}

/* ---- segments ---- */

/* What goes into one answer. */
struct selection {
    struct segment **segments; /* all that the caller may read, held */
    size_t count;
    uint64_t largest;  /* samples of one segment; those that have more are left out */
    uint64_t left_out; /* segments */
};

static uint64_t samples_of(const struct segment *segment)
{
    const struct kymo_schema *schema = kymo_segment_schema(segment->reader->segment);
    uint64_t count = 3; /* that each has */

    for (uint32_t i = 0; i < schema->count; i++) {
        const struct kymo_field *field = &schema->fields[i];

        if (kymo_type_is_numeric(field->type) && field->count <= KYMO_METRICS_ELEMENTS)
            count += field->count;
    }
    return count;
}

static int compare_counts(const void *one, const void *other)
{
    const uint64_t first = *(const uint64_t *)one, second = *(const uint64_t *)other;

    return (first > second) - (first < second);
}

/* The small ones come first, so that nobody who makes a huge one keeps the others out. */
static int choose_largest(struct selection *selection)
{
    uint64_t *counts = calloc(selection->count + 1, sizeof(*counts));
    uint64_t sum = 0;

    if (!counts)
        return -ENOMEM;
    for (size_t i = 0; i < selection->count; i++)
        counts[i] = samples_of(selection->segments[i]);
    qsort(counts, selection->count, sizeof(*counts), compare_counts);
    for (size_t i = 0, next; i < selection->count; i = next) {
        for (next = i; next < selection->count && counts[next] == counts[i]; next++)
            sum += counts[next];
        if (sum > METRICS_SAMPLES)
            break;
        selection->largest = counts[i];
    }
    free(counts);
    return 0;
}

static int select_segments(struct selection *selection, const struct request *request)
{
    struct segment **segments = NULL;
    const ssize_t found = registry_list(request->registry, &segments);
    struct rights rights;

    if (found < 0)
        return (int)found;
    rights_find(&rights, request->caller);
    for (ssize_t i = 0; i < found; i++) {
        if (rights_may_read(&rights, segments[i]))
            segments[selection->count++] = segments[i];
        else
            segment_drop(segments[i]);
    }
    rights_free(&rights);
    selection->segments = segments;
    return choose_largest(selection);
}

static void selection_free(struct selection *selection)
{
    for (size_t i = 0; i < selection->count; i++)
        segment_drop(selection->segments[i]);
    free(selection->segments);
}

/* A segment that was removed or damaged this moment is left out. */
static int add_segment(struct kymo_metrics *metrics, const struct segment *segment,
                       struct request *request)
{
    const int count = kymo_metrics_add(metrics, segment->reader);
    const uint64_t modified = count < 0 ? 0 : segment_modified(segment);

    if (modified > request->modified)
        request->modified = modified;
    return count == -ENOMEM ? count : count >= 0;
}

/* Returns how many segments that were, or -ENOMEM. */
static int add_segments(struct kymo_metrics *metrics, struct selection *selection,
                        struct request *request)
{
    int added = 0;

    for (size_t i = 0; i < selection->count; i++) {
        int result = 0;

        if (samples_of(selection->segments[i]) <= selection->largest)
            result = add_segment(metrics, selection->segments[i], request);
        else
            selection->left_out++;
        if (result < 0)
            return result;
        added += result;
    }
    return added;
}

/* ---- the daemon ---- */

static void add_requests(struct kymo_metrics *metrics)
{
    char label[64];

    for (uint32_t opcode = 0; opcode < COUNTER_OPCODES; opcode++) {
        const char *name = counter_request_name(opcode);
        const uint64_t count = counter_requests(opcode);

        if (count == 0)
            continue;
        if (name)
            snprintf(label, sizeof(label), "request=%s", name);
        else
            snprintf(label, sizeof(label), "request=%u", opcode);
        kymo_metrics_sample(metrics, "kymofs_requests_total", KYMO_COUNTER,
                            "Requests of the kernel.", label, (double)count);
    }
}

static void add_daemon(struct kymo_metrics *metrics, struct registry *registry,
                       const struct selection *selection, int segments)
{
    const struct {
        const char *name;
        enum kymo_metric metric;
        const char *help;
        uint64_t value;
    } samples[] = {
        {"kymofs_segments", KYMO_GAUGE, "Segments in these metrics.", (uint64_t)segments},
        {"kymofs_segments_left_out", KYMO_GAUGE,
         "Segments that have too many values for these metrics.", selection->left_out},
        {"kymofs_segments_skipped", KYMO_GAUGE,
         "Files of the directory that are no sound segments.", registry_skipped(registry)},
        {"kymofs_retries_total", KYMO_COUNTER, "Records read anew because their writer came by.",
         counter_value(COUNTER_RETRIES)},
        {"kymofs_sigbus_total", KYMO_COUNTER, "Faults in truncated segments that were caught.",
         kymo_guard_caught()},
        {"kymofs_streams", KYMO_GAUGE, "Streams that are open.", counter_value(COUNTER_STREAMS)},
        {"kymofs_stream_records_total", KYMO_COUNTER, "Records put into streams.",
         counter_value(COUNTER_STREAM_RECORDS)},
        {"kymofs_stream_missed_total", KYMO_COUNTER,
         "Records that readers of streams were too slow for.",
         counter_value(COUNTER_STREAM_MISSED)},
    };

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
        kymo_metrics_sample(metrics, samples[i].name, samples[i].metric, samples[i].help, NULL,
                            (double)samples[i].value);
    add_requests(metrics);
}

int metrics_render(const struct node *node, struct request *request, struct kymo_text *text)
{
    struct selection selection = {0};
    struct kymo_metrics *metrics;
    int segments = 0, error = kymo_metrics_open(&metrics);

    (void)node;
    if (error)
        return error;
    error = select_segments(&selection, request);
    if (!error) {
        segments = add_segments(metrics, &selection, request);
        error = segments < 0 ? segments : 0;
    }
    if (!error) {
        add_daemon(metrics, request->registry, &selection, segments);
        error = kymo_metrics_write(metrics, text);
    }
    selection_free(&selection);
    kymo_metrics_close(metrics);
    return error;
}
