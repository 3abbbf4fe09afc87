/*
 * render.h - the content of files. All text is made by kymo/text.h, so that the command line prints
 * the same bytes.
 *
 * A render_ function appends the content as of now, or as of the request's instant, to an empty text
 * and returns 0 or a negative errno, after which the text has no meaning. Histories are not text but
 * rows that are rendered as they are read: history.h.
 */
#ifndef KYMOFS_RENDER_H
#define KYMOFS_RENDER_H

#include "request.h"

/* A sparse segment can declare 1 GiB slots, or 2^40 of them, at no cost: no text exceeds this, bytes,
 * or the error is -EFBIG. It suffices for a frame of 7680 x 4320 pixels. */
#define RENDER_LIMIT (UINT64_C(128) << 20)

int render_record(struct request *request, struct kymo_text *text);
int render_field(struct request *request, struct kymo_text *text);
int render_interp(struct request *request, struct kymo_text *text);
int render_info(struct request *request, struct kymo_text *text);
int render_schema(struct request *request, struct kymo_text *text);
int render_picture(struct request *request, struct kymo_text *text);
int render_plot(struct request *request, struct kymo_text *text);
int render_link(struct request *request, struct kymo_text *text);

/* metrics.prom, of all segments that the caller may read. *modified: when the newest of what it shows
 * was published, ns since 1970; 0: nothing was. */
int render_metrics(struct request *request, struct kymo_text *text, uint64_t *modified);

/* Calls render with a reader that ends at the request's instant; without an instant, with the
 * segment's own. -ESTALE: the records of that instant have been overwritten. */
int render_as_of(struct request *request,
                 int (*render)(struct request *request, struct kymo_text *text),
                 struct kymo_text *text);

/*
 * The positions that a query may use now, or that were published up to the request's instant and
 * still remain: low up to, not including, high. Before the first record both are the first position.
 * -ESTALE: the records of the instant have been overwritten; -EIDRM, -EBADMSG: as reads.
 */
int render_window(const struct request *request, struct kymo_window *window);

/* A time on one of the clocks but KYMO_USER, ns. */
struct change {
    enum kymo_clock clock;
    uint64_t time;
};

/* When the newest record was published, up to the request's instant; the segment's creation if
 * there is none, or if its clock is KYMO_USER and it has no heartbeat. */
struct change render_last_change(const struct request *request);

/* In ns since 1970. Reads both clocks: for many segments, convert only the newest of each clock. */
uint64_t render_realtime(struct change change);

static inline uint64_t render_modified(const struct request *request)
{
    return render_realtime(render_last_change(request));
}

/* Bytes that the text does not exceed, whatever is published; possibly beyond RENDER_LIMIT. */
uint64_t render_record_limit(const struct request *request);
uint64_t render_field_limit(const struct request *request);
uint64_t render_interp_limit(const struct request *request);
uint64_t render_info_limit(const struct request *request);

/* For stream/: a bound of the line of JSON or CSV of a record with `len` bytes of payload. */
uint64_t render_line_limit(const struct kymo_schema *schema, uint32_t len);

/* Whether the segment has numeric fields to plot, or frames. */
bool render_has_plot(const struct request *request);
bool render_has_picture(const struct request *request);

/* The number of a file below field/: a field and an element. */
#define RENDER_WHOLE_FIELD UINT32_MAX
static inline uint64_t render_field_number(uint32_t field, uint32_t element)
{
    return (uint64_t)field << 32 | element;
}

#endif
