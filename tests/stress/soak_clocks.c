/*
 * soak_clocks.c - the part of the soak that depends on clocks, while these step forwards and back, by nanoseconds and by hours (clocks.h).
 *
 * Four segments use three clocks. A record contains the time passed to publish and the time that it must have; an answer is compared with its neighbours and, for queries relative to now, with the time before and after the query, if no clock stepped between
 * these two.
 */
#include "soak.h"

#include <fcntl.h>

#include "clocks.h"

#define SECOND UINT64_C(1000000000)

/* A bound of the duration of any operation, ns of the machine's clock. */
#define TOO_LATE (20 * SECOND)

static const struct {
    enum kymo_clock clock;
    enum kymo_time_policy policy;
} kept[SOAK_CLOCKS] = {
    {KYMO_REALTIME, KYMO_CLAMP},
    {KYMO_REALTIME, KYMO_REJECT},
    {KYMO_MONOTONIC, KYMO_REJECT},
    {KYMO_BOOTTIME, KYMO_CLAMP},
};

/* ---- records ---- */

struct tick {
    uint64_t given;
    uint64_t time; /* what the record's time must be */
    uint64_t pos;
    uint64_t generation;
    uint64_t seal; /* a hash of the members above */
};

static uint64_t seal_of(const struct tick *tick)
{
    return checked_mix(
        tick->given ^
        checked_mix(tick->time ^ checked_mix(tick->pos ^ checked_mix(tick->generation))));
}

static void check_tick(const char *name, const struct kymo_record *record, const struct tick *tick)
{
    if (record->len != sizeof(*tick) || tick->seal != seal_of(tick) || record->pos != tick->pos ||
        record->tag != tick->generation)
        soak_blame("%s: record %llu is wrong", name, (unsigned long long)record->pos);
    else if (record->time != tick->time)
        soak_blame("%s: record %llu, published at %llu, has the time %llu instead of %llu", name,
                   (unsigned long long)record->pos, (unsigned long long)tick->given,
                   (unsigned long long)record->time, (unsigned long long)tick->time);
}

/* ---- the writer ---- */

/* One segment, and its expected content. */
struct ticking {
    uint64_t number;
    struct kymo_writer *writer;
    uint64_t newest; /* the newest record's time */
    uint64_t generation;
    uint64_t rejected, clamped;
    unsigned int rejected_in_a_row;
};

static void begin_generation(struct ticking *ticking)
{
    const struct kymo_options options = {.depth = 1024,
                                         .size = sizeof(struct tick),
                                         .clock = kept[ticking->number].clock,
                                         .time_policy = kept[ticking->number].policy,
                                         .existing = KYMO_REPLACE};
    char name[64];

    soak_name(name, sizeof(name), "clock", ticking->number);
    *ticking = (struct ticking){.number = ticking->number,
                                .writer = soak_open_writer(name, &options),
                                .generation = soak_roll(UINT64_MAX)};
}

/* Compares the segment's counters of rejected and clamped records. */
static void end_generation(struct ticking *ticking)
{
    struct kymo_info info;

    if (!ticking->writer)
        return;
    if (kymo_segment_info(ticking->writer->segment, &info) != 0 ||
        info.rejected != ticking->rejected || info.clamped != ticking->clamped)
        soak_blame("clock%llu: %llu rejected and %llu clamped instead of %llu and %llu",
                   (unsigned long long)ticking->number, (unsigned long long)info.rejected,
                   (unsigned long long)info.clamped, (unsigned long long)ticking->rejected,
                   (unsigned long long)ticking->clamped);
    kymo_writer_close(ticking->writer);
    ticking->writer = NULL;
}

static int commit_tick(struct kymo_writer *writer, const struct tick *tick)
{
    void *payload;
    int error = kymo_ring_loan(writer, &payload);

    if (error)
        return error;
    kymo_copy_in(payload, tick, sizeof(*tick));
    error = kymo_ring_commit(writer, sizeof(*tick), tick->given, tick->generation);
    if (error)
        kymo_ring_abort(writer);
    return error;
}

static int publish_tick(struct kymo_writer *writer, const struct tick *tick)
{
    return kymo_ring_publish(writer, tick, sizeof(*tick), tick->given, tick->generation);
}

/* A clock that was set back is handled by the time policy. */
static void tick_once(struct ticking *ticking)
{
    struct kymo_writer *writer = ticking->writer;
    const enum kymo_clock clock = kept[ticking->number].clock;
    const uint64_t now = kymo_clock_now(clock), head = kymo_ring_head(&writer->ring);
    const int is_back = now < ticking->newest;
    const int rejects = is_back && kept[ticking->number].policy == KYMO_REJECT;
    struct tick tick = {now, is_back ? ticking->newest : now, head, ticking->generation, 0};
    int error;

    if (is_back && clock != KYMO_REALTIME)
        soak_blame("a clock that can't go back did, from %llu to %llu",
                   (unsigned long long)ticking->newest, (unsigned long long)now);
    tick.seal = seal_of(&tick);
    error = (soak_roll(4) ? publish_tick : commit_tick)(writer, &tick);
    if (error != (rejects ? -EINVAL : 0))
        soak_blame("clock%llu: publish: %d", (unsigned long long)ticking->number, error);
    if (kymo_ring_head(&writer->ring) != head + (error == 0))
        soak_blame("clock%llu: head is %llu after %llu and %d", (unsigned long long)ticking->number,
                   (unsigned long long)kymo_ring_head(&writer->ring), (unsigned long long)head,
                   error);
    ticking->rejected += rejects ? 1 : 0;
    ticking->clamped += is_back && !rejects ? 1 : 0;
    ticking->rejected_in_a_row = rejects ? ticking->rejected_in_a_row + 1 : 0;
    if (!error) {
        ticking->newest = tick.time;
        soak_count(&soak->published);
    }
}

/* A writer whose records are rejected for long replaces its segment: its clock may be set back by
 * hours. */
int soak_write_clocks(void *context)
{
    struct ticking tickings[SOAK_CLOCKS];

    soak_begin(context);
    for (uint64_t i = 0; i < SOAK_CLOCKS; i++) {
        tickings[i].number = i;
        begin_generation(&tickings[i]);
    }
    while (!soak_shall_end) {
        struct ticking *ticking = &tickings[soak_roll(SOAK_CLOCKS)];

        if (ticking->rejected_in_a_row >= 50 || soak_roll(20000) == 0) {
            end_generation(ticking);
            begin_generation(ticking);
        }
        if (ticking->writer)
            tick_once(ticking);
        soak_sleep(soak_roll(500000));
    }
    for (uint64_t i = 0; i < SOAK_CLOCKS; i++)
        end_generation(&tickings[i]);
    return 0;
}

/* ---- reading in memory ---- */

/* The state of a reader of one segment. */
struct dial {
    char name[16];
    enum kymo_clock clock;
    struct kymo_reader *reader;
    struct kymo_cursor cursor;
    uint64_t newest; /* the cursor's last time */
};

static int open_dial(struct dial *dial, uint64_t number)
{
    int error;

    *dial = (struct dial){.clock = kept[number].clock};
    soak_name(dial->name, sizeof(dial->name), "clock", number);
    while ((error = kymo_reader_open(&dial->reader, dial->name)) != 0 && !soak_shall_end) {
        /* The writer, or its successor, has not published it yet. */
        if (error != -ENOENT && error != -EIDRM)
            soak_blame("%s: can't be opened for reading: %d", dial->name, error);
        soak_sleep(1000000);
    }
    if (!error)
        kymo_cursor_oldest(&dial->cursor, dial->reader);
    return error;
}

static uint64_t head_of(const struct dial *dial)
{
    return kymo_ring_head(&dial->reader->ring);
}

/* The time at pos, if the record existed before the query and still does. */
static int time_at(const struct dial *dial, uint64_t pos, uint64_t head, uint64_t *time)
{
    struct kymo_record record;
    struct tick tick;

    if (pos >= head || kymo_ring_at(dial->reader, pos, &tick, sizeof(tick), &record) != 0)
        return 0;
    check_tick(dial->name, &record, &tick);
    *time = record.time;
    return 1;
}

/* The newest not after a time from `low` to `high`. */
static void check_as_of(const struct dial *dial, const struct kymo_record *record, uint64_t head,
                        uint64_t low, uint64_t high)
{
    uint64_t next;

    if (record->time > high)
        soak_blame("%s: as of %llu: %llu, which is later", dial->name, (unsigned long long)high,
                   (unsigned long long)record->time);
    if (time_at(dial, record->pos + 1, head, &next) && next <= low)
        soak_blame("%s: as of %llu: %llu, although %llu exists", dial->name,
                   (unsigned long long)low, (unsigned long long)record->time,
                   (unsigned long long)next);
}

/* The closest to a time from `low` to `high`. Of two equally far it is the earlier; of equal times the
 * newest. */
static void check_closest(const struct dial *dial, const struct kymo_record *record, uint64_t head,
                          uint64_t low, uint64_t high)
{
    const uint64_t time = record->time;
    uint64_t other;

    if (time_at(dial, record->pos + 1, head, &other) &&
        (other == time || (low > time && low - time > kymo_impl_distance(low, other))))
        soak_blame("%s: closest to %llu: %llu instead of %llu after it", dial->name,
                   (unsigned long long)low, (unsigned long long)time, (unsigned long long)other);
    /* The neighbour must be in the query's window. */
    if (record->pos > 0 && time_at(dial, record->pos - 1, head, &other) &&
        head_of(dial) - record->pos < kymo_ring_depth(&dial->reader->ring) - 1 && other != time &&
        high < time && time - high >= kymo_impl_distance(high, other))
        soak_blame("%s: closest to %llu: %llu instead of %llu before it", dial->name,
                   (unsigned long long)high, (unsigned long long)time, (unsigned long long)other);
}

/* A time near now, near a record's, or far away. */
static uint64_t some_time(const struct dial *dial)
{
    static const uint64_t distances[] = {2, 1000, 1000000, SECOND, 7200 * SECOND};
    const uint64_t distance = soak_roll(distances[soak_roll(5)]);
    uint64_t time = kymo_clock_now(dial->clock);

    if (soak_roll(2))
        time_at(dial, head_of(dial) - 1 - soak_roll(kymo_ring_depth(&dial->reader->ring)),
                UINT64_MAX, &time);
    return soak_roll(2) ? time + distance : time - (distance < time ? distance : time);
}

static int query_as_of(struct dial *dial)
{
    const uint64_t head = head_of(dial), time = some_time(dial);
    struct kymo_record record;
    struct tick tick;
    uint64_t first;
    int error = kymo_series_as_of(dial->reader, time, &tick, sizeof(tick), &record);

    if (error == -EDOM && time_at(dial, 0, head, &first) && first <= time)
        soak_blame("%s: as of %llu no record, although %llu exists", dial->name,
                   (unsigned long long)time, (unsigned long long)first);
    if (error)
        return error;
    check_tick(dial->name, &record, &tick);
    check_as_of(dial, &record, head, time, time);
    return 0;
}

static int query_closest(struct dial *dial)
{
    const uint64_t head = head_of(dial), time = some_time(dial);
    struct kymo_record record;
    struct tick tick;
    int error =
        kymo_series_closest(dial->reader, time, KYMO_ANY_DISTANCE, &tick, sizeof(tick), &record);

    if (error)
        return error;
    check_tick(dial->name, &record, &tick);
    check_closest(dial, &record, head, time, time);
    return 0;
}

static int query_bracket(struct dial *dial)
{
    const uint64_t head = head_of(dial), time = some_time(dial);
    struct kymo_bracket bracket;
    struct tick before, after;
    int error = kymo_series_bracket(dial->reader, time, &before, &after, sizeof(before), &bracket);

    if (error)
        return error;
    check_tick(dial->name, &bracket.before, &before);
    check_tick(dial->name, &bracket.after, &after);
    check_as_of(dial, &bracket.before, head, time, time);
    if (bracket.after.time < time || !(bracket.alpha >= 0 && bracket.alpha <= 1))
        soak_blame("%s: %llu is not between %llu and %llu", dial->name, (unsigned long long)time,
                   (unsigned long long)bracket.before.time, (unsigned long long)bracket.after.time);
    return 0;
}

static int query_range(struct dial *dial)
{
    const uint64_t head = head_of(dial), from = some_time(dial), to = from + soak_roll(SECOND);
    struct kymo_range range;
    uint64_t time;
    int error = kymo_series_range(dial->reader, from, to, &range);

    if (error)
        return error;
    for (uint64_t end = 0; end < 2 && range.count > 0; end++) {
        if (time_at(dial, range.first + end * (range.count - 1), UINT64_MAX, &time) &&
            (time < from || time > to))
            soak_blame("%s: %llu is not from %llu to %llu", dial->name, (unsigned long long)time,
                       (unsigned long long)from, (unsigned long long)to);
    }
    if (!range.truncated && range.first > 0 && time_at(dial, range.first - 1, head, &time) &&
        time >= from)
        soak_blame("%s: %llu, which is from %llu on, is missing", dial->name,
                   (unsigned long long)time, (unsigned long long)from);
    return 0;
}

static int query_fresh(struct dial *dial)
{
    const uint64_t head = head_of(dial), oldest = some_time(dial);
    struct kymo_record record;
    struct tick tick;
    uint64_t time;
    int error = kymo_series_fresh(dial->reader, oldest, &tick, sizeof(tick), &record);

    if (!error && record.time < oldest)
        soak_blame("%s: %llu is not fresh since %llu", dial->name, (unsigned long long)record.time,
                   (unsigned long long)oldest);
    if (error == -ETIME && time_at(dial, head - 1, head, &time) && time >= oldest)
        soak_blame("%s: %llu is fresh since %llu", dial->name, (unsigned long long)time,
                   (unsigned long long)oldest);
    return error == -ETIME ? 0 : error;
}

static int query_cursor(struct dial *dial)
{
    struct kymo_record record;
    uint64_t missed;
    struct tick tick;
    int error = kymo_cursor_next(&dial->cursor, &tick, sizeof(tick), &record, &missed);

    if (error)
        return error;
    check_tick(dial->name, &record, &tick);
    if (record.time < dial->newest)
        soak_blame("%s: %llu after %llu", dial->name, (unsigned long long)record.time,
                   (unsigned long long)dial->newest);
    dial->newest = record.time;
    return 0;
}

/* ---- waits ---- */

/* A deadline in the future, or rarely in the past. */
static uint64_t some_deadline(uint64_t *wanted)
{
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);

    *wanted = soak_roll(20000000);
    if (soak_roll(8) > 0)
        return now + *wanted;
    return now > SECOND ? now - soak_roll(SECOND) : 0;
}

/* A wait is never early by the deadline's clock, and never late by the machine's. */
static void check_wait(const char *what, int result, uint64_t deadline, uint64_t began,
                       uint64_t wanted)
{
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
    const uint64_t took = clocks_true(CLOCK_MONOTONIC) - began;

    if (result != -ETIMEDOUT && result != -EIDRM)
        soak_blame("%s in vain: %d", what, result);
    if (result == -ETIMEDOUT && now < deadline)
        soak_blame("%s until %llu timed out at %llu", what, (unsigned long long)deadline,
                   (unsigned long long)now);
    if (took > wanted + TOO_LATE)
        soak_blame("%s for %llu ns took %llu", what, (unsigned long long)wanted,
                   (unsigned long long)took);
}

static int wait_in_vain(struct dial *dial)
{
    const uint64_t began = clocks_true(CLOCK_MONOTONIC);
    uint64_t wanted;
    const uint64_t deadline = some_deadline(&wanted);
    int result = kymo_ring_wait(dial->reader, UINT64_MAX, deadline);

    check_wait("a wait", result, deadline, began, wanted);
    return result;
}

static void wait_any_in_vain(const struct dial dials[SOAK_CLOCKS])
{
    const uint64_t never[SOAK_CLOCKS] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    const uint64_t began = clocks_true(CLOCK_MONOTONIC);
    const struct kymo_reader *readers[SOAK_CLOCKS];
    uint64_t wanted;
    const uint64_t deadline = some_deadline(&wanted);

    for (int i = 0; i < SOAK_CLOCKS; i++)
        readers[i] = dials[i].reader;
    check_wait("a wait for any of two rings",
               kymo_ring_wait_any(readers, never, SOAK_CLOCKS, deadline), deadline, began, wanted);
}

static void pin_in_vain(struct kymo_loader *loader)
{
    const uint64_t began = clocks_true(CLOCK_MONOTONIC);
    struct kymo_snapshot snapshot;
    uint64_t wanted;
    const uint64_t deadline = some_deadline(&wanted);
    int result = kymo_loader_pin_wait(loader, UINT64_MAX, deadline, &snapshot);

    /* The loader's thread may load repeatedly during a pin. */
    if (result != -EAGAIN)
        check_wait("a wait for a load", result, deadline, began, wanted);
}

/* A writer that has just published is ALIVE and not STALLED, for any steps of the clocks; it is never DEAD. */
static int query_liveness(struct dial *dial)
{
    const uint64_t head = head_of(dial), began = clocks_true(CLOCK_MONOTONIC);
    const uint32_t steps = clocks_steps();
    int alive;

    if (kymo_ring_wait(dial->reader, head, kymo_clock_now(KYMO_MONOTONIC) + 3000000) != 0)
        return 0;
    alive = kymo_segment_liveness(dial->reader->segment, TOO_LATE);
    if (alive == KYMO_LIVE_DEAD || alive == KYMO_LIVE_UNKNOWN)
        soak_blame("%s: its writer is %s", dial->name, kymo_liveness_text(alive));
    if (alive == KYMO_LIVE_STALLED && clocks_held(steps) &&
        clocks_true(CLOCK_MONOTONIC) - began < TOO_LATE)
        soak_blame("%s: STALLED although it has just published", dial->name);
    return alive == -EIDRM ? -EIDRM : 0;
}

static int (*const questions[])(struct dial *dial) = {
    query_as_of,  query_closest, query_bracket, query_range,  query_fresh,
    query_cursor, query_cursor,  query_cursor,  wait_in_vain, query_liveness,
};

static int query_dial(struct dial *dial)
{
    const uint64_t number = soak_roll(sizeof(questions) / sizeof(questions[0]));
    const int error = questions[number](dial);

    soak_count(&soak->reads[READ_BY_THE_CLOCK]);
    if (!soak_is_allowed(error))
        soak_blame("%s: question %llu: %d", dial->name, (unsigned long long)number, error);
    return error;
}

int soak_read_clocks(void *context)
{
    struct dial dials[SOAK_CLOCKS] = {{.reader = NULL}};
    struct kymo_loader *loader = NULL;

    soak_begin(context);
    for (uint64_t i = 0; i < SOAK_CLOCKS; i++) {
        if (open_dial(&dials[i], i) != 0)
            return 0;
    }
    while (kymo_loader_open(&loader, "clock0", 0) != 0 && !soak_shall_end)
        soak_sleep(1000000);
    while (!soak_shall_end) {
        const uint64_t number = soak_roll(SOAK_CLOCKS);

        if (soak_roll(32) == 0)
            wait_any_in_vain(dials);
        if (soak_roll(32) == 0)
            pin_in_vain(loader);
        if (query_dial(&dials[number]) != -EIDRM)
            continue;
        kymo_reader_close(dials[number].reader);
        if (open_dial(&dials[number], number) != 0)
            break;
    }
    kymo_loader_close(loader);
    for (int i = 0; i < SOAK_CLOCKS; i++)
        kymo_reader_close(dials[i].reader);
    return 0;
}

/* ---- through the mount, and by the command line ---- */

/* A query, its time, and its result. */
struct inquiry {
    struct dial dial;
    uint64_t head;      /* before it */
    uint64_t low, high; /* the segment's clock before it and after it */
    int held;           /* no clock stepped in between */
    int error;          /* negative; -EIO: unknown error */
    char text[8192];
    struct kymo_record record; /* what the text says */
};

struct manner {
    const char *path;      /* below the mount, with %s for the segment */
    const char *option[2]; /* of kymo get; none: of kymo info */
    void (*check)(const struct inquiry *inquiry);
};

static void check_then(const struct inquiry *inquiry)
{
    check_as_of(&inquiry->dial, &inquiry->record, inquiry->head, inquiry->low - 2 * SECOND,
                inquiry->high - 2 * SECOND);
}

static void check_now(const struct inquiry *inquiry)
{
    check_as_of(&inquiry->dial, &inquiry->record, inquiry->head, inquiry->low, inquiry->high);
}

static void check_closest_to_now(const struct inquiry *inquiry)
{
    check_closest(&inquiry->dial, &inquiry->record, inquiry->head, inquiry->low, inquiry->high);
}

static void check_freshness(const struct inquiry *inquiry)
{
    if (inquiry->record.time < inquiry->low - SECOND ||
        inquiry->record.time > inquiry->high + SECOND)
        soak_blame("%s: %llu is fresh at %llu", inquiry->dial.name,
                   (unsigned long long)inquiry->record.time, (unsigned long long)inquiry->low);
}

static void check_newest(const struct inquiry *inquiry)
{
    if (inquiry->record.pos + 1 < inquiry->head)
        soak_blame("%s: %llu is the newest of %llu", inquiry->dial.name,
                   (unsigned long long)inquiry->record.pos, (unsigned long long)inquiry->head);
}

static const struct manner manners[] = {
    {"at/-2s/%s/latest", {"--as-of", "-2s"}, check_then},
    {"at/now/%s/latest", {"--as-of", "now"}, check_now},
    {"%s/closest?t=now", {"--closest", "now"}, check_closest_to_now},
    {"%s/fresh?max_age=1s", {"--fresh", "1s"}, check_freshness},
    {"%s/latest", {"--back", "0"}, check_newest},
    {"%s/info", {NULL, NULL}, NULL},
};
#define MANNERS (sizeof(manners) / sizeof(manners[0]))

/* The file's content, or the negative errno. */
static int read_path(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, size - 1) : -1;
    int error = len >= 0 ? 0 : -errno;

    if (fd >= 0)
        close(fd);
    text[len >= 0 ? len : 0] = '\0';
    return error;
}

/* Reads the program's output; -EIO if it fails. */
static int read_program(const char *const arguments[], char *text, size_t size)
{
    size_t len = 0;
    ssize_t got;
    int ends[2], status;
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -EIO;
    child = fork();
    if (child == 0) {
        const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

        dup2(ends[1], STDOUT_FILENO);
        dup2(nothing, STDERR_FILENO);
        clocks_for_exec();
        execv(soak_kymo, (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    close(ends[1]);
    while ((got = read(ends[0], text + len, size - 1 - len)) != 0) {
        if (got < 0 && errno != EINTR)
            break;
        len += got > 0 ? (size_t)got : 0;
    }
    text[len] = '\0';
    close(ends[0]);
    status = child > 0 ? process_wait(child) : 1;
    if (status != 0 && status != 1)
        soak_blame("kymo %s %s ended with %d", arguments[1], arguments[2], status);
    return status == 0 ? 0 : -EIO;
}

static void inquire(struct inquiry *inquiry, const struct manner *manner, int by_program)
{
    const char *const get[] = {
        "kymo", "get", inquiry->dial.name, manner->option[0], manner->option[1], NULL};
    const char *const info[] = {"kymo", "info", inquiry->dial.name, NULL};
    const uint32_t steps = clocks_steps();
    char below[64], path[512];

    inquiry->head = head_of(&inquiry->dial);
    inquiry->low = kymo_clock_now(inquiry->dial.clock);
    if (by_program) {
        inquiry->error =
            read_program(manner->option[0] ? get : info, inquiry->text, sizeof(inquiry->text));
    } else {
        snprintf(below, sizeof(below), manner->path, inquiry->dial.name);
        snprintf(path, sizeof(path), "%s/%s", soak_mount, below);
        inquiry->error = read_path(path, inquiry->text, sizeof(inquiry->text));
    }
    inquiry->high = kymo_clock_now(inquiry->dial.clock);
    inquiry->held = clocks_held(steps);
}

/* a - b; times of a test are far from the ends of 64 bits. */
static double difference(uint64_t a, uint64_t b)
{
    return a >= b ? (double)(a - b) : -(double)(b - a);
}

/* The age is that of a record which was the newest during the query; negative if the clock was set
 * back before its time. It is printed with ten digits. */
static void check_info(const struct inquiry *inquiry)
{
    const char *at = strstr(inquiry->text, "\nage_seconds: ");
    const char *writer = strstr(inquiry->text, "\nwriter: ");
    uint64_t before, after;
    double seconds, age, slack;

    if (!writer || strncmp(writer, "\nwriter: DEAD", 13) == 0 || !at)
        soak_blame("%s: info: %.80s", inquiry->dial.name, writer ? writer : inquiry->text);
    if (!at || !inquiry->held || kymo_ring_retired(&inquiry->dial.reader->ring) ||
        sscanf(at, "\nage_seconds: %lf", &seconds) != 1)
        return;
    age = seconds * 1e9;
    slack = (age < 0 ? -age : age) / 1e8 + 1000;
    if (time_at(&inquiry->dial, inquiry->head - 1, inquiry->head, &before) &&
        age > difference(inquiry->high, before) + slack)
        soak_blame("%s: an age of %.0f ns at %llu, but a time of %llu", inquiry->dial.name, age,
                   (unsigned long long)inquiry->high, (unsigned long long)before);
    if (time_at(&inquiry->dial, head_of(&inquiry->dial) - 1, UINT64_MAX, &after) &&
        age + slack < difference(inquiry->low, after))
        soak_blame("%s: an age of %.0f ns at %llu, but a time of %llu", inquiry->dial.name, age,
                   (unsigned long long)inquiry->low, (unsigned long long)after);
}

/* The generation may have been replaced before the result, which is then of the next one. */
static int is_of_dial(const struct inquiry *inquiry, const struct tick *tick)
{
    struct kymo_record record;
    struct tick ours;

    return kymo_ring_latest(inquiry->dial.reader, &ours, sizeof(ours), &record) == 0 &&
           ours.generation == tick->generation;
}

static void check_answer(struct inquiry *inquiry, const struct manner *manner)
{
    struct tick tick;

    if (!soak_parse_line(inquiry->text, &inquiry->record, &tick, sizeof(tick))) {
        soak_blame("%s, %s: %.80s", inquiry->dial.name, manner->path, inquiry->text);
        return;
    }
    check_tick(inquiry->dial.name, &inquiry->record, &tick);
    if (inquiry->held && is_of_dial(inquiry, &tick))
        manner->check(inquiry);
}

/* Expected errors: no record yet, overwritten, not fresh, or no segment. */
static void check_refusal(const struct inquiry *inquiry, const struct manner *manner)
{
    uint64_t time;

    switch (inquiry->error) {
    case -ETIME:
        if (inquiry->held && time_at(&inquiry->dial, inquiry->head - 1, inquiry->head, &time) &&
            time >= inquiry->high - SECOND && time <= inquiry->low + SECOND &&
            !kymo_ring_retired(&inquiry->dial.reader->ring))
            soak_blame("%s: %llu is not fresh at %llu", inquiry->dial.name,
                       (unsigned long long)time, (unsigned long long)inquiry->high);
        return;
    case -ENOENT:
    case -ENODATA:
    case -EDOM:
    case -EAGAIN:
    case -EIO:
    case -ENOTCONN:
    case -ECONNABORTED:
        return;
    default:
        soak_blame("%s: %s: %d", inquiry->dial.name, manner->path, inquiry->error);
    }
}

/* A program takes a hundred times as long as a file. */
int soak_query_clocks(void *context)
{
    soak_begin(context);
    while (!soak_shall_end) {
        const struct manner *manner = &manners[soak_roll(MANNERS)];
        struct inquiry inquiry;

        if (open_dial(&inquiry.dial, soak_roll(SOAK_CLOCKS)) != 0)
            break;
        inquire(&inquiry, manner, soak_kymo && soak_roll(16) == 0);
        if (inquiry.error)
            check_refusal(&inquiry, manner);
        else if (!manner->check)
            check_info(&inquiry);
        else
            check_answer(&inquiry, manner);
        if (!inquiry.error)
            soak_count(&soak->reads[inquiry.held ? READ_OF_NOW : READ_THROUGH_MOUNT]);
        kymo_reader_close(inquiry.dial.reader);
        soak_sleep(soak_roll(500000));
    }
    return 0;
}
