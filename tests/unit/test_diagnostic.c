/*
 * test_diagnostic.c - each failed open names the option or field, its value, and what is allowed.
 */
#include "unit.h"

#include <pthread.h>

static struct kymo_diagnostic cause;

static void expect_part(const char *part)
{
    cr_assert_not_null(strstr(cause.text, part), "\"%s\" is not in \"%s\"", part, cause.text);
}

static void expect_writer(const char *name, const struct kymo_options *options, int error,
                          const char *part)
{
    struct kymo_writer *writer;
    const int result = kymo_writer_open_diagnosed(&writer, name, options, &cause);

    cr_assert_eq(result, error, "%d, not %d: %s", result, error, cause.text);
    expect_part(part);
    cr_assert_eq(kymo_writer_open(&writer, name, options), error, "without a diagnostic");
}

static void expect_reader(const char *name, int error, const char *part)
{
    struct kymo_reader *reader;

    cr_assert_eq(kymo_reader_open_diagnosed(&reader, name, &cause), error);
    expect_part(part);
}

Test(diagnostic, names_the_option_that_is_out_of_range)
{
    static const struct kymo_geometry geometry = {.width = 3,
                                                  .height = 3,
                                                  .stride = 3,
                                                  .format = 8};
    static const struct kymo_origin origin = {.first = KYMO_POSITION_LIMIT};
    static const struct {
        struct kymo_options options;
        int error;
        const char *part;
    } cases[] = {
        {{.size = 1, .kind = (enum kymo_kind)3}, -EINVAL, "kind: 3 is not one of KYMO_RING"},
        {{.size = 1, .clock = (enum kymo_clock)9},
         -EINVAL,
         "clock: 9 is not one of KYMO_MONOTONIC"},
        {{.size = 1, .time_policy = (enum kymo_time_policy)2}, -EINVAL, "time_policy: 2"},
        {{.size = 1, .wake_policy = (enum kymo_wake_policy)2}, -EINVAL, "wake_policy: 2"},
        {{.size = 1, .existing = (enum kymo_existing)4}, -EINVAL, "existing: 4"},
        {{.size = 1, .flags = 8}, -EINVAL, "flags: 0x8"},
        {{.size = 1, .flags = KYMO_SHARED_CONSUMER}, -EINVAL, "needs kind KYMO_QUEUE"},
        {{.size = 1, .mode = 01777}, -EINVAL, "mode: 01777"},
        {{.size = 1, .depth = 3}, -EINVAL, "depth: 3 is not a power of two from 2 to 2^40"},
        {{.size = 1, .alignment = 3}, -EINVAL, "alignment: 3 is not a power of two up to the page"},
        {{.size = 1, .first = UINT64_MAX}, -EINVAL, "first: position"},
        {{.size = 1, .origin = &origin}, -EINVAL, "origin: position"},
        {{.size = UINT32_MAX}, -EINVAL, "size: 4294967295 is more than 1073741824"},
        {{.geometry = &geometry},
         -EINVAL,
         "geometry: 3 by 3 pixels: nv12 needs an even width and height"},
        {{.size = 0}, -EINVAL, "size: missing: set size, schema or geometry"},
        {{.size = KYMO_SIZE_LIMIT, .depth = KYMO_DEPTH_LIMIT}, -EOVERFLOW, "depth: 1099511627776"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_writer("options", &cases[i].options, cases[i].error, cases[i].part);
    cr_assert_eq(kymo_segment_exists("options"), 0);
}

/* kymo_options_diagnose checks what an open checks, without creating a segment. */
Test(diagnostic, checks_options_alone)
{
    struct kymo_options options = {.size = 1, .depth = 3};

    cr_assert_eq(kymo_options_diagnose(&options, &cause), -EINVAL);
    expect_part("depth: 3 is not a power of two");
    options.depth = KYMO_DEPTH_LIMIT;
    options.size = KYMO_SIZE_LIMIT;
    cr_assert_eq(kymo_options_diagnose(&options, &cause), -EOVERFLOW);
    expect_part("slots of");
    options.depth = 4;
    cr_assert_eq(kymo_options_diagnose(&options, &cause), 0);
    cr_assert_str_eq(cause.text, "");
    cr_assert_eq(kymo_options_diagnose(&(struct kymo_options){0}, NULL), -EINVAL);
}

Test(diagnostic, names_the_member_of_a_geometry)
{
    static const struct {
        struct kymo_geometry geometry;
        const char *part;
    } cases[] = {
        {{6, 4, 18, 9, 0, {0}}, "geometry: format 9 is not one of gray8 (1) to nv12 (8)"},
        {{0, 4, 18, KYMO_RGB8, 0, {0}}, "geometry: 0 by 4 pixels: each at least 1"},
        {{5, 4, 18, KYMO_YUYV, 0, {0}}, "geometry: 5 by 4 pixels: yuyv needs an even width"},
        {{6, 4, 17, KYMO_RGB8, 0, {0}},
         "geometry: a stride of 17 is less than the 18 bytes of a row"},
        {{6, 4, 1 << 30, KYMO_NV12, 0, {0}},
         "geometry: 6 rows of 1073741824 bytes at byte 0: a frame"},
        {{6, 4, 18, KYMO_RGB8, UINT32_MAX, {0}}, "4 rows of 18 bytes at byte 4294967295"},
    };
    struct kymo_geometry made;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_assert_eq(kymo_image_diagnose(&cases[i].geometry, &cause), -EINVAL);
        expect_part(cases[i].part);
    }
    cr_assert_eq(kymo_image_geometry(KYMO_NV12, 7, 4, 0, &made), -EINVAL);
    cr_assert_eq(kymo_image_diagnose(&made, &cause), -EINVAL);
    expect_part("7 by 4 pixels");
    cr_assert_eq(kymo_image_fhd(KYMO_NV12, &made), 0);
    cr_assert_eq(kymo_image_diagnose(&made, &cause), 0);
    cr_assert_str_eq(cause.text, "");
}

Test(diagnostic, names_what_a_new_segment_lacks)
{
    const struct kymo_options existing = {.existing = KYMO_OPEN_EXISTING, .size = 8};
    const struct kymo_options fresh = {.existing = KYMO_CREATE_NEW};

    expect_writer("new", NULL, -ENOENT, "without options (size, schema or geometry)");
    expect_writer("new", &existing, -ENOENT, "no such segment");
    expect_writer("new", &fresh, -EINVAL, "size: missing");
    expect_writer("a/b", &existing, -EINVAL, "name: \"a/b\"");
    expect_writer("README", &existing, -EINVAL, "is reserved");
    expect_reader("new", -ENOENT, "no such segment");
    expect_reader(".new", -EINVAL, "does not begin with");
    setenv("KYMO_DIR", "/nonexistent/directory", 1);
    expect_reader("new", -ENOENT, "/nonexistent/directory, does not exist");
    expect_writer("new", &existing, -ENOENT, "/nonexistent/directory, does not exist");
}

/* With KYMO_OPEN_EXISTING the open fails; else it replaces, and the diagnostic says why. */
Test(diagnostic, names_the_difference)
{
    static const struct {
        const char *fields;
        struct kymo_options options;
        const char *part;
    } cases[] = {
        {"x:f64", {.clock = KYMO_TAI}, "clock: user in the segment, tai here"},
        {"x:f64", {.clock = KYMO_USER, .depth = 16}, "depth: 8 in the segment, 16 here"},
        {"x:f64", {.clock = KYMO_USER, .alignment = 64}, "alignment: 8 in the segment, 64 here"},
        {"x:f64", {.clock = KYMO_USER, .size = 16}, "size: 8 in the segment, 16 here"},
        {"x:f64",
         {.clock = KYMO_USER, .kind = KYMO_QUEUE},
         "kind: ring in the segment, queue here"},
        {"x:f64", {.clock = KYMO_USER, .wake_policy = KYMO_WAKE_ALWAYS}, "wake_policy: waiters in"},
        {"x:f64",
         {.clock = KYMO_USER, .flags = KYMO_SHARED_WRITER},
         "flags: 0 in the segment, 1 here"},
        {"x:i64", {.clock = KYMO_USER}, "field \"x\": f64 in the segment, i64 here"},
        {"x:f32[2]", {.clock = KYMO_USER}, "field \"x\": f64 in the segment, f32[2] here"},
        {"y:f64", {.clock = KYMO_USER}, "field at offset 0: \"x\" in the segment, \"y\" here"},
        {"x:f64,y:u8", {.clock = KYMO_USER}, "field \"y\": here, not in the segment"},
        {"x:f64:angle",
         {.clock = KYMO_USER},
         "field \"x\": interp linear in the segment, angle here"},
    };
    struct kymo_schema *base, *schema;

    cr_assert_eq(kymo_schema_parse(&base, "x:f64", NULL), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct kymo_options first = {.clock = KYMO_USER,
                                           .depth = 8,
                                           .schema = base,
                                           .existing = KYMO_REPLACE};
        struct kymo_options options = cases[i].options;
        struct kymo_writer *writer;

        kymo_writer_close(unit_writer("differs", &first));
        cr_assert_eq(kymo_schema_parse(&schema, cases[i].fields, NULL), 0);
        options.schema = schema;
        options.existing = KYMO_OPEN_EXISTING;
        expect_writer("differs", &options, -EEXIST, cases[i].part);
        options.existing = KYMO_OPEN_OR_CREATE;
        cr_assert_eq(kymo_writer_open_diagnosed(&writer, "differs", &options, &cause), 0);
        expect_part(cases[i].part);
        kymo_writer_close(writer);
        cr_assert_eq(kymo_writer_open_diagnosed(&writer, "differs", &options, &cause), 0);
        cr_assert_str_eq(cause.text, "", "resumed");
        kymo_writer_close(writer);
        kymo_schema_free(schema);
    }
    kymo_schema_free(base);
}

Test(diagnostic, names_a_unit_that_differs)
{
    struct kymo_field field = {.name = "x", .unit = "m", .type = KYMO_F64, .count = 1};
    const struct kymo_schema schema = {&field, 1, 8};
    const struct kymo_options options = {.schema = &schema, .existing = KYMO_OPEN_EXISTING};
    struct kymo_options first = options;

    first.existing = KYMO_OPEN_OR_CREATE;
    kymo_writer_close(unit_writer("unit", &first));
    strcpy(field.unit, "mm");
    expect_writer("unit", &options, -EEXIST, "field \"x\": unit \"m\" in the segment, \"mm\" here");
    strcpy(field.unit, "m");
    field.metric = KYMO_COUNTER;
    expect_writer("unit", &options, -EEXIST, "field \"x\": a gauge in the segment, a counter here");
}

/* Control characters of a name, or of a text in another user's file, do not reach a terminal. */
Test(diagnostic, has_no_control_characters)
{
    struct kymo_field field = {.name = "x",
                               .unit = "\033[31m\302\265m\302\233\377",
                               .type = KYMO_F64,
                               .count = 1};
    const struct kymo_schema schema = {&field, 1, 8};
    const struct kymo_options options = {.schema = &schema, .existing = KYMO_OPEN_EXISTING};
    struct kymo_options first = options;

    first.existing = KYMO_OPEN_OR_CREATE;
    kymo_writer_close(unit_writer("hostile", &first));
    memset(field.unit, 0, sizeof(field.unit));
    expect_writer("hostile", &options, -EEXIST, "unit \"?[31m\302\265m???\" in the segment");
    cr_assert_eq(kymo_name_diagnose("a\n\033", &cause), -EINVAL);
    expect_part("name: \"a??\"");
}

/* ---- typed ---- */

struct reading {
    double x;
    double y;
};
struct other {
    double a;
    double b;
};
struct wider {
    double x;
    double y;
    double z;
};

static const struct kymo_field reading_fields[] = {KYMO_FIELD(struct reading, x, "m", ""),
                                                   KYMO_FIELD(struct reading, y, "m", "")};
static const struct kymo_schema reading_schema = KYMO_SCHEMA(struct reading, reading_fields);
static const struct kymo_field wider_fields[] = {KYMO_FIELD(struct wider, x, "m", ""),
                                                 KYMO_FIELD(struct wider, y, "m", ""),
                                                 KYMO_FIELD(struct wider, z, "m", "")};
static const struct kymo_schema wider_schema = KYMO_SCHEMA(struct wider, wider_fields);

KYMO_RING_TYPE(plain, struct reading);
KYMO_RING_TYPE(other, struct other);
KYMO_RING_TYPE(wide, struct wider);
KYMO_RING_TYPE_SCHEMA(reading, struct reading, reading_schema);
KYMO_RING_TYPE_SCHEMA(wider, struct wider, wider_schema);

Test(diagnostic, names_the_type_that_differs)
{
    const struct kymo_options options = {.clock = KYMO_USER};
    struct plain_writer *writer;
    struct plain_reader *reader;
    struct other_reader *other;
    struct wide_reader *wide;

    cr_assert_eq(plain_writer_open(&writer, "plain", &options), 0);
    cr_assert_eq(plain_reader_open_diagnosed(&reader, "plain", &cause), 0);
    cr_assert_str_eq(cause.text, "");
    plain_reader_close(reader);
    cr_assert_eq(other_reader_open_diagnosed(&other, "plain", &cause), -EPROTONOSUPPORT);
    expect_part("type_id: the segment's records are not of the type struct other");
    cr_assert_eq(wide_reader_open_diagnosed(&wide, "plain", &cause), -EMSGSIZE);
    expect_part("size: the segment's slots have 16 bytes, struct wider has 24");
    plain_writer_close(writer);
}

/* -EMSGSIZE from an open is about the type, and not about a record. */
Test(diagnostic, names_the_field_of_a_type_that_differs)
{
    const struct kymo_options options = {.clock = KYMO_USER};
    struct kymo_options sized = options;
    struct reading_writer *writer;
    struct wider_reader *reader;
    struct wider_writer *resumed;

    cr_assert_eq(reading_writer_open(&writer, "reading", &options), 0);
    cr_assert_eq(wider_reader_open_diagnosed(&reader, "reading", &cause), -EMSGSIZE);
    expect_part("field \"z\": here, not in the segment");
    cr_assert_null(strstr(kymo_error_text(-EMSGSIZE), "record"));
    reading_writer_close(writer);
    cr_assert_eq(wider_writer_open_diagnosed(&resumed, "reading", NULL, &cause), -EMSGSIZE);
    expect_part("field \"z\"");
    sized.size = 8;
    cr_assert_eq(wider_writer_open_diagnosed(&resumed, "reading", &sized, &cause), -EINVAL);
    expect_part("size: 8 is not that of struct wider, 24");
}

/* ---- files of other versions and machines ---- */

static void edit_header(const char *name, size_t offset, uint32_t value)
{
    char path[UNIT_PATH];
    int fd = open(unit_path(name, path), O_RDWR);

    cr_assert_eq(pwrite(fd, &value, sizeof(value), (off_t)offset), (ssize_t)sizeof(value));
    close(fd);
}

Test(diagnostic, states_why_a_segment_is_not_supported)
{
    static const struct {
        size_t offset;
        uint32_t value;
        const char *part;
    } cases[] = {
        {offsetof(struct kymo_header, layout_major), 1,
         "layout version 1.0 of an older libkymo, this one reads version 2: link its writer"},
        {offsetof(struct kymo_header, layout_major), 3,
         "layout version 3.0 of a newer libkymo, this one reads version 2: link this program"},
        {offsetof(struct kymo_header, byte_order), 0x04030201, "byte order: "},
        {offsetof(struct kymo_header, word_size), 4,
         "word size: made by a program of 32-bit words"},
        {offsetof(struct kymo_header, page_size), 16384,
         "page size: made on a machine with pages of 16384"},
    };
    const struct kymo_options options = {.size = 8, .existing = KYMO_REPLACE};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[UNIT_PATH], text[256];

        kymo_writer_close(unit_writer("foreign", &options));
        edit_header("foreign", cases[i].offset, cases[i].value);
        expect_reader("foreign", -EPROTONOSUPPORT, cases[i].part);
        expect_writer("foreign", &options, -EPROTONOSUPPORT, cases[i].part);
        cr_assert_eq(kymo_segment_check("foreign", text, sizeof(text)), -EPROTONOSUPPORT);
        cr_assert_str_eq(text, cause.text);
        cr_assert_eq(unlink(unit_path("foreign", path)), 0);
    }
}

Test(diagnostic, states_the_version_that_was_compiled_in)
{
    struct kymo_reader *reader;

    cr_assert_eq(kymo_impl_reader_open(&reader, "any", 1, &cause), -EPROTONOSUPPORT);
    expect_part("compiled for version 1, and libkymo has version 2: compile it again");
}

/* ---- other handles, and publishing ---- */

Test(diagnostic, names_the_kind_that_a_consumer_needs)
{
    const struct kymo_options queue = {.kind = KYMO_QUEUE, .size = 8};
    struct kymo_consumer *consumer, *second;

    kymo_writer_close(unit_writer_of_depth("ring", 8));
    cr_assert_eq(kymo_consumer_open_diagnosed(&consumer, "ring", &cause), -EINVAL);
    expect_part("kind: the segment is a ring, and a consumer needs a queue");
    kymo_writer_close(unit_writer("queue", &queue));
    cr_assert_eq(kymo_consumer_open_diagnosed(&consumer, "queue", &cause), 0);
    cr_assert_eq(kymo_consumer_open_diagnosed(&second, "queue", &cause), -EBUSY);
    expect_part("another consumer is alive");
    kymo_consumer_close(consumer);
}

Test(diagnostic, states_why_a_loader_does_not_open)
{
    struct kymo_loader *loader;

    kymo_writer_close(unit_writer_of_depth("loaded", 8));
    cr_assert_eq(kymo_loader_open_diagnosed(&loader, "loaded", 2, &cause), -EINVAL);
    expect_part("max_buffers: 2 is not from 3 to 64 (0: 8)");
    cr_assert_eq(kymo_loader_open_diagnosed(&loader, "a/b", 0, &cause), -EINVAL);
    expect_part("name: \"a/b\"");
    cr_assert_eq(kymo_loader_open_diagnosed(&loader, "none", 0, &cause), -ENOENT);
    expect_part("no such segment");
    cr_assert_null(loader);
    cr_assert_eq(kymo_loader_open_diagnosed(&loader, "loaded", 0, &cause), 0);
    cr_assert_str_eq(cause.text, "");
    kymo_loader_close(loader);
}

Test(diagnostic, names_the_row_that_is_not_aligned)
{
    const struct kymo_options user = {.clock = KYMO_USER, .size = 8}, monotonic = {.size = 8};
    struct kymo_writer *writers[] = {unit_writer("user", &user), unit_writer("mono", &monotonic)};
    struct kymo_alignment rows[2] = {{.reader = unit_reader("user")},
                                     {.reader = unit_reader("mono")}};

    cr_assert_eq(kymo_series_align(rows, 2, 0), -EINVAL);
    cr_assert_eq(kymo_series_align_diagnose(rows, 2, &cause), -EINVAL);
    expect_part("clock: monotonic of row 1 is not that of row 0, user");
    rows[0].mode = (enum kymo_align_mode)3;
    cr_assert_eq(kymo_series_align_diagnose(rows, 1, &cause), -EINVAL);
    expect_part("mode: 3 of row 0 is not one of");
    cr_assert_eq(kymo_series_align_diagnose(&rows[1], 1, &cause), 0);
    cr_assert_str_eq(cause.text, "");
    for (int i = 0; i < 2; i++) {
        kymo_reader_close((struct kymo_reader *)(uintptr_t)rows[i].reader);
        kymo_writer_close(writers[i]);
    }
}

Test(diagnostic, states_why_a_push_failed)
{
    struct kymo_writer *writer = unit_writer_of_depth("ring", 8);

    kymo_writer_diagnose(writer, kymo_queue_push(writer, "", 0, 0, 0, 0), 0, 0, &cause);
    expect_part("kymo_queue_push() needs kind KYMO_QUEUE");
    kymo_writer_close(writer);
}

Test(diagnostic, states_why_a_publish_failed)
{
    const struct kymo_options options = {.clock = KYMO_USER,
                                         .size = 8,
                                         .kind = KYMO_QUEUE,
                                         .depth = 2};
    struct kymo_writer *writer = unit_writer("publish", &options);
    void *payload;

    cr_assert_eq(kymo_ring_publish(writer, "12345678", 8, 10, 0), 0);
    kymo_writer_diagnose(writer, kymo_ring_publish(writer, "", 0, 9, 0), 0, 9, &cause);
    expect_part("time: 9 is before 10");
    kymo_writer_diagnose(writer, kymo_ring_publish(writer, "123456789", 9, 10, 0), 9, 10, &cause);
    expect_part("len: 9 is more than the slot's 8 bytes");
    kymo_writer_diagnose(writer, kymo_ring_commit(writer, 8, 10, 0), 8, 10, &cause);
    expect_part("no slot is loaned");
    cr_assert_eq(kymo_ring_loan(writer, &payload), 0);
    kymo_writer_diagnose(writer, kymo_ring_publish(writer, "", 0, 10, 0), 0, 10, &cause);
    expect_part("a slot is loaned");
    cr_assert_eq(kymo_ring_commit(writer, 8, 10, 0), 0);
    kymo_writer_diagnose(writer, kymo_ring_publish(writer, "", 0, 10, 0), 0, 10, &cause);
    expect_part("the queue is full: its 2 records");
    kymo_writer_close(writer);
}

/* ---- threads ---- */

static void *open_wrongly(void *context)
{
    const uint32_t alignment = (uint32_t)(uintptr_t)context;
    const struct kymo_options options = {.size = 8, .alignment = alignment};
    struct kymo_diagnostic own;
    struct kymo_writer *writer;
    char expected[32];

    snprintf(expected, sizeof(expected), "alignment: %u is", alignment);
    for (int i = 0; i < 10000; i++) {
        if (kymo_writer_open_diagnosed(&writer, "threads", &options, &own) != -EINVAL ||
            strncmp(own.text, expected, strlen(expected)) != 0)
            return context;
    }
    return NULL;
}

Test(diagnostic, belongs_to_its_call)
{
    pthread_t threads[4];
    void *failed;

    for (uintptr_t i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, open_wrongly, (void *)(2 * i + 3)), 0);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(pthread_join(threads[i], &failed), 0);
        cr_assert_null(failed);
    }
}
