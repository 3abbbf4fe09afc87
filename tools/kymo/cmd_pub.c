/*
 * cmd_pub.c - kymo pub: publishes records from standard input, each as soon as it is complete.
 */
#include "decode.h"
#include "input.h"
#include "pub.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The error of a call that has printed its message. */
#define REPORTED (-ECANCELED)

/* State of a running pub. */
struct pub {
    struct pub_options *options;
    struct kymo_writer *writer;
    const struct kymo_schema *schema;
    enum kymo_clock clock;
    struct time_format format;
    bool has_text;  /* at least one field is text */
    bool is_shared; /* other writers may publish later times between the read and the publish */
    struct json_decoder *json;
    struct csv *csv; /* NULL before the header line */
    struct input input;
    struct draft draft;
    struct kymo_text joined; /* a line of a table with line breaks in its cells */
    size_t size;             /* bytes of a record */
    uint64_t line;           /* number of the line, or of the raw record, from 1 */
    uint64_t skipped;        /* invalid lines */
};

/* ---- before the segment is opened ---- */

/* Checks all but the input, and allocates what decoding needs. Returns an exit status. */
static int pub_prepare(struct pub *pub)
{
    struct pub_options *options = pub->options;
    int status = pub_complete(options);

    if (status == 0)
        status = pub_time_field(options, &pub->format.field);
    if (status)
        return status;
    pub->schema = &options->schema;
    pub->clock = pub->input.clock = options->segment.clock;
    pub->is_shared = options->segment.flags & KYMO_SHARED_WRITER;
    pub->size = pub->schema->count ? pub->schema->size : options->segment.size;
    for (uint32_t i = 0; i < pub->schema->count; i++)
        pub->has_text |= pub->schema->fields[i].type == KYMO_CHAR;
    pub->format.digits = options->time_digits;
    pub->format.clock = pub->clock;
    pub->format.ignored = !options->time;
    pub->draft.payload = calloc(1, pub->size);
    if (!pub->draft.payload || json_begin(&pub->json, pub->schema, &pub->format))
        return report_errno(options->name, -ENOMEM);
    return 0;
}

/* ---- publishing ---- */

static int draft_time(const struct pub *pub, uint64_t *time, struct problem *problem)
{
    const struct pub_options *options = pub->options;

    if (pub->draft.has_time)
        *time = pub->draft.time;
    else if (pub->format.field)
        return encode_time(pub->format.field, pub->draft.payload, options->time_digits, time,
                           problem);
    else if (options->time)
        return problem_set(problem, "missing time");
    else if (pub->clock == KYMO_USER)
        *time = pub->writer->pos;
    else if (pub->input.arrival && !pub->is_shared)
        *time = pub->input.arrival;
    else
        *time = kymo_clock_now(pub->clock);
    return 0;
}

/* How long one call waits for a full queue, ns. */
#define QUEUE_SLICE UINT64_C(100000000)

/* Waits for the consumer of a full queue, as a pipe does. -EPIPE: it has ended. -EINTR: a signal. */
static int push_draft(struct pub *pub, uint64_t time)
{
    int error;

    do {
        error = input_check(&pub->input);
        if (error == 0)
            error = kymo_queue_push(pub->writer, pub->draft.payload, pub->size, time,
                                    pub->draft.tag, kymo_clock_now(KYMO_MONOTONIC) + QUEUE_SLICE);
    } while (error == -ETIMEDOUT);
    return error;
}

/* Publishes the draft. -EINVAL with the problem if the record is invalid. */
static int draft_publish(struct pub *pub, struct problem *problem)
{
    const uint64_t newest = pub->writer->time;
    struct kymo_diagnostic diagnostic;
    uint64_t time = 0;
    int error = draft_time(pub, &time, problem);

    if (error)
        return error;
    error = kymo_ring_publish(pub->writer, pub->draft.payload, pub->size, time, pub->draft.tag);
    if (error == -EAGAIN && pub->options->no_wait) {
        kymo_writer_diagnose(pub->writer, error, pub->size, time, &diagnostic);
        return problem_set(problem, "%s", diagnostic.text);
    }
    if (error == -EAGAIN)
        error = push_draft(pub, time);
    if (error == -EINVAL)
        return problem_set(problem,
                           "time %" PRIu64 " is before the newest record's, %" PRIu64
                           ": use --clamp to publish it with that time",
                           time, newest);
    return error;
}

/* Reports an invalid line. Returns 0 if the next line may follow, else a negative errno. */
static int line_done(struct pub *pub, int error, const struct problem *problem)
{
    const char *unit = pub->options->format == FORMAT_RAW ? "record" : "line";

    if (error != -EINVAL)
        return error;
    report_error(pub->options->name, "%s %" PRIu64 ": %s", unit, pub->line, problem->text);
    pub->skipped++;
    return 0;
}

static bool line_is_blank(const char *line, size_t len)
{
    while (len && (line[len - 1] == ' ' || line[len - 1] == '\t' || line[len - 1] == '\r'))
        len--;
    return len == 0;
}

/*
 * Whether the line is the mark of missed records in kymo's own output: {"missed":3}, or
 * "# missed 3" in a table. It is a record if a field is named missed, or if the first column of the
 * table is text.
 */
static bool line_is_gap(const struct pub *pub, const char *line, size_t len)
{
    static const char json_begin_text[] = "{\"missed\":", csv_begin_text[] = "# missed ";
    const bool csv = pub->options->format == FORMAT_CSV;
    const size_t digits = csv ? sizeof(csv_begin_text) - 1 : sizeof(json_begin_text) - 1;
    const size_t end = csv ? len : len - 1;
    size_t at = digits;

    if (len <= digits || memcmp(line, csv ? csv_begin_text : json_begin_text, digits) != 0)
        return false;
    while (at < len && line[at] >= '0' && line[at] <= '9')
        at++;
    if (at == digits || at != end || (!csv && line[at] != '}'))
        return false;
    return csv ? pub->schema->fields[0].type != KYMO_CHAR
               : kymo_schema_find(pub->schema, "missed") == NULL;
}

/* Skips a UTF-8 byte-order mark at the start of the first line. */
static void skip_mark(const struct pub *pub, char **line, size_t *len)
{
    if (pub->line != 1 || *len < 3 || memcmp(*line, "\xef\xbb\xbf", 3) != 0)
        return;
    *line += 3;
    *len -= 3;
}

static void draft_begin(struct pub *pub)
{
    memset(pub->draft.payload, 0, pub->size);
    pub->draft.has_time = false;
    pub->draft.tag = 0;
}

static int publish_json(struct pub *pub)
{
    struct problem problem;
    char *line;
    size_t len;
    int got, error;

    while ((got = input_line(&pub->input, &line, &len)) > 0) {
        pub->line++;
        skip_mark(pub, &line, &len);
        if (line_is_blank(line, len) || line_is_gap(pub, line, len))
            continue;
        draft_begin(pub);
        error = json_decode(pub->json, line, len, &pub->draft, &problem);
        if (error == 0)
            error = draft_publish(pub, &problem);
        error = line_done(pub, error, &problem);
        if (error)
            return error;
    }
    return got;
}

/* Longest cell with line breaks: bounds the lines that one unmatched quote invalidates. */
#define JOINED_LINES_LIMIT ((size_t)1 << 20)

/* Reads the next line of a table, with the following lines if a quoted cell continues there. As
 * input_line; *lines: number of lines read. */
static int table_line(struct pub *pub, char **line, size_t *len, uint64_t *lines)
{
    int got = input_line(&pub->input, line, len);
    bool open;

    *lines = 1;
    if (got <= 0)
        return got;
    open = pub->has_text && csv_is_open(*line, *len, false);
    if (open) {
        kymo_text_clear(&pub->joined);
        kymo_text_append(&pub->joined, *line, *len);
    }
    while (open && pub->joined.len < JOINED_LINES_LIMIT) {
        got = input_line(&pub->input, line, len);
        if (got < 0)
            return got;
        if (got == 0)
            break;
        ++*lines;
        open = csv_is_open(*line, *len, true);
        kymo_text_append(&pub->joined, "\n", 1);
        kymo_text_append(&pub->joined, *line, *len);
    }
    if (*lines > 1 || open) {
        *line = pub->joined.data;
        *len = pub->joined.len;
    }
    if (pub->joined.error)
        return pub->joined.error;
    if (*len && (*line)[*len - 1] == '\r')
        --*len;
    return 1;
}

/* Reads the header of a table. An invalid one is reported. As line_done; -EINTR: a signal. */
static int read_header(struct pub *pub)
{
    struct problem problem;
    uint64_t lines = 0;
    char *line;
    size_t len;
    int got, error;

    while (!pub->csv && !pub->skipped && (got = table_line(pub, &line, &len, &lines)) != 0) {
        if (got < 0)
            return got;
        pub->line++;
        skip_mark(pub, &line, &len);
        error = 0;
        if (!line_is_blank(line, len) && !line_is_gap(pub, line, len))
            error = csv_begin(&pub->csv, pub->schema, &pub->format, line, len, &problem);
        error = line_done(pub, error, &problem);
        if (error)
            return error;
        pub->line += lines - 1;
    }
    return 0;
}

static int publish_csv(struct pub *pub)
{
    struct problem problem;
    uint64_t lines = 0;
    char *line;
    size_t len;
    int got, error;

    while ((got = table_line(pub, &line, &len, &lines)) > 0) {
        pub->line++;
        if (line_is_blank(line, len) || line_is_gap(pub, line, len))
            continue;
        draft_begin(pub);
        error = csv_decode(pub->csv, line, len, &pub->draft, &problem);
        if (error == 0)
            error = draft_publish(pub, &problem);
        error = line_done(pub, error, &problem);
        pub->line += lines - 1;
        if (error)
            return error;
    }
    return got;
}

static int publish_raw(struct pub *pub)
{
    struct problem problem;
    char *block;
    int got, error;

    while ((got = input_block(&pub->input, pub->size, &block)) > 0) {
        pub->line++;
        memcpy(pub->draft.payload, block, pub->size);
        error = line_done(pub, draft_publish(pub, &problem), &problem);
        if (error)
            return error;
    }
    if (got == 0 && pub->input.len) {
        report_error(pub->options->name, "incomplete record at the end: %zu of %zu bytes",
                     pub->input.len, pub->size);
        pub->skipped++;
    }
    return got;
}

/* The exit status after reading: `error` is that of the last record, or of reading it. */
static int pub_status(const struct pub *pub, int error)
{
    if (pub->input.error)
        return report_error("standard input", "%s", strerror(-pub->input.error));
    if (error && error != -EINTR && error != REPORTED)
        return report_errno(pub->options->name, error);
    return pub->skipped || error == REPORTED ? STATUS_FAILED : 0;
}

/* A segment that was removed, as by rm, is made again. */
static int pub_beat(void *context)
{
    struct pub *pub = context;

    if (kymo_writer_heartbeat(pub->writer) != -EIDRM)
        return 0;
    return pub_renew_writer(&pub->writer, pub->options) ? REPORTED : 0;
}

/* Publishes until end of file or a signal. Returns an exit status. */
static int pub_run(struct pub *pub)
{
    static int (*const publish[])(struct pub *) = {publish_json, publish_csv, publish_raw};

    pub->input.beat = pub_beat;
    pub->input.context = pub;
    return pub_status(pub, publish[pub->options->format](pub));
}

/* Opens the segment when everything that can be checked before is valid, publishes, and closes it.
 * Returns an exit status. */
static int pub_segment(struct pub *pub)
{
    int status = pub_prepare(pub);
    int error = 0;

    if (status)
        return status;
    if (pub->options->format == FORMAT_CSV)
        error = read_header(pub);
    if (error || pub->skipped)
        return pub_status(pub, error);
    status = pub_open_writer(&pub->writer, pub->options);
    if (status)
        return status;
    status = pub_run(pub);
    if (pub->options->remove)
        error = kymo_writer_remove(pub->writer);
    else
        kymo_writer_close(pub->writer);
    return error ? report_errno(pub->options->name, error) : status;
}

int command_pub(int argc, char **argv)
{
    struct pub_options options;
    struct pub pub = {.options = &options, .input.fd = STDIN_FILENO};
    int status = pub_options_parse(&options, argc, argv);

    /* Before the segment exists: a signal always closes it cleanly. */
    if (status == 0)
        pub.input.signals = signals_open();
    if (status == 0 && pub.input.signals < 0)
        status = report_errno(options.name, pub.input.signals);
    else if (status == 0)
        status = pub_segment(&pub);
    json_end(pub.json);
    csv_end(pub.csv);
    kymo_text_free(&pub.joined);
    input_free(&pub.input);
    free(pub.draft.payload);
    pub_options_free(&options);
    return status;
}
