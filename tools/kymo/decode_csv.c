/*
 * decode_csv.c - decodes a table with a header line (RFC 4180) into records.
 */
#include "decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

bool csv_is_open(const char *line, size_t len)
{
    bool open = false;

    for (size_t i = 0; i < len; i++)
        open ^= line[i] == '"';
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

/* The column with this name. A field named "time" takes precedence over the record's time. */
static struct column *columns_find(struct csv *csv, const char *name)
{
    const struct column key = {.name = name};
    struct column *found =
        bsearch(&key, csv->columns, csv->column_count, sizeof(*csv->columns), column_compare);

    if (!found)
        return NULL;
    if (found > csv->columns && column_compare(found - 1, &key) == 0)
        found--;
    if (found->kind != COLUMN_FIELD && found + 1 < csv->columns + csv->column_count &&
        column_compare(found + 1, &key) == 0)
        found++;
    return found;
}

static int columns_match(struct csv *csv, struct cells *cells, struct problem *problem)
{
    struct column *column;
    size_t len;
    int error;

    while (cells->next) {
        error = cells_next(cells, csv->cell, &len, problem);
        if (error)
            return error;
        column = columns_find(csv, csv->cell);
        if (!column)
            return problem_set(problem, "no field for the column \"%.64s\"", csv->cell);
        if (column->named)
            return problem_set(problem, "duplicate column \"%.64s\"", csv->cell);
        column->named = true;
        csv->cells[csv->cell_count++] = column;
    }
    for (size_t i = 0; i < csv->column_count; i++)
        if (csv->columns[i].kind == COLUMN_FIELD && !csv->columns[i].named)
            return problem_set(problem, "missing column %.64s", csv->columns[i].name);
    return 0;
}

int csv_begin(struct csv **csv, const struct kymo_schema *schema, const char *line, size_t len,
              struct problem *problem)
{
    struct cells cells = {line, line + len};
    int error;

    *csv = calloc(1, sizeof(**csv));
    if (!*csv)
        return -ENOMEM;
    (*csv)->schema = schema;
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

bool csv_has_time(const struct csv *csv)
{
    for (size_t i = 0; i < csv->cell_count; i++)
        if (csv->cells[i]->kind == COLUMN_TIME)
            return true;
    return false;
}

/* ---- records ---- */

/* Decodes a number beside the payload. */
static int csv_number(const char *name, const char *cell, size_t len, uint64_t *number,
                      struct problem *problem)
{
    struct kymo_field field = {.type = KYMO_U64, .count = 1};

    strncpy(field.name, name, sizeof(field.name) - 1);
    return encode_cell(&field, 0, number, cell, len, problem);
}

static int csv_store(const struct csv *csv, const struct column *column, size_t len,
                     struct draft *draft, struct problem *problem)
{
    switch (column->kind) {
    case COLUMN_FIELD:
        return encode_cell(&csv->schema->fields[column->field], column->index, draft->payload,
                           csv->cell, len, problem);
    case COLUMN_TIME:
        draft->has_time = true;
        return csv_number(column->name, csv->cell, len, &draft->time, problem);
    case COLUMN_TAG:
        return csv_number(column->name, csv->cell, len, &draft->tag, problem);
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
