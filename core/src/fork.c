/*
 * fork.c - the library's one lock, and the state of a forked child: its copies of writers are
 * unusable.
 *
 * A lock's descriptor that survives in a child would keep a dead parent's segment ALIVE (H:
 * liveness by a kernel lock). So every descriptor that holds a lock is either in the list of
 * holders, which the child closes, or was opened while this lock was held, which excludes fork.
 */
#include "internal.h"

#include <pthread.h>
#include <unistd.h>

/* A plain mutex, which a child may unlock; a recursive pthread mutex belongs to a thread that does
 * not exist in the child. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local unsigned int depth; /* recursion depth of this thread */
static struct kymo_segment *holders;

static void enter(void)
{
    if (depth++ == 0)
        pthread_mutex_lock(&lock);
}

static void leave(void)
{
    if (--depth == 0)
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
    leave();
}

static void watch_forks(void)
{
    pthread_atfork(enter, leave, after_fork_in_child);
}

void kymo_library_lock(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, watch_forks);
    enter();
}

void kymo_library_unlock(void)
{
    leave();
}

void kymo_fork_watch(struct kymo_segment *segment)
{
    kymo_library_lock();
    segment->next = holders;
    holders = segment;
    kymo_library_unlock();
}

unsigned char *kymo_fork_find(uint64_t device, uint64_t inode)
{
    unsigned char *map = NULL;

    kymo_library_lock();
    for (struct kymo_segment *segment = holders; segment && !map; segment = segment->next)
        map = segment->device == device && segment->inode == inode ? segment->map : NULL;
    kymo_library_unlock();
    return map;
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
    if (segment->fd >= 0) {
        /* A child of vfork, posix_spawn or system(3) has a copy until it execs. */
        kymo_file_unlock_all(segment->fd);
        close(segment->fd);
    }
    segment->fd = -1;
    kymo_library_unlock();
}
