/*
 * cmd_metrics.c - kymo metrics: segments as Prometheus text, as in metrics.prom of a mount.
 */
#include "command.h"

#include <argp.h>
#include <errno.h>
#include <kymo/metrics.h>

struct export
{
    struct kymo_metrics *metrics;
    bool named; /* names were given */
    int status;
    int error; /* 0, or -ENOMEM: the output is incomplete */
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
        export->status = report_open(name, error);
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

/* Files that are not segments are skipped without a message. */
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
        "Print segments as Prometheus text: the named ones, or all readable ones\v"
        "The same text as metrics.prom of a mount, without the metrics of kymofs itself. For the "
        "textfile collector of node_exporter, write a temporary file and rename it.",
        NULL,
        NULL,
        NULL};
    struct export export = {0};
    int error = kymo_metrics_open(&export.metrics);
    int status;

    if (error)
        return report_errno("metrics", error);
    argp_parse(&argp, argc, argv, 0, NULL, &export);
    if (!export.named)
        error = kymo_segment_list(metrics_visit, &export);
    status = error && !export.error ? report_errno(kymo_directory(), error) : export_print(&export);
    kymo_metrics_close(export.metrics);
    return status;
}
