/*
 * fork.c - the library's one lock, and what a forked child finds: its copies of writers are dead.
 *
 * A lock's descriptor that survives in a child would keep a dead parent's segment ALIVE (promise
 * H). So every descriptor that holds a lock is either in the list of holders, which the child
 * closes, or was opened while this lock was held, and no fork runs meanwhile.
 */
#include "internal.h"

#include <pthread.h>
#include <unistd.h>

static pthread_mutex_t lock;
static struct kymo_segment *holders;

static void make_lock(void)
{
    pthread_mutexattr_t attributes;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork_in_parent(void)
{
    pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void)
{
    for (struct kymo_segment *segment = holders; segment; segment = segment->next) {
        close(segment->fd);
        segment->fd = -1;
        segment->orphan = 1;
        *segment->limit = 0;
    }
    holders = NULL;
    /* A recursive lock belongs to a thread that the child does not have. */
    make_lock();
}

static void begin(void)
{
    make_lock();
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void kymo_library_lock(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, begin);
    pthread_mutex_lock(&lock);
}

void kymo_library_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void kymo_fork_watch(struct kymo_segment *segment)
{
    kymo_library_lock();
    segment->next = holders;
    holders = segment;
    kymo_library_unlock();
}

void kymo_fork_forget(struct kymo_segment *segment)
{
    kymo_library_lock();
    for (struct kymo_segment **link = &holders; *link; link = &(*link)->next) {
        if (*link == segment) {
            *link = segment->next;
            break;
        }
    }
    if (segment->fd >= 0)
        close(segment->fd);
    segment->fd = -1;
    kymo_library_unlock();
}
