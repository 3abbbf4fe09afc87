/*
 * text.h - records, schemas and times as text: one grammar and one spelling for the file view, the
 * command line and bindings.
 *
 * All of it is cold: it allocates. Numbers are spelled alike in every locale: integers exactly,
 * floating point in the fewest digits that read back as the same value (of the field's own width),
 * "null" for NaN and infinities. Text that is not UTF-8 has its bad bytes replaced by U+FFFD.
 */
#ifndef KYMO_TEXT_H
#define KYMO_TEXT_H

#include <stdarg.h>

#include <kymo/ring.h>
#include <kymo/series.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Text that grows. Begin with {0}; data is NULL or ends with a zero byte. An append that lacks
 * memory sets error to -ENOMEM and drops what it had; all later ones do nothing, so that a caller
 * looks at error once, at the end. One thread at a time.
 */
struct kymo_text {
    char *data;
    size_t len; /* bytes, without the zero */
    size_t capacity;
    int error; /* 0, or -ENOMEM */
};

/* Empties it and keeps the memory; error is 0 again. */
KYMO_EXPORT void kymo_text_clear(struct kymo_text *text);
KYMO_EXPORT void kymo_text_free(struct kymo_text *text);
KYMO_EXPORT void kymo_text_append(struct kymo_text *text, const void *bytes, size_t len);
KYMO_EXPORT void kymo_text_string(struct kymo_text *text, const char *string);
KYMO_EXPORT void kymo_text_printf(struct kymo_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Drops the text from len on. */
KYMO_EXPORT void kymo_text_truncate(struct kymo_text *text, size_t len);

KYMO_EXPORT void kymo_text_u64(struct kymo_text *text, uint64_t value);
KYMO_EXPORT void kymo_text_i64(struct kymo_text *text, int64_t value);
KYMO_EXPORT void kymo_text_f32(struct kymo_text *text, float value);
KYMO_EXPORT void kymo_text_f64(struct kymo_text *text, double value);
/* A JSON string with its quotes; `len` bytes, which may hold anything. */
KYMO_EXPORT void kymo_text_quoted(struct kymo_text *text, const char *bytes, size_t len);
/* Two hex digits a byte, without quotes. */
KYMO_EXPORT void kymo_text_hex(struct kymo_text *text, const void *bytes, size_t len);
/* ns since 1970 as RFC 3339 in UTC with nine decimals: 2026-01-31T23:59:59.000000001Z. */
KYMO_EXPORT void kymo_text_when(struct kymo_text *text, uint64_t realtime);
/* ns as people say it: "12.5s", "3ms", "0s"; six significant digits. */
KYMO_EXPORT void kymo_text_duration(struct kymo_text *text, uint64_t ns);

/*
 * A record as one JSON object, without a newline:
 *
 *     {"pos":12,"time":123456789,"tag":0,"data":{"accel":[0.1,0.2,9.8],"temperature":21.5}}
 *
 * REALTIME adds "when" behind "time". Arrays nest as their shapes do; char arrays are strings up to
 * their first zero; bool is true or false. Where schema is NULL or has no fields, data is a string
 * of hex, but for the pixels of an image, which are null. Fields beyond record->len are null.
 */
KYMO_EXPORT void kymo_text_record(struct kymo_text *text, const struct kymo_schema *schema,
                                  enum kymo_clock clock, const struct kymo_record *record,
                                  const void *payload);

/*
 * The pair around `time`, with its numeric fields interpolated as enum kymo_interp says (bool and char
 * are taken from the earlier record, integers become floating point), as one JSON object:
 *
 *     {"time":15,"alpha":0.5,"data":{...},"before":{record},"after":{record}}
 */
KYMO_EXPORT void kymo_text_bracket(struct kymo_text *text, const struct kymo_schema *schema,
                                   enum kymo_clock clock, uint64_t time,
                                   const struct kymo_bracket *bracket, const void *before,
                                   const void *after);

/* The names of a record's columns, and a record, as lines of RFC 4180 CSV with "\n":
 * pos,time,tag,accel.0,accel.1,... or pos,time,tag,data without a schema. null is an empty cell. */
KYMO_EXPORT void kymo_text_csv_header(struct kymo_text *text, const struct kymo_schema *schema);
KYMO_EXPORT void kymo_text_csv(struct kymo_text *text, const struct kymo_schema *schema,
                               const struct kymo_record *record, const void *payload);

/* One element of a field, as JSON spells it; a char field is taken whole, without quotes. `len`:
 * bytes of payload. */
KYMO_EXPORT void kymo_text_element(struct kymo_text *text, const struct kymo_field *field,
                                   uint32_t element, const void *payload, size_t len);

/* The number in one element, bool as 0 and 1; NaN for char and beyond len. */
KYMO_EXPORT double kymo_element_value(const struct kymo_field *field, uint32_t element,
                                      const void *payload, size_t len);

/* The schema as one JSON object: {"size":16,"fields":[{"name":"accel","type":"f32","shape":[3],
 * "offset":0,"unit":"m/s^2","metric":"gauge","interp":"linear","help":"..."},...]}. */
KYMO_EXPORT void kymo_text_schema(struct kymo_text *text, const struct kymo_schema *schema);

/* The segment as lines of "key: value", as in the file `info`: kind, depth, clock, layout, writer
 * state and pid, age, records, rate, counters. -EIDRM, -EBADMSG: as kymo_segment_liveness. */
KYMO_EXPORT int kymo_text_info(struct kymo_text *text, const struct kymo_reader *reader);

/* The same as of `time`, ns on the segment's clock: records after it do not count, and age is
 * `time` less the newest one's. What is known of the present alone, the writer and its counters, is
 * left out. -ESTALE also: what was there then has been overwritten. */
KYMO_EXPORT int kymo_text_info_as_of(struct kymo_text *text, const struct kymo_reader *reader,
                                     uint64_t time);

/*
 * TIME: an instant on `clock`, ns, into *time.
 *     1234567            nanoseconds
 *     12.5s  1500ms      with a unit: ns us ms s min h d
 *     now  -2s  now-250ms  now+1s   relative to `now`, ns; not for KYMO_USER
 *     2026-01-31T23:59:59.5Z  +02:00 instead of Z, a blank instead of T: KYMO_REALTIME only
 * Digits beyond a nanosecond are cut off. What lies farther back from now than the clock's 0 is 0, the
 * oldest that there can be. -EINVAL: not that. -ERANGE: a date before 1970, or beyond 2^64-1.
 */
KYMO_EXPORT int kymo_time_parse(const char *text, enum kymo_clock clock, uint64_t now,
                                uint64_t *time);

/* DUR: as TIME without now, sign and date: "250ms", "1.5s", "1000" (ns). Errors as TIME. */
KYMO_EXPORT int kymo_duration_parse(const char *text, uint64_t *ns);

#ifdef __cplusplus
}
#endif

#endif
