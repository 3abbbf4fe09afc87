/*
 * kymo.h - all headers of the library for C.
 *
 *     #include <kymo/kymo.h>
 *
 *     int main(void)
 *     {
 *         struct kymo_reader *reader;
 *         struct kymo_record record;
 *         double celsius;
 *         int error = kymo_reader_open(&reader, "room");
 *
 *         if (!error)
 *             error = kymo_ring_latest(reader, &celsius, sizeof(celsius), &record);
 *         if (error)
 *             return 1;
 *         kymo_reader_close(reader);
 *         return celsius > 30;
 *     }
 *
 * Promises (A to K): kymo(7).
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
#include <kymo/series.h>
#include <kymo/stats.h>
#include <kymo/text.h>
#include <kymo/typed.h>
#include <kymo/value.h>

#endif
