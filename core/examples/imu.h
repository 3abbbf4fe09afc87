/*
 * imu.h - the inertial sensor of the examples: its record, its schema, its ring.
 */
#ifndef KYMO_EXAMPLE_IMU_H
#define KYMO_EXAMPLE_IMU_H

#include <kymo/kymo.h>

struct imu_reading {
    float accel[3];
    float gyro[3];
    double temperature;
};

static const struct kymo_field imu_fields[] = {
    KYMO_FIELD(struct imu_reading, accel, "m/s^2", "acceleration along x, y, z"),
    KYMO_FIELD(struct imu_reading, gyro, "rad/s", "rotation about x, y, z"),
    KYMO_FIELD(struct imu_reading, temperature, "degC", "of the chip"),
};
static const struct kymo_schema imu_schema = KYMO_SCHEMA(struct imu_reading, imu_fields);

/* Defines struct imu_writer, struct imu_reader, imu_publish, imu_latest, imu_closest and so on. They
 * accept only this record type, and compare it with the segment at open. */
KYMO_RING_TYPE_SCHEMA(imu, struct imu_reading, imu_schema);

/* The sensor's rate: 200 readings a second. */
#define IMU_PERIOD UINT64_C(5000000)

#endif
