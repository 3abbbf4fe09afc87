/*
 * private_directory.h - a segment directory for one test, which only the test's own files are in.
 */
#ifndef KYMO_TEST_PRIVATE_DIRECTORY_H
#define KYMO_TEST_PRIVATE_DIRECTORY_H

#include "test.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char private_directory[PATH_MAX];

/* Below $KYMO_DIR, which the test runner sets; all users may search it, as /dev/shm. */
void private_directory_make(void);

void private_directory_remove(void);

const char *private_path(const char *name);

/* While it is set, segments are created sparse: they may be larger than memory. */
extern bool is_sparse;

#endif
