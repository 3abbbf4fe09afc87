/*
 * node_attributes.c - what stat says of a node: times, permissions, sizes.
 */
#include "node.h"

/* How far that clock is behind realtime, ns. Of several looks at both the quickest counts: in the
 * middle of the others somebody else may have had the processor. */
static int64_t measure_offset(enum kymo_clock clock)
{
    uint64_t best = UINT64_MAX;
    int64_t offset = 0;

    for (int tries = 0; tries < 4; tries++) {
        const uint64_t begin = kymo_clock_now(clock);
        const uint64_t realtime = kymo_clock_now(KYMO_REALTIME);
        const uint64_t took = kymo_clock_now(clock) - begin;

        if (took < best) {
            best = took;
            offset = (int64_t)(realtime - begin - took / 2);
        }
    }
    return offset;
}

/*
 * What to add to a time on that clock to have it in ns since 1970. Kept until the clocks really
 * part (somebody set one), so that a file nobody wrote keeps its mtime to the nanosecond.
 */
static int64_t clock_offset(enum kymo_clock clock)
{
    static uint64_t kept[KYMO_USER];
    const int64_t tolerance = 1000000;
    int64_t old = (int64_t)kymo_load_relaxed(&kept[clock]);
    int64_t now = measure_offset(clock);

    if (old != 0 && now - old < tolerance && old - now < tolerance)
        return old;
    kymo_store_relaxed(&kept[clock], (uint64_t)now);
    return now;
}

static uint64_t realtime_of(enum kymo_clock clock, uint64_t time)
{
    return clock == KYMO_REALTIME ? time : time + (uint64_t)clock_offset(clock);
}

/* When the segment was last written to, as far as one can tell; ns since 1970. */
uint64_t segment_modified(const struct segment *segment)
{
    const struct kymo_segment *open;
    enum kymo_clock clock;
    struct kymo_view view;
    struct kymo_info info;

    if (!segment->reader)
        return segment->created;
    open = segment->reader->segment;
    clock = kymo_segment_clock(open);
    if (clock != KYMO_USER && kymo_ring_view_latest(segment->reader, &view) == 0)
        return realtime_of(clock, view.record.time);
    /* Times of the writer's own: its heartbeat, or its start, has to do. */
    if (kymo_segment_info(open, &info) != 0 || !(info.heartbeat | info.opened))
        return segment->created;
    return realtime_of(KYMO_MONOTONIC, info.heartbeat > info.opened ? info.heartbeat : info.opened);
}

/* The same as of the node's moment, if it has one. */
static uint64_t node_modified(const struct node *node)
{
    struct kymo_window window;
    enum kymo_clock clock;

    if (!node->key.moment || !node->key.segment->reader)
        return segment_modified(node->key.segment);
    clock = node_clock(node);
    if (clock == KYMO_USER || moment_window(node, &window) != 0 || window.low == window.high)
        return node->key.segment->created;
    return realtime_of(clock, kymo_window_time(node_ring(node), window.high - 1));
}

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
}

/* A directory may be searched by who may read it (K). */
static mode_t mode_of(enum node_type type, mode_t readable)
{
    switch (type) {
    case NODE_DIRECTORY:
        return S_IFDIR | readable | readable >> 2;
    case NODE_LINK:
        return S_IFLNK | 0777;
    default:
        return S_IFREG | readable;
    }
}

static void attributes_of_segment(const struct node *node, enum node_type type,
                                  struct stat *attributes)
{
    const struct segment *segment = node->key.segment;

    attributes->st_mode = mode_of(type, kymo_load_relaxed32(&segment->mode));
    attributes->st_uid = kymo_load_relaxed32(&segment->uid);
    attributes->st_gid = kymo_load_relaxed32(&segment->gid);
    attributes->st_mtim = timespec_of(node_modified(node));
}

/* Above the segments, what holds for their directory. Whom it keeps out is kept out here (K). */
static void attributes_of_directory(enum node_type type, struct stat *attributes)
{
    struct stat status;

    if (stat(kymo_directory(), &status) != 0)
        status = (struct stat){.st_mode = 0500};
    else if (registry_has_access_list(kymo_directory()))
        status.st_mode &= 0700;
    attributes->st_mode =
        type == NODE_DIRECTORY ? S_IFDIR | (status.st_mode & 0555) : S_IFREG | 0444;
    attributes->st_uid = status.st_uid;
    attributes->st_gid = status.st_gid;
    attributes->st_mtim = status.st_mtim;
}

static off_t link_size(const struct node *node)
{
    struct kymo_text target = {0};
    off_t size = node->key.kind->render(node, &target) == 0 ? (off_t)target.len : 0;

    kymo_text_free(&target);
    return size;
}

void node_attributes(const struct node *node, struct stat *attributes)
{
    const enum node_type type = node->key.kind->type;

    *attributes = (struct stat){.st_ino = node->inode, .st_nlink = 1, .st_blksize = NODE_PAGE};
    if (node->key.segment)
        attributes_of_segment(node, type, attributes);
    else
        attributes_of_directory(type, attributes);
    attributes->st_atim = attributes->st_ctim = attributes->st_mtim;
    /* A stream has no size; sendfile and splice, which believe what stat says, end at once. */
    if (type == NODE_FILE && !node_has(node, NODE_STREAM))
        attributes->st_size = NODE_PAGE;
    else if (type == NODE_LINK)
        attributes->st_size = link_size(node);
}

bool node_is_large(const struct node *node)
{
    const struct node_kind *kind = node->key.kind;

    if (kind->type != NODE_FILE || (node->key.segment && !node->key.segment->reader))
        return false;
    return node_has(node, NODE_CONSTANT) || (kind->limit && kind->limit(node) > NODE_PAGE);
}
