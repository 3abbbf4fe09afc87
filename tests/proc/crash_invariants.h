/*
 * crash_invariants.h - what must hold in a segment directory after a crash (promises C: a crash loses
 * at most one record, H: liveness, I: no unfinished segment has a name), for readers, the next writer
 * of the same and of another layout, the other end of a queue, reap and remove.
 */
#ifndef KYMO_TEST_CRASH_INVARIANTS_H
#define KYMO_TEST_CRASH_INVARIANTS_H

#include "crash_case.h"
#include "test.h"

#define UNLINKED_NAME \
    "unlinked" /* the temporary name under which an unlinked generation is opened */

/* A state after a crash, and the case that led to it. */
struct state {
    const struct crash_case *crash_case;
    const struct progress *progress;
    const struct snapshot *snapshot;
    ino_t before;      /* the inode of the old generation; 0: none */
    const char *copy;  /* the directory for copies */
    const char *where; /* for messages */
};

/* Sets KYMO_DIR. */
void use_directory(const char *directory);

const struct snapshot_file *find_named(const struct state *state);

int is_new_generation(const struct state *state, const struct snapshot_file *file);

/* Every name refers to a complete segment. */
void expect_names(const struct state *state);

void expect_readable(const struct state *state, const struct reading *reading);

struct kymo_reader *open_reader(const struct state *state, const char *name);

/* What reading the file must return, between the calls that returned and those that began. */
struct reading reading_of(const struct state *state, const struct snapshot_file *file,
                          struct kymo_reader *reader);

/* A reader of an unlinked generation reads all of it, or gets EIDRM. */
void expect_retired(const struct state *state, const struct snapshot_file *file,
                    struct kymo_reader *reader);

/* Publishes `room` records; a queue is full then. */
void expect_room(const struct state *state, struct kymo_writer *writer,
                 const struct kymo_options *options, struct reading *reading, uint64_t room);

void expect_read_and_resumed(const struct state *state, const struct snapshot_file *file);

/* Without a segment of that name, a writer creates one. */
void expect_created(const struct state *state);

/* Receives the records from `from` to `to`, each once and in order; then the queue is empty, or its
 * producer has ended. */
void expect_consumed(const struct state *state, struct kymo_consumer *consumer, uint64_t from,
                     uint64_t to, int acknowledge);

struct kymo_consumer *open_consumer(const struct state *state);

/* The killed consumer had received each record that counts as consumed, and no other. */
void expect_delivered(const struct state *state, const struct snapshot_file *file);

void expect_unfinished_reaped(const struct state *state);

/* All checks. */
void crash_check_invariants(const struct state *state);

#endif
