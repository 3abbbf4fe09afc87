/*
 * schema.c - tables of fields: parse, check, compare. Nothing here reads beyond a table or text,
 * whatever its content (F: any content is handled safely).
 */
#include "internal.h"

#include <stdlib.h>

static const struct {
    char text[5];
    uint32_t size; /* bytes */
} types[] = {
    [0] = {"?", 0},
    [KYMO_U8] = {"u8", 1},
    [KYMO_U16] = {"u16", 2},
    [KYMO_U32] = {"u32", 4},
    [KYMO_U64] = {"u64", 8},
    [KYMO_I8] = {"i8", 1},
    [KYMO_I16] = {"i16", 2},
    [KYMO_I32] = {"i32", 4},
    [KYMO_I64] = {"i64", 8},
    [KYMO_F32] = {"f32", 4},
    [KYMO_F64] = {"f64", 8},
    [KYMO_CHAR] = {"char", 1},
    [KYMO_BOOL] = {"bool", 1},
};

#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

uint32_t kymo_type_size(uint32_t type)
{
    return type < TYPE_COUNT ? types[type].size : 0;
}

const char *kymo_type_text(uint32_t type)
{
    return types[type < TYPE_COUNT ? type : 0].text;
}

int kymo_type_is_numeric(uint32_t type)
{
    return kymo_type_size(type) > 0 && type != KYMO_CHAR;
}

static const char *const interps[] = {
    [KYMO_INTERP_LINEAR] = "linear",
    [KYMO_INTERP_PREVIOUS] = "previous",
    [KYMO_INTERP_ANGLE] = "angle",
    [KYMO_INTERP_NONE] = "none",
};

#define INTERP_COUNT (sizeof(interps) / sizeof(interps[0]))

const char *kymo_interp_text(uint32_t interp)
{
    return interp < INTERP_COUNT ? interps[interp] : "?";
}

/* ---- from text ---- */

/* The allocation of kymo_schema_parse: one block for one free(). */
struct schema_block {
    struct kymo_schema schema;
    struct kymo_field fields[];
};

/* The functions of ctype.h depend on the locale. */
static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_name_begin(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int is_name(char c)
{
    return is_name_begin(c) || is_digit(c);
}

static const char *skip_blanks(const char *at)
{
    while (*at == ' ' || (*at >= '\t' && *at <= '\r'))
        at++;
    return at;
}

/* The parse_ functions advance *at past what they parsed; after an error it is the position of the
 * error. */

static int parse_name(const char **at, char *name, size_t size)
{
    size_t len = 0;

    if (!is_name_begin(**at))
        return -EINVAL;
    while (len < size && is_name((*at)[len]))
        len++;
    if (len == size)
        return -EINVAL;
    memcpy(name, *at, len);
    *at += len;
    return 0;
}

static int parse_separator(const char **at, char separator)
{
    *at = skip_blanks(*at);
    if (**at != separator)
        return -EINVAL;
    *at = skip_blanks(*at + 1);
    return 0;
}

/* Whether the word at *at is this one; moves *at behind it. */
static int parse_word(const char **at, const char *word)
{
    size_t len = 0;

    while (is_name((*at)[len]))
        len++;
    if (len != strlen(word) || memcmp(*at, word, len) != 0)
        return 0;
    *at += len;
    return 1;
}

static int parse_type(const char **at, uint32_t *type)
{
    for (*type = 1; *type < TYPE_COUNT; ++*type)
        if (parse_word(at, types[*type].text))
            return 0;
    return -EINVAL;
}

/* The optional ":interp". */
static int parse_interp(const char **at, uint32_t *interp)
{
    *interp = KYMO_INTERP_LINEAR;
    if (**at != ':')
        return 0;
    *at = skip_blanks(*at + 1);
    for (; *interp < INTERP_COUNT; ++*interp)
        if (parse_word(at, interps[*interp]))
            return 0;
    return -EINVAL;
}

/* The number in one pair of brackets: elements, at most KYMO_SIZE_LIMIT times those of the
 * dimensions before it. */
static int parse_dimension(const char **at, struct kymo_field *field)
{
    const char *digit = *at;
    uint64_t elements = 0;

    for (; is_digit(*digit) && elements <= KYMO_SIZE_LIMIT; digit++)
        elements = elements * 10 + (uint64_t)(*digit - '0');
    if (elements == 0 || elements * field->count > KYMO_SIZE_LIMIT)
        return -EINVAL;
    *at = digit;
    field->shape[field->dimensions++] = (uint32_t)elements;
    field->count *= (uint32_t)elements;
    return 0;
}

static int parse_shape(const char **at, struct kymo_field *field)
{
    field->count = 1;
    for (;;) {
        *at = skip_blanks(*at);
        if (**at != '[')
            return 0;
        if (field->dimensions == KYMO_DIMENSIONS)
            return -EINVAL;
        *at = skip_blanks(*at + 1);
        if (parse_dimension(at, field))
            return -EINVAL;
        *at = skip_blanks(*at);
        if (**at != ']')
            return -EINVAL;
        ++*at;
    }
}

static int report_syntax(const char *at, struct kymo_diagnostic *diagnostic)
{
    return kymo_report(diagnostic, -EINVAL, "syntax error at '%.60s': use name:type,...", at);
}

static int parse_field(const char **at, struct kymo_field *field,
                       struct kymo_diagnostic *diagnostic)
{
    if (parse_name(at, field->name, sizeof(field->name)) || parse_separator(at, ':') ||
        parse_type(at, &field->type) || parse_shape(at, field) || parse_interp(at, &field->interp))
        return report_syntax(*at, diagnostic);
    return 0;
}

static uint64_t align_up(uint64_t bytes, uint32_t alignment)
{
    return (bytes + alignment - 1) & ~(uint64_t)(alignment - 1);
}

/* Places the field, of the text `at`, after the ones before it, as a C compiler does. */
static int place_field(struct kymo_schema *schema, struct kymo_field *field, const char *at,
                       struct kymo_diagnostic *diagnostic)
{
    const uint32_t element = kymo_type_size(field->type);
    const uint64_t offset = align_up(schema->size, element);
    const uint64_t end = offset + (uint64_t)field->count * element;

    if (kymo_schema_find(schema, field->name))
        return kymo_report(diagnostic, -EINVAL, "duplicate field at '%.60s': use each name once",
                           at);
    if (end > KYMO_SIZE_LIMIT)
        return kymo_report(diagnostic, -EINVAL,
                           "%llu bytes of fields at '%.60s': a payload has at most %u",
                           (unsigned long long)end, at, KYMO_SIZE_LIMIT);
    field->offset = (uint32_t)offset;
    schema->size = (uint32_t)end;
    schema->count++;
    return 0;
}

/* The size of a struct is a multiple of its widest member's; KYMO_SIZE_LIMIT is a multiple of all
 * widths. */
static void pad_end(struct kymo_schema *schema)
{
    uint32_t widest = 1;

    for (uint32_t i = 0; i < schema->count; i++) {
        uint32_t element = kymo_type_size(schema->fields[i].type);

        widest = element > widest ? element : widest;
    }
    schema->size = (uint32_t)align_up(schema->size, widest);
}

/* An upper bound for the number of fields in the text, at most one more than the limit. */
static uint32_t count_fields(const char *text)
{
    uint32_t count = 1;

    for (; *text && count <= KYMO_FIELD_LIMIT; text++)
        count += *text == ',';
    return count;
}

static int parse_fields(struct schema_block *block, const char **at,
                        struct kymo_diagnostic *diagnostic)
{
    for (;;) {
        struct kymo_field *field = &block->fields[block->schema.count];
        const char *begin = *at = skip_blanks(*at);

        if (block->schema.count == KYMO_FIELD_LIMIT)
            return kymo_report(diagnostic, -EINVAL, "too many fields at '%.60s': at most %u", begin,
                               KYMO_FIELD_LIMIT);
        if (parse_field(at, field, diagnostic))
            return -EINVAL;
        if (place_field(&block->schema, field, begin, diagnostic)) {
            *at = begin;
            return -EINVAL;
        }
        if (**at == '\0')
            return 0;
        if (parse_separator(at, ','))
            return report_syntax(*at, diagnostic);
    }
}

/* Sets *at to the position of an error. */
static int parse_text(struct kymo_schema **schema, const char *text, const char **at,
                      struct kymo_diagnostic *diagnostic)
{
    struct schema_block *block =
        calloc(1, sizeof(*block) + count_fields(text) * sizeof(struct kymo_field));

    *at = text;
    if (!block)
        return -ENOMEM;
    block->schema.fields = block->fields;
    if (parse_fields(block, at, diagnostic)) {
        free(block);
        return -EINVAL;
    }
    pad_end(&block->schema);
    *schema = &block->schema;
    return 0;
}

int kymo_schema_parse(struct kymo_schema **schema, const char *text, size_t *where)
{
    const char *at;
    const int error = parse_text(schema, text, &at, NULL);

    if (error == -EINVAL && where)
        *where = (size_t)(at - text);
    return error;
}

int kymo_schema_parse_diagnosed(struct kymo_schema **schema, const char *text,
                                struct kymo_diagnostic *diagnostic)
{
    const char *at;

    kymo_report_begin(diagnostic);
    return kymo_report_end(diagnostic, parse_text(schema, text, &at, diagnostic));
}

void kymo_schema_free(struct kymo_schema *schema)
{
    free(schema);
}

/* ---- checks ---- */

int kymo_field_name_is_valid(const char *name, size_t size)
{
    const char *end = memchr(name, '\0', size);

    if (!end || !is_name_begin(*name))
        return 0;
    while (name < end && is_name(*name))
        name++;
    return name == end;
}

static int shape_is_valid(const struct kymo_field *field)
{
    uint64_t count = 1;

    if (field->dimensions > KYMO_DIMENSIONS)
        return 0;
    for (uint32_t i = 0; i < KYMO_DIMENSIONS; i++) {
        if ((field->shape[i] == 0) != (i >= field->dimensions))
            return 0;
        if (i < field->dimensions)
            count *= field->shape[i];
        if (count > KYMO_SIZE_LIMIT)
            return 0;
    }
    return field->count == count;
}

/* 1 if the field alone is valid and within [from, size) of the payload. */
static int field_is_valid(const struct kymo_field *field, uint64_t from, uint32_t size)
{
    const uint64_t bytes = (uint64_t)field->count * kymo_type_size(field->type);

    return kymo_type_size(field->type) > 0 && field->metric <= KYMO_COUNTER &&
           field->interp <= KYMO_INTERP_NONE &&
           kymo_field_name_is_valid(field->name, sizeof(field->name)) &&
           memchr(field->unit, '\0', sizeof(field->unit)) &&
           memchr(field->help, '\0', sizeof(field->help)) && shape_is_valid(field) &&
           field->offset >= from && field->offset <= size && bytes <= size - field->offset;
}

/* At most KYMO_FIELD_LIMIT^2 / 2 comparisons of names, a few ms. The bound of each keeps it inside
 * the table even if a name is not terminated. */
static int name_is_unique(const struct kymo_schema *schema, uint32_t field)
{
    const char *name = schema->fields[field].name;

    for (uint32_t i = 0; i < field; i++) {
        if (strncmp(schema->fields[i].name, name, sizeof(schema->fields[i].name)) == 0)
            return 0;
    }
    return 1;
}

static int check_failed(uint32_t number, uint32_t *field)
{
    if (field)
        *field = number;
    return -EINVAL;
}

int kymo_schema_check(const struct kymo_schema *schema, uint32_t *field)
{
    uint64_t end = 0;

    if (schema->count > KYMO_FIELD_LIMIT)
        return check_failed(KYMO_FIELD_LIMIT, field);
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct kymo_field *at = &schema->fields[i];

        if (!field_is_valid(at, end, schema->size) || !name_is_unique(schema, i))
            return check_failed(i, field);
        end = at->offset + (uint64_t)at->count * kymo_type_size(at->type);
    }
    /* Every field is valid, but the payload that they are part of is not. */
    if (schema->size > KYMO_SIZE_LIMIT)
        return check_failed(schema->count, field);
    return 0;
}

/* ---- comparison and search ---- */

static int field_same(const struct kymo_field *one, const struct kymo_field *other)
{
    return strncmp(one->name, other->name, sizeof(one->name)) == 0 && one->type == other->type &&
           one->offset == other->offset && one->count == other->count &&
           one->dimensions == other->dimensions &&
           memcmp(one->shape, other->shape, sizeof(one->shape)) == 0 &&
           strncmp(one->unit, other->unit, sizeof(one->unit)) == 0 &&
           one->metric == other->metric && one->interp == other->interp;
}

/* NULL in options and an empty table in a segment both mean bytes. */
int kymo_schema_same(const struct kymo_schema *one, const struct kymo_schema *other)
{
    static const struct kymo_schema bytes;

    one = one ? one : &bytes;
    other = other ? other : &bytes;
    if (one->count != other->count || one->size != other->size)
        return 0;
    for (uint32_t i = 0; i < one->count; i++) {
        if (!field_same(&one->fields[i], &other->fields[i]))
            return 0;
    }
    return 1;
}

const struct kymo_field *kymo_schema_find(const struct kymo_schema *schema, const char *name)
{
    for (uint32_t i = 0; i < schema->count; i++) {
        if (strncmp(schema->fields[i].name, name, sizeof(schema->fields[i].name)) == 0)
            return &schema->fields[i];
    }
    return NULL;
}
