/*
 * cmd_get.c - kymo get: one record, selected by position or time.
 */
#include "command.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "suggest.h"

struct selector;

/* The command line. */
struct get {
    const char *name;
    const struct selector *selector;
    const char *argument; /* of the choice */
    const char *max;
    const char *field;
    bool raw;
};

/* The segment and the records found. */
struct query {
    const struct get *get;
    struct kymo_reader *reader;
    const struct kymo_schema *schema;
    enum kymo_clock clock;
    size_t size;
    unsigned char *payload;
    unsigned char *after; /* the later record of --interp */
    struct kymo_record record;
    struct kymo_bracket bracket;
    uint64_t time; /* the requested time */
    int status;    /* not 0: an argument is wrong, and was reported */
};

/* One way to select a record. */
struct selector {
    int key;
    int (*find)(struct query *query);
};

/* ---- arguments that need the segment's clock ---- */

static int read_time(struct query *query)
{
    int error = kymo_time_parse(query->get->argument, query->clock, kymo_clock_now(query->clock),
                                &query->time);

    if (error)
        query->status =
            report_usage(query->get->name,
                         "'%s': not a time on this clock (%s): use nanoseconds, 12.5s%s",
                         query->get->argument, kymo_clock_text(query->clock),
                         query->clock == KYMO_USER       ? ""
                         : query->clock == KYMO_REALTIME ? ", -2s, now, 2026-01-31T12:00:00Z"
                                                         : ", -2s, now");
    return error;
}

static int read_duration(struct query *query, const char *text, uint64_t *ns)
{
    int error = kymo_duration_parse(text, ns);

    if (error)
        query->status = report_usage(query->get->name,
                                     "'%s': not a duration: use 250ms, 1.5s or nanoseconds", text);
    return error;
}

static int read_number(struct query *query, uint64_t *number)
{
    int error = parse_number(query->get->argument, number);

    if (error)
        query->status =
            report_usage(query->get->name, "'%s': must be an integer from 0", query->get->argument);
    return error;
}

/* ---- selectors ---- */

static int find_latest(struct query *query)
{
    return kymo_ring_latest(query->reader, query->payload, query->size, &query->record);
}

static int find_back(struct query *query)
{
    uint64_t back;
    int error = read_number(query, &back);

    return error ? error
                 : kymo_ring_back(query->reader, back, query->payload, query->size, &query->record);
}

static int find_pos(struct query *query)
{
    uint64_t pos;
    int error = read_number(query, &pos);

    return error ? error
                 : kymo_ring_at(query->reader, pos, query->payload, query->size, &query->record);
}

/* A record that is found and then overwritten is -ESTALE: its tag remains overwritten. */
static int find_tag(struct query *query)
{
    uint64_t tag, pos = 0;
    int error = read_number(query, &tag);

    if (error == 0)
        error = kymo_series_find_tag(query->reader, tag, &pos);
    return error ? error
                 : kymo_ring_at(query->reader, pos, query->payload, query->size, &query->record);
}

static int find_closest(struct query *query)
{
    uint64_t max = KYMO_ANY_DISTANCE;
    int error = read_time(query);

    if (error == 0 && query->get->max)
        error = read_duration(query, query->get->max, &max);
    return error ? error
                 : kymo_series_closest(query->reader, query->time, max, query->payload, query->size,
                                       &query->record);
}

static int find_as_of(struct query *query)
{
    int error = read_time(query);

    return error ? error
                 : kymo_series_as_of(query->reader, query->time, query->payload, query->size,
                                     &query->record);
}

static int find_interp(struct query *query)
{
    int error = read_time(query);

    return error ? error
                 : kymo_series_bracket(query->reader, query->time, query->payload, query->after,
                                       query->size, &query->bracket);
}

static int refuse_fresh(struct query *query, const char *reason)
{
    query->status = report_error(query->get->name, "--fresh: %s: omit --fresh", reason);
    return -EINVAL;
}

/* A record that is ahead of the clock by more than the limit is not fresh: the clock was stepped
 * back. */
static int find_fresh(struct query *query)
{
    uint64_t now, age;
    int error = read_duration(query, query->get->argument, &age);

    if (error)
        return error;
    if (query->clock == KYMO_USER)
        return refuse_fresh(query, "the clock 'user' has no current time");
    if (kymo_segment_is_of_other_boot(query->reader->segment))
        return refuse_fresh(query, "the times are of another boot of the machine");
    error = kymo_ring_latest(query->reader, query->payload, query->size, &query->record);
    if (error)
        return error;
    now = kymo_clock_now(query->clock);
    if (query->record.time > now && query->record.time - now > age)
        return refuse_fresh(query, "the newest record's time is in the future");
    return now > query->record.time && now - query->record.time > age ? -ETIME : 0;
}

enum {
    KEY_BACK = 256,
    KEY_POS,
    KEY_TAG,
    KEY_CLOSEST,
    KEY_AS_OF,
    KEY_INTERP,
    KEY_FRESH,
    KEY_MAX,
    KEY_RAW,
    KEY_FIELD
};

static const struct selector select_latest = {0, find_latest};

static const struct selector selectors[] = {
    {KEY_BACK, find_back},       {KEY_POS, find_pos},     {KEY_TAG, find_tag},
    {KEY_CLOSEST, find_closest}, {KEY_AS_OF, find_as_of}, {KEY_INTERP, find_interp},
    {KEY_FRESH, find_fresh},
};

static const struct argp_option get_argp_options[] = {
    {0, 0, 0, 0, "Record (default: the newest):", 1},
    {"back", KEY_BACK, "N", 0, "N records before the newest", 1},
    {"pos", KEY_POS, "POS", 0, "The record at this position", 1},
    {"tag", KEY_TAG, "N", 0, "The record with this tag, if tags never decrease", 1},
    {"closest", KEY_CLOSEST, "TIME", 0, "The record with the closest time", 1},
    {"max", KEY_MAX, "DUR", 0, "With --closest: fail if the record is farther away", 1},
    {"as-of", KEY_AS_OF, "TIME", 0, "The newest record not after this time", 1},
    {"interp", KEY_INTERP, "TIME", 0, "The two records around this time, and the interpolation", 1},
    {"fresh", KEY_FRESH, "DUR", 0, "The newest record; fail if it is older", 1},
    {0, 0, 0, 0, "Output (default: one line of JSON):", 2},
    {"raw", KEY_RAW, 0, 0, "The payload bytes", 2},
    {"field", KEY_FIELD, "FIELD", 0,
     "The value of one field, one line per element of an array; accel.0 is one element", 2},
    {0},
};

static const char get_doc[] =
    "Print one record of a segment\v"
    "TIME: nanoseconds on the segment's clock; 12.5s or 1500ms; now, -2s or now-250ms; "
    "2026-01-31T12:00:00Z if the clock is realtime. DUR: 250ms, 1.5s, or nanoseconds.\n";

static error_t get_parse(int key, char *argument, struct argp_state *state)
{
    struct get *get = state->input;

    for (size_t i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++) {
        if (key != selectors[i].key)
            continue;
        if (get->selector)
            argp_error(state,
                       "--back, --pos, --tag, --closest, --as-of, --interp and --fresh: use only "
                       "one of them");
        get->selector = &selectors[i];
        get->argument = argument;
        return 0;
    }
    switch (key) {
    case KEY_MAX:
        get->max = argument;
        return 0;
    case KEY_RAW:
        get->raw = true;
        return 0;
    case KEY_FIELD:
        get->field = argument;
        return 0;
    case ARGP_KEY_END:
        if (!get->selector)
            get->selector = &select_latest;
        if (get->max && get->selector->key != KEY_CLOSEST)
            argp_error(state, "--max: requires --closest");
        if (get->raw && get->field)
            argp_error(state, "--raw and --field: use only one of them");
        if ((get->raw || get->field) && get->selector->key == KEY_INTERP)
            argp_error(state, "--interp: prints two records: omit --raw and --field");
        return 0;
    default:
        return parse_name(key, argument, state, &get->name);
    }
}

/* ---- printing ---- */

/* Resolves accel.0 to a field and the range of its elements. -EINVAL if there is none. */
static int field_find(const struct kymo_schema *schema, const char *text,
                      const struct kymo_field **field, uint32_t *first, uint32_t *last)
{
    char name[sizeof((*field)->name)] = "";
    size_t len = strcspn(text, ".");
    uint64_t element;

    if (len >= sizeof(name))
        return -EINVAL;
    memcpy(name, text, len);
    *field = kymo_schema_find(schema, name);
    if (!*field)
        return -EINVAL;
    *first = 0;
    *last = (*field)->type == KYMO_CHAR ? 0 : (*field)->count - 1;
    if (text[len] == '\0')
        return 0;
    if (!(*field)->dimensions || (*field)->type == KYMO_CHAR ||
        parse_number(text + len + 1, &element) || element > *last)
        return -EINVAL;
    *first = *last = (uint32_t)element;
    return 0;
}

static int print_field(const struct query *query)
{
    const struct kymo_field *field;
    struct kymo_text text = {0};
    uint32_t first, last;
    int status;

    if (field_find(query->schema, query->get->field, &field, &first, &last))
        return report_error(query->get->name, "no field '%s': kymo info lists the fields%s",
                            query->get->field,
                            suggest_field(query->schema, query->get->field,
                                          strcspn(query->get->field, ".")));
    for (uint32_t element = first; element <= last; element++) {
        kymo_text_element(&text, field, element, query->payload, query->record.len);
        kymo_text_append(&text, "\n", 1);
    }
    status = print_status(print_text(&text));
    kymo_text_free(&text);
    return status;
}

static int print_json(const struct query *query)
{
    struct kymo_text text = {0};
    int status;

    if (query->get->selector->key == KEY_INTERP)
        kymo_text_bracket(&text, query->schema, query->clock, query->time, &query->bracket,
                          query->payload, query->after);
    else
        kymo_text_record(&text, query->schema, query->clock, &query->record, query->payload);
    kymo_text_append(&text, "\n", 1);
    status = print_status(print_text(&text));
    kymo_text_free(&text);
    return status;
}

/* ENODATA: the ring is empty, or does not have the requested record yet. */
static int report_failure(const struct query *query, int error)
{
    const struct kymo_ring *ring = &query->reader->ring;
    const uint64_t head = kymo_ring_head(ring);
    const char *name = query->get->name;
    struct kymo_record newest;

    if (error == -ENOMSG)
        return report_error(
            name, "--tag %s: no record has this tag: kymo watch --from oldest shows the tags",
            query->get->argument);
    if (error != -ENODATA || head == ring->first)
        return report_errno(name, error);
    if (query->get->selector->key == KEY_BACK)
        return report_error(name,
                            "--back %s: must be below the number of published records, %" PRIu64,
                            query->get->argument, head - ring->first);
    if (query->get->selector->key == KEY_POS)
        return report_error(name, "--pos %s: the newest record is at %" PRIu64,
                            query->get->argument, head - 1);
    if (query->get->selector->key == KEY_TAG &&
        kymo_ring_latest(query->reader, query->payload, query->size, &newest) == 0)
        return report_error(name, "--tag %s: the newest record has tag %" PRIu64,
                            query->get->argument, newest.tag);
    return report_errno(name, error);
}

static int get_run(struct query *query)
{
    int error = query->get->selector->find(query);

    if (error)
        return query->status ? query->status : report_failure(query, error);
    if (query->get->raw)
        return print_status(print_bytes(query->payload, query->record.len));
    return query->get->field ? print_field(query) : print_json(query);
}

int command_get(int argc, char **argv)
{
    static const struct argp argp = {
        get_argp_options, get_parse, "NAME", get_doc, NULL, NULL, NULL};
    struct get get = {0};
    struct query query = {.get = &get};
    int error, status;

    argp_parse(&argp, argc, argv, 0, NULL, &get);
    error = kymo_reader_open(&query.reader, get.name);
    if (error)
        return report_open(get.name, error);
    query.schema = kymo_segment_schema(query.reader->segment);
    query.clock = kymo_segment_clock(query.reader->segment);
    query.size = query.reader->ring.size;
    query.payload = malloc(query.size);
    query.after = malloc(query.size);
    if (query.payload && query.after)
        status = get_run(&query);
    else
        status = report_errno(get.name, -ENOMEM);
    free(query.payload);
    free(query.after);
    kymo_reader_close(query.reader);
    return status;
}
