/*
 * loader.h - the newest big record, always at hand in private memory: for frames that are worked on
 * for longer than the ring keeps them.
 *
 * A thread of the loader's waits for each new record and copies it into a buffer that nobody looks
 * at; then it makes that buffer the newest. A reader pins the newest, uses it for as long as it
 * likes, and unpins it. A pinned snapshot cannot change, however many loads follow.
 *
 * Pinning takes no lock, and waits for nobody: it retries only where a load came in between,
 * KYMO_RETRIES times at most. Any number of threads may pin. The loader keeps as many buffers as
 * were pinned at once so far, plus two, up to a limit; while all are pinned it skips records.
 * Replaced segments are followed.
 */
#ifndef KYMO_LOADER_H
#define KYMO_LOADER_H

#include <kymo/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The most buffers that a loader keeps. */
#define KYMO_LOADER_BUFFERS 64

struct kymo_loader;

/* A record that stays as it is until it is unpinned. */
struct kymo_snapshot {
    struct kymo_record record;
    uint64_t load; /* its number, from 1: grows with each load, through generations as well */
    const void *payload;
    uint32_t buffer; /* the loader's own */
};

/* What a loader has done so far. */
struct kymo_loader_stats {
    uint64_t loaded;   /* records copied */
    uint64_t missed;   /* records that went by while another one was copied */
    uint64_t skipped;  /* times all buffers were pinned */
    uint64_t reopened; /* replaced generations followed */
    uint32_t buffers;  /* buffers that there are now */
};

/*
 * Starts a loader for that segment. `max_buffers`: 3 to KYMO_LOADER_BUFFERS, 0 for 8. Errors: as
 * kymo_reader_open; -EINVAL: max_buffers; -ENOMEM; -EAGAIN: no thread could be started.
 */
KYMO_EXPORT int kymo_loader_open(struct kymo_loader **loader, const char *name,
                                 uint32_t max_buffers);

/* Ends the thread and frees the buffers, within 100 ms; nothing may be pinned any more. NULL is
 * fine. Not in a forked child, which has no thread of the loader's. */
KYMO_EXPORT void kymo_loader_close(struct kymo_loader *loader);

/*
 * Pins the newest record, which stays the newest when its segment goes. -EAGAIN: loads came in
 * between KYMO_RETRIES times in a row. Where none was loaded yet: -ENODATA, or what keeps the loader
 * from it: -ENOENT, -EIDRM (the segment is gone, and a new one not there yet), -EBADMSG, -ENOMEM.
 */
KYMO_EXPORT int kymo_loader_pin(struct kymo_loader *loader, struct kymo_snapshot *snapshot);

/* Gives it back; once for each pin. */
KYMO_EXPORT void kymo_loader_unpin(struct kymo_loader *loader, struct kymo_snapshot *snapshot);

/*
 * Pins the newest record once it is a later load than `seen` (snapshot.load of the last one; 0: any),
 * waiting until `deadline` (CLOCK_MONOTONIC ns). Positions begin anew where a segment is replaced;
 * loads do not, so no generation's first record is waited past. While the segment is gone, its next
 * generation is waited for. -ETIMEDOUT, -EAGAIN, -EBADMSG, -ENOMEM: as kymo_loader_pin.
 */
KYMO_EXPORT int kymo_loader_pin_wait(struct kymo_loader *loader, uint64_t seen, uint64_t deadline,
                                     struct kymo_snapshot *snapshot);

/* Copies the counters; any thread. */
KYMO_EXPORT void kymo_loader_get_stats(struct kymo_loader *loader, struct kymo_loader_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
