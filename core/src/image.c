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

static int check_sides(const struct kymo_geometry *geometry, const struct format *format,
                       struct kymo_diagnostic *diagnostic)
{
    if (geometry->width == 0 || geometry->height == 0)
        return kymo_report(diagnostic, -EINVAL, "geometry: %u by %u pixels: each at least 1",
                           geometry->width, geometry->height);
    if (geometry->width % format->pair_x || geometry->height % format->pair_y)
        return kymo_report(diagnostic, -EINVAL, "geometry: %u by %u pixels: %s needs an even %s",
                           geometry->width, geometry->height, format->name,
                           format->pair_y > 1 ? "width and height" : "width");
    return 0;
}

/* The rows of all planes, each of `stride` bytes. */
static uint64_t count_rows(const struct kymo_geometry *geometry, const struct format *format)
{
    return geometry->height + (format->planes == 2 ? (uint64_t)geometry->height / 2 : 0);
}

static int check_bytes(const struct kymo_geometry *geometry, const struct format *format,
                       struct kymo_diagnostic *diagnostic)
{
    const uint64_t row = (uint64_t)geometry->width * format->bytes;
    const uint64_t rows = count_rows(geometry, format);

    if (geometry->stride < row)
        return kymo_report(diagnostic, -EINVAL,
                           "geometry: a stride of %u is less than the %llu bytes of a row",
                           geometry->stride, (unsigned long long)row);
    /* By division: the product of large numbers may overflow. */
    if (geometry->pixels_offset > KYMO_SIZE_LIMIT ||
        rows > (KYMO_SIZE_LIMIT - geometry->pixels_offset) / geometry->stride)
        return kymo_report(
            diagnostic, -EINVAL,
            "geometry: %llu rows of %u bytes at byte %u: a frame has at most %u bytes",
            (unsigned long long)rows, geometry->stride, geometry->pixels_offset, KYMO_SIZE_LIMIT);
    return 0;
}

static int check(const struct kymo_geometry *geometry, struct kymo_diagnostic *diagnostic)
{
    const struct format *format = find_format(geometry->format);
    int error;

    if (!format)
        return kymo_report(diagnostic, -EINVAL,
                           "geometry: format %u is not one of %s (1) to %s (%zu)", geometry->format,
                           formats[0].name, formats[FORMATS - 1].name, FORMATS);
    error = check_sides(geometry, format, diagnostic);
    return error ? error : check_bytes(geometry, format, diagnostic);
}

int kymo_image_diagnose(const struct kymo_geometry *geometry, struct kymo_diagnostic *diagnostic)
{
    kymo_report_begin(diagnostic);
    return check(geometry, diagnostic);
}

int kymo_image_geometry(enum kymo_pixel_format format, uint32_t width, uint32_t height,
                        uint32_t stride, struct kymo_geometry *geometry)
{
    const struct format *found = find_format(format);

    /* A packed row that exceeds the stride is cut, and then more than the stride. */
    *geometry = (struct kymo_geometry){.width = width,
                                       .height = height,
                                       .stride = stride || !found ? stride : width * found->bytes,
                                       .format = format};
    return check(geometry, NULL);
}

int kymo_image_fhd(enum kymo_pixel_format format, struct kymo_geometry *geometry)
{
    return kymo_image_geometry(format, 1920, 1080, 0, geometry);
}

int kymo_image_4k(enum kymo_pixel_format format, struct kymo_geometry *geometry)
{
    return kymo_image_geometry(format, 3840, 2160, 0, geometry);
}

uint32_t kymo_image_size(const struct kymo_geometry *geometry)
{
    if (check(geometry, NULL))
        return 0;
    return geometry->pixels_offset +
           (uint32_t)count_rows(geometry, find_format(geometry->format)) * geometry->stride;
}

int kymo_image_planes(const struct kymo_geometry *geometry)
{
    const struct format *format = find_format(geometry->format);

    return format ? format->planes : -EINVAL;
}

int kymo_image_plane(const struct kymo_geometry *geometry, int index, struct kymo_plane *plane)
{
    const struct format *format = find_format(geometry->format);

    if (check(geometry, NULL) || index < 0 || index >= format->planes)
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
