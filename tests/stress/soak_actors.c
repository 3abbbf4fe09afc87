/*
 * soak_actors.c - the processes of the soak. Each runs until SIGTERM or a kill.
 */
#include <fcntl.h>
#include <grp.h>

#include "soak.h"

static uint64_t dice;

uint64_t soak_roll(uint64_t sides)
{
    dice = checked_mix(dice + 1);
    return dice % sides;
}

volatile sig_atomic_t soak_shall_end;

static void end(int number)
{
    (void)number;
    soak_shall_end = 1;
}

void soak_begin(const struct soak_actor *actor)
{
    const struct sigaction action = {.sa_handler = end};
    sigset_t term;

    sigaction(SIGTERM, &action, NULL);
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_UNBLOCK, &term, NULL);
    dice = (uint64_t)getpid() * 1000003 + actor->number;
    if (kymo_guard_install() != 0)
        soak_blame("%s: no guard", actor->name);
    if (actor->is_readonly && (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
        soak_blame("%s: setuid failed", actor->name);
}

void soak_sleep(uint64_t ns)
{
    process_sleep((long)ns);
}

static void check_descriptors(const struct soak_actor *actor, size_t before)
{
    const size_t after = soak_descriptors();
    char path[32], target[256];

    if (after <= before)
        return;
    __atomic_fetch_add(&soak->leaked, after - before, __ATOMIC_RELAXED);
    for (int fd = 0; fd < 64; fd++) {
        ssize_t len;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        len = readlink(path, target, sizeof(target) - 1);
        if (len > 0)
            printf("the %s has %d -> %.*s\n", actor->name, fd, (int)len, target);
    }
    fflush(stdout);
}

/* A timed-out wait ended at its deadline or later, on the stepped clock. */
static void check_timeout(const char *name, int error, uint64_t deadline)
{
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);

    if (error == -ETIMEDOUT && now < deadline)
        soak_blame("%s: timed out %llu ns early", name, (unsigned long long)(deadline - now));
}

/* ---- writers ---- */

static struct kymo_options flow_options(struct soak_actor *actor)
{
    struct kymo_options options = {.depth = SOAK_DEPTH << (2 * actor->number),
                                   .size = SOAK_SIZE,
                                   .clock = KYMO_USER};

    if (actor->replaces)
        options.existing = KYMO_REPLACE;
    actor->replaces = 0;
    return options;
}

/* The child cannot publish, and its parent can. */
static void fork_once(struct kymo_writer *writer, void *buffer)
{
    pid_t child = fork();
    int error;

    if (child == 0) {
        error = checked_publish(writer, buffer);
        if (error != -EPERM)
            soak_blame("a forked child published: %d", error);
        _exit(0);
    }
    if (child > 0 && process_wait(child) == 0)
        soak_count(&soak->events[WRITER_FORKED]);
}

static int take_request(uint32_t *requests)
{
    uint32_t wanted = __atomic_load_n(requests, __ATOMIC_RELAXED);

    return wanted > 0 && __atomic_compare_exchange_n(requests, &wanted, wanted - 1, 0,
                                                     __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* Opening may fail with a full file system, or while another writer is being killed. An actor that
 * must end retries as well, since a killed writer's segment must be closed by another writer. */
struct kymo_writer *soak_open_writer(const char *name, const struct kymo_options *options)
{
    struct kymo_writer *writer = NULL;

    for (int tries = 0; tries < 1000 || !soak_shall_end; tries++) {
        int error = kymo_writer_open(&writer, name, options);

        if (!error)
            break;
        if (error != -ENOSPC && error != -EBUSY)
            soak_blame("%s: can't be opened for writing: %d", name, error);
        soak_sleep(1000000);
    }
    return writer;
}

static int write_flow(void *context)
{
    struct soak_actor *actor = context;
    const size_t before = soak_descriptors();
    unsigned char buffer[SOAK_SIZE];
    struct kymo_options options = flow_options(actor);
    struct kymo_writer *writer;
    char name[64];

    soak_begin(actor);
    soak_name(name, sizeof(name), "flow", actor->number);
    writer = soak_open_writer(name, &options);
    while (!soak_shall_end) {
        int error = (soak_roll(2) ? checked_publish : checked_commit)(writer, buffer);

        if (error)
            soak_blame("%s: publish: %d", name, error);
        soak_count(&soak->published);
        if (take_request(&soak->forks_requested))
            fork_once(writer, buffer);
        if (soak_roll(16) == 0)
            soak_sleep(soak_roll(200000));
    }
    kymo_writer_close(writer);
    check_descriptors(actor, before);
    return 0;
}

/* A shared writer's position is known once it has the lock. */
static int publish_shared(struct kymo_writer *writer, unsigned char *buffer)
{
    void *payload;
    uint64_t pos;
    int error = kymo_ring_loan(writer, &payload);

    if (error)
        return error;
    pos = kymo_ring_head(&writer->ring);
    checked_fill(buffer, pos, checked_len(pos, SOAK_SIZE));
    kymo_copy_in(payload, buffer, checked_len(pos, SOAK_SIZE));
    return kymo_ring_commit(writer, checked_len(pos, SOAK_SIZE), checked_time(pos),
                            checked_tag(pos));
}

static int write_shared(void *context)
{
    const struct kymo_options options = {.depth = SOAK_DEPTH,
                                         .size = SOAK_SIZE,
                                         .clock = KYMO_USER,
                                         .flags = KYMO_SHARED_WRITER};
    unsigned char buffer[SOAK_SIZE];
    struct kymo_writer *writer;

    soak_begin(context);
    writer = soak_open_writer("shared", &options);
    while (!soak_shall_end) {
        const uint64_t timeout = kymo_clock_now(KYMO_MONOTONIC) + UINT64_C(1000000000);
        int error = publish_shared(writer, buffer);

        check_timeout("shared", error, timeout);
        /* Another writer may be stopped with the lock held. */
        if (error && error != -ETIMEDOUT)
            soak_blame("shared: publish: %d", error);
        soak_count(&soak->published);
        soak_sleep(soak_roll(100000));
    }
    kymo_writer_close(writer);
    return 0;
}

/* ---- readers ---- */

int soak_is_allowed(int error)
{
    switch (error) {
    case -ENODATA:
    case -ESTALE:
    case -EIDRM:
    case -EAGAIN:
    case -EDOM:
    case -ETIMEDOUT:
        return 1;
    default:
        return error == 0;
    }
}

struct reading_buffers {
    unsigned char one[SOAK_SIZE];
    unsigned char other[SOAK_SIZE];
};

static int ask(struct kymo_reader *reader, const char *name, struct reading_buffers *buffers)
{
    const struct oracle_buffers both = {buffers->one, buffers->other};
    const uint64_t head = kymo_ring_head(&reader->ring);
    const uint64_t back = soak_roll(kymo_ring_depth(&reader->ring) + 2);
    struct oracle_trial trial = {0};

    trial.question.kind = (enum oracle_kind)soak_roll(ORACLE_KINDS);
    trial.question.time = oracle_subject(trial.question.kind, head > back ? head - back : 0,
                                         (int)soak_roll(ORACLE_TIMES));
    trial.question.to = trial.question.time + soak_roll(1000000);
    oracle_try(&trial, reader, &both);
    soak_count(&soak->reads[READ_BY_QUESTION]);
    if ((trial.answer.error == -ENODATA && trial.question.kind != ORACLE_TAG) ||
        trial.answer.error == -EIDRM)
        return trial.answer.error;
    if (oracle_verdict(&trial) < 0) {
        soak_blame("%s: %s: %d, %s", name, oracle_name(trial.question.kind), trial.answer.error,
                   trial.fault ? trial.fault : "whole");
        oracle_describe(&trial);
    }
    return 0;
}

static int read_back(struct kymo_reader *reader, const char *name, struct reading_buffers *buffers)
{
    const uint64_t head = kymo_ring_head(&reader->ring);
    struct kymo_record record;
    int error =
        kymo_ring_back(reader, soak_roll(4) ? 0 : soak_roll(kymo_ring_depth(&reader->ring) - 1),
                       buffers->one, SOAK_SIZE, &record);

    if (!error && checked_fault(&record, buffers->one, SOAK_SIZE))
        soak_blame("%s: record %llu is wrong", name, (unsigned long long)record.pos);
    if (!error && record.pos + kymo_ring_depth(&reader->ring) < head)
        soak_blame("%s: record %llu is older than the ring", name, (unsigned long long)record.pos);
    return error;
}

static int read_on(struct kymo_reader *reader, const char *name, struct reading_buffers *buffers,
                   struct kymo_cursor *cursor)
{
    struct kymo_record record = {0};
    uint64_t missed = 0, next = cursor->next;
    int error = kymo_cursor_next(cursor, buffers->one, SOAK_SIZE, &record, &missed);

    (void)reader;
    if (error)
        return error;
    soak_count(&soak->reads[READ_IN_ORDER]);
    if (record.pos != next + missed || checked_fault(&record, buffers->one, SOAK_SIZE))
        soak_blame("%s: the cursor got %llu after %llu", name, (unsigned long long)record.pos,
                   (unsigned long long)next);
    return 0;
}

/* Reads one generation to its end. */
static void read_generation(const struct soak_actor *actor, const char *name,
                            struct kymo_reader *reader)
{
    struct reading_buffers buffers;
    struct kymo_cursor cursor;
    int error = 0;

    kymo_cursor_oldest(&cursor, reader);
    while (!soak_shall_end && error != -EIDRM) {
        switch (soak_roll(8)) {
        case 0:
            error = kymo_ring_wait(reader, kymo_ring_head(&reader->ring),
                                   kymo_clock_now(KYMO_MONOTONIC) + soak_roll(3000000));
            break;
        case 1:
        case 2:
            error = read_on(reader, name, &buffers, &cursor);
            break;
        case 3:
        case 4:
            error = ask(reader, name, &buffers);
            break;
        default:
            error = read_back(reader, name, &buffers);
            soak_count(&soak->reads[actor->is_readonly ? READ_BY_GUEST : READ_BY_OWNER]);
        }
        if (!soak_is_allowed(error))
            soak_blame("%s: %s read: %d", name, actor->is_readonly ? "a read-only" : "a", error);
    }
}

static int read_flow(void *context)
{
    struct soak_actor *actor = context;
    const size_t before = soak_descriptors();
    struct kymo_reader *reader;
    char name[64];
    int error;

    soak_begin(actor);
    while (!soak_shall_end) {
        if (soak_roll(4) == 0)
            snprintf(name, sizeof(name), "shared");
        else
            soak_name(name, sizeof(name), "flow", soak_roll(SOAK_FLOWS));
        error = kymo_reader_open(&reader, name);
        /* An existing name stays present (promise I). That of a killed replacer is reopened. */
        if (error && error != -EIDRM)
            soak_blame("%s: can't be opened for reading: %d", name, error);
        if (error)
            soak_sleep(1000000);
        else
            read_generation(actor, name, reader);
        if (!error)
            kymo_reader_close(reader);
    }
    check_descriptors(actor, before);
    return 0;
}

/* Victims are truncated and corrupted: any result is allowed. */
static int read_victims(void *context)
{
    unsigned char one[4096], other[4096];
    const struct oracle_buffers buffers = {one, other};
    struct kymo_reader *reader;
    struct kymo_record record;
    char name[64];

    soak_begin(context);
    while (!soak_shall_end) {
        soak_name(name, sizeof(name), "victim", soak_roll(SOAK_VICTIMS));
        if (kymo_reader_open(&reader, name) != 0) {
            soak_sleep(500000);
            continue;
        }
        for (int i = 0; i < 50 && reader->ring.size <= sizeof(one); i++) {
            struct oracle_trial trial = {.question = {(enum oracle_kind)soak_roll(ORACLE_KINDS),
                                                      oracle_time(soak_roll(100), 0), UINT64_MAX}};

            kymo_ring_back(reader, soak_roll(100), one, sizeof(one), &record);
            oracle_try(&trial, reader, &buffers);
            kymo_segment_liveness(reader->segment, 1);
            soak_count(&soak->reads[READ_OF_VICTIMS]);
        }
        kymo_reader_close(reader);
    }
    return 0;
}

/* ---- the queue ---- */

static int produce(void *context)
{
    const struct kymo_options options = {.kind = KYMO_QUEUE,
                                         .depth = 16,
                                         .size = SOAK_SIZE,
                                         .clock = KYMO_USER};
    unsigned char buffer[SOAK_SIZE];
    struct kymo_writer *writer;

    soak_begin(context);
    writer = soak_open_writer("queue", &options);
    while (!soak_shall_end) {
        const uint64_t pos = writer->pos;
        const uint32_t len = checked_len(pos, SOAK_SIZE);
        const uint64_t deadline = kymo_clock_now(KYMO_MONOTONIC) + 1000000;
        int error;

        checked_fill(buffer, pos, len);
        error = kymo_queue_push(writer, buffer, len, checked_time(pos), checked_tag(pos), deadline);
        check_timeout("queue, push", error, deadline);
        if (error && error != -ETIMEDOUT && error != -EPIPE)
            soak_blame("queue: push: %d", error);
        soak_count(&soak->published);
        if (soak_roll(8) == 0)
            soak_sleep(soak_roll(100000));
    }
    kymo_writer_close(writer);
    return 0;
}

/* A consumer may be killed between an acknowledgement and its count: then the next record is one
 * further. */
static void check_consumed(const struct kymo_record *record, const void *payload)
{
    const uint64_t counted = soak->consumed;

    soak_count(&soak->reads[READ_FROM_QUEUE]);
    if (checked_fault(record, payload, SOAK_SIZE))
        soak_blame("queue: record %llu is wrong", (unsigned long long)record->pos);
    if (record->pos != counted && record->pos != counted + 1)
        soak_blame("queue: record %llu after %llu consumed ones", (unsigned long long)record->pos,
                   (unsigned long long)counted);
}

static int consume(void *context)
{
    struct kymo_consumer *consumer = NULL;
    unsigned char buffer[SOAK_SIZE];
    struct kymo_record record;
    int error;

    soak_begin(context);
    while (!soak_shall_end && kymo_consumer_open(&consumer, "queue") != 0)
        soak_sleep(1000000);
    while (!soak_shall_end) {
        const uint64_t deadline = kymo_clock_now(KYMO_MONOTONIC) + 10000000;

        error = kymo_queue_wait(consumer, deadline);
        check_timeout("queue, wait", error, deadline);
        if (!error)
            error = kymo_queue_receive(consumer, buffer, sizeof(buffer), &record);
        if (error == -ETIMEDOUT || error == -EPIPE || error == -ENODATA)
            continue;
        if (error) {
            soak_blame("queue: receive: %d", error);
            continue;
        }
        check_consumed(&record, buffer);
        kymo_queue_acknowledge(consumer);
        soak->consumed = record.pos + 1;
    }
    kymo_consumer_close(consumer);
    return 0;
}

/* ---- the mount ---- */

static int digit_of(char letter)
{
    return letter <= '9' ? letter - '0' : letter - 'a' + 10;
}

/* {"pos":12,"time":3,"tag":4,"data":"00ff..."} */
int soak_parse_line(const char *line, struct kymo_record *record, void *payload, size_t size)
{
    unsigned char *byte = payload;
    unsigned long long pos, time, tag;
    const char *data = strstr(line, "\"data\":\"");
    const char *behind = strstr(line, "\"tag\":");

    /* Between the time and the tag there may be a date. */
    if (!data || !behind || sscanf(line, "{\"pos\":%llu,\"time\":%llu,", &pos, &time) != 2 ||
        sscanf(behind, "\"tag\":%llu", &tag) != 1)
        return 0;
    *record = (struct kymo_record){.pos = pos, .time = time, .tag = tag};
    for (data += 8; data[0] && data[0] != '"' && record->len < size; data += 2) {
        *byte++ = (unsigned char)(digit_of(data[0]) * 16 + digit_of(data[1]));
        record->len++;
    }
    return 1;
}

static void check_line(const char *name, const char *line)
{
    unsigned char payload[SOAK_SIZE];
    struct kymo_record record;

    if (!soak_parse_line(line, &record, payload, sizeof(payload)))
        soak_blame("%s through the mount: %.80s", name, line);
    else if (checked_fault(&record, payload, SOAK_SIZE))
        soak_blame("%s through the mount: record %llu is wrong", name,
                   (unsigned long long)record.pos);
}

static void read_file(const char *name)
{
    static const char *const files[] = {"latest", "history/3", "closest?t=1000000", "info"};
    const char *file = files[soak_roll(sizeof(files) / sizeof(files[0]))];
    char path[512], line[8192];
    ssize_t len = -1;
    int fd;

    snprintf(path, sizeof(path), "%s/%s/%s", soak_mount, name, file);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    len = read(fd, line, sizeof(line) - 1);
    close(fd);
    /* A killed daemon does not reply. */
    if (len < 0)
        return;
    line[len] = '\0';
    soak_count(&soak->reads[READ_THROUGH_MOUNT]);
    if (strcmp(file, "info") != 0)
        check_line(name, line);
}

static int read_mount(void *context)
{
    struct soak_actor *actor = context;
    const size_t before = soak_descriptors();
    char name[64];

    soak_begin(actor);
    while (!soak_shall_end) {
        soak_name(name, sizeof(name), "flow", soak_roll(SOAK_FLOWS));
        read_file(name);
        soak_sleep(soak_roll(200000));
    }
    check_descriptors(actor, before);
    return 0;
}

struct soak_actor soak_actors[] = {
    {.name = "writer", .run = write_flow, .number = 0, .death = WRITER_KILLED},
    {.name = "writer", .run = write_flow, .number = 1, .death = WRITER_KILLED},
    {.name = "writer", .run = write_flow, .number = 2, .death = WRITER_KILLED},
    {.name = "shared writer", .run = write_shared, .number = 0, .death = SHARED_WRITER_KILLED},
    {.name = "shared writer", .run = write_shared, .number = 1, .death = SHARED_WRITER_KILLED},
    {.name = "clocks' writer", .run = soak_write_clocks, .death = SOAK_EVENTS},
    {.name = "producer", .run = produce, .death = PRODUCER_KILLED},
    {.name = "consumer", .run = consume, .death = CONSUMER_KILLED},
    {.name = "owner", .run = read_flow, .death = READER_KILLED},
    {.name = "readonly_reader", .run = read_flow, .is_readonly = 1, .death = READER_KILLED},
    {.name = "clocks' reader", .run = soak_read_clocks, .number = 0, .death = SOAK_EVENTS},
    {.name = "clocks' readonly_reader",
     .run = soak_read_clocks,
     .number = 1,
     .is_readonly = 1,
     .death = SOAK_EVENTS},
    {.name = "victims' reader", .run = read_victims, .death = SOAK_EVENTS},
    {.name = "mount's reader", .run = read_mount, .needs_mount = 1, .death = READER_KILLED},
    {.name = "clock queries", .run = soak_query_clocks, .needs_mount = 1, .death = READER_KILLED},
};
const size_t soak_actor_count = sizeof(soak_actors) / sizeof(soak_actors[0]);
