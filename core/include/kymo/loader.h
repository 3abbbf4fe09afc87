/*
 * loader.h - the newest large record, kept in private memory: for frames that are processed for
 * longer than the ring keeps them.
 *
 *     #include <kymo/loader.h>
 *
 *     int process_newest(struct kymo_loader *loader, void (*process)(const void *frame))
 *     {
 *         struct kymo_snapshot snapshot;
 *         int error = kymo_loader_pin(loader, &snapshot);
 *
 *         if (error)
 *             return error;
 *         process(snapshot.payload);
 *         kymo_loader_unpin(loader, &snapshot);
 *         return 0;
 *     }
 *
 * A thread of the loader waits for each new record, copies it into an unused buffer, and makes that
 * buffer the newest. A reader pins the newest, uses it for any length of time, and unpins it. A
 * pinned snapshot does not change, however many loads follow.
 *
 * Pinning takes no lock and does not wait: it retries only if a load came in between, at most
 * KYMO_RETRIES times. Any number of threads may pin. The number of buffers is the largest number
 * pinned at once so far, plus two, up to a limit; while all are pinned the loader skips records. Of
 * large slots, the loader keeps no pages mapped. It follows replaced segments.
 *
 * Promises (A to K): kymo(7).
 */
#ifndef KYMO_LOADER_H
#define KYMO_LOADER_H

#include <kymo/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The largest number of buffers of a loader. */
#define KYMO_LOADER_BUFFERS 64

struct kymo_loader;

/* A record that does not change until it is unpinned. */
struct kymo_snapshot {
    struct kymo_record record;
    uint64_t load; /* from 1: grows with each load, across generations */
    const void *payload;
    uint32_t buffer; /* private to the loader */
};

/* Counters of a loader. */
struct kymo_loader_stats {
    uint64_t loaded;   /* records copied */
    uint64_t missed;   /* records published while another one was copied */
    uint64_t skipped;  /* times all buffers were pinned */
    uint64_t reopened; /* replaced generations followed */
    uint32_t buffers;  /* buffers allocated */
};

/*
 * Starts a loader for that segment. `max_buffers`: 3 to KYMO_LOADER_BUFFERS, 0 for 8. Errors: as
 * kymo_reader_open; -EINVAL: max_buffers; -ENOMEM; -EAGAIN: the thread could not be started.
 */
KYMO_EXPORT int kymo_loader_open(struct kymo_loader **loader, const char *name,
                                 uint32_t max_buffers);

/* The same, with the cause of a failure in *diagnostic. */
KYMO_EXPORT int kymo_loader_open_diagnosed(struct kymo_loader **loader, const char *name,
                                           uint32_t max_buffers,
                                           struct kymo_diagnostic *diagnostic);

/* Ends the thread and frees the buffers, within 100 ms; no snapshot may be pinned. NULL is allowed.
 * Do not call it in a forked child, where the loader has no thread. */
KYMO_EXPORT void kymo_loader_close(struct kymo_loader *loader);

/*
 * Pins the newest record, which remains the newest after its segment was removed. -EAGAIN: loads
 * came in between KYMO_RETRIES times in a row. If none was loaded yet: -ENODATA, or the error of
 * the loader: -ENOENT, -EIDRM (the segment was removed, and a new one does not exist yet),
 * -EBADMSG, -ENOMEM.
 */
KYMO_EXPORT int kymo_loader_pin(struct kymo_loader *loader, struct kymo_snapshot *snapshot);

/* Releases a snapshot; once for each pin. */
KYMO_EXPORT void kymo_loader_unpin(struct kymo_loader *loader, struct kymo_snapshot *snapshot);

/*
 * Pins the newest record once it is a later load than `seen` (snapshot.load of the last one; 0:
 * any), waiting until `deadline` (CLOCK_MONOTONIC ns). Positions restart when a segment is
 * replaced; loads do not, so the first record of a new generation is never skipped. While the
 * segment does not exist, waits for its next generation. -ETIMEDOUT, -EAGAIN, -EBADMSG, -ENOMEM: as
 * kymo_loader_pin.
 */
KYMO_EXPORT int kymo_loader_pin_wait(struct kymo_loader *loader, uint64_t seen, uint64_t deadline,
                                     struct kymo_snapshot *snapshot);

/*
 * Pins a record at least as new as the newest that was published when the call began, waiting for its
 * load until `deadline` (CLOCK_MONOTONIC ns): without it, a pin may return the record before. After a
 * replacement that is a record of the new generation, if it had one; after a removal, the newest that
 * was loaded. -ENODATA: no record was published
 * yet. -ETIMEDOUT, also if all buffers are pinned; -EAGAIN, -EBADMSG, -ENOMEM: as kymo_loader_pin.
 */
KYMO_EXPORT int kymo_loader_pin_current(struct kymo_loader *loader, uint64_t deadline,
                                        struct kymo_snapshot *snapshot);

/* Copies the counters. Any thread may call it. */
KYMO_EXPORT void kymo_loader_get_stats(struct kymo_loader *loader, struct kymo_loader_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
