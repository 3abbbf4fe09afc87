/*
 * guard.c - the handler for a mapped file that shrinks: SIGBUS becomes -EBADMSG (F: any content is
 * handled safely).
 *
 * Every mapping of the library is in a table. The table only grows, by chunks that are never freed,
 * so that the signal handler can walk it without a lock; an odd version marks an entry that is
 * being changed. The handler maps a zero page over the lost one and marks the handle, whose next
 * check of seq, or of the mark, then fails.
 */
#include "internal.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK 256

struct kymo_guard_entry {
    uint64_t version; /* odd while the rest is being written */
    uint64_t begin;
    uint64_t end; /* 0: free */
    uint64_t damaged;
    uint64_t writable;
    struct kymo_guard_entry *next_free; /* under the library's lock, never in the handler */
};

struct chunk {
    struct kymo_guard_entry entries[CHUNK];
    uint64_t next; /* struct chunk *, as a word for the functions of atomic.h */
};

static struct chunk first_chunk;
static struct chunk *last_chunk; /* NULL: the first chunk is not in use yet */
static struct kymo_guard_entry *first_free;
static struct sigaction previous;
static int installed;
static uint64_t caught;

/* ---- the table ---- */

static struct chunk *next_chunk(const struct chunk *chunk)
{
    /* GUARD-1 (acquire load): the chunk's link before its content. Pairs with grow. */
    return (struct chunk *)(uintptr_t)kymo_load_acquire(&chunk->next);
}

static void list_free(struct chunk *chunk)
{
    for (int i = CHUNK; i-- > 0;) {
        chunk->entries[i].next_free = first_free;
        first_free = &chunk->entries[i];
    }
}

static void grow(void)
{
    struct chunk *chunk = last_chunk ? calloc(1, sizeof(*chunk)) : &first_chunk;

    if (!chunk)
        return;
    list_free(chunk);
    /* GUARD-1 (release store): the chunk's content before its link. Pairs with next_chunk. */
    if (last_chunk)
        kymo_store_release(&last_chunk->next, (uint64_t)(uintptr_t)chunk);
    last_chunk = chunk;
}

/* Constant time: some programs map 10,000 segments and more. */
static struct kymo_guard_entry *take_free(void)
{
    struct kymo_guard_entry *entry;

    if (!first_free)
        grow();
    entry = first_free;
    if (entry)
        first_free = entry->next_free;
    return entry;
}

static void write_entry(struct kymo_guard_entry *entry, uint64_t begin, uint64_t end,
                        uint32_t *damaged, int writable)
{
    uint64_t version = kymo_load_relaxed(&entry->version);

    kymo_store_relaxed(&entry->version, version + 1);
    /* GUARD-2 (release fence): the odd version before the change. Pairs with read_entry. */
    kymo_fence_release();
    kymo_store_relaxed(&entry->begin, begin);
    kymo_store_relaxed(&entry->end, end);
    kymo_store_relaxed(&entry->damaged, (uint64_t)(uintptr_t)damaged);
    kymo_store_relaxed(&entry->writable, (uint64_t)writable);
    /* GUARD-3 (release store): the change before the even version. Pairs with read_entry. */
    kymo_store_release(&entry->version, version + 2);
}

/* Copies the entry. 0 if it is being changed: then it is not the mapping that faults. */
static int read_entry(const struct kymo_guard_entry *entry, struct kymo_guard_entry *copy)
{
    /* GUARD-3 (acquire load): the even version before the copy. Pairs with write_entry. */
    copy->version = kymo_load_acquire(&entry->version);
    copy->begin = kymo_load_relaxed(&entry->begin);
    copy->end = kymo_load_relaxed(&entry->end);
    copy->damaged = kymo_load_relaxed(&entry->damaged);
    copy->writable = kymo_load_relaxed(&entry->writable);
    /* GUARD-2 (acquire fence): the copy before the second load of the version. Pairs with
     * write_entry. */
    kymo_fence_acquire();
    return !(copy->version & 1) && kymo_load_relaxed(&entry->version) == copy->version;
}

struct kymo_guard_entry *kymo_guard_add(const void *map, size_t size, int writable,
                                        uint32_t *damaged)
{
    const uint64_t begin = (uint64_t)(uintptr_t)map;
    struct kymo_guard_entry *entry;

    kymo_library_lock();
    entry = take_free();
    if (entry)
        write_entry(entry, begin, begin + size, damaged, writable);
    kymo_library_unlock();
    return entry;
}

void kymo_guard_drop(struct kymo_guard_entry *entry)
{
    if (!entry)
        return;
    kymo_library_lock();
    write_entry(entry, 0, 0, NULL, 0);
    entry->next_free = first_free;
    first_free = entry;
    kymo_library_unlock();
}

/* ---- the handler: async-signal-safe, and takes no lock ---- */

static int find_fault(uint64_t address, struct kymo_guard_entry *found)
{
    for (const struct chunk *chunk = &first_chunk; chunk; chunk = next_chunk(chunk)) {
        for (int i = 0; i < CHUNK; i++) {
            if (read_entry(&chunk->entries[i], found) && address >= found->begin &&
                address < found->end)
                return 1;
        }
    }
    return 0;
}

static int put_zero_page(uint64_t address, int writable)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    void *at = (void *)(uintptr_t)(address & ~(page - 1));

    return mmap(at, page, PROT_READ | (writable ? PROT_WRITE : 0),
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at;
}

static void call_previous(int number, siginfo_t *info, void *context)
{
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(number, info, context);
    } else if (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN) {
        /* An ignored fault would repeat for ever; the default action ends the process, with a core
         * dump. */
        signal(number, SIG_DFL);
    } else {
        previous.sa_handler(number);
    }
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    struct kymo_guard_entry found;
    const int saved = errno;

    if (info->si_code == BUS_ADRERR && find_fault((uint64_t)(uintptr_t)info->si_addr, &found)) {
        /* Marked first: another thread that reads zeros from the page finds the mark as well. */
        kymo_store_relaxed32((uint32_t *)(uintptr_t)found.damaged, 1);
        if (put_zero_page((uint64_t)(uintptr_t)info->si_addr, (int)found.writable)) {
            kymo_fetch_add_relaxed(&caught, 1);
            errno = saved;
            return;
        }
    }
    errno = saved;
    call_previous(number, info, context);
}

int kymo_guard_install(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    int error = 0;

    sigemptyset(&action.sa_mask);
    kymo_library_lock();
    if (installed == 0 && sigaction(SIGBUS, &action, &previous) != 0)
        error = -errno;
    else
        installed++;
    kymo_library_unlock();
    return error;
}

void kymo_guard_remove(void)
{
    kymo_library_lock();
    if (installed > 0 && --installed == 0)
        sigaction(SIGBUS, &previous, NULL);
    kymo_library_unlock();
}

uint64_t kymo_guard_caught(void)
{
    return kymo_load_relaxed(&caught);
}
