/*
 * typed.c - the opens of typed handles: complete the options from the type, and compare the segment
 * with it.
 */
#include "internal.h"

/* The id of a type without a schema; with one, the fields identify it. */
static uint64_t type_id(const struct kymo_impl_type *type)
{
    return type->name && !type->schema ? kymo_type_id(type->name, type->size, type->alignment) : 0;
}

static const char *type_name(const struct kymo_impl_type *type)
{
    return type->name ? type->name : "the record's type";
}

/* -EMSGSIZE if the sizes differ. The cause is in the fields, if both have some. */
static int check_size(const struct kymo_info *info, const struct kymo_impl_type *type,
                      struct kymo_diagnostic *diagnostic)
{
    if (info->size == type->size)
        return 0;
    if (type->schema && info->schema.count > 0 &&
        kymo_schema_difference(&info->schema, type->schema, diagnostic))
        return -EMSGSIZE;
    return kymo_report(diagnostic, -EMSGSIZE, "size: the segment's slots have %u bytes, %s has %u",
                       info->size, type_name(type), type->size);
}

/* 0 if the segment's payload is that of the type. */
static int check(const struct kymo_segment *segment, const struct kymo_impl_type *type,
                 struct kymo_diagnostic *diagnostic)
{
    const uint64_t id = type_id(type);
    struct kymo_info info;
    int error = kymo_segment_info(segment, &info);

    if (!error && type->is_queue && info.kind != KYMO_QUEUE)
        error = kymo_report(diagnostic, -EINVAL, "kind: the segment is a %s, and %s needs a queue",
                            kymo_kind_text(info.kind), type_name(type));
    if (!error)
        error = check_size(&info, type, diagnostic);
    if (error)
        return error;
    if (info.alignment < type->alignment)
        return kymo_report(diagnostic, -EPROTONOSUPPORT,
                           "alignment: the segment's payloads have %u, %s needs %u", info.alignment,
                           type_name(type), type->alignment);
    if (type->schema && kymo_schema_difference(&info.schema, type->schema, diagnostic))
        return -EPROTONOSUPPORT;
    if (id && info.type_id && id != info.type_id)
        return kymo_report(diagnostic, -EPROTONOSUPPORT,
                           "type_id: the segment's records are not of the type %s",
                           type_name(type));
    return 0;
}

/* Sets options that are 0 from the type. */
static int fill_in(struct kymo_options *options, const struct kymo_impl_type *type,
                   struct kymo_diagnostic *diagnostic)
{
    if (type->is_queue)
        options->kind = KYMO_QUEUE;
    if (!options->size)
        options->size = type->size;
    if (!options->alignment && type->alignment > 8)
        options->alignment = type->alignment;
    if (!options->schema)
        options->schema = type->schema;
    if (!options->type_id && !options->schema)
        options->type_id = type_id(type);
    if (options->size != type->size)
        return kymo_report(diagnostic, -EINVAL, "size: %u is not that of %s, %u (0: the type's)",
                           options->size, type_name(type), type->size);
    if (options->alignment && options->alignment < type->alignment)
        return kymo_report(diagnostic, -EINVAL,
                           "alignment: %u is less than that of %s, %u (0: the type's)",
                           options->alignment, type_name(type), type->alignment);
    if (type->schema && !kymo_schema_same(options->schema, type->schema))
        return kymo_report(diagnostic, -EINVAL, "schema: it is not that of %s (NULL: the type's)",
                           type_name(type));
    return 0;
}

int kymo_impl_typed_writer_open(struct kymo_writer **writer, const char *name,
                                const struct kymo_options *options,
                                const struct kymo_impl_type *type, uint32_t major,
                                struct kymo_diagnostic *diagnostic)
{
    struct kymo_options filled;
    int error;

    *writer = NULL;
    if (options) {
        filled = *options;
        error = fill_in(&filled, type, diagnostic);
        if (error)
            return error;
        options = &filled;
    }
    error = kymo_impl_writer_open(writer, name, options, major, diagnostic);
    if (error)
        return error;
    error = check((*writer)->segment, type, diagnostic);
    if (error) {
        kymo_writer_close(*writer);
        *writer = NULL;
    }
    return kymo_report_end(diagnostic, error);
}

int kymo_impl_typed_reader_open(struct kymo_reader **reader, const char *name,
                                const struct kymo_impl_type *type, uint32_t major,
                                struct kymo_diagnostic *diagnostic)
{
    int error = kymo_impl_reader_open(reader, name, major, diagnostic);

    if (error)
        return error;
    error = check((*reader)->segment, type, diagnostic);
    if (error) {
        kymo_reader_close(*reader);
        *reader = NULL;
    }
    return kymo_report_end(diagnostic, error);
}

int kymo_impl_typed_consumer_open(struct kymo_consumer **consumer, const char *name,
                                  const struct kymo_impl_type *type, uint32_t major,
                                  struct kymo_diagnostic *diagnostic)
{
    struct kymo_reader *reader;
    /* Compare before the consumer exists: its end would be that of the queue's consumer. */
    int error = kymo_impl_typed_reader_open(&reader, name, type, major, diagnostic);

    *consumer = NULL;
    if (error)
        return error;
    kymo_reader_close(reader);
    error = kymo_impl_consumer_open(consumer, name, major, diagnostic);
    if (error)
        return error;
    /* Another generation may have the name by now. */
    error = check((*consumer)->segment, type, diagnostic);
    if (error) {
        kymo_consumer_close(*consumer);
        *consumer = NULL;
    }
    return kymo_report_end(diagnostic, error);
}
