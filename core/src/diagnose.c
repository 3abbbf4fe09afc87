/*
 * diagnose.c - the cause of an error in one sentence: the option or field, its value, what is
 * allowed.
 */
#include "internal.h"

#include <stdarg.h>
#include <unistd.h>

/* Bytes of the printable UTF-8 character at `at`; 0 if it is none. */
static size_t printable(const unsigned char *at)
{
    const size_t len = *at >= 0xf5 ? 0 : *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : *at >= 0xc2 ? 2 : 0;

    if (*at >= ' ' && *at <= '~')
        return 1;
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return at[0] == 0xc2 && at[1] < 0xa0 ? 0 : len;
}

/* Names and units are read from other users' files, and diagnostics are printed on terminals. */
static void replace_controls(char *text)
{
    while (*text) {
        const size_t len = printable((const unsigned char *)text);

        if (len == 0)
            *text = '?';
        text += len ? len : 1;
    }
}

void kymo_report_begin(struct kymo_diagnostic *diagnostic)
{
    if (diagnostic)
        diagnostic->text[0] = 0;
}

int kymo_report(struct kymo_diagnostic *diagnostic, int error, const char *format, ...)
{
    va_list arguments;

    if (diagnostic) {
        va_start(arguments, format);
        vsnprintf(diagnostic->text, sizeof(diagnostic->text), format, arguments);
        va_end(arguments);
        replace_controls(diagnostic->text);
    }
    return error;
}

int kymo_report_end(struct kymo_diagnostic *diagnostic, int error)
{
    if (error && diagnostic && !diagnostic->text[0])
        kymo_report(diagnostic, error, "%s", kymo_error_text(error));
    return error;
}

int kymo_report_major(struct kymo_diagnostic *diagnostic, uint32_t major)
{
    return kymo_report(diagnostic, -EPROTONOSUPPORT,
                       "layout version: this program was compiled for version %u, and libkymo has "
                       "version %u: compile it again",
                       major, KYMO_LAYOUT_MAJOR);
}

int kymo_report_directory(struct kymo_diagnostic *diagnostic, int error)
{
    if (error == -ENOENT)
        return kymo_report(diagnostic, error,
                           "the directory of the segments, %s, does not exist: create it, or set "
                           "KYMO_DIR to another one",
                           kymo_directory());
    return kymo_report(diagnostic, error, "the directory of the segments, %s: %s", kymo_directory(),
                       kymo_error_text(error));
}

int kymo_name_diagnose(const char *name, struct kymo_diagnostic *diagnostic)
{
    const int error = kymo_name_check(name);

    kymo_report_begin(diagnostic);
    if (error == -ENAMETOOLONG)
        kymo_report(diagnostic, error, "name: %zu bytes are more than %u", strlen(name),
                    KYMO_NAME_LIMIT);
    else if (error && name && name[0] >= 'A')
        kymo_report(diagnostic, error,
                    "name: \"%s\" is reserved, or has other bytes than A-Z a-z 0-9 _ . -", name);
    else if (error)
        kymo_report(diagnostic, error, "name: \"%s\" does not begin with one of A-Z a-z 0-9 _",
                    name ? name : "");
    return error;
}

/* ---- fields ---- */

/* "f32[3]" into text. */
static const char *field_shape(const struct kymo_field *field, char text[64])
{
    size_t len = (size_t)snprintf(text, 64, "%s", kymo_type_text(field->type));

    for (uint32_t i = 0; i < field->dimensions && i < KYMO_DIMENSIONS; i++)
        len += (size_t)snprintf(text + len, 64 - len, "[%u]", field->shape[i]);
    return text;
}

static uint64_t field_end(const struct kymo_field *field)
{
    return field->offset + (uint64_t)field->count * kymo_type_size(field->type);
}

static int name_is_taken(const struct kymo_schema *schema, uint32_t number)
{
    const struct kymo_field *field = kymo_schema_find(schema, schema->fields[number].name);

    return field && field < &schema->fields[number];
}

/* Reports why field `number` is invalid; every field before it is valid. */
static int report_field(const struct kymo_schema *schema, uint32_t number,
                        struct kymo_diagnostic *diagnostic)
{
    const struct kymo_field *field = &schema->fields[number];
    const uint64_t from = number > 0 ? field_end(&schema->fields[number - 1]) : 0;
    const char *name = field->name;

    if (!kymo_field_name_is_valid(field->name, sizeof(field->name)))
        return kymo_report(
            diagnostic, -EINVAL,
            "schema: field %u: its name is not [A-Za-z_][A-Za-z0-9_]* of at most 63 bytes", number);
    if (kymo_type_size(field->type) == 0)
        return kymo_report(diagnostic, -EINVAL,
                           "schema: field \"%s\": type %u is not one of enum kymo_type, 1 to 12",
                           name, field->type);
    if (field->metric > KYMO_COUNTER)
        return kymo_report(diagnostic, -EINVAL,
                           "schema: field \"%s\": metric %u is neither KYMO_GAUGE nor KYMO_COUNTER",
                           name, field->metric);
    if (field->interp > KYMO_INTERP_NONE)
        return kymo_report(diagnostic, -EINVAL,
                           "schema: field \"%s\": interp %u is not one of enum kymo_interp, 0 to 3",
                           name, field->interp);
    if (!memchr(field->unit, 0, sizeof(field->unit)) ||
        !memchr(field->help, 0, sizeof(field->help)))
        return kymo_report(diagnostic, -EINVAL,
                           "schema: field \"%s\": its unit or help does not end with a zero byte",
                           name);
    if (field->offset < from)
        return kymo_report(
            diagnostic, -EINVAL,
            "schema: field \"%s\": offset %u is before %llu, the end of the field before it", name,
            field->offset, (unsigned long long)from);
    if (field_end(field) > schema->size)
        return kymo_report(diagnostic, -EINVAL,
                           "schema: field \"%s\": it ends at byte %llu of a payload of %u bytes",
                           name, (unsigned long long)field_end(field), schema->size);
    if (name_is_taken(schema, number))
        return kymo_report(diagnostic, -EINVAL,
                           "schema: field \"%s\": a field before it has that name", name);
    return kymo_report(
        diagnostic, -EINVAL,
        "schema: field \"%s\": count %u, dimensions %u and shape contradict each other: "
        "count is the product of 0 to 4 dimensions, each at least 1",
        name, field->count, field->dimensions);
}

static int report_schema(const struct kymo_schema *schema, struct kymo_diagnostic *diagnostic)
{
    uint32_t number = 0;

    if (kymo_schema_check(schema, &number) == 0)
        return 0;
    if (schema->count > KYMO_FIELD_LIMIT)
        return kymo_report(diagnostic, -EINVAL, "schema: %u fields are more than %u", schema->count,
                           KYMO_FIELD_LIMIT);
    if (number == schema->count)
        return kymo_report(diagnostic, -EINVAL, "schema: size %u is more than %u bytes",
                           schema->size, KYMO_SIZE_LIMIT);
    return report_field(schema, number, diagnostic);
}

int kymo_schema_diagnose(const struct kymo_schema *schema, struct kymo_diagnostic *diagnostic)
{
    kymo_report_begin(diagnostic);
    return report_schema(schema, diagnostic);
}

/* ---- options ---- */

static int check_choice(struct kymo_diagnostic *diagnostic, const char *option, unsigned int value,
                        unsigned int last, const char *allowed)
{
    if (value <= last)
        return 0;
    return kymo_report(diagnostic, -EINVAL, "%s: %u is not one of %s (0 to %u)", option, value,
                       allowed, last);
}

static int check_choices(const struct kymo_options *options, struct kymo_diagnostic *diagnostic)
{
    int error = check_choice(diagnostic, "kind", options->kind, KYMO_QUEUE,
                             "KYMO_RING, KYMO_VALUE, KYMO_QUEUE");

    if (!error)
        error = check_choice(diagnostic, "clock", options->clock, KYMO_USER,
                             "KYMO_MONOTONIC, KYMO_REALTIME, KYMO_BOOTTIME, KYMO_TAI, KYMO_USER");
    if (!error)
        error = check_choice(diagnostic, "time_policy", options->time_policy, KYMO_CLAMP,
                             "KYMO_REJECT, KYMO_CLAMP");
    if (!error)
        error = check_choice(diagnostic, "wake_policy", options->wake_policy, KYMO_WAKE_ALWAYS,
                             "KYMO_WAKE_WAITERS, KYMO_WAKE_ALWAYS");
    if (!error)
        error =
            check_choice(diagnostic, "existing", options->existing, KYMO_CREATE_NEW,
                         "KYMO_OPEN_OR_CREATE, KYMO_REPLACE, KYMO_OPEN_EXISTING, KYMO_CREATE_NEW");
    return error;
}

static int check_bits(const struct kymo_options *options, struct kymo_diagnostic *diagnostic)
{
    if (options->flags & ~(uint32_t)(KYMO_SHARED_WRITER | KYMO_SHARED_CONSUMER))
        return kymo_report(
            diagnostic, -EINVAL,
            "flags: 0x%x has bits beside KYMO_SHARED_WRITER and KYMO_SHARED_CONSUMER",
            options->flags);
    if (options->flags & KYMO_SHARED_CONSUMER && options->kind != KYMO_QUEUE)
        return kymo_report(diagnostic, -EINVAL,
                           "flags: KYMO_SHARED_CONSUMER needs kind KYMO_QUEUE");
    if (options->mode & ~0777u)
        return kymo_report(diagnostic, -EINVAL, "mode: 0%o has bits beside 0777", options->mode);
    return 0;
}

static int is_power_of_two(uint64_t number)
{
    return number && !(number & (number - 1));
}

static int check_numbers(const struct kymo_options *options, struct kymo_diagnostic *diagnostic)
{
    const long page = sysconf(_SC_PAGESIZE);

    if (options->depth && (!is_power_of_two(options->depth) || options->depth < 2 ||
                           options->depth > KYMO_DEPTH_LIMIT))
        return kymo_report(diagnostic, -EINVAL,
                           "depth: %llu is not a power of two from 2 to 2^40 (0: the default)",
                           (unsigned long long)options->depth);
    if (options->alignment &&
        (!is_power_of_two(options->alignment) || options->alignment > (uint64_t)page))
        return kymo_report(
            diagnostic, -EINVAL,
            "alignment: %u is not a power of two up to the page, %ld (0: the default)",
            options->alignment, page);
    if (options->first >= KYMO_POSITION_LIMIT)
        return kymo_report(diagnostic, -EINVAL, "first: position %llu is not below 2^62",
                           (unsigned long long)options->first);
    return 0;
}

static int check_origin(const struct kymo_origin *origin, struct kymo_diagnostic *diagnostic)
{
    if (!origin)
        return 0;
    if (origin->first >= KYMO_POSITION_LIMIT)
        return kymo_report(diagnostic, -EINVAL, "origin: position %llu is not below 2^62",
                           (unsigned long long)origin->first);
    if (origin->host[sizeof(origin->host) - 1])
        return kymo_report(diagnostic, -EINVAL, "origin: its host does not end with a zero byte");
    return check_choice(diagnostic, "origin: clock", origin->clock, KYMO_USER,
                        "KYMO_MONOTONIC, KYMO_REALTIME, KYMO_BOOTTIME, KYMO_TAI, KYMO_USER");
}

static int check_payload(const struct kymo_options *options, struct kymo_diagnostic *diagnostic)
{
    const struct kymo_schema *schema = options->schema;
    const struct kymo_geometry *geometry = options->geometry;

    if (schema && schema->count == 0)
        return kymo_report(diagnostic, -EINVAL,
                           "schema: it has no fields (NULL: the payload is bytes)");
    if (schema && report_schema(schema, diagnostic))
        return -EINVAL;
    if (options->size > KYMO_SIZE_LIMIT)
        return kymo_report(diagnostic, -EINVAL, "size: %u is more than %u bytes", options->size,
                           KYMO_SIZE_LIMIT);
    if (schema && options->size && options->size < schema->size)
        return kymo_report(diagnostic, -EINVAL, "size: %u is less than the schema's %u bytes",
                           options->size, schema->size);
    return geometry && !schema && !options->size ? kymo_image_diagnose(geometry, diagnostic) : 0;
}

int kymo_options_check(const struct kymo_options *options, struct kymo_diagnostic *diagnostic)
{
    int error = check_choices(options, diagnostic);

    if (!error)
        error = check_bits(options, diagnostic);
    if (!error)
        error = check_numbers(options, diagnostic);
    if (!error)
        error = check_origin(options->origin, diagnostic);
    return error ? error : check_payload(options, diagnostic);
}

/* ---- what differs ---- */

/* The parts of a difference are those of the segment and those of the caller. */
#define BOTH " in the segment, "
#define HERE " here"

static int report_fields(const struct kymo_field *theirs, const struct kymo_field *ours,
                         struct kymo_diagnostic *diagnostic)
{
    char their_shape[64], our_shape[64];
    const char *name = theirs->name;

    field_shape(theirs, their_shape);
    field_shape(ours, our_shape);
    if (strcmp(theirs->name, ours->name) != 0)
        return kymo_report(diagnostic, 1, "field at offset %u: \"%s\"" BOTH "\"%s\"" HERE,
                           theirs->offset, theirs->name, ours->name);
    if (strcmp(their_shape, our_shape) != 0)
        return kymo_report(diagnostic, 1, "field \"%s\": %s" BOTH "%s" HERE, name, their_shape,
                           our_shape);
    if (theirs->offset != ours->offset)
        return kymo_report(diagnostic, 1, "field \"%s\": offset %u" BOTH "%u" HERE, name,
                           theirs->offset, ours->offset);
    if (strcmp(theirs->unit, ours->unit) != 0)
        return kymo_report(diagnostic, 1, "field \"%s\": unit \"%s\"" BOTH "\"%s\"" HERE, name,
                           theirs->unit, ours->unit);
    if (theirs->metric != ours->metric)
        return kymo_report(diagnostic, 1, "field \"%s\": %s" BOTH "%s" HERE, name,
                           theirs->metric == KYMO_COUNTER ? "a counter" : "a gauge",
                           ours->metric == KYMO_COUNTER ? "a counter" : "a gauge");
    if (theirs->interp != ours->interp)
        return kymo_report(diagnostic, 1, "field \"%s\": interp %s" BOTH "%s" HERE, name,
                           kymo_interp_text(theirs->interp), kymo_interp_text(ours->interp));
    return 0;
}

int kymo_schema_difference(const struct kymo_schema *theirs, const struct kymo_schema *ours,
                           struct kymo_diagnostic *diagnostic)
{
    const uint32_t count = theirs->count < ours->count ? theirs->count : ours->count;

    if (kymo_schema_same(theirs, ours))
        return 0;
    if (theirs->count == 0 || ours->count == 0)
        return kymo_report(diagnostic, 1, "schema: %u fields" BOTH "%u" HERE, theirs->count,
                           ours->count);
    for (uint32_t i = 0; i < count; i++) {
        if (report_fields(&theirs->fields[i], &ours->fields[i], diagnostic))
            return 1;
    }
    if (theirs->count > count)
        return kymo_report(diagnostic, 1, "field \"%s\": in the segment, not" HERE,
                           theirs->fields[count].name);
    if (ours->count > count)
        return kymo_report(diagnostic, 1, "field \"%s\":" HERE ", not in the segment",
                           ours->fields[count].name);
    return kymo_report(diagnostic, 1, "schema: %u bytes" BOTH "%u" HERE, theirs->size, ours->size);
}

static int report_texts(struct kymo_diagnostic *diagnostic, const char *option, const char *theirs,
                        const char *ours)
{
    return kymo_report(diagnostic, 1, "%s: %s" BOTH "%s" HERE, option, theirs, ours);
}

static int report_numbers(struct kymo_diagnostic *diagnostic, const char *option, uint64_t theirs,
                          uint64_t ours)
{
    return kymo_report(diagnostic, 1, "%s: %llu" BOTH "%llu" HERE, option,
                       (unsigned long long)theirs, (unsigned long long)ours);
}

static int is_zero(const void *bytes, size_t size)
{
    const unsigned char *byte = bytes;

    while (size > 0 && byte[size - 1] == 0)
        size--;
    return size == 0;
}

/* A type id or an origin of 0 is unknown, and equal to any. */
static int identity_differs(const struct kymo_header *theirs, const struct kymo_header *ours,
                            struct kymo_diagnostic *diagnostic)
{
    if (theirs->type_id && ours->type_id && theirs->type_id != ours->type_id)
        return kymo_report(diagnostic, 1, "type_id: the segment holds records of another C type");
    if (!is_zero(ours->origin.uuid, 16) &&
        memcmp(theirs->origin.uuid, ours->origin.uuid, sizeof(ours->origin.uuid)) != 0)
        return kymo_report(diagnostic, 1, "origin: the segment is no copy of that generation");
    return 0;
}

static int geometry_differs(const struct kymo_geometry *theirs, const struct kymo_geometry *ours,
                            struct kymo_diagnostic *diagnostic)
{
    if (memcmp(theirs, ours, sizeof(*ours)) == 0)
        return 0;
    return kymo_report(diagnostic, 1,
                       "geometry: %ux%u %s, stride %u, pixels at %u" BOTH
                       "%ux%u %s, stride %u, pixels at %u" HERE,
                       theirs->width, theirs->height,
                       kymo_format_text((enum kymo_pixel_format)theirs->format), theirs->stride,
                       theirs->pixels_offset, ours->width, ours->height,
                       kymo_format_text((enum kymo_pixel_format)ours->format), ours->stride,
                       ours->pixels_offset);
}

int kymo_layout_difference(const struct kymo_header *theirs, const struct kymo_field *their_fields,
                           const struct kymo_header *ours, const struct kymo_field *our_fields,
                           struct kymo_diagnostic *diagnostic)
{
    const struct kymo_schema their_schema = {their_fields, theirs->field_count,
                                             theirs->schema_size};
    const struct kymo_schema our_schema = {our_fields, ours->field_count, ours->schema_size};

    if (theirs->kind != ours->kind)
        return report_texts(diagnostic, "kind", kymo_kind_text((enum kymo_kind)theirs->kind),
                            kymo_kind_text((enum kymo_kind)ours->kind));
    if (theirs->clock != ours->clock)
        return report_texts(diagnostic, "clock", kymo_clock_text((enum kymo_clock)theirs->clock),
                            kymo_clock_text((enum kymo_clock)ours->clock));
    if (theirs->wake_policy != ours->wake_policy)
        return report_texts(diagnostic, "wake_policy",
                            theirs->wake_policy == KYMO_WAKE_ALWAYS ? "always" : "waiters",
                            ours->wake_policy == KYMO_WAKE_ALWAYS ? "always" : "waiters");
    if (theirs->flags != ours->flags)
        return report_numbers(diagnostic, "flags", theirs->flags, ours->flags);
    if (kymo_schema_difference(&their_schema, &our_schema, diagnostic) ||
        identity_differs(theirs, ours, diagnostic) ||
        geometry_differs(&theirs->geometry, &ours->geometry, diagnostic))
        return 1;
    if (theirs->size != ours->size)
        return report_numbers(diagnostic, "size", theirs->size, ours->size);
    if (theirs->depth != ours->depth)
        return report_numbers(diagnostic, "depth", theirs->depth, ours->depth);
    if (theirs->alignment != ours->alignment)
        return report_numbers(diagnostic, "alignment", theirs->alignment, ours->alignment);
    return 0;
}

/* ---- a publish that failed ---- */

static int report_arguments(const struct kymo_writer *writer, uint64_t time,
                            struct kymo_diagnostic *diagnostic)
{
    if (time < writer->time)
        return kymo_report(
            diagnostic, -EINVAL,
            "time: %llu is before %llu, that of the newest record, and the time policy is "
            "KYMO_REJECT",
            (unsigned long long)time, (unsigned long long)writer->time);
    if (writer->loaned)
        return kymo_report(diagnostic, -EINVAL,
                           "a slot is loaned: commit or abort it before the next publish");
    return kymo_report(diagnostic, -EINVAL,
                       "no slot is loaned: call kymo_ring_loan() before commit or abort%s",
                       writer->segment->header.kind == KYMO_QUEUE
                           ? ""
                           : "; kymo_queue_push() needs kind KYMO_QUEUE");
}

void kymo_writer_diagnose(const struct kymo_writer *writer, int error, size_t len, uint64_t time,
                          struct kymo_diagnostic *diagnostic)
{
    if (error == -EMSGSIZE)
        kymo_report(diagnostic, error, "len: %zu is more than the slot's %u bytes", len,
                    writer->ring.size);
    else if (error == -EINVAL)
        report_arguments(writer, time, diagnostic);
    else if (error == -EAGAIN && writer->segment->header.kind == KYMO_QUEUE)
        kymo_report(diagnostic, error, "the queue is full: its %llu records wait for the consumer",
                    (unsigned long long)writer->ring.mask + 1);
    else
        kymo_report(diagnostic, error, "%s", kymo_error_text(error));
}
