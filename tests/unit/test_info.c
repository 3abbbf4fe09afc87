/*
 * test_info.c - a segment as lines of "key: value": the keys that scripts rely on, and their values for a running, stalled, closed or dead writer.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include "unit.h"

#define SECOND UINT64_C(1000000000)

static struct kymo_text text;

static const char *info_of(const struct kymo_reader *reader)
{
    kymo_text_clear(&text);
    cr_assert_eq(kymo_text_info(&text, reader), 0);
    return text.data;
}

/* The value in the line of that key; good until the next call. */
static const char *value_of(const char *key)
{
    static char value[4096];
    const size_t len = strlen(key);

    for (const char *line = text.data; *line; line = strchr(line, '\n') + 1) {
        if (strncmp(line, key, len) == 0 && strncmp(line + len, ": ", 2) == 0) {
            snprintf(value, sizeof(value), "%.*s", (int)strcspn(line + len + 2, "\n"),
                     line + len + 2);
            return value;
        }
    }
    return "(no such line)";
}

/* The keys of all lines, in order, each followed by a blank. */
static void expect_keys(const char *expected)
{
    char keys[1024] = "";
    size_t len = 0;

    for (const char *line = text.data; *line; line = strchr(line, '\n') + 1) {
        cr_assert_not_null(strchr(line, '\n'), "the last line has no end");
        len += (size_t)snprintf(keys + len, sizeof(keys) - len, "%.*s ", (int)strcspn(line, ":\n"),
                                line);
    }
    cr_assert_str_eq(keys, expected);
}

#define KEYS                                                                                     \
    "name kind depth size_bytes clock time_policy wake_policy layout writer writer_detail "      \
    "writer_pid "                                                                                \
    "heartbeat_age_seconds age_seconds records available rate_hertz rejected clamped aborted "   \
    "wakes adopted takeovers writer_opens created creator host boot generation file_size_bytes " \
    "mode "                                                                                      \
    "owner schema "

static struct kymo_writer *writer_of(const char *name, enum kymo_clock clock, uint64_t depth)
{
    const struct kymo_options options = {.clock = clock, .depth = depth, .size = 8};

    return unit_writer(name, &options);
}

static void publish_at(struct kymo_writer *writer, uint64_t time)
{
    cr_assert_eq(kymo_ring_publish(writer, "12345678", 8, time, 0), 0);
}

Test(info, has_all_keys_of_a_new_segment)
{
    struct kymo_schema *schema;
    struct kymo_options options = {.kind = KYMO_VALUE,
                                   .clock = KYMO_REALTIME,
                                   .time_policy = KYMO_CLAMP,
                                   .wake_policy = KYMO_WAKE_ALWAYS,
                                   .mode = 0640};
    struct kymo_writer *writer;
    struct kymo_reader *reader;
    char expected[128];

    cr_assert_eq(kymo_schema_parse(&schema, "accel:f32[3],m:u8[2][4],temp:f64:previous", NULL), 0);
    options.schema = schema;
    writer = unit_writer("new", &options);
    reader = unit_reader("new");
    info_of(reader);
    expect_keys(KEYS);
    cr_assert_str_eq(value_of("name"), "new");
    cr_assert_str_eq(value_of("kind"), "value");
    cr_assert_str_eq(value_of("depth"), "2");
    cr_assert_str_eq(value_of("size_bytes"), "32");
    cr_assert_str_eq(value_of("clock"), "realtime");
    cr_assert_str_eq(value_of("time_policy"), "clamp");
    cr_assert_str_eq(value_of("wake_policy"), "always");
    cr_assert_str_eq(value_of("layout"), "2.0");
    cr_assert_str_eq(value_of("writer"), "ALIVE");
    snprintf(expected, sizeof(expected), "%d", getpid());
    cr_assert_str_eq(value_of("writer_pid"), expected);
    cr_assert_str_eq(value_of("heartbeat_age_seconds"), "none");
    cr_assert_str_eq(value_of("age_seconds"), "none");
    cr_assert_str_eq(value_of("records"), "0");
    cr_assert_str_eq(value_of("available"), "0");
    cr_assert_str_eq(value_of("rate_hertz"), "0.000000000");
    cr_assert_str_eq(value_of("writer_opens"), "1");
    cr_assert_str_eq(value_of("mode"), "0640");
    snprintf(expected, sizeof(expected), "%u:%u", geteuid(), getegid());
    cr_assert_str_eq(value_of("owner"), expected);
    cr_assert_str_eq(value_of("schema"), "accel:f32[3],m:u8[2][4],temp:f64:previous");
    kymo_reader_close(reader);
    kymo_writer_close(writer);
    kymo_schema_free(schema);
    kymo_text_free(&text);
}

Test(info, prints_header_fields)
{
    struct kymo_writer *writer = writer_of("header", KYMO_MONOTONIC, 4);
    struct kymo_reader *reader = unit_reader("header");
    struct kymo_info info = unit_info(reader->segment);
    struct kymo_text expected = {0};
    char line[200];
    uint64_t created;

    info_of(reader);
    cr_assert_str_eq(value_of("time_policy"), "reject");
    cr_assert_str_eq(value_of("wake_policy"), "waiters");
    cr_assert_str_eq(value_of("schema"), "none");
    cr_assert_str_eq(value_of("host"), info.host);
    cr_assert_str_eq(value_of("boot"), info.boot_id);
    snprintf(line, sizeof(line), "%s, pid %u, uid %u", info.creator, getpid(), geteuid());
    cr_assert_str_eq(value_of("creator"), line);
    snprintf(line, sizeof(line), "%llu", (unsigned long long)info.file_size);
    cr_assert_str_eq(value_of("file_size_bytes"), line);
    cr_assert_eq(kymo_time_parse(value_of("created"), KYMO_REALTIME, 0, &created), 0);
    cr_assert_eq(created, info.created_realtime);
    for (size_t i = 0; i < sizeof(info.uuid); i++)
        kymo_text_printf(&expected, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                         info.uuid[i]);
    cr_assert_str_eq(value_of("generation"), expected.data);
    kymo_text_free(&expected);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
    kymo_text_free(&text);
}

Test(info, has_rate_and_age_of_a_history)
{
    struct kymo_writer *writer = writer_of("history", KYMO_MONOTONIC, 8);
    struct kymo_reader *reader = unit_reader("history");
    const uint64_t begin = kymo_clock_now(KYMO_MONOTONIC) - 20 * SECOND;

    for (uint64_t i = 0; i < 5; i++)
        publish_at(writer, begin + i * SECOND / 8);
    info_of(reader);
    cr_assert_str_eq(value_of("records"), "5");
    cr_assert_str_eq(value_of("available"), "5");
    cr_assert_str_eq(value_of("rate_hertz"), "8.000000000");
    cr_assert_geq(strtod(value_of("age_seconds"), NULL), 19.5);

    for (uint64_t i = 0; i < 10; i++)
        publish_at(writer, begin + SECOND + i * SECOND / 3);
    cr_assert_eq(kymo_ring_publish(writer, "", 0, begin, 0), -EINVAL);
    cr_assert_eq(kymo_writer_heartbeat(writer), 0);
    info_of(reader);
    cr_assert_str_eq(value_of("records"), "15");
    cr_assert_str_eq(value_of("available"), "7");
    cr_assert_str_eq(value_of("rate_hertz"), "3.000000000");
    cr_assert_str_eq(value_of("rejected"), "1");
    cr_assert_lt(strtod(value_of("heartbeat_age_seconds"), NULL), 10);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
    kymo_text_free(&text);
}

Test(info, has_no_age_on_user_clock)
{
    struct kymo_writer *writer = writer_of("user", KYMO_USER, 8);
    struct kymo_reader *reader = unit_reader("user");

    info_of(reader);
    cr_assert_str_eq(value_of("age_seconds"), "none");
    publish_at(writer, 1);
    publish_at(writer, 2);
    info_of(reader);
    cr_assert_str_eq(value_of("age_seconds"), "unknown");
    cr_assert_str_eq(value_of("rate_hertz"), "unknown");
    kymo_reader_close(reader);
    kymo_writer_close(writer);
    kymo_text_free(&text);
}

/* Times in the future have a negative age, and many at one instant no rate. */
Test(info, has_negative_age_and_no_rate)
{
    struct kymo_writer *writer = writer_of("odd", KYMO_MONOTONIC, 8);
    struct kymo_reader *reader = unit_reader("odd");

    publish_at(writer, kymo_clock_now(KYMO_MONOTONIC) + 3601 * SECOND);
    publish_at(writer, writer->time);
    info_of(reader);
    cr_assert_eq(strncmp(value_of("age_seconds"), "-3600.", 6), 0, "%s", value_of("age_seconds"));
    cr_assert_str_eq(value_of("rate_hertz"), "unknown");
    kymo_reader_close(reader);
    kymo_writer_close(writer);

    writer = writer_of("wide", KYMO_MONOTONIC, 8);
    reader = unit_reader("wide");
    publish_at(writer, 0);
    publish_at(writer, UINT64_MAX);
    info_of(reader);
    cr_assert_eq(strncmp(value_of("age_seconds"), "-1844", 5), 0, "%s", value_of("age_seconds"));
    cr_assert_str_eq(value_of("rate_hertz"), "0.000000000");
    cr_assert_str_eq(value_of("writer"), "ALIVE");
    kymo_reader_close(reader);
    kymo_writer_close(writer);
    kymo_text_free(&text);
}

static int open_and_vanish(void *context)
{
    struct kymo_writer *writer;
    const struct kymo_options options = {.size = 8};

    return kymo_writer_open(&writer, context, &options) ? 1 : 0;
}

Test(info, distinguishes_closed_and_dead)
{
    char name[] = "ended";
    struct kymo_reader *reader;

    cr_assert_eq(unit_child(open_and_vanish, name), 0);
    reader = unit_reader(name);
    info_of(reader);
    cr_assert_str_eq(value_of("writer"), "DEAD");
    kymo_writer_close(unit_writer(name, NULL));
    info_of(reader);
    cr_assert_str_eq(value_of("writer"), "CLOSED");
    cr_assert_str_eq(value_of("writer_opens"), "2");
    cr_assert_eq(kymo_segment_remove(name), 0);
    kymo_text_clear(&text);
    cr_assert_eq(kymo_text_info(&text, reader), -EIDRM);
    cr_assert_eq(text.len, 0);
    kymo_reader_close(reader);
    kymo_text_free(&text);
}

static _Noreturn void publish_for_ever(const char *name)
{
    const struct kymo_options options = {.kind = KYMO_VALUE, .size = 8};
    struct kymo_writer *writer;

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || kymo_writer_open(&writer, name, &options))
        _exit(1);
    for (;;)
        kymo_ring_publish(writer, "12345678", 8, kymo_clock_now(KYMO_MONOTONIC), 0);
}

/* E: complete, and in finite time, at any rate of the writer. */
Test(info, is_complete_beside_full_speed_writer)
{
    struct kymo_reader *reader = NULL;
    pid_t child = fork();
    int status;

    if (child == 0)
        publish_for_ever("racing");
    cr_assert_gt(child, 0);
    while (kymo_reader_open(&reader, "racing") == -ENOENT)
        usleep(1000);
    cr_assert_not_null(reader);
    cr_assert_eq(kymo_ring_wait(reader, 1000, KYMO_FOREVER), 0);
    for (int i = 0; i < 2000; i++) {
        info_of(reader);
        expect_keys(KEYS);
        cr_assert_str_eq(value_of("available"), "1");
    }
    cr_assert_eq(kill(child, SIGKILL), 0);
    cr_assert_eq(waitpid(child, &status, 0), child);
    info_of(reader);
    cr_assert_str_eq(value_of("writer"), "DEAD");
    kymo_reader_close(reader);
    kymo_text_free(&text);
}

/* No record for more than a second: STALLED if the writer published ten times a second, not if it
 * published every ten seconds. */
Test(info, stalled_depends_on_period)
{
    const struct timespec silence = {.tv_sec = 1, .tv_nsec = 100000000};
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);
    struct kymo_writer *fast = writer_of("fast", KYMO_MONOTONIC, 8);
    struct kymo_writer *slow = writer_of("slow", KYMO_MONOTONIC, 8);
    struct kymo_reader *fast_reader = unit_reader("fast");
    struct kymo_reader *slow_reader = unit_reader("slow");

    for (uint64_t i = 0; i < 3; i++) {
        publish_at(fast, now - 30 * SECOND + i * SECOND / 10);
        publish_at(slow, now - 30 * SECOND + i * 10 * SECOND);
    }
    nanosleep(&silence, NULL);
    info_of(fast_reader);
    cr_assert_str_eq(value_of("writer"), "STALLED");
    info_of(slow_reader);
    cr_assert_str_eq(value_of("writer"), "ALIVE");
    kymo_reader_close(fast_reader);
    kymo_reader_close(slow_reader);
    kymo_writer_close(fast);
    kymo_writer_close(slow);
    kymo_text_free(&text);
}

Test(info, has_geometry_of_an_image)
{
    const struct kymo_geometry geometry = {.width = 1920,
                                           .height = 1080,
                                           .stride = 5760,
                                           .format = 1};
    const struct kymo_options options = {.depth = 2, .size = 64, .geometry = &geometry};
    struct kymo_writer *writer = unit_writer("image", &options);
    struct kymo_reader *reader = unit_reader("image");

    info_of(reader);
    expect_keys(KEYS "image_pixels image_format image_stride_bytes image_offset_bytes ");
    cr_assert_str_eq(value_of("image_pixels"), "1920x1080");
    cr_assert_str_eq(value_of("image_format"), "gray8");
    cr_assert_str_eq(value_of("image_stride_bytes"), "5760");
    cr_assert_str_eq(value_of("image_offset_bytes"), "0");
    kymo_reader_close(reader);
    kymo_writer_close(writer);
    kymo_text_free(&text);
}

/* A creator's name with a newline is escaped. */
Test(info, escapes_newlines_in_names)
{
    struct kymo_reader *reader;
    struct kymo_header header;

    kymo_writer_close(writer_of("forged", KYMO_REALTIME, 2));
    header = unit_header("forged");
    strcpy(header.creator, "x\nwriter: ALIVE");
    strcpy(header.host, "h\x1b[2J\nowner: 0:0");
    strcpy(header.boot_id, "\xff\n");
    unit_write_header("forged", header);

    reader = unit_reader("forged");
    info_of(reader);
    expect_keys(KEYS);
    cr_assert_str_eq(value_of("writer"), "CLOSED");
    cr_assert_eq(strncmp(value_of("creator"), "x\\nwriter: ALIVE, pid ", 22), 0);
    cr_assert_str_eq(value_of("host"), "h\\u001b[2J\\nowner: 0:0");
    cr_assert_str_eq(value_of("boot"), "\xef\xbf\xbd\\n");
    kymo_reader_close(reader);
    kymo_text_free(&text);
}

static int info_as_of(const struct kymo_reader *reader, uint64_t time)
{
    kymo_text_clear(&text);
    return kymo_text_info_as_of(&text, reader, time);
}

/* Without the value of `key`, which differs between these texts. */
static size_t length_without(const char *key)
{
    return text.len - strlen(value_of(key));
}

static int publish_and_vanish(void *context)
{
    const struct kymo_options options = {.clock = KYMO_REALTIME, .depth = 4, .size = 8};
    const uint64_t now = kymo_clock_now(KYMO_REALTIME);
    struct kymo_writer *writer;

    if (kymo_writer_open(&writer, context, &options) ||
        kymo_ring_publish(writer, "12345678", 8, now - SECOND / 10, 0) ||
        kymo_ring_publish(writer, "12345678", 8, now, 0) || kymo_writer_heartbeat(writer))
        return 1;
    return 0;
}

Test(info, keeps_its_length_while_the_segment_does_not_change)
{
    static const uint64_t ages[] = {0,           1,           SECOND - 1,     SECOND,
                                    10 * SECOND, 99999999999, 86400 * SECOND, 999999999 * SECOND};
    const struct kymo_options options = {.clock = KYMO_REALTIME, .depth = 4, .size = 8};
    struct kymo_writer *writer = unit_writer("length", &options);
    struct kymo_reader *reader = unit_reader("length");
    const uint64_t base = 20 * SECOND;
    size_t len;

    publish_at(writer, base);
    publish_at(writer, base + SECOND / 3);
    cr_assert_eq(info_as_of(reader, base + SECOND), 0);
    len = length_without("as_of_nanoseconds");
    for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
        cr_assert_eq(info_as_of(reader, base + SECOND / 3 + ages[i]), 0);
        cr_assert_eq(length_without("as_of_nanoseconds"), len, "%s", text.data);
        cr_assert_eq(strlen(value_of("age_seconds")), 11);
    }
    kymo_reader_close(reader);
    kymo_writer_close(writer);

    /* Alive, stalled and dead, with a rate and without. */
    cr_assert_eq(unit_child(publish_and_vanish, (void *)(uintptr_t) "dies"), 0);
    reader = unit_reader("dies");
    info_of(reader);
    cr_assert_str_eq(value_of("writer"), "DEAD");
    cr_assert_str_eq(value_of("rate_hertz"), "0.000000000", "no writer is alive");
    len = length_without("writer_pid");
    writer = unit_writer("dies", NULL);
    info_of(reader);
    cr_assert_str_eq(value_of("writer"), "ALIVE");
    cr_assert_str_eq(value_of("rate_hertz"), "10.00000000");
    cr_assert_eq(length_without("writer_pid"), len, "%s", text.data);
    usleep(1100000);
    info_of(reader);
    cr_assert_str_eq(value_of("writer"), "STALLED");
    cr_assert_eq(length_without("writer_pid"), len, "%s", text.data);
    kymo_writer_close(writer);
    info_of(reader);
    cr_assert_str_eq(value_of("writer"), "CLOSED");
    cr_assert_eq(length_without("writer_pid"), len, "%s", text.data);
    kymo_reader_close(reader);
    kymo_text_free(&text);
}

/* ---- as of an instant ---- */

Test(info, excludes_records_after_an_instant)
{
    struct kymo_writer *writer = writer_of("past", KYMO_MONOTONIC, 4);
    struct kymo_reader *reader;

    cr_assert_eq(kymo_reader_open(&reader, "past"), 0);
    cr_assert_eq(info_as_of(reader, 5), 0);
    cr_assert_str_eq(value_of("records"), "0");
    for (uint64_t i = 0; i < 6; i++)
        cr_assert_eq(kymo_ring_publish(writer, &i, 8, i * SECOND, 0), 0);
    cr_assert_eq(info_as_of(reader, 4 * SECOND + SECOND / 2), 0);
    expect_keys("name kind depth size_bytes clock time_policy wake_policy layout as_of_nanoseconds "
                "age_seconds records available rate_hertz created creator host boot generation "
                "file_size_bytes mode owner schema ");
    cr_assert_str_eq(value_of("as_of_nanoseconds"), "4500000000");
    cr_assert_str_eq(value_of("age_seconds"), "0.500000000");
    cr_assert_str_eq(value_of("records"), "5");
    cr_assert_str_eq(value_of("available"), "2");
    cr_assert_str_eq(value_of("rate_hertz"), "1.000000000");
    /* Two records were overwritten, so the state at that instant is unknown. */
    cr_assert_eq(info_as_of(reader, SECOND), -ESTALE);
    cr_assert_eq(info_as_of(reader, KYMO_FOREVER), 0);
    cr_assert_str_eq(value_of("records"), "6");
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}
