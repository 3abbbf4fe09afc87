/*
 * pub.h - kymo pub: the command line, and opening the segment.
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
    bool no_wait;
    bool clock_given;
    bool wake_given;
    bool time_policy_given;
    struct kymo_options segment;
    struct kymo_geometry geometry; /* of segment */
    struct pub_note *notes;
    size_t note_count;
    struct kymo_schema schema; /* of the records; count 0: bytes */
    struct kymo_field *table;  /* its fields */
};

/* Each of these that returns an int returns an exit status, unless stated otherwise. */

/* Parses the command line and --fields. */
int pub_options_parse(struct pub_options *options, int argc, char **argv);
void pub_options_free(struct pub_options *options);

/* Copies a schema to options->schema. 0, or -ENOMEM. */
int pub_set_schema(struct pub_options *options, const struct kymo_schema *schema);
/* Whether --fields sets the interpolation of that field. */
bool pub_gives_interp(const struct pub_options *options, uint32_t number);
/* Applies --unit, --describe and --counter to options->schema. */
int pub_apply_notes(struct pub_options *options);
/* Finds the field of --time; *time is NULL if the time is beside the fields. */
int pub_time_field(const struct pub_options *options, const struct kymo_field **time);

/* Takes what the command line leaves open from the existing segment. */
int pub_complete(struct pub_options *options);
/* Opens the segment for complete options. */
int pub_open_writer(struct kymo_writer **writer, const struct pub_options *options);
/* Replaces a writer whose segment was removed by that of a new one. */
int pub_renew_writer(struct kymo_writer **writer, const struct pub_options *options);

#endif
