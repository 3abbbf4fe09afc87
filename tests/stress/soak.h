/*
 * soak.h - all faults at once, for minutes, with every read checked.
 * soak.c          the table of events, the loop that causes them, the report at the end
 *     soak_actors.c   the processes that write and read
 * soak_clocks.c   those processes that depend on clocks
 *     clocks.h        clocks that step
 *
 * Actors and the loop share one arena: the loop's requests, and the actors' counts.
 */
#ifndef KYMO_TEST_SOAK_H
#define KYMO_TEST_SOAK_H

#include "oracle.h"
#include "proc/process.h"

enum soak_event {
    WRITER_KILLED,
    WRITER_STOPPED,
    WRITER_ENDED,
    WRITER_REPLACED,
    WRITER_FORKED,
    SHARED_WRITER_KILLED,
    PRODUCER_KILLED,
    CONSUMER_KILLED,
    READER_KILLED,
    CLOCK_SET_FORWARD,
    CLOCK_SET_BACK,
    MACHINE_SUSPENDED,
    MACHINE_FROZEN,
    SEGMENT_TRUNCATED,
    SEGMENT_CORRUPTED,
    SEGMENT_REMOVED,
    MEMORY_FILLED,
    DESCRIPTORS_EXHAUSTED,
    DAEMON_KILLED,
    DAEMON_ENDED,
    SOAK_EVENTS
};

/* Kinds of reads. */
enum soak_reads {
    READ_BY_OWNER,    /* may write the bell */
    READ_BY_GUEST,    /* may not */
    READ_BY_QUESTION, /* closest, as_of, bracket, range */
    READ_IN_ORDER,    /* by cursors */
    READ_FROM_QUEUE,
    READ_THROUGH_MOUNT,
    READ_BY_THE_CLOCK, /* on clocks that step */
    READ_OF_NOW,       /* through the mount or by kymo, compared with the clock */
    READ_OF_VICTIMS,   /* damaged segments: any result except a crash */
    SOAK_READS
};

struct soak_arena {
    uint64_t events[SOAK_EVENTS];
    uint64_t reads[SOAK_READS];
    uint64_t published;
    uint64_t wrong;
    char what[512];  /* the first that was wrong */
    uint64_t leaked; /* descriptors, by actors that ended by themselves */
    uint32_t ending;
    uint32_t forks_requested;
    uint64_t consumed; /* the queue's position up to which the consumer has acknowledged */
};

extern struct soak_arena *soak;

#define SOAK_FLOWS   3
#define SOAK_CLOCKS  4
#define SOAK_VICTIMS 2
#define SOAK_DEPTH   UINT64_C(64)
#define SOAK_SIZE    200 /* bytes */

/* An actor ends on SIGTERM; `number` is its index among its kind. */
struct soak_actor {
    const char *name;
    int (*run)(void *actor);
    uint64_t number;
    uint64_t is_readonly;  /* runs as the user nobody, who may not write */
    uint64_t replaces;     /* its next writer starts a new generation */
    enum soak_event death; /* what killing it counts as; SOAK_EVENTS: it is not killed */
    int needs_mount;
    pid_t pid;
    uint64_t stopped_until; /* CLOCK_MONOTONIC ns; 0: it runs */
};

extern struct soak_actor soak_actors[];
extern const size_t soak_actor_count;

/* The mount point of kymofs, or "". */
extern char soak_mount[256];

/* The program kymo, or NULL. */
extern const char *soak_kymo;

/* ---- functions of all actors ---- */

extern volatile sig_atomic_t soak_shall_end;

void soak_begin(const struct soak_actor *actor);
uint64_t soak_roll(uint64_t sides);
void soak_sleep(uint64_t ns);

/* Waits for space, and for the end of the last writer. NULL if the actor shall end, and neither occurs within a second. */
struct kymo_writer *soak_open_writer(const char *name, const struct kymo_options *options);

/* Whether a read may return this error. */
int soak_is_allowed(int error);

/* Parses a line of JSON with hex data. Returns 0 if it is invalid. */
int soak_parse_line(const char *line, struct kymo_record *record, void *payload, size_t size);

int soak_write_clocks(void *actor);
int soak_read_clocks(void *actor);
int soak_query_clocks(void *actor);

/* ---- */

void soak_name(char *text, size_t size, const char *kind, uint64_t number);

/* Counts a wrong answer, and keeps the first. */
void soak_blame(const char *format, ...) __attribute__((format(printf, 1, 2)));

void soak_count(uint64_t *counter);

/* Descriptors that this process has open. */
size_t soak_descriptors(void);

#endif
