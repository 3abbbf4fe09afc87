/*
 * image.h - frames: how their pixels are stored, and how many bytes they need.
 *
 *     #include <kymo/image.h>
 *
 *     #include <string.h>
 *
 *     int open_camera(struct kymo_writer **writer)
 *     {
 *         struct kymo_geometry geometry;
 *         struct kymo_options options;
 *         int error = kymo_image_fhd(KYMO_RGB8, &geometry);
 *
 *         memset(&options, 0, sizeof(options));
 *         options.geometry = &geometry;
 *         options.size = kymo_image_size(&geometry);
 *         options.depth = 8;
 *         return error ? error : kymo_writer_open(writer, "camera", &options);
 *     }
 *
 * An image segment is a ring whose payloads are frames of the geometry in its header. Store frames
 * in slots and in allocated buffers, never on the stack: a writer loans the next slot and fills it
 * in place, a reader views it there (ring.h) or keeps the newest in private memory (loader.h).
 *
 * Promises (A to K): kymo(7).
 */
#ifndef KYMO_IMAGE_H
#define KYMO_IMAGE_H

#include <kymo/segment.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How a pixel is stored. Rows run from top to bottom; channels are in the order of the name. */
enum kymo_pixel_format {
    KYMO_GRAY8 = 1,  /* one byte a pixel */
    KYMO_GRAY16 = 2, /* two bytes a pixel, in the machine's byte order */
    KYMO_RGB8 = 3,
    KYMO_BGR8 = 4,
    KYMO_RGBA8 = 5,
    KYMO_BGRA8 = 6,
    KYMO_YUYV = 7, /* Y0 U Y1 V for two pixels; the width is even */
    KYMO_NV12 = 8  /* a plane of Y, then one of interleaved U and V for 2 by 2 pixels; both even */
};

/* One of the planes of a frame. */
struct kymo_plane {
    uint32_t offset; /* bytes from the payload's first */
    uint32_t stride; /* bytes from one row to the next */
    uint32_t rows;
    uint32_t bytes; /* bytes of a row that carry pixels */
};

/*
 * The geometry of width by height pixels, stored also on failure. `stride`: bytes from one row to
 * the next; 0: packed rows. -EINVAL (kymo_image_diagnose): an unknown format, no pixels, an odd
 * side where the format has pairs, a stride shorter than a row, or a frame of more than 2^30 bytes.
 */
KYMO_EXPORT int kymo_image_geometry(enum kymo_pixel_format format, uint32_t width, uint32_t height,
                                    uint32_t stride, struct kymo_geometry *geometry);

/* 0 if frames may have that geometry, else -EINVAL, with the cause in *diagnostic; its text is ""
 * for 0. */
KYMO_EXPORT int kymo_image_diagnose(const struct kymo_geometry *geometry,
                                    struct kymo_diagnostic *diagnostic);

/* 1920 by 1080, and 3840 by 2160. -EINVAL: an unknown format. */
KYMO_EXPORT int kymo_image_fhd(enum kymo_pixel_format format, struct kymo_geometry *geometry);
KYMO_EXPORT int kymo_image_4k(enum kymo_pixel_format format, struct kymo_geometry *geometry);

/* Bytes of a payload: geometry->pixels_offset, then all planes; 0 if the geometry is invalid. */
KYMO_EXPORT uint32_t kymo_image_size(const struct kymo_geometry *geometry);

/* The number of planes, 1 or 2, or -EINVAL: an unknown format; and plane number `index`, stored into
 * *plane, or -EINVAL (kymo_image_diagnose): no such plane, or an invalid geometry. */
KYMO_EXPORT int kymo_image_planes(const struct kymo_geometry *geometry);
KYMO_EXPORT int kymo_image_plane(const struct kymo_geometry *geometry, int index,
                                 struct kymo_plane *plane);

/* The name of a format, "rgb8", "?" if unknown; and the format of a name, or -EINVAL. */
KYMO_EXPORT const char *kymo_format_text(enum kymo_pixel_format format);
KYMO_EXPORT int kymo_format_parse(const char *text, enum kymo_pixel_format *format);

#ifdef __cplusplus
}
#endif

#endif
