/*
 * camera_viewer.c - reads the newest frame, in place and pinned, and the records of the other sensors
 * at the instant at which it was taken.
 */
#include "camera.h"
#include "example.h"
#include "imu.h"

static double brightness(const unsigned char *pixels, uint32_t len)
{
    double sum = 0;

    for (uint32_t i = 0; i < len; i++)
        sum += pixels[i];
    return sum / len;
}

/* Reads the frame in its slot. The camera may overwrite the slot concurrently; the result is valid only
 * if kymo_ring_validate returns 0 afterwards. */
static int read_in_place(const struct kymo_reader *camera)
{
    struct kymo_view view;
    double mean;
    int error = kymo_ring_view_latest(camera, &view);

    if (error)
        return error;
    mean = brightness(view.payload, view.record.len);
    error = kymo_ring_validate(camera, &view);
    if (!error)
        printf("frame %llu in place: brightness %.1f\n", (unsigned long long)view.record.tag, mean);
    return error;
}

/* For work that takes longer than the ring keeps a frame: the loader's thread copies the newest frame to
 * private memory; the copy does not change while it is pinned. */
static int read_pinned(struct kymo_loader *loader, uint64_t *taken)
{
    struct kymo_snapshot frame;
    int error = kymo_loader_pin_wait(loader, 0, kymo_clock_now(KYMO_MONOTONIC) + SECOND, &frame);

    if (error)
        return error;
    *taken = frame.record.time;
    printf("frame %llu pinned: brightness %.1f\n", (unsigned long long)frame.record.tag,
           brightness(frame.payload, frame.record.len));
    kymo_loader_unpin(loader, &frame);
    return 0;
}

/* Several sensors at one instant: the IMU interpolated, the exposure as of then. */
static int align(const struct kymo_reader *imu, const struct kymo_reader *exposures, uint64_t time)
{
    struct imu_reading before, after;
    struct exposure exposure;
    struct kymo_alignment rows[] = {
        {.reader = imu,
         .mode = KYMO_ALIGN_BRACKET,
         .max_distance = 20 * MILLISECOND,
         .buffer = &before,
         .after = &after,
         .size = sizeof(before)},
        {.reader = exposures,
         .mode = KYMO_ALIGN_AS_OF,
         .max_distance = KYMO_ANY_DISTANCE,
         .buffer = &exposure,
         .size = sizeof(exposure)},
    };
    int answered = kymo_series_align(rows, 2, time);

    if (answered < 0)
        return answered;
    /* Each row has its own error. */
    if (!rows[0].error)
        printf("imu: pos %llu and %llu, alpha %.1f\n", (unsigned long long)rows[0].record.pos,
               (unsigned long long)rows[0].later.pos, rows[0].alpha);
    if (!rows[1].error)
        printf("exposure: %.3f s, set %.1f ms before\n", exposure.seconds,
               (double)rows[1].distance / 1e6);
    return answered == 2 ? 0 : -ENODATA;
}

int main(void)
{
    struct kymo_reader *camera = NULL, *exposures = NULL;
    struct kymo_loader *loader = NULL;
    struct imu_reader *imu = NULL;
    uint64_t taken = 0;
    int error = kymo_reader_open(&camera, "camera");

    if (!error)
        error = kymo_reader_open(&exposures, "camera.exposure");
    if (!error)
        error = imu_reader_open(&imu, "imu");
    if (!error)
        error = kymo_loader_open(&loader, "camera", 0);
    if (!error)
        error = read_in_place(camera);
    if (!error)
        error = read_pinned(loader, &taken);
    if (!error)
        error = align(&imu->untyped, exposures, taken);
    kymo_loader_close(loader);
    imu_reader_close(imu);
    kymo_reader_close(exposures);
    kymo_reader_close(camera);
    return error ? example_fail("camera", error) : 0;
}
