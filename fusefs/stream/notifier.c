/*
 * notifier.c - threads that sleep on many futex words.
 *
 * In each round a thread calls on_ready for all its listeners, sets the waiter bits of their bells,
 * and sleeps on all words at once. The first word is the thread's own: notifier_add() and
 * notifier_wake() change it. A listener that is armed needs no wake-up by notifier_add(): whatever is
 * published from then on changes a word that the thread sleeps on, or is about to.
 */
#include "notifier.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/thread.h"

#define MILLISECOND UINT64_C(1000000)
#define SECOND      UINT64_C(1000000000)

struct notifier_thread {
    struct notifier *notifier;
    pthread_t thread;
    uint32_t word; /* changes under the lock */
    struct listener **listeners;
    size_t count;
    size_t capacity;
};

struct notifier {
    bool (*on_ready)(struct listener *listener, uint64_t *seen);
    void (*on_removed)(struct listener *listener);
    pthread_mutex_t lock;
    /* Under the lock, as the listeners are: */
    bool stop;
    struct notifier_thread threads[NOTIFIER_THREADS];
    int count; /* threads that were started */
};

static void wake(struct notifier_thread *thread)
{
    kymo_fetch_add_ordered32(&thread->word, 1);
    syscall(SYS_futex, &thread->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void notifier_wake(struct notifier *notifier)
{
    pthread_mutex_lock(&notifier->lock);
    for (int i = 0; i < notifier->count; i++)
        wake(&notifier->threads[i]);
    pthread_mutex_unlock(&notifier->lock);
}

/* The array with room for `count`, and at least twice as much when it grows. NULL: no memory. */
static struct listener **reserve(struct listener **listeners, size_t *capacity, size_t count)
{
    struct listener **grown;

    if (listeners && count <= *capacity)
        return listeners;
    grown = realloc(listeners, (count * 2 + 16) * sizeof(struct listener *));
    if (grown)
        *capacity = count * 2 + 16;
    return grown;
}

/* ---- one round of a thread ---- */

struct round {
    struct listener **listeners; /* a copy: those that the thread had when the round began */
    size_t count;
    size_t capacity;
    struct futex_waitv words[NOTIFIER_BELLS + 1];
    unsigned int word_count;
    uint64_t end; /* CLOCK_MONOTONIC ns: sleep no longer */
};

/* Returns false if the thread has to end. */
static bool round_begin(struct notifier_thread *thread, struct round *round)
{
    struct listener **copy;
    bool stop;

    pthread_mutex_lock(&thread->notifier->lock);
    round->words[0] = (struct futex_waitv){.val = kymo_load_relaxed32(&thread->word),
                                           .uaddr = (uintptr_t)&thread->word,
                                           .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG};
    round->word_count = 1;
    copy = reserve(round->listeners, &round->capacity, thread->count);
    if (copy)
        round->listeners = copy;
    round->count = copy ? thread->count : 0;
    round->end = copy ? KYMO_FOREVER : kymo_clock_now(KYMO_MONOTONIC) + MILLISECOND;
    for (size_t i = 0; i < round->count; i++) {
        round->listeners[i] = thread->listeners[i];
        round->listeners[i]->requested = false;
        round->listeners[i]->armed = false;
    }
    stop = thread->notifier->stop;
    pthread_mutex_unlock(&thread->notifier->lock);
    return !stop;
}

static void remove_listener(struct notifier_thread *thread, struct listener *listener)
{
    struct notifier *notifier = thread->notifier;
    bool removed;

    pthread_mutex_lock(&notifier->lock);
    removed = !listener->requested;
    for (size_t i = 0; removed && i < thread->count; i++) {
        if (thread->listeners[i] == listener) {
            thread->listeners[i] = thread->listeners[--thread->count];
            listener->thread = NULL;
            break;
        }
    }
    pthread_mutex_unlock(&notifier->lock);
    if (removed)
        notifier->on_removed(listener);
}

/* Without a bell: the interval until the next look, as in kymo_ring_wait(). */
static uint64_t backoff_interval(const struct listener *listener, uint64_t now)
{
    const uint64_t interval = (now - listener->idle_since) / 100;

    if (interval < MILLISECOND)
        return MILLISECOND;
    return interval < 50 * MILLISECOND ? interval : 50 * MILLISECOND;
}

/* Adds the listener's bell to the words. Returns false if there is something to process. */
static bool arm(struct notifier *notifier, struct round *round, struct listener *listener)
{
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
    struct kymo_wait_token token = {0};
    uint64_t end;

    /* A waiter bit without a sleeper would cost the writer a system call for nothing. */
    if (round->word_count <= NOTIFIER_BELLS) {
        if (kymo_ring_prepare_wait(listener->reader, listener->seen, &token) != -EAGAIN)
            return false;
        round->words[round->word_count++] = (struct futex_waitv){.val = token.value,
                                                                 .uaddr = (uintptr_t)token.word,
                                                                 .flags = FUTEX_32};
    }
    end = now + (token.wake_guaranteed ? SECOND : backoff_interval(listener, now));
    if (end < round->end)
        round->end = end;
    pthread_mutex_lock(&notifier->lock);
    listener->armed = true;
    pthread_mutex_unlock(&notifier->lock);
    return true;
}

/* A listener that is ready again after a few calls has to wait for the next round, so that the
 * others get their turn. */
static void attend(struct notifier_thread *thread, struct round *round, struct listener *listener)
{
    const int calls = 4;

    for (int i = 0; i < calls; i++) {
        uint64_t seen = listener->seen;

        if (!thread->notifier->on_ready(listener, &seen)) {
            remove_listener(thread, listener);
            return;
        }
        if (seen != listener->seen)
            listener->idle_since = kymo_clock_now(KYMO_MONOTONIC);
        listener->seen = seen;
        if (arm(thread->notifier, round, listener))
            return;
    }
    round->end = 0;
}

/* If the kernel has no futex_waitv, or a page that holds a bell has just been truncated, sleeps for
 * 1 ms on the thread's own word; the next on_ready detects the truncation. */
static void round_sleep(struct round *round)
{
    const struct timespec end = {(time_t)(round->end / SECOND), (long)(round->end % SECOND)};
    const struct timespec interval = {0, (long)MILLISECOND};

    if (round->end > 0 &&
        syscall(SYS_futex_waitv, round->words, round->word_count, 0,
                round->end == KYMO_FOREVER ? NULL : &end, CLOCK_MONOTONIC) < 0 &&
        (errno == EFAULT || errno == ENOSYS))
        syscall(SYS_futex, (uint32_t *)(uintptr_t)round->words[0].uaddr, FUTEX_WAIT_PRIVATE,
                (uint32_t)round->words[0].val, &interval, NULL, 0);
}

static void *run(void *context)
{
    struct notifier_thread *thread = context;
    struct round round = {0};

    while (round_begin(thread, &round)) {
        for (size_t i = 0; i < round.count; i++)
            attend(thread, &round, round.listeners[i]);
        round_sleep(&round);
    }
    free(round.listeners);
    return NULL;
}

/* ---- adding, under the lock ---- */

/* The thread with the fewest listeners, or a new one if all are full. NULL: there is none. */
static struct notifier_thread *choose_thread(struct notifier *notifier)
{
    struct notifier_thread *chosen = NULL;

    for (int i = 0; i < notifier->count; i++) {
        if (!chosen || notifier->threads[i].count < chosen->count)
            chosen = &notifier->threads[i];
    }
    if ((!chosen || chosen->count >= NOTIFIER_BELLS) && notifier->count < NOTIFIER_THREADS) {
        struct notifier_thread *unused = &notifier->threads[notifier->count];

        unused->notifier = notifier;
        if (thread_start(&unused->thread, run, unused) == 0) {
            notifier->count++;
            return unused;
        }
    }
    return chosen;
}

static int add(struct notifier *notifier, struct listener *listener)
{
    struct notifier_thread *thread = choose_thread(notifier);
    struct listener **grown;

    if (!thread)
        return -EAGAIN;
    grown = reserve(thread->listeners, &thread->capacity, thread->count + 1);
    if (!grown)
        return -ENOMEM;
    thread->listeners = grown;
    thread->listeners[thread->count++] = listener;
    listener->thread = thread;
    listener->idle_since = kymo_clock_now(KYMO_MONOTONIC);
    return 1;
}

int notifier_add(struct notifier *notifier, struct listener *listener)
{
    int added = 0;

    pthread_mutex_lock(&notifier->lock);
    if (!listener->thread)
        added = add(notifier, listener);
    if (added >= 0) {
        listener->requested = true;
        if (added || !listener->armed)
            wake(listener->thread);
    }
    pthread_mutex_unlock(&notifier->lock);
    return added;
}

/* ---- open and close ---- */

int notifier_open(struct notifier **out,
                  bool (*on_ready)(struct listener *listener, uint64_t *seen),
                  void (*on_removed)(struct listener *listener))
{
    struct notifier *notifier = calloc(1, sizeof(*notifier));

    *out = notifier;
    if (!notifier)
        return -ENOMEM;
    notifier->on_ready = on_ready;
    notifier->on_removed = on_removed;
    pthread_mutex_init(&notifier->lock, NULL);
    return 0;
}

void notifier_close(struct notifier *notifier)
{
    if (!notifier)
        return;
    pthread_mutex_lock(&notifier->lock);
    notifier->stop = true;
    for (int i = 0; i < notifier->count; i++)
        wake(&notifier->threads[i]);
    pthread_mutex_unlock(&notifier->lock);
    for (int i = 0; i < notifier->count; i++) {
        pthread_join(notifier->threads[i].thread, NULL);
        free(notifier->threads[i].listeners);
    }
    pthread_mutex_destroy(&notifier->lock);
    free(notifier);
}
