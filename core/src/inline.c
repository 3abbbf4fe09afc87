/*
 * inline.c - every inline body of the public headers once more, as a real symbol: for bindings and
 * for languages that cannot include C.
 */
#define KYMO_INLINE __attribute__((visibility("default")))

/* They are prototyped by being defined here. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#include <kymo/kymo.h>
