/*
 * counters.h - what the daemon has done so far, for the daemon's own metrics.
 *
 * One set for the process. All functions may be called from any thread; a counter that is read
 * beside its changes is as old as its last load.
 */
#ifndef KYMOFS_COUNTERS_H
#define KYMOFS_COUNTERS_H

#include <stdint.h>

enum counter {
    COUNTER_RETRIES,        /* records read anew because their writer came by */
    COUNTER_STREAM_RECORDS, /* records put into a stream's lines; each once for all its readers */
    COUNTER_STREAM_MISSED,  /* records that a reader of a stream was told it had missed */
    COUNTER_STREAMS,        /* streams that are open now: a gauge */
    COUNTER_COUNT
};

void counter_add(enum counter counter, uint64_t count);
void counter_take(enum counter counter, uint64_t count); /* of a gauge */
uint64_t counter_value(enum counter counter);

/* Requests of the kernel, by the opcode in <linux/fuse.h>. Beyond the limit all count as opcode 0,
 * which is none. */
#define COUNTER_OPCODES 64

void counter_add_request(uint32_t opcode);
uint64_t counter_requests(uint32_t opcode);

/* "lookup", "read", ... ; NULL for an opcode that has no name here: it counts all the same. */
const char *counter_request_name(uint32_t opcode);

#endif
