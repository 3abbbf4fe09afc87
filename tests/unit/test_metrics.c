/*
 * test_metrics.c - segments as Prometheus text: names, labels, groups, and values that are exact.
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

Test(metrics, names_and_values_of_a_segment)
{
    begin();
    /* accel 3, steps, steps_total, total, ready, matrix 4, nothing; up, records, age. */
    cr_assert_eq(add_machine("a.b"), 12 + 3);
    expect("# HELP kymo_a_b_accel along \\\\ x, y\\nand z (m/s^2)\n"
           "# TYPE kymo_a_b_accel gauge\n"
           "kymo_a_b_accel{segment=\"a.b\",index=\"0\"} 1\n"
           "kymo_a_b_accel{segment=\"a.b\",index=\"1\"} 2.5\n"
           "kymo_a_b_accel{segment=\"a.b\",index=\"2\"} 0.1\n");
    expect("# HELP kymo_a_b_ready Field ready of segment a.b\n");
    expect("kymo_a_b_ready{segment=\"a.b\"} 1\n");
    expect("kymo_a_b_matrix{segment=\"a.b\",index=\"1.0\"} 3\n");
    expect("kymo_a_b_nothing{segment=\"a.b\"} NaN\n");
    cr_assert_eq(occurrences("label"), 0, "chars are no numbers");
    cr_assert_eq(occurrences("many"), 0, "long arrays are data");
}

Test(metrics, counters_alone_end_in_total)
{
    begin();
    add_machine("x");
    /* The counter would take the gauge's name with the suffix, so it goes without. */
    expect("# TYPE kymo_x_steps counter\nkymo_x_steps{segment=\"x\"} 18446744073709551615\n");
    expect("# TYPE kymo_x_steps_total_value gauge\n");
    expect("# TYPE kymo_x_total_value gauge\nkymo_x_total_value{segment=\"x\"} 7\n");
}

/* Adds a segment of one record of zeros. */
static void add_fields(const char *name, const struct kymo_field *fields, uint32_t count)
{
    const struct kymo_schema schema = {fields, count, 8 * count};
    const struct kymo_options options = {.clock = KYMO_USER, .schema = &schema};
    struct kymo_writer *writer = unit_writer(name, &options);
    struct kymo_reader *reader = unit_reader(name);
    static const unsigned char zeros[64];

    cr_assert_eq(kymo_ring_publish(writer, zeros, schema.size, 0, 0), 0);
    cr_assert_gt(kymo_metrics_add(metrics, reader), 0);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

/* A scraper that meets one sample twice refuses them all: whatever fields are called, they don't. */
Test(metrics, no_two_fields_share_a_name)
{
    static const struct kymo_field fields[] = {
        {.name = "a_total", .type = KYMO_U64, .count = 1},
        {.name = "a_total_value", .type = KYMO_U64, .offset = 8, .count = 1},
        {.name = "a_total_value_value", .type = KYMO_U64, .offset = 16, .count = 1},
        {.name = "total", .type = KYMO_U64, .offset = 24, .count = 1},
        {.name = "total_value", .type = KYMO_U64, .offset = 32, .count = 1},
    };

    begin();
    add_fields("x", fields, 5);
    expect("\nkymo_x_a_total_value{segment=\"x\"} 0\n");
    expect("\nkymo_x_a_total_value_value{segment=\"x\"} 0\n");
    expect("\nkymo_x_a_total_value_value_value{segment=\"x\"} 0\n");
    expect("\nkymo_x_total_value{segment=\"x\"} 0\n");
    expect("\nkymo_x_total_value_value{segment=\"x\"} 0\n");
    cr_assert_eq(occurrences("# TYPE kymo_x_"), 5);
}

/* Nor may anybody spoil everybody's metrics by what he calls his segment. */
Test(metrics, no_segment_takes_the_common_names)
{
    static const struct kymo_field up = {.name = "up", .type = KYMO_U64, .count = 1};
    static const struct kymo_field seconds = {.name = "seconds", .type = KYMO_U64, .count = 1};
    static const struct kymo_field total = {.name = "total",
                                            .type = KYMO_U64,
                                            .metric = KYMO_COUNTER,
                                            .count = 1};

    begin();
    add_machine("honest");
    add_fields("writer", &up, 1);
    add_fields("age", &seconds, 1);
    add_fields("records", &total, 1);
    cr_assert_eq(occurrences("# TYPE kymo_writer_up "), 1);
    cr_assert_eq(occurrences("# TYPE kymo_age_seconds "), 1);
    cr_assert_eq(occurrences("# TYPE kymo_records_total "), 1);
    expect("\nkymo_writer_up_value{segment=\"writer\"} 0\n");
    expect("\nkymo_age_seconds_value{segment=\"age\"} 0\n");
    expect("\nkymo_records_total_total{segment=\"records\"} 0\n");
}

Test(metrics, segments_of_one_name_share_a_group)
{
    begin();
    add_machine("a.b");
    add_machine("z");
    add_machine("a-b");
    expect("# TYPE kymo_a_b_total_value gauge\n"
           "kymo_a_b_total_value{segment=\"a.b\"} 7\n"
           "kymo_a_b_total_value{segment=\"a-b\"} 7\n#");
    cr_assert_eq(occurrences("# TYPE kymo_writer_up "), 1);
    expect("kymo_writer_up{segment=\"a.b\"} 1\nkymo_writer_up{segment=\"z\"} 1\n");
}

Test(metrics, a_segment_without_records_or_writer)
{
    struct kymo_writer *writer = machine_writer("quiet");
    struct kymo_reader *reader = unit_reader("quiet");

    begin();
    kymo_writer_close(writer);
    cr_assert_eq(kymo_metrics_add(metrics, reader), 2);
    cr_assert_str_eq(written(), "# HELP kymo_writer_up Whether the segment's writer lives.\n"
                                "# TYPE kymo_writer_up gauge\n"
                                "kymo_writer_up{segment=\"quiet\"} 0\n"
                                "# HELP kymo_records_total Records published so far.\n"
                                "# TYPE kymo_records_total counter\n"
                                "kymo_records_total{segment=\"quiet\"} 0\n");
    cr_assert_eq(kymo_segment_remove("quiet"), 0);
    cr_assert_eq(kymo_metrics_add(metrics, reader), -EIDRM);
    kymo_reader_close(reader);
}

Test(metrics, samples_of_the_callers_own)
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
