/*
 * compact.h - a segment's file without its empty pages, as the input of a fuzz target, and the file made from such an input.
 *
 * A byte of enum compact_repair, a byte for the error of the file's size, then header, fields,
 * control, bell, consumer, its bell, times, and the slots, each with COMPACT_PAYLOAD bytes at most.
 * The repairs make a hostile header pass the checks that any flipped bit fails.
 */
#ifndef KYMO_FUZZ_COMPACT_H
#define KYMO_FUZZ_COMPACT_H

#include "fuzz.h"

#define COMPACT_FIELDS  16u
#define COMPACT_SLOTS   64u
#define COMPACT_PAYLOAD 64u
#define COMPACT_LIMIT   ((uint64_t)512 << 10) /* larger files are sparse behind their schema */

enum compact_repair {
    COMPACT_SIGN = 1,      /* the checksum is correct */
    COMPACT_PLAN = 2,      /* offsets and sizes are those of the options */
    COMPACT_SMALL = 4,     /* depth and size are within their ranges */
    COMPACT_VERSION = 8,   /* magic, version, byte order, page, word */
    COMPACT_SEQUENCE = 16, /* slots hold the records up to head */
    COMPACT_STATE = 32,    /* open or closed, not retired */
    COMPACT_ALL = 63
};

struct compact {
    uint8_t repairs;
    int8_t excess; /* bytes by which the file is too long */
    struct kymo_header header;
    struct kymo_field fields[COMPACT_FIELDS];
    uint32_t field_count;
    unsigned char file[COMPACT_LIMIT];
};

/* Fills compact->file, header and all, from the input. Returns how many bytes of it the file has;
 * header.file_size may be more. */
size_t compact_expand(struct compact *compact, struct fuzz_input *input);

/* The input that expands to the file of a valid segment; free() it. */
unsigned char *compact_from_file(const unsigned char *file, uint8_t repairs, size_t *size);

#endif
