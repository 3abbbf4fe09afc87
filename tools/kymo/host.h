/*
 * host.h - this machine's own counters, from /proc, as records.
 */
#ifndef KYMO_TOOLS_HOST_H
#define KYMO_TOOLS_HOST_H

#include <stdbool.h>

#include <kymo/schema.h>

/* Where the time of all processors, or of one, went so far, in ticks. */
struct ticks {
    uint64_t user; /* at any priority */
    uint64_t system;
    uint64_t idle;
    uint64_t iowait;
    uint64_t irq; /* hard and soft */
    uint64_t steal;
};

struct processor {
    struct ticks ticks;
    bool online;
};

/* What went in and out so far. */
struct traffic {
    uint64_t time; /* CLOCK_MONOTONIC ns when it was read, 0: never */
    uint64_t in_bytes;
    uint64_t out_bytes;
    uint64_t in_count; /* packets, or requests */
    uint64_t out_count;
};

/* What has to be remembered from one sample to the next, for shares and rates. */
struct host {
    const char *proc; /* "/proc" */
    const char *sys;  /* "/sys" */
    uint32_t cpus;    /* processors that the machine may have */
    struct ticks ticks;
    struct processor *processors;
    struct traffic net;
    struct traffic disk;
};

/* 0, or -ENOMEM. The strings stay the caller's. */
int host_begin(struct host *host, const char *proc, const char *sys);
void host_end(struct host *host);

/* One segment. */
struct host_source {
    const char *name;
    const char *path; /* what it reads, below host->proc */
    const struct kymo_schema *schema;
    bool per_cpu; /* the field busy[cpus] follows those of the schema */
    /*
     * Fills in the payload, which holds what the sample before left there, zeros at first. `now`:
     * CLOCK_MONOTONIC ns. Shares and rates are those since the sample before; in the first, shares
     * are those since the machine started, and rates are NaN.
     * 0, or a negative errno; -EBADMSG: the file is not as expected.
     */
    int (*sample)(struct host *host, uint64_t now, void *payload);
};

#define HOST_SOURCES 5

extern const struct host_source host_sources[HOST_SOURCES];

/* The most fields that a source has. */
#define HOST_FIELDS 16

/* What a source's payload is on this machine; its fields go into fields[HOST_FIELDS]. */
struct kymo_schema host_schema(const struct host *host, const struct host_source *source,
                               struct kymo_field *fields);

#endif
