/*
 * decode_csv.c - decodes a table with a header line (RFC 4180) into records.
 */
#include "decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "suggest.h"

/* Content of a column: a value of a field, or a number beside the payload. */
enum column_kind { COLUMN_FIELD, COLUMN_POS, COLUMN_TIME, COLUMN_TAG };

struct column {
    const char *name; /* within csv->header */
    enum column_kind kind;
    uint32_t field;
    uint32_t index; /* value of the field */
    bool named;     /* the table has this column */
};

struct csv {
    const struct kymo_schema *schema;
    const struct time_format *format;
    char *header;           /* names of all possible columns, each ended by a zero byte */
    struct column *columns; /* all possible columns, sorted by name */
    size_t column_count;
    struct column **cells; /* the columns of this table, in its order */
    size_t cell_count;
    char *cell; /* the current cell, without its quotes */
    size_t cell_size;
};

/* ---- cells ---- */

struct cells {
    const char *next; /* NULL after the last cell */
    const char *end;
};

static int cells_quoted(struct cells *cells, char *cell, size_t *len, struct problem *problem)
{
    const char *next = cells->next + 1;

    for (;; next++) {
        if (next == cells->end)
            return problem_set(problem, "missing closing quote");
        if (*next == '"' && (next + 1 == cells->end || *++next != '"'))
            break;
        cell[(*len)++] = *next;
    }
    next += next < cells->end && *next == '"';
    if (next < cells->end && *next != ',')
        return problem_set(problem, "text after the closing quote of a cell");
    cells->next = next;
    return 0;
}

/* Copies the next cell, which exists, to `cell`, which has the size of the line. */
static int cells_next(struct cells *cells, char *cell, size_t *len, struct problem *problem)
{
    const char *comma;
    int error;

    *len = 0;
    if (cells->next < cells->end && *cells->next == '"') {
        error = cells_quoted(cells, cell, len, problem);
        if (error)
            return error;
    } else {
        comma = memchr(cells->next, ',', (size_t)(cells->end - cells->next));
        if (!comma)
            comma = cells->end;
        *len = (size_t)(comma - cells->next);
        memcpy(cell, cells->next, *len);
        cells->next = comma;
    }
    cell[*len] = '\0';
    cells->next = cells->next < cells->end ? cells->next + 1 : NULL;
    return 0;
}

bool csv_is_open(const char *line, size_t len, bool open)
{
    bool begins = !open; /* a cell begins at line[i] */

    for (size_t i = 0; i < len; i++) {
        if (open && line[i] == '"' && i + 1 < len && line[i + 1] == '"')
            i++;
        else if (open)
            open = line[i] != '"';
        else if (begins && line[i] == '"')
            open = true;
        begins = !open && line[i] == ',';
    }
    return open;
}

static int cell_reserve(struct csv *csv, size_t line_len)
{
    char *larger;

    if (line_len < csv->cell_size)
        return 0;
    larger = realloc(csv->cell, 2 * line_len + 1);
    if (!larger)
        return -ENOMEM;
    csv->cell = larger;
    csv->cell_size = 2 * line_len + 1;
    return 0;
}

/* ---- columns ---- */

static int column_compare(const void *one, const void *other)
{
    return strcmp(((const struct column *)one)->name, ((const struct column *)other)->name);
}

/* Adds a column with the next name in *rest. */
static struct column *columns_add(struct csv *csv, char **rest, enum column_kind kind)
{
    struct column *column = &csv->columns[csv->column_count++];

    column->kind = kind;
    column->name = strsep(rest, ",\n");
    return column;
}

/* Collects all possible columns from the header that kymo prints for the schema. */
static int columns_collect(struct csv *csv)
{
    struct kymo_text header = {0};
    size_t values = 3;
    char *rest;

    for (uint32_t i = 0; i < csv->schema->count; i++)
        values += encode_values(&csv->schema->fields[i]);
    csv->columns = calloc(values, sizeof(*csv->columns));
    csv->cells = calloc(values, sizeof(struct column *));
    kymo_text_csv_header(&header, csv->schema);
    csv->header = header.data;
    if (!csv->columns || !csv->cells || header.error)
        return -ENOMEM;
    rest = csv->header;
    columns_add(csv, &rest, COLUMN_POS);
    columns_add(csv, &rest, COLUMN_TIME);
    columns_add(csv, &rest, COLUMN_TAG);
    for (uint32_t i = 0; i < csv->schema->count; i++) {
        for (uint32_t index = 0; index < encode_values(&csv->schema->fields[i]); index++) {
            struct column *column = columns_add(csv, &rest, COLUMN_FIELD);

            column->field = i;
            column->index = index;
        }
    }
    qsort(csv->columns, csv->column_count, sizeof(*csv->columns), column_compare);
    return 0;
}

/* The column of this kind, field or not, with this name; NULL: none. */
static struct column *columns_find(struct csv *csv, const char *name, bool is_field)
{
    const struct column key = {.name = name};
    const struct column *end = csv->columns + csv->column_count;
    struct column *found =
        bsearch(&key, csv->columns, csv->column_count, sizeof(*csv->columns), column_compare);

    if (!found)
        return NULL;
    if (found > csv->columns && column_compare(found - 1, &key) == 0)
        found--;
    for (; found < end && column_compare(found, &key) == 0; found++)
        if ((found->kind == COLUMN_FIELD) == is_field)
            return found;
    return NULL;
}

static int refuse_column(const struct csv *csv, struct problem *problem)
{
    if (strpbrk(csv->cell, ";\t"))
        return problem_set(problem, "no field for the column \"%.64s\": the separator must be ','",
                           csv->cell);
    return problem_set(problem, "no field for the column \"%.64s\"%s", csv->cell,
                       suggest_field(csv->schema, csv->cell, strlen(csv->cell)));
}

/*
 * Assigns the name in csv->cell to a column. A field named pos, time or tag takes precedence over the
 * number beside the fields; if the name occurs twice, as in kymo's own output, the first is the number.
 */
static int columns_assign(struct csv *csv, struct problem *problem)
{
    struct column *field = columns_find(csv, csv->cell, true);
    struct column *beside = columns_find(csv, csv->cell, false);
    struct column *column = field ? field : beside;

    if (!column)
        return refuse_column(csv, problem);
    if (field && field->named && beside && !beside->named) {
        for (size_t i = 0; i < csv->cell_count; i++)
            if (csv->cells[i] == field)
                csv->cells[i] = beside;
        beside->named = true;
    } else if (column->named) {
        return problem_set(problem, "duplicate column \"%.64s\"", csv->cell);
    }
    column->named = true;
    csv->cells[csv->cell_count++] = column;
    return 0;
}

static int columns_match(struct csv *csv, struct cells *cells, struct problem *problem)
{
    size_t len;
    int error;

    while (cells->next) {
        error = cells_next(cells, csv->cell, &len, problem);
        if (error == 0)
            error = columns_assign(csv, problem);
        if (error)
            return error;
    }
    for (size_t i = 0; i < csv->column_count; i++)
        if (csv->columns[i].kind == COLUMN_FIELD && !csv->columns[i].named)
            return problem_set(problem, "missing column %.64s", csv->columns[i].name);
    return 0;
}

int csv_begin(struct csv **csv, const struct kymo_schema *schema, const struct time_format *format,
              const char *line, size_t len, struct problem *problem)
{
    struct cells cells = {line, line + len};
    int error;

    *csv = calloc(1, sizeof(**csv));
    if (!*csv)
        return -ENOMEM;
    (*csv)->schema = schema;
    (*csv)->format = format;
    error = columns_collect(*csv);
    if (error == 0)
        error = cell_reserve(*csv, len);
    if (error == 0)
        error = columns_match(*csv, &cells, problem);
    if (error) {
        csv_end(*csv);
        *csv = NULL;
    }
    return error;
}

void csv_end(struct csv *csv)
{
    if (!csv)
        return;
    free(csv->header);
    free(csv->columns);
    free(csv->cells);
    free(csv->cell);
    free(csv);
}

/* ---- records ---- */

static int csv_field(const struct csv *csv, const struct column *column, size_t len,
                     struct draft *draft, struct problem *problem)
{
    const struct kymo_field *field = &csv->schema->fields[column->field];

    if (len == 0 && field->type != KYMO_CHAR)
        return encode_null(field, column->index, draft->payload, problem);
    if (field == csv->format->field)
        return decode_time_field(csv->format, csv->cell, len, draft, problem);
    return encode_text(field, column->index, draft->payload, csv->cell, len, problem);
}

static int csv_store(const struct csv *csv, const struct column *column, size_t len,
                     struct draft *draft, struct problem *problem)
{
    switch (column->kind) {
    case COLUMN_FIELD:
        return csv_field(csv, column, len, draft, problem);
    case COLUMN_TIME:
        return decode_time_beside(csv->format, csv->cell, len, draft, problem);
    case COLUMN_TAG:
        return encode_u64("tag", csv->cell, len, &draft->tag, problem);
    case COLUMN_POS:
        break;
    }
    return 0;
}

int csv_decode(struct csv *csv, const char *line, size_t len, struct draft *draft,
               struct problem *problem)
{
    struct cells cells = {line, line + len};
    size_t cell_len, index;
    int error = cell_reserve(csv, len);

    for (index = 0; cells.next && error == 0; index++) {
        if (index == csv->cell_count)
            return problem_set(problem, "too many cells: must be %zu", csv->cell_count);
        error = cells_next(&cells, csv->cell, &cell_len, problem);
        if (error == 0)
            error = csv_store(csv, csv->cells[index], cell_len, draft, problem);
    }
    if (error == 0 && index < csv->cell_count)
        return problem_set(problem, "%zu cells: must be %zu", index, csv->cell_count);
    return error;
}
