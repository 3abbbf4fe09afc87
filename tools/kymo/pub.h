/*
 * pub.h - the command line of kymo pub.
 */
#ifndef KYMO_TOOLS_PUB_H
#define KYMO_TOOLS_PUB_H

#include "command.h"

enum format { FORMAT_JSON, FORMAT_CSV, FORMAT_RAW };

/* One --unit, --describe or --counter. */
struct pub_note {
    int key;
    const char *argument;
};

/* The command line. */
struct pub_options {
    const char *name;
    const char *fields;
    const char *time; /* name of a field, or "time": the time beside the fields */
    int time_digits;  /* unit of the time: 10^time_digits ns; -1: not given */
    enum format format;
    bool remove;
    bool clock_given;
    bool wake_given;
    struct kymo_options segment;
    struct pub_note *notes;
    size_t note_count;
    struct kymo_schema schema; /* of --fields and the notes; count 0 without --fields */
    struct kymo_field *table;  /* its fields */
};

/* Parses the command line and --fields. Returns an exit status. */
int pub_options_parse(struct pub_options *options, int argc, char **argv);
void pub_options_free(struct pub_options *options);

/* Finds the field of --time; *time is NULL if the time is beside the fields. Returns an exit status. */
int pub_time_field(const struct pub_options *options, const struct kymo_schema *schema,
                   const struct kymo_field **time);

#endif
