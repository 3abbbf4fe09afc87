/*
 * metrics.c - metrics.prom: all segments that the caller may read, and the daemon itself, as
 * Prometheus text. A segment that the caller may not read changes nothing in it: no sample, no
 * mtime (K: the mount shows each caller what it may read).
 */
#include <kymo/metrics.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/counters.h"
#include "render.h"

/* Samples of segments in one file, about 128 MiB. If there are more, the segments with the most samples
 * are left out, so that no huge segment displaces the others. */
#define SAMPLES UINT64_C(1048576)

/* Memory of a sample and of its line, bytes. */
#define SAMPLE_BYTES UINT64_C(256)

/* Segments in all, of which `included` are in the metrics. */
struct collection {
    struct request *request;
    struct kymo_metrics *metrics;
    struct segment **listed;
    uint64_t *counts; /* samples of each; 0: not readable */
    size_t count;
    uint64_t total;              /* samples */
    uint64_t limit;              /* samples of one segment */
    uint64_t included;           /* segments */
    uint64_t left_out;           /* segments */
    uint64_t changed[KYMO_USER]; /* the newest change on each clock */
};

/* ---- segments ---- */

static uint64_t count_samples(const struct request *request)
{
    const struct kymo_schema *schema = request_schema(request);
    uint64_t count = KYMO_METRICS_SEGMENT;

    for (uint32_t i = 0; i < schema->count; i++) {
        const struct kymo_field *field = &schema->fields[i];

        if (kymo_type_is_numeric(field->type) && field->count <= KYMO_METRICS_ELEMENTS)
            count += 1 + field->count; /* and its kymo_field_info */
    }
    return count;
}

/* The generation that was listed, acquired; if its file is not open, the one that has the name now. */
static struct segment *acquire_segment(struct request *request, struct segment *listed)
{
    struct segment *segment = listed;
    struct stat status;

    segment_hold(listed);
    if (segment_acquire(listed) == 0)
        return listed;
    segment_drop(listed);
    if (registry_find(request->registry, listed->name, &segment, &status) != 0)
        return NULL;
    if (segment_acquire(segment) == 0)
        return segment;
    segment_drop(segment);
    return NULL;
}

/* Whether the caller, which has searched the directory to get here, may read the file now. */
static bool may_read(struct request *request, const struct segment *segment)
{
    struct stat status = {.st_dev = segment->device, .st_ino = segment->inode};
    struct kymo_info info;

    if (kymo_segment_info(segment->reader->segment, &info) != 0)
        return false;
    status.st_mode = S_IFREG | info.mode;
    status.st_uid = info.uid;
    status.st_gid = info.gid;
    return registry_check_segment(request->registry, &request->credentials, segment->name,
                                  &status) == 0;
}

/* NULL: skip it: removed or damaged since the list was made, or not for the caller. */
static struct segment *open_segment(struct request *request, struct segment *listed)
{
    struct segment *segment = acquire_segment(request, listed);

    if (segment && !may_read(request, segment)) {
        segment_release(segment);
        segment_drop(segment);
        return NULL;
    }
    request->segment = segment;
    request->reader = segment ? segment->reader : NULL;
    return segment;
}

static int add_samples(struct collection *collection, uint64_t count)
{
    struct request *request = collection->request;
    struct change change;
    int added = budget_grow(&request->budget, SAMPLE_BYTES * (collection->total + count));

    if (added)
        return added;
    added = kymo_metrics_add(collection->metrics, request->reader);
    if (added < 0)
        return added == -ENOMEM ? added : 0;
    change = render_last_change(request);
    if (change.time > collection->changed[change.clock])
        collection->changed[change.clock] = change.time;
    collection->total += count;
    collection->included++;
    return 0;
}

/* Counts the samples of one segment, and adds them while the sum is within the limit. */
static int add_segment(struct collection *collection, size_t index)
{
    struct request *request = collection->request;
    struct segment *segment = open_segment(request, collection->listed[index]);
    uint64_t count;
    int error = 0;

    if (!segment)
        return 0;
    count = count_samples(request);
    collection->counts[index] = count;
    if (count > collection->limit)
        collection->left_out++;
    else if (collection->total + count <= SAMPLES)
        error = add_samples(collection, count);
    else
        collection->total += count;
    segment_release(segment);
    segment_drop(segment);
    request->segment = NULL;
    request->reader = NULL;
    return error;
}

static int add_segments(struct collection *collection)
{
    int error = 0;

    collection->total = collection->included = collection->left_out = 0;
    memset(collection->changed, 0, sizeof(collection->changed));
    for (size_t i = 0; i < collection->count && !error; i++) {
        error = add_segment(collection, i);
        if (!error)
            error = budget_pause(&collection->request->budget);
    }
    return error;
}

static int compare_counts(const void *one, const void *other)
{
    const uint64_t first = *(const uint64_t *)one, second = *(const uint64_t *)other;

    return (first > second) - (first < second);
}

/* The largest number of samples of one segment with which all fit. Sorts the counts. */
static void choose_limit(struct collection *collection)
{
    const uint64_t *counts = collection->counts;
    uint64_t sum = 0;

    qsort(collection->counts, collection->count, sizeof(*counts), compare_counts);
    collection->limit = 0;
    for (size_t i = 0, next; i < collection->count; i = next) {
        for (next = i; next < collection->count && counts[next] == counts[i]; next++)
            sum += counts[next];
        if (sum > SAMPLES)
            break;
        collection->limit = counts[i];
    }
}

static int collect(struct collection *collection)
{
    int error = add_segments(collection);

    if (error || collection->total <= SAMPLES)
        return error;
    choose_limit(collection);
    kymo_metrics_clear(collection->metrics);
    return add_segments(collection);
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

static void add_daemon(const struct collection *collection)
{
    const struct {
        const char *name;
        enum kymo_metric metric;
        const char *help;
        uint64_t value;
    } samples[] = {
        {"kymofs_segments", KYMO_GAUGE, "Segments in these metrics.", collection->included},
        {"kymofs_segments_left_out", KYMO_GAUGE,
         "Segments that have too many values for these metrics.", collection->left_out},
        {"kymofs_segments_skipped", KYMO_GAUGE,
         "Files of the directory that are not valid segments.",
         registry_skipped(collection->request->registry)},
        {"kymofs_retries_total", KYMO_COUNTER,
         "Records read again because the writer overwrote them during the read.",
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
        kymo_metrics_sample(collection->metrics, samples[i].name, samples[i].metric,
                            samples[i].help, NULL, (double)samples[i].value);
    add_requests(collection->metrics);
}

/* ---- all of it ---- */

static int collection_open(struct collection *collection, struct request *request)
{
    ssize_t count;
    int error = kymo_metrics_open(&collection->metrics);

    if (error)
        return error;
    collection->request = request;
    collection->limit = SAMPLES;
    count = registry_list(request->registry, &collection->listed);
    if (count < 0)
        return (int)count;
    collection->count = (size_t)count;
    collection->counts = calloc(collection->count + 1, sizeof(*collection->counts));
    credentials_load(&request->credentials);
    return collection->counts ? 0 : -ENOMEM;
}

static void collection_close(struct collection *collection)
{
    for (size_t i = 0; i < collection->count; i++)
        segment_drop(collection->listed[i]);
    free(collection->listed);
    free(collection->counts);
    kymo_metrics_close(collection->metrics);
}

/* In ns since 1970; 0: there was none. */
static uint64_t last_change(const struct collection *collection)
{
    uint64_t last = 0;

    for (int clock = 0; clock < KYMO_USER; clock++) {
        const struct change change = {(enum kymo_clock)clock, collection->changed[clock]};
        const uint64_t time = change.time ? render_realtime(change) : 0;

        last = time > last ? time : last;
    }
    return last;
}

int render_metrics(struct request *request, struct kymo_text *text, uint64_t *modified)
{
    struct collection collection = {.limit = 0};
    int error = collection_open(&collection, request);

    if (!error)
        error = collect(&collection);
    if (!error) {
        add_daemon(&collection);
        error = kymo_metrics_write(collection.metrics, text);
    }
    *modified = last_change(&collection);
    collection_close(&collection);
    return error;
}
