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
static int add_segments(struct kymo_metrics *metrics, struct request *request)
{
    struct segment **segments = NULL;
    const ssize_t count = registry_list(request->registry, &segments);
    struct rights rights;
    int added = 0, error = count < 0 ? (int)count : 0;

    rights_find(&rights, request->caller);
    for (ssize_t i = 0; i < count; i++) {
        if (!error && rights_may_read(&rights, segments[i])) {
            const int result = add_segment(metrics, segments[i], request);

            added += result > 0;
            error = result < 0 ? result : 0;
        }
        segment_drop(segments[i]);
    }
    rights_free(&rights);
    free(segments);
    return error ? error : added;
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

static void add_daemon(struct kymo_metrics *metrics, struct registry *registry, int segments)
{
    const struct {
        const char *name;
        enum kymo_metric metric;
        const char *help;
        uint64_t value;
    } samples[] = {
        {"kymofs_segments", KYMO_GAUGE, "Segments in these metrics.", (uint64_t)segments},
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
    struct kymo_metrics *metrics;
    int segments, error = kymo_metrics_open(&metrics);

    (void)node;
    if (error)
        return error;
    segments = add_segments(metrics, request);
    if (segments >= 0) {
        add_daemon(metrics, request->registry, segments);
        error = kymo_metrics_write(metrics, text);
    } else {
        error = segments;
    }
    kymo_metrics_close(metrics);
    return error;
}
