/*
 * crash_stepper.c - sets the state up, steps or kills the victim, and counts.
 */
#include "crash_stepper.h"
#include "no_tmpfile.h"

/* Surviving handles of this process, and a sleeping child. */
struct peers {
    struct kymo_reader *old_reader; /* of the old generation */
    struct kymo_writer *writer;
    struct kymo_consumer *consumer;
    pid_t waiter; /* a reader; 0: none */
};

struct run {
    const struct crash_case *crash_case;
    struct progress *progress;
    struct victim victim;
    struct steps steps;
    struct snapshot snapshot;
    struct state state;
    struct peers peers;
    size_t points; /* visits to test points, and the step of each */
    uint64_t point_steps[TESTPOINT_TRACE_LIMIT];
    char live[256]; /* the victim's directory */
    char copy[256];
    char where[160];
};

/* ---- before the calls ---- */

/* A writer that is killed in the record after the history. */
static int crash(void *context)
{
    const struct crash_case *crash_case = context;
    struct kymo_writer *writer;

    if (kymo_writer_open(&writer, NAME, crash_case->options) != 0)
        return 1;
    testpoint_plan(crash_case->crash, 0, testpoint_kill, NULL);
    crash_case_publish(writer, crash_case->options, crash_case->history);
    return 2;
}

static void take(uint64_t count)
{
    unsigned char payload[READING_LIMIT];
    struct kymo_consumer *consumer;

    cr_assert_eq(kymo_consumer_open(&consumer, NAME), 0);
    for (uint64_t i = 0; i < count; i++)
        cr_assert_eq(kymo_queue_pop(consumer, payload, sizeof(payload), NULL, 0), 0);
    kymo_consumer_close(consumer);
}

/* Sets the waiter bit of the bell at that offset of the file. */
static void set_waiting(int fd, uint64_t offset)
{
    uint32_t word = 0;

    if (offset == 0)
        return;
    cr_assert_eq(pread(fd, &word, sizeof(word), (off_t)offset), (ssize_t)sizeof(word));
    word |= KYMO_BELL_WAITING;
    cr_assert_eq(pwrite(fd, &word, sizeof(word), (off_t)offset), (ssize_t)sizeof(word));
}

static void set_waiting_bits(const char *directory)
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

static void make_history(const struct crash_case *crash_case)
{
    const struct kymo_options *options = crash_case->options;
    struct kymo_writer *writer;

    cr_assert_eq(kymo_writer_open(&writer, NAME, options), 0);
    for (uint64_t pos = 0; pos < crash_case->history; pos++) {
        cr_assert_eq(crash_case_publish(writer, options, pos), 0, "record %d", (int)pos);
        if (is_queue(options) && pos < crash_case->taken)
            take(1);
    }
    kymo_writer_close(writer);
}

static void crash_previous_writer(const struct crash_case *crash_case)
{
    cr_assert_eq(process_wait(process_start(crash, (void *)(uintptr_t)crash_case)), -SIGKILL,
                 "%s: %s is not reached", crash_case->name, crash_case->crash);
}

/* The state before the calls, and its first snapshot. */
static void set_up(struct run *run)
{
    const struct crash_case *crash_case = run->crash_case;

    memset(run->progress, 0, sizeof(*run->progress));
    snapshot_clear_directory(run->live);
    use_directory(run->live);
    no_tmpfile = crash_case->no_tmpfile;
    if (crash_case->fate != SEGMENT_CREATED)
        make_history(crash_case);
    if (crash_case->crash && !crash_case->crashed_while_open)
        crash_previous_writer(crash_case);
    if (crash_case->waiter)
        set_waiting_bits(run->live);
    snapshot_open(&run->snapshot, run->live);
    run->victim = (struct victim){.crash_case = crash_case, .progress = run->progress};
    run->victim.pos = crash_case->fate == SEGMENT_STAYS ? crash_case->history : 0;
    run->victim.pos += crash_case->crashed_while_open ? 1 : 0;
    run->state =
        (struct state){.crash_case = crash_case,
                       .progress = run->progress,
                       .snapshot = &run->snapshot,
                       .before =
                           crash_case->fate != SEGMENT_CREATED ? run->snapshot.files[0].inode : 0,
                       .copy = run->copy,
                       .where = run->where};
}

static void tear_down(struct run *run)
{
    snapshot_close(&run->snapshot);
    snapshot_clear_directory(run->live);
    use_directory(run->live);
}

/* ---- stepping ---- */

#define STATES 65536

static struct {
    uint64_t states[STATES]; /* by their hash */
    size_t count;
    uint64_t steps;
    uint64_t kills;
} totals;

/* Counts distinct states. */
static void count_state(uint64_t hash)
{
    for (size_t i = totals.count; i > 0; i--) {
        if (totals.states[i - 1] == hash)
            return;
    }
    cr_assert_lt(totals.count, (size_t)STATES);
    totals.states[totals.count++] = hash;
}

/* Records the step of each test point. */
static void note_points(struct run *run)
{
    while (run->points < TESTPOINT_TRACE_LIMIT && run->progress->trace[run->points])
        run->point_steps[run->points++] = run->steps.count;
}

static void describe_position(struct run *run, const char *how)
{
    const struct progress *progress = run->progress;
    size_t points = 0;

    while (points < TESTPOINT_TRACE_LIMIT && progress->trace[points])
        points++;
    snprintf(run->where, sizeof(run->where),
             "%s of %d, %s in step %d, in call %d (%d done), after %s", run->crash_case->name,
             (int)run->crash_case->history, how, (int)run->steps.count, (int)progress->begun,
             (int)progress->done, points ? progress->trace[points - 1] : "no test point");
}

static void start(struct run *run)
{
    const int verdict = steps_start(&run->steps, crash_case_run, &run->victim);

    cr_assert_eq(verdict, 0, "%s: ended before its mark: %d", run->crash_case->name, verdict);
    if (run->crash_case->crashed_while_open)
        crash_previous_writer(run->crash_case);
    snapshot_update(&run->snapshot, 1);
}

/* Called if the state or its bounds have changed. */
static void check_state(struct run *run)
{
    count_state(snapshot_hash(&run->snapshot));
    describe_position(run, "crash");
    crash_check_invariants(&run->state);
    use_directory(run->live);
}

/* Steps to the end. Returns the number of steps. */
static uint64_t step_through(struct run *run)
{
    uint32_t done = 0;

    run->points = 0;
    set_up(run);
    start(run);
    check_state(run);
    while (!process_load(&run->progress->finished)) {
        const int verdict = steps_next(&run->steps);

        describe_position(run, "walking");
        cr_assert_eq(verdict, 0, "%s: %d", run->where, verdict);
        if (snapshot_update(&run->snapshot, run->steps.was_system_call) ||
            done != run->progress->done)
            check_state(run);
        done = run->progress->done;
        note_points(run);
    }
    process_kill(run->steps.child);
    cr_assert_eq(run->progress->error, 0, "%s: %d", run->where, (int)run->progress->error);
    cr_assert_lt(run->points, (size_t)TESTPOINT_TRACE_LIMIT);
    totals.steps += run->steps.count;
    tear_down(run);
    return run->steps.count;
}

/* ---- peers ---- */

/* Waits for a record after the history; exits with the result of the wait. */
static int wait_beside(void *context)
{
    const struct crash_case *crash_case = context;
    struct kymo_reader *reader;

    if (kymo_reader_open(&reader, NAME) != 0)
        return 100;
    return -kymo_ring_wait(reader, crash_case->history, KYMO_FOREVER);
}

static void start_peers(struct run *run)
{
    const struct crash_case *crash_case = run->crash_case;
    struct peers *peers = &run->peers;

    *peers = (struct peers){0};
    if (crash_case->fate != SEGMENT_CREATED)
        peers->old_reader = open_reader(&run->state, NAME);
    /* If a consumer is killed, the queue may have no room for the record that wakes a reader. */
    if (crash_case->waiter && crash_case->fate == SEGMENT_STAYS &&
        !(is_queue(crash_case->options) && crash_case->peer == PEER_WRITER))
        peers->waiter = process_start(wait_beside, (void *)(uintptr_t)crash_case);
    if (crash_case->peer == PEER_WRITER)
        cr_assert_eq(kymo_writer_open(&peers->writer, NAME, crash_case->options), 0);
    if (crash_case->peer == PEER_CONSUMER)
        peers->consumer = open_consumer(&run->state);
}

/* A record was published since, so the waiter has been woken; else the test hangs here. */
static void stop_peers(struct run *run)
{
    struct peers *peers = &run->peers;

    if (peers->waiter)
        cr_assert_eq(process_wait(peers->waiter), 0, "%s: the waiter was not woken", run->where);
    kymo_writer_close(peers->writer);
    kymo_consumer_close(peers->consumer);
    kymo_reader_close(peers->old_reader);
}

/* No process holds a lock on any byte of the segment. */
static void expect_no_lock(const struct run *run)
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

/* Without a peer: the kernel has released all locks, and the state is as in a copy. */
static void expect_recovery_without_peer(struct run *run)
{
    const struct state *state = &run->state;
    const struct snapshot_file *file = find_named(state);
    struct kymo_reader *old_reader = run->peers.old_reader;
    struct reading reading;

    expect_unfinished_reaped(state);
    if (old_reader && (!file || is_new_generation(state, file))) {
        expect_retired(state, &run->snapshot.files[0], old_reader);
    } else if (old_reader) {
        reading = reading_of(state, file, old_reader);
        expect_readable(state, &reading);
    }
    if (file)
        expect_no_lock(run);
    if (file)
        expect_read_and_resumed(state, file);
    else
        expect_created(state);
}

/* A surviving shared writer publishes, whatever the victim left of the lock. */
static void expect_writer_continues(struct run *run)
{
    const struct state *state = &run->state;
    const struct snapshot_file *file = find_named(state);
    const struct kymo_options *options = run->crash_case->options;
    struct reading reading = reading_of(state, file, run->peers.old_reader);
    uint64_t room = 2;

    reading.live = KYMO_LIVE_ALIVE;
    expect_readable(state, &reading);
    reading.head += (uint64_t)is_adoptable(file);
    if (is_queue(options))
        room = DEPTH - (reading.head - consumer_of(file)->tail);
    expect_room(state, run->peers.writer, options, &reading, room);
    cr_assert_eq(kymo_load_relaxed32(&reading.reader->ring.control->lock), 0U, "%s", run->where);
}

/* After a producer's death, its consumer receives all pushed records, then EPIPE, then the next
 * producer's records. */
static void expect_consumer_continues(struct run *run)
{
    const struct state *state = &run->state;
    const struct snapshot_file *file = find_named(state);
    const struct kymo_options *options = run->crash_case->options;
    struct kymo_consumer *consumer = run->peers.consumer;
    const uint64_t head = control_of(file)->head;
    const uint64_t next = head + (uint64_t)is_adoptable(file);
    struct kymo_writer *writer;

    reading_of(state, file, run->peers.old_reader);
    expect_consumed(state, consumer, consumer_of(file)->tail, head, 1);
    cr_assert_eq(kymo_writer_open(&writer, NAME, options), 0, "%s", run->where);
    cr_assert_eq(crash_case_publish(writer, options, next), 0, "%s", run->where);
    expect_consumed(state, consumer, head, next + 1, 1);
    kymo_writer_close(writer);
}

/* After a consumer's death, its producer uses the acknowledged room, then gets EPIPE; the next
 * consumer receives the rest. */
static void expect_producer_continues(struct run *run)
{
    const struct state *state = &run->state;
    const struct snapshot_file *file = find_named(state);
    const struct kymo_options *options = run->crash_case->options;
    const uint64_t tail = consumer_of(file)->tail;
    struct reading reading = reading_of(state, file, run->peers.old_reader);
    struct kymo_consumer *consumer;

    expect_delivered(state, file);
    reading.live = KYMO_LIVE_ALIVE;
    expect_room(state, run->peers.writer, options, &reading, DEPTH - (reading.head - tail));
    cr_assert_eq(kymo_queue_push(run->peers.writer, "", 0, UINT64_MAX, 0, KYMO_FOREVER), -EPIPE,
                 "%s", run->where);
    consumer = open_consumer(state);
    expect_consumed(state, consumer, tail, reading.head, 1);
    kymo_consumer_close(consumer);
}

/* After the death of one of several consumers, the others receive the rest. */
static void expect_consumers_continue(struct run *run)
{
    const struct state *state = &run->state;
    const struct snapshot_file *file = find_named(state);

    expect_delivered(state, file);
    expect_consumed(state, run->peers.consumer, consumer_of(file)->tail, control_of(file)->head, 1);
    cr_assert_eq(kymo_load_relaxed32(&run->peers.consumer->control->lock), 0U, "%s", run->where);
}

static void expect_recovery(struct run *run)
{
    const struct crash_case *crash_case = run->crash_case;

    use_directory(run->live);
    expect_names(&run->state);
    if (crash_case->peer == NO_PEER)
        expect_recovery_without_peer(run);
    else if (crash_case->options->flags & KYMO_SHARED_WRITER)
        expect_writer_continues(run);
    else if (crash_case->peer == PEER_WRITER)
        expect_producer_continues(run);
    else if (crash_case->options->flags & KYMO_SHARED_CONSUMER)
        expect_consumers_continue(run);
    else
        expect_consumer_continues(run);
}

/* ---- killing it ---- */

/* Kills the victim `steps` steps after visit number `point` to a test point; 0: after the start. */
static void kill_at(struct run *run, size_t point, uint64_t steps)
{
    int verdict = 0;

    set_up(run);
    start_peers(run);
    run->progress->point = point;
    run->progress->at_point = steps ? mark_at_point : testpoint_kill;
    start(run);
    if (point)
        verdict = steps_to_mark(&run->steps);
    while (run->steps.count < steps && !process_load(&run->progress->finished) && verdict == 0)
        verdict = steps_next(&run->steps);
    if (verdict == 0)
        verdict = process_kill(run->steps.child);
    snapshot_update(&run->snapshot, 1);
    describe_position(run, "killed");
    cr_assert_eq(verdict, -SIGKILL, "%s: %d", run->where, verdict);
    expect_recovery(run);
    totals.kills++;
    stop_peers(run);
    tear_down(run);
}

/* At a step of the first run, counted from the test point before it. */
static void kill_in_step(struct run *run, uint64_t step)
{
    size_t point = run->points;

    while (point > 0 && run->point_steps[point - 1] >= step)
        point--;
    kill_at(run, point, step - (point ? run->point_steps[point - 1] : 0));
}

/* ---- a case ---- */

static char base_directory[200]; /* the test's own directory */

void crash_run(const struct crash_case *crash_case, uint64_t samples)
{
    static struct run run;
    uint64_t steps;

    run.crash_case = crash_case;
    run.progress = process_share(sizeof(*run.progress));
    snprintf(run.live, sizeof(run.live), "%s/live", base_directory);
    snprintf(run.copy, sizeof(run.copy), "%s/copy", base_directory);
    steps = step_through(&run);
    for (size_t point = 1; point <= run.points; point++)
        kill_at(&run, point, 0);
    samples = PROCESS_SLOWNESS > 1 ? 0 : samples < steps ? samples : steps;
    for (uint64_t i = 0; i < samples; i++)
        kill_in_step(&run, 1 + steps * i / samples);
    munmap(run.progress, sizeof(*run.progress));
}

void crash_begin(void)
{
    const char *reason = steps_unsupported();
    char path[256];

    if (reason) {
        printf("crash at every instruction: skipped, %s\n", reason);
        cr_skip_test("%s", reason);
    }
    snprintf(base_directory, sizeof(base_directory), "%s/crash-XXXXXX", kymo_directory());
    cr_assert_not_null(mkdtemp(base_directory));
    snprintf(path, sizeof(path), "%s/live", base_directory);
    cr_assert_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/copy", base_directory);
    cr_assert_eq(mkdir(path, 0700), 0);
    memset(&totals, 0, sizeof(totals));
}

void crash_begin_long(void)
{
    const char *reason = "too many steps with a sanitizer";

    if (PROCESS_SLOWNESS > 1) {
        printf("crash at every instruction: skipped, %s\n", reason);
        cr_skip_test("%s", reason);
    }
    crash_begin();
}

void crash_end(const char *what)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/live", base_directory);
    cr_assert_eq(rmdir(path), 0);
    snprintf(path, sizeof(path), "%s/copy", base_directory);
    cr_assert_eq(rmdir(path), 0);
    cr_assert_eq(rmdir(base_directory), 0);
    printf("count: crash at every instruction, %s: %ju steps, %ju states, %ju kills\n", what,
           (uintmax_t)totals.steps, (uintmax_t)totals.count, (uintmax_t)totals.kills);
}
