/*
 * crash_every_instruction.c - a process is killed between any two machine instructions of any
 * operation on a segment: at most the current record is lost (promise C: a crash loses at most one
 * record), no name refers to an unfinished segment (I: complete or absent), and liveness is DEAD (H).
 *
 * Each case is executed by single steps. After each change of the segment's bytes or the directory's
 * names, crash_invariants.h checks a copy, which equals the state after a SIGKILL there. Real kills,
 * at each test point and at sampled steps, show what a copy does not have: locks, liveness, waiters.
 */
#include "crash_stepper.h"

/* ---- calls ---- */

static const struct kymo_options *next_of(const struct crash_case *crash_case)
{
    return crash_case->fate == SEGMENT_CREATED || crash_case->fate == SEGMENT_REPLACED
               ? crash_case->next
               : crash_case->options;
}

static int open_writer(struct victim *victim)
{
    return kymo_writer_open(&victim->writer, NAME, next_of(victim->crash_case));
}

static int open_consumer_handle(struct victim *victim)
{
    return kymo_consumer_open(&victim->consumer, NAME);
}

static int publish(struct victim *victim)
{
    return crash_case_publish(victim->writer, next_of(victim->crash_case), victim->pos);
}

static int commit(struct victim *victim)
{
    return crash_case_commit(victim->writer, next_of(victim->crash_case), victim->pos);
}

/* Writes into the slot before it aborts the loan. */
static int abort_loan(struct victim *victim)
{
    unsigned char payload[SIZE];
    void *loan;
    int error = kymo_ring_loan(victim->writer, &loan);

    if (error)
        return error;
    checked_fill(payload, victim->pos + 1000, SIZE);
    kymo_copy_in(loan, payload, SIZE);
    return kymo_ring_abort(victim->writer);
}

static int publish_too_early(struct victim *victim)
{
    return kymo_ring_publish(victim->writer, "", 0, 0, 0) == -EINVAL ? 0 : 1;
}

static int store(struct victim *victim)
{
    const uint32_t len = checked_len(victim->pos, SIZE);
    unsigned char payload[SIZE];

    checked_fill(payload, victim->pos, len);
    /* kymo_value_store() has no tag; the slot is the same. */
    return kymo_ring_publish(victim->writer, payload, len, checked_time(victim->pos),
                             checked_tag(victim->pos));
}

static int push(struct victim *victim)
{
    const uint32_t len = checked_len(victim->pos, SIZE);
    unsigned char payload[SIZE];

    checked_fill(payload, victim->pos, len);
    return kymo_queue_push(victim->writer, payload, len, checked_time(victim->pos),
                           checked_tag(victim->pos), 0);
}

/* The consumer has ended, and the queue is full. */
static int push_without_consumer(struct victim *victim)
{
    return kymo_queue_push(victim->writer, "", 0, UINT64_MAX, 0, 0) == -EPIPE ? 0 : 1;
}

/* Into memory that survives the victim. */
static int receive(struct victim *victim)
{
    const uint64_t number = victim->number++;
    struct progress *progress = victim->progress;

    return kymo_queue_receive(victim->consumer, progress->payloads[number], SIZE,
                              &progress->taken[number]);
}

static int pop(struct victim *victim)
{
    const uint64_t number = victim->number++;
    struct progress *progress = victim->progress;

    return kymo_queue_pop(victim->consumer, progress->payloads[number], SIZE,
                          &progress->taken[number], 0);
}

static int receive_two_and_acknowledge(struct victim *victim)
{
    int error = receive(victim);

    error = error ? error : receive(victim);
    if (!error)
        kymo_queue_acknowledge(victim->consumer);
    return error;
}

static int close_writer(struct victim *victim)
{
    kymo_writer_close(victim->writer);
    return 0;
}

static int close_consumer(struct victim *victim)
{
    kymo_consumer_close(victim->consumer);
    return 0;
}

static int remove_own(struct victim *victim)
{
    return kymo_writer_remove(victim->writer);
}

static int remove_by_name(struct victim *victim)
{
    (void)victim;
    return kymo_segment_remove(NAME);
}

static int reap(struct victim *victim)
{
    (void)victim;
    return kymo_segment_reap(NAME) == 1 ? 0 : 1;
}

/* ---- operations ---- */

#define PUBLISHES(call)               \
    {                                 \
        .run = (call), .publishes = 1 \
    }
#define TAKES(call, count)              \
    {                                   \
        .run = (call), .takes = (count) \
    }

/* Without and with a waiter, after histories with which the ring wraps in the middle of the calls. */
static void run_after_histories(const struct crash_case *crash_case, uint64_t samples)
{
    static const uint64_t histories[] = {0, 2, 7};

    for (int i = PROCESS_SLOWNESS > 1 ? 5 : 0; i < 6; i++) {
        struct crash_case variant = *crash_case;

        variant.history = histories[i / 2];
        variant.waiter = i % 2;
        crash_run(&variant, samples);
    }
}

/* On a file system with O_TMPFILE, and on one without. */
static void run_with_and_without_tmpfile(const struct crash_case *crash_case, uint64_t samples)
{
    struct crash_case variant = *crash_case;

    crash_run(&variant, samples);
    variant.no_tmpfile = 1;
    crash_run(&variant, samples);
}

static const struct kymo_options plain = {.depth = DEPTH, .size = SIZE, .clock = KYMO_USER};
static const struct kymo_options again = {
    .depth = DEPTH,
    .size = SIZE,
    .clock = KYMO_USER,
    .existing = KYMO_REPLACE,
};
static const struct kymo_field bytes[] = {
    {.name = "bytes", .type = KYMO_U8, .count = SIZE, .dimensions = 1, .shape = {SIZE}},
};
static const struct kymo_schema schema = {bytes, 1, SIZE};
static const struct kymo_options described = {
    .depth = DEPTH,
    .clock = KYMO_USER,
    .schema = &schema,
};
static const struct kymo_options clamping = {
    .depth = DEPTH,
    .size = SIZE,
    .clock = KYMO_USER,
    .time_policy = KYMO_CLAMP,
};
static const struct kymo_options shared = {
    .depth = DEPTH,
    .size = SIZE,
    .clock = KYMO_USER,
    .time_policy = KYMO_CLAMP,
    .flags = KYMO_SHARED_WRITER,
};
static const struct kymo_options value = {.kind = KYMO_VALUE, .size = SIZE, .clock = KYMO_USER};
static const struct kymo_options queue = {
    .kind = KYMO_QUEUE,
    .depth = DEPTH,
    .size = SIZE,
    .clock = KYMO_USER,
};
static const struct kymo_options queue_of_several = {
    .kind = KYMO_QUEUE,
    .depth = DEPTH,
    .size = SIZE,
    .clock = KYMO_USER,
    .flags = KYMO_SHARED_WRITER,
};
static const struct kymo_options queue_for_several = {
    .kind = KYMO_QUEUE,
    .depth = DEPTH,
    .size = SIZE,
    .clock = KYMO_USER,
    .flags = KYMO_SHARED_CONSUMER,
};

Test(crash_every_instruction, publish)
{
    static const struct crash_case usual = {
        .name = "publish",
        .options = &plain,
        .prepare = open_writer,
        .calls = {PUBLISHES(publish),
                  {.run = publish_too_early},
                  PUBLISHES(publish),
                  PUBLISHES(publish),
                  PUBLISHES(publish)},
    };
    static const struct crash_case clamped = {
        .name = "publish, clamped",
        .options = &clamping,
        .prepare = open_writer,
        .calls = {PUBLISHES(publish), PUBLISHES(publish), PUBLISHES(publish), PUBLISHES(publish)},
    };
    static const struct crash_case every = {
        .name = "publish once",
        .options = &plain,
        .history = 7,
        .waiter = 1,
        .prepare = open_writer,
        .calls = {PUBLISHES(publish)},
    };

    crash_begin();
    run_after_histories(&usual, 6);
    run_after_histories(&clamped, 3);
    crash_run(&every, EVERY_STEP);
    crash_end("publish");
}

Test(crash_every_instruction, loan)
{
    static const struct crash_case loan = {
        .name = "loan",
        .options = &plain,
        .prepare = open_writer,
        .calls = {PUBLISHES(commit),
                  {.run = abort_loan},
                  PUBLISHES(commit),
                  {.run = abort_loan},
                  PUBLISHES(publish)},
    };

    crash_begin();
    run_after_histories(&loan, 6);
    crash_end("loan, commit and abort");
}

Test(crash_every_instruction, shared_publish)
{
    static const struct crash_case alone = {
        .name = "shared publish",
        .options = &shared,
        .prepare = open_writer,
        .calls = {PUBLISHES(publish), PUBLISHES(commit), {.run = abort_loan}, PUBLISHES(publish)},
    };
    static const struct crash_case beside = {
        .name = "shared publish beside another",
        .options = &shared,
        .peer = PEER_WRITER,
        .prepare = open_writer,
        .calls = {PUBLISHES(publish), {.run = abort_loan}, PUBLISHES(commit)},
    };
    static const struct crash_case every = {
        .name = "shared publish once beside another",
        .options = &shared,
        .history = 7,
        .peer = PEER_WRITER,
        .prepare = open_writer,
        .calls = {PUBLISHES(publish)},
    };

    crash_begin();
    run_after_histories(&alone, 3);
    run_after_histories(&beside, 3);
    crash_run(&every, EVERY_STEP);
    crash_end("shared publish");
}

/* The victim is killed in taking the lock over from a dead writer, beside a third writer. */
Test(crash_every_instruction, take_over)
{
    static const struct crash_case adopting = {
        .name = "take over, adopt and publish",
        .options = &shared,
        .history = 7,
        .crash = "SLOT_EVEN",
        .crashed_while_open = 1,
        .peer = PEER_WRITER,
        .prepare = open_writer,
        .calls = {{.run = publish, .publishes = 2}},
    };

    crash_begin();
    crash_run(&adopting, 250);
    crash_end("take over");
}

Test(crash_every_instruction, value)
{
    static const struct crash_case storing = {
        .name = "store",
        .options = &value,
        .prepare = open_writer,
        .calls = {PUBLISHES(store), PUBLISHES(store), PUBLISHES(store)},
    };

    crash_begin();
    run_after_histories(&storing, 6);
    crash_end("value store");
}

Test(crash_every_instruction, push)
{
    static const struct crash_case alone = {
        .name = "push",
        .options = &queue,
        .history = 6,
        .taken = 5,
        .prepare = open_writer,
        .calls = {PUBLISHES(push),
                  PUBLISHES(push),
                  PUBLISHES(push),
                  {.run = push_without_consumer}},
    };
    static const struct crash_case beside = {
        .name = "push beside its consumer",
        .options = &queue,
        .history = 3,
        .taken = 2,
        .waiter = 1,
        .peer = PEER_CONSUMER,
        .prepare = open_writer,
        .calls = {PUBLISHES(push), PUBLISHES(push), PUBLISHES(push)},
    };
    static const struct crash_case every = {
        .name = "push once beside its consumer",
        .options = &queue,
        .history = 6,
        .taken = 3,
        .peer = PEER_CONSUMER,
        .prepare = open_writer,
        .calls = {PUBLISHES(push)},
    };
    static const struct crash_case one_of_several = {
        .name = "push beside another producer",
        .options = &queue_of_several,
        .history = 6,
        .taken = 3,
        .peer = PEER_WRITER,
        .prepare = open_writer,
        .calls = {PUBLISHES(push)},
    };

    crash_begin();
    crash_run(&alone, 12);
    crash_run(&beside, 12);
    crash_run(&every, EVERY_STEP);
    crash_run(&one_of_several, 100);
    crash_end("queue push");
}

Test(crash_every_instruction, pop)
{
    static const struct crash_case alone = {
        .name = "pop",
        .options = &queue,
        .history = 6,
        .taken = 2,
        .prepare = open_consumer_handle,
        .calls = {TAKES(pop, 1), {.run = receive}, TAKES(pop, 2), TAKES(pop, 1)},
    };
    static const struct crash_case beside = {
        .name = "receive and acknowledge beside its producer",
        .options = &queue,
        .history = 6,
        .taken = 2,
        .waiter = 1,
        .peer = PEER_WRITER,
        .prepare = open_consumer_handle,
        .calls = {TAKES(receive_two_and_acknowledge, 2)},
    };
    static const struct crash_case every = {
        .name = "pop beside another consumer",
        .options = &queue_for_several,
        .history = 6,
        .taken = 2,
        .peer = PEER_CONSUMER,
        .prepare = open_consumer_handle,
        .calls = {TAKES(pop, 1)},
    };

    crash_begin();
    crash_run(&alone, 12);
    crash_run(&beside, EVERY_STEP);
    crash_run(&every, EVERY_STEP);
    crash_end("queue pop and acknowledge");
}

Test(crash_every_instruction, create)
{
    static const struct crash_case ring = {
        .name = "create",
        .fate = SEGMENT_CREATED,
        .next = &described,
        .calls = {{.run = open_writer}, PUBLISHES(publish)},
    };
    static const struct crash_case for_several = {
        .name = "create, shared",
        .fate = SEGMENT_CREATED,
        .next = &shared,
        .calls = {{.run = open_writer}, PUBLISHES(publish)},
    };
    static const struct crash_case empty_queue = {
        .name = "create a queue",
        .fate = SEGMENT_CREATED,
        .next = &queue,
        .calls = {{.run = open_writer}, PUBLISHES(push)},
    };

    crash_begin_long();
    run_with_and_without_tmpfile(&ring, 8);
    run_with_and_without_tmpfile(&for_several, 4);
    run_with_and_without_tmpfile(&empty_queue, 4);
    crash_end("create");
}

Test(crash_every_instruction, replace)
{
    static const struct crash_case same = {
        .name = "replace",
        .options = &plain,
        .next = &again,
        .fate = SEGMENT_REPLACED,
        .history = 6,
        .waiter = 1,
        .calls = {{.run = open_writer}, PUBLISHES(publish)},
    };
    static const struct crash_case other = {
        .name = "replace by another layout",
        .options = &shared,
        .next = &queue,
        .fate = SEGMENT_REPLACED,
        .history = 6,
        .calls = {{.run = open_writer}, PUBLISHES(push)},
    };

    crash_begin_long();
    run_with_and_without_tmpfile(&same, 8);
    run_with_and_without_tmpfile(&other, 4);
    crash_end("replace");
}

Test(crash_every_instruction, resume)
{
    static const struct crash_case closed = {
        .name = "resume",
        .options = &plain,
        .history = 6,
        .calls = {{.run = open_writer}, PUBLISHES(publish)},
    };
    static const struct crash_case whole = {
        .name = "resume and adopt",
        .options = &plain,
        .history = 6,
        .crash = "SLOT_EVEN",
        .waiter = 1,
        .calls = {PUBLISHES(open_writer), PUBLISHES(publish)},
    };
    static const struct crash_case torn = {
        .name = "resume after a torn record",
        .options = &plain,
        .history = 6,
        .crash = "PAYLOAD_COPIED",
        .calls = {{.run = open_writer}, PUBLISHES(publish)},
    };
    static const struct crash_case locked = {
        .name = "take over and adopt",
        .options = &shared,
        .history = 6,
        .crash = "SLOT_EVEN",
        .waiter = 1,
        .calls = {PUBLISHES(open_writer), PUBLISHES(publish)},
    };
    static const struct crash_case producing = {
        .name = "resume a queue and adopt",
        .options = &queue,
        .history = 6,
        .taken = 4,
        .crash = "SLOT_EVEN",
        .calls = {PUBLISHES(open_writer), PUBLISHES(push)},
    };
    static const struct crash_case consuming = {
        .name = "resume consuming",
        .options = &queue,
        .history = 6,
        .taken = 4,
        .calls = {{.run = open_consumer_handle}, TAKES(pop, 1)},
    };

    crash_begin_long();
    crash_run(&closed, 6);
    crash_run(&whole, 6);
    crash_run(&torn, 3);
    crash_run(&locked, 6);
    crash_run(&producing, 3);
    crash_run(&consuming, 6);
    crash_end("resume");
}

Test(crash_every_instruction, close)
{
    static const struct crash_case ring = {
        .name = "close",
        .options = &plain,
        .history = 6,
        .waiter = 1,
        .prepare = open_writer,
        .calls = {{.run = close_writer, .closes = 1}},
    };
    static const struct crash_case one_of_several = {
        .name = "close, shared",
        .options = &shared,
        .history = 6,
        .prepare = open_writer,
        .calls = {{.run = close_writer, .closes = 1}},
    };
    static const struct crash_case consumer = {
        .name = "close the consumer",
        .options = &queue,
        .history = 6,
        .taken = 3,
        .prepare = open_consumer_handle,
        .calls = {{.run = receive}, {.run = close_consumer}},
    };

    crash_begin();
    crash_run(&ring, 8);
    crash_run(&one_of_several, 8);
    crash_run(&consumer, 8);
    crash_end("close");
}

Test(crash_every_instruction, remove)
{
    static const struct crash_case by_name = {
        .name = "remove",
        .options = &plain,
        .fate = SEGMENT_REMOVED,
        .history = 6,
        .calls = {{.run = remove_by_name}},
    };
    static const struct crash_case own = {
        .name = "remove by its writer",
        .options = &plain,
        .fate = SEGMENT_REMOVED,
        .history = 6,
        .waiter = 1,
        .prepare = open_writer,
        .calls = {{.run = remove_own}},
    };
    static const struct crash_case dead_one = {
        .name = "reap",
        .options = &queue,
        .fate = SEGMENT_REMOVED,
        .history = 6,
        .taken = 6,
        .crash = "SLOT_ODD",
        .waiter = 1,
        .calls = {{.run = reap}},
    };

    crash_begin_long();
    crash_run(&by_name, 8);
    crash_run(&own, 8);
    crash_run(&dead_one, 8);
    crash_end("remove");
}
