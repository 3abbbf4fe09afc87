/*
 * text_internal.h - what the text_*.c files share. text.c and text_number.c are the lowest layer;
 * time.c, text_record.c and text_info.c append through them.
 */
#ifndef KYMO_TEXT_INTERNAL_H
#define KYMO_TEXT_INTERNAL_H

#include <kymo/text.h>

/* Ensures capacity for `more` bytes and a zero at data + len; or returns the error, which text
 * keeps. */
int kymo_text_reserve(struct kymo_text *text, size_t more);

/* The content of kymo_text_quoted, without quotes. */
void kymo_text_escaped(struct kymo_text *text, const char *bytes, size_t len);

/* The bytes with invalid UTF-8 replaced, and nothing escaped. */
void kymo_text_repaired(struct kymo_text *text, const char *bytes, size_t len);

/* The value rounded to that many significant digits, 1 to 15. */
void kymo_text_rounded(struct kymo_text *text, double value, int digits);

/* ---- activity.c ---- */

/* The times at both ends of the history; count 0 if it is empty, or was overwritten while it was
 * read. */
struct kymo_activity {
    uint64_t count;
    uint64_t oldest;
    uint64_t newest;
    uint64_t end; /* the position behind the newest */
};

/* The history of the records up to `time`. -EIDRM, -EBADMSG; -ESTALE: overwritten while it was read, or
 * all of them are overwritten by now. */
int kymo_activity_read(const struct kymo_ring *ring, uint64_t time, struct kymo_activity *activity);

/* As kymo_segment_liveness, with the limit of a writer that publishes at the rate of the history. */
int kymo_activity_liveness(const struct kymo_segment *segment,
                           const struct kymo_activity *activity);

/* Records per second; 0 if no writer is alive, negative if it is unknown. */
double kymo_activity_rate(const struct kymo_activity *activity, enum kymo_clock clock,
                          int is_alive);

/* 0 for a liveness of writers that have ended. */
static inline int kymo_live_is_alive(int liveness)
{
    return liveness != KYMO_LIVE_CLOSED && liveness != KYMO_LIVE_DEAD;
}

#endif
