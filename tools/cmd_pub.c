/*
 * cmd_pub.c - kymo pub: records from standard input into a segment, each as soon as it is there.
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

/* What --unit, --describe or --counter says about a field. */
struct pub_note {
    int key;
    const char *argument;
};

/* The command line. */
struct pub_options {
    const char *name;
    const char *fields;
    const char *time;   /* the name of the field, or "time": what stands beside the fields */
    uint64_t time_unit; /* ns */
    enum format format;
    bool remove;
    bool clock_given;
    bool wake_given;
    struct kymo_options segment;
    struct pub_note *notes;
    size_t note_count;
    struct kymo_schema schema; /* what --fields and the notes say; count 0 without */
    struct kymo_field *table;  /* its fields */
};

/* A pub at work. */
struct pub {
    const struct pub_options *options;
    struct kymo_writer *writer;
    const struct kymo_schema *schema; /* of the segment that is open */
    enum kymo_clock clock;
    const struct kymo_field *time; /* the field that holds the time, or NULL */
    bool has_text;                 /* some field is text */
    struct csv *csv;               /* once the header was read */
    struct input input;
    struct draft draft;
    struct kymo_text joined; /* a table's line with line breaks in it */
    size_t size;             /* bytes of a record */
    uint64_t line;           /* of the input, from 1; the record's number where it is raw */
    uint64_t skipped;        /* lines that were bad */
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
    {0, 0, 0, 0, "What a record is:", 1},
    {"fields", KEY_FIELDS, "LIST", 0,
     "The fields, name:type[shape] each: 'accel:f32[3],temp:f64'. Types: u8 u16 u32 u64 i8 i16 i32 "
     "i64 f32 f64 char bool. Without it the segment must exist, and is continued as it is",
     1},
    {"size", KEY_SIZE, "BYTES", 0, "With --raw instead of --fields: bytes that only you can read",
     1},
    {"unit", KEY_UNIT, "FIELD=UNIT", 0, "Say what the field is measured in: accel=m/s^2", 1},
    {"describe", KEY_DESCRIBE, "FIELD=TEXT", 0, "Say in one line what the field is", 1},
    {"counter", KEY_COUNTER, "FIELD", 0, "The field only grows, as a count of something does", 1},
    {0, 0, 0, 0, "What the input is (else lines of JSON, objects or arrays):", 2},
    {"csv", KEY_CSV, 0, 0, "A table with a header line, RFC 4180", 2},
    {"raw", KEY_RAW, 0, 0, "The bytes of one record after the other", 2},
    {0, 0, 0, 0, "When it was (else now):", 3},
    {"time", KEY_TIME, "FIELD", 0,
     "The record's time is in this field, or, where there is none called 'time', in the time that "
     "kymo prints beside the fields",
     3},
    {"time-unit", KEY_TIME_UNIT, "UNIT", 0, "ns (default), us, ms or s", 3},
    {"clock", KEY_CLOCK, "CLOCK", 0,
     "monotonic (default), realtime, boottime, tai, or user: your own count; without --time the "
     "record's position",
     3},
    {"clamp", KEY_CLAMP, 0, 0, "Take a time that goes backwards as the newest record's", 3},
    {0, 0, 0, 0, "The segment:", 4},
    {"depth", KEY_DEPTH, "N", 0, "Records that it remembers, a power of two (default 64)", 4},
    {"mode", KEY_MODE, "OCTAL", 0, "Permissions (default 0666 less the umask)", 4},
    {"wake", KEY_WAKE, "always|waiters", 0,
     "always: wake readers without write permission at each record, too", 4},
    {"replace", KEY_REPLACE, 0, 0, "Start anew, without the history", 4},
    {"rm", KEY_RM, 0, 0, "Remove the segment at the end", 4},
    {0},
};

static const char pub_doc[] =
    "Publish records read from standard input, until it ends\v"
    "An existing segment is continued, with its own values for options that are not given; an "
    "option "
    "that differs from it is an error without --replace. At the end the segment stays and reads as "
    "closed. A bad line is reported and skipped, and the exit status is "
    "then 1.\n\n"
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
        argp_error(state, "--depth %s: a power of two from 2 on is wanted, such as 64 or 1024",
                   argument);
    options->segment.depth = depth;
}

static void parse_size(struct pub_options *options, const char *argument, struct argp_state *state)
{
    uint64_t size;

    if (parse_number(argument, &size) || size == 0 || size > KYMO_SIZE_LIMIT)
        argp_error(state, "--size %s: a number of bytes from 1 to %u is wanted", argument,
                   KYMO_SIZE_LIMIT);
    options->segment.size = (uint32_t)size;
}

static void parse_mode(struct pub_options *options, const char *argument, struct argp_state *state)
{
    char *end;
    unsigned long mode = strtoul(argument, &end, 8);

    if (*argument < '0' || *argument > '7' || *end || mode == 0 || mode > 0777)
        argp_error(state, "--mode %s: octal permissions are wanted, such as 0640", argument);
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
        argp_error(state, "--csv and --raw exclude each other");
    options->format = format;
}

/* Options that say how to create a segment. */
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
            argp_error(state, "--clock %s: monotonic, realtime, boottime, tai or user is wanted",
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
            argp_error(state, "--wake %s: always or waiters is wanted", argument);
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
        argp_error(state, "the NAME of a segment is wanted");
    if (options->fields && options->segment.size)
        argp_error(state, "--fields and --size exclude each other");
    if (options->segment.size && options->format != FORMAT_RAW)
        argp_error(state, "--size goes with --raw; else --fields is wanted");
    if (options->note_count && !options->fields)
        argp_error(state, "--unit, --describe and --counter go with --fields");
    if (options->time_unit && !options->time)
        argp_error(state, "--time-unit goes with --time");
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
            argp_error(state, "--time-unit %s: ns, us, ms or s is wanted", argument);
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
            argp_error(state, "one NAME is wanted; %s is another", argument);
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

/* Puts `text` into place[size]; -ENAMETOOLONG where it does not fit. */
static int put_text(char *place, size_t size, const char *text)
{
    if (strlen(text) >= size)
        return -ENAMETOOLONG;
    memset(place, 0, size);
    memcpy(place, text, strlen(text));
    return 0;
}

/* Writes one --unit, --describe or --counter into the field that it names. */
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
        return complain_usage(options->name, "%s: there is no such field in '%s'", note->argument,
                              options->fields);
    if (note->key == KEY_COUNTER) {
        field->metric = KYMO_COUNTER;
        return *text ? complain_usage(options->name, "--counter takes the field's name alone") : 0;
    }
    if (*text != '=')
        return complain_usage(options->name, "%s: FIELD=TEXT is wanted", note->argument);
    if (note->key == KEY_UNIT)
        error = put_text(field->unit, sizeof(field->unit), text + 1);
    else
        error = put_text(field->help, sizeof(field->help), text + 1);
    if (error)
        return complain_usage(options->name, "%s: that text is too long", note->argument);
    return 0;
}

/* Reads --fields and the notes. Returns an exit status. */
static int schema_make(struct pub_options *options)
{
    struct kymo_schema *parsed;
    size_t where = 0;
    int status = kymo_schema_parse(&parsed, options->fields, &where);

    if (status == -EINVAL)
        return complain_usage(options->name,
                              "--fields '%s': '%s' can't be read; name:type,... is wanted",
                              options->fields, options->fields + where);
    if (status)
        return complain_error(options->name, status);
    options->schema = *parsed;
    options->table = malloc(parsed->count * sizeof(*options->table));
    if (options->table)
        memcpy(options->table, parsed->fields, parsed->count * sizeof(*options->table));
    options->schema.fields = options->table;
    kymo_schema_free(parsed);
    if (!options->table)
        return complain_error(options->name, -ENOMEM);
    options->segment.schema = &options->schema;
    for (size_t i = 0; i < options->note_count && status == 0; i++)
        status = schema_note(options, &options->notes[i]);
    return status;
}

/* Finds the field of --time, into *time; NULL where it stands beside the fields. Returns an exit
 * status. */
static int schema_time(const struct pub_options *options, const struct kymo_schema *schema,
                       const struct kymo_field **time)
{
    *time = NULL;
    if (!options->time)
        return 0;
    *time = kymo_schema_find(schema, options->time);
    if (*time && ((*time)->count != 1 || !kymo_type_is_numeric((*time)->type)))
        return complain_usage(options->name, "--time %s: a field with one number is wanted",
                              options->time);
    if (*time || (strcmp(options->time, "time") == 0 && options->format != FORMAT_RAW))
        return 0;
    return complain_usage(options->name, "--time %s: there is no such field", options->time);
}

/* ---- opening ---- */

static int complain_space(const struct pub_options *options)
{
    struct statvfs files;
    uint64_t needed;

    if (kymo_segment_size(&options->segment, &needed) || statvfs(kymo_directory(), &files))
        return complain_error(options->name, -ENOSPC);
    return complain(options->name,
                    "needs %" PRIu64 " bytes and %s has %" PRIu64
                    " free: take a smaller --depth, or remove something there",
                    needed, kymo_directory(), (uint64_t)files.f_bavail * files.f_frsize);
}

/* What the command line does not say about a field is what the segment says. */
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

/* Takes from the existing segment what the command line does not say. Returns whether there is one. */
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

static int complain_opening(const struct pub_options *options, const struct kymo_options *segment,
                            int error, const struct kymo_diagnostic *diagnostic)
{
    if (error == -ENOSPC)
        return complain_space(options);
    if (error == -EEXIST && segment->existing == KYMO_OPEN_EXISTING)
        return complain(options->name, "%s: --replace starts anew, without the history",
                        diagnostic->text);
    if (error == -EINVAL && kymo_name_check(options->name) == 0)
        return complain(options->name, "%s", diagnostic->text);
    return complain_open(options->name, error);
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
                   ? complain_open(options->name, error)
                   : complain_usage(options->name, "no such segment yet: --fields is missing");
    }
    error = kymo_writer_open_diagnosed(&pub->writer, options->name, &segment, &diagnostic);
    return error ? complain_opening(options, &segment, error, &diagnostic) : 0;
}

/* Opens the segment and learns what its records are. Returns an exit status. */
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
        return complain_usage(options->name, "its records are bytes without fields: take --raw");
    for (uint32_t i = 0; i < pub->schema->count; i++)
        pub->has_text |= pub->schema->fields[i].type == KYMO_CHAR;
    pub->draft.payload = calloc(1, pub->size);
    if (!pub->draft.payload)
        return complain_error(options->name, -ENOMEM);
    return schema_time(options, pub->schema, &pub->time);
}

/* ---- publishing ---- */

static int draft_time(const struct pub *pub, uint64_t *time, struct problem *problem)
{
    const struct pub_options *options = pub->options;

    if (pub->time)
        return encode_time(pub->time, pub->draft.payload, options->time_unit, time, problem);
    if (options->time && !pub->draft.has_time)
        return problem_say(problem, "time is missing");
    if (options->time && pub->draft.time > UINT64_MAX / options->time_unit)
        return problem_say(problem, "time: %" PRIu64 " is beyond 2^64 ns", pub->draft.time);
    if (options->time)
        *time = pub->draft.time * options->time_unit;
    else if (pub->clock == KYMO_USER)
        *time = pub->writer->pos;
    else
        *time = kymo_clock_now(pub->clock);
    return 0;
}

/* Publishes the draft. -EINVAL with the problem where the record is at fault. */
static int draft_publish(struct pub *pub, struct problem *problem)
{
    uint64_t newest = pub->writer->time;
    uint64_t time = 0;
    int error = draft_time(pub, &time, problem);

    if (error)
        return error;
    error = kymo_ring_publish(pub->writer, pub->draft.payload, pub->size, time, pub->draft.tag);
    if (error == -EINVAL)
        return problem_say(problem,
                           "time %" PRIu64 " is before the newest record's, %" PRIu64
                           ": --clamp would take it as that",
                           time, newest);
    return error;
}

/* Reports what became of a line. Returns 0 where the next one may come, else a negative errno. */
static int line_done(struct pub *pub, int error, const struct problem *problem)
{
    const char *unit = pub->options->format == FORMAT_RAW ? "record" : "line";

    if (error != -EINVAL)
        return error;
    complain(pub->options->name, "%s %" PRIu64 ": %s", unit, pub->line, problem->text);
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
 * Whether the line is none of the records, but says how many of them are missing there, as kymo's
 * own output does: {"missed":3}, or "# missed 3" in a table. A field of that name comes first, and
 * so does a table that begins with text.
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

/* Longer than this no quoted cell goes on over line ends: a lone quote shall not eat the input. */
#define JOINED_LIMIT ((size_t)1 << 20)

/* Takes the next line of a table, with the ones that its quoted cells go on in. As input_line;
 * *lines gets how many it took. */
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
    while (open && pub->joined.len < JOINED_LIMIT) {
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

/* The header, or a record. */
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
        /* Without a header nothing that follows means anything. */
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
        complain(pub->options->name, "%zu bytes are left over at the end: a record has %zu",
                 pub->input.len, pub->size);
        pub->skipped++;
    }
    return got;
}

/* Publishes until the input ends or a signal comes. Returns an exit status. */
static int pub_run(struct pub *pub)
{
    static int (*const publish[])(struct pub *) = {publish_json, publish_csv, publish_raw};
    int error;

    pub->input.fd = STDIN_FILENO;
    pub->input.writer = pub->writer;
    error = publish[pub->options->format](pub);
    if (error && error != -EINTR)
        return complain_error(pub->options->name, error);
    return pub->skipped ? STATUS_FAILED : 0;
}

/* Opens, publishes, and ends cleanly. Returns an exit status. */
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
    return error ? complain_error(pub->options->name, error) : status;
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
    /* Before the segment is there: from its first moment on, a signal ends it cleanly. */
    pub.input.signals = signals_open();
    if (pub.input.signals < 0)
        return complain_error(options->name, pub.input.signals);
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
