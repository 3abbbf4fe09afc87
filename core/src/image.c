/*
 * image.c - the layout of a frame's pixels, from one table of formats.
 */
#include "internal.h"

#include <kymo/image.h>

/* In order of enum kymo_pixel_format, from 1. */
static const struct format {
    const char *name;
    uint32_t bytes;  /* of a pixel in the first plane */
    uint32_t pair_x; /* the width is a multiple of this */
    uint32_t pair_y; /* the same for the height */
    int planes;
} formats[] = {
    {"gray8", 1, 1, 1, 1}, {"gray16", 2, 1, 1, 1}, {"rgb8", 3, 1, 1, 1}, {"bgr8", 3, 1, 1, 1},
    {"rgba8", 4, 1, 1, 1}, {"bgra8", 4, 1, 1, 1},  {"yuyv", 2, 2, 1, 1}, {"nv12", 1, 2, 2, 2},
};

#define FORMATS (sizeof(formats) / sizeof(formats[0]))

static const struct format *find_format(uint32_t format)
{
    return format >= 1 && format <= FORMATS ? &formats[format - 1] : NULL;
}

/* Bytes of the pixels, or 0. */
static uint64_t pixels_size(const struct kymo_geometry *geometry)
{
    const struct format *format = find_format(geometry->format);
    uint64_t rows = geometry->height;

    if (!format || geometry->width == 0 || geometry->height == 0 ||
        geometry->width % format->pair_x || geometry->height % format->pair_y ||
        geometry->stride < (uint64_t)geometry->width * format->bytes)
        return 0;
    if (format->planes == 2)
        rows += geometry->height / 2;
    /* Compared with the limit by division: the product of large sides may overflow. */
    return rows <= KYMO_SIZE_LIMIT / geometry->stride ? rows * geometry->stride : 0;
}

int kymo_image_geometry(enum kymo_pixel_format format, uint32_t width, uint32_t height,
                        uint32_t stride, struct kymo_geometry *geometry)
{
    const struct format *found = find_format(format);
    uint64_t row = found ? (uint64_t)width * found->bytes : 0;

    if (!found || row > KYMO_SIZE_LIMIT)
        return -EINVAL;
    *geometry = (struct kymo_geometry){.width = width,
                                       .height = height,
                                       .stride = stride ? stride : (uint32_t)row,
                                       .format = format};
    return pixels_size(geometry) ? 0 : -EINVAL;
}

int kymo_image_fhd(enum kymo_pixel_format format, struct kymo_geometry *geometry)
{
    return kymo_image_geometry(format, 1920, 1080, 0, geometry);
}

int kymo_image_4k(enum kymo_pixel_format format, struct kymo_geometry *geometry)
{
    return kymo_image_geometry(format, 3840, 2160, 0, geometry);
}

/* Bytes of a payload, or 0. */
static uint64_t frame_size(const struct kymo_geometry *geometry)
{
    const uint64_t pixels = pixels_size(geometry);

    return pixels && geometry->pixels_offset <= KYMO_SIZE_LIMIT - pixels
               ? pixels + geometry->pixels_offset
               : 0;
}

uint32_t kymo_image_size(const struct kymo_geometry *geometry)
{
    return (uint32_t)frame_size(geometry);
}

int kymo_image_planes(const struct kymo_geometry *geometry)
{
    const struct format *format = find_format(geometry->format);

    return format ? format->planes : -EINVAL;
}

int kymo_image_plane(const struct kymo_geometry *geometry, int index, struct kymo_plane *plane)
{
    const struct format *format = find_format(geometry->format);

    if (frame_size(geometry) == 0 || index < 0 || index >= format->planes)
        return -EINVAL;
    *plane = (struct kymo_plane){.offset = geometry->pixels_offset +
                                           (index ? geometry->stride * geometry->height : 0),
                                 .stride = geometry->stride,
                                 .rows = index ? geometry->height / 2 : geometry->height,
                                 .bytes = geometry->width * format->bytes};
    return 0;
}

const char *kymo_format_text(enum kymo_pixel_format format)
{
    const struct format *found = find_format(format);

    return found ? found->name : "?";
}

int kymo_format_parse(const char *text, enum kymo_pixel_format *format)
{
    for (unsigned int i = 0; i < FORMATS; i++) {
        if (strcmp(text, formats[i].name) == 0) {
            *format = (enum kymo_pixel_format)(i + 1);
            return 0;
        }
    }
    return -EINVAL;
}
