/*
 * host.h - this machine's counters, from /proc, as records.
 */
#ifndef KYMO_TOOLS_HOST_H
#define KYMO_TOOLS_HOST_H

#include <stdbool.h>

#include <kymo/schema.h>

/* CPU time since boot of all processors, or of one, in ticks. */
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

/* Transferred data since boot. */
struct traffic {
    uint64_t time; /* when it was read, CLOCK_MONOTONIC ns; 0: never */
    uint64_t in_bytes;
    uint64_t out_bytes;
    uint64_t in_count; /* packets, or requests */
    uint64_t out_count;
};

/* The previous sample, for shares and rates. */
struct host {
    const char *proc; /* "/proc" */
    const char *sys;  /* "/sys" */
    uint32_t cpus;    /* configured processors */
    struct ticks ticks;
    struct processor *processors;
    struct traffic net;
    struct traffic disk;
};

/* 0, or -ENOMEM. The strings must stay valid until host_end. */
int host_begin(struct host *host, const char *proc, const char *sys);
void host_end(struct host *host);

/* One segment. */
struct host_source {
    const char *name;
    const char *path; /* of its file below host->proc */
    const struct kymo_schema *schema;
    bool per_cpu; /* the field busy[cpus] follows those of the schema */
    /*
     * Updates the payload, which holds the previous sample (zeros at first). `now`: CLOCK_MONOTONIC
     * ns. Shares and rates cover the time since the previous sample; in the first, shares cover the
     * time since boot, and rates are NaN. 0, or a negative errno; -EBADMSG: unexpected format.
     */
    int (*sample)(struct host *host, uint64_t now, void *payload);
};

#define HOST_SOURCES 5

extern const struct host_source host_sources[HOST_SOURCES];

/* Upper bound of the fields of a source. */
#define HOST_FIELDS 16

/* The schema of a source on this machine; its fields are stored in fields[HOST_FIELDS]. */
struct kymo_schema host_schema(const struct host *host, const struct host_source *source,
                               struct kymo_field *fields);

#endif
