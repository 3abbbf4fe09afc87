/*
 * writer.c - create, resume or replace a segment for publishing, and close it.
 *
 * Only the process that holds the lock on a generation's first byte may change it. Promises C, H
 * and I follow from the order of steps: lock, check that the name still refers to this inode, then
 * resume; or make the next generation, locked and with its writer, rename it over the name, and only
 * then retire the old one. Every step that can fail comes before a change that others can see: a
 * failed open changes nothing.
 */
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* ---- taking over a generation ---- */

/* Counts a record that a killed writer completed at head without counting it (promise C). */
static void count_complete(struct kymo_ring *ring)
{
    struct kymo_control *control = ring->control;
    const uint64_t head = kymo_load_relaxed(&control->head);
    const struct kymo_slot *slot = kymo_impl_ring_slot(ring, head);

    if (!kymo_impl_slot_read_begin(slot, head) || kymo_load_relaxed32(&slot->len) > ring->size)
        return;
    kymo_store_relaxed(&ring->times[head & ring->mask], kymo_load_relaxed(&slot->time));
    kymo_store_relaxed(&control->adopted, kymo_load_relaxed(&control->adopted) + 1);
    /* HEAD-1 and BELL-1 (ordered store): as in kymo_impl_ring_complete; the bell is rung later. */
    kymo_store_ordered(&control->head, head + 1);
    KYMO_TESTPOINT(ADOPTED);
}

void kymo_writer_adopt(struct kymo_writer *writer)
{
    const struct kymo_control *control = writer->ring.control;

    count_complete(&writer->ring);
    /* The writer may have been killed between its store of head, or of the bell's word, and the
     * wake. A writer that closed has woken its readers, and a new segment had no writer before. */
    if (kymo_load_relaxed32(&control->state) == KYMO_OPEN &&
        kymo_load_relaxed32(&control->writers) > 0)
        kymo_bell_ring(writer->bell);
}

void kymo_writer_catch_up(struct kymo_writer *writer)
{
    const struct kymo_ring *ring = &writer->ring;
    const uint64_t head = kymo_load_relaxed(&ring->control->head);

    writer->pos = head;
    writer->time =
        head > ring->first ? kymo_load_relaxed(&ring->times[(head - 1) & ring->mask]) : 0;
}

static void announce_owner(struct kymo_control *control, enum kymo_time_policy policy)
{
    kymo_store_relaxed32(&control->time_policy, policy);
    /* A writer turns a frozen copy into an ordinary segment. */
    kymo_store_relaxed(&control->frozen_realtime, 0);
    kymo_store_relaxed(&control->opened, kymo_clock_now(KYMO_MONOTONIC));
    kymo_store_relaxed32(&control->writer_pid, (uint32_t)getpid());
    kymo_store_relaxed32(&control->writer_pid_namespace, kymo_pid_namespace());
    /* STATE-3 (release store): the lock before the count of writers. Pairs with liveness.c. */
    kymo_store_release32(&control->writers, kymo_load_relaxed32(&control->writers) + 1);
    /* STATE-1 (release store): the writer's identity before the state. Pairs with info.c. */
    kymo_store_release32(&control->state, KYMO_OPEN);
    KYMO_TESTPOINT(TAKEN_OVER);
}

static int head_holds(const struct kymo_ring *ring)
{
    const uint64_t head = kymo_load_relaxed(&ring->control->head);

    return head >= ring->first && head <= KYMO_POSITION_LIMIT;
}

static int take_over(struct kymo_writer *writer)
{
    if (!head_holds(&writer->ring))
        return -EBADMSG;
    kymo_writer_adopt(writer);
    kymo_writer_catch_up(writer);
    announce_owner(writer->ring.control, writer->segment->time_policy);
    /* The limit of a queue follows from its tail: the first push computes it. */
    writer->limit = writer->segment->header.kind == KYMO_QUEUE ? 0 : KYMO_POSITION_LIMIT;
    return 0;
}

/* Other writers may be publishing: complete a dead owner's steps under the shared lock. */
static int join(struct kymo_writer *writer)
{
    struct kymo_control *control = writer->ring.control;
    int locked;

    if (!head_holds(&writer->ring))
        return -EBADMSG;
    locked = kymo_robust_lock_join(writer->segment, &control->lock, &control->takeovers,
                                   KYMO_LOCK_WRITER_SLOTS);
    if (locked < 0)
        return locked;
    if (locked == 1)
        kymo_writer_adopt(writer);
    announce_owner(control, writer->segment->time_policy);
    kymo_robust_unlock(&writer->segment->lock_slot);
    return 0;
}

static int is_shared(const struct kymo_header *header)
{
    return header->flags & KYMO_SHARED_WRITER ? 1 : 0;
}

/* ---- opening ---- */

/* The arguments of an open. */
struct request {
    const char *name;
    int directory;
    enum kymo_existing existing;
    const struct kymo_options *options; /* NULL: any layout */
    struct kymo_diagnostic *diagnostic;
};

/* What a new generation is made from. */
struct plan {
    struct kymo_header header;
    const struct kymo_field *fields;
};

/* The policy that the options choose; without options that of the previous writer. */
static enum kymo_time_policy choose_policy(const struct request *request,
                                           const struct kymo_control *control)
{
    if (request->options)
        return request->options->time_policy;
    return kymo_load_relaxed32(&control->time_policy) == KYMO_CLAMP ? KYMO_CLAMP : KYMO_REJECT;
}

static void destroy_handle(struct kymo_writer *writer)
{
    kymo_mapping_close(writer->segment);
    free(writer);
}

/* A handle on a locked file; takes the file over. */
static int make_writer(const struct request *request, struct kymo_file *file,
                       struct kymo_writer **out)
{
    struct kymo_writer *writer = aligned_alloc(KYMO_CACHE_LINE, 2 * KYMO_CACHE_LINE);
    int error;

    static_assert(sizeof(*writer) <= 2 * KYMO_CACHE_LINE, "two lines hold a writer");
    if (!writer) {
        kymo_file_close(file);
        return -ENOMEM;
    }
    memset(writer, 0, sizeof(*writer));
    error = kymo_mapping_open(&writer->segment, request->name, file, KYMO_WRITING, &writer->ring);
    if (error) {
        free(writer);
        return error;
    }
    writer->segment->limit = &writer->limit;
    writer->segment->time_policy = choose_policy(request, writer->ring.control);
    writer->bell = (void *)(writer->segment->map + writer->segment->header.bell_offset);
    writer->wake_always = writer->segment->header.wake_policy == KYMO_WAKE_ALWAYS;
    kymo_fork_watch(writer->segment);
    error = is_shared(&writer->segment->header) ? join(writer) : take_over(writer);
    if (error)
        destroy_handle(writer);
    else
        *out = writer;
    return error;
}

static int report_space(const struct request *request, uint64_t needed)
{
    struct statvfs files;

    if (fstatvfs(request->directory, &files) != 0 ||
        needed <= (uint64_t)files.f_bavail * files.f_frsize)
        return -ENOSPC;
    return kymo_report(request->diagnostic, -ENOSPC,
                       "depth, size: the segment needs %llu bytes, and %s has %llu free",
                       (unsigned long long)needed, kymo_directory(),
                       (unsigned long long)files.f_bavail * files.f_frsize);
}

static int report_owner(const struct request *request, const struct kymo_file *old)
{
    return kymo_report(request->diagnostic, -EPERM,
                       "owner: the segment belongs to user %u and group %u, and a replacement too: "
                       "only this user or root can make it",
                       old->status.st_uid, old->status.st_gid);
}

/* Makes a complete generation with its writer, and then links it under its name, over the old one
 * unless that is NULL. */
static int make_generation(const struct request *request, const struct plan *plan,
                           const struct kymo_file *old, struct kymo_writer **writer)
{
    struct kymo_writer *made;
    struct kymo_file file;
    char unfinished[64];
    int error = kymo_file_create(request->directory, &plan->header, plan->fields,
                                 request->options->mode, old, &file, unfinished);

    if (error == -ENOSPC)
        report_space(request, plan->header.file_size);
    if (error == -EPERM && old)
        report_owner(request, old);
    if (error)
        return error;
    error = make_writer(request, &file, &made);
    if (error) {
        kymo_file_discard(request->directory, unfinished);
        return error;
    }
    error = kymo_file_link(made->segment->fd, request->directory, request->name, unfinished,
                           old != NULL);
    if (error)
        destroy_handle(made);
    else
        *writer = made;
    return error;
}

/* Copies the description of the payload from the existing segment, if the options have none. */
static struct kymo_options fill_payload(const struct request *request, const struct kymo_file *old,
                                        struct kymo_schema *schema)
{
    struct kymo_options options = *request->options;

    if (options.size || options.schema || options.geometry)
        return options;
    options.size = old->header.size;
    options.geometry = &old->header.geometry;
    *schema = (struct kymo_schema){old->fields, old->header.field_count, old->header.schema_size};
    if (schema->count > 0)
        options.schema = schema;
    if (!options.type_id)
        options.type_id = old->header.type_id;
    return options;
}

static int make_plan(const struct request *request, const struct kymo_options *options,
                     struct plan *plan)
{
    plan->fields = options->schema ? options->schema->fields : NULL;
    return kymo_layout_from_options(&plan->header, options, request->diagnostic);
}

static int create(const struct request *request, struct kymo_writer **writer)
{
    struct plan plan;
    int error = make_plan(request, request->options, &plan);

    return error ? error : make_generation(request, &plan, NULL, writer);
}

/* The caller holds the lock of `old`, which has the name, until its readers have been woken. */
static int replace(const struct request *request, const struct kymo_file *old,
                   struct kymo_writer **writer)
{
    struct kymo_schema schema;
    const struct kymo_options options = fill_payload(request, old, &schema);
    struct kymo_retirement retirement;
    uint64_t waiting = 0;
    struct plan plan;
    int error = make_plan(request, &options, &plan);

    if (!error)
        error = kymo_file_waiting(old, &waiting);
    if (!error && waiting)
        error = kymo_report(request->diagnostic, -ENOTEMPTY,
                            "the queue holds %llu records: consume them, or remove the segment",
                            (unsigned long long)waiting);
    if (!error)
        error = kymo_retirement_begin(&retirement, old);
    if (error)
        return error;
    error = make_generation(request, &plan, old, writer);
    if (!error)
        kymo_retirement_commit(&retirement);
    kymo_retirement_end(&retirement);
    return error;
}

/* 1 if every new record would be before the newest one, or meaninglessly long after it. */
static int is_of_other_boot(const struct request *request, const struct kymo_file *file)
{
    if (!kymo_clock_counts_from_boot(file->header.clock) ||
        !kymo_layout_is_of_other_boot(&file->header))
        return 0;
    return kymo_report(request->diagnostic, 1,
                       "clock: the segment's %s times count from another boot of the machine",
                       kymo_clock_text((enum kymo_clock)file->header.clock));
}

/* 1 if the segment has the layout of the options, 0 if not, or -errno; options that are 0 are equal to
 * any. */
static int is_resumable(const struct request *request, const struct kymo_file *file)
{
    struct kymo_schema schema;
    struct kymo_options options;
    struct kymo_control control;
    struct plan plan;
    int error = kymo_file_read_control(file, &control);

    if (error)
        return error;
    if (request->existing == KYMO_REPLACE || control.state == KYMO_RETIRED)
        return 0;
    if (is_of_other_boot(request, file))
        return 0;
    if (!request->options)
        return 1;
    options = fill_payload(request, file, &schema);
    if (!options.depth)
        options.depth = file->header.depth;
    if (!options.alignment)
        options.alignment = file->header.alignment;
    return make_plan(request, &options, &plan) == 0 &&
           kymo_layout_difference(&file->header, file->fields, &plan.header, plan.fields,
                                  request->diagnostic) == 0;
}

/* Shared writers take a shared lock, all others an exclusive one. -EAGAIN: the name refers to
 * another file now. */
static int lock_named(const struct request *request, const struct kymo_file *file, int shared)
{
    int error = shared ? kymo_file_lock_shared(file->fd, KYMO_LOCK_WRITER)
                       : kymo_file_lock(file->fd, KYMO_LOCK_WRITER, 1);

    KYMO_TESTPOINT(LOCKED);
    /* The generation may have lost its name before it was locked (promise H). */
    return error ? error : kymo_file_check_name(file, request->directory, request->name);
}

/* The file may have holes, as one that was restored from an archive. */
static int resume_file(const struct request *request, struct kymo_file *file,
                       struct kymo_writer **writer)
{
    const uint64_t size = file->header.file_size;
    const uint64_t allocated = (uint64_t)file->status.st_blocks * 512;
    int error = kymo_file_allocate(file->fd, FALLOC_FL_KEEP_SIZE, 0, size);

    if (!error)
        return make_writer(request, file, writer);
    if (error == -ENOSPC)
        report_space(request, allocated < size ? size - allocated : 0);
    kymo_file_close(file);
    return error;
}

static int open_existing(const struct request *request, struct kymo_writer **writer)
{
    struct kymo_file file;
    int same;
    int error =
        kymo_file_open(request->directory, request->name, O_RDWR, &file, request->diagnostic);

    if (error)
        return error;
    same = is_resumable(request, &file);
    error = same < 0 ? same : lock_named(request, &file, same && is_shared(&file.header));
    if (!error && same)
        return resume_file(request, &file, writer);
    if (error)
        kymo_report(request->diagnostic, error, "%s", kymo_error_text(error));
    else
        error = request->existing == KYMO_OPEN_EXISTING ? -EEXIST : replace(request, &file, writer);
    kymo_file_close(&file);
    return error;
}

static int report_missing(const struct request *request)
{
    if (request->options)
        return -ENOENT;
    return kymo_report(
        request->diagnostic, -ENOENT,
        "no such segment, and without options (size, schema or geometry) it can't be "
        "created");
}

static int open_request(const struct request *request, struct kymo_writer **writer)
{
    int error = -EAGAIN;

    if (request->existing == KYMO_CREATE_NEW)
        return create(request, writer);
    for (int tries = 0; tries < 100 && error == -EAGAIN; tries++) {
        error = open_existing(request, writer);
        if (error != -ENOENT)
            continue;
        if (request->existing == KYMO_OPEN_EXISTING)
            return report_missing(request);
        kymo_report_begin(request->diagnostic);
        error = create(request, writer);
        if (error == -EEXIST)
            error = -EAGAIN;
    }
    return error;
}

static int open_checked(struct request *request, struct kymo_writer **writer)
{
    int error = kymo_name_diagnose(request->name, request->diagnostic);

    if (!error && request->options)
        error = kymo_options_check(request->options, request->diagnostic);
    if (error)
        return error;
    request->directory = kymo_directory_open();
    if (request->directory < 0)
        return kymo_report_directory(request->diagnostic, request->directory);
    kymo_library_lock();
    error = open_request(request, writer);
    kymo_library_unlock();
    close(request->directory);
    return error;
}

int kymo_impl_writer_open(struct kymo_writer **writer, const char *name,
                          const struct kymo_options *options, uint32_t major,
                          struct kymo_diagnostic *diagnostic)
{
    struct request request = {.name = name,
                              .existing = options ? options->existing : KYMO_OPEN_EXISTING,
                              .options = options,
                              .diagnostic = diagnostic};

    *writer = NULL;
    kymo_report_begin(diagnostic);
    if (major != KYMO_LAYOUT_MAJOR)
        return kymo_report_major(diagnostic, major);
    return kymo_report_end(diagnostic, open_checked(&request, writer));
}

/* ---- closing ---- */

/* The last of several writers closes the segment: the one that gets the lock exclusively. */
static void close_shared(struct kymo_writer *writer)
{
    struct kymo_segment *segment = writer->segment;
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
    int locked;

    if (writer->loaned)
        kymo_ring_abort(writer);
    locked = kymo_robust_lock(&segment->lock_slot, now + segment->lock_timeout);
    if (locked == 1)
        kymo_writer_adopt(writer);
    /* STATE-1 (release store): every record before the end. Pairs with liveness.c. */
    if (locked >= 0 && kymo_file_lock(segment->fd, KYMO_LOCK_WRITER, 1) == 0)
        kymo_store_release32(&writer->ring.control->state, KYMO_CLOSED);
    KYMO_TESTPOINT(CLOSED);
    /* Release the shared lock before the futex lock: the next writer to close needs it
     * exclusively. */
    kymo_file_unlock(segment->fd, KYMO_LOCK_WRITER);
    if (locked >= 0)
        kymo_robust_unlock(&segment->lock_slot);
}

void kymo_writer_close(struct kymo_writer *writer)
{
    if (!writer)
        return;
    if (!writer->segment->orphan && is_shared(&writer->segment->header)) {
        close_shared(writer);
    } else if (!writer->segment->orphan) {
        /* STATE-1 (release store): every record before the end. Pairs with liveness.c. */
        kymo_store_release32(&writer->ring.control->state, KYMO_CLOSED);
        KYMO_TESTPOINT(CLOSED);
    }
    destroy_handle(writer);
}

int kymo_writer_set_lock_timeout(struct kymo_writer *writer, uint64_t lock_timeout)
{
    if (!is_shared(&writer->segment->header))
        return -EINVAL;
    /* Half the range is longer than any wait, and its sum with any time does not overflow. */
    writer->segment->lock_timeout = lock_timeout < UINT64_MAX / 2 ? lock_timeout : UINT64_MAX / 2;
    return 0;
}

/* Removes the segment's name, if it still refers to it. */
static int unlink_named(const struct kymo_segment *segment, int directory)
{
    struct kymo_file file = {.fd = segment->fd};
    int error;

    if (fstat(file.fd, &file.status) != 0)
        return -errno;
    error = kymo_file_check_name(&file, directory, segment->name);
    if (error)
        return error == -EAGAIN ? 0 : error;
    return unlinkat(directory, segment->name, 0) == 0 ? 0 : -errno;
}

int kymo_writer_remove(struct kymo_writer *writer)
{
    int directory = kymo_directory_open();
    int error = 0;

    if (writer->segment->orphan)
        error = -EPERM;
    else if (directory < 0)
        error = directory;
    else if (is_shared(&writer->segment->header))
        error = kymo_file_lock(writer->segment->fd, KYMO_LOCK_WRITER, 1);
    if (!error)
        error = unlink_named(writer->segment, directory);
    if (!error) {
        KYMO_TESTPOINT(UNLINKED);
        kymo_mapping_end(writer->segment->map, &writer->segment->header);
        destroy_handle(writer);
    } else {
        kymo_writer_close(writer);
    }
    if (directory >= 0)
        close(directory);
    return error;
}

int kymo_writer_heartbeat(struct kymo_writer *writer)
{
    struct stat status;

    if (writer->segment->orphan)
        return -EPERM;
    if (fstat(writer->segment->fd, &status) == 0 && status.st_nlink == 0)
        return -EIDRM;
    kymo_store_relaxed(&writer->ring.control->heartbeat, kymo_clock_now(KYMO_MONOTONIC));
    return 0;
}
