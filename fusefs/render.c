/*
 * render.c - what stands in the files about a segment, and about the view. Records are in
 * render_record.c.
 */
#include "render.h"

#include "plot.h"

/* ---- about the segment ---- */

int render_info(const struct node *node, struct kymo_text *text)
{
    if (node->key.segment->remains) {
        kymo_text_printf(text, "name: %s\nwriter: RETIRED\n", node->key.segment->name);
        return 0;
    }
    if (node->key.moment)
        return kymo_text_info_as_of(text, node_reader(node), node_now(node));
    return kymo_text_info(text, node_reader(node));
}

int render_schema(const struct node *node, struct kymo_text *text)
{
    kymo_text_schema(text, node_schema(node));
    kymo_text_append(text, "\n", 1);
    return 0;
}

int render_plot(const struct node *node, struct kymo_text *text)
{
    return plot_history(node->key.segment->name, node_reader(node), text);
}

int render_link(const struct node *node, struct kymo_text *text)
{
    kymo_text_printf(text, "%s/%s", kymo_directory(), node->key.segment->name);
    return 0;
}

/* ---- about the view ---- */

static void render_path(const struct node_kind *kind, struct kymo_text *text)
{
    if (kind->parent && kind->parent != node_root) {
        render_path(kind->parent, text);
        kymo_text_append(text, "/", 1);
    }
    kymo_text_string(text, kind->name);
}

/* One kind a line: its path, padded so that the helps stand below each other. */
static void render_help(const struct node_kind *kind, struct kymo_text *text)
{
    const size_t column = 48;
    const size_t begin = text->len;

    kymo_text_append(text, "  ", 2);
    render_path(kind, text);
    if (kind->flags & NODE_RAW)
        kymo_text_string(text, "[.raw]");
    else if (kind->type == NODE_DIRECTORY)
        kymo_text_append(text, "/", 1);
    do
        kymo_text_append(text, " ", 1);
    while (text->len < begin + column && !text->error);
    kymo_text_printf(text, "%s\n", kind->help);
}

static void render_kinds(bool listed, struct kymo_text *text)
{
    for (size_t i = 0; i < node_kind_count; i++) {
        const struct node_kind *kind = &node_kinds[i];

        if (kind->help && ((kind->flags & NODE_LISTED) != 0) == listed)
            render_help(kind, text);
    }
}

int render_readme(const struct node *node, struct kymo_text *text)
{
    (void)node;
    kymo_text_printf(text,
                     "kymofs %s: every segment in %s as a directory of files.\n"
                     "What a file holds is fixed when it is opened: one consistent snapshot.\n"
                     "\n",
                     kymo_version(), kymo_directory());
    render_kinds(true, text);
    kymo_text_string(text, "\nNot listed, found by name:\n\n");
    render_kinds(false, text);
    kymo_text_string(
        text, "\n"
              "NAME.raw has the record's bytes instead of text.\n"
              "TIME  nanoseconds on the segment's clock (1234567), with a unit (12.5s, 1500ms),\n"
              "      relative to now (now, -2s, now-250ms), or as a date where the clock is\n"
              "      realtime (2026-01-31T23:59:59.5Z)\n"
              "DUR   like TIME, without now and date\n"
              "A history leaves out what the writer overtook; its last line counts that: \"# "
              "missed 3\",\n"
              "or {\"missed\":3}. Below at/TIME, now is that instant, and nothing came after it.\n"
              "Errors come from open: ENODATA nothing published yet, ENOENT not there (any more),\n"
              "ERANGE closest record too far, EDOM outside the history, ETIME not fresh enough,\n"
              "EINVAL malformed question, EAGAIN overwritten while being read, EBADMSG segment\n"
              "damaged, EFBIG more than 128 MiB, ENOMEM more than 1 GiB of open files.\n");
    return 0;
}
