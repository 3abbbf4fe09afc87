/*
 * cmd_reap.c - kymo reap: removes what dead writers left behind, and says what that was.
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

/* Returns an exit status. A segment that is gone by now needs no reaping. */
static int reap(const char *name)
{
    int reaped = kymo_segment_reap(name);

    if (reaped < 0 && reaped != -ENOENT && reaped != -EBUSY && reaped != -EIDRM)
        return complain_open(name, reaped);
    if (reaped == 1)
        printf("removed %s\n", name);
    return 0;
}

static int reap_unfinished(void)
{
    int count = kymo_segment_reap_unfinished();

    if (count < 0)
        return complain_error(kymo_directory(), count);
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
        "Remove the segments whose writers died without a word, and what creators killed half-way "
        "left\vSegments that ended cleanly stay: kymo rm removes those.",
        NULL,
        NULL,
        NULL};
    struct names names = {0};
    int error, status = 0;

    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    error = kymo_segment_list(names_add, &names);
    if (error)
        status = complain_error(kymo_directory(), error);
    for (size_t i = 0; i < names.count; i++) {
        if (error == 0)
            status |= reap(names.list[i]);
        free(names.list[i]);
    }
    free(names.list);
    return status | (error ? 0 : reap_unfinished());
}
