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

Test(metrics, print_names_and_values)
{
    begin();
    /* accel 3, steps, steps_total, total, ready, matrix 4, nothing; up, records, age. */
    cr_assert_eq(add_machine("a.c"), 12 + 3);
    expect("# HELP kymo_a_c_accel along \\\\ x, y\\nand z (m/s^2)\n"
           "# TYPE kymo_a_c_accel gauge\n"
           "kymo_a_c_accel{segment=\"a.c\",index=\"0\"} 1\n"
           "kymo_a_c_accel{segment=\"a.c\",index=\"1\"} 2.5\n"
           "kymo_a_c_accel{segment=\"a.c\",index=\"2\"} 0.1\n");
    expect("# HELP kymo_a_c_ready Field ready of segment a.c\n");
    expect("kymo_a_c_ready{segment=\"a.c\"} 1\n");
    expect("kymo_a_c_matrix{segment=\"a.c\",index=\"1.0\"} 3\n");
    expect("kymo_a_c_nothing{segment=\"a.c\"} NaN\n");
    cr_assert_eq(occurrences("label"), 0, "chars are no numbers");
    cr_assert_eq(occurrences("many"), 0, "long arrays are data");
}

Test(metrics, missing_fields_are_nan)
{
    struct kymo_writer *writer = machine_writer("short");
    struct kymo_reader *reader = unit_reader("short");

    begin();
    /* The record ends within the third element of accel. */
    cr_assert_eq(kymo_ring_publish(writer, &machine, 2 * sizeof(float) + 2,
                                   kymo_clock_now(KYMO_MONOTONIC), 0),
                 0);
    cr_assert_eq(kymo_metrics_add(metrics, reader), 12 + 3);
    expect("kymo_short_accel{segment=\"short\",index=\"1\"} 2.5\n"
           "kymo_short_accel{segment=\"short\",index=\"2\"} NaN\n");
    expect("kymo_short_ready{segment=\"short\"} NaN\n");
    expect("kymo_short_matrix{segment=\"short\",index=\"0.0\"} NaN\n");
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

Test(metrics, only_counters_end_in_total)
{
    begin();
    add_machine("x");
    expect("# TYPE kymo_x_steps_total counter\n"
           "kymo_x_steps_total{segment=\"x\"} 18446744073709551615\n");
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

/* A scraper rejects duplicate samples: no field names cause one. */
Test(metrics, reserved_suffixes_are_escaped)
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

/* Segment names cause no duplicate sample either. */
Test(metrics, segment_names_do_not_clash_with_common_metrics)
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
    expect("\nkymo_records_total_value_total{segment=\"records\"} 0\n");
}

/* names: pairs of an f64 field, "FIELD", or "+FIELD" for a counter, and its metric. */
static void expect_names(const char *segment, const char *const *names)
{
    struct kymo_field fields[16] = {0};
    struct kymo_schema schema = {.fields = fields};
    struct kymo_options options = {.schema = &schema, .existing = KYMO_REPLACE};
    struct kymo_writer *writer;
    struct kymo_reader *reader;
    double zeros[16] = {0};

    for (; names[2 * schema.count]; schema.count++) {
        const char *name = names[2 * schema.count];
        struct kymo_field *field = &fields[schema.count];

        field->metric = *name == '+' ? KYMO_COUNTER : KYMO_GAUGE;
        snprintf(field->name, sizeof(field->name), "%s", name + (*name == '+'));
        field->type = KYMO_F64;
        field->count = 1;
        field->offset = 8 * schema.count;
    }
    schema.size = 8 * schema.count;
    cr_assert_eq(kymo_writer_open(&writer, segment, &options), 0);
    cr_assert_eq(kymo_ring_publish(writer, zeros, schema.size, kymo_clock_now(KYMO_MONOTONIC), 0),
                 0);
    reader = unit_reader(segment);
    begin();
    cr_assert_eq(kymo_metrics_add(metrics, reader), (int)schema.count + 3);
    for (uint32_t i = 0; i < schema.count; i++) {
        char line[256];

        snprintf(line, sizeof(line), " %s\n%s{segment=\"%s\"} 0\n",
                 fields[i].metric == KYMO_COUNTER ? "counter" : "gauge", names[2 * i + 1], segment);
        expect(line);
    }
    kymo_metrics_close(metrics);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

Test(metrics, reserved_words_are_marked)
{
    expect_names("m", NAMES("m", "kymo_mvalue_mvalue", "x", "kymo_mvalue_x"));
    expect_names("a.ms-B", NAMES("rate_MS", "kymo_a_msvalue_Bvalue_rate_MSvalue"));
    expect_names("a", NAMES("_d", "kymo_a__dvalue", "gauge", "kymo_a_gaugevalue", "mm", "kymo_a_mm",
                            "kb_", "kymo_a_kbvalue_", "Histogram_x", "kymo_a_Histogramvalue_x"));
    expect_names("camX", NAMES("accelX", "kymo_cam_X_accel_X", "RPM", "kymo_cam_X_RPM", "axM",
                               "kymo_cam_X_ax_Mvalue"));
    expect_names("a", NAMES("n_count", "kymo_a_n_count_value", "sum", "kymo_a_sum_value",
                            "a_bucket", "kymo_a_a_bucket_value", "+hits_count",
                            "kymo_a_hits_count_total", "+sTotal", "kymo_a_svalue_Total_total"));
}

Test(metrics, field_names_are_unique)
{
    expect_names("a", NAMES("m", "kymo_a_mvalue_value", "mvalue", "kymo_a_mvalue"));
    expect_names("a", NAMES("aX", "kymo_a_a_X_value", "a_X", "kymo_a_a_X"));
    expect_names("a", NAMES("+n", "kymo_a_n_value_total", "+n_total", "kymo_a_n_total"));
    expect_names("a", NAMES("n_total", "kymo_a_n_total_value_value", "n_total_value",
                            "kymo_a_n_total_value", "total", "kymo_a_total_value"));
    expect_names("a", NAMES("aB_c", "kymo_a_a_Bvalue_c", "a_b_c", "kymo_a_a_bvalue_c", "a_B_c",
                            "kymo_a_a_Bvalue_c_value"));
    /* Also if the segment is named like a common suffix. */
    expect_names("writer", NAMES("up", "kymo_writer_up_value", "down", "kymo_writer_down"));
    expect_names("records",
                 NAMES("+total", "kymo_records_total_value_total", "n", "kymo_records_n"));
    expect_names("age", NAMES("seconds", "kymo_age_seconds_value"));
}

Test(metrics, thousand_clashing_names_are_unique)
{
    static struct kymo_field fields[KYMO_FIELD_LIMIT];
    const struct kymo_schema schema = {fields, KYMO_FIELD_LIMIT, KYMO_FIELD_LIMIT};
    const struct kymo_options options = {.schema = &schema};
    static unsigned char payload[KYMO_FIELD_LIMIT];
    struct kymo_writer *writer;
    struct kymo_reader *reader;

    for (uint32_t i = 0; i < KYMO_FIELD_LIMIT; i++) {
        /* accelX, accel_X, accelX1, accel_X1, ... */
        snprintf(fields[i].name, sizeof(fields[i].name), "accel%sX%u", i % 2 ? "_" : "", i / 2);
        fields[i].type = KYMO_U8;
        fields[i].count = 1;
        fields[i].offset = i;
        fields[i].metric = KYMO_GAUGE;
    }
    writer = unit_writer("all", &options);
    cr_assert_eq(kymo_ring_publish(writer, payload, sizeof(payload), kymo_clock_now(KYMO_MONOTONIC),
                                   0),
                 0);
    reader = unit_reader("all");
    begin();
    cr_assert_eq(kymo_metrics_add(metrics, reader), KYMO_FIELD_LIMIT + 3);
    cr_assert_eq(occurrences("# TYPE kymo_all_accel_X"), KYMO_FIELD_LIMIT);
    cr_assert_eq(occurrences("_value gauge"), KYMO_FIELD_LIMIT / 2);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

Test(metrics, segments_of_one_name_share_a_group)
{
    begin();
    add_machine("a.c");
    add_machine("z");
    add_machine("a-c");
    expect("# TYPE kymo_a_c_total_value gauge\n"
           "kymo_a_c_total_value{segment=\"a.c\"} 7\n"
           "kymo_a_c_total_value{segment=\"a-c\"} 7\n#");
    cr_assert_eq(occurrences("# TYPE kymo_writer_up "), 1);
    expect("kymo_writer_up{segment=\"a.c\"} 1\nkymo_writer_up{segment=\"z\"} 1\n");
}

Test(metrics, print_segment_without_records_or_writer)
{
    struct kymo_writer *writer = machine_writer("quiet");
    struct kymo_reader *reader = unit_reader("quiet");

    begin();
    kymo_writer_close(writer);
    cr_assert_eq(kymo_metrics_add(metrics, reader), 2);
    cr_assert_str_eq(written(), "# HELP kymo_writer_up Whether the segment's writer is alive.\n"
                                "# TYPE kymo_writer_up gauge\n"
                                "kymo_writer_up{segment=\"quiet\"} 0\n"
                                "# HELP kymo_records_total Records published so far.\n"
                                "# TYPE kymo_records_total counter\n"
                                "kymo_records_total{segment=\"quiet\"} 0\n");
    cr_assert_eq(kymo_segment_remove("quiet"), 0);
    cr_assert_eq(kymo_metrics_add(metrics, reader), -EIDRM);
    kymo_reader_close(reader);
}

Test(metrics, print_samples_of_the_caller)
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
