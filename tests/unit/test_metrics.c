/*
 * test_metrics.c - segments as Prometheus text: families, labels, and values that are exact.
 */
#include <math.h>
#include <stdbool.h>

#include "unit.h"

struct machine {
    float accel[3];
    uint64_t steps;
    uint64_t steps_total;
    uint64_t total;
    bool ready;
    char label[4];
    double matrix[2][2];
    double nothing;
    float many[65];
};

static const struct kymo_field machine_fields[] = {
    KYMO_FIELD(struct machine, accel, "m/s^2", "along \\ x, y\nand z"),
    KYMO_FIELD_COUNTER(struct machine, steps, "", "steps taken"),
    KYMO_FIELD(struct machine, steps_total, "", ""),
    KYMO_FIELD(struct machine, total, "B", "of the memory"),
    KYMO_FIELD(struct machine, ready, "", ""),
    KYMO_FIELD(struct machine, label, "", ""),
    KYMO_FIELD_MATRIX(struct machine, matrix, "", ""),
    KYMO_FIELD(struct machine, nothing, "", ""),
    KYMO_FIELD(struct machine, many, "", ""),
};
static const struct kymo_schema machine_schema = KYMO_SCHEMA(struct machine, machine_fields);

static struct kymo_metrics *metrics;
static struct kymo_text text;

static const struct machine machine = {.accel = {1, 2.5f, 0.1f},
                                       .steps = UINT64_MAX,
                                       .total = 7,
                                       .ready = true,
                                       .matrix = {{1, 2}, {3, 4}},
                                       .nothing = NAN};

static struct kymo_writer *machine_writer(const char *name)
{
    const struct kymo_options options = {.schema = &machine_schema};

    return unit_writer(name, &options);
}

/* Publishes one machine under that name and adds it; returns how many samples that gave. */
static int add_machine(const char *name)
{
    struct kymo_writer *writer = machine_writer(name);
    struct kymo_reader *reader = unit_reader(name);
    int count;

    cr_assert_eq(kymo_ring_publish(writer, &machine, sizeof(machine),
                                   kymo_clock_now(KYMO_MONOTONIC), 0),
                 0);
    count = kymo_metrics_add(metrics, reader);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
    return count;
}

static void begin(void)
{
    cr_assert_eq(kymo_metrics_open(&metrics), 0);
}

static const char *written(void)
{
    kymo_text_clear(&text);
    cr_assert_eq(kymo_metrics_write(metrics, &text), 0);
    return text.data;
}

static void expect(const char *lines)
{
    cr_assert_not_null(strstr(written(), lines), "not found:\n%s\nin:\n%s", lines, text.data);
}

static int occurrences(const char *string)
{
    int count = 0;

    for (const char *at = written(); (at = strstr(at, string)); at++)
        count++;
    return count;
}

/* accel 3, steps, steps_total, total, ready, matrix 4, nothing: in 7 fields. */
#define VALUES 12
#define FIELDS 7

Test(metrics, fields_and_their_labels)
{
    begin();
    cr_assert_eq(add_machine("a.c"), VALUES + FIELDS + KYMO_METRICS_SEGMENT);
    expect("# TYPE kymo_field gauge\n"
           "kymo_field{segment=\"a.c\",field=\"accel\",unit=\"m/s^2\",index=\"0\"} 1\n"
           "kymo_field{segment=\"a.c\",field=\"accel\",unit=\"m/s^2\",index=\"1\"} 2.5\n"
           "kymo_field{segment=\"a.c\",field=\"accel\",unit=\"m/s^2\",index=\"2\"} 0.1\n"
           "kymo_field{segment=\"a.c\",field=\"steps_total\"} 0\n");
    expect("\nkymo_field{segment=\"a.c\",field=\"ready\"} 1\n");
    expect("\nkymo_field{segment=\"a.c\",field=\"matrix\",index=\"1.0\"} 3\n");
    expect("\nkymo_field{segment=\"a.c\",field=\"nothing\"} NaN\n");
    expect("# TYPE kymo_field_total counter\n"
           "kymo_field_total{segment=\"a.c\",field=\"steps\"} 18446744073709551615\n");
    expect("\nkymo_field_info{segment=\"a.c\",field=\"accel\",unit=\"m/s^2\","
           "help=\"along \\\\ x, y\\nand z\"} 1\n");
    cr_assert_eq(occurrences("\"label\""), 0, "chars are no numbers");
    cr_assert_eq(occurrences("\"many\""), 0, "long arrays are data");
}

Test(metrics, missing_fields_are_nan)
{
    struct kymo_writer *writer = machine_writer("short");
    struct kymo_reader *reader = unit_reader("short");

    begin();
    /* The third element of accel is cut in two. */
    cr_assert_eq(kymo_ring_publish(writer, &machine, 2 * sizeof(float) + 2,
                                   kymo_clock_now(KYMO_MONOTONIC), 0),
                 0);
    cr_assert_eq(kymo_metrics_add(metrics, reader), VALUES + FIELDS + KYMO_METRICS_SEGMENT);
    expect("field=\"accel\",unit=\"m/s^2\",index=\"1\"} 2.5\n");
    expect("field=\"accel\",unit=\"m/s^2\",index=\"2\"} NaN\n");
    expect("field=\"ready\"} NaN\n");
    expect("field=\"matrix\",index=\"0.0\"} NaN\n");
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* A scraper rejects a whole file with one invalid line. */
Test(metrics, labels_are_escaped)
{
    const struct kymo_field field = {
        .name = "n", .type = KYMO_U64, .count = 1, .unit = "a\"b\\c\nd", .help = "\xff}"};
    const struct kymo_schema schema = {&field, 1, 8};
    const struct kymo_options options = {.schema = &schema};
    struct kymo_writer *writer = unit_writer("ugly", &options);
    struct kymo_reader *reader = unit_reader("ugly");
    const uint64_t value = 1;

    begin();
    cr_assert_eq(kymo_ring_publish(writer, &value, sizeof(value), kymo_clock_now(KYMO_MONOTONIC),
                                   0),
                 0);
    cr_assert_gt(kymo_metrics_add(metrics, reader), 0);
    expect("\nkymo_field{segment=\"ugly\",field=\"n\",unit=\"a\\\"b\\\\c\\nd\"} 1\n");
    expect(",help=\"\xef\xbf\xbd}\"} 1\n");
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

Test(metrics, segments_share_families)
{
    begin();
    add_machine("a.c");
    add_machine("a-c");
    expect("kymo_field_total{segment=\"a.c\",field=\"steps\"} 18446744073709551615\n"
           "kymo_field_total{segment=\"a-c\",field=\"steps\"} 18446744073709551615\n");
    cr_assert_eq(occurrences("# TYPE kymo_records_total "), 1);
    cr_assert_eq(occurrences("# TYPE kymo_field "), 1);
}

/* The writer has this state, and no other. */
static void expect_state(const struct kymo_reader *reader, const char *state)
{
    static const char *const states[] = {"alive", "stalled", "closed", "dead", "unknown"};

    kymo_metrics_clear(metrics);
    cr_assert_gt(kymo_metrics_add(metrics, reader), 0);
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        char line[80];

        snprintf(line, sizeof(line), "kymo_writer_state{segment=\"s\",state=\"%s\"} %d\n",
                 states[i], strcmp(states[i], state) == 0);
        expect(line);
    }
}

/* Records at 10 Hz during the last second. */
static void publish_second(struct kymo_writer *writer)
{
    const uint64_t second = UINT64_C(1000000000);
    const uint64_t end = kymo_clock_now(KYMO_MONOTONIC);

    for (uint64_t i = 0; i <= 10; i++)
        cr_assert_eq(kymo_ring_publish(writer, &i, sizeof(i), end - second + i * second / 10, 0),
                     0);
}

Test(metrics, state_and_rate_of_the_writer)
{
    const struct kymo_options options = {.size = 8};
    struct kymo_writer *writer = unit_writer("s", &options);
    struct kymo_reader *reader = unit_reader("s");

    begin();
    publish_second(writer);
    expect_state(reader, "alive");
    expect("kymo_rate_hertz{segment=\"s\"} 10\n");
    expect("kymo_records_total{segment=\"s\"} 11\n");
    cr_assert_eq(kymo_ring_publish(writer, &options, 8, 0, 0), -EINVAL);
    kymo_writer_close(writer);
    expect_state(reader, "closed");
    expect("kymo_rate_hertz{segment=\"s\"} 0\n");
    expect("kymo_rejected_total{segment=\"s\"} 1\n");
    kymo_reader_close(reader);
}

Test(metrics, age_of_a_future_record_is_negative)
{
    const struct kymo_options options = {.size = 8};
    struct kymo_writer *writer = unit_writer("ahead", &options);
    struct kymo_reader *reader = unit_reader("ahead");
    const uint64_t hour = UINT64_C(3600000000000);
    const uint64_t time = kymo_clock_now(KYMO_MONOTONIC) + hour;

    begin();
    cr_assert_eq(kymo_ring_publish(writer, &time, sizeof(time), time, 0), 0);
    cr_assert_gt(kymo_metrics_add(metrics, reader), 0);
    expect("kymo_age_seconds{segment=\"ahead\"} -3599.");
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* Neither an age nor a rate is known on the clock user. */
Test(metrics, a_segment_without_records)
{
    const struct kymo_options options = {.schema = &machine_schema, .clock = KYMO_USER};
    struct kymo_writer *writer = unit_writer("quiet", &options);
    struct kymo_reader *reader = unit_reader("quiet");

    begin();
    cr_assert_eq(kymo_metrics_add(metrics, reader), FIELDS + KYMO_METRICS_SEGMENT - 2);
    expect("kymo_records_total{segment=\"quiet\"} 0\n");
    cr_assert_eq(occurrences("kymo_age_seconds") + occurrences("kymo_rate_hertz"), 0);
    cr_assert_eq(occurrences("kymo_field{") + occurrences("kymo_field_total{"), 0);
    cr_assert_eq(kymo_writer_remove(writer), 0);
    cr_assert_eq(kymo_metrics_add(metrics, reader), -EIDRM);
    kymo_reader_close(reader);
}

Test(metrics, samples_of_the_caller)
{
    begin();
    kymo_metrics_sample(metrics, "own_requests_total", KYMO_COUNTER, "Requests.", "kind=re\"ad", 2);
    kymo_metrics_sample(metrics, "own_requests_total", KYMO_COUNTER, "Requests.", "kind=open", 1);
    cr_assert_str_eq(written(), "# HELP own_requests_total Requests.\n"
                                "# TYPE own_requests_total counter\n"
                                "own_requests_total{kind=\"re\\\"ad\"} 2\n"
                                "own_requests_total{kind=\"open\"} 1\n");
    kymo_metrics_clear(metrics);
    cr_assert_str_eq(written(), "");
    kymo_metrics_close(metrics);
    kymo_text_free(&text);
}
