/*
 * cmd_info.c - kymo info: the same lines as the file `info` of a mount.
 */
#include "command.h"

static error_t info_parse(int key, char *argument, struct argp_state *state)
{
    return parse_name(key, argument, state, state->input);
}

int command_info(int argc, char **argv)
{
    static const struct argp argp = {NULL, info_parse, "NAME", "Print the properties of a segment",
                                     NULL, NULL,       NULL};
    struct kymo_reader *reader;
    struct kymo_text text = {0};
    const char *name = NULL;
    int error, status;

    argp_parse(&argp, argc, argv, 0, NULL, &name);
    error = kymo_reader_open(&reader, name);
    if (error)
        return report_open(name, error);
    error = kymo_text_info(&text, reader);
    status = error ? report_errno(name, error) : print_status(print_text(&text));
    kymo_text_free(&text);
    kymo_reader_close(reader);
    return status;
}
