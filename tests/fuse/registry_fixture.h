/*
 * registry_fixture.h - a registry of a private segment directory, and segments for it.
 */
#ifndef KYMO_TEST_REGISTRY_FIXTURE_H
#define KYMO_TEST_REGISTRY_FIXTURE_H

#include "private_directory.h"

#include "registry/registry.h"

/* ---- segments ---- */

/* Records whose payload is 0, 1, ... count - 1. */
void publish_with(const char *name, const struct kymo_options *options, uint64_t count);

void publish(const char *name, uint64_t count, uint32_t mode);

void publish_many(const char *prefix, int count, uint32_t uid);

/* ---- a registry ---- */

extern struct registry *registry;
extern uint32_t changes; /* reported by the registry */
extern uint32_t skips;

void open_registry(void);
void begin(void);
void end(void);

int find_error(const char *name);
struct segment *find(const char *name);
ssize_t count_listed(void);

/* The newest payload, or -errno. */
int64_t read_newest(const char *name);

bool waits_until(uint32_t *counter, uint32_t value);

#endif
