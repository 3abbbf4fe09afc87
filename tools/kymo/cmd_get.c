/*
 * cmd_get.c - kymo get: one record, chosen by position or by time.
 */
#include "command.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct get_choice;

/* The command line. */
struct get {
    const char *name;
    const struct get_choice *choice;
    const char *argument; /* of the choice */
    const char *max;
    const char *field;
    bool raw;
};

/* A segment and the records that were asked for. */
struct answer {
    const struct get *get;
    struct kymo_reader *reader;
    const struct kymo_schema *schema;
    enum kymo_clock clock;
    size_t size;
    unsigned char *payload;
    unsigned char *after; /* interpolation only */
    struct kymo_record record;
    struct kymo_bracket bracket;
    uint64_t time; /* the one that was asked for */
    int status;    /* not 0: the arguments were at fault, and that was said */
};

/* A way to choose a record: how it is asked for, and what finds it. */
struct get_choice {
    int key;
    int (*find)(struct answer *answer);
};

/* ---- arguments that need the segment's clock ---- */

static int read_time(struct answer *answer)
{
    int error = kymo_time_parse(answer->get->argument, answer->clock, kymo_clock_now(answer->clock),
                                &answer->time);

    if (error)
        answer->status =
            complain_usage(answer->get->name,
                           "'%s' is no time on its clock (%s): 12.5s%s or nanoseconds are wanted",
                           answer->get->argument, kymo_clock_text(answer->clock),
                           answer->clock == KYMO_USER       ? ""
                           : answer->clock == KYMO_REALTIME ? ", -2s, now, 2026-01-31T12:00:00Z"
                                                            : ", -2s, now");
    return error;
}

static int read_duration(struct answer *answer, const char *text, uint64_t *ns)
{
    int error = kymo_duration_parse(text, ns);

    if (error)
        answer->status =
            complain_usage(answer->get->name, "'%s' is no duration: 250ms or 1.5s is wanted", text);
    return error;
}

static int read_number(struct answer *answer, uint64_t *number)
{
    int error = parse_number(answer->get->argument, number);

    if (error)
        answer->status = complain_usage(answer->get->name, "'%s': a number from 0 on is wanted",
                                        answer->get->argument);
    return error;
}

/* ---- choices ---- */

static int find_latest(struct answer *answer)
{
    return kymo_ring_latest(answer->reader, answer->payload, answer->size, &answer->record);
}

static int find_back(struct answer *answer)
{
    uint64_t back;
    int error = read_number(answer, &back);

    return error ? error
                 : kymo_ring_back(answer->reader, back, answer->payload, answer->size,
                                  &answer->record);
}

static int find_pos(struct answer *answer)
{
    uint64_t pos;
    int error = read_number(answer, &pos);

    return error
               ? error
               : kymo_ring_at(answer->reader, pos, answer->payload, answer->size, &answer->record);
}

static int find_closest(struct answer *answer)
{
    uint64_t max = KYMO_ANY_DISTANCE;
    int error = read_time(answer);

    if (error == 0 && answer->get->max)
        error = read_duration(answer, answer->get->max, &max);
    return error ? error
                 : kymo_series_closest(answer->reader, answer->time, max, answer->payload,
                                       answer->size, &answer->record);
}

static int find_as_of(struct answer *answer)
{
    int error = read_time(answer);

    return error ? error
                 : kymo_series_as_of(answer->reader, answer->time, answer->payload, answer->size,
                                     &answer->record);
}

static int find_interp(struct answer *answer)
{
    int error = read_time(answer);

    return error ? error
                 : kymo_series_bracket(answer->reader, answer->time, answer->payload, answer->after,
                                       answer->size, &answer->bracket);
}

static int find_fresh(struct answer *answer)
{
    uint64_t now = kymo_clock_now(answer->clock);
    uint64_t age;
    int error = read_duration(answer, answer->get->argument, &age);

    if (error)
        return error;
    if (answer->clock == KYMO_USER) {
        answer->status = complain(answer->get->name, "its clock is the writer's own, where nothing "
                                                     "has an age: leave out --fresh");
        return -EINVAL;
    }
    return kymo_series_fresh(answer->reader, now > age ? now - age : 0, answer->payload,
                             answer->size, &answer->record);
}

enum {
    KEY_BACK = 256,
    KEY_POS,
    KEY_CLOSEST,
    KEY_AS_OF,
    KEY_INTERP,
    KEY_FRESH,
    KEY_MAX,
    KEY_RAW,
    KEY_FIELD
};

static const struct get_choice choice_latest = {0, find_latest};

static const struct get_choice choices[] = {
    {KEY_BACK, find_back},   {KEY_POS, find_pos},       {KEY_CLOSEST, find_closest},
    {KEY_AS_OF, find_as_of}, {KEY_INTERP, find_interp}, {KEY_FRESH, find_fresh},
};

static const struct argp_option get_argp_options[] = {
    {0, 0, 0, 0, "Which record (else the newest):", 1},
    {"back", KEY_BACK, "N", 0, "N records before the newest", 1},
    {"pos", KEY_POS, "POS", 0, "The one at that position", 1},
    {"closest", KEY_CLOSEST, "TIME", 0, "The one whose time is closest", 1},
    {"max", KEY_MAX, "DUR", 0, "With --closest: fail where that is farther away than this", 1},
    {"as-of", KEY_AS_OF, "TIME", 0, "The newest one not after that time", 1},
    {"interp", KEY_INTERP, "TIME", 0, "The two around that time, and what lies between them", 1},
    {"fresh", KEY_FRESH, "DUR", 0, "The newest; fail where it is older than this", 1},
    {0, 0, 0, 0, "As what (else a line of JSON):", 2},
    {"raw", KEY_RAW, 0, 0, "The bytes of its payload", 2},
    {"field", KEY_FIELD, "FIELD", 0,
     "The value of one field; one line for each element of an array, or accel.0 for one of them",
     2},
    {0},
};

static const char get_doc[] =
    "Print one record of a segment\v"
    "TIME: nanoseconds on the segment's clock; 12.5s or 1500ms; now, -2s or now-250ms; "
    "2026-01-31T12:00:00Z where the clock is realtime. DUR: 250ms, 1.5s, or nanoseconds.\n";

static error_t get_parse(int key, char *argument, struct argp_state *state)
{
    struct get *get = state->input;

    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        if (key != choices[i].key)
            continue;
        if (get->choice)
            argp_error(state, "one record at a time: --back, --pos, --closest, --as-of, --interp "
                              "and --fresh exclude each other");
        get->choice = &choices[i];
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
    case ARGP_KEY_ARG:
        if (get->name)
            argp_error(state, "one NAME is wanted; %s is another", argument);
        get->name = argument;
        return 0;
    case ARGP_KEY_END:
        if (!get->name)
            argp_error(state, "the NAME of a segment is wanted");
        if (!get->choice)
            get->choice = &choice_latest;
        if (get->max && get->choice->key != KEY_CLOSEST)
            argp_error(state, "--max goes with --closest");
        if (get->raw && get->field)
            argp_error(state, "--raw and --field exclude each other");
        if ((get->raw || get->field) && get->choice->key == KEY_INTERP)
            argp_error(state, "--interp is two records: it goes without --raw and --field");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- printing ---- */

/* Splits accel.0 into the field and the first and last element. -EINVAL where there is none. */
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

static int print_field(const struct answer *answer)
{
    const struct kymo_field *field;
    struct kymo_text text = {0};
    uint32_t first, last;
    int status;

    if (field_find(answer->schema, answer->get->field, &field, &first, &last))
        return complain(answer->get->name, "there is no field %s: kymo info lists them",
                        answer->get->field);
    for (uint32_t element = first; element <= last; element++) {
        kymo_text_element(&text, field, element, answer->payload, answer->record.len);
        kymo_text_append(&text, "\n", 1);
    }
    status = print_status(print_text(&text));
    kymo_text_free(&text);
    return status;
}

static int print_json(const struct answer *answer)
{
    struct kymo_text text = {0};
    int status;

    if (answer->get->choice->key == KEY_INTERP)
        kymo_text_bracket(&text, answer->schema, answer->clock, answer->time, &answer->bracket,
                          answer->payload, answer->after);
    else
        kymo_text_record(&text, answer->schema, answer->clock, &answer->record, answer->payload);
    kymo_text_append(&text, "\n", 1);
    status = print_status(print_text(&text));
    kymo_text_free(&text);
    return status;
}

static int get_answer(struct answer *answer)
{
    int error = answer->get->choice->find(answer);

    if (error)
        return answer->status ? answer->status : complain_error(answer->get->name, error);
    if (answer->get->raw)
        return print_status(print_bytes(answer->payload, answer->record.len));
    return answer->get->field ? print_field(answer) : print_json(answer);
}

int command_get(int argc, char **argv)
{
    static const struct argp argp = {
        get_argp_options, get_parse, "NAME", get_doc, NULL, NULL, NULL};
    struct get get = {0};
    struct answer answer = {.get = &get};
    int error, status;

    argp_parse(&argp, argc, argv, 0, NULL, &get);
    error = kymo_reader_open(&answer.reader, get.name);
    if (error)
        return complain_open(get.name, error);
    answer.schema = kymo_segment_schema(answer.reader->segment);
    answer.clock = kymo_segment_clock(answer.reader->segment);
    answer.size = answer.reader->ring.size;
    answer.payload = malloc(answer.size);
    answer.after = malloc(answer.size);
    if (answer.payload && answer.after)
        status = get_answer(&answer);
    else
        status = complain_error(get.name, -ENOMEM);
    free(answer.payload);
    free(answer.after);
    kymo_reader_close(answer.reader);
    return status;
}
