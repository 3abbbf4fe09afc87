/*
 * crash_invariants.c - the checks, each on a fresh copy of the state if it modifies the state.
 */
#include "crash_invariants.h"

void use_directory(const char *directory)
{
    setenv("KYMO_DIR", directory, 1);
}

/* Writes the state to the directory for copies, and sets KYMO_DIR to it. */
static void restore_copy(const struct state *state)
{
    snapshot_clear_directory(state->copy);
    snapshot_write(state->snapshot, state->copy);
    use_directory(state->copy);
}

const struct snapshot_file *find_named(const struct state *state)
{
    return snapshot_find(state->snapshot, NAME);
}

int is_new_generation(const struct state *state, const struct snapshot_file *file)
{
    return file->inode != state->before;
}

/* Options that fit the file. */
static struct kymo_options options_of(const struct state *state, const struct snapshot_file *file)
{
    struct kymo_options options =
        *(is_new_generation(state, file) ? state->crash_case->next : state->crash_case->options);

    options.existing = KYMO_OPEN_OR_CREATE;
    return options;
}

/* ---- names (promise I) ---- */

static int is_unfinished(const char *name)
{
    return strncmp(name, ".kymo-", 6) == 0;
}

static int count_unfinished(const struct snapshot *snapshot)
{
    int count = 0;

    for (size_t i = 0; i < snapshot->count; i++)
        count += is_unfinished(snapshot->files[i].name);
    return count;
}

/* Which generation may have the name. */
static void expect_name_owner(const struct state *state)
{
    const struct snapshot_file *file = find_named(state);
    const enum fate fate = state->crash_case->fate;
    const int done = state->progress->done > 0;

    if (!file)
        cr_assert(fate == SEGMENT_REMOVED || (fate == SEGMENT_CREATED && !done),
                  "%s: no segment has the name", state->where);
    else if (is_new_generation(state, file))
        cr_assert(fate == SEGMENT_CREATED || fate == SEGMENT_REPLACED, "%s: a new generation",
                  state->where);
    else
        cr_assert(fate == SEGMENT_STAYS || !done, "%s: the old generation still has the name",
                  state->where);
}

void expect_names(const struct state *state)
{
    const struct snapshot *snapshot = state->snapshot;
    char text[160];

    for (size_t i = 0; i < snapshot->count; i++) {
        const char *name = snapshot->files[i].name;

        if (!name[0] || is_unfinished(name))
            continue;
        cr_assert_str_eq(name, NAME, "%s: %s", state->where, name);
        cr_assert_eq(kymo_segment_check(name, text, sizeof(text)), 0, "%s: %s", state->where, text);
    }
    cr_assert_leq(count_unfinished(snapshot), state->progress->done ? 0 : 1, "%s", state->where);
    expect_name_owner(state);
}

/* ---- readers ---- */

void expect_readable(const struct state *state, const struct reading *reading)
{
    const char *name = "";
    const char *fault = reading_check_all(reading, &name);

    cr_assert_null(fault, "%s: %s: %s", state->where, name, fault);
}

struct kymo_reader *open_reader(const struct state *state, const char *name)
{
    struct kymo_reader *reader;

    cr_assert_eq(kymo_reader_open(&reader, name), 0, "%s: %s", state->where, name);
    return reader;
}

struct reading reading_of(const struct state *state, const struct snapshot_file *file,
                          struct kymo_reader *reader)
{
    const struct bounds bounds =
        published(state->crash_case, state->progress, is_new_generation(state, file));
    const struct kymo_control *control = control_of(file);

    cr_assert_geq(control->head, bounds.low, "%s: a record is lost", state->where);
    cr_assert_leq(control->head + (uint64_t)is_adoptable(file), bounds.high,
                  "%s: one record too many", state->where);
    if (is_publishing(state->crash_case, state->progress) &&
        (state->crash_case->fate == SEGMENT_STAYS || is_new_generation(state, file)))
        cr_assert_eq(control->state, (uint32_t)KYMO_OPEN, "%s: not open", state->where);
    if (has_closed(state->crash_case, state->progress) && header_of(file)->kind != KYMO_QUEUE)
        cr_assert_eq(control->state, (uint32_t)KYMO_CLOSED, "%s", state->where);
    return (struct reading){.reader = reader,
                            .head = control->head,
                            .begun = has_begun(file),
                            .live =
                                control->state == KYMO_CLOSED ? KYMO_LIVE_CLOSED : KYMO_LIVE_DEAD};
}

void expect_retired(const struct state *state, const struct snapshot_file *file,
                    struct kymo_reader *reader)
{
    struct reading reading = reading_of(state, file, reader);
    unsigned char buffer[READING_LIMIT];

    reading.live = -EIDRM;
    if (!kymo_ring_retired(&reader->ring)) {
        expect_readable(state, &reading);
        return;
    }
    cr_assert_eq(kymo_ring_latest(reader, buffer, sizeof(buffer), NULL), -EIDRM);
    cr_assert_eq(kymo_series_as_of(reader, 0, buffer, sizeof(buffer), NULL), -EIDRM);
    cr_assert_eq(kymo_ring_wait(reader, reading.head, KYMO_FOREVER), -EIDRM);
    cr_assert_eq(kymo_segment_liveness(reader->segment, KYMO_FOREVER), -EIDRM);
}

/* A reader of a copy of the file, which is unlinked then. A retired generation cannot be opened, so
 * its state is set afterwards. */
static struct kymo_reader *open_unlinked(const struct state *state,
                                         const struct snapshot_file *file)
{
    const uint64_t at = header_of(file)->control_offset + offsetof(struct kymo_control, state);
    const uint32_t open_state = KYMO_OPEN;
    struct kymo_reader *reader;
    char path[512];
    int fd;

    snapshot_clear_directory(state->copy);
    snapshot_write_file(file, state->copy, UNLINKED_NAME);
    use_directory(state->copy);
    snprintf(path, sizeof(path), "%s/%s", state->copy, UNLINKED_NAME);
    fd = open(path, O_RDWR | O_CLOEXEC);
    cr_assert_eq(pwrite(fd, &open_state, sizeof(open_state), (off_t)at),
                 (ssize_t)sizeof(open_state));
    reader = open_reader(state, UNLINKED_NAME);
    cr_assert_eq(pwrite(fd, &control_of(file)->state, sizeof(open_state), (off_t)at),
                 (ssize_t)sizeof(open_state));
    close(fd);
    unlink(path);
    return reader;
}

/* A reader that had opened the generation before it was unlinked. */
static void expect_old_reader_served(const struct state *state)
{
    const struct snapshot_file *file = &state->snapshot->files[0];
    struct kymo_reader *reader;

    if (state->before == 0 || file->name[0])
        return;
    reader = open_unlinked(state, file);
    expect_retired(state, file, reader);
    kymo_reader_close(reader);
}

/* ---- the next writer ---- */

void expect_room(const struct state *state, struct kymo_writer *writer,
                 const struct kymo_options *options, struct reading *reading, uint64_t room)
{
    for (uint64_t i = 0; i < room; i++) {
        cr_assert_eq(crash_case_publish(writer, options, reading->head), 0, "%s: push %d of %d",
                     state->where, (int)i, (int)room);
        reading->head++;
        reading->begun = 0;
        expect_readable(state, reading);
    }
    if (is_queue(options))
        cr_assert_eq(crash_case_publish(writer, options, reading->head), -EAGAIN,
                     "%s: room for one record too many", state->where);
}

/* A writer of the same layout adopts a complete record and continues after it. */
static void expect_resumed(const struct state *state, const struct snapshot_file *file,
                           struct reading *reading)
{
    const struct kymo_options options = options_of(state, file);
    const int adopts = is_adoptable(file);
    uint64_t room = 2 * DEPTH;
    struct kymo_writer *writer;
    struct kymo_info info;

    cr_assert_eq(kymo_writer_open(&writer, NAME, &options), 0, "%s", state->where);
    reading->head += (uint64_t)adopts;
    reading->begun = reading->begun && !adopts;
    reading->live = KYMO_LIVE_ALIVE;
    expect_readable(state, reading);
    cr_assert_eq(kymo_segment_info(writer->segment, &info), 0);
    cr_assert_eq(info.adopted, control_of(file)->adopted + (uint64_t)adopts, "%s", state->where);
    if (is_queue(&options))
        room = DEPTH - (reading->head - consumer_of(file)->tail);
    expect_room(state, writer, &options, reading, room);
    kymo_writer_close(writer);
    reading->live = KYMO_LIVE_CLOSED;
    expect_readable(state, reading);
}

void expect_read_and_resumed(const struct state *state, const struct snapshot_file *file)
{
    struct kymo_reader *reader = open_reader(state, NAME);
    struct reading reading = reading_of(state, file, reader);

    expect_readable(state, &reading);
    expect_resumed(state, file, &reading);
    kymo_reader_close(reader);
}

/* Opens with another layout. A queue that holds records is not replaced before they are consumed. */
static int open_other(const struct state *state, struct kymo_writer **writer,
                      const struct kymo_options *options)
{
    unsigned char buffer[READING_LIMIT];
    struct kymo_consumer *consumer;
    int error = kymo_writer_open(writer, NAME, options);

    if (error != -ENOTEMPTY)
        return error;
    cr_assert_eq(kymo_consumer_open(&consumer, NAME), 0, "%s", state->where);
    cr_assert_gt(kymo_queue_waiting(consumer), 0, "%s", state->where);
    while (kymo_queue_waiting(consumer) > 0)
        cr_assert_eq(kymo_queue_pop(consumer, buffer, sizeof(buffer), NULL, 0), 0, "%s",
                     state->where);
    kymo_consumer_close(consumer);
    return kymo_writer_open(writer, NAME, options);
}

/* A writer of another layout starts a new generation; readers of the old one get EIDRM. */
static void expect_other_layout(const struct state *state)
{
    const struct kymo_options strict = {.size = 24, .depth = 8, .existing = KYMO_OPEN_EXISTING};
    struct kymo_options options = strict;
    struct kymo_reader *old, *reader;
    unsigned char buffer[READING_LIMIT];
    struct kymo_record record;
    struct kymo_writer *writer;

    old = open_reader(state, NAME);
    cr_assert_eq(kymo_writer_open(&writer, NAME, &strict), -EEXIST, "%s", state->where);
    options.existing = KYMO_CREATE_NEW;
    cr_assert_eq(kymo_writer_open(&writer, NAME, &options), -EEXIST, "%s", state->where);
    options.existing = KYMO_OPEN_OR_CREATE;
    cr_assert_eq(open_other(state, &writer, &options), 0, "%s", state->where);
    cr_assert_eq(kymo_ring_latest(old, buffer, sizeof(buffer), NULL), -EIDRM, "%s", state->where);
    reader = open_reader(state, NAME);
    cr_assert_eq(kymo_ring_latest(reader, buffer, sizeof(buffer), NULL), -ENODATA);
    cr_assert_eq(crash_case_publish(writer, &options, 0), 0, "%s", state->where);
    cr_assert_eq(kymo_ring_latest(reader, buffer, sizeof(buffer), &record), 0);
    cr_assert_null(checked_fault(&record, buffer, 24), "%s", state->where);
    kymo_reader_close(reader);
    kymo_reader_close(old);
    kymo_writer_close(writer);
}

void expect_created(const struct state *state)
{
    const struct kymo_options *options = state->crash_case->fate == SEGMENT_CREATED
                                             ? state->crash_case->next
                                             : state->crash_case->options;
    struct kymo_writer *writer;
    struct reading reading = {.live = KYMO_LIVE_ALIVE};

    cr_assert_eq(kymo_reader_open(&reading.reader, NAME), -ENOENT, "%s", state->where);
    cr_assert_eq(kymo_writer_open(&writer, NAME, options), 0, "%s", state->where);
    reading.reader = open_reader(state, NAME);
    expect_room(state, writer, options, &reading, is_queue(options) ? DEPTH : 2 * DEPTH);
    kymo_reader_close(reading.reader);
    kymo_writer_close(writer);
}

/* ---- a queue's other end ---- */

void expect_consumed(const struct state *state, struct kymo_consumer *consumer, uint64_t from,
                     uint64_t to, int acknowledge)
{
    unsigned char buffer[READING_LIMIT];
    struct kymo_record record = {0};
    int live, crash_end;

    for (uint64_t pos = from; pos < to; pos++) {
        const int error = acknowledge
                              ? kymo_queue_pop(consumer, buffer, sizeof(buffer), &record, 0)
                              : kymo_queue_receive(consumer, buffer, sizeof(buffer), &record);

        cr_assert_eq(error, 0, "%s: record %d: %d", state->where, (int)pos, error);
        cr_assert_eq(record.pos, pos, "%s: %d instead of %d", state->where, (int)record.pos,
                     (int)pos);
        cr_assert_null(checked_fault(&record, buffer, consumer->ring.size), "%s", state->where);
    }
    live = kymo_segment_liveness(consumer->segment, KYMO_FOREVER);
    crash_end = kymo_queue_pop(consumer, buffer, sizeof(buffer), &record, 0);
    cr_assert_eq(crash_end, live == KYMO_LIVE_ALIVE ? -ETIMEDOUT : -EPIPE, "%s: %d at the end",
                 state->where, crash_end);
}

struct kymo_consumer *open_consumer(const struct state *state)
{
    struct kymo_consumer *consumer;

    cr_assert_eq(kymo_consumer_open(&consumer, NAME), 0, "%s", state->where);
    return consumer;
}

void expect_delivered(const struct state *state, const struct snapshot_file *file)
{
    const struct bounds bounds = taken(state->crash_case, state->progress);
    const struct progress *progress = state->progress;
    const uint64_t tail = consumer_of(file)->tail;

    cr_assert_geq(tail, bounds.low, "%s: acknowledged records are delivered again", state->where);
    cr_assert_leq(tail, bounds.high, "%s: records are lost", state->where);
    for (uint64_t pos = state->crash_case->taken; pos < tail; pos++) {
        const uint64_t number = pos - state->crash_case->taken;

        cr_assert_null(checked_fault(&progress->taken[number], progress->payloads[number],
                                     header_of(file)->size),
                       "%s: record %d counts as consumed and was not received", state->where,
                       (int)pos);
        cr_assert_eq(progress->taken[number].pos, pos, "%s", state->where);
    }
}

/* The next consumer receives all other records, and again those that it does not acknowledge; then
 * the queue is empty. */
static void expect_all_consumed(const struct state *state, const struct snapshot_file *file)
{
    const struct kymo_options options = options_of(state, file);
    const uint64_t tail = consumer_of(file)->tail;
    uint64_t head = control_of(file)->head;
    struct kymo_consumer *consumer;
    struct kymo_writer *writer;

    expect_delivered(state, file);
    if (!(options.flags & KYMO_SHARED_CONSUMER)) {
        consumer = open_consumer(state);
        expect_consumed(state, consumer, tail, head, 0);
        kymo_consumer_close(consumer);
    }
    cr_assert_eq(kymo_writer_open(&writer, NAME, &options), 0, "%s", state->where);
    head += (uint64_t)is_adoptable(file);
    consumer = open_consumer(state);
    expect_consumed(state, consumer, tail, head, 1);
    for (int i = 0; i < DEPTH; i++)
        cr_assert_eq(crash_case_publish(writer, &options, head + (uint64_t)i), 0, "%s",
                     state->where);
    cr_assert_eq(crash_case_publish(writer, &options, head + DEPTH), -EAGAIN, "%s", state->where);
    expect_consumed(state, consumer, head, head + DEPTH, 1);
    kymo_consumer_close(consumer);
    kymo_writer_close(writer);
}

/* ---- cleaning up ---- */

/* Advances the library's clock: unfinished files younger than 1 s are not reaped. */
static int clock_is_ahead;

uint64_t __real_kymo_clock_now(enum kymo_clock clock);
uint64_t __wrap_kymo_clock_now(enum kymo_clock clock);

uint64_t __wrap_kymo_clock_now(enum kymo_clock clock)
{
    const uint64_t now = __real_kymo_clock_now(clock);

    return clock_is_ahead && clock == KYMO_REALTIME ? now + UINT64_C(3000000000) : now;
}

void expect_unfinished_reaped(const struct state *state)
{
    clock_is_ahead = 1;
    cr_assert_eq(kymo_segment_reap_unfinished(), count_unfinished(state->snapshot), "%s",
                 state->where);
    clock_is_ahead = 0;
}

/* Reaping removes a dead writer's segment, but not a closed one, or a queue that holds records, which
 * remove() does; no file is left. */
static void expect_cleaned_up(const struct state *state)
{
    const struct snapshot_file *file = find_named(state);
    int kept;

    expect_unfinished_reaped(state);
    if (file) {
        kept = control_of(file)->state == KYMO_CLOSED ||
               (header_of(file)->kind == KYMO_QUEUE &&
                control_of(file)->head != consumer_of(file)->tail);
        cr_assert_eq(kymo_segment_exists(NAME), 1, "%s", state->where);
        cr_assert_eq(kymo_segment_reap(NAME), !kept, "%s", state->where);
        cr_assert_eq(kymo_segment_remove(NAME), kept ? 0 : -ENOENT, "%s", state->where);
    }
    cr_assert_eq(rmdir(state->copy), 0, "%s: a file is left", state->where);
    cr_assert_eq(mkdir(state->copy, 0700), 0);
}

/* ---- all checks ---- */

void crash_check_invariants(const struct state *state)
{
    const struct snapshot_file *file = find_named(state);

    restore_copy(state);
    expect_names(state);
    if (file) {
        expect_read_and_resumed(state, file);
        restore_copy(state);
        expect_other_layout(state);
    } else {
        expect_created(state);
    }
    if (file && header_of(file)->kind == KYMO_QUEUE) {
        restore_copy(state);
        expect_all_consumed(state, file);
    }
    restore_copy(state);
    expect_cleaned_up(state);
    expect_old_reader_served(state);
}
