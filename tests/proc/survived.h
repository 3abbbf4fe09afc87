/*
 * survived.h - what must hold of a segment directory in which a process has died: for its readers,
 * for the next writer of the same layout and of another one, for a queue's other end, for whoever
 * cleans up (promises C, H and I).
 */
#ifndef KYMO_TEST_SURVIVED_H
#define KYMO_TEST_SURVIVED_H

#include "dying.h"
#include "test.h"

#define GONE "gone" /* how a generation that has lost its name is laid out, to be opened */

/* A state, and what is known about it. */
struct estate {
    const struct operation *operation;
    const struct arena *arena;
    const struct frozen *frozen;
    ino_t before;      /* the generation before the operation; 0: there was none */
    const char *copy;  /* the directory where copies are laid out */
    const char *where; /* in words */
};

/* Segments are looked for there from now on. */
static inline void play_in(const char *directory)
{
    setenv("KYMO_DIR", directory, 1);
}

/* A fresh copy of the state, to be played in. */
static inline void lay_out(const struct estate *estate)
{
    frozen_sweep(estate->copy);
    frozen_copy_all(estate->frozen, estate->copy);
    play_in(estate->copy);
}

static inline const struct frozen_file *named(const struct estate *estate)
{
    return frozen_named(estate->frozen, NAME);
}

static inline int is_next(const struct estate *estate, const struct frozen_file *file)
{
    return file->inode != estate->before;
}

/* How to open what lies in the file as it is. */
static inline struct kymo_options options_of(const struct estate *estate,
                                             const struct frozen_file *file)
{
    struct kymo_options options =
        *(is_next(estate, file) ? estate->operation->next : estate->operation->options);

    options.existing = KYMO_OPEN_OR_CREATE;
    return options;
}

/* ---- names (promise I) ---- */

static inline int is_unfinished(const char *name)
{
    return strncmp(name, ".kymo-", 6) == 0;
}

static inline int count_unfinished(const struct frozen *frozen)
{
    int count = 0;

    for (size_t i = 0; i < frozen->count; i++)
        count += is_unfinished(frozen->files[i].name);
    return count;
}

/* Who may have the name now. */
static inline void expect_holder(const struct estate *estate)
{
    const struct frozen_file *file = named(estate);
    const enum fate fate = estate->operation->fate;
    const int done = estate->arena->done > 0;

    if (!file)
        cr_assert(fate == GOES || (fate == COMES && !done), "%s: the name is lost", estate->where);
    else if (is_next(estate, file))
        cr_assert(fate == COMES || fate == REPLACED, "%s: a new generation", estate->where);
    else
        cr_assert(fate == STAYS || !done, "%s: the old one still has the name", estate->where);
}

/* No name leads to anything unfinished. */
static inline void expect_names(const struct estate *estate)
{
    const struct frozen *frozen = estate->frozen;
    char text[160];

    for (size_t i = 0; i < frozen->count; i++) {
        const char *name = frozen->files[i].name;

        if (!name[0] || is_unfinished(name))
            continue;
        cr_assert_str_eq(name, NAME, "%s: %s", estate->where, name);
        cr_assert_eq(kymo_segment_check(name, text, sizeof(text)), 0, "%s: %s", estate->where,
                     text);
    }
    cr_assert_leq(count_unfinished(frozen), estate->arena->done ? 0 : 1, "%s", estate->where);
    expect_holder(estate);
}

/* ---- readers ---- */

static inline void expect_reading(const struct estate *estate, const struct reading *reading)
{
    const char *name = "";
    const char *fault = reading_check_all(reading, &name);

    cr_assert_null(fault, "%s: %s: %s", estate->where, name, fault);
}

static inline struct kymo_reader *open_reader(const struct estate *estate, const char *name)
{
    struct kymo_reader *reader;

    cr_assert_eq(kymo_reader_open(&reader, name), 0, "%s: %s", estate->where, name);
    return reader;
}

/* What there has to be to read in the file: between what had returned and what had begun. */
static inline struct reading reading_of(const struct estate *estate, const struct frozen_file *file,
                                        struct kymo_reader *reader)
{
    const struct bounds bounds = published(estate->operation, estate->arena, is_next(estate, file));
    const struct kymo_control *control = control_of(file);

    cr_assert_geq(control->head, bounds.low, "%s: a record is lost", estate->where);
    cr_assert_leq(control->head + (uint64_t)is_adoptable(file), bounds.high, "%s: one too many",
                  estate->where);
    if (is_publishing(estate->operation, estate->arena) &&
        (estate->operation->fate == STAYS || is_next(estate, file)))
        cr_assert_eq(control->state, (uint32_t)KYMO_OPEN, "%s: not dead", estate->where);
    if (has_closed(estate->operation, estate->arena) && header_of(file)->kind != KYMO_QUEUE)
        cr_assert_eq(control->state, (uint32_t)KYMO_CLOSED, "%s", estate->where);
    return (struct reading){.reader = reader,
                            .head = control->head,
                            .begun = has_begun(file),
                            .live =
                                control->state == KYMO_CLOSED ? KYMO_LIVE_CLOSED : KYMO_LIVE_DEAD};
}

/* What a reader of a generation without a name gets: all of it, or that it is over. */
static inline void expect_over(const struct estate *estate, const struct frozen_file *file,
                               struct kymo_reader *reader)
{
    struct reading reading = reading_of(estate, file, reader);
    unsigned char buffer[READING_LIMIT];

    reading.live = -EIDRM;
    if (!kymo_ring_retired(&reader->ring)) {
        expect_reading(estate, &reading);
        return;
    }
    cr_assert_eq(kymo_ring_latest(reader, buffer, sizeof(buffer), NULL), -EIDRM);
    cr_assert_eq(kymo_series_as_of(reader, 0, buffer, sizeof(buffer), NULL), -EIDRM);
    cr_assert_eq(kymo_ring_wait(reader, reading.head, KYMO_FOREVER), -EIDRM);
    cr_assert_eq(kymo_segment_liveness(reader->segment, KYMO_FOREVER), -EIDRM);
}

/* The file under a name that it loses again, and a reader who has opened it meanwhile; what is
 * retired can only be opened before it is. */
static inline struct kymo_reader *open_nameless(const struct estate *estate,
                                                const struct frozen_file *file)
{
    const uint64_t at = header_of(file)->control_offset + offsetof(struct kymo_control, state);
    const uint32_t state = KYMO_OPEN;
    struct kymo_reader *reader;
    char path[512];
    int fd;

    frozen_sweep(estate->copy);
    frozen_copy(file, estate->copy, GONE);
    play_in(estate->copy);
    snprintf(path, sizeof(path), "%s/%s", estate->copy, GONE);
    fd = open(path, O_RDWR | O_CLOEXEC);
    cr_assert_eq(pwrite(fd, &state, sizeof(state), (off_t)at), (ssize_t)sizeof(state));
    reader = open_reader(estate, GONE);
    cr_assert_eq(pwrite(fd, &control_of(file)->state, sizeof(state), (off_t)at),
                 (ssize_t)sizeof(state));
    close(fd);
    unlink(path);
    return reader;
}

/* Who had opened the generation that has lost its name. */
static inline void expect_old_readers(const struct estate *estate)
{
    const struct frozen_file *file = &estate->frozen->files[0];
    struct kymo_reader *reader;

    if (estate->before == 0 || file->name[0])
        return;
    reader = open_nameless(estate, file);
    expect_over(estate, file, reader);
    kymo_reader_close(reader);
}

/* ---- the next writer ---- */

/* Full, it holds what was not acknowledged and what was pushed since, and no more. */
static inline void expect_room(const struct estate *estate, struct kymo_writer *writer,
                               const struct kymo_options *options, struct reading *reading,
                               uint64_t room)
{
    for (uint64_t i = 0; i < room; i++) {
        cr_assert_eq(put(writer, options, reading->head), 0, "%s: push %d of %d", estate->where,
                     (int)i, (int)room);
        reading->head++;
        reading->begun = 0;
        expect_reading(estate, reading);
    }
    if (is_queue(options))
        cr_assert_eq(put(writer, options, reading->head), -EAGAIN, "%s: room for one too many",
                     estate->where);
}

/* A writer of the same layout counts what was whole and goes on behind it. */
static inline void expect_resumed(const struct estate *estate, const struct frozen_file *file,
                                  struct reading *reading)
{
    const struct kymo_options options = options_of(estate, file);
    const int adopts = is_adoptable(file);
    uint64_t room = 2 * DEPTH;
    struct kymo_writer *writer;
    struct kymo_info info;

    cr_assert_eq(kymo_writer_open(&writer, NAME, &options), 0, "%s", estate->where);
    reading->head += (uint64_t)adopts;
    reading->begun = reading->begun && !adopts;
    reading->live = KYMO_LIVE_ALIVE;
    expect_reading(estate, reading);
    cr_assert_eq(kymo_segment_info(writer->segment, &info), 0);
    cr_assert_eq(info.adopted, control_of(file)->adopted + (uint64_t)adopts, "%s", estate->where);
    if (is_queue(&options))
        room = DEPTH - (reading->head - consumer_of(file)->tail);
    expect_room(estate, writer, &options, reading, room);
    kymo_writer_close(writer);
    reading->live = KYMO_LIVE_CLOSED;
    expect_reading(estate, reading);
}

static inline void expect_read_and_resumed(const struct estate *estate,
                                           const struct frozen_file *file)
{
    struct kymo_reader *reader = open_reader(estate, NAME);
    struct reading reading = reading_of(estate, file, reader);

    expect_reading(estate, &reading);
    expect_resumed(estate, file, &reading);
    kymo_reader_close(reader);
}

/* One of another layout begins a generation of its own, and the old one's readers are told. */
static inline void expect_other_layout(const struct estate *estate)
{
    const struct kymo_options strict = {.size = 24, .depth = 8, .existing = KYMO_OPEN_EXISTING};
    struct kymo_options options = strict;
    struct kymo_reader *old, *reader;
    unsigned char buffer[READING_LIMIT];
    struct kymo_record record;
    struct kymo_writer *writer;

    old = open_reader(estate, NAME);
    cr_assert_eq(kymo_writer_open(&writer, NAME, &strict), -EEXIST, "%s", estate->where);
    options.existing = KYMO_CREATE_NEW;
    cr_assert_eq(kymo_writer_open(&writer, NAME, &options), -EEXIST, "%s", estate->where);
    options.existing = KYMO_OPEN_OR_CREATE;
    cr_assert_eq(kymo_writer_open(&writer, NAME, &options), 0, "%s", estate->where);
    cr_assert_eq(kymo_ring_latest(old, buffer, sizeof(buffer), NULL), -EIDRM, "%s", estate->where);
    reader = open_reader(estate, NAME);
    cr_assert_eq(kymo_ring_latest(reader, buffer, sizeof(buffer), NULL), -ENODATA);
    cr_assert_eq(put(writer, &options, 0), 0, "%s", estate->where);
    cr_assert_eq(kymo_ring_latest(reader, buffer, sizeof(buffer), &record), 0);
    cr_assert_null(checked_fault(&record, buffer, 24), "%s", estate->where);
    kymo_reader_close(reader);
    kymo_reader_close(old);
    kymo_writer_close(writer);
}

/* Nobody has the name: who comes creates it. */
static inline void expect_created(const struct estate *estate)
{
    const struct kymo_options *options =
        estate->operation->fate == COMES ? estate->operation->next : estate->operation->options;
    struct kymo_writer *writer;
    struct reading reading = {.live = KYMO_LIVE_ALIVE};

    cr_assert_eq(kymo_reader_open(&reading.reader, NAME), -ENOENT, "%s", estate->where);
    cr_assert_eq(kymo_writer_open(&writer, NAME, options), 0, "%s", estate->where);
    reading.reader = open_reader(estate, NAME);
    expect_room(estate, writer, options, &reading, is_queue(options) ? DEPTH : 2 * DEPTH);
    kymo_reader_close(reading.reader);
    kymo_writer_close(writer);
}

/* ---- a queue's other end ---- */

/* Takes what lies from `from` up to `to`, each once and in order, and then nothing: for now, or
 * because the producer has gone. */
static inline void expect_taken(const struct estate *estate, struct kymo_consumer *consumer,
                                uint64_t from, uint64_t to, int acknowledge)
{
    unsigned char buffer[READING_LIMIT];
    struct kymo_record record = {0};
    int live, end;

    for (uint64_t pos = from; pos < to; pos++) {
        const int error = acknowledge
                              ? kymo_queue_pop(consumer, buffer, sizeof(buffer), &record, 0)
                              : kymo_queue_receive(consumer, buffer, sizeof(buffer), &record);

        cr_assert_eq(error, 0, "%s: record %d: %d", estate->where, (int)pos, error);
        cr_assert_eq(record.pos, pos, "%s: %d instead of %d", estate->where, (int)record.pos,
                     (int)pos);
        cr_assert_null(checked_fault(&record, buffer, consumer->ring.size), "%s", estate->where);
    }
    live = kymo_segment_liveness(consumer->segment, KYMO_FOREVER);
    end = kymo_queue_pop(consumer, buffer, sizeof(buffer), &record, 0);
    cr_assert_eq(end, live == KYMO_LIVE_ALIVE ? -ETIMEDOUT : -EPIPE, "%s: %d at the end",
                 estate->where, end);
}

static inline struct kymo_consumer *open_consumer(const struct estate *estate)
{
    struct kymo_consumer *consumer;

    cr_assert_eq(kymo_consumer_open(&consumer, NAME), 0, "%s", estate->where);
    return consumer;
}

/* What the queue counts as taken, whoever died has; and only that. */
static inline void expect_delivered(const struct estate *estate, const struct frozen_file *file)
{
    const struct bounds bounds = taken(estate->operation, estate->arena);
    const struct arena *arena = estate->arena;
    const uint64_t tail = consumer_of(file)->tail;

    cr_assert_geq(tail, bounds.low, "%s: acknowledged records come again", estate->where);
    cr_assert_leq(tail, bounds.high, "%s: records are lost", estate->where);
    for (uint64_t pos = estate->operation->taken; pos < tail; pos++) {
        const uint64_t number = pos - estate->operation->taken;

        cr_assert_null(checked_fault(&arena->taken[number], arena->payloads[number],
                                     header_of(file)->size),
                       "%s: record %d is counted as taken and was not", estate->where, (int)pos);
        cr_assert_eq(arena->taken[number].pos, pos, "%s", estate->where);
    }
}

/* The next consumer gets everything else, again where it does not acknowledge it; then the queue has
 * all of its room. */
static inline void expect_consumed(const struct estate *estate, const struct frozen_file *file)
{
    const struct kymo_options options = options_of(estate, file);
    const uint64_t tail = consumer_of(file)->tail;
    uint64_t head = control_of(file)->head;
    struct kymo_consumer *consumer;
    struct kymo_writer *writer;

    expect_delivered(estate, file);
    if (!(options.flags & KYMO_SHARED_CONSUMER)) {
        consumer = open_consumer(estate);
        expect_taken(estate, consumer, tail, head, 0);
        kymo_consumer_close(consumer);
    }
    cr_assert_eq(kymo_writer_open(&writer, NAME, &options), 0, "%s", estate->where);
    head += (uint64_t)is_adoptable(file);
    consumer = open_consumer(estate);
    expect_taken(estate, consumer, tail, head, 1);
    for (int i = 0; i < DEPTH; i++)
        cr_assert_eq(put(writer, &options, head + (uint64_t)i), 0, "%s", estate->where);
    cr_assert_eq(put(writer, &options, head + DEPTH), -EAGAIN, "%s", estate->where);
    expect_taken(estate, consumer, head, head + DEPTH, 1);
    kymo_consumer_close(consumer);
    kymo_writer_close(writer);
}

/* ---- cleaning up ---- */

/* A second later, for the library: unfinished files are left alone while they are young. */
static int later;

uint64_t __real_kymo_clock_now(enum kymo_clock clock);
uint64_t __wrap_kymo_clock_now(enum kymo_clock clock);

uint64_t __wrap_kymo_clock_now(enum kymo_clock clock)
{
    const uint64_t now = __real_kymo_clock_now(clock);

    return later && clock == KYMO_REALTIME ? now + UINT64_C(3000000000) : now;
}

static inline void expect_unfinished_reaped(const struct estate *estate)
{
    later = 1;
    cr_assert_eq(kymo_segment_reap_unfinished(), count_unfinished(estate->frozen), "%s",
                 estate->where);
    later = 0;
}

/* Of the dead, all can be removed; of those that ended cleanly only by name; nothing is left. */
static inline void expect_cleaned_up(const struct estate *estate)
{
    const struct frozen_file *file = named(estate);
    int closed;

    expect_unfinished_reaped(estate);
    if (file) {
        closed = control_of(file)->state == KYMO_CLOSED;
        cr_assert_eq(kymo_segment_exists(NAME), 1, "%s", estate->where);
        cr_assert_eq(kymo_segment_reap(NAME), !closed, "%s", estate->where);
        cr_assert_eq(kymo_segment_remove(NAME), closed ? 0 : -ENOENT, "%s", estate->where);
    }
    cr_assert_eq(rmdir(estate->copy), 0, "%s: something is left", estate->where);
    cr_assert_eq(mkdir(estate->copy, 0700), 0);
}

/* ---- all of it ---- */

/* Asks copies of the state, a fresh one for each that changes it. */
static inline void expect_survival(const struct estate *estate)
{
    const struct frozen_file *file = named(estate);

    lay_out(estate);
    expect_names(estate);
    if (file) {
        expect_read_and_resumed(estate, file);
        lay_out(estate);
        expect_other_layout(estate);
    } else {
        expect_created(estate);
    }
    if (file && header_of(file)->kind == KYMO_QUEUE) {
        lay_out(estate);
        expect_consumed(estate, file);
    }
    lay_out(estate);
    expect_cleaned_up(estate);
    expect_old_readers(estate);
}

#endif
