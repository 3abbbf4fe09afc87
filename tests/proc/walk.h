/*
 * walk.h - performs an operation of dying.h: once step by step, with a copy of each state put to the
 * questions of survived.h; then again and again, with a real SIGKILL, beside those who live on.
 */
#ifndef KYMO_TEST_WALK_H
#define KYMO_TEST_WALK_H

#include "nameless.h"
#include "survived.h"

/* ---- before the operation ---- */

/* Those who live on, in this process but for the one who sleeps. */
struct survivors {
    struct kymo_reader *guest; /* of the generation before */
    struct kymo_writer *writer;
    struct kymo_consumer *consumer;
    pid_t sleeper; /* a reader; 0: none */
};

struct run {
    const struct operation *operation;
    struct arena *arena;
    struct stage stage;
    struct steps steps;
    struct frozen frozen;
    struct estate estate;
    struct survivors survivors;
    size_t points; /* test points on the way, and in which step each was reached */
    uint64_t point_steps[TESTPOINT_TRACE_LIMIT];
    char live[256]; /* the directory where it happens */
    char copy[256];
    char where[160];
};

/* A writer that dies about the record behind the history. */
static inline int crash(void *context)
{
    const struct operation *operation = context;
    struct kymo_writer *writer;

    if (kymo_writer_open(&writer, NAME, operation->options) != 0)
        return 1;
    testpoint_plan(operation->crash, 0, testpoint_kill, NULL);
    put(writer, operation->options, operation->history);
    return 2;
}

static inline void take(uint64_t count)
{
    unsigned char payload[READING_LIMIT];
    struct kymo_consumer *consumer;

    cr_assert_eq(kymo_consumer_open(&consumer, NAME), 0);
    for (uint64_t i = 0; i < count; i++)
        cr_assert_eq(kymo_queue_pop(consumer, payload, sizeof(payload), NULL, 0), 0);
    kymo_consumer_close(consumer);
}

/* Somebody waits, says the bell at that place of the file. */
static inline void set_waiting(int fd, uint64_t offset)
{
    uint32_t word = 0;

    if (offset == 0)
        return;
    cr_assert_eq(pread(fd, &word, sizeof(word), (off_t)offset), (ssize_t)sizeof(word));
    word |= KYMO_BELL_WAITING;
    cr_assert_eq(pwrite(fd, &word, sizeof(word), (off_t)offset), (ssize_t)sizeof(word));
}

static inline void put_to_sleep(const char *directory)
{
    struct kymo_header header;
    char path[512];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", directory, NAME);
    fd = open(path, O_RDWR | O_CLOEXEC);
    cr_assert_eq(pread(fd, &header, sizeof(header), 0), (ssize_t)sizeof(header));
    set_waiting(fd, header.bell_offset);
    set_waiting(fd, header.consumer_bell_offset);
    close(fd);
}

static inline void make_history(const struct operation *operation)
{
    const struct kymo_options *options = operation->options;
    struct kymo_writer *writer;

    cr_assert_eq(kymo_writer_open(&writer, NAME, options), 0);
    for (uint64_t pos = 0; pos < operation->history; pos++) {
        cr_assert_eq(put(writer, options, pos), 0, "record %d", (int)pos);
        if (is_queue(options) && pos < operation->taken)
            take(1);
    }
    kymo_writer_close(writer);
}

static inline void crash_before(const struct operation *operation)
{
    cr_assert_eq(process_wait(process_start(crash, (void *)(uintptr_t)operation)), -SIGKILL,
                 "%s: nobody comes to %s", operation->name, operation->crash);
}

/* The stage as it is before the operation, and the directory watched. */
static inline void set_up(struct run *run)
{
    const struct operation *operation = run->operation;

    memset(run->arena, 0, sizeof(*run->arena));
    frozen_sweep(run->live);
    play_in(run->live);
    no_tmpfile = operation->no_tmpfile;
    if (operation->fate != COMES)
        make_history(operation);
    if (operation->crash && !operation->crash_late)
        crash_before(operation);
    if (operation->sleeper)
        put_to_sleep(run->live);
    frozen_begin(&run->frozen, run->live);
    run->stage = (struct stage){.operation = operation, .arena = run->arena};
    run->stage.pos = operation->fate == STAYS ? operation->history : 0;
    run->stage.pos += operation->crash_late ? 1 : 0;
    run->estate =
        (struct estate){.operation = operation,
                        .arena = run->arena,
                        .frozen = &run->frozen,
                        .before = operation->fate != COMES ? run->frozen.files[0].inode : 0,
                        .copy = run->copy,
                        .where = run->where};
}

static inline void tear_down(struct run *run)
{
    frozen_end(&run->frozen);
    frozen_sweep(run->live);
    play_in(run->live);
}

/* ---- walking through it ---- */

#define STATES 65536

static struct {
    uint64_t states[STATES]; /* by their hash */
    size_t count;
    uint64_t steps;
    uint64_t kills;
} totals;

/* Counts each state once. */
static inline void count_state(uint64_t hash)
{
    for (size_t i = totals.count; i > 0; i--) {
        if (totals.states[i - 1] == hash)
            return;
    }
    cr_assert_lt(totals.count, (size_t)STATES);
    totals.states[totals.count++] = hash;
}

/* Takes down in which step a point was reached. */
static inline void look_at_points(struct run *run)
{
    while (run->points < TESTPOINT_TRACE_LIMIT && run->arena->trace[run->points])
        run->point_steps[run->points++] = run->steps.count;
}

static inline void say_where(struct run *run, const char *how)
{
    const struct arena *arena = run->arena;
    size_t points = 0;

    while (points < TESTPOINT_TRACE_LIMIT && arena->trace[points])
        points++;
    snprintf(run->where, sizeof(run->where),
             "%s of %d, %s in step %d, in call %d (%d done), behind %s", run->operation->name,
             (int)run->operation->history, how, (int)run->steps.count, (int)arena->begun,
             (int)arena->done, points ? arena->trace[points - 1] : "no point");
}

static inline void start(struct run *run)
{
    const int verdict = steps_start(&run->steps, live_through, &run->stage);

    cr_assert_eq(verdict, 0, "%s: ended before it began: %d", run->operation->name, verdict);
    if (run->operation->crash_late)
        crash_before(run->operation);
    frozen_look(&run->frozen, 1);
}

/* Judges the state where it, or what has to be in it, is new. */
static inline void judge(struct run *run)
{
    count_state(frozen_hash(&run->frozen));
    say_where(run, "dead");
    expect_survival(&run->estate);
    play_in(run->live);
}

/* Goes all the way; returns how many steps that is. */
static inline uint64_t walk(struct run *run)
{
    uint32_t done = 0;

    run->points = 0;
    set_up(run);
    start(run);
    judge(run);
    while (!process_heard(&run->arena->finished)) {
        const int verdict = steps_next(&run->steps);

        say_where(run, "walking");
        cr_assert_eq(verdict, 0, "%s: %d", run->where, verdict);
        if (frozen_look(&run->frozen, run->steps.asked_kernel) || done != run->arena->done)
            judge(run);
        done = run->arena->done;
        look_at_points(run);
    }
    process_kill(run->steps.child);
    cr_assert_eq(run->arena->error, 0, "%s: %d", run->where, (int)run->arena->error);
    cr_assert_lt(run->points, (size_t)TESTPOINT_TRACE_LIMIT);
    totals.steps += run->steps.count;
    tear_down(run);
    return run->steps.count;
}

/* ---- those who live on ---- */

/* Until there is more than the history; exits with what the wait returned. */
static inline int sleep_beside(void *context)
{
    const struct operation *operation = context;
    struct kymo_reader *reader;

    if (kymo_reader_open(&reader, NAME) != 0)
        return 100;
    return -kymo_ring_wait(reader, operation->history, KYMO_FOREVER);
}

static inline void gather(struct run *run)
{
    const struct operation *operation = run->operation;
    struct survivors *survivors = &run->survivors;

    *survivors = (struct survivors){0};
    if (operation->fate != COMES)
        survivors->guest = open_reader(&run->estate, NAME);
    /* Where a consumer dies, there may be no room to publish what would wake a reader. */
    if (operation->sleeper && operation->fate == STAYS &&
        !(is_queue(operation->options) && operation->company == WITH_WRITER))
        survivors->sleeper = process_start(sleep_beside, (void *)(uintptr_t)operation);
    if (operation->company == WITH_WRITER)
        cr_assert_eq(kymo_writer_open(&survivors->writer, NAME, operation->options), 0);
    if (operation->company == WITH_CONSUMER)
        survivors->consumer = open_consumer(&run->estate);
}

/* Somebody has published since, so the sleeper has been woken; or the test hangs here. */
static inline void disperse(struct run *run)
{
    struct survivors *survivors = &run->survivors;

    if (survivors->sleeper)
        cr_assert_eq(process_wait(survivors->sleeper), 0, "%s: slept on", run->where);
    kymo_writer_close(survivors->writer);
    kymo_consumer_close(survivors->consumer);
    kymo_reader_close(survivors->guest);
}

/* Nobody holds any byte of the segment that has the name. */
static inline void expect_no_lock(const struct run *run)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[512];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", run->live, NAME);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_eq(fcntl(fd, F_OFD_GETLK, &lock), 0);
    cr_assert_eq(lock.l_type, F_UNLCK, "%s: byte %d is locked", run->where, (int)lock.l_start);
    close(fd);
}

/* Nobody else was there: the kernel knows at once, and whoever comes finds what a copy shows. */
static inline void expect_left_alone(struct run *run)
{
    const struct estate *estate = &run->estate;
    const struct frozen_file *file = named(estate);
    struct kymo_reader *guest = run->survivors.guest;
    struct reading reading;

    expect_unfinished_reaped(estate);
    if (guest && (!file || is_next(estate, file))) {
        expect_over(estate, &run->frozen.files[0], guest);
    } else if (guest) {
        reading = reading_of(estate, file, guest);
        expect_reading(estate, &reading);
    }
    if (file)
        expect_no_lock(run);
    if (file)
        expect_read_and_resumed(estate, file);
    else
        expect_created(estate);
}

/* A writer that shares the segment publishes on, whatever the dead one left of their lock. */
static inline void expect_writer_goes_on(struct run *run)
{
    const struct estate *estate = &run->estate;
    const struct frozen_file *file = named(estate);
    const struct kymo_options *options = run->operation->options;
    struct reading reading = reading_of(estate, file, run->survivors.guest);
    uint64_t room = 2;

    reading.live = KYMO_LIVE_ALIVE;
    expect_reading(estate, &reading);
    reading.head += (uint64_t)is_adoptable(file);
    if (is_queue(options))
        room = DEPTH - (reading.head - consumer_of(file)->tail);
    expect_room(estate, run->survivors.writer, options, &reading, room);
    cr_assert_eq(kymo_load_relaxed32(&reading.reader->ring.control->lock), 0U, "%s", run->where);
}

/* The producer has died: its consumer gets what was pushed, then knows, then the next one's. */
static inline void expect_consumer_goes_on(struct run *run)
{
    const struct estate *estate = &run->estate;
    const struct frozen_file *file = named(estate);
    const struct kymo_options *options = run->operation->options;
    struct kymo_consumer *consumer = run->survivors.consumer;
    const uint64_t head = control_of(file)->head;
    const uint64_t next = head + (uint64_t)is_adoptable(file);
    struct kymo_writer *writer;

    reading_of(estate, file, run->survivors.guest);
    expect_taken(estate, consumer, consumer_of(file)->tail, head, 1);
    cr_assert_eq(kymo_writer_open(&writer, NAME, options), 0, "%s", run->where);
    cr_assert_eq(put(writer, options, next), 0, "%s", run->where);
    expect_taken(estate, consumer, head, next + 1, 1);
    kymo_writer_close(writer);
}

/* The consumer has died: its producer has the room that was acknowledged, then knows; the next one
 * gets the rest. */
static inline void expect_producer_goes_on(struct run *run)
{
    const struct estate *estate = &run->estate;
    const struct frozen_file *file = named(estate);
    const struct kymo_options *options = run->operation->options;
    const uint64_t tail = consumer_of(file)->tail;
    struct reading reading = reading_of(estate, file, run->survivors.guest);
    struct kymo_consumer *consumer;

    expect_delivered(estate, file);
    reading.live = KYMO_LIVE_ALIVE;
    expect_room(estate, run->survivors.writer, options, &reading, DEPTH - (reading.head - tail));
    cr_assert_eq(kymo_queue_push(run->survivors.writer, "", 0, UINT64_MAX, 0, KYMO_FOREVER), -EPIPE,
                 "%s", run->where);
    consumer = open_consumer(estate);
    expect_taken(estate, consumer, tail, reading.head, 1);
    kymo_consumer_close(consumer);
}

/* One of several consumers has died: the others get the rest. */
static inline void expect_consumers_go_on(struct run *run)
{
    const struct estate *estate = &run->estate;
    const struct frozen_file *file = named(estate);

    expect_delivered(estate, file);
    expect_taken(estate, run->survivors.consumer, consumer_of(file)->tail, control_of(file)->head,
                 1);
    cr_assert_eq(kymo_load_relaxed32(&run->survivors.consumer->control->lock), 0U, "%s",
                 run->where);
}

static inline void expect_going_on(struct run *run)
{
    const struct operation *operation = run->operation;

    play_in(run->live);
    expect_names(&run->estate);
    if (operation->company == ALONE)
        expect_left_alone(run);
    else if (operation->options->flags & KYMO_SHARED_WRITER)
        expect_writer_goes_on(run);
    else if (operation->company == WITH_WRITER)
        expect_producer_goes_on(run);
    else if (operation->options->flags & KYMO_SHARED_CONSUMER)
        expect_consumers_go_on(run);
    else
        expect_consumer_goes_on(run);
}

/* ---- killing it ---- */

/* So many steps behind its visit number `point` to any test point; 0: behind the beginning. */
static inline void kill_at(struct run *run, size_t point, uint64_t steps)
{
    int verdict = 0;

    set_up(run);
    gather(run);
    run->arena->point = point;
    run->arena->at_point = steps ? mark_here : testpoint_kill;
    start(run);
    if (point)
        verdict = steps_skip(&run->steps);
    while (run->steps.count < steps && !process_heard(&run->arena->finished) && verdict == 0)
        verdict = steps_next(&run->steps);
    if (verdict == 0)
        verdict = process_kill(run->steps.child);
    frozen_look(&run->frozen, 1);
    say_where(run, "killed");
    cr_assert_eq(verdict, -SIGKILL, "%s: %d", run->where, verdict);
    expect_going_on(run);
    totals.kills++;
    disperse(run);
    tear_down(run);
}

/* At a step of the walk: from the point before it. */
static inline void kill_in_step(struct run *run, uint64_t step)
{
    size_t point = run->points;

    while (point > 0 && run->point_steps[point - 1] >= step)
        point--;
    kill_at(run, point, step - (point ? run->point_steps[point - 1] : 0));
}

/* ---- performing it ---- */

#define EVERY_STEP UINT64_MAX

static char base[200]; /* the test's own directory */

/* Walks through the operation, and kills it at each point and at `samples` steps; in slow builds at
 * the points alone. */
static inline void perform(const struct operation *operation, uint64_t samples)
{
    static struct run run;
    uint64_t steps;

    run.operation = operation;
    run.arena = process_share(sizeof(*run.arena));
    snprintf(run.live, sizeof(run.live), "%s/live", base);
    snprintf(run.copy, sizeof(run.copy), "%s/copy", base);
    steps = walk(&run);
    for (size_t point = 1; point <= run.points; point++)
        kill_at(&run, point, 0);
    samples = PROCESS_SLOWNESS > 1 ? 0 : samples < steps ? samples : steps;
    for (uint64_t i = 0; i < samples; i++)
        kill_in_step(&run, 1 + steps * i / samples);
    munmap(run.arena, sizeof(*run.arena));
}

static inline void begin(void)
{
    const char *reason = steps_impossible();
    char path[256];

    if (reason) {
        printf("dead at every instruction: skipped, %s\n", reason);
        cr_skip_test("%s", reason);
    }
    snprintf(base, sizeof(base), "%s/dead-XXXXXX", kymo_directory());
    cr_assert_not_null(mkdtemp(base));
    snprintf(path, sizeof(path), "%s/live", base);
    cr_assert_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/copy", base);
    cr_assert_eq(mkdir(path, 0700), 0);
    memset(&totals, 0, sizeof(totals));
}

/* Opening takes ten thousand instructions, and a sanitizer's four times as many. */
static inline void begin_long(void)
{
    const char *reason = "too many steps beside a sanitizer";

    if (PROCESS_SLOWNESS > 1) {
        printf("dead at every instruction: skipped, %s\n", reason);
        cr_skip_test("%s", reason);
    }
    begin();
}

static inline void end(const char *what)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/live", base);
    cr_assert_eq(rmdir(path), 0);
    snprintf(path, sizeof(path), "%s/copy", base);
    cr_assert_eq(rmdir(path), 0);
    cr_assert_eq(rmdir(base), 0);
    printf("count: dead at every instruction, %s: %ju steps, %ju states, %ju kills\n", what,
           (uintmax_t)totals.steps, (uintmax_t)totals.count, (uintmax_t)totals.kills);
}

#endif
