/*
 * typed_imu.h - one ring type for the C and the C++ side of the test.
 */
#ifndef KYMO_TEST_TYPED_IMU_H
#define KYMO_TEST_TYPED_IMU_H

#include <kymo/kymo.h>

struct imu_reading {
    float accel[3];
    uint32_t count;
    double temperature;
};

static const struct kymo_field imu_fields[] = {
    KYMO_FIELD(struct imu_reading, accel, "m/s^2", "acceleration along x, y, z"),
    KYMO_FIELD_COUNTER(struct imu_reading, count, "", "readings so far"),
    KYMO_FIELD(struct imu_reading, temperature, "degC", "of the chip"),
};
static const struct kymo_schema imu_schema = KYMO_SCHEMA(struct imu_reading, imu_fields);

KYMO_RING_TYPE_SCHEMA(imu, struct imu_reading, imu_schema);

#ifdef __cplusplus
extern "C" {
#endif

/* In C++: reads the newest record of `name`, adds 1 to its temperature, publishes it to
 * `answer`. */
int typed_cxx_answer(const char *name, const char *answer);

#ifdef __cplusplus
}
#endif

#endif
