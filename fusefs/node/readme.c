/*
 * readme.c - the README of the mount, made from the table of kinds.
 */
#include "kinds.h"

static void add_directory(const struct node_kind *kind, struct kymo_text *text)
{
    if (!kind || kind == node_root)
        return;
    add_directory(kind->parent, text);
    kymo_text_string(text, kind->name);
    kymo_text_append(text, "/", 1);
}

/* One spelling of a kind: its path, padded to a column, and its help. */
static void add_line(const struct node_kind *kind, const char *name, const char *help,
                     struct kymo_text *text)
{
    const size_t column = 48;
    const size_t begin = text->len;

    kymo_text_append(text, "  ", 2);
    add_directory(kind->parent, text);
    kymo_text_string(text, name);
    if (kind->flags & NODE_RAW)
        kymo_text_string(text, "[.raw]");
    else if (kind->type == NODE_DIRECTORY)
        kymo_text_append(text, "/", 1);
    do
        kymo_text_append(text, " ", 1);
    while (text->len < begin + column && !text->error);
    kymo_text_printf(text, "%s\n", help);
}

static void add_kinds(bool listed, struct kymo_text *text)
{
    for (size_t i = 0; i < node_kind_count; i++) {
        const struct node_kind *kind = &node_kinds[i];

        if (!kind->help || ((kind->flags & NODE_LISTED) != 0) != listed)
            continue;
        add_line(kind, kind->name, kind->help, text);
        if (kind->path_name)
            add_line(kind, kind->path_name, "the same", text);
    }
}

int node_render_readme(struct request *request, struct kymo_text *text)
{
    (void)request;
    kymo_text_printf(text,
                     "kymofs %s: every segment in %s as a directory of files.\n"
                     "The content of a file is fixed when it is opened: one consistent snapshot.\n"
                     "\n",
                     kymo_version(), kymo_directory());
    add_kinds(true, text);
    kymo_text_string(text, "\nNot listed, found by name:\n\n");
    add_kinds(false, text);
    kymo_text_string(
        text,
        "\n"
        "NAME.raw has the record's bytes instead of text.\n"
        "TIME  nanoseconds on the segment's clock (1234567), with a unit (12.5s, 1500ms),\n"
        "      relative to now (now, -2s, now-250ms), or a date if the clock is realtime\n"
        "      (2026-01-31T23:59:59.5Z)\n"
        "DUR   like TIME, without now and date\n"
        "N     the number that the writer gave the record, such as a frame number\n"
        "Programs that poll should use relative times, \"closest/-2s\": each different name\n"
        "takes memory in the kernel.\n"
        "\n"
        "A history omits records that were overwritten while it was opened; its last line\n"
        "counts them: \"# missed 3\", or {\"missed\":3}. Below at/TIME, \"now\" is that instant,\n"
        "and no later record is shown.\n"
        "\n"
        "open() fails with ENODATA: no record yet; ENOENT: no such segment or tag, or the record\n"
        "has been overwritten; ERANGE: the closest record is too far; EDOM: before the oldest\n"
        "record or after the newest; ETIME: the newest is too old; EINVAL: malformed query;\n"
        "EAGAIN: overwritten while being read; EBADMSG: damaged segment; EFBIG: too long;\n"
        "ENOMEM: beyond the caller's share of memory for open files.\n");
    return 0;
}
