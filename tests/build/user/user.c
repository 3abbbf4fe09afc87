/*
 * user.c - a first program: a struct, its schema, publish, read, query a time.
 */
#include <kymo/kymo.h>

#include <stdio.h>
#include <string.h>

struct reading {
    float accel[3];
    double temperature;
};

static const struct kymo_field fields[] = {
    KYMO_FIELD(struct reading, accel, "m/s^2", "acceleration along x, y, z"),
    KYMO_FIELD(struct reading, temperature, "degC", "of the chip"),
};
static const struct kymo_schema schema = KYMO_SCHEMA(struct reading, fields);

static int publish(struct kymo_writer *writer)
{
    int error = 0;

    for (uint64_t i = 0; i < 10 && !error; i++) {
        struct reading reading = {{1.0f, 2.0f, (float)i}, 20.0 + (double)i};

        error = kymo_ring_publish(writer, &reading, sizeof(reading), 100 * i, i);
    }
    return error;
}

static int check(const struct kymo_reader *reader)
{
    struct kymo_record record;
    struct reading reading;
    int error = kymo_ring_latest(reader, &reading, sizeof(reading), &record);

    if (error || record.pos != 9 || reading.temperature != 29.0)
        return 1;
    error = kymo_series_closest(reader, 420, 50, &reading, sizeof(reading), &record);
    if (error || record.time != 400 || reading.accel[2] != 4.0f)
        return 2;
    return kymo_schema_same(kymo_segment_schema(reader->segment), &schema) ? 0 : 3;
}

int main(int argc, char **argv)
{
    struct kymo_options options = {.clock = KYMO_USER, .schema = &schema};
    struct kymo_writer *writer;
    struct kymo_reader *reader;
    int error;

    if (argc != 2)
        return 2;
    if (strcmp(argv[1], "--version") == 0) {
        puts(kymo_version());
        return 0;
    }
    error = kymo_writer_open(&writer, argv[1], &options);
    if (error) {
        fprintf(stderr, "%s: %s\n", argv[1], kymo_error_text(error));
        return 1;
    }
    error = kymo_reader_open(&reader, argv[1]);
    if (!error)
        error = publish(writer);
    if (!error)
        error = check(reader);
    kymo_reader_close(reader);
    kymo_writer_remove(writer);
    return error ? 1 : 0;
}
