/*
 * test_errors.c - the texts of errors; invalid names, clocks and options are rejected.
 */
#include "unit.h"

#include <time.h>

/* Every errno that the functions return. */
static const int errors[] = {
    ENODATA,      ESTALE, EIDRM,   EAGAIN,          ERANGE,   EDOM,   ETIME,  ENOTEMPTY,
    ETIMEDOUT,    EBUSY,  EBADMSG, EPROTONOSUPPORT, EMSGSIZE, EINVAL, ENOMSG, EPIPE,
    ENAMETOOLONG, ENOSPC, EACCES,  EPERM,           ENOENT,   EEXIST,
};

#define ERRORS (sizeof(errors) / sizeof(errors[0]))

Test(errors, have_texts)
{
    for (size_t i = 0; i < ERRORS; i++) {
        const char *text = kymo_error_text(-errors[i]);

        cr_assert_gt(strlen(text), 10);
        cr_assert_str_eq(text, kymo_error_text(errors[i]), "the sign does not matter");
        cr_assert_str_neq(text, strerror(errors[i]), "the text is kymo's, not strerror's");
        cr_assert_null(strchr(text, '\n'));
        for (size_t j = 0; j < i; j++)
            cr_assert_str_neq(text, kymo_error_text(errors[j]));
    }
    cr_assert_str_eq(kymo_error_text(-ENOTTY), strerror(ENOTTY));
    cr_assert_not_null(kymo_error_text(0));
    cr_assert_not_null(kymo_error_text(1000000));
    cr_assert_not_null(kymo_error_text(INT32_MIN));
}

/* The text of an error covers each function that returns it (the ERRORS of the pages). */
Test(errors, texts_cover_all_causes)
{
    static const struct {
        int error;
        const char *parts[3];
    } cases[] = {
        {EAGAIN, {"not yet", "overwritten or replaced", "the queue is full"}},
        {EBUSY, {"writer", "consumer", "alive"}},
        {EDOM, {"before the oldest", "after the newest", ""}},
        {EEXIST, {"exists", "its layout differs", ""}},
        {EMSGSIZE, {"the slot", "the buffer", "the type"}},
        {ENOMEM, {"memory", "address space", "the limits"}},
        {EPERM, {"owner", "fork", ""}},
        {EPROTONOSUPPORT, {"layout version", "word size", "another type"}},
        {ERANGE, {"farther than the limit", "out of its range", ""}},
        {ETIME, {"older than required", "ahead of the clock", ""}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (size_t j = 0; j < 3; j++)
            cr_assert(strstr(kymo_error_text(cases[i].error), cases[i].parts[j]), "%s: %s",
                      kymo_error_text(cases[i].error), cases[i].parts[j]);
}

Test(errors, reject_invalid_names)
{
    static const char *const good[] = {"a", "imu",  "host.cpu",  "a-b_c.d",       "_x",
                                       "7", "at.x", "README.md", "metrics.prom2", "Z9"};
    static const char *const bad[] = {"",   ".",        "..",   ".hidden", "-x",           "a/b",
                                      "/a", "a b",      "a\n",  "a\tb",    "metrics.prom", "README",
                                      "at", "\xc3\xa4", "a\\b", "a%",      "a:b"};
    char name[KYMO_NAME_LIMIT + 2];

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_assert_eq(kymo_name_check(good[i]), 0, "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct kymo_writer *writer = NULL;
        struct kymo_reader *reader = NULL;

        cr_assert_eq(kymo_name_check(bad[i]), -EINVAL, "%s", bad[i]);
        cr_assert_eq(kymo_reader_open(&reader, bad[i]), -EINVAL);
        cr_assert_eq(kymo_writer_open(&writer, bad[i], NULL), -EINVAL);
        cr_assert_eq(kymo_segment_remove(bad[i]), -EINVAL);
        cr_assert_eq(kymo_segment_reap(bad[i]), -EINVAL);
        cr_assert_eq(kymo_segment_exists(bad[i]), -EINVAL);
    }
    memset(name, 'n', sizeof(name));
    name[KYMO_NAME_LIMIT] = 0;
    cr_assert_eq(kymo_name_check(name), 0);
    name[KYMO_NAME_LIMIT] = 'n';
    name[KYMO_NAME_LIMIT + 1] = 0;
    cr_assert_eq(kymo_name_check(name), -ENAMETOOLONG);
    cr_assert_eq(kymo_segment_exists(name), -ENAMETOOLONG);
}

Test(errors, reject_invalid_options)
{
    static const struct kymo_field overlap[] = {
        {.name = "a", .type = KYMO_F64, .offset = 0, .count = 1},
        {.name = "b", .type = KYMO_F64, .offset = 4, .count = 1},
    };
    static const struct kymo_schema bad_schema = {overlap, 2, 16};
    static const struct {
        struct kymo_options options;
        int error;
    } cases[] = {
        {{.size = 1}, 0},
        {{.size = KYMO_SIZE_LIMIT, .depth = 2}, 0},
        {{.size = 1, .depth = KYMO_DEPTH_LIMIT}, 0},
        {{.size = 1, .alignment = 1}, 0},
        {{.size = 1, .alignment = 4096}, 0},
        {{.size = 1, .first = KYMO_POSITION_LIMIT - 1}, 0},
        {{.size = 0}, -EINVAL},
        {{.size = KYMO_SIZE_LIMIT + 1}, -EINVAL},
        {{.size = UINT32_MAX}, -EINVAL},
        {{.size = 1, .depth = 1}, -EINVAL},
        {{.size = 1, .depth = 3}, -EINVAL},
        {{.size = 1, .depth = 2 * KYMO_DEPTH_LIMIT}, -EINVAL},
        {{.size = 1, .depth = UINT64_C(1) << 63}, -EINVAL},
        {{.size = KYMO_SIZE_LIMIT, .depth = KYMO_DEPTH_LIMIT}, -EOVERFLOW},
        {{.size = 1, .alignment = 3}, -EINVAL},
        {{.size = 1, .alignment = 1 << 20}, -EINVAL},
        {{.size = 1, .alignment = 1u << 31}, -EINVAL},
        {{.size = 1, .first = KYMO_POSITION_LIMIT}, -EINVAL},
        {{.size = 1, .first = UINT64_MAX}, -EINVAL},
        {{.size = 1, .kind = (enum kymo_kind)3}, -EINVAL},
        {{.size = 1, .clock = (enum kymo_clock)5}, -EINVAL},
        {{.size = 1, .time_policy = (enum kymo_time_policy)2}, -EINVAL},
        {{.size = 1, .wake_policy = (enum kymo_wake_policy)2}, -EINVAL},
        {{.size = 1, .flags = 2}, -EINVAL},
        {{.schema = &bad_schema}, -EINVAL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct kymo_writer *writer;
        uint64_t bytes = 0;

        cr_assert_eq(kymo_segment_size(&cases[i].options, &bytes), cases[i].error, "case %zu", i);
        if (cases[i].error == 0) {
            cr_assert_gt(bytes, 4 * 4096, "case %zu", i);
            continue;
        }
        cr_assert_eq(kymo_writer_open(&writer, "options", &cases[i].options), cases[i].error,
                     "case %zu", i);
        cr_assert_null(writer);
        cr_assert_eq(kymo_segment_exists("options"), 0, "no segment was created");
    }
}

/* 96 TiB at least, more than any file system here: fails at once, and no file is left. */
Test(errors, reject_larger_than_space)
{
    const struct kymo_options options = {.size = 1, .depth = KYMO_DEPTH_LIMIT};
    struct kymo_writer *writer;

    cr_assert_eq(kymo_writer_open(&writer, "space", &options), -ENOSPC);
    cr_assert_eq(kymo_segment_exists("space"), 0);
    cr_assert_eq(kymo_segment_reap_unfinished(), 0);
}

/* A schema larger than the slot is rejected; bytes after a smaller one are allowed. */
Test(errors, reject_schema_larger_than_slot)
{
    struct kymo_schema *schema;
    struct kymo_options options = {.size = 7};
    uint64_t bytes;

    cr_assert_eq(kymo_schema_parse(&schema, "x:f64", NULL), 0);
    options.schema = schema;
    cr_assert_eq(kymo_segment_size(&options, &bytes), -EINVAL);
    options.size = 8;
    cr_assert_eq(kymo_segment_size(&options, &bytes), 0);
    options.size = 100;
    cr_assert_eq(kymo_segment_size(&options, &bytes), 0);
    options.size = 0;
    cr_assert_eq(kymo_segment_size(&options, &bytes), 0);
    kymo_schema_free(schema);
}

Test(errors, reject_unknown_clocks)
{
    enum kymo_clock clock;

    for (int number = KYMO_MONOTONIC; number <= KYMO_USER; number++) {
        cr_assert_eq(kymo_clock_parse(kymo_clock_text((enum kymo_clock)number), &clock), 0);
        cr_assert_eq((int)clock, number);
    }
    cr_assert_str_eq(kymo_clock_text(KYMO_MONOTONIC), "monotonic");
    cr_assert_str_eq(kymo_clock_text(KYMO_USER), "user");
    cr_assert_eq(kymo_clock_parse("sundial", &clock), -EINVAL);
    cr_assert_eq(kymo_clock_parse("", &clock), -EINVAL);
    cr_assert_not_null(kymo_clock_text((enum kymo_clock)99));
    cr_assert_not_null(kymo_kind_text((enum kymo_kind)99));
    cr_assert_str_eq(kymo_kind_text(KYMO_RING), "ring");
    cr_assert_str_eq(kymo_kind_text(KYMO_VALUE), "value");
    cr_assert_str_eq(kymo_liveness_text(KYMO_LIVE_DEAD), "dead");
    cr_assert_str_eq(kymo_liveness_text(KYMO_LIVE_CLOSED), "closed");
    cr_assert_str_eq(kymo_liveness_text(-EIDRM), "unknown");
    cr_assert_str_eq(kymo_liveness_text(99), "unknown");
}

/* Between two readings of the kernel's clock. */
Test(errors, clock_now_is_between_kernel_readings)
{
    static const clockid_t kernel[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_TAI};

    for (int number = KYMO_MONOTONIC; number < KYMO_USER; number++) {
        struct timespec before, after;
        uint64_t now;

        clock_gettime(kernel[number], &before);
        now = kymo_clock_now((enum kymo_clock)number);
        clock_gettime(kernel[number], &after);
        cr_assert_geq(now, (uint64_t)before.tv_sec * 1000000000 + (uint64_t)before.tv_nsec);
        cr_assert_leq(now, (uint64_t)after.tv_sec * 1000000000 + (uint64_t)after.tv_nsec);
    }
    cr_assert_eq(kymo_clock_now(KYMO_USER), 0);
}

Test(errors, reject_other_compiled_layout)
{
    struct kymo_writer *writer;
    struct kymo_reader *reader;
    const struct kymo_options options = {.size = 8};

    kymo_writer_close(unit_writer("major", &options));
    cr_assert_eq(kymo_impl_writer_open(&writer, "major", &options, 1, NULL), -EPROTONOSUPPORT);
    cr_assert_eq(kymo_impl_writer_open(&writer, "major", &options, 3, NULL), -EPROTONOSUPPORT);
    cr_assert_eq(kymo_impl_reader_open(&reader, "major", 1, NULL), -EPROTONOSUPPORT);
    cr_assert_null(writer);
    cr_assert_null(reader);
    cr_assert_str_eq(kymo_version(), "0.2.0");
}

Test(errors, null_handles_can_be_closed)
{
    kymo_reader_close(NULL);
    kymo_writer_close(NULL);
    kymo_schema_free(NULL);
}
