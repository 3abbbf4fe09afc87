/*
 * imu_writer.c - publishes a sensor's readings into a ring: two seconds of them, at 200 Hz.
 *
 * The readings are computed and their times are in the past, so that the example ends at once. A
 * driver publishes each reading when it arrives, with the time of its measurement.
 */
#include "example.h"
#include "imu.h"

#define COUNT 400

static struct imu_reading measure(int i)
{
    return (struct imu_reading){
        .accel = {0.0f, 0.1f * (float)i, 9.81f},
        .gyro = {0.0f, 0.0f, 0.001f * (float)i},
        .temperature = 20.0 + i / 100.0,
    };
}

int main(void)
{
    /* The newest 512 readings are kept: about two and a half seconds. */
    const struct kymo_options options = {.depth = 512, .existing = KYMO_REPLACE};
    const uint64_t end = kymo_clock_now(KYMO_MONOTONIC);
    struct imu_writer *writer;
    int error = imu_writer_open(&writer, "imu", &options);

    if (error)
        return example_fail("imu", error);
    for (int i = 0; i < COUNT && !error; i++) {
        const struct imu_reading reading = measure(i);

        error = imu_publish(writer, &reading, end - (uint64_t)(COUNT - 1 - i) * IMU_PERIOD, 0);
    }
    imu_writer_close(writer);
    return error ? example_fail("imu", error) : 0;
}
