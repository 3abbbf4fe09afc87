/*
 * pub_open.c - kymo pub: what the command line leaves open comes from the existing segment; opening.
 */
#include "pub.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include "suggest.h"

/* ---- the existing segment ---- */

/* Sets what --fields leaves open about a field. */
static void adopt_field(struct pub_options *options, uint32_t number,
                        const struct kymo_field *existing)
{
    struct kymo_field *field = &options->table[number];

    memcpy(field->unit, existing->unit, sizeof(field->unit));
    memcpy(field->help, existing->help, sizeof(field->help));
    field->metric = existing->metric;
    if (!pub_gives_interp(options, number))
        field->interp = existing->interp;
}

static void adopt_fields(struct pub_options *options, const struct kymo_schema *schema)
{
    for (uint32_t i = 0; i < options->schema.count; i++) {
        const struct kymo_field *existing = kymo_schema_find(schema, options->table[i].name);

        if (existing)
            adopt_field(options, i, existing);
    }
}

/* The record of the existing segment, all of it: one that is replaced in the meantime differs. */
static int adopt_payload(struct pub_options *options, const struct kymo_info *info)
{
    struct kymo_options *segment = &options->segment;

    if (!options->fields && !segment->size && info->schema.count &&
        pub_set_schema(options, &info->schema))
        return -ENOMEM;
    if (!segment->size && info->size >= options->schema.size)
        segment->size = info->size;
    options->geometry = info->geometry;
    segment->geometry = &options->geometry;
    segment->type_id = info->type_id;
    return 0;
}

/* Times of another boot are not continued: a new generation, like the one before. */
static int adopt_info(struct pub_options *options, const struct kymo_info *info,
                      bool is_of_other_boot)
{
    struct kymo_options *segment = &options->segment;
    const bool replaces = segment->existing == KYMO_REPLACE;

    /* There are no options for these. */
    segment->kind = info->kind;
    segment->flags = info->flags;
    if (!replaces) {
        segment->existing = is_of_other_boot ? KYMO_OPEN_OR_CREATE : KYMO_OPEN_EXISTING;
        if (is_of_other_boot && !segment->depth)
            segment->depth = info->depth;
        if (!options->clock_given)
            segment->clock = info->clock;
        if (!options->wake_given)
            segment->wake_policy = info->wake_policy;
        if (!options->time_policy_given)
            segment->time_policy = info->time_policy;
        adopt_fields(options, &info->schema);
    }
    if (replaces && (options->fields || segment->size))
        return 0;
    return adopt_payload(options, info);
}

/* Returns 1, 0 without a segment of this name, or a negative errno. */
static int adopt_existing(struct pub_options *options)
{
    struct kymo_reader *reader;
    struct kymo_info info;
    int error = kymo_reader_open(&reader, options->name);

    if (error == -ENOENT || error == -EIDRM)
        return 0;
    if (error)
        return error;
    error = kymo_segment_info(reader->segment, &info);
    if (error == 0)
        error = adopt_info(options, &info, kymo_segment_is_of_other_boot(reader->segment));
    kymo_reader_close(reader);
    return error ? error : 1;
}

static int report_no_fields(const struct pub_options *options)
{
    const int exists = kymo_segment_exists(options->name);

    if (exists)
        return report_open(options->name, exists < 0 ? exists : -ENOENT);
    return report_usage(options->name, "no such segment: use --fields to create it%s",
                        suggest_segment(options->name));
}

int pub_complete(struct pub_options *options)
{
    int found = kymo_name_check(options->name);
    int status;

    if (found == 0)
        found = adopt_existing(options);
    if (found < 0)
        return report_open(options->name, found);
    if (!found && !options->fields && !options->segment.size)
        return report_no_fields(options);
    status = pub_apply_notes(options);
    if (status)
        return status;
    if (options->schema.count)
        options->segment.schema = &options->schema;
    else if (options->format != FORMAT_RAW)
        return report_usage(options->name, "the records have no fields: use --raw");
    return 0;
}

/* ---- opening ---- */

/* ENOSPC, EFBIG, EDQUOT: of blocks, of inodes, or by a limit. */
static int report_space(const struct pub_options *options)
{
    const char *directory = kymo_directory();
    struct rlimit limit;
    struct statvfs files;
    uint64_t needed, available;

    if (kymo_segment_size(&options->segment, &needed) || statvfs(directory, &files))
        return report_errno(options->name, -ENOSPC);
    available = (uint64_t)files.f_bavail * files.f_frsize;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < needed)
        return report_error(options->name,
                            "needs %" PRIu64 " bytes, and the limit of file sizes is %" PRIu64
                            ": use a smaller --depth, or raise the limit (ulimit -f)",
                            needed, (uint64_t)limit.rlim_cur);
    if (available >= needed && files.f_files && files.f_favail == 0)
        return report_error(options->name, "%s has no free inodes: remove files there", directory);
    if (available >= needed)
        return report_error(options->name,
                            "cannot allocate %" PRIu64 " bytes in %s: see the quota, and the "
                            "largest file size of the file system",
                            needed, directory);
    return report_error(options->name,
                        "needs %" PRIu64 " bytes, and %s has %" PRIu64
                        " free: use a smaller --depth, or remove files there",
                        needed, directory, available);
}

static int report_opening(const struct pub_options *options, int error,
                          const struct kymo_diagnostic *diagnostic)
{
    /* A segment that is resumed lacks only its holes. */
    if (error == -ENOSPC && options->segment.existing == KYMO_OPEN_EXISTING)
        return report_error(options->name, "%s", diagnostic->text);
    if (error == -ENOSPC || error == -EFBIG || error == -EDQUOT)
        return report_space(options);
    if (error == -EEXIST && options->segment.existing == KYMO_OPEN_EXISTING)
        return report_error(options->name,
                            "%s: --replace starts a new generation, without the history",
                            diagnostic->text);
    if (error == -EINVAL || error == -ENOTEMPTY)
        return report_error(options->name, "%s", diagnostic->text);
    return report_open(options->name, error);
}

int pub_open_writer(struct kymo_writer **writer, const struct pub_options *options)
{
    struct kymo_diagnostic diagnostic;
    const int error =
        kymo_writer_open_diagnosed(writer, options->name, &options->segment, &diagnostic);

    if (error)
        return report_opening(options, error, &diagnostic);
    if (diagnostic.text[0])
        report_error(options->name, "%s: a new generation was started, without the history",
                     diagnostic.text);
    return 0;
}

/* Another program may have made a segment of the name in between: it is resumed, and not replaced. */
static int open_again(struct kymo_writer **writer, struct pub_options *options,
                      struct kymo_diagnostic *diagnostic)
{
    int error = -EEXIST;

    options->segment.existing = KYMO_OPEN_EXISTING;
    for (int tries = 0; tries < 3 && (error == -EEXIST || error == -ENOENT); tries++) {
        error = kymo_writer_open_diagnosed(writer, options->name, &options->segment, diagnostic);
        if (error == -EEXIST && options->segment.existing == KYMO_OPEN_EXISTING)
            break;
        options->segment.existing = error == -ENOENT ? KYMO_CREATE_NEW : KYMO_OPEN_EXISTING;
    }
    return error;
}

int pub_renew_writer(struct kymo_writer **writer, const struct pub_options *options)
{
    struct pub_options again = *options;
    struct kymo_diagnostic diagnostic = {""};
    struct kymo_writer *renewed;
    struct kymo_info info;
    int error = kymo_segment_info((*writer)->segment, &info);

    report_error(options->name, "the segment was removed: publishing into a new one");
    again.segment.depth = info.depth;
    again.segment.alignment = info.alignment;
    again.segment.mode = info.mode & 0777;
    if (!error)
        error = open_again(&renewed, &again, &diagnostic);
    if (error)
        return report_opening(&again, error, &diagnostic);
    kymo_writer_close(*writer);
    *writer = renewed;
    return 0;
}
