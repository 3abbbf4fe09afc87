/*
 * text_info.c - a segment as lines of "key: value": what the file `info` and `kymo info` show.
 * The keys and their order are scripted against. Strings come from the segment's creator, who may
 * be anybody: they are escaped, so that none of them can forge a line.
 */
#include "text_internal.h"

#define NS_PER_SECOND 1000000000u

/* A writer that is silent for longer than both has stalled. */
#define STALL_LEAST   NS_PER_SECOND
#define STALL_PERIODS 10

/* The times at both ends of the history; count 0 where nothing is there, or it would not hold
 * still. */
struct history {
    uint64_t count;
    uint64_t oldest;
    uint64_t newest;
    uint64_t end; /* the position behind the newest */
};

/* Of records not after `time`. -ESTALE: it did not hold still, or there were some, all overwritten
 * by now. */
static int history_read(const struct kymo_ring *ring, uint64_t time, struct history *history)
{
    struct kymo_window window = {ring->first, ring->first};
    int error = kymo_window_pin(ring, &window);

    *history = (struct history){.end = window.high};
    if (error)
        return error;
    if (time != KYMO_FOREVER)
        window.high = kymo_impl_window_after(ring, window.low, window.high, time);
    history->end = window.high;
    if (window.high == window.low) {
        error = window.low == ring->first ? -ENODATA : -ESTALE;
        return kymo_impl_window_holds(ring, window.low) ? error : kymo_impl_ring_lost(ring);
    }
    history->count = window.high - window.low;
    history->oldest = kymo_window_time(ring, window.low);
    history->newest = kymo_window_time(ring, window.high - 1);
    if (kymo_impl_window_holds(ring, window.low))
        return 0;
    *history = (struct history){.end = window.high};
    return kymo_impl_ring_lost(ring);
}

/* A writer that runs flat out may pass the window's low end between two looks; it is so fast only
 * for rings so shallow that another try is cheap. */
static int history_pin(const struct kymo_ring *ring, uint64_t time, struct history *history)
{
    int error = -ESTALE;

    for (int tries = 0; tries < KYMO_RETRIES && error == -ESTALE; tries++)
        error = history_read(ring, time, history);
    return error == -ENODATA ? 0 : error;
}

/* ns between two records on average; 0 where that cannot be told. */
static uint64_t history_period(const struct history *history, enum kymo_clock clock)
{
    if (clock == KYMO_USER || history->count < 2 || history->newest <= history->oldest)
        return 0;
    return (history->newest - history->oldest) / (history->count - 1);
}

static uint64_t stall_limit(uint64_t period)
{
    if (period > KYMO_FOREVER / STALL_PERIODS)
        return KYMO_FOREVER;
    return period * STALL_PERIODS > STALL_LEAST ? period * STALL_PERIODS : STALL_LEAST;
}

/* ---- lines ---- */

static void line_string(struct kymo_text *text, const char *key, const char *value, size_t size)
{
    kymo_text_printf(text, "%s: ", key);
    kymo_text_escaped(text, value, strnlen(value, size));
    kymo_text_string(text, "\n");
}

static void line_u64(struct kymo_text *text, const char *key, uint64_t value)
{
    kymo_text_printf(text, "%s: ", key);
    kymo_text_u64(text, value);
    kymo_text_string(text, "\n");
}

static void line_age(struct kymo_text *text, const char *key, uint64_t now, uint64_t then)
{
    kymo_text_printf(text, "%s: ", key);
    kymo_text_duration(text, now > then ? now - then : 0);
    kymo_text_string(text, "\n");
}

static void line_writer(struct kymo_text *text, int liveness)
{
    const char *word = kymo_liveness_text(liveness);

    kymo_text_string(text, "writer: ");
    for (; *word; word++)
        kymo_text_printf(text, "%c", *word - 'a' + 'A');
    kymo_text_string(text, "\n");
}

static void line_rate(struct kymo_text *text, const struct history *history, enum kymo_clock clock)
{
    double seconds = (double)(history->newest - history->oldest) / NS_PER_SECOND;

    kymo_text_string(text, "rate: ");
    if (clock == KYMO_USER)
        kymo_text_string(text, "unknown");
    else if (history->count < 2)
        kymo_text_string(text, "0");
    else if (history->newest <= history->oldest)
        kymo_text_string(text, "unknown"); /* all at one instant */
    else
        kymo_text_rounded(text, (double)(history->count - 1) / seconds, 6);
    kymo_text_string(text, "\n");
}

static void lines_layout(struct kymo_text *text, const struct kymo_info *info)
{
    line_string(text, "name", info->name, sizeof(info->name));
    kymo_text_printf(text, "kind: %s\n", kymo_kind_text(info->kind));
    line_u64(text, "depth", info->depth);
    line_u64(text, "size", info->size);
    kymo_text_printf(text, "clock: %s\n", kymo_clock_text(info->clock));
    kymo_text_printf(text, "time-policy: %s\n",
                     info->time_policy == KYMO_CLAMP ? "clamp" : "reject");
    kymo_text_printf(text, "wake-policy: %s\n",
                     info->wake_policy == KYMO_WAKE_ALWAYS ? "always" : "waiters");
    kymo_text_printf(text, "layout: %u.%u\n", info->layout_major, info->layout_minor);
}

static void lines_writer(struct kymo_text *text, const struct kymo_info *info, int liveness)
{
    line_writer(text, liveness);
    line_u64(text, "writer-pid", info->writer_pid);
    if (info->heartbeat)
        line_age(text, "heartbeat-age", kymo_clock_now(KYMO_MONOTONIC), info->heartbeat);
    else
        kymo_text_string(text, "heartbeat-age: none\n");
}

/* `now`: 0 where nobody knows. */
static void lines_records(struct kymo_text *text, const struct kymo_info *info, uint64_t records,
                          uint64_t available, const struct history *history, uint64_t now)
{
    if (records == 0)
        kymo_text_string(text, "age: none\n");
    else if (now == 0 || history->count == 0)
        kymo_text_string(text, "age: unknown\n");
    else
        line_age(text, "age", now, history->newest);
    line_u64(text, "records", records);
    line_u64(text, "available", available);
    line_rate(text, history, info->clock);
}

static void lines_counters(struct kymo_text *text, const struct kymo_info *info)
{
    line_u64(text, "rejected", info->rejected);
    line_u64(text, "clamped", info->clamped);
    line_u64(text, "aborted", info->aborted);
    line_u64(text, "wakes", info->wakes);
    line_u64(text, "adopted", info->adopted);
    line_u64(text, "takeovers", info->takeovers);
    line_u64(text, "writers", info->writers);
}

/* 16 bytes as 8-4-4-4-12 hex digits. */
static void line_generation(struct kymo_text *text, const uint8_t uuid[16])
{
    static const uint8_t groups[] = {4, 2, 2, 2, 6};

    kymo_text_string(text, "generation: ");
    for (size_t i = 0; i < sizeof(groups); uuid += groups[i++]) {
        if (i > 0)
            kymo_text_string(text, "-");
        kymo_text_hex(text, uuid, groups[i]);
    }
    kymo_text_string(text, "\n");
}

static void lines_origin(struct kymo_text *text, const struct kymo_info *info)
{
    kymo_text_string(text, "created: ");
    kymo_text_when(text, info->created_realtime);
    kymo_text_string(text, "\ncreator: ");
    kymo_text_escaped(text, info->creator, strnlen(info->creator, sizeof(info->creator)));
    kymo_text_printf(text, ", pid %u, uid %u\n", info->creator_pid, info->creator_uid);
    line_string(text, "host", info->host, sizeof(info->host));
    line_string(text, "boot", info->boot_id, sizeof(info->boot_id));
    line_generation(text, info->uuid);
}

static void lines_file(struct kymo_text *text, const struct kymo_info *info)
{
    line_u64(text, "file-size", info->file_size);
    kymo_text_printf(text, "mode: %04o\n", info->mode & 07777);
    kymo_text_printf(text, "owner: %u:%u\n", info->uid, info->gid);
}

/* The schema as kymo_schema_parse reads it; holes that a packed or padded struct has are lost. */
static void line_schema(struct kymo_text *text, const struct kymo_schema *schema)
{
    kymo_text_string(text, "schema: ");
    if (schema->count == 0)
        kymo_text_string(text, "none");
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct kymo_field *field = &schema->fields[i];

        kymo_text_printf(text, "%s%.*s:%s", i ? "," : "", (int)sizeof(field->name), field->name,
                         kymo_type_text(field->type));
        for (uint32_t d = 0; d < field->dimensions; d++)
            kymo_text_printf(text, "[%u]", field->shape[d]);
    }
    kymo_text_string(text, "\n");
}

static void line_image(struct kymo_text *text, const struct kymo_geometry *geometry)
{
    if (geometry->width == 0 || geometry->height == 0)
        return;
    kymo_text_printf(text, "image: %ux%u format %u\n", geometry->width, geometry->height,
                     geometry->format);
}

int kymo_text_info(struct kymo_text *text, const struct kymo_reader *reader)
{
    struct kymo_info info;
    struct history history;
    uint64_t records;
    int liveness;
    int error = kymo_segment_info(reader->segment, &info);

    if (!error)
        error = history_pin(&reader->ring, KYMO_FOREVER, &history);
    if (error && error != -ESTALE)
        return error;
    records = info.head - info.first;
    liveness =
        kymo_segment_liveness(reader->segment, stall_limit(history_period(&history, info.clock)));
    if (liveness < 0)
        return liveness;
    lines_layout(text, &info);
    lines_writer(text, &info, liveness);
    lines_records(text, &info, records, records < info.depth ? records : info.depth - 1, &history,
                  kymo_clock_now(info.clock));
    lines_counters(text, &info);
    lines_origin(text, &info);
    lines_file(text, &info);
    line_schema(text, &info.schema);
    line_image(text, &info.geometry);
    return text->error;
}

int kymo_text_info_as_of(struct kymo_text *text, const struct kymo_reader *reader, uint64_t time)
{
    struct kymo_info info;
    struct history history;
    int error = kymo_segment_info(reader->segment, &info);

    if (!error)
        error = history_pin(&reader->ring, time, &history);
    if (error)
        return error;
    lines_layout(text, &info);
    line_u64(text, "as-of", time);
    lines_records(text, &info, history.end - info.first, history.count, &history, time);
    lines_origin(text, &info);
    lines_file(text, &info);
    line_schema(text, &info.schema);
    line_image(text, &info.geometry);
    return text->error;
}
