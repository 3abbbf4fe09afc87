/*
 * cmd_ls.c - kymo ls: lists the segments; -l prints a table, and the skipped files with the reason.
 */
#include "command.h"

#include <argp.h>
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A column shows the value of its key in kymo_text_info. */
static const struct {
    const char *title;
    const char *key;
    bool right; /* aligned to the right */
} columns[] = {
    {"NAME", "name", false},      {"KIND", "kind", false},      {"DEPTH", "depth", true},
    {"SIZE", "size_bytes", true}, {"CLOCK", "clock", false},    {"RECORDS", "records", true},
    {"AGE", "age_seconds", true}, {"RATE", "rate_hertz", true}, {"WRITER", "writer", false},
    {"MODE", "mode", false},      {"OWNER", NULL, false},
};

enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

struct row {
    char *cells[COLUMNS];
};

/* The output. */
struct list {
    bool is_long;
    bool is_json;
    struct row *rows; /* of the table */
    size_t count;
    struct kymo_text lines;   /* names, or JSON */
    struct kymo_text skipped; /* printed after the table */
};

enum { KEY_JSON = 256 };

static const struct argp_option ls_argp_options[] = {
    {"long", 'l', 0, 0, "A table, then the files that are not segments, with the reason", 0},
    {"json", KEY_JSON, 0, 0, "An array of objects, including skipped files", 0},
    {0},
};

static error_t ls_parse(int key, char *argument, struct argp_state *state)
{
    struct list *list = state->input;

    switch (key) {
    case 'l':
        list->is_long = true;
        return 0;
    case KEY_JSON:
        list->is_json = true;
        return 0;
    default:
        return parse_no_names(key, argument, state);
    }
}

/* ---- properties of one segment ---- */

struct details {
    struct kymo_info info;
    struct kymo_text lines; /* output of kymo_text_info */
    bool has_age;
    bool is_ahead; /* the age is negative: the newest record's time is in the future */
    uint64_t age;  /* ns */
};

/* The value in the line "key: value", of *len bytes; empty if there is no such line. */
static const char *details_value(const struct details *details, const char *key, size_t *len)
{
    size_t key_len = strlen(key);

    for (const char *line = details->lines.data; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, key_len) == 0 && strncmp(line + key_len, ": ", 2) == 0) {
            line += key_len + 2;
            *len = strcspn(line, "\n");
            return line;
        }
    }
    *len = 0;
    return "";
}

static int details_read(struct details *details, const struct kymo_reader *reader)
{
    struct kymo_window window;
    uint64_t newest, now;
    int error = kymo_segment_info(reader->segment, &details->info);

    if (error == 0)
        error = kymo_text_info(&details->lines, reader);
    if (error || kymo_window_pin(&reader->ring, &window) || details->info.clock == KYMO_USER ||
        kymo_segment_is_of_other_boot(reader->segment))
        return error;
    newest = kymo_window_time(&reader->ring, window.high - 1);
    now = kymo_clock_now(details->info.clock);
    details->has_age = true;
    details->is_ahead = newest > now;
    details->age = details->is_ahead ? newest - now : now - newest;
    return 0;
}

/* "user:group"; numbers if there is no name. */
static void text_owner(struct kymo_text *text, const struct kymo_info *info)
{
    const struct passwd *user = getpwuid(info->uid);
    const struct group *group = getgrgid(info->gid);

    if (user)
        kymo_text_string(text, user->pw_name);
    else
        kymo_text_u64(text, info->uid);
    kymo_text_string(text, ":");
    if (group)
        kymo_text_string(text, group->gr_name);
    else
        kymo_text_u64(text, info->gid);
}

/* ---- rows ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* In its most legible unit. Without an age, the value of info, as one word. */
static void text_age(struct kymo_text *text, const struct details *details, const char *value,
                     size_t len)
{
    if (details->has_age && details->is_ahead)
        kymo_text_string(text, "-");
    if (details->has_age)
        kymo_text_duration(text, details->age);
    else if (len > 0 && memchr(value, ' ', len))
        kymo_text_string(text, "another-boot");
    else
        kymo_text_append(text, value, len);
}

/* A rate in six digits. */
static char *cell_make(const struct details *details, const char *key)
{
    struct kymo_text text = {0};
    const char *value;
    size_t len;

    if (!key) {
        text_owner(&text, &details->info);
        return text.data;
    }
    value = details_value(details, key, &len);
    if (strcmp(key, "rate_hertz") == 0 && is_digit(*value))
        kymo_text_printf(&text, "%g", strtod(value, NULL));
    else if (strcmp(key, "age_seconds") == 0)
        text_age(&text, details, value, len);
    else
        kymo_text_append(&text, value, len);
    return text.data;
}

static int row_add(struct list *list, const struct details *details)
{
    struct row *larger = realloc(list->rows, (list->count + 1) * sizeof(*larger));
    struct row *row;

    if (!larger)
        return -ENOMEM;
    list->rows = larger;
    row = &larger[list->count++];
    for (int i = 0; i < COLUMNS; i++)
        row->cells[i] = cell_make(details, columns[i].key);
    for (int i = 0; i < COLUMNS; i++)
        if (!row->cells[i])
            return -ENOMEM;
    return 0;
}

static void text_cell(struct kymo_text *text, int column, size_t width, const char *cell)
{
    const char *gap = column ? "  " : "";

    if (columns[column].right)
        kymo_text_printf(text, "%s%*s", gap, (int)width, cell);
    else if (column + 1 < COLUMNS)
        kymo_text_printf(text, "%s%-*s", gap, (int)width, cell);
    else
        kymo_text_printf(text, "%s%s", gap, cell);
}

static void text_table(struct kymo_text *text, const struct list *list)
{
    size_t widths[COLUMNS];

    for (int i = 0; i < COLUMNS; i++) {
        widths[i] = strlen(columns[i].title);
        for (size_t row = 0; row < list->count; row++)
            if (widths[i] < strlen(list->rows[row].cells[i]))
                widths[i] = strlen(list->rows[row].cells[i]);
        text_cell(text, i, widths[i], columns[i].title);
    }
    kymo_text_string(text, "\n");
    for (size_t row = 0; row < list->count; row++) {
        for (int i = 0; i < COLUMNS; i++)
            text_cell(text, i, widths[i], list->rows[row].cells[i]);
        kymo_text_string(text, "\n");
    }
}

static void rows_free(struct list *list)
{
    for (size_t row = 0; row < list->count; row++)
        for (int i = 0; i < COLUMNS; i++)
            free(list->rows[row].cells[i]);
    free(list->rows);
}

/* ---- JSON ---- */

static void json_next(struct list *list)
{
    kymo_text_string(&list->lines, list->lines.len ? ",\n" : "");
}

static void json_add(struct list *list, const struct details *details)
{
    const struct kymo_info *info = &details->info;
    struct kymo_text *text = &list->lines;
    size_t rate_len, state_len;
    const char *rate = details_value(details, "rate_hertz", &rate_len);
    const char *state = details_value(details, "writer", &state_len);

    json_next(list);
    kymo_text_printf(text, "{\"name\":\"%s\",\"kind\":\"%s\",\"depth\":%" PRIu64 ",\"size\":%u,",
                     info->name, kymo_kind_text(info->kind), info->depth, info->size);
    kymo_text_printf(text, "\"clock\":\"%s\",\"records\":%" PRIu64 ",\"age\":",
                     kymo_clock_text(info->clock), info->head - info->first);
    if (details->has_age && details->is_ahead)
        kymo_text_string(text, "-");
    if (details->has_age)
        kymo_text_u64(text, details->age);
    else
        kymo_text_string(text, "null");
    kymo_text_string(text, ",\"rate\":");
    if (is_digit(*rate))
        kymo_text_printf(text, "%g", strtod(rate, NULL));
    else
        kymo_text_string(text, "null");
    kymo_text_printf(text,
                     ",\"writer\":\"%.*s\",\"pid\":%u,\"mode\":\"%04o\",\"uid\":%u,\"gid\":%u}",
                     (int)state_len, state, info->writer_pid, info->mode & 07777, info->uid,
                     info->gid);
}

/* ---- the directory ---- */

/* A name with control characters and non-ASCII bytes replaced by '?'. */
static void text_printable(struct kymo_text *text, const char *name)
{
    for (; *name; name++)
        kymo_text_printf(text, "%c", *name >= ' ' && *name <= '~' ? *name : '?');
}

static void skip(struct list *list, const char *name, const char *reason)
{
    if (list->is_json) {
        json_next(list);
        kymo_text_string(&list->lines, "{\"name\":");
        kymo_text_quoted(&list->lines, name, strlen(name));
        kymo_text_string(&list->lines, ",\"skipped\":");
        kymo_text_quoted(&list->lines, reason, strlen(reason));
        kymo_text_string(&list->lines, "}");
    } else if (list->is_long) {
        kymo_text_string(&list->skipped, "skipped ");
        text_printable(&list->skipped, name);
        kymo_text_printf(&list->skipped, ": %s\n", reason);
    }
}

static int ls_visit(void *context, const struct kymo_entry *entry)
{
    struct list *list = context;
    struct details details = {0};
    struct kymo_reader *reader;
    int error = entry->error;

    if (error) {
        skip(list, entry->name, entry->reason);
        return 0;
    }
    if (!list->is_long && !list->is_json) {
        kymo_text_printf(&list->lines, "%s\n", entry->name);
        return 0;
    }
    error = kymo_reader_open(&reader, entry->name);
    if (error == 0) {
        error = details_read(&details, reader);
        kymo_reader_close(reader);
    }
    if (error == 0 && list->is_json)
        json_add(list, &details);
    else if (error == 0)
        error = row_add(list, &details);
    else if (error != -ENOENT && error != -EIDRM) /* removed since the directory was read */
        skip(list, entry->name, kymo_error_text(error));
    kymo_text_free(&details.lines);
    return error == -ENOMEM ? error : 0;
}

static int list_print(struct list *list)
{
    struct kymo_text text = {0};
    int error;

    if (list->is_json)
        kymo_text_string(&text, "[");
    else if (list->is_long)
        text_table(&text, list);
    kymo_text_append(&text, list->lines.data, list->lines.len);
    kymo_text_append(&text, list->skipped.data, list->skipped.len);
    if (list->is_json)
        kymo_text_string(&text, "]\n");
    error = list->lines.error ? list->lines.error : list->skipped.error;
    if (error == 0)
        error = print_text(&text);
    kymo_text_free(&text);
    return print_status(error);
}

int command_ls(int argc, char **argv)
{
    static const struct argp argp = {
        ls_argp_options, ls_parse, NULL, "List the segments", NULL, NULL, NULL};
    struct list list = {0};
    int error, status;

    argp_parse(&argp, argc, argv, 0, NULL, &list);
    error = kymo_segment_list(ls_visit, &list);
    status = error ? report_errno(kymo_directory(), error) : list_print(&list);
    rows_free(&list);
    kymo_text_free(&list.lines);
    kymo_text_free(&list.skipped);
    return status;
}
