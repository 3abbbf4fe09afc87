/*
 * render_fixture.h - segments and requests for tests of render/, without a mount.
 */
#ifndef KYMO_TEST_RENDER_FIXTURE_H
#define KYMO_TEST_RENDER_FIXTURE_H

#include "private_directory.h"

#include "base/counters.h"
#include "base/shares.h"
#include "render/history.h"

extern struct registry *registry;

void open_fixture(void);

void close_fixture(void);

/* ---- segments ---- */

/* Record n has time 10 * n, tag n, and n in its first eight bytes. */
void publish_next(struct kymo_writer *writer, uint64_t count);

struct kymo_writer *open_writer(const char *name, const char *fields, uint64_t depth);

void publish(const char *name, const char *fields, uint64_t count);

/* One record of that time. */
void publish_at(const char *name, enum kymo_clock clock, uint64_t time);

/* Sets the sequence number in the slot of that position. */
void set_sequence(const char *name, uint64_t pos, uint64_t sequence);

/* ---- requests ---- */

void begin_request(struct request *request, const char *name);

void end_request(struct request *request);

void set_instant(struct request *request, uint64_t time);

int find_newest(const struct request *request, uint64_t *pos);

int find_closest(const struct request *request, uint64_t *pos);

/* ---- segments that are larger than memory ---- */

/* One record of `len` bytes that were never written. */
void publish_sparse(const char *name, const char *fields, uint64_t depth, uint32_t size,
                    size_t len);

/* Sets the head in the writer's page. */
void set_head(const char *name, uint64_t head);

/* Anonymous memory of this process, bytes. */
uint64_t resident(void);

#endif
