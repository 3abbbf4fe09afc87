/*
 * cmd_pub.c - kymo pub: publishes records from standard input, each as soon as it is complete.
 */
#include "command.h"
#include "decode.h"
#include "input.h"
#include "suggest.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum format { FORMAT_JSON, FORMAT_CSV, FORMAT_RAW };

/* One --unit, --describe or --counter. */
struct pub_note {
    int key;
    const char *argument;
};

/* The command line. */
struct pub_options {
    const char *name;
    const char *fields;
    const char *time; /* name of a field, or "time": the time beside the fields */
    int time_digits;  /* unit of the time: 10^time_digits ns; -1: not given */
    enum format format;
    bool remove;
    bool layout_given; /* an option that applies to new segments only */
    struct kymo_options segment;
    struct pub_note *notes;
    size_t note_count;
    struct kymo_schema schema; /* of --fields and the notes; count 0 without --fields */
    struct kymo_field *table;  /* its fields */
};

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

enum {
    KEY_FIELDS = 256,
    KEY_DEPTH,
    KEY_SIZE,
    KEY_TIME,
    KEY_TIME_UNIT,
    KEY_CLOCK,
    KEY_UNIT,
    KEY_DESCRIBE,
    KEY_COUNTER,
    KEY_CSV,
    KEY_RAW,
    KEY_REPLACE,
    KEY_RM,
    KEY_MODE,
    KEY_WAKE,
    KEY_CLAMP
};

static const struct argp_option pub_argp_options[] = {
    {0, 0, 0, 0, "Record format:", 1},
    {"fields", KEY_FIELDS, "LIST", 0,
     "The fields, name:type[shape] each: 'accel:f32[3],temp:f64'. Types: u8 u16 u32 u64 i8 i16 i32 "
     "i64 f32 f64 char bool. Default: the fields of the existing segment",
     1},
    {"size", KEY_SIZE, "BYTES", 0,
     "With --raw instead of --fields: a record is BYTES bytes without fields", 1},
    {"unit", KEY_UNIT, "FIELD=UNIT", 0, "Unit of a field: accel=m/s^2", 1},
    {"describe", KEY_DESCRIBE, "FIELD=TEXT", 0, "Description of a field, one line", 1},
    {"counter", KEY_COUNTER, "FIELD", 0, "The field is a counter: it never decreases", 1},
    {0, 0, 0, 0, "Input format (default: lines of JSON, objects or arrays):", 2},
    {"csv", KEY_CSV, 0, 0, "A table with a header line, RFC 4180", 2},
    {"raw", KEY_RAW, 0, 0, "The bytes of the records, one after another", 2},
    {0, 0, 0, 0, "Record time (default: now):", 3},
    {"time", KEY_TIME, "FIELD", 0,
     "Take the record's time from this field; 'time', if no field has this name: from the time "
     "that "
     "kymo prints beside the fields",
     3},
    {"time-unit", KEY_TIME_UNIT, "UNIT", 0, "ns (default), us, ms or s", 3},
    {"clock", KEY_CLOCK, "CLOCK", 0,
     "monotonic (default), realtime, boottime, tai, or user: the times of --time, else the "
     "record's "
     "position",
     3},
    {"clamp", KEY_CLAMP, 0, 0,
     "Replace a time before the newest record's by that time, instead of rejecting the record", 3},
    {0, 0, 0, 0, "The segment:", 4},
    {"depth", KEY_DEPTH, "N", 0, "Records in the ring, a power of two (default 64)", 4},
    {"mode", KEY_MODE, "OCTAL", 0, "Permissions (default 0666 less the umask)", 4},
    {"wake", KEY_WAKE, "always|waiters", 0,
     "always: each publish also wakes readers without write permission", 4},
    {"replace", KEY_REPLACE, 0, 0, "Start a new generation, even if the layout is the same", 4},
    {"rm", KEY_RM, 0, 0, "Remove the segment at the end", 4},
    {0},
};

static const char pub_doc[] =
    "Publish records read from standard input, until end of file\v"
    "A segment of the same layout is resumed; a segment of another layout is replaced. At the end "
    "the segment remains, in state CLOSED. Invalid lines are reported and skipped; the exit status "
    "is then 1.\n\n"
    "  printf '{\"x\":1.5}\\n{\"x\":2.5}\\n' | kymo pub t --fields x:f64\n";

/* ---- options ---- */

static int parse_unit(const char *text, int *digits)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};

    for (int i = 0; i < 4; i++) {
        if (strcmp(text, units[i]) == 0) {
            *digits = 3 * i;
            return 0;
        }
    }
    return -EINVAL;
}

static void parse_depth(struct pub_options *options, const char *argument, struct argp_state *state)
{
    uint64_t depth;

    if (parse_number(argument, &depth) || depth < 2 || depth > KYMO_DEPTH_LIMIT ||
        (depth & (depth - 1)))
        argp_error(state, "--depth %s: must be a power of two, at least 2", argument);
    options->segment.depth = depth;
}

static void parse_size(struct pub_options *options, const char *argument, struct argp_state *state)
{
    uint64_t size;

    if (parse_number(argument, &size) || size == 0 || size > KYMO_SIZE_LIMIT)
        argp_error(state, "--size %s: must be a number of bytes from 1 to %u", argument,
                   KYMO_SIZE_LIMIT);
    options->segment.size = (uint32_t)size;
}

static void parse_mode(struct pub_options *options, const char *argument, struct argp_state *state)
{
    char *end;
    unsigned long mode = strtoul(argument, &end, 8);

    if (*argument < '0' || *argument > '7' || *end || mode == 0 || mode > 0777)
        argp_error(state, "--mode %s: must be octal permissions, such as 0640", argument);
    options->segment.mode = (uint32_t)mode;
}

static void add_note(struct pub_options *options, int key, const char *argument,
                     struct argp_state *state)
{
    struct pub_note *larger =
        realloc(options->notes, (options->note_count + 1) * sizeof(*options->notes));

    if (!larger) {
        argp_failure(state, STATUS_FAILED, ENOMEM, "%s", argument);
        return;
    }
    options->notes = larger;
    options->notes[options->note_count++] = (struct pub_note){key, argument};
}

static void choose_format(struct pub_options *options, enum format format, struct argp_state *state)
{
    if (options->format != FORMAT_JSON && options->format != format)
        argp_error(state, "--csv and --raw: use only one of them");
    options->format = format;
}

/* Options of new segments. */
static error_t parse_layout(int key, char *argument, struct argp_state *state)
{
    struct pub_options *options = state->input;

    switch (key) {
    case KEY_FIELDS:
        options->fields = argument;
        break;
    case KEY_SIZE:
        parse_size(options, argument, state);
        break;
    case KEY_UNIT:
    case KEY_DESCRIBE:
    case KEY_COUNTER:
        add_note(options, key, argument, state);
        break;
    case KEY_CLOCK:
        if (kymo_clock_parse(argument, &options->segment.clock))
            argp_error(state, "--clock %s: must be monotonic, realtime, boottime, tai or user",
                       argument);
        break;
    case KEY_CLAMP:
        options->segment.time_policy = KYMO_CLAMP;
        break;
    case KEY_DEPTH:
        parse_depth(options, argument, state);
        break;
    case KEY_MODE:
        parse_mode(options, argument, state);
        break;
    case KEY_WAKE:
        if (strcmp(argument, "always") && strcmp(argument, "waiters"))
            argp_error(state, "--wake %s: must be always or waiters", argument);
        if (strcmp(argument, "always") == 0)
            options->segment.wake_policy = KYMO_WAKE_ALWAYS;
        break;
    case KEY_REPLACE:
        options->segment.existing = KYMO_REPLACE;
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    options->layout_given = true;
    return 0;
}

static void check_options(struct pub_options *options, struct argp_state *state)
{
    if (!options->name)
        argp_error(state, "missing argument: NAME of a segment");
    if (options->fields && options->segment.size)
        argp_error(state, "--fields and --size: use only one of them");
    if (options->segment.size && options->format != FORMAT_RAW)
        argp_error(state, "--size: requires --raw; otherwise use --fields");
    if (options->note_count && !options->fields)
        argp_error(state, "--unit, --describe and --counter: require --fields");
    if (options->layout_given && !options->fields && !options->segment.size)
        argp_error(state, "options of a new segment: require --fields, or --raw --size");
    if (options->time_digits >= 0 && !options->time)
        argp_error(state, "--time-unit: requires --time");
    if (options->time_digits < 0)
        options->time_digits = 0;
}

static error_t pub_parse(int key, char *argument, struct argp_state *state)
{
    struct pub_options *options = state->input;

    switch (key) {
    case KEY_TIME:
        options->time = argument;
        return 0;
    case KEY_TIME_UNIT:
        if (parse_unit(argument, &options->time_digits))
            argp_error(state, "--time-unit %s: must be ns, us, ms or s", argument);
        return 0;
    case KEY_CSV:
        choose_format(options, FORMAT_CSV, state);
        return 0;
    case KEY_RAW:
        choose_format(options, FORMAT_RAW, state);
        return 0;
    case KEY_RM:
        options->remove = true;
        return 0;
    case ARGP_KEY_ARG:
        if (options->name)
            argp_error(state, "%s: unexpected argument: only one NAME is allowed", argument);
        options->name = argument;
        return 0;
    case ARGP_KEY_END:
        check_options(options, state);
        return 0;
    default:
        return parse_layout(key, argument, state);
    }
}

/* ---- the schema ---- */

/* Copies text to place[size]; -ENAMETOOLONG if it does not fit. */
static int put_text(char *place, size_t size, const char *text)
{
    if (strlen(text) >= size)
        return -ENAMETOOLONG;
    memset(place, 0, size);
    memcpy(place, text, strlen(text));
    return 0;
}

/* Applies one --unit, --describe or --counter to its field. Returns an exit status. */
static int schema_note(struct pub_options *options, const struct pub_note *note)
{
    size_t len = strcspn(note->argument, "=");
    const char *text = note->argument + len;
    struct kymo_field *field = NULL;
    int error = 0;

    for (uint32_t i = 0; i < options->schema.count; i++)
        if (strlen(options->table[i].name) == len &&
            memcmp(options->table[i].name, note->argument, len) == 0)
            field = &options->table[i];
    if (!field)
        return report_usage(options->name, "%s: no such field in --fields '%s'%s", note->argument,
                            options->fields, suggest_field(&options->schema, note->argument, len));
    if (note->key == KEY_COUNTER) {
        field->metric = KYMO_COUNTER;
        return *text ? report_usage(options->name, "--counter %s: must be the name of a field",
                                    note->argument)
                     : 0;
    }
    if (*text != '=')
        return report_usage(options->name, "%s: must be FIELD=TEXT", note->argument);
    if (note->key == KEY_UNIT)
        error = put_text(field->unit, sizeof(field->unit), text + 1);
    else
        error = put_text(field->help, sizeof(field->help), text + 1);
    if (error)
        return report_usage(options->name, "%s: the text is too long", note->argument);
    return 0;
}

/* Whether the name at `where` in the list occurs before it. */
static bool is_duplicate(const char *list, size_t where)
{
    const size_t len = strcspn(list + where, ":");
    const char *at = list;

    for (; len && at < list + where; at += strcspn(at, ",") + 1)
        if (strncmp(at, list + where, len + 1) == 0)
            return true;
    return false;
}

/* Parses --fields and the notes. Returns an exit status. */
static int schema_make(struct pub_options *options)
{
    struct kymo_schema *parsed;
    size_t where = 0;
    int status = kymo_schema_parse(&parsed, options->fields, &where);

    if (status == -EINVAL && is_duplicate(options->fields, where))
        return report_usage(options->name, "--fields '%s': duplicate field at '%s'",
                            options->fields, options->fields + where);
    if (status == -EINVAL)
        return report_usage(options->name, "--fields '%s': syntax error at '%s': use name:type,...",
                            options->fields, options->fields + where);
    if (status)
        return report_errno(options->name, status);
    options->schema = *parsed;
    options->table = malloc(parsed->count * sizeof(*options->table));
    if (options->table)
        memcpy(options->table, parsed->fields, parsed->count * sizeof(*options->table));
    options->schema.fields = options->table;
    kymo_schema_free(parsed);
    if (!options->table)
        return report_errno(options->name, -ENOMEM);
    options->segment.schema = &options->schema;
    for (size_t i = 0; i < options->note_count && status == 0; i++)
        status = schema_note(options, &options->notes[i]);
    return status;
}

/* Finds the field of --time; *time is NULL if the time is beside the fields. Returns an exit
 * status. */
static int schema_time(const struct pub_options *options, const struct kymo_schema *schema,
                       const struct kymo_field **time)
{
    *time = NULL;
    if (!options->time)
        return 0;
    *time = kymo_schema_find(schema, options->time);
    if (*time && ((*time)->count != 1 || !kymo_type_is_numeric((*time)->type)))
        return report_usage(options->name, "--time %s: must be a field with one number",
                            options->time);
    if (*time || (strcmp(options->time, "time") == 0 && options->format != FORMAT_RAW))
        return 0;
    return report_usage(options->name, "--time %s: no such field%s", options->time,
                        suggest_field(schema, options->time, strlen(options->time)));
}

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

/* Stores the uuid of the current generation; zeros if there is none. */
static void generation_of(const char *name, uint8_t uuid[16])
{
    struct kymo_reader *reader;
    struct kymo_info info;

    memset(uuid, 0, 16);
    if (kymo_reader_open(&reader, name))
        return;
    if (kymo_segment_info(reader->segment, &info) == 0)
        memcpy(uuid, info.uuid, 16);
    kymo_reader_close(reader);
}

/* Reports that a segment of another layout was replaced. */
static void report_replaced(const struct pub *pub, const uint8_t before[16])
{
    static const uint8_t none[16];
    struct kymo_info info;

    if (pub->options->segment.existing == KYMO_REPLACE || memcmp(before, none, 16) == 0 ||
        kymo_segment_info(pub->writer->segment, &info) || memcmp(before, info.uuid, 16) == 0)
        return;
    report_error(pub->options->name,
                 "the layout differs: started a new generation without the old history");
}

/* Opens the segment and determines its record format. Returns an exit status. */
static int pub_open(struct pub *pub)
{
    const struct pub_options *options = pub->options;
    bool as_it_is = !options->fields && options->segment.size == 0;
    uint8_t before[16];
    int error;

    generation_of(options->name, before);
    error = kymo_writer_open(&pub->writer, options->name, as_it_is ? NULL : &options->segment);
    if (error == -ENOSPC || error == -EFBIG)
        return report_space(options);
    if (error == -ENOENT && as_it_is)
        return report_usage(options->name, "no such segment: use --fields to create it");
    if (error)
        return report_open(options->name, error);
    report_replaced(pub, before);
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
    return schema_time(options, pub->schema, &pub->format.field);
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

static int pub_checked(struct pub_options *options)
{
    struct pub pub = {.options = options};
    const struct kymo_field *time;
    int status = options->fields ? schema_make(options) : 0;

    if (status == 0 && options->fields)
        status = schema_time(options, &options->schema, &time);
    if (status)
        return status;
    /* Before the segment exists: a signal always closes it cleanly. */
    pub.input.signals = signals_open();
    if (pub.input.signals < 0)
        return report_errno(options->name, pub.input.signals);
    status = pub_segment(&pub);
    close(pub.input.signals);
    json_end(pub.json);
    csv_end(pub.csv);
    kymo_text_free(&pub.joined);
    input_free(&pub.input);
    free(pub.draft.payload);
    return status;
}

int command_pub(int argc, char **argv)
{
    static const struct argp argp = {
        pub_argp_options, pub_parse, "NAME", pub_doc, NULL, NULL, NULL};
    struct pub_options options = {.time_digits = -1};
    int status;

    argp_parse(&argp, argc, argv, 0, NULL, &options);
    status = pub_checked(&options);
    free(options.notes);
    free(options.table);
    return status;
}
