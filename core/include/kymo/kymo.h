/*
 * kymo.h - all of the library.
 */
#ifndef KYMO_KYMO_H
#define KYMO_KYMO_H

#include <kymo/atomic.h>
#include <kymo/image.h>
#include <kymo/key.h>
#include <kymo/layout.h>
#include <kymo/loader.h>
#include <kymo/metrics.h>
#include <kymo/queue.h>
#include <kymo/ring.h>
#include <kymo/schema.h>
#include <kymo/segment.h>
#include <kymo/seqlock.h>
#include <kymo/series.h>
#include <kymo/stats.h>
#include <kymo/text.h>
#include <kymo/typed.h>
#include <kymo/value.h>

#endif
