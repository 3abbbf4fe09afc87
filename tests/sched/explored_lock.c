/*
 * explored_lock.c - several writers of one segment: no position is used twice or skipped, and each waiter for the lock is woken.
 */
#include "explored.h"

#define NAME "explored"

static struct kymo_writer *writers[EXPLORE_THREADS], fresh[EXPLORE_THREADS];
static uint64_t acknowledged; /* records whose publish by the first writer has returned */

/* The number of threads, plus 1 if a writer has crashed before. */
static int writer_count(const struct explore_scenario *scenario)
{
    int count = scenario->crashed_before;

    while (count < EXPLORE_THREADS && scenario->body[count - scenario->crashed_before])
        count++;
    return count;
}

static void open_segment(const struct explore_scenario *scenario)
{
    const struct kymo_options options = {.depth = scenario->depth,
                                         .size = 8,
                                         .flags = KYMO_SHARED_WRITER};

    for (int i = 0; i < writer_count(scenario); i++) {
        if (kymo_writer_open(&writers[i], NAME, &options) != 0)
            explore_fail("no writer");
        kymo_writer_set_lock_timeout(writers[i], KYMO_FOREVER);
        fresh[i] = *writers[i];
        if (i == 0) {
            explored_share_ring(&writers[0]->ring, writers[0]->bell);
            continue;
        }
        explored_share_again(&writers[i]->ring, &writers[0]->ring);
        explore_alias(writers[i]->bell, writers[0]->bell);
    }
}

static void reset(const struct explore_scenario *scenario)
{
    for (int i = 0; i < writer_count(scenario); i++)
        *writers[i] = fresh[i];
    acknowledged = 0;
}

static void close_segment(const struct explore_scenario *scenario)
{
    reset(scenario);
    for (int i = 1; i < writer_count(scenario); i++)
        kymo_writer_close(writers[i]);
    kymo_writer_remove(writers[0]);
}

static void publish(const struct explore_scenario *scenario, int number)
{
    for (uint64_t i = 0; i < scenario->records; i++) {
        const uint64_t tag = (uint64_t)number * 100 + i + 1;
        const int error = kymo_ring_publish(writers[number], &tag, 8, 1, tag);

        if (error)
            explore_fail("publish: error %d", error);
        acknowledged += number == 0;
    }
}

static void publish_first(const struct explore_scenario *scenario)
{
    publish(scenario, 0);
}

static void publish_second(const struct explore_scenario *scenario)
{
    publish(scenario, 1);
}

static void publish_third(const struct explore_scenario *scenario)
{
    publish(scenario, 2);
}

/* ---- owners that crash ---- */

/* Each writer holds a lock slot until it closes its descriptor or crashes. */
static void hold_slots(const struct explore_scenario *scenario)
{
    explored_kernel_begin();
    explored_kernel_free(KYMO_LOCK_SLOT_CLAIM);
    for (int i = 0; i < writer_count(scenario); i++) {
        const struct kymo_lock_slot *slot = &writers[i]->segment->lock_slot;

        explored_kernel_know(slot->fd);
        explored_kernel_lock(slot->first + slot->number, slot->fd, 1);
    }
}

static void open_with_locks(const struct explore_scenario *scenario)
{
    open_segment(scenario);
    hold_slots(scenario);
}

/* The first writer has crashed with the lock held: in its record, or before it stored head. */
static void open_after_crash(const struct explore_scenario *scenario)
{
    const struct kymo_ring *ring;
    struct kymo_slot *slot;
    void *payload;

    open_segment(scenario);
    ring = &writers[0]->ring;
    if (kymo_ring_loan(writers[0], &payload) != 0)
        explore_fail("no loan");
    if (scenario->history) {
        slot = kymo_impl_ring_slot(ring, 0);
        *(uint64_t *)payload = slot->tag = 1;
        slot->time = ring->times[0] = 1;
        slot->len = 8;
        kymo_impl_slot_write_end(slot, 0);
    }
    hold_slots(scenario);
    explored_kernel_free(writers[0]->segment->lock_slot.first +
                         writers[0]->segment->lock_slot.number);
}

static void close_with_locks(const struct explore_scenario *scenario)
{
    explored_kernel_end();
    writers[0]->ring.control->lock = 0;
    close_segment(scenario);
}

static void release_lock(const struct explore_scenario *scenario)
{
    (void)scenario;
    explored_kernel_close(writers[0]->segment->fd);
}

static int is_right(const struct explore_scenario *scenario, int number, uint64_t found)
{
    if (number > 0)
        return found == scenario->records;
    if (scenario->crashed_before)
        return found == scenario->history;
    return found >= acknowledged && found <= scenario->records;
}

/* Each record whose publish returned exists once; the crashed writer's last record is complete or absent. */
static const char *finish_after_crash(const struct explore_scenario *scenario)
{
    const struct kymo_ring *ring = &writers[0]->ring;
    const uint64_t count = explore_newest(&ring->control->head);
    const uint64_t lock = explore_newest(&ring->control->lock) & ~KYMO_LOCK_WAITING;
    uint64_t found[EXPLORE_THREADS] = {0};

    for (uint64_t pos = 0; pos < count; pos++) {
        const struct kymo_slot *slot = kymo_impl_ring_slot(ring, pos);
        const uint64_t tag = explore_newest(&slot->tag);

        if (explore_newest(&slot->seq) != kymo_impl_seq_complete(pos))
            return "an incomplete record counts";
        if (tag / 100 >= EXPLORE_THREADS || tag % 100 != ++found[tag / 100] ||
            explore_newest(kymo_impl_slot_payload_const(slot)) != tag)
            return "a record was overwritten";
    }
    for (int i = 0; i < writer_count(scenario); i++)
        if (!is_right(scenario, i, found[i]))
            return "a record was lost";
    return lock == 0 || lock == writers[0]->segment->lock_slot.number + 1
               ? NULL
               : "the lock is still held";
}

/* The lock alone, and data that it protects. */
static uint64_t guarded;

static void open_lock(const struct explore_scenario *scenario)
{
    open_segment(scenario);
    explore_share(&guarded, sizeof(guarded));
}

static void count(const struct explore_scenario *scenario, int number)
{
    const struct kymo_lock_slot *slot = &writers[number]->segment->lock_slot;

    for (uint64_t i = 0; i < scenario->records; i++) {
        if (kymo_robust_lock(slot, KYMO_FOREVER) != 0)
            explore_fail("not locked");
        explore_plain_write(&guarded, explore_plain_read(&guarded) + 1);
        kymo_robust_unlock(slot);
    }
}

static void count_first(const struct explore_scenario *scenario)
{
    count(scenario, 0);
}

static void count_second(const struct explore_scenario *scenario)
{
    count(scenario, 1);
}

static void count_third(const struct explore_scenario *scenario)
{
    count(scenario, 2);
}

static const char *finish_count(const struct explore_scenario *scenario)
{
    if (explore_newest(&guarded) != scenario->records * (uint64_t)writer_count(scenario))
        return "two threads held the lock at once";
    return explore_newest(&writers[0]->ring.control->lock) == 0 ? NULL : "the lock is still held";
}

/* Every writer's records exist once, in the order of its calls. */
static const char *finish(const struct explore_scenario *scenario)
{
    const struct kymo_ring *ring = &writers[0]->ring;
    const uint64_t count = scenario->records * (uint64_t)writer_count(scenario);
    uint64_t next[EXPLORE_THREADS] = {0};

    if (explore_newest(&ring->control->head) != count)
        return "a record was lost";
    for (uint64_t pos = 0; pos < count; pos++) {
        const struct kymo_slot *slot = kymo_impl_ring_slot(ring, pos);
        const uint64_t tag = explore_newest(&slot->tag);
        const uint64_t number = tag / 100;

        if (number >= EXPLORE_THREADS || tag % 100 != ++next[number] ||
            explore_newest(kymo_impl_slot_payload_const(slot)) != tag)
            return "a record was overwritten";
    }
    return explore_newest(&ring->control->lock) == 0 ? NULL : "the lock is still held";
}

#define LOCK(name_, bound_, ...)                                                            \
    {                                                                                       \
        .name = name_, .bound = bound_, .reset = reset, .close = close_segment, .depth = 4, \
        __VA_ARGS__                                                                         \
    }

#define CRASHED(name_, bound_, ...)                                                             \
    {                                                                                           \
        .name = name_, .bound = bound_, .open = open_after_crash, .reset = reset,               \
        .finish = finish_after_crash, .close = close_with_locks,                                \
        .body = {publish_second, publish_third}, .depth = 4, .records = 1, .crashed_before = 1, \
        .spurious_wakeups = 1, __VA_ARGS__                                                      \
    }

const struct explore_scenario explored_lock[] = {
    LOCK("lock", "2 writers, 2 records each", .open = open_segment, .finish = finish,
         .body = {publish_first, publish_second}, .records = 2),
    LOCK("lock of three", "3 threads that take it once", .open = open_lock, .finish = finish_count,
         .body = {count_first, count_second, count_third}, .records = 1),
    {.name = "takeover",
     .bound = "1 writer that crashes at any store of its record, 1 survivor with 1 record",
     .open = open_with_locks,
     .reset = reset,
     .finish = finish_after_crash,
     .close = close_with_locks,
     .release_locks = release_lock,
     .body = {publish_first, publish_second},
     .depth = 4,
     .records = 1,
     .may_crash = 1,
     .spurious_wakeups = 1},
    CRASHED("takeover by two", "1 writer crashed in its record, 2 survivors with 1 record each",
            .history = 0),
    CRASHED("takeover of a record",
            "1 writer crashed after its record, 2 survivors with 1 record each", .history = 1),
    {.name = NULL},
};
