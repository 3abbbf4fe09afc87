/*
 * explored_state.c - writers that open and close, concurrent with queries of their state: the pid is that of the current writer, a CLOSED segment has all its records, and no living or closed writer is reported DEAD (promises C: adoption of a complete record, H: liveness).
 */
#include "../../core/src/writer.c"

#include "stress/checked.h"

#include "explored.h"

#define NAME        "explored"
#define SIZE        8
#define WRITERS     2
#define PREDECESSOR 1 /* its pid */

static struct kymo_writer *writers[WRITERS], fresh[WRITERS], used[WRITERS];
static struct kymo_reader *reader;
static struct kymo_control *control; /* as in the file */
static int directory;

static int writer_count(const struct explore_scenario *scenario)
{
    return scenario->body[1] == scenario->body[0] ? WRITERS : 1;
}

static int is_of_several(const struct explore_scenario *scenario)
{
    return scenario->kind == KYMO_SHARED_WRITER;
}

static void open_handles(const struct explore_scenario *scenario)
{
    const struct kymo_options options = {.depth = scenario->depth,
                                         .size = SIZE,
                                         .flags = (uint32_t)scenario->kind};

    for (int i = 0; i < writer_count(scenario); i++) {
        if (kymo_writer_open(&writers[i], NAME, &options) != 0)
            explore_fail("no writer");
        if (is_of_several(scenario))
            kymo_writer_set_lock_timeout(writers[i], KYMO_FOREVER);
        fresh[i] = *writers[i];
        explored_handles[i] = (struct explored_handle){fresh[i].segment, &fresh[i].ring};
    }
    directory = kymo_directory_open();
    if (directory < 0 || kymo_reader_open(&reader, NAME) != 0)
        explore_fail("no reader");
    control = writers[0]->ring.control;
}

static void share_handles(const struct explore_scenario *scenario)
{
    explored_share_ring(&writers[0]->ring, writers[0]->bell);
    explored_share_again(&reader->ring, &writers[0]->ring);
    if (writer_count(scenario) == 1)
        return;
    explored_share_again(&writers[1]->ring, &writers[0]->ring);
    explore_alias(writers[1]->bell, writers[0]->bell);
}

/* The writers have the segment open. */
static void open_writing(const struct explore_scenario *scenario)
{
    open_handles(scenario);
    share_handles(scenario);
    explored_kernel_begin();
    for (int i = 0; i < writer_count(scenario); i++) {
        explored_kernel_know(fresh[i].segment->fd);
        explored_kernel_lock(KYMO_LOCK_WRITER, fresh[i].segment->fd, !is_of_several(scenario));
    }
}

/* No writer has it open; the last one has left that state. */
static void open_left(const struct explore_scenario *scenario, enum kymo_state state)
{
    open_handles(scenario);
    control->state = state;
    control->writer_pid = PREDECESSOR;
    control->opened = 1;
    share_handles(scenario);
    explored_kernel_begin();
    explored_kernel_know(fresh[0].segment->fd);
    explored_kernel_free(KYMO_LOCK_WRITER);
}

/* One record, a writer that continues, and one that resumes through the reader's descriptor. */
static void open_published(const struct explore_scenario *scenario)
{
    const uint64_t payload = 1;

    open_handles(scenario);
    kymo_ring_publish(writers[0], &payload, SIZE, 10, 1);
    fresh[0] = *writers[0];
    explored_handles[1] = (struct explored_handle){fresh[0].segment, &fresh[0].ring};
    share_handles(scenario);
    explored_kernel_begin();
    explored_kernel_know(fresh[0].segment->fd);
    explored_kernel_know(reader->segment->fd);
    explored_kernel_lock(KYMO_LOCK_WRITER, fresh[0].segment->fd, 1);
}

static void open_closed(const struct explore_scenario *scenario)
{
    open_left(scenario, KYMO_CLOSED);
}

static void open_dead(const struct explore_scenario *scenario)
{
    open_left(scenario, KYMO_OPEN);
}

static void reset(const struct explore_scenario *scenario)
{
    for (int i = 0; i < writer_count(scenario); i++)
        used[i] = fresh[i];
}

static void close_all(const struct explore_scenario *scenario)
{
    explored_kernel_end();
    close(directory);
    kymo_reader_close(reader);
    for (int i = writer_count(scenario) - 1; i >= 0; i--) {
        *writers[i] = fresh[i];
        writers[i]->segment->limit = &writers[i]->limit;
        if (i > 0)
            kymo_writer_close(writers[i]);
        else
            kymo_writer_remove(writers[i]);
    }
}

/* ---- writers ---- */

static void publish_all(const struct explore_scenario *scenario, struct kymo_writer *writer)
{
    unsigned char buffer[SIZE];

    for (uint64_t i = 0; i < scenario->records; i++) {
        const int error = is_of_several(scenario)
                              ? kymo_ring_publish(writer, &(uint64_t){0}, SIZE, 1, 1)
                              : checked_publish(writer, buffer);

        if (error)
            explore_fail("publish: error %d", error);
    }
}

static void publish_and_close(const struct explore_scenario *scenario)
{
    struct kymo_writer *writer = &used[explore_thread()];

    publish_all(scenario, writer);
    kymo_writer_close(writer);
}

/* The steps of an open after the check of the file. */
static void open_and_close(const struct explore_scenario *scenario)
{
    const struct request request = {.name = NAME, .directory = directory};
    const struct kymo_segment *segment = fresh[0].segment;
    struct kymo_file file = {.fd = segment->fd, .header = segment->header};
    struct kymo_writer *writer;

    if (fstat(file.fd, &file.status) != 0 || lock_named(&request, &file, 0) != 0 ||
        make_writer(&request, &file, &writer) != 0)
        explore_fail("not opened");
    publish_all(scenario, writer);
    kymo_writer_close(writer);
}

#define FIRST_TIME  10
#define SECOND_TIME 20

/* Publishes one more record, and crashes in it or after it. */
static void publish_and_crash(const struct explore_scenario *scenario)
{
    const uint64_t payload = 2;

    if (kymo_ring_publish(&used[0], &payload, SIZE, SECOND_TIME, 2) != 0)
        explore_fail("not published");
    scenario->release_locks(scenario);
}

static void release_lock(const struct explore_scenario *scenario)
{
    (void)scenario;
    explored_kernel_close(fresh[0].segment->fd);
}

/* As soon as the writer before has crashed. */
static void resume(const struct explore_scenario *scenario)
{
    const struct request request = {.name = NAME, .directory = directory};
    const struct kymo_segment *segment = reader->segment;
    struct kymo_file file = {.fd = segment->fd, .header = segment->header};
    struct kymo_writer *writer;

    (void)scenario;
    if (fstat(file.fd, &file.status) != 0)
        explore_fail("no file");
    while (lock_named(&request, &file, 0) == -EBUSY)
        explored_kernel_await(KYMO_LOCK_WRITER);
    if (make_writer(&request, &file, &writer) != 0)
        explore_fail("not resumed");
    if (writer->pos != 1 && writer->pos != 2)
        explore_fail("resumed at %d", (int)writer->pos);
}

/* ---- queries ---- */

static void check_records(const struct explore_scenario *scenario, uint64_t head)
{
    struct kymo_record record = {0};
    unsigned char buffer[SIZE];

    if (head != scenario->records || kymo_ring_latest(reader, buffer, SIZE, &record) != 0 ||
        record.pos + 1 != head)
        explore_fail("closed, with %d of %d records", (int)head, (int)scenario->records);
}

static void look_at_closing(const struct explore_scenario *scenario)
{
    struct kymo_info info;

    if (kymo_segment_info(reader->segment, &info) != 0)
        explore_fail("no info");
    if (info.state == KYMO_CLOSED)
        check_records(scenario, info.head);
}

static void look_at_opening(const struct explore_scenario *scenario)
{
    struct kymo_info info;

    (void)scenario;
    if (kymo_segment_info(reader->segment, &info) != 0)
        explore_fail("no info");
    if (info.state == KYMO_OPEN && (info.writer_pid == PREDECESSOR || info.opened == 1))
        explore_fail("the writer is shown with its predecessor's pid");
}

static void query_if_closed(const struct explore_scenario *scenario)
{
    const int liveness = kymo_segment_liveness(reader->segment, KYMO_FOREVER);

    if (liveness == KYMO_LIVE_CLOSED)
        check_records(scenario, kymo_ring_head(&reader->ring));
    else if (liveness != KYMO_LIVE_ALIVE &&
             !(liveness == KYMO_LIVE_DEAD && scenario->open == open_dead))
        explore_fail("a writer that closes is %s", kymo_liveness_text(liveness));
}

static void query_if_alive(const struct explore_scenario *scenario)
{
    const int liveness = kymo_segment_liveness(reader->segment, KYMO_FOREVER);

    (void)scenario;
    if (liveness != KYMO_LIVE_CLOSED && liveness != KYMO_LIVE_ALIVE)
        explore_fail("a writer that opens and closes is %s", kymo_liveness_text(liveness));
}

static void query_as_of(const struct explore_scenario *scenario)
{
    struct kymo_record record = {0};
    unsigned char buffer[SIZE];
    const int error = kymo_series_as_of(reader, SECOND_TIME - 1, buffer, SIZE, &record);

    (void)scenario;
    if (error || record.pos != 0 || record.time != FIRST_TIME)
        explore_fail("as of the first: error %d, %d", error, (int)record.pos);
}

/* A complete record counts, and no other. */
static const char *finish_adopted(const struct explore_scenario *scenario)
{
    const uint64_t head = explore_newest(&control->head);
    const struct kymo_slot *slot = kymo_impl_ring_slot(&fresh[0].ring, 1);

    (void)scenario;
    if (head == 2 ? explore_newest(&slot->seq) != kymo_impl_seq_complete(1)
                  : explore_newest(&slot->seq) == kymo_impl_seq_complete(1))
        return "an incomplete record counts, or a complete one does not";
    return head == 1 || head == 2 ? NULL : "a record was lost";
}

/* The last of several writers has closed. */
static const char *finish_closed(const struct explore_scenario *scenario)
{
    if (explore_newest(&control->head) != scenario->records * (uint64_t)writer_count(scenario))
        return "a record was lost";
    if (explore_newest(&control->lock) != 0)
        return "the lock is still held";
    return explore_newest(&control->state) == KYMO_CLOSED ? NULL : "no writer has closed";
}

#define STATE(name_, bound_, ...)                                                       \
    {                                                                                   \
        .name = name_, .bound = bound_, .reset = reset, .close = close_all, .depth = 2, \
        __VA_ARGS__                                                                     \
    }

const struct explore_scenario explored_state[] = {
    STATE("close", "2 records, then a close, 1 query", .open = open_writing,
          .body = {publish_and_close, look_at_closing}, .records = 2),
    STATE("close and query", "1 record, then a close, 1 query", .open = open_writing,
          .body = {publish_and_close, query_if_closed}, .records = 1),
    STATE("open", "1 writer that resumes, publishes and closes, 1 query of the pid",
          .open = open_closed, .body = {open_and_close, look_at_opening}, .records = 1),
    STATE("open and query", "1 writer that resumes, publishes and closes, 1 query",
          .open = open_closed, .body = {open_and_close, query_if_alive}, .records = 1),
    STATE("resume and query", "a dead writer, 1 that resumes, publishes and closes, 1 query",
          .open = open_dead, .body = {open_and_close, query_if_closed}, .records = 1),
    STATE("close shared", "1 record of 1 of several writers, then a close, 1 query",
          .open = open_writing, .body = {publish_and_close, look_at_closing}, .records = 1,
          .kind = KYMO_SHARED_WRITER),
    STATE("close both", "2 writers that publish 1 record each and close", .open = open_writing,
          .body = {publish_and_close, publish_and_close}, .finish = finish_closed, .records = 1,
          .kind = KYMO_SHARED_WRITER),
    {.name = "adopt",
     .bound = "1 writer that crashes at any store of its 2nd record, 1 that resumes, 1 query",
     .open = open_published,
     .reset = reset,
     .finish = finish_adopted,
     .close = close_all,
     .release_locks = release_lock,
     .body = {publish_and_crash, resume, query_as_of},
     .may_crash = 1,
     .depth = 4},
    {.name = NULL},
};
