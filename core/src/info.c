/*
 * info.c - the content of the header and the writer's page, as one copy.
 */
#include "internal.h"

static void describe_header(const struct kymo_segment *segment, struct kymo_info *info)
{
    const struct kymo_header *header = &segment->header;

    memcpy(info->name, segment->name, sizeof(info->name));
    info->kind = (enum kymo_kind)header->kind;
    info->clock = (enum kymo_clock)header->clock;
    info->wake_policy = (enum kymo_wake_policy)header->wake_policy;
    info->flags = header->flags;
    info->layout_major = header->layout_major;
    info->layout_minor = header->layout_minor;
    info->depth = header->depth;
    info->stride = header->stride;
    info->size = header->size;
    info->alignment = header->alignment;
    info->file_size = header->file_size;
    info->first = header->first;
    info->type_id = header->type_id;
    info->geometry = header->geometry;
    info->origin = header->origin;
    info->schema = segment->schema;
    info->created_monotonic = header->created_monotonic;
    info->created_realtime = header->created_realtime;
    info->creator_pid = header->creator_pid;
    info->creator_uid = header->creator_uid;
    memcpy(info->creator, header->creator, sizeof(info->creator));
    memcpy(info->uuid, header->uuid, sizeof(info->uuid));
    memcpy(info->boot_id, header->boot_id, sizeof(info->boot_id));
    info->is_of_other_boot = (uint32_t)segment->is_of_other_boot;
    memcpy(info->host, header->host, sizeof(info->host));
}

static void describe_file(const struct kymo_segment *segment, struct kymo_info *info)
{
    struct stat status;

    if (segment->fd < 0 || fstat(segment->fd, &status) != 0)
        return;
    info->device = status.st_dev;
    info->inode = status.st_ino;
    info->uid = status.st_uid;
    info->gid = status.st_gid;
    info->mode = status.st_mode & 07777;
}

uint32_t kymo_pid_namespace(void)
{
    struct stat status;

    return stat("/proc/self/ns/pid", &status) == 0 ? (uint32_t)status.st_ino : 0;
}

/* A PID of another namespace refers to another process here, or to none. */
static void describe_writer(const struct kymo_control *control, struct kymo_info *info)
{
    const uint32_t namespace = kymo_load_relaxed32(&control->writer_pid_namespace);
    const uint32_t own = kymo_pid_namespace();
    const uint32_t pid = kymo_load_relaxed32(&control->writer_pid);
    const int is_foreign = namespace && own && namespace != own;

    info->writer_pid = is_foreign ? 0 : pid;
    info->writer_foreign_pid = is_foreign ? pid : 0;
}

static void describe_control(const struct kymo_segment *segment, struct kymo_info *info)
{
    const struct kymo_control *control = segment->ring->control;
    /* STATE-1 (acquire load): the state before the identity of its writer. Pairs with announce_owner. */
    uint32_t state = kymo_load_acquire32(&control->state);

    info->state = state <= KYMO_RETIRED ? (enum kymo_state)state : KYMO_OPEN;
    info->head = kymo_ring_head(segment->ring);
    info->heartbeat = kymo_load_relaxed(&control->heartbeat);
    info->opened = kymo_load_relaxed(&control->opened);
    describe_writer(control, info);
    info->writers = kymo_load_relaxed32(&control->writers);
    info->time_policy =
        kymo_load_relaxed32(&control->time_policy) == KYMO_CLAMP ? KYMO_CLAMP : KYMO_REJECT;
    info->rejected = kymo_load_relaxed(&control->rejected);
    info->clamped = kymo_load_relaxed(&control->clamped);
    info->aborted = kymo_load_relaxed(&control->aborted);
    info->wakes = kymo_load_relaxed(&control->wakes);
    info->adopted = kymo_load_relaxed(&control->adopted);
    info->takeovers = kymo_load_relaxed(&control->takeovers);
    info->frozen_realtime = kymo_load_relaxed(&control->frozen_realtime);
    info->frozen_time = kymo_load_relaxed(&control->frozen_time);
    info->frozen_missing = kymo_load_relaxed(&control->frozen_missing);
}

int kymo_segment_info(const struct kymo_segment *segment, struct kymo_info *info)
{
    memset(info, 0, sizeof(*info));
    describe_header(segment, info);
    if (segment->orphan)
        return 0;
    describe_file(segment, info);
    describe_control(segment, info);
    return kymo_load_relaxed32(&segment->ring->damaged) ? -EBADMSG : 0;
}

const struct kymo_schema *kymo_segment_schema(const struct kymo_segment *segment)
{
    return &segment->schema;
}

int kymo_segment_is_of_other_boot(const struct kymo_segment *segment)
{
    return segment->is_of_other_boot && kymo_clock_counts_from_boot(segment->header.clock);
}

enum kymo_clock kymo_segment_clock(const struct kymo_segment *segment)
{
    return (enum kymo_clock)segment->header.clock;
}
