/*
 * fuzz_render.c - payloads of any bytes under any schema, as JSON, CSV and metrics: what was
 * rendered is read back and compared. The input: the fields in a line, options, texts for units and
 * helps, and then the bytes of records.
 */
#include "fuzz.h"
#include "rendered.h"

#define SIZE_LIMIT 4096
#define RECORDS    4

/* Any bytes as a field's texts, and some of its fields as counters. */
static struct kymo_field *dress(const struct kymo_schema *schema, struct fuzz_input *input)
{
    struct kymo_field *fields = calloc(schema->count, sizeof(*fields));

    cr_assert_not_null(fields);
    memcpy(fields, schema->fields, schema->count * sizeof(*fields));
    for (uint32_t i = 0; i < schema->count && i < 4; i++) {
        char *unit = fuzz_line(input);
        char *help = fuzz_line(input);

        snprintf(fields[i].unit, sizeof(fields[i].unit), "%s", unit);
        snprintf(fields[i].help, sizeof(fields[i].help), "%s", help);
        free(unit);
        free(help);
    }
    for (uint32_t i = 0; i < schema->count; i++)
        if (fields[i].type != KYMO_CHAR && fields[i].type != KYMO_BOOL)
            fields[i].metric = fuzz_u8(input) & 1;
    return fields;
}

static void render(const struct kymo_reader *reader)
{
    const struct kymo_schema *schema = kymo_segment_schema(reader->segment);
    const enum kymo_clock clock = kymo_segment_clock(reader->segment);
    unsigned char payload[SIZE_LIMIT], after[SIZE_LIMIT];
    struct kymo_record record;
    struct kymo_bracket bracket;
    const uint64_t middle = 15;

    rendered_schema(schema);
    rendered_info(reader);
    rendered_metrics(reader);
    for (uint64_t back = 0; back < RECORDS - 1; back++) {
        if (kymo_ring_back(reader, back, payload, sizeof(payload), &record) != 0)
            break;
        rendered_record(schema, clock, &record, payload);
        rendered_csv(schema, &record, payload);
    }
    if (kymo_series_bracket(reader, middle, payload, after, sizeof(payload), &bracket) == 0)
        rendered_bracket(schema, clock, middle, &bracket, payload, after);
}

static void publish(struct kymo_writer *writer, struct fuzz_input *input)
{
    unsigned char payload[SIZE_LIMIT];

    for (uint64_t i = 0; i < RECORDS; i++) {
        const size_t len = fuzz_u16(input) % (writer->ring.size + 1u);

        fuzz_take(input, payload, writer->ring.size);
        cr_assert_eq(kymo_ring_publish(writer, payload, i ? writer->ring.size : len, 10 * i,
                                       fuzz_u64(input)),
                     0);
    }
}

static void try_schema(const struct kymo_schema *schema, struct fuzz_input *input)
{
    struct kymo_options options = {.existing = KYMO_REPLACE, .depth = 4};
    /* Some have the names of the metrics of all segments. */
    static const char *const names[] = {"fuzz", "writer", "records", "age", "a.b-c"};
    struct kymo_field *fields = dress(schema, input);
    const struct kymo_schema dressed = {fields, schema->count, schema->size};
    struct kymo_writer *writer;
    struct kymo_reader *reader;
    char name[64];

    options.clock = (enum kymo_clock)(fuzz_u8(input) % (KYMO_USER + 1));
    options.schema = &dressed;
    snprintf(name, sizeof(name), "%s", names[fuzz_u8(input) % 5]);
    if (kymo_schema_check(&dressed, NULL) == 0) {
        cr_assert_eq(kymo_writer_open(&writer, name, &options), 0);
        cr_assert_eq(kymo_reader_open(&reader, name), 0);
        publish(writer, input);
        render(reader);
        kymo_reader_close(reader);
        cr_assert_eq(kymo_writer_remove(writer), 0);
    }
    free(fields);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    char *fields = fuzz_line(&input);
    struct kymo_schema *schema;

    if (kymo_schema_parse(&schema, fields, NULL) == 0) {
        if (schema->size <= SIZE_LIMIT && schema->count <= 64)
            try_schema(schema, &input);
        kymo_schema_free(schema);
    }
    free(fields);
    return 0;
}
