/*
 * fuzz_pub.c - any input of kymo pub: the first line is the fields, the next byte selects JSON or
 * CSV for the rest. Each accepted record is printed as kymo prints records; the output must decode to
 * the same bytes.
 */
#include "fuzz.h"
#include "rendered.h"

#include "decode.h"
#include "input.h"

#include <math.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#define SIZE_LIMIT 4096

static int beat(void *writer)
{
    kymo_writer_heartbeat(writer);
    return 0;
}

static struct input open_input(const struct fuzz_input *left)
{
    static struct kymo_writer *writer;
    static int signals = -1;
    struct input input = {0};
    const struct kymo_options options = {.existing = KYMO_REPLACE, .size = 8};

    if (!writer) {
        cr_assert_eq(kymo_writer_open(&writer, fuzz_name(), &options), 0);
        fuzz_unlink(fuzz_name());
        signals = eventfd(0, EFD_CLOEXEC);
    }
    input.fd = memfd_create("input", MFD_CLOEXEC);
    input.signals = signals;
    input.beat = beat;
    input.context = writer;
    cr_assert_geq(input.fd, 0);
    cr_assert_eq(write(input.fd, left->at, left->left), (ssize_t)left->left);
    lseek(input.fd, 0, SEEK_SET);
    return input;
}

/* The times beside the fields, in ns. */
static const struct time_format format = {.clock = KYMO_USER};

/* Text that is not UTF-8 is repaired when printed, and the longer text may not fit again. */
static int has_text(const struct kymo_schema *schema)
{
    for (uint32_t i = 0; i < schema->count; i++)
        if (schema->fields[i].type == KYMO_CHAR)
            return 1;
    return 0;
}

/* Infinities may be printed as null. */
static int has_infinity(const struct kymo_schema *schema, const void *payload)
{
    for (uint32_t i = 0; i < schema->count; i++)
        for (uint32_t j = 0; j < schema->fields[i].count; j++)
            if (isinf(kymo_element_value(&schema->fields[i], j, payload, SIZE_MAX)))
                return 1;
    return 0;
}

static void expect_same(const struct kymo_schema *schema, const struct draft *draft,
                        const struct draft *again, int error, const char *problem)
{
    if (error && has_text(schema))
        return;
    cr_assert_eq(error, 0, "%s", problem);
    cr_assert_eq(again->time, draft->time);
    cr_assert_eq(again->tag, draft->tag);
    if (!has_text(schema) && !has_infinity(schema, draft->payload))
        cr_assert_eq(memcmp(again->payload, draft->payload, schema->size), 0);
}

/* Prints a record as JSON and CSV, and decodes both. */
static void print_and_take(const struct kymo_schema *schema, const struct draft *draft)
{
    const struct kymo_record record = {.time = draft->time, .tag = draft->tag, .len = schema->size};
    struct draft again = {.payload = calloc(1, schema->size)};
    struct kymo_text text = {0}, header = {0};
    struct problem problem = {{0}};
    struct json_decoder *json;
    struct csv *csv;
    int error;

    cr_assert_not_null(again.payload);
    cr_assert_eq(json_begin(&json, schema, &format), 0);
    rendered_record(schema, KYMO_USER, &record, draft->payload);
    kymo_text_record(&text, schema, KYMO_USER, &record, draft->payload);
    error = json_decode(json, text.data, text.len, &again, &problem);
    expect_same(schema, draft, &again, error, problem.text);
    json_end(json);

    kymo_text_clear(&text);
    memset(again.payload, 0, schema->size);
    again.tag = again.time = 0;
    rendered_csv(schema, &record, draft->payload);
    kymo_text_csv_header(&header, schema);
    kymo_text_csv(&text, schema, &record, draft->payload);
    error = csv_begin(&csv, schema, &format, header.data, header.len - 1, &problem);
    cr_assert_eq(error, 0, "%s", problem.text);
    error = csv_decode(csv, text.data, text.len - 1, &again, &problem);
    expect_same(schema, draft, &again, error, problem.text);
    csv_end(csv);
    kymo_text_free(&header);
    kymo_text_free(&text);
    free(again.payload);
}

static void take_lines(const struct kymo_schema *schema, struct input *input, int is_table)
{
    struct draft draft = {.payload = malloc(schema->size)};
    struct json_decoder *json;
    struct csv *csv = NULL;
    struct problem problem;
    char *line;
    size_t len;
    int error;

    cr_assert_not_null(draft.payload);
    cr_assert_eq(json_begin(&json, schema, &format), 0);
    while (input_line(input, &line, &len) > 0) {
        memset(draft.payload, 0, schema->size);
        draft.has_time = false;
        draft.time = draft.tag = 0;
        problem.text[0] = '\0';
        if (!is_table)
            error = json_decode(json, line, len, &draft, &problem);
        else if (csv)
            error = csv_decode(csv, line, len, &draft, &problem);
        else if (csv_begin(&csv, schema, &format, line, len, &problem) == 0)
            continue;
        else
            break;
        cr_assert(error == 0 || error == -EINVAL);
        cr_assert(error == 0 || problem.text[0]);
        if (!error)
            print_and_take(schema, &draft);
    }
    json_end(json);
    csv_end(csv);
    free(draft.payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input left = {data, size};
    char *fields = fuzz_line(&left);
    const int is_table = fuzz_u8(&left) & 1;
    struct kymo_schema *schema;
    struct input input;

    if (kymo_schema_parse(&schema, fields, NULL) == 0) {
        if (schema->size <= SIZE_LIMIT) {
            input = open_input(&left);
            take_lines(schema, &input, is_table);
            input_free(&input);
            close(input.fd);
        }
        kymo_schema_free(schema);
    }
    free(fields);
    return 0;
}
