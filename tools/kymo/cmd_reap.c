/*
 * cmd_reap.c - kymo reap: removes segments of dead writers and prints their names.
 */
#include "command.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct names {
    char **list;
    size_t count;
};

static int names_add(void *context, const struct kymo_entry *entry)
{
    struct names *names = context;
    char **larger;

    if (entry->error)
        return 0;
    larger = realloc(names->list, (names->count + 1) * sizeof(*larger));
    if (!larger)
        return -ENOMEM;
    names->list = larger;
    larger[names->count] = strdup(entry->name);
    return larger[names->count++] ? 0 : -ENOMEM;
}

/* Returns an exit status. A segment that was removed concurrently is not an error. */
static int reap(const char *name)
{
    int reaped = kymo_segment_reap(name);

    if (reaped < 0 && reaped != -ENOENT && reaped != -EBUSY && reaped != -EIDRM)
        return report_open(name, reaped);
    if (reaped == 1)
        printf("removed %s\n", name);
    return 0;
}

static int reap_unfinished(void)
{
    int count = kymo_segment_reap_unfinished();

    if (count < 0)
        return report_errno(kymo_directory(), count);
    if (count)
        printf("removed %d unfinished\n", count);
    return 0;
}

int command_reap(int argc, char **argv)
{
    static const struct argp argp = {
        NULL,
        NULL,
        NULL,
        "Remove segments whose writer died, and temporary files of killed creators\v"
        "Segments of writers that ended cleanly remain: kymo rm removes those.",
        NULL,
        NULL,
        NULL};
    struct names names = {0};
    int error, status = 0;

    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    error = kymo_segment_list(names_add, &names);
    if (error)
        status = report_errno(kymo_directory(), error);
    for (size_t i = 0; i < names.count; i++) {
        if (error == 0)
            status |= reap(names.list[i]);
        free(names.list[i]);
    }
    free(names.list);
    return status | (error ? 0 : reap_unfinished());
}
