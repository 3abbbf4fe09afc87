/*
 * user.cpp - the same program in C++.
 */
#include <kymo/kymo.h>

#include <cstdio>

struct Reading {
    float accel[3];
    double temperature;
};

static const kymo_field fields[] = {
    KYMO_FIELD(Reading, accel, "m/s^2", "acceleration along x, y, z"),
    KYMO_FIELD(Reading, temperature, "degC", "of the chip"),
};
static const kymo_schema schema = KYMO_SCHEMA(Reading, fields);

static int publish(kymo_writer *writer)
{
    int error = 0;

    for (uint64_t i = 0; i < 10 && !error; i++) {
        Reading reading{{1.0f, 2.0f, static_cast<float>(i)}, 20.0 + static_cast<double>(i)};

        error = kymo_ring_publish(writer, &reading, sizeof(reading), 100 * i, i);
    }
    return error;
}

static int check(const kymo_reader *reader)
{
    kymo_record record;
    Reading reading;
    int error = kymo_ring_latest(reader, &reading, sizeof(reading), &record);

    if (error || record.pos != 9 || reading.temperature != 29.0)
        return 1;
    error = kymo_series_as_of(reader, 420, &reading, sizeof(reading), &record);
    if (error || record.time != 400 || reading.accel[2] != 4.0f)
        return 2;
    return kymo_schema_same(kymo_segment_schema(reader->segment), &schema) ? 0 : 3;
}

int main(int argc, char **argv)
{
    kymo_options options{};
    kymo_writer *writer = nullptr;
    kymo_reader *reader = nullptr;

    if (argc != 2)
        return 2;
    options.clock = KYMO_USER;
    options.schema = &schema;
    int error = kymo_writer_open(&writer, argv[1], &options);
    if (error) {
        std::fprintf(stderr, "%s: %s\n", argv[1], kymo_error_text(error));
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
