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
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* State of a running pub. */
struct pub {
    const struct pub_options *options;
    struct kymo_writer *writer;
    const struct kymo_schema *schema; /* of the open segment */
    enum kymo_clock clock;
    struct time_format format;
    bool has_text; /* at least one field is text */
    struct json_decoder *json;
    struct csv *csv; /* NULL before the header line */
    struct input input;
    struct draft draft;
    struct kymo_text joined; /* a line of a table with line breaks in its cells */
    size_t size;             /* bytes of a record */
    uint64_t line;           /* number of the line, or of the raw record, from 1 */
    uint64_t skipped;        /* invalid lines */
};

/* ---- opening ---- */

/* ENOSPC: of blocks, of inodes, or by a limit. */
static int report_space(const struct pub_options *options)
{
    const char *directory = kymo_directory();
    struct rlimit limit;
    struct statvfs files;
    uint64_t needed, available;

    if (kymo_segment_size(&options->segment, &needed) || statvfs(directory, &files))
        return report_errno(options->name, -ENOSPC);
    available = (uint64_t)files.f_bavail * files.f_frsize;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < needed)
        return report_error(options->name,
                            "needs %" PRIu64 " bytes, and the limit of file sizes is %" PRIu64
                            ": use a smaller --depth, or raise the limit (ulimit -f)",
                            needed, (uint64_t)limit.rlim_cur);
    if (available >= needed && files.f_files && files.f_favail == 0)
        return report_error(options->name, "%s has no free inodes: remove files there", directory);
    if (available >= needed)
        return report_error(options->name,
                            "cannot allocate %" PRIu64 " bytes in %s: see the quota, and the "
                            "largest file size of the file system",
                            needed, directory);
    return report_error(options->name,
                        "needs %" PRIu64 " bytes, and %s has %" PRIu64
                        " free: use a smaller --depth, or remove files there",
                        needed, directory, available);
}

/* Sets what the command line leaves open about a field from the existing segment. */
static void adopt_field(struct kymo_field *field, const struct kymo_field *existing)
{
    if (field->unit[0] == 0)
        memcpy(field->unit, existing->unit, sizeof(field->unit));
    if (field->help[0] == 0)
        memcpy(field->help, existing->help, sizeof(field->help));
    if (field->metric == KYMO_GAUGE)
        field->metric = existing->metric;
    if (field->interp == KYMO_INTERP_LINEAR)
        field->interp = existing->interp;
}

static void adopt_fields(const struct pub_options *options, const struct kymo_schema *schema)
{
    for (uint32_t i = 0; i < options->schema.count; i++) {
        const struct kymo_field *existing = kymo_schema_find(schema, options->table[i].name);

        if (existing)
            adopt_field(&options->table[i], existing);
    }
}

/* Sets what the command line leaves open from the existing segment. Returns whether there is one. */
static bool adopt_existing(const struct pub_options *options, struct kymo_options *segment)
{
    struct kymo_reader *reader;
    struct kymo_info info;
    bool found;

    if (kymo_reader_open(&reader, options->name))
        return false;
    found = kymo_segment_info(reader->segment, &info) == 0;
    if (found && segment->existing != KYMO_REPLACE) {
        segment->existing = KYMO_OPEN_EXISTING;
        segment->kind = info.kind;
        segment->flags = info.flags;
        if (!options->clock_given)
            segment->clock = info.clock;
        if (!options->wake_given)
            segment->wake_policy = info.wake_policy;
        if (segment->time_policy == KYMO_REJECT)
            segment->time_policy = info.time_policy;
        adopt_fields(options, &info.schema);
    }
    kymo_reader_close(reader);
    return found;
}

static int report_opening(const struct pub_options *options, const struct kymo_options *segment,
                          int error, const struct kymo_diagnostic *diagnostic)
{
    if (error == -ENOSPC || error == -EFBIG)
        return report_space(options);
    if (error == -EEXIST && segment->existing == KYMO_OPEN_EXISTING)
        return report_error(options->name,
                            "%s: --replace starts a new generation, without the history",
                            diagnostic->text);
    if (error == -EINVAL && kymo_name_check(options->name) == 0)
        return report_error(options->name, "%s", diagnostic->text);
    return report_open(options->name, error);
}

/* Opens the segment for the options. Returns an exit status. */
static int open_writer(struct pub *pub)
{
    const struct pub_options *options = pub->options;
    struct kymo_options segment = options->segment;
    const bool found = adopt_existing(options, &segment);
    struct kymo_diagnostic diagnostic;
    int error;

    if (!options->fields && options->segment.size == 0 && !found) {
        error = kymo_segment_exists(options->name);
        return error < 0
                   ? report_open(options->name, error)
                   : report_usage(options->name, "no such segment: use --fields to create it");
    }
    error = kymo_writer_open_diagnosed(&pub->writer, options->name, &segment, &diagnostic);
    return error ? report_opening(options, &segment, error, &diagnostic) : 0;
}

/* Opens the segment and determines its record format. Returns an exit status. */
static int pub_open(struct pub *pub)
{
    const struct pub_options *options = pub->options;
    int status = open_writer(pub);

    if (status)
        return status;
    pub->schema = kymo_segment_schema(pub->writer->segment);
    pub->clock = kymo_segment_clock(pub->writer->segment);
    pub->size = pub->schema->count ? pub->schema->size : pub->writer->ring.size;
    if (pub->schema->count == 0 && options->format != FORMAT_RAW)
        return report_usage(options->name, "the records have no fields: use --raw");
    for (uint32_t i = 0; i < pub->schema->count; i++)
        pub->has_text |= pub->schema->fields[i].type == KYMO_CHAR;
    pub->draft.payload = calloc(1, pub->size);
    if (!pub->draft.payload)
        return report_errno(options->name, -ENOMEM);
    pub->format.digits = options->time_digits;
    pub->format.clock = pub->clock;
    pub->format.ignored = !options->time;
    if (json_begin(&pub->json, pub->schema, &pub->format))
        return report_errno(options->name, -ENOMEM);
    return pub_time_field(options, pub->schema, &pub->format.field);
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
    else
        *time = kymo_clock_now(pub->clock);
    return 0;
}

/* Publishes the draft. -EINVAL with the problem if the record is invalid. */
static int draft_publish(struct pub *pub, struct problem *problem)
{
    uint64_t newest = pub->writer->time;
    uint64_t time = 0;
    int error = draft_time(pub, &time, problem);

    if (error)
        return error;
    error = kymo_ring_publish(pub->writer, pub->draft.payload, pub->size, time, pub->draft.tag);
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
    while (len && strchr(" \t\r", line[len - 1]) && line[len - 1])
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
    const bool csv = pub->options->format == FORMAT_CSV;
    const char *begin = csv ? "# missed " : "{\"missed\":";
    const char *end = csv ? "" : "}";
    const size_t rest = strlen(end);
    size_t at = strlen(begin);

    if (csv ? pub->schema->fields[0].type == KYMO_CHAR
            : kymo_schema_find(pub->schema, "missed") != NULL)
        return false;
    if (len < at || memcmp(line, begin, at) != 0)
        return false;
    while (at < len && line[at] >= '0' && line[at] <= '9')
        at++;
    return at > strlen(begin) && len - at == rest && memcmp(line + at, end, rest) == 0;
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

/* Processes the header or a record. */
static int table_take(struct pub *pub, const char *line, size_t len, struct problem *problem)
{
    int error;

    if (!pub->csv)
        return csv_begin(&pub->csv, pub->schema, &pub->format, line, len, problem);
    draft_begin(pub);
    error = csv_decode(pub->csv, line, len, &pub->draft, problem);
    return error ? error : draft_publish(pub, problem);
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
        skip_mark(pub, &line, &len);
        if (line_is_blank(line, len) || line_is_gap(pub, line, len))
            continue;
        error = line_done(pub, table_take(pub, line, len, &problem), &problem);
        pub->line += lines - 1;
        if (error)
            return error;
        /* The lines cannot be decoded without a header. */
        if (!pub->csv)
            return 0;
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

/* Publishes until end of file or a signal. Returns an exit status. */
static int pub_run(struct pub *pub)
{
    static int (*const publish[])(struct pub *) = {publish_json, publish_csv, publish_raw};
    int error;

    pub->input.fd = STDIN_FILENO;
    pub->input.writer = pub->writer;
    error = publish[pub->options->format](pub);
    if (pub->input.error)
        return report_error("standard input", "%s", strerror(-pub->input.error));
    if (error && error != -EINTR)
        return report_errno(pub->options->name, error);
    return pub->skipped ? STATUS_FAILED : 0;
}

/* Opens the segment, publishes, and closes it. Returns an exit status. */
static int pub_segment(struct pub *pub)
{
    int status = pub_open(pub);
    int error = 0;

    if (status == 0) {
        status = pub_run(pub);
        if (pub->options->remove) {
            error = kymo_writer_remove(pub->writer);
            pub->writer = NULL;
        }
    }
    kymo_writer_close(pub->writer);
    return error ? report_errno(pub->options->name, error) : status;
}

int command_pub(int argc, char **argv)
{
    struct pub_options options;
    struct pub pub = {.options = &options};
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
