/*
 * fuzz_schema.c - any text as a list of fields: an error with its offset, or a valid schema whose JSON agrees and whose text parses to the same schema.
 */
#include "fuzz.h"
#include "rendered.h"

/* The schema in the form that kymo_schema_parse reads. */
static void spell(struct kymo_text *text, const struct kymo_schema *schema)
{
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct kymo_field *field = &schema->fields[i];

        kymo_text_printf(text, "%s%s:%s", i ? "," : "", field->name, kymo_type_text(field->type));
        for (uint32_t d = 0; d < field->dimensions; d++)
            kymo_text_printf(text, "[%u]", field->shape[d]);
        if (field->interp != KYMO_INTERP_LINEAR)
            kymo_text_printf(text, ":%s", kymo_interp_text(field->interp));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    char *line = fuzz_line(&input);
    struct kymo_schema *schema, *again;
    struct kymo_text text = {0};
    size_t where = SIZE_MAX;
    int error = kymo_schema_parse(&schema, line, &where);

    if (error) {
        cr_assert_eq(error, -EINVAL);
        cr_assert_leq(where, strlen(line));
        free(line);
        return 0;
    }
    cr_assert_eq(kymo_schema_check(schema, NULL), 0);
    cr_assert(schema->count >= 1 && schema->count <= KYMO_FIELD_LIMIT);
    cr_assert(schema->size >= 1 && schema->size <= KYMO_SIZE_LIMIT);
    for (uint32_t i = 0; i < schema->count; i++)
        cr_assert_eq((const void *)kymo_schema_find(schema, schema->fields[i].name),
                     (const void *)&schema->fields[i]);
    spell(&text, schema);
    cr_assert_eq(kymo_schema_parse(&again, text.data, NULL), 0, "%s", text.data);
    cr_assert(kymo_schema_same(schema, again));
    rendered_schema(schema);
    kymo_text_free(&text);
    kymo_schema_free(again);
    kymo_schema_free(schema);
    free(line);
    return 0;
}
