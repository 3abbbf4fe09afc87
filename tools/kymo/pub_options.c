/*
 * pub_options.c - the command line of kymo pub.
 */
#include "pub.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "suggest.h"

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
    KEY_CLAMP,
    KEY_REJECT,
    KEY_NO_WAIT
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
     "Replace a time before the newest record's by that time, instead of rejecting the record. The "
     "segment keeps this for the next pub",
     3},
    {"reject", KEY_REJECT, 0, 0,
     "Reject records with a time before the newest record's: the default of a new segment", 3},
    {0, 0, 0, 0, "The segment:", 4},
    {"depth", KEY_DEPTH, "N", 0, "Records in the ring, a power of two (default 64)", 4},
    {"mode", KEY_MODE, "OCTAL", 0,
     "Permissions (default: those of the segment, else 0666 less the umask)", 4},
    {"wake", KEY_WAKE, "always|waiters", 0,
     "always: each publish also wakes readers without write permission", 4},
    {"replace", KEY_REPLACE, 0, 0, "Start a new generation, without the history", 4},
    {"no-wait", KEY_NO_WAIT, 0, 0,
     "If the segment is a full queue: report and skip the record, instead of waiting", 4},
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
        options->clock_given = true;
        break;
    case KEY_CLAMP:
    case KEY_REJECT:
        options->segment.time_policy = key == KEY_CLAMP ? KYMO_CLAMP : KYMO_REJECT;
        options->time_policy_given = true;
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
        return parse_name(key, argument, state, &options->name);
    }
    return 0;
}

static void check_options(struct pub_options *options, struct argp_state *state)
{
    if (options->fields && options->segment.size)
        argp_error(state, "--fields and --size: use only one of them");
    if (options->segment.size && options->format != FORMAT_RAW)
        argp_error(state, "--size: requires --raw; otherwise use --fields");
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
    case KEY_NO_WAIT:
        options->no_wait = true;
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

static int report_no_field(const struct pub_options *options, const char *argument, size_t len)
{
    const char *hint = suggest_field(&options->schema, argument, len);

    if (options->fields)
        return report_usage(options->name, "%s: no such field in --fields '%s'%s", argument,
                            options->fields, hint);
    return report_usage(options->name, "%s: no such field%s", argument, hint);
}

/* Applies one --unit, --describe or --counter to its field. Returns an exit status. */
static int apply_note(struct pub_options *options, const struct pub_note *note)
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
        return report_no_field(options, note->argument, len);
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

int pub_apply_notes(struct pub_options *options)
{
    int status = 0;

    for (size_t i = 0; i < options->note_count && status == 0; i++)
        status = apply_note(options, &options->notes[i]);
    return status;
}

int pub_set_schema(struct pub_options *options, const struct kymo_schema *schema)
{
    options->table = malloc(schema->count * sizeof(*options->table));
    if (!options->table)
        return -ENOMEM;
    memcpy(options->table, schema->fields, schema->count * sizeof(*options->table));
    options->schema = *schema;
    options->schema.fields = options->table;
    return 0;
}

bool pub_gives_interp(const struct pub_options *options, uint32_t number)
{
    const char *at = options->fields;

    for (; number; number--)
        at += strcspn(at, ",") + 1;
    at += strcspn(at, ":") + 1; /* name:type */
    return at[strcspn(at, ":,")] == ':';
}

/* Parses --fields. Returns an exit status. */
static int parse_fields(struct pub_options *options)
{
    struct kymo_diagnostic cause;
    struct kymo_schema *parsed;
    int status = kymo_schema_parse_diagnosed(&parsed, options->fields, &cause);

    if (status == -EINVAL)
        return report_usage(options->name, "--fields '%s': %s", options->fields, cause.text);
    if (status)
        return report_errno(options->name, status);
    status = pub_set_schema(options, parsed);
    kymo_schema_free(parsed);
    return status ? report_errno(options->name, status) : 0;
}

int pub_time_field(const struct pub_options *options, const struct kymo_field **time)
{
    const struct kymo_schema *schema = &options->schema;

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

int pub_options_parse(struct pub_options *options, int argc, char **argv)
{
    static const struct argp argp = {
        pub_argp_options, pub_parse, "NAME", pub_doc, NULL, NULL, NULL};

    *options = (struct pub_options){.time_digits = -1};
    argp_parse(&argp, argc, argv, 0, NULL, options);
    return options->fields ? parse_fields(options) : 0;
}

void pub_options_free(struct pub_options *options)
{
    free(options->notes);
    free(options->table);
}
