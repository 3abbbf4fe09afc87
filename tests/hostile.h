/*
 * hostile.h - reads a segment of any content in every way, into buffers with a guard page: each result is a record within bounds, or an expected error (promise F).
 */
#ifndef KYMO_TEST_HOSTILE_H
#define KYMO_TEST_HOSTILE_H

#include <kymo/kymo.h>

/* A buffer for one payload, followed by an inaccessible page. */
struct fenced {
    unsigned char *map;
    size_t mapped;
    unsigned char *bytes;
    size_t size;
};

struct fenced fence(size_t size);

/* The expected errors of reads. */
void expect_known(int error, const struct kymo_record *record, size_t size);

void read_everything(const struct kymo_reader *reader);

#endif
