/*
 * history_store.h - what the histories of one segment share: the lengths of rows that have been
 * measured, and blocks of copied records.
 *
 * Blocks never change after they have been filled, so that reads need no lock. If a history needs more
 * records than a block has, a new block replaces it; histories that are open keep the old one.
 *
 * No function waits for another thread's work: the lock is held for a few memory accesses, and never
 * across budget_pause().
 */
#ifndef KYMOFS_HISTORY_STORE_H
#define KYMOFS_HISTORY_STORE_H

#include <pthread.h>

#include "history_rows.h"

/* Rows whose lengths are remembered as one sum: those of the positions with the same number above the
 * lowest group_shift bits. */
struct row_group {
    uint64_t number;
    uint32_t length; /* bytes of the rows [first, end) */
    uint16_t first;  /* rows, relative to the group's first position */
    uint16_t end;    /* 0: empty */
};

/* Copies of the records [first, end). */
struct block {
    uint64_t number;
    uint64_t first;
    uint64_t end;
    uint32_t users;      /* histories */
    bool is_current;     /* is in the store's tree */
    struct charge owner; /* who is charged */
    unsigned char *data;
    size_t size;
    uint32_t starts[]; /* of each group's first record in data */
};

struct history_store {
    struct segment_cache cache;
    struct row_layout layout;
    unsigned int group_shift;
    unsigned int block_shift;
    uint64_t group_mask;  /* of the tables of lengths */
    pthread_mutex_t lock; /* for all that follows, and the blocks' users and is_current */
    struct row_group *lengths[HISTORY_FORMATS]; /* direct-mapped by number; NULL: none yet */
    void *blocks;                               /* tsearch(3), by number */
    uint64_t header_length;                     /* of the CSV header; 0: not known */
};

/* The store of the request's segment; lives as long as that. -ENOMEM. */
int store_get(const struct request *request, struct history_store **store);

bool store_find_length(struct history_store *store, enum history_format format, uint64_t number,
                       struct row_group *group);
void store_set_length(struct history_store *store, enum history_format format,
                      const struct row_group *group);

/* Adds the lengths of the next groups that are known and whole. Returns the position behind them, or
 * `pos`. The lock is held for about 1 us at most. */
uint64_t store_add_lengths(struct history_store *store, enum history_format format, uint64_t pos,
                           uint64_t end, uint64_t *sum);

/* One open or stat. */
struct copying {
    struct history_store *store;
    struct request *request;
    enum history_format format;
    struct row_buffer buffer;
    uint64_t charged; /* bytes */
    uint64_t lost;    /* the record that could not be read */
};

/* Copies the records [from, to) of the ring into the buffer. -ESTALE: copying->lost was overwritten;
 * -ENOMEM; else as reads. */
int copy_records(struct copying *copying, uint64_t from, uint64_t to);

/* A block that holds the records [from, to), which have its number, with one more user. Errors as
 * copy_records(). */
int block_get(struct copying *copying, uint64_t from, uint64_t to, struct block **block);
void block_put(struct history_store *store, struct block *block);

struct row_cursor block_seek(const struct history_store *store, const struct block *block,
                             uint64_t pos);

#endif
