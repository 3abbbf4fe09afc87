/*
 * typed.c - the opens of typed rings: complete the options from the type, and compare the segment
 * with it.
 */
#include <kymo/typed.h>

/* 0 if the segment's payload is that of the type. */
static int check(const struct kymo_segment *segment, const struct kymo_impl_type *type)
{
    struct kymo_info info;
    int error = kymo_segment_info(segment, &info);

    if (error)
        return error;
    if (info.size != type->size)
        return -EMSGSIZE;
    if (info.alignment < type->alignment)
        return -EPROTONOSUPPORT;
    if (type->schema && !kymo_schema_same(&info.schema, type->schema))
        return -EPROTONOSUPPORT;
    return 0;
}

/* Sets options that are 0 from the type. */
static int fill_in(struct kymo_options *options, const struct kymo_impl_type *type)
{
    if (!options->size)
        options->size = type->size;
    if (!options->alignment && type->alignment > 8)
        options->alignment = type->alignment;
    if (!options->schema)
        options->schema = type->schema;
    if (options->size != type->size)
        return -EINVAL;
    return options->alignment && options->alignment < type->alignment ? -EINVAL : 0;
}

int kymo_impl_typed_writer_open(struct kymo_writer **writer, const char *name,
                                const struct kymo_options *options,
                                const struct kymo_impl_type *type, uint32_t major)
{
    struct kymo_options filled;
    int error;

    if (options) {
        filled = *options;
        error = fill_in(&filled, type);
        if (error)
            return error;
        options = &filled;
    }
    error = kymo_impl_writer_open(writer, name, options, major);
    if (error)
        return error;
    error = check((*writer)->segment, type);
    if (error) {
        kymo_writer_close(*writer);
        *writer = NULL;
    }
    return error;
}

int kymo_impl_typed_reader_open(struct kymo_reader **reader, const char *name,
                                const struct kymo_impl_type *type, uint32_t major)
{
    int error = kymo_impl_reader_open(reader, name, major);

    if (error)
        return error;
    error = check((*reader)->segment, type);
    if (error) {
        kymo_reader_close(*reader);
        *reader = NULL;
    }
    return error;
}
