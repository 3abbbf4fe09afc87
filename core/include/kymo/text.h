/*
 * text.h - records, schemas and times as text: one grammar for kymofs, the kymo command and
 * bindings.
 *
 *     #include <kymo/text.h>
 *
 *     #include <stdio.h>
 *
 *     int print_age(uint64_t ns)
 *     {
 *         struct kymo_text text = {NULL, 0, 0, 0};
 *         int error;
 *
 *         kymo_text_duration(&text, ns);
 *         error = text.error;
 *         if (!error)
 *             puts(text.data);
 *         kymo_text_free(&text);
 *         return error;
 *     }
 *
 * All functions allocate memory. Numbers are the same in every locale: integers exact, floating
 * point in the fewest digits that read back as the same value (of the field's width), "null" for
 * NaN, and "1e999" and "-1e999" for infinities, which JSON lacks. Bytes that are not valid UTF-8 are
 * replaced by U+FFFD.
 *
 * Promises (A to K): kymo(7).
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
 * A growing text. Initialize with {0}; data is NULL or ends with a zero byte. If memory runs out,
 * an append sets error to -ENOMEM and empties the text; later appends do nothing, so that one check
 * of error at the end is enough. One thread at a time.
 */
struct kymo_text {
    char *data;
    size_t len; /* bytes, without the zero */
    size_t capacity;
    int error; /* 0, or -ENOMEM */
};

/* Empties the text, keeps the memory, and sets error to 0. */
KYMO_EXPORT void kymo_text_clear(struct kymo_text *text);
KYMO_EXPORT void kymo_text_free(struct kymo_text *text);
KYMO_EXPORT void kymo_text_append(struct kymo_text *text, const void *bytes, size_t len);
KYMO_EXPORT void kymo_text_string(struct kymo_text *text, const char *string);
KYMO_EXPORT void kymo_text_printf(struct kymo_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Shortens the text to len bytes. */
KYMO_EXPORT void kymo_text_truncate(struct kymo_text *text, size_t len);

KYMO_EXPORT void kymo_text_u64(struct kymo_text *text, uint64_t value);
KYMO_EXPORT void kymo_text_i64(struct kymo_text *text, int64_t value);
KYMO_EXPORT void kymo_text_f32(struct kymo_text *text, float value);
KYMO_EXPORT void kymo_text_f64(struct kymo_text *text, double value);
/* `len` bytes of any value as a JSON string, with quotes. */
KYMO_EXPORT void kymo_text_quoted(struct kymo_text *text, const char *bytes, size_t len);
/* Two hex digits per byte, without quotes. */
KYMO_EXPORT void kymo_text_hex(struct kymo_text *text, const void *bytes, size_t len);
/* ns since 1970 as RFC 3339 in UTC with nine decimals: 2026-01-31T23:59:59.000000001Z. */
KYMO_EXPORT void kymo_text_when(struct kymo_text *text, uint64_t realtime);
/* ns with a unit: "12.5s", "3ms", "0s"; six significant digits. */
KYMO_EXPORT void kymo_text_duration(struct kymo_text *text, uint64_t ns);

/*
 * A record as one JSON object, without a newline:
 *
 *     {"pos":12,"time":123456789,"tag":0,"data":{"accel":[0.1,0.2,9.8],"temperature":21.5}}
 *
 * KYMO_REALTIME adds "when" after "time". Arrays nest as their shapes do; char arrays are strings
 * up to their first zero; bool is true or false. If schema is NULL or has no fields, data is a
 * string of hex digits, or null for the pixels of an image. Fields beyond record->len are null.
 */
KYMO_EXPORT void kymo_text_record(struct kymo_text *text, const struct kymo_schema *schema,
                                  enum kymo_clock clock, const struct kymo_record *record,
                                  const void *payload);

/*
 * The pair around `time`, with its numeric fields interpolated as enum kymo_interp says (bool and
 * char are taken from the earlier record, integers become floating point), as one JSON object:
 *
 *     {"time":15,"alpha":0.5,"data":{...},"before":{record},"after":{record}}
 */
KYMO_EXPORT void kymo_text_bracket(struct kymo_text *text, const struct kymo_schema *schema,
                                   enum kymo_clock clock, uint64_t time,
                                   const struct kymo_bracket *bracket, const void *before,
                                   const void *after);

/* The column names of a record, and a record, as lines of RFC 4180 CSV with "\n":
 * pos,time,tag,accel.0,accel.1,... or pos,time,tag,data without a schema. NaN and infinities are nan,
 * inf and -inf; a value beyond the end of the payload is an empty cell. */
KYMO_EXPORT void kymo_text_csv_header(struct kymo_text *text, const struct kymo_schema *schema);
KYMO_EXPORT void kymo_text_csv(struct kymo_text *text, const struct kymo_schema *schema,
                               const struct kymo_record *record, const void *payload);

/* One element of a field, as in JSON; a char field as a whole, without quotes. `len`: bytes of
 * payload. */
KYMO_EXPORT void kymo_text_element(struct kymo_text *text, const struct kymo_field *field,
                                   uint32_t element, const void *payload, size_t len);

/* The value of one element, bool as 0 and 1; NaN for char and beyond len. */
KYMO_EXPORT double kymo_element_value(const struct kymo_field *field, uint32_t element,
                                      const void *payload, size_t len);

/* The schema as one JSON object: {"size":16,"fields":[{"name":"accel","type":"f32","shape":[3],
 * "offset":0,"unit":"m/s^2","metric":"gauge","interp":"linear","help":"..."},...]}. */
KYMO_EXPORT void kymo_text_schema(struct kymo_text *text, const struct kymo_schema *schema);

/* The segment as lines of "key: value", as in the file `info`: kind, depth, clock, layout, writer
 * state and pid, age, records, rate, counters. Keys contain their unit, as in age_seconds. The length of
 * the text changes only when the segment changes, for ages below 10^9 s. -EIDRM, -EBADMSG: as
 * kymo_segment_liveness. */
KYMO_EXPORT int kymo_text_info(struct kymo_text *text, const struct kymo_reader *reader);

/* The same as of `time`, ns on the segment's clock: records after it do not count, and age is
 * `time` minus the newest record's. The writer and its counters, which have no history, are
 * omitted. -ESTALE also: the newest record at that time has been overwritten. */
KYMO_EXPORT int kymo_text_info_as_of(struct kymo_text *text, const struct kymo_reader *reader,
                                     uint64_t time);

/*
 * TIME: an instant on `clock`, ns, into *time.
 *     1234567            nanoseconds
 *     12.5s  1500ms      with a unit: ns us ms s min h d
 *     now  -2s  now-250ms  now+1s   relative to `now`, ns; not for KYMO_USER
 *     2026-01-31T23:59:59.5Z  +02:00 instead of Z, a blank instead of T: KYMO_REALTIME only
 * Digits beyond a nanosecond are ignored. A time before the clock's 0 is 0. -EINVAL: none of these.
 * -ERANGE: a date before 1970, or a time beyond 2^64-1.
 */
KYMO_EXPORT int kymo_time_parse(const char *text, enum kymo_clock clock, uint64_t now,
                                uint64_t *time);

/* DUR: as TIME without now, sign and date: "250ms", "1.5s", "1000" (ns). Errors as TIME. */
KYMO_EXPORT int kymo_duration_parse(const char *text, uint64_t *ns);

#ifdef __cplusplus
}
#endif

#endif
