/*
 * writer.c - the one that publishes: create, resume or replace a segment, and let go of it.
 *
 * Who holds the lock on a generation's first byte may change it. The order of steps is what makes
 * promises C, H and I true: lock, then look whether the name still leads here, then resume; or make
 * the next generation whole and locked, rename it over, and only then retire the old one.
 */
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- taking a generation over ---- */

/* A killed writer may have completed the record at head and not counted it: it counts (promise C).
 */
static void count_complete(struct kymo_ring *ring)
{
    struct kymo_control *control = ring->control;
    const uint64_t head = kymo_load_relaxed(&control->head);
    const struct kymo_slot *slot = kymo_impl_ring_slot(ring, head);

    if (!kymo_impl_slot_read_begin(slot, head) || kymo_load_relaxed32(&slot->len) > ring->size)
        return;
    kymo_store_relaxed(&ring->times[head & ring->mask], kymo_load_relaxed(&slot->time));
    kymo_store_relaxed(&control->adopted, kymo_load_relaxed(&control->adopted) + 1);
    /* HEAD-1 and BELL-1 (ordered store): as in kymo_impl_ring_complete; the ring comes behind. */
    kymo_store_ordered(&control->head, head + 1);
    KYMO_TESTPOINT(ADOPTED);
}

void kymo_writer_adopt(struct kymo_writer *writer)
{
    const struct kymo_control *control = writer->ring.control;

    count_complete(&writer->ring);
    /* It may have got as far as head, or as far as the bell's word, and woken nobody. Whoever closed
     * has done so, and in a new segment nobody was before. */
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

static void announce_owner(struct kymo_control *control)
{
    kymo_store_relaxed(&control->opened, kymo_clock_now(KYMO_MONOTONIC));
    kymo_store_relaxed32(&control->writer_pid, (uint32_t)getpid());
    /* STATE-3 (release store): the lock before that we are here. Pairs with liveness.c. */
    kymo_store_release32(&control->writers, kymo_load_relaxed32(&control->writers) + 1);
    /* STATE-1 (release store): who writes before that somebody does. Pairs with info.c. */
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
    announce_owner(writer->ring.control);
    /* A queue's limit is where its consumer is: the first push finds out. */
    writer->limit = writer->segment->header.kind == KYMO_QUEUE ? 0 : KYMO_POSITION_LIMIT;
    return 0;
}

/* Others may be publishing: what is left half-done is seen to under their lock. */
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
    announce_owner(control);
    kymo_robust_unlock(&writer->segment->lock_slot);
    return 0;
}

static int is_shared(const struct kymo_header *header)
{
    return header->flags & KYMO_SHARED_WRITER ? 1 : 0;
}

/* A handle on a locked file, which it takes. */
static int make_writer(struct kymo_writer **out, const char *name, struct kymo_file *file)
{
    struct kymo_writer *writer = aligned_alloc(KYMO_CACHE_LINE, 2 * KYMO_CACHE_LINE);
    int error;

    static_assert(sizeof(*writer) <= 2 * KYMO_CACHE_LINE, "two lines hold a writer");
    if (!writer) {
        kymo_file_close(file);
        return -ENOMEM;
    }
    memset(writer, 0, sizeof(*writer));
    error = kymo_mapping_open(&writer->segment, name, file, KYMO_WRITING, &writer->ring);
    if (error) {
        free(writer);
        return error;
    }
    writer->segment->limit = &writer->limit;
    writer->bell = (void *)(writer->segment->map + writer->segment->header.bell_offset);
    writer->wake_always = writer->segment->header.wake_policy == KYMO_WAKE_ALWAYS;
    kymo_fork_watch(writer->segment);
    error = is_shared(&writer->segment->header) ? join(writer) : take_over(writer);
    if (error) {
        kymo_mapping_close(writer->segment);
        free(writer);
        return error;
    }
    *out = writer;
    return 0;
}

/* ---- the three ways to open ---- */

/* What an open needs to know, gathered once. */
struct request {
    const char *name;
    int directory;
    enum kymo_existing existing;
    const struct kymo_header *header; /* NULL: whatever layout there is */
    const struct kymo_field *fields;
    uint32_t mode;
};

/* A new generation, which gets the name once it is complete; over another one, if that is to be
 * replaced. */
static int make_file(const struct request *request, int replacing, struct kymo_file *file)
{
    char unfinished[64];
    int error = kymo_file_create(request->directory, request->header, request->fields,
                                 request->mode, file, unfinished);

    if (error)
        return error;
    error = kymo_file_link(file, request->directory, request->name, unfinished, replacing);
    if (error)
        kymo_file_close(file);
    return error;
}

static int create(const struct request *request, struct kymo_writer **writer)
{
    struct kymo_file file;
    int error = make_file(request, 0, &file);

    return error ? error : make_writer(writer, request->name, &file);
}

/* `old` is locked by us and has the name; it stays locked until its readers have been told. */
static int replace(const struct request *request, const struct kymo_file *old,
                   struct kymo_writer **writer)
{
    struct kymo_file file;
    int error = make_file(request, 1, &file);

    if (error)
        return error;
    kymo_mapping_retire(old);
    return make_writer(writer, request->name, &file);
}

static int is_retired(const struct kymo_file *file)
{
    struct kymo_control control;

    return pread(file->fd, &control, sizeof(control), (off_t)file->header.control_offset) ==
               (ssize_t)sizeof(control) &&
           control.state == KYMO_RETIRED;
}

/* Writers that share take the lock beside each other; all else takes it alone. -EAGAIN: the name
 * changed hands while we looked. */
static int lock_named(const struct request *request, const struct kymo_file *file, int shared)
{
    int error = shared ? kymo_file_lock_shared(file->fd, KYMO_LOCK_WRITER)
                       : kymo_file_lock(file->fd, KYMO_LOCK_WRITER, 1);

    KYMO_TESTPOINT(LOCKED);
    /* The lock may have come from a generation that lost its name meanwhile (promise H). */
    if (!error && !kymo_file_is_named(file, request->directory, request->name))
        error = -EAGAIN;
    return error;
}

static int open_existing(const struct request *request, struct kymo_writer **writer)
{
    struct kymo_file file;
    int same;
    int error = kymo_file_open(request->directory, request->name, O_RDWR, &file, NULL);

    if (error)
        return error;
    same = !request->header ||
           kymo_layout_same(&file.header, file.fields, request->header, request->fields);
    if (request->existing == KYMO_REPLACE || is_retired(&file))
        same = 0;
    error = lock_named(request, &file, same && is_shared(&file.header));
    if (!error && same)
        return make_writer(writer, request->name, &file);
    if (!error)
        error = request->existing == KYMO_OPEN_EXISTING ? -EEXIST : replace(request, &file, writer);
    kymo_file_close(&file);
    return error;
}

static int open_request(const struct request *request, struct kymo_writer **writer)
{
    int error = -EAGAIN;

    if (request->existing == KYMO_CREATE_NEW)
        return create(request, writer);
    for (int tries = 0; tries < 100 && error == -EAGAIN; tries++) {
        error = open_existing(request, writer);
        if (error != -ENOENT || request->existing == KYMO_OPEN_EXISTING)
            continue;
        error = create(request, writer);
        if (error == -EEXIST)
            error = -EAGAIN;
    }
    return error;
}

int kymo_impl_writer_open(struct kymo_writer **writer, const char *name,
                          const struct kymo_options *options, uint32_t major)
{
    struct request request = {.name = name, .existing = KYMO_OPEN_EXISTING};
    struct kymo_header header;
    int error = kymo_name_check(name);

    *writer = NULL;
    if (error)
        return error;
    if (major != KYMO_LAYOUT_MAJOR)
        return -EPROTONOSUPPORT;
    if (options) {
        error = options->mode & ~0777u ? -EINVAL : kymo_layout_from_options(&header, options);
        if (error)
            return error;
        request.header = &header;
        request.existing = options->existing;
        request.fields = options->schema ? options->schema->fields : NULL;
        request.mode = options->mode;
    }
    request.directory = kymo_directory_open();
    if (request.directory < 0)
        return request.directory;
    kymo_library_lock();
    error = open_request(&request, writer);
    kymo_library_unlock();
    close(request.directory);
    return error;
}

/* ---- letting go ---- */

static void destroy_handle(struct kymo_writer *writer)
{
    kymo_mapping_close(writer->segment);
    free(writer);
}

/* The last of several writers closes the segment: the one that can have the lock for itself. */
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
    /* Our share goes before the lock does: the next one to close has to find it gone. */
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
    /* Half of all time is for ever, and can be added to any time without coming round to a past. */
    writer->segment->lock_timeout = lock_timeout < UINT64_MAX / 2 ? lock_timeout : UINT64_MAX / 2;
    return 0;
}

int kymo_writer_remove(struct kymo_writer *writer)
{
    const char *name = writer->segment->name;
    int directory = kymo_directory_open();
    struct kymo_file file = {.fd = writer->segment->fd};
    int error = 0;

    if (writer->segment->orphan)
        error = -EPERM;
    else if (directory < 0)
        error = directory;
    else if (is_shared(&writer->segment->header) &&
             kymo_file_lock(file.fd, KYMO_LOCK_WRITER, 1) != 0)
        error = -EBUSY;
    else if (fstat(file.fd, &file.status) != 0)
        error = -errno;
    else if (kymo_file_is_named(&file, directory, name) && unlinkat(directory, name, 0) != 0)
        error = -errno;
    if (!error) {
        KYMO_TESTPOINT(UNLINKED);
        /* BELL-2 and STATE-2 (release store): every record before the end, and that before the ring,
         * as in kymo_mapping_retire. */
        kymo_store_release32(&writer->ring.control->state, KYMO_RETIRED);
        KYMO_TESTPOINT(RETIRED);
        kymo_bell_ring(writer->bell);
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
    if (writer->segment->orphan)
        return -EPERM;
    kymo_store_relaxed(&writer->ring.control->heartbeat, kymo_clock_now(KYMO_MONOTONIC));
    return 0;
}
