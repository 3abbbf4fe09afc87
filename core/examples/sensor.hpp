/*
 * sensor.hpp - what the C++ examples share: a record, its fields, its clock.
 */
#ifndef KYMO_EXAMPLE_SENSOR_HPP
#define KYMO_EXAMPLE_SENSOR_HPP

#include <kymo/kymo.hpp>

struct sample {
    double angle;
    float current[3];
    std::uint32_t number;
};

KYMO_SCHEMA_OF(sample, KYMO_FIELD(sample, angle, "rad", "of the joint"),
               KYMO_FIELD(sample, current, "A", "of the three phases"),
               KYMO_FIELD_COUNTER(sample, number, "", "samples so far"));

/* The key policy of this sensor's times (kymo::key). */
struct joint_time;

#endif
