/*
 * checked.h - self-checking records: payload, length, tag and time follow from the position, so a
 * reader detects a torn or misplaced record.
 *
 * Times have ties of up to 40 records and gaps of eleven orders of magnitude, in a pattern that
 * repeats every CHECKED_PERIOD records: the position of any time is a closed form.
 */
#ifndef KYMO_TEST_CHECKED_H
#define KYMO_TEST_CHECKED_H

#include <stdio.h>

#include <kymo/kymo.h>

#define CHECKED_PERIOD UINT64_C(4096)
#define CHECKED_ORIGIN UINT64_C(1000) /* ns: the time of position 0 */

/* The finaliser of splitmix64 (Steele, Lea, Flood 2014). */
uint64_t checked_mix(uint64_t value);

/* Replaces the differences between times: `gap` returns the ns before the record at index, from 1 to
 * CHECKED_PERIOD. */
void checked_set_gaps(uint64_t (*gap)(uint64_t index));

uint64_t checked_time(uint64_t pos);

/* The first position with a time after `time`. */
uint64_t checked_after(uint64_t time);

/* Tags do not decrease: of three, two are equal, and every other one is left out. */
uint64_t checked_tag(uint64_t pos);

/* The first position with a tag after `tag`. */
uint64_t checked_after_tag(uint64_t tag);

/* From half of `size` to `size`, so that a length read from another record is detected. */
uint32_t checked_len(uint64_t pos, uint32_t size);

void checked_fill(void *payload, uint64_t pos, uint32_t len);

/* Names the part of the record that does not fit its position, or returns NULL. `size` is the segment's. */
const char *checked_fault(const struct kymo_record *record, const void *payload, uint32_t size);

/* Publishes the record of the writer's next position; buffer has the segment's size. */
int checked_publish(struct kymo_writer *writer, void *buffer);

/* The same in place. The payload is shared, so it is written by the library's copy for racing data. */
int checked_commit(struct kymo_writer *writer, void *buffer);

#endif
