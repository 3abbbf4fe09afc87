/*
 * bells.c - threads that sleep on many bells.
 *
 * A thread looks at all its listeners, has each one's writer asked to ring, and sleeps on all the
 * words at once, of which the first is its group's own: that one changes when somebody wants to
 * listen, or to be looked at. A listener that hears needs no waking of the thread: whatever is
 * published from then on changes a word that the thread sleeps on, or is about to.
 */
#include "bells.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MILLISECOND UINT64_C(1000000)
#define SECOND      UINT64_C(1000000000)

struct group {
    struct bells *bells;
    pthread_t thread;
    uint32_t word; /* changes under the lock */
    struct listener **listeners;
    size_t count;
    size_t capacity;
};

struct bells {
    bool (*look)(struct listener *listener, uint64_t *seen);
    void (*left)(struct listener *listener);
    pthread_mutex_t lock; /* of all below, and of the listeners */
    bool stop;
    struct group groups[BELLS_THREADS];
    int count; /* groups that have a thread */
};

/* ---- waking a thread, under the lock ---- */

static void wake(struct group *group)
{
    kymo_fetch_add_ordered32(&group->word, 1);
    syscall(SYS_futex, &group->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void bells_ring(struct bells *bells)
{
    pthread_mutex_lock(&bells->lock);
    for (int i = 0; i < bells->count; i++)
        wake(&bells->groups[i]);
    pthread_mutex_unlock(&bells->lock);
}

/* ---- one round of a thread ---- */

struct round {
    struct listener **listeners; /* as many as listened when it began */
    size_t count;
    size_t capacity;
    struct futex_waitv words[BELLS_EACH + 1];
    unsigned int word_count;
    uint64_t until; /* CLOCK_MONOTONIC ns: sleep no longer */
    bool failed;    /* the listeners could not be noted */
};

static void round_reserve(struct round *round, size_t count)
{
    struct listener **grown;

    round->failed = false;
    if (count <= round->capacity)
        return;
    grown = realloc(round->listeners, count * 2 * sizeof(*grown));
    if (!grown) {
        round->failed = true;
        return;
    }
    round->listeners = grown;
    round->capacity = count * 2;
}

/* Returns false where the thread has to end. */
static bool round_begin(struct group *group, struct round *round)
{
    bool stop;

    pthread_mutex_lock(&group->bells->lock);
    round->words[0] = (struct futex_waitv){.val = kymo_load_relaxed32(&group->word),
                                           .uaddr = (uintptr_t)&group->word,
                                           .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG};
    round->word_count = 1;
    round->until = KYMO_FOREVER;
    round_reserve(round, group->count);
    round->count = round->failed ? 0 : group->count;
    for (size_t i = 0; i < round->count; i++) {
        round->listeners[i] = group->listeners[i];
        round->listeners[i]->wanted = false;
        round->listeners[i]->hears = false;
    }
    stop = group->bells->stop;
    pthread_mutex_unlock(&group->bells->lock);
    return !stop;
}

static void leave(struct group *group, struct listener *listener)
{
    struct bells *bells = group->bells;
    bool leaves;

    pthread_mutex_lock(&bells->lock);
    leaves = !listener->wanted;
    for (size_t i = 0; leaves && i < group->count; i++) {
        if (group->listeners[i] == listener) {
            group->listeners[i] = group->listeners[--group->count];
            break;
        }
    }
    if (leaves)
        listener->group = NULL;
    pthread_mutex_unlock(&bells->lock);
    if (leaves)
        bells->left(listener);
}

static void wake_at(struct round *round, uint64_t time)
{
    if (time < round->until)
        round->until = time;
}

/* Nobody will ring for this one: how long until the next look. As kymo_ring_wait has it. */
static uint64_t nap(const struct listener *listener, uint64_t now)
{
    const uint64_t length = (now - listener->quiet_since) / 100;

    if (length < MILLISECOND)
        return MILLISECOND;
    return length < 50 * MILLISECOND ? length : 50 * MILLISECOND;
}

static void set_hearing(struct bells *bells, struct listener *listener)
{
    pthread_mutex_lock(&bells->lock);
    listener->hears = true;
    pthread_mutex_unlock(&bells->lock);
}

/* Adds the listener's bell to the words. Returns false where there is something to look at. */
static bool listen(struct bells *bells, struct round *round, struct listener *listener)
{
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
    struct kymo_wait_token token = {0};
    const bool fits = round->word_count <= BELLS_EACH;

    /* Who sleeps on no word asks for no ring, which would cost the writer a call for nothing. */
    if (fits) {
        if (kymo_ring_prepare_wait(listener->reader, listener->seen, &token) != -EAGAIN)
            return false;
        round->words[round->word_count++] = (struct futex_waitv){.val = token.value,
                                                                 .uaddr = (uintptr_t)token.word,
                                                                 .flags = FUTEX_32};
    }
    wake_at(round, now + (token.wake_guaranteed ? SECOND : nap(listener, now)));
    set_hearing(bells, listener);
    return true;
}

/* One that still has something to look at after a few looks is looked at again in the next round,
 * so that the others get their turn. */
static void attend(struct group *group, struct round *round, struct listener *listener)
{
    const int looks = 4;

    for (int i = 0; i < looks; i++) {
        uint64_t seen = listener->seen;

        if (!group->bells->look(listener, &seen)) {
            leave(group, listener);
            return;
        }
        if (seen != listener->seen)
            listener->quiet_since = kymo_clock_now(KYMO_MONOTONIC);
        listener->seen = seen;
        if (listen(group->bells, round, listener))
            return;
    }
    round->until = 0;
}

/* The group's own word, for a little while: where the kernel can't do better, or a page that holds
 * a bell has just been cut off, which the next look will find out. */
static void doze(struct round *round)
{
    const struct timespec pause = {0, (long)MILLISECOND};

    syscall(SYS_futex, (uint32_t *)(uintptr_t)round->words[0].uaddr, FUTEX_WAIT_PRIVATE,
            (uint32_t)round->words[0].val, &pause, NULL, 0);
}

static void round_sleep(struct round *round)
{
    const struct timespec at = {(time_t)(round->until / SECOND), (long)(round->until % SECOND)};

    if (round->failed)
        doze(round);
    else if (round->until > 0 &&
             syscall(SYS_futex_waitv, round->words, round->word_count, 0,
                     round->until == KYMO_FOREVER ? NULL : &at, CLOCK_MONOTONIC) < 0 &&
             (errno == EFAULT || errno == ENOSYS))
        doze(round);
}

static void *run(void *argument)
{
    struct group *group = argument;
    struct round round = {0};

    while (round_begin(group, &round)) {
        for (size_t i = 0; i < round.count; i++)
            attend(group, &round, round.listeners[i]);
        round_sleep(&round);
    }
    free(round.listeners);
    return NULL;
}

/* ---- joining, under the lock ---- */

static int start(struct bells *bells)
{
    struct group *group = &bells->groups[bells->count];
    sigset_t all, before;
    int error;

    group->bells = bells;
    sigfillset(&all);
    /* A fault in a truncated segment is delivered to the thread that met it. */
    sigdelset(&all, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&group->thread, NULL, run, group);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!error)
        bells->count++;
    return -error;
}

/* The group with the fewest, or a new one where all are full. NULL: there is none, nor can be. */
static struct group *choose(struct bells *bells)
{
    struct group *group = NULL;

    for (int i = 0; i < bells->count; i++) {
        if (!group || bells->groups[i].count < group->count)
            group = &bells->groups[i];
    }
    if ((!group || group->count >= BELLS_EACH) && bells->count < BELLS_THREADS && start(bells) == 0)
        return &bells->groups[bells->count - 1];
    return group;
}

static int join(struct bells *bells, struct listener *listener)
{
    struct group *group = choose(bells);
    struct listener **grown;

    if (!group)
        return -EAGAIN;
    if (group->count == group->capacity) {
        grown = realloc(group->listeners, (group->capacity * 2 + 16) * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        group->listeners = grown;
        group->capacity = group->capacity * 2 + 16;
    }
    group->listeners[group->count++] = listener;
    listener->group = group;
    listener->quiet_since = kymo_clock_now(KYMO_MONOTONIC);
    return 1;
}

int bells_listen(struct bells *bells, struct listener *listener)
{
    int joined = 0;

    pthread_mutex_lock(&bells->lock);
    if (!listener->group)
        joined = join(bells, listener);
    if (joined >= 0) {
        listener->wanted = true;
        if (joined || !listener->hears)
            wake(listener->group);
    }
    pthread_mutex_unlock(&bells->lock);
    return joined;
}

int bells_threads(struct bells *bells)
{
    int count;

    pthread_mutex_lock(&bells->lock);
    count = bells->count;
    pthread_mutex_unlock(&bells->lock);
    return count;
}

/* ---- open and close ---- */

int bells_open(struct bells **out, bool (*look)(struct listener *listener, uint64_t *seen),
               void (*left)(struct listener *listener))
{
    struct bells *bells = calloc(1, sizeof(*bells));

    *out = bells;
    if (!bells)
        return -ENOMEM;
    bells->look = look;
    bells->left = left;
    pthread_mutex_init(&bells->lock, NULL);
    return 0;
}

void bells_close(struct bells *bells)
{
    if (!bells)
        return;
    pthread_mutex_lock(&bells->lock);
    bells->stop = true;
    for (int i = 0; i < bells->count; i++)
        wake(&bells->groups[i]);
    pthread_mutex_unlock(&bells->lock);
    for (int i = 0; i < bells->count; i++) {
        pthread_join(bells->groups[i].thread, NULL);
        free(bells->groups[i].listeners);
    }
    pthread_mutex_destroy(&bells->lock);
    free(bells);
}
