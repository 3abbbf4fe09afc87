/*
 * dead.c - dead at every instruction: whatever a process does to a segment, it may be killed
 * between any two machine instructions of it, and nothing is lost but the record that it was about
 * (promise C), no name leads to anything unfinished (I), and the kernel tells of the death (H).
 *
 * Each operation is walked through one instruction at a time. Whenever the segment's bytes or the
 * directory's names have changed, a copy of them is laid out, which is what a SIGKILL there would
 * leave, and everything that can be asked of it is asked (survived.h). What a copy does not have,
 * locks, lives and sleepers, is for real kills: at each test point, and at steps all along the way.
 */
#include "walk.h"

/* ---- calls ---- */

static const struct kymo_options *next_of(const struct operation *operation)
{
    return operation->fate == COMES || operation->fate == REPLACED ? operation->next
                                                                   : operation->options;
}

static int open_writer(struct stage *stage)
{
    return kymo_writer_open(&stage->writer, NAME, next_of(stage->operation));
}

static int open_consumer_end(struct stage *stage)
{
    return kymo_consumer_open(&stage->consumer, NAME);
}

static int publish(struct stage *stage)
{
    return put(stage->writer, next_of(stage->operation), stage->pos);
}

static int commit(struct stage *stage)
{
    return put_in_place(stage->writer, next_of(stage->operation), stage->pos);
}

/* Writes into the slot before it gives it back. */
static int give_back(struct stage *stage)
{
    unsigned char payload[SIZE];
    void *loan;
    int error = kymo_ring_loan(stage->writer, &loan);

    if (error)
        return error;
    checked_fill(payload, stage->pos + 1000, SIZE);
    kymo_copy_in(loan, payload, SIZE);
    return kymo_ring_abort(stage->writer);
}

static int publish_too_early(struct stage *stage)
{
    return kymo_ring_publish(stage->writer, "", 0, 0, 0) == -EINVAL ? 0 : 1;
}

static int store(struct stage *stage)
{
    const uint32_t len = checked_len(stage->pos, SIZE);
    unsigned char payload[SIZE];

    checked_fill(payload, stage->pos, len);
    /* A value has no tag; its slot is the ring's. */
    return kymo_ring_publish(stage->writer, payload, len, checked_time(stage->pos),
                             checked_tag(stage->pos));
}

static int push(struct stage *stage)
{
    const uint32_t len = checked_len(stage->pos, SIZE);
    unsigned char payload[SIZE];

    checked_fill(payload, stage->pos, len);
    return kymo_queue_push(stage->writer, payload, len, checked_time(stage->pos),
                           checked_tag(stage->pos), 0);
}

/* The consumer has gone, and left no room. */
static int push_in_vain(struct stage *stage)
{
    return kymo_queue_push(stage->writer, "", 0, UINT64_MAX, 0, 0) == -EPIPE ? 0 : 1;
}

/* Into memory that outlives us. */
static int receive(struct stage *stage)
{
    const uint64_t number = stage->number++;
    struct arena *arena = stage->arena;

    return kymo_queue_receive(stage->consumer, arena->payloads[number], SIZE,
                              &arena->taken[number]);
}

static int pop(struct stage *stage)
{
    const uint64_t number = stage->number++;
    struct arena *arena = stage->arena;

    return kymo_queue_pop(stage->consumer, arena->payloads[number], SIZE, &arena->taken[number], 0);
}

static int receive_two_and_acknowledge(struct stage *stage)
{
    int error = receive(stage);

    error = error ? error : receive(stage);
    if (!error)
        kymo_queue_acknowledge(stage->consumer);
    return error;
}

static int close_writer(struct stage *stage)
{
    kymo_writer_close(stage->writer);
    return 0;
}

static int close_consumer(struct stage *stage)
{
    kymo_consumer_close(stage->consumer);
    return 0;
}

static int remove_own(struct stage *stage)
{
    return kymo_writer_remove(stage->writer);
}

static int remove_by_name(struct stage *stage)
{
    (void)stage;
    return kymo_segment_remove(NAME);
}

static int reap(struct stage *stage)
{
    (void)stage;
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

/* Both without and with somebody asleep, after histories that wrap the ring around in the middle. */
static void perform_after_histories(const struct operation *operation, uint64_t samples)
{
    static const uint64_t histories[] = {0, 2, 7};

    for (int i = PROCESS_SLOWNESS > 1 ? 5 : 0; i < 6; i++) {
        struct operation variant = *operation;

        variant.history = histories[i / 2];
        variant.sleeper = i % 2;
        perform(&variant, samples);
    }
}

/* Both where files can be made without a name, and where they cannot. */
static void perform_with_and_without_tmpfile(const struct operation *operation, uint64_t samples)
{
    struct operation variant = *operation;

    perform(&variant, samples);
    variant.no_tmpfile = 1;
    perform(&variant, samples);
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

Test(dead, publish, .timeout = 200)
{
    static const struct operation usual = {
        .name = "publish",
        .options = &plain,
        .prepare = open_writer,
        .calls = {PUBLISHES(publish),
                  {.run = publish_too_early},
                  PUBLISHES(publish),
                  PUBLISHES(publish),
                  PUBLISHES(publish)},
    };
    static const struct operation clamped = {
        .name = "publish, clamped",
        .options = &clamping,
        .prepare = open_writer,
        .calls = {PUBLISHES(publish), PUBLISHES(publish), PUBLISHES(publish), PUBLISHES(publish)},
    };
    static const struct operation every = {
        .name = "publish once",
        .options = &plain,
        .history = 7,
        .sleeper = 1,
        .prepare = open_writer,
        .calls = {PUBLISHES(publish)},
    };

    begin();
    perform_after_histories(&usual, 6);
    perform_after_histories(&clamped, 3);
    perform(&every, EVERY_STEP);
    end("publish");
}

Test(dead, loan, .timeout = 200)
{
    static const struct operation loan = {
        .name = "loan",
        .options = &plain,
        .prepare = open_writer,
        .calls = {PUBLISHES(commit),
                  {.run = give_back},
                  PUBLISHES(commit),
                  {.run = give_back},
                  PUBLISHES(publish)},
    };

    begin();
    perform_after_histories(&loan, 6);
    end("loan, commit and abort");
}

Test(dead, shared_publish, .timeout = 200)
{
    static const struct operation alone = {
        .name = "shared publish",
        .options = &shared,
        .prepare = open_writer,
        .calls = {PUBLISHES(publish), PUBLISHES(commit), {.run = give_back}, PUBLISHES(publish)},
    };
    static const struct operation beside = {
        .name = "shared publish beside another",
        .options = &shared,
        .company = WITH_WRITER,
        .prepare = open_writer,
        .calls = {PUBLISHES(publish), {.run = give_back}, PUBLISHES(commit)},
    };
    static const struct operation every = {
        .name = "shared publish once beside another",
        .options = &shared,
        .history = 7,
        .company = WITH_WRITER,
        .prepare = open_writer,
        .calls = {PUBLISHES(publish)},
    };

    begin();
    perform_after_histories(&alone, 3);
    perform_after_histories(&beside, 3);
    perform(&every, EVERY_STEP);
    end("shared publish");
}

/* A second death, in taking over from the first, beside a third writer. */
Test(dead, take_over, .timeout = 200)
{
    static const struct operation adopting = {
        .name = "take over, adopt and publish",
        .options = &shared,
        .history = 7,
        .crash = "SLOT_EVEN",
        .crash_late = 1,
        .company = WITH_WRITER,
        .prepare = open_writer,
        .calls = {{.run = publish, .publishes = 2}},
    };

    begin();
    perform(&adopting, 250);
    end("take over");
}

Test(dead, value, .timeout = 200)
{
    static const struct operation storing = {
        .name = "store",
        .options = &value,
        .prepare = open_writer,
        .calls = {PUBLISHES(store), PUBLISHES(store), PUBLISHES(store)},
    };

    begin();
    perform_after_histories(&storing, 6);
    end("value store");
}

Test(dead, push, .timeout = 200)
{
    static const struct operation alone = {
        .name = "push",
        .options = &queue,
        .history = 6,
        .taken = 5,
        .prepare = open_writer,
        .calls = {PUBLISHES(push), PUBLISHES(push), PUBLISHES(push), {.run = push_in_vain}},
    };
    static const struct operation beside = {
        .name = "push beside its consumer",
        .options = &queue,
        .history = 3,
        .taken = 2,
        .sleeper = 1,
        .company = WITH_CONSUMER,
        .prepare = open_writer,
        .calls = {PUBLISHES(push), PUBLISHES(push), PUBLISHES(push)},
    };
    static const struct operation every = {
        .name = "push once beside its consumer",
        .options = &queue,
        .history = 6,
        .taken = 3,
        .company = WITH_CONSUMER,
        .prepare = open_writer,
        .calls = {PUBLISHES(push)},
    };
    static const struct operation one_of_several = {
        .name = "push beside another producer",
        .options = &queue_of_several,
        .history = 6,
        .taken = 3,
        .company = WITH_WRITER,
        .prepare = open_writer,
        .calls = {PUBLISHES(push)},
    };

    begin();
    perform(&alone, 12);
    perform(&beside, 12);
    perform(&every, EVERY_STEP);
    perform(&one_of_several, 100);
    end("queue push");
}

Test(dead, pop, .timeout = 200)
{
    static const struct operation alone = {
        .name = "pop",
        .options = &queue,
        .history = 6,
        .taken = 2,
        .prepare = open_consumer_end,
        .calls = {TAKES(pop, 1), {.run = receive}, TAKES(pop, 2), TAKES(pop, 1)},
    };
    static const struct operation beside = {
        .name = "receive and acknowledge beside its producer",
        .options = &queue,
        .history = 6,
        .taken = 2,
        .sleeper = 1,
        .company = WITH_WRITER,
        .prepare = open_consumer_end,
        .calls = {TAKES(receive_two_and_acknowledge, 2)},
    };
    static const struct operation every = {
        .name = "pop beside another consumer",
        .options = &queue_for_several,
        .history = 6,
        .taken = 2,
        .company = WITH_CONSUMER,
        .prepare = open_consumer_end,
        .calls = {TAKES(pop, 1)},
    };

    begin();
    perform(&alone, 12);
    perform(&beside, EVERY_STEP);
    perform(&every, EVERY_STEP);
    end("queue pop and acknowledge");
}

Test(dead, create, .timeout = 200)
{
    static const struct operation ring = {
        .name = "create",
        .fate = COMES,
        .next = &described,
        .calls = {{.run = open_writer}, PUBLISHES(publish)},
    };
    static const struct operation for_several = {
        .name = "create, shared",
        .fate = COMES,
        .next = &shared,
        .calls = {{.run = open_writer}, PUBLISHES(publish)},
    };
    static const struct operation empty_queue = {
        .name = "create a queue",
        .fate = COMES,
        .next = &queue,
        .calls = {{.run = open_writer}, PUBLISHES(push)},
    };

    begin_long();
    perform_with_and_without_tmpfile(&ring, 8);
    perform_with_and_without_tmpfile(&for_several, 4);
    perform_with_and_without_tmpfile(&empty_queue, 4);
    end("create");
}

Test(dead, replace, .timeout = 200)
{
    static const struct operation same = {
        .name = "replace",
        .options = &plain,
        .next = &again,
        .fate = REPLACED,
        .history = 6,
        .sleeper = 1,
        .calls = {{.run = open_writer}, PUBLISHES(publish)},
    };
    static const struct operation other = {
        .name = "replace by another layout",
        .options = &shared,
        .next = &queue,
        .fate = REPLACED,
        .history = 6,
        .calls = {{.run = open_writer}, PUBLISHES(push)},
    };

    begin_long();
    perform_with_and_without_tmpfile(&same, 8);
    perform_with_and_without_tmpfile(&other, 4);
    end("replace");
}

Test(dead, resume, .timeout = 200)
{
    static const struct operation closed = {
        .name = "resume",
        .options = &plain,
        .history = 6,
        .calls = {{.run = open_writer}, PUBLISHES(publish)},
    };
    static const struct operation whole = {
        .name = "resume and adopt",
        .options = &plain,
        .history = 6,
        .crash = "SLOT_EVEN",
        .sleeper = 1,
        .calls = {PUBLISHES(open_writer), PUBLISHES(publish)},
    };
    static const struct operation torn = {
        .name = "resume behind a torn record",
        .options = &plain,
        .history = 6,
        .crash = "PAYLOAD_COPIED",
        .calls = {{.run = open_writer}, PUBLISHES(publish)},
    };
    static const struct operation locked = {
        .name = "take over and adopt",
        .options = &shared,
        .history = 6,
        .crash = "SLOT_EVEN",
        .sleeper = 1,
        .calls = {PUBLISHES(open_writer), PUBLISHES(publish)},
    };
    static const struct operation producing = {
        .name = "resume a queue and adopt",
        .options = &queue,
        .history = 6,
        .taken = 4,
        .crash = "SLOT_EVEN",
        .calls = {PUBLISHES(open_writer), PUBLISHES(push)},
    };
    static const struct operation consuming = {
        .name = "resume consuming",
        .options = &queue,
        .history = 6,
        .taken = 4,
        .calls = {{.run = open_consumer_end}, TAKES(pop, 1)},
    };

    begin_long();
    perform(&closed, 6);
    perform(&whole, 6);
    perform(&torn, 3);
    perform(&locked, 6);
    perform(&producing, 3);
    perform(&consuming, 6);
    end("resume");
}

Test(dead, close, .timeout = 200)
{
    static const struct operation ring = {
        .name = "close",
        .options = &plain,
        .history = 6,
        .sleeper = 1,
        .prepare = open_writer,
        .calls = {{.run = close_writer, .closes = 1}},
    };
    static const struct operation one_of_several = {
        .name = "close, shared",
        .options = &shared,
        .history = 6,
        .prepare = open_writer,
        .calls = {{.run = close_writer, .closes = 1}},
    };
    static const struct operation consumer = {
        .name = "close the consumer",
        .options = &queue,
        .history = 6,
        .taken = 3,
        .prepare = open_consumer_end,
        .calls = {{.run = receive}, {.run = close_consumer}},
    };

    begin();
    perform(&ring, 8);
    perform(&one_of_several, 8);
    perform(&consumer, 8);
    end("close");
}

Test(dead, remove, .timeout = 200)
{
    static const struct operation by_name = {
        .name = "remove",
        .options = &plain,
        .fate = GOES,
        .history = 6,
        .calls = {{.run = remove_by_name}},
    };
    static const struct operation own = {
        .name = "remove by its writer",
        .options = &plain,
        .fate = GOES,
        .history = 6,
        .sleeper = 1,
        .prepare = open_writer,
        .calls = {{.run = remove_own}},
    };
    static const struct operation dead_one = {
        .name = "reap",
        .options = &queue,
        .fate = GOES,
        .history = 6,
        .taken = 3,
        .crash = "SLOT_ODD",
        .sleeper = 1,
        .calls = {{.run = reap}},
    };

    begin_long();
    perform(&by_name, 8);
    perform(&own, 8);
    perform(&dead_one, 8);
    end("remove");
}
