/*
 * cmd_pub.c - kymo pub: publishes records from standard input, each as soon as it is complete.
 */
#include "command.h"
#include "decode.h"
#include "input.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
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
    const char *time;   /* name of a field, or "time": the time beside the fields */
    uint64_t time_unit; /* ns */
    enum format format;
    bool remove;
    bool clock_given;
    bool wake_given;
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
    const struct kymo_field *time; /* field of --time, or NULL */
    bool has_text;                 /* at least one field is text */
    struct csv *csv;               /* NULL before the header line */
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
     "The fields, name:type[shape]:interp each: 'accel:f32[3],heading:f64:angle'. Types: u8 u16 "
     "u32 u64 i8 i16 i32 i64 f32 f64 char bool. Interpolation: linear (default), previous, angle, "
     "none. Default: the fields of the existing segment",
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
    {"replace", KEY_REPLACE, 0, 0, "Start a new generation, without the history", 4},
    {"rm", KEY_RM, 0, 0, "Remove the segment at the end", 4},
    {0},
};

static const char pub_doc[] =
    "Publish records read from standard input, until end of file\v"
    "An existing segment is resumed, with its own values for options that are not given. An option "
    "that differs from the segment is an error without --replace. At the end the segment remains, "
    "in state CLOSED. Invalid lines are reported and skipped; the exit status is then 1.\n\n"
    "  printf '{\"x\":1.5}\\n{\"x\":2.5}\\n' | kymo pub t --fields x:f64\n";

/* ---- options ---- */

static int parse_unit(const char *text, uint64_t *ns)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text, units[i].name) == 0) {
            *ns = units[i].ns;
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
        options->clock_given = true;
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
        options->wake_given = true;
        break;
    case KEY_REPLACE:
        options->segment.existing = KYMO_REPLACE;
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
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
    if (options->time_unit && !options->time)
        argp_error(state, "--time-unit: requires --time");
    if (options->time_unit == 0)
        options->time_unit = 1;
}

static error_t pub_parse(int key, char *argument, struct argp_state *state)
{
    struct pub_options *options = state->input;

    switch (key) {
    case KEY_TIME:
        options->time = argument;
        return 0;
    case KEY_TIME_UNIT:
        if (parse_unit(argument, &options->time_unit))
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
        return report_usage(options->name, "%s: no such field in --fields '%s'", note->argument,
                            options->fields);
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

/* Parses --fields and the notes. Returns an exit status. */
static int schema_make(struct pub_options *options)
{
    struct kymo_schema *parsed;
    size_t where = 0;
    int status = kymo_schema_parse(&parsed, options->fields, &where);

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
    return report_usage(options->name, "--time %s: no such field", options->time);
}

/* ---- opening ---- */

static int report_space(const struct pub_options *options)
{
    struct statvfs files;
    uint64_t needed;

    if (kymo_segment_size(&options->segment, &needed) || statvfs(kymo_directory(), &files))
        return report_errno(options->name, -ENOSPC);
    return report_error(options->name,
                        "needs %" PRIu64 " bytes, and %s has %" PRIu64
                        " free: use a smaller --depth, or remove files there",
                        needed, kymo_directory(), (uint64_t)files.f_bavail * files.f_frsize);
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
    if (error == -ENOSPC)
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
    return schema_time(options, pub->schema, &pub->time);
}

/* ---- publishing ---- */

static int draft_time(const struct pub *pub, uint64_t *time, struct problem *problem)
{
    const struct pub_options *options = pub->options;

    if (pub->time)
        return encode_time(pub->time, pub->draft.payload, options->time_unit, time, problem);
    if (options->time && !pub->draft.has_time)
        return problem_set(problem, "missing time");
    if (options->time && pub->draft.time > UINT64_MAX / options->time_unit)
        return problem_set(problem, "time: %" PRIu64 " is above 2^64-1 ns", pub->draft.time);
    if (options->time)
        *time = pub->draft.time * options->time_unit;
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
        if (line_is_blank(line, len) || line_is_gap(pub, line, len))
            continue;
        draft_begin(pub);
        error = decode_json(pub->schema, line, len, &pub->draft, &problem);
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
    open = pub->has_text && csv_is_open(*line, *len);
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
        open = !csv_is_open(*line, *len);
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
        return csv_begin(&pub->csv, pub->schema, line, len, problem);
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
    struct pub_options options = {0};
    int status;

    argp_parse(&argp, argc, argv, 0, NULL, &options);
    status = pub_checked(&options);
    free(options.notes);
    free(options.table);
    return status;
}
