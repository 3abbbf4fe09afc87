/*
 * attributes.c - what stat() returns: owners, modes and times.
 */
#include "kinds.h"

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
}

/* A directory has x where r is set. */
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

/* K: a caller that may not read the segment gets a time that no record changes. */
static uint64_t modified(struct request *request)
{
    if (!request->reader && segment_enter(request) != 0)
        return request->segment->created;
    return render_modified(request);
}

static void set_times(struct stat *attributes, struct timespec time)
{
    attributes->st_atim = attributes->st_ctim = attributes->st_mtim = time;
}

void node_attributes(struct request *request, const struct node *node, struct stat *attributes)
{
    const enum node_type type = node->kind->type;
    const mode_t mode = request->status.st_mode;

    *attributes = (struct stat){.st_ino = node->ino,
                                .st_nlink = 1,
                                .st_blksize = NODE_PAGE,
                                .st_uid = request->status.st_uid,
                                .st_gid = request->status.st_gid};
    if (request->segment) {
        attributes->st_mode = mode_of(type, mode & 0444);
        set_times(attributes, timespec_of(modified(request)));
    } else {
        attributes->st_mode = type == NODE_DIRECTORY ? S_IFDIR | (mode & 0555) : S_IFREG | 0444;
        if (!node_has(node, NODE_CONSTANT))
            set_times(attributes, request->status.st_mtim);
    }
}

void node_attributes_absent(const struct node *node, struct stat *attributes)
{
    *attributes = (struct stat){.st_ino = node->ino,
                                .st_nlink = 1,
                                .st_blksize = NODE_PAGE,
                                .st_mode = S_IFDIR | 0555};
}
