/*
 * picture.h - the newest frame of an image segment as a PNG.
 */
#ifndef KYMOFS_PICTURE_H
#define KYMOFS_PICTURE_H

#include <kymo/kymo.h>

/* Pixels of a picture's longer side; of a larger frame every second, third, ... pixel is shown. */
#define PICTURE_SIDE 4096

/*
 * Appends a PNG of that frame. Gray and RGB stay what they are; YUV is taken as ITU-R BT.601 with
 * Y from 16 to 235, what cameras send. -EINVAL: the geometry does not hold. -ENODATA: `len`, bytes,
 * are no whole frame. -ENOMEM.
 */
int picture_encode(const struct kymo_geometry *geometry, const unsigned char *frame, size_t len,
                   struct kymo_text *png);

#endif
