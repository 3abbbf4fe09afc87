/*
 * inline.c - every inline body of the headers as a symbol: for bindings and languages that cannot
 * include C.
 */
#define KYMO_INLINE __attribute__((visibility("default")))

/* The helpers of kymo/impl have no prototypes. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#include <kymo/kymo.h>
