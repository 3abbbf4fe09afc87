/*
 * cmd_rm.c - kymo rm: removes segments by name, unless a writer is alive.
 */
#include "command.h"

#include <argp.h>

static error_t rm_parse(int key, char *argument, struct argp_state *state)
{
    int *status = state->input;
    int error;

    switch (key) {
    case ARGP_KEY_ARG:
        error = kymo_segment_remove(argument);
        if (error)
            *status = report_open(argument, error);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "missing argument: NAME of a segment");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int command_rm(int argc, char **argv)
{
    static const struct argp argp = {
        NULL,
        rm_parse,
        "NAME...",
        "Remove segments without a live writer\vReads of open readers then fail with EIDRM.",
        NULL,
        NULL,
        NULL};
    int status = 0;

    argp_parse(&argp, argc, argv, 0, NULL, &status);
    return status;
}
