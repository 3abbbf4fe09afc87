/*
 * picture.h - a frame as a PNG image.
 */
#ifndef KYMOFS_PICTURE_H
#define KYMOFS_PICTURE_H

#include <kymo/kymo.h>

#include "base/budget.h"

/* Pixels of the longer side of a picture; of a larger frame only every second, third, ... pixel is
 * shown. */
#define PICTURE_SIDE 4096

/*
 * Appends the frame as PNG. Gray and RGB are kept; YUV is interpreted as ITU-R BT.601 with Y from 16 to
 * 235, as cameras send it. -EINVAL: invalid geometry. -ENODATA: the frame is shorter than the geometry
 * says. -ENOMEM, -EINTR.
 */
int picture_encode(const struct kymo_geometry *geometry, const unsigned char *frame, size_t len,
                   struct budget *budget, struct kymo_text *png);

#endif
