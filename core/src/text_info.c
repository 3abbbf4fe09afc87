/*
 * text_info.c - a segment as lines of "key: value": what the file `info` and `kymo info` show.
 *
 * Scripts depend on the keys and their order. Each key contains its unit, which never changes.
 * The segment's strings are untrusted: they are escaped, so that none of them can forge a line.
 *
 * The length of the text changes only when the segment changes: values that change with time alone
 * (ages, the writer's state, the rate) have a constant width. The file view reports the size of
 * `info` before it is read.
 */
#include "text_internal.h"

#include <kymo/image.h>

#include <stdio.h>

#define NS_PER_SECOND 1000000000u

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

/* A number of this many characters, sign and point included, below 10^9. */
#define FIXED_WIDTH 11

/* whole + nanos / 10^9, with as many decimals as the width leaves, at least one. */
static void line_fixed(struct kymo_text *text, const char *key, int is_negative, uint64_t whole,
                       uint64_t nanos)
{
    char number[48];
    const int point = snprintf(number, sizeof(number), "%s%llu", is_negative ? "-" : "",
                               (unsigned long long)whole);
    const int width = point + 2 > FIXED_WIDTH ? point + 2 : FIXED_WIDTH;

    snprintf(number + point, sizeof(number) - (size_t)point, ".%09llu", (unsigned long long)nanos);
    kymo_text_printf(text, "%s: %.*s\n", key, width, number);
}

/* Negative if `then` is in the future. */
static void line_age(struct kymo_text *text, const char *key, uint64_t now, uint64_t then)
{
    const uint64_t age = now >= then ? now - then : then - now;

    line_fixed(text, key, now < then, age / NS_PER_SECOND, age % NS_PER_SECOND);
}

/* The state and its explanation, together of one length for all states. */
static void lines_liveness(struct kymo_text *text, int liveness)
{
    static const struct {
        const char *state;
        const char *detail;
    } states[] = {
        [KYMO_LIVE_UNKNOWN] = {"UNKNOWN", "the kernel returned an error"},
        [KYMO_LIVE_ALIVE] = {"ALIVE", "holds its lock, and was active"},
        [KYMO_LIVE_STALLED] = {"STALLED", "holds its lock, but is quiet"},
        [KYMO_LIVE_CLOSED] = {"CLOSED", "ended cleanly, can be resumed"},
        [KYMO_LIVE_DEAD] = {"DEAD", "killed or crashed, is resumable"},
    };

    kymo_text_printf(text, "writer: %s\nwriter_detail: %s\n", states[liveness].state,
                     states[liveness].detail);
}

/* 0 if no writer is alive. */
static void line_rate(struct kymo_text *text, const struct kymo_activity *activity,
                      enum kymo_clock clock, int is_alive)
{
    const double rate = kymo_activity_rate(activity, clock, is_alive);

    if (rate < 0)
        kymo_text_string(text, "rate_hertz: unknown\n");
    else
        line_fixed(text, "rate_hertz", 0, (uint64_t)rate,
                   (uint64_t)((rate - (double)(uint64_t)rate) * NS_PER_SECOND));
}

static void lines_layout(struct kymo_text *text, const struct kymo_info *info)
{
    line_string(text, "name", info->name, sizeof(info->name));
    kymo_text_printf(text, "kind: %s\n", kymo_kind_text(info->kind));
    line_u64(text, "depth", info->depth);
    line_u64(text, "size_bytes", info->size);
    kymo_text_printf(text, "clock: %s\n", kymo_clock_text(info->clock));
    kymo_text_printf(text, "time_policy: %s\n",
                     info->time_policy == KYMO_CLAMP ? "clamp" : "reject");
    kymo_text_printf(text, "wake_policy: %s\n",
                     info->wake_policy == KYMO_WAKE_ALWAYS ? "always" : "waiters");
    kymo_text_printf(text, "layout: %u.%u\n", info->layout_major, info->layout_minor);
}

/* A writer that is not alive may have stored its heartbeat in another boot. */
static void lines_writer(struct kymo_text *text, const struct kymo_info *info, int liveness)
{
    const int is_alive = liveness == KYMO_LIVE_ALIVE || liveness == KYMO_LIVE_STALLED;

    lines_liveness(text, liveness);
    line_u64(text, "writer_pid", info->writer_pid);
    if (info->heartbeat && info->is_of_other_boot && !is_alive)
        kymo_text_string(text, "heartbeat_age_seconds: of another boot\n");
    else if (info->heartbeat && !info->frozen_realtime)
        line_age(text, "heartbeat_age_seconds", kymo_clock_now(KYMO_MONOTONIC), info->heartbeat);
    else
        kymo_text_string(text, "heartbeat_age_seconds: none\n");
}

#define OTHER_BOOT KYMO_FOREVER

/* The clock's time, in a frozen copy that of the freeze; 0 if the clock has no current time; or
 * OTHER_BOOT. */
static uint64_t now_of(const struct kymo_segment *segment, const struct kymo_info *info)
{
    if (info->frozen_realtime)
        return info->frozen_time;
    return kymo_segment_is_of_other_boot(segment) ? OTHER_BOOT : kymo_clock_now(info->clock);
}

/* `now`: 0 if it is unknown, or OTHER_BOOT. */
static void lines_records(struct kymo_text *text, const struct kymo_info *info, uint64_t records,
                          uint64_t available, const struct kymo_activity *activity, uint64_t now,
                          int is_alive)
{
    if (records == 0)
        kymo_text_string(text, "age_seconds: none\n");
    else if (now == OTHER_BOOT)
        kymo_text_string(text, "age_seconds: of another boot\n");
    else if (now == 0 || activity->count == 0)
        kymo_text_string(text, "age_seconds: unknown\n");
    else
        line_age(text, "age_seconds", now, activity->newest);
    line_u64(text, "records", records);
    line_u64(text, "available", available);
    line_rate(text, activity, info->clock, is_alive);
}

static void lines_counters(struct kymo_text *text, const struct kymo_info *info)
{
    line_u64(text, "rejected", info->rejected);
    line_u64(text, "clamped", info->clamped);
    line_u64(text, "aborted", info->aborted);
    line_u64(text, "wakes", info->wakes);
    line_u64(text, "adopted", info->adopted);
    line_u64(text, "takeovers", info->takeovers);
    line_u64(text, "writer_opens", info->writers);
}

/* 16 bytes as 8-4-4-4-12 hex digits. */
static void line_uuid(struct kymo_text *text, const char *key, const uint8_t uuid[16])
{
    static const uint8_t groups[] = {4, 2, 2, 2, 6};

    kymo_text_printf(text, "%s: ", key);
    for (size_t i = 0; i < sizeof(groups); uuid += groups[i++]) {
        if (i > 0)
            kymo_text_string(text, "-");
        kymo_text_hex(text, uuid, groups[i]);
    }
    kymo_text_string(text, "\n");
}

/* Copies only: their origin. */
static void lines_copy(struct kymo_text *text, const struct kymo_info *info)
{
    static const uint8_t none[16];
    const struct kymo_origin *origin = &info->origin;

    if (memcmp(origin->uuid, none, sizeof(none)) != 0) {
        line_uuid(text, "origin_generation", origin->uuid);
        line_string(text, "origin_host", origin->host, sizeof(origin->host));
        kymo_text_printf(text, "origin_clock: %s\n",
                         kymo_clock_text((enum kymo_clock)origin->clock));
        line_u64(text, "origin_first", origin->first);
    }
    if (info->frozen_realtime) {
        kymo_text_string(text, "frozen: ");
        kymo_text_when(text, info->frozen_realtime);
        kymo_text_string(text, "\n");
        line_u64(text, "frozen_missing", info->frozen_missing);
    }
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
    line_uuid(text, "generation", info->uuid);
    lines_copy(text, info);
}

static void lines_file(struct kymo_text *text, const struct kymo_info *info)
{
    line_u64(text, "file_size_bytes", info->file_size);
    kymo_text_printf(text, "mode: %04o\n", info->mode & 07777);
    kymo_text_printf(text, "owner: %u:%u\n", info->uid, info->gid);
}

/* The schema in the syntax of kymo_schema_parse, which has no gaps between fields. */
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
        if (field->interp != KYMO_INTERP_LINEAR)
            kymo_text_printf(text, ":%s", kymo_interp_text(field->interp));
    }
    kymo_text_string(text, "\n");
}

static void lines_image(struct kymo_text *text, const struct kymo_geometry *geometry)
{
    if (geometry->width == 0 || geometry->height == 0)
        return;
    kymo_text_printf(text, "image_pixels: %ux%u\nimage_format: %s\n", geometry->width,
                     geometry->height, kymo_format_text((enum kymo_pixel_format)geometry->format));
    line_u64(text, "image_stride_bytes", geometry->stride);
    line_u64(text, "image_offset_bytes", geometry->pixels_offset);
}

int kymo_text_info(struct kymo_text *text, const struct kymo_reader *reader)
{
    struct kymo_info info;
    struct kymo_activity activity;
    uint64_t records;
    int liveness;
    int error = kymo_segment_info(reader->segment, &info);

    if (!error)
        error = kymo_activity_read(&reader->ring, KYMO_FOREVER, &activity);
    if (error && error != -ESTALE)
        return error;
    records = info.head - info.first;
    liveness = kymo_activity_liveness(reader->segment, &activity);
    if (liveness < 0)
        return liveness;
    lines_layout(text, &info);
    lines_writer(text, &info, liveness);
    lines_records(text, &info, records, records < info.depth ? records : info.depth - 1, &activity,
                  now_of(reader->segment, &info), kymo_live_is_alive(liveness));
    lines_counters(text, &info);
    lines_origin(text, &info);
    lines_file(text, &info);
    line_schema(text, &info.schema);
    lines_image(text, &info.geometry);
    return text->error;
}

int kymo_text_info_as_of(struct kymo_text *text, const struct kymo_reader *reader, uint64_t time)
{
    struct kymo_info info;
    struct kymo_activity activity;
    int error = kymo_segment_info(reader->segment, &info);

    if (!error)
        error = kymo_activity_read(&reader->ring, time, &activity);
    if (error)
        return error;
    lines_layout(text, &info);
    line_u64(text, "as_of_nanoseconds", time);
    lines_records(text, &info, activity.end - info.first, activity.count, &activity, time, 1);
    lines_origin(text, &info);
    lines_file(text, &info);
    line_schema(text, &info.schema);
    lines_image(text, &info.geometry);
    return text->error;
}
