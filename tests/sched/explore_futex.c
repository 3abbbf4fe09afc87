/*
 * explore_futex.c - futex(2) and the kernel's locks, as steps of the calling thread.
 */
#include "explore_internal.h"

/* ---- system calls ---- */

/* Explores a spurious wake-up, if any is left. */
static int wakes_spuriously(struct thread *thread)
{
    if (thread->spurious_wakeups == 0 || choose(2) == 0)
        return 0;
    thread->spurious_wakeups--;
    return 1;
}

/* Compares and enqueues in one step; with SPLIT_RMW, in two. */
static int enqueue_wait(struct thread *thread, const struct explore_wait *wait)
{
    static struct explore_site site = {.file = "kernel",
                                       .function = "futex_wait",
                                       .operation = "comparison",
                                       .what = "the word",
                                       .order = EXPLORE_ORDERED,
                                       .now = EXPLORE_ORDERED};
    struct word *word = find_word(wait->word, 4);

    reach_site(&site);
    take_turn_at(word);
    /* The kernel's comparison is a load of this thread: it will not read an older value. */
    *known(thread, word) = (uint16_t)(word->count - 1);
    if (site.now != EXPLORE_RELAXED && word->values[word->count - 1].bits != wait->expected)
        return -1;
    if (site.now == EXPLORE_SPLIT_RMW)
        take_turn_at(word);
    thread->futex_waits[thread->futex_wait_count++] = word;
    return 0;
}

static int sleep_until_woken(struct thread *thread, const struct explore_wait *futex_waits,
                             int count)
{
    for (int i = 0; i < count; i++) {
        if (enqueue_wait(thread, &futex_waits[i]) != 0) {
            trace_event("futex: the word has changed");
            return -1;
        }
    }
    if (thread->woken || wakes_spuriously(thread)) {
        trace_event("futex: returns at once");
        return 0;
    }
    trace_event("futex: sleeps");
    stop_at(SLEEPING, thread->futex_waits[0]);
    trace_event("futex: wakes up");
    return 0;
}

int explore_futex_wait(const struct explore_wait *futex_waits, int count)
{
    struct thread *thread = explorer.current;
    int error;

    if (count > EXPLORE_FUTEX_WAITS)
        abort_explorer("too many words to sleep on");
    thread->woken = 0;
    error = sleep_until_woken(thread, futex_waits, count);
    thread->futex_wait_count = 0;
    return error;
}

static int waits_on(const struct thread *thread, const struct word *word)
{
    for (int i = 0; i < thread->futex_wait_count; i++)
        if (thread->futex_waits[i] == word)
            return !thread->woken;
    return 0;
}

void wake_thread(struct thread *thread)
{
    thread->woken = 1;
    if (thread->state == SLEEPING)
        thread->state = READY;
}

void explore_futex_wake(const void *memory, int count)
{
    struct word *word = find_word(memory, 4);

    crash_point();
    count_step();
    learn_access(&word->storers);
    learn_access(&word->orderers);
    stop_at(AT_TURN, word);
    trace_event("futex: wake");
    wake_sleep_set(word);
    for (; count > 0; count--) {
        struct thread *sleepers[EXPLORE_THREADS];
        int found = 0;

        for (int i = 0; i < explorer.thread_count; i++)
            if (waits_on(&explorer.threads[i], word))
                sleepers[found++] = &explorer.threads[i];
        if (found == 0)
            return;
        wake_thread(sleepers[count >= found ? 0 : choose(found)]);
    }
}

uint32_t explore_kernel_rmw(const void *memory, uint32_t (*change)(uint32_t value, uint32_t holder),
                            uint32_t holder)
{
    static const struct explore_site site = {.function = "kernel",
                                             .operation = "change",
                                             .what = "a lock"};
    struct word *word = find_word(memory, 4);
    const struct value *found;
    uint32_t bits;

    crash_point();
    take_turn_at(word);
    found = &word->values[word->count - 1];
    learn_value(word, word->count - 1, EXPLORE_ORDERED);
    bits = change((uint32_t)found->bits, holder);
    if (bits != found->bits)
        add_value(word, bits, EXPLORE_ORDERED, &found->view);
    trace_step(&site, bits, "", 0);
    return (uint32_t)found->bits;
}

uint32_t explore_kernel_load(const void *memory)
{
    static struct explore_site site = {.function = "kernel",
                                       .operation = "look",
                                       .what = "a lock",
                                       .now = EXPLORE_ACQUIRE};

    return (uint32_t)load_word(find_word(memory, 4), &site);
}
