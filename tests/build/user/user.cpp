/*
 * user.cpp - the same program in C++.
 */
#include <kymo/kymo.hpp>

#include <cstdio>

struct reading {
    float accel[3];
    double temperature;
};

KYMO_SCHEMA_OF(reading, KYMO_FIELD(reading, accel, "m/s^2", "acceleration along x, y, z"),
               KYMO_FIELD(reading, temperature, "degC", "of the chip"));

static void publish(kymo::writer<reading> &writer)
{
    for (std::uint64_t i = 0; i < 10; i++) {
        const reading next{{1, 2, static_cast<float>(i)}, 20.0 + static_cast<double>(i)};

        writer.publish(next, 100 * i, i).value();
    }
}

static bool check(const kymo::reader<reading> &reader)
{
    const auto latest = reader.latest();
    const auto earlier = reader.as_of(420);

    return latest.value().pos == 9 && latest->data.temperature == 29.0 &&
           earlier.value().time == 400 && earlier->data.accel[2] == 4.0f;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    try {
        kymo::owned<kymo::writer<reading>> writer(argv[1], kymo::options().clock(KYMO_USER));
        const kymo::reader<reading> reader(argv[1]);

        publish(writer);
        return check(reader) ? 0 : 1;
    } catch (const kymo::error &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
