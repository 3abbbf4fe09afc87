/*
 * cmd_metrics.c - kymo metrics: segments as Prometheus text, as in the file metrics.prom of a mount.
 */
#include "command.h"

#include <argp.h>
#include <errno.h>
#include <kymo/metrics.h>

struct export
{
    struct kymo_metrics *metrics;
    bool named; /* some segments, instead of all */
    int status;
    int error; /* 0, or -ENOMEM: what was collected is of no use */
};

static void export_add(struct export *export, const char *name)
{
    struct kymo_reader *reader;
    int error = kymo_reader_open(&reader, name);

    if (!error) {
        const int count = kymo_metrics_add(export->metrics, reader);

        error = count < 0 ? count : 0;
        kymo_reader_close(reader);
    }
    if (error == -ENOMEM)
        export->error = error;
    else if (error && export->named)
        export->status = complain_open(name, error);
}

static error_t metrics_parse(int key, char *argument, struct argp_state *state)
{
    struct export *export = state->input;

    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    export->named = true;
    export_add(export, argument);
    return 0;
}

/* What is no segment, or was one a moment ago, is not exported, and nothing is said. */
static int metrics_visit(void *context, const struct kymo_entry *entry)
{
    struct export *export = context;

    if (!entry->error)
        export_add(export, entry->name);
    return export->error;
}

static int export_print(struct export *export)
{
    struct kymo_text text = {0};
    int error = export->error;

    if (!error)
        error = kymo_metrics_write(export->metrics, &text);
    if (!error)
        error = print_text(&text);
    kymo_text_free(&text);
    return error ? print_status(error) : export->status;
}

int command_metrics(int argc, char **argv)
{
    static const struct argp argp = {
        NULL,
        metrics_parse,
        "[NAME...]",
        "Print segments as Prometheus text: those named, or all that you may read\v"
        "It is what the file metrics.prom of a mount holds, but for what kymofs says of itself. "
        "For "
        "the textfile collector of node_exporter, write it to a file beside and rename that.",
        NULL,
        NULL,
        NULL};
    struct export export = {0};
    int error = kymo_metrics_open(&export.metrics);
    int status;

    if (error)
        return complain_error("metrics", error);
    argp_parse(&argp, argc, argv, 0, NULL, &export);
    if (!export.named)
        error = kymo_segment_list(metrics_visit, &export);
    status =
        error && !export.error ? complain_error(kymo_directory(), error) : export_print(&export);
    kymo_metrics_close(export.metrics);
    return status;
}
