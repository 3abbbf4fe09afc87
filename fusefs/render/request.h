/*
 * request.h - one request: its caller, its budget, and the file that it is about.
 *
 * The layers above fill it and pass it down; renderings take everything they need from it.
 */
#ifndef KYMOFS_REQUEST_H
#define KYMOFS_REQUEST_H

#include "base/budget.h"
#include "base/credentials.h"
#include "base/instant.h"
#include "base/query.h"
#include "registry/registry.h"

struct node_kind;

struct request {
    struct registry *registry;
    struct credentials credentials;
    struct budget budget;
    /* Which file, resolved from its path by node_resolve(): */
    const struct node_kind *kind;
    struct segment *segment;          /* acquired; NULL above the segments */
    const struct kymo_reader *reader; /* the segment's, or one that ends at the instant */
    struct stat status;               /* of the segment's file, or of the directory */
    bool has_instant;                 /* below at/TIME */
    struct instant instant;
    uint64_t number; /* the kind's: records back, or field and element */
    bool raw;        /* NAME.raw: the payload's bytes */
    struct query query;
    /* Finds the record that the file shows; NULL for other files. 0, or an error of the query. */
    int (*find)(const struct request *request, uint64_t *pos);
};

static inline const struct kymo_ring *request_ring(const struct request *request)
{
    return &request->reader->ring;
}

static inline const struct kymo_schema *request_schema(const struct request *request)
{
    return kymo_segment_schema(request->reader->segment);
}

static inline enum kymo_clock request_clock(const struct request *request)
{
    return request->segment->clock;
}

/* The time that "now" means, ns on the segment's clock: the instant, or the current time. 0 for
 * KYMO_USER without an instant. */
static inline uint64_t request_now(const struct request *request)
{
    const enum kymo_clock clock = request_clock(request);

    return request->has_instant ? request->instant.time[clock] : kymo_clock_now(clock);
}

/* The error for records that were overwritten while they were read, each time: current ones are
 * followed by others (-EAGAIN), those of an instant are lost (-ESTALE). */
static inline int request_overtaken(const struct request *request)
{
    return request->has_instant ? -ESTALE : -EAGAIN;
}

#endif
