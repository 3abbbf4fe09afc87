/*
 * camera_writer.c - publishes frames that are written in place, in the slots of the ring: no copy.
 *
 * The frames' times are within the history of the IMU: run imu_writer first. Readers are
 * camera_viewer, in C, and cxx_viewer, in C++.
 */
#include "camera.h"
#include "example.h"
#include "imu.h"

#define FRAMES 4

/* A test image; each frame is brighter than the one before. */
static void expose(unsigned char *pixels, const struct kymo_geometry *geometry, int number)
{
    for (uint32_t y = 0; y < geometry->height; y++)
        memset(pixels + y * geometry->stride, 10 * number + (int)(y % 10), geometry->width);
}

static int publish_frame(struct kymo_writer *camera, const struct kymo_geometry *geometry,
                         int number, uint64_t time)
{
    void *pixels;
    /* The next slot, until commit. Readers continue to read the other slots. */
    int error = kymo_ring_loan(camera, &pixels);

    if (error)
        return error;
    expose(pixels, geometry, number);
    /* If the sensor had failed, kymo_ring_abort would release the slot unpublished. */
    return kymo_ring_commit(camera, kymo_image_size(geometry), time, (uint64_t)number);
}

static int publish_exposure(struct kymo_writer *writer, int number, uint64_t time)
{
    const struct exposure exposure = {0.004 * (number + 1), 6.0};

    return kymo_ring_publish(writer, &exposure, sizeof(exposure), time, (uint64_t)number);
}

static int publish_all(struct kymo_writer *camera, struct kymo_writer *exposure,
                       const struct kymo_geometry *geometry, uint64_t last)
{
    int error = 0;

    /* 30 frames a second, the last of them 101 ms before the IMU's newest reading. The exposure is
     * set a millisecond before its frame. */
    for (int i = 0; i < FRAMES && !error; i++) {
        const uint64_t time = last - (uint64_t)(FRAMES - 1 - i) * SECOND / 30;

        error = publish_exposure(exposure, i, time - MILLISECOND);
        if (!error)
            error = publish_frame(camera, geometry, i, time);
    }
    return error;
}

int main(void)
{
    struct kymo_geometry geometry;
    struct kymo_options frames = {.depth = 8, .geometry = &geometry, .alignment = 4096};
    const struct kymo_options exposures = {.depth = 16, .schema = &exposure_schema};
    struct kymo_writer *camera = NULL, *exposure = NULL;
    struct imu_reader *imu = NULL;
    struct imu_reading reading;
    struct kymo_record newest;
    int error = kymo_image_geometry(KYMO_GRAY8, CAMERA_WIDTH, CAMERA_HEIGHT, 0, &geometry);

    frames.size = kymo_image_size(&geometry);
    frames.existing = KYMO_REPLACE;
    if (!error)
        error = imu_reader_open(&imu, "imu");
    if (!error)
        error = imu_latest(imu, &reading, &newest);
    if (!error)
        error = kymo_writer_open(&exposure, "camera.exposure", &exposures);
    if (!error)
        error = kymo_writer_open(&camera, "camera", &frames);
    if (!error)
        error = publish_all(camera, exposure, &geometry, newest.time - 101 * MILLISECOND);
    kymo_writer_close(camera);
    kymo_writer_close(exposure);
    imu_reader_close(imu);
    return error ? example_fail("camera", error) : 0;
}
