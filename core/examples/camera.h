/*
 * camera.h - the camera of the examples: gray frames, and the exposure of each.
 */
#ifndef KYMO_EXAMPLE_CAMERA_H
#define KYMO_EXAMPLE_CAMERA_H

#include <kymo/kymo.h>

#define CAMERA_WIDTH  640
#define CAMERA_HEIGHT 480

struct exposure {
    double seconds;
    double gain;
};

static const struct kymo_field exposure_fields[] = {
    KYMO_FIELD(struct exposure, seconds, "s", "shutter time"),
    KYMO_FIELD(struct exposure, gain, "dB", "of the sensor"),
};
static const struct kymo_schema exposure_schema = KYMO_SCHEMA(struct exposure, exposure_fields);

#endif
