/*
 * counters.h - events since the daemon started, for its own metrics.
 *
 * One set for the process. Any thread; a value that is read beside its changes may be slightly old.
 */
#ifndef KYMOFS_COUNTERS_H
#define KYMOFS_COUNTERS_H

#include <stdint.h>

enum counter {
    COUNTER_RETRIES,        /* records read again because the writer overwrote them */
    COUNTER_ROWS_MEASURED,  /* rows of histories whose lengths were computed */
    COUNTER_STREAM_RECORDS, /* records put into lines of streams; once for all readers */
    COUNTER_STREAM_MISSED,  /* records that readers of streams were reported to have missed */
    COUNTER_STREAMS,        /* open streams: a gauge */
    COUNTER_COUNT
};

void counter_add(enum counter counter, uint64_t count);
void counter_sub(enum counter counter, uint64_t count); /* of a gauge */
uint64_t counter_value(enum counter counter);

/* Requests of the kernel, by the opcode in <linux/fuse.h>; those beyond the limit count as opcode 0,
 * which does not exist. */
#define COUNTER_OPCODES 64

void counter_add_request(uint32_t opcode);
uint64_t counter_requests(uint32_t opcode);

/* "lookup", "read", ...; NULL: no name is known. */
const char *counter_request_name(uint32_t opcode);

#endif
