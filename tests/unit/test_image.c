/*
 * test_image.c - frames: each format, its planes and its limits compared with figures calculated by
 * hand, and a frame of each format through a ring.
 */
#include "unit.h"

#include <kymo/image.h>

/* The properties of a format: bytes of a pixel, sides in pairs, planes. */
static const struct format {
    enum kymo_pixel_format format;
    const char *name;
    uint32_t bytes;
    int pair_x;
    int pair_y;
    int planes;
    uint32_t fhd; /* bytes of a frame of 1920 by 1080 */
    uint32_t uhd; /* and of 3840 by 2160 */
} formats[] = {
    {KYMO_GRAY8, "gray8", 1, 0, 0, 1, 2073600, 8294400},
    {KYMO_GRAY16, "gray16", 2, 0, 0, 1, 4147200, 16588800},
    {KYMO_RGB8, "rgb8", 3, 0, 0, 1, 6220800, 24883200},
    {KYMO_BGR8, "bgr8", 3, 0, 0, 1, 6220800, 24883200},
    {KYMO_RGBA8, "rgba8", 4, 0, 0, 1, 8294400, 33177600},
    {KYMO_BGRA8, "bgra8", 4, 0, 0, 1, 8294400, 33177600},
    {KYMO_YUYV, "yuyv", 2, 1, 0, 1, 4147200, 16588800},
    {KYMO_NV12, "nv12", 1, 1, 1, 2, 3110400, 12441600},
};

#define FORMATS (sizeof(formats) / sizeof(formats[0]))

static int make(enum kymo_pixel_format format, uint32_t width, uint32_t height, uint32_t stride)
{
    struct kymo_geometry geometry;
    int error = kymo_image_geometry(format, width, height, stride, &geometry);

    if (!error)
        cr_assert_gt(kymo_image_size(&geometry), 0U);
    return error;
}

Test(image, has_the_common_sizes)
{
    struct kymo_geometry geometry;

    for (size_t i = 0; i < FORMATS; i++) {
        cr_assert_eq(kymo_image_fhd(formats[i].format, &geometry), 0);
        cr_assert_eq(geometry.width, 1920U);
        cr_assert_eq(geometry.height, 1080U);
        cr_assert_eq(geometry.stride, 1920 * formats[i].bytes);
        cr_assert_eq(geometry.format, (uint32_t)formats[i].format);
        cr_assert_eq(kymo_image_size(&geometry), formats[i].fhd, "%s", formats[i].name);
        cr_assert_eq(kymo_image_4k(formats[i].format, &geometry), 0);
        cr_assert_eq(geometry.width, 3840U);
        cr_assert_eq(geometry.height, 2160U);
        cr_assert_eq(kymo_image_size(&geometry), formats[i].uhd, "%s", formats[i].name);
    }
    cr_assert_eq(kymo_image_fhd((enum kymo_pixel_format)0, &geometry), -EINVAL);
    cr_assert_eq(kymo_image_4k((enum kymo_pixel_format)9, &geometry), -EINVAL);
}

/* Planes follow each other within the frame, with rows of the required length. */
Test(image, lays_out_planes)
{
    struct kymo_geometry geometry;
    struct kymo_plane plane;

    for (size_t i = 0; i < FORMATS; i++) {
        const uint32_t row = 6 * formats[i].bytes;

        cr_assert_eq(kymo_image_geometry(formats[i].format, 6, 4, row + 10, &geometry), 0);
        cr_assert_eq(kymo_image_planes(&geometry), formats[i].planes);
        cr_assert_eq(kymo_image_plane(&geometry, 0, &plane), 0);
        cr_assert_eq(plane.offset, 0U);
        cr_assert_eq(plane.stride, row + 10);
        cr_assert_eq(plane.rows, 4U);
        cr_assert_eq(plane.bytes, row);
        cr_assert_eq(kymo_image_plane(&geometry, -1, &plane), -EINVAL);
        cr_assert_eq(kymo_image_plane(&geometry, formats[i].planes, &plane), -EINVAL);
        if (formats[i].planes == 1) {
            cr_assert_eq(kymo_image_size(&geometry), 4 * (row + 10));
            continue;
        }
        cr_assert_eq(kymo_image_plane(&geometry, 1, &plane), 0);
        cr_assert_eq(plane.offset, 4 * (row + 10));
        cr_assert_eq(plane.stride, row + 10);
        cr_assert_eq(plane.rows, 2U);
        cr_assert_eq(plane.bytes, row);
        cr_assert_eq(kymo_image_size(&geometry), 6 * (row + 10));
    }
}

Test(image, refuses_invalid_geometry)
{
    for (size_t i = 0; i < FORMATS; i++) {
        const enum kymo_pixel_format format = formats[i].format;
        const uint32_t row = 6 * formats[i].bytes;

        cr_assert_eq(make(format, 6, 4, row), 0);
        cr_assert_eq(make(format, 6, 4, row - 1), -EINVAL);
        cr_assert_eq(make(format, 0, 4, 0), -EINVAL);
        cr_assert_eq(make(format, 6, 0, 0), -EINVAL);
        cr_assert_eq(make(format, 5, 4, 0), formats[i].pair_x ? -EINVAL : 0, "%s", formats[i].name);
        cr_assert_eq(make(format, 6, 3, 0), formats[i].pair_y ? -EINVAL : 0, "%s", formats[i].name);
    }
    cr_assert_eq(make((enum kymo_pixel_format)0, 6, 4, 0), -EINVAL);
    cr_assert_eq(make((enum kymo_pixel_format)9, 6, 4, 0), -EINVAL);
}

/* 2^30 bytes are allowed, one row more is not, and no product overflows. */
Test(image, is_limited_to_the_largest_payload)
{
    const uint32_t limit = KYMO_SIZE_LIMIT;

    for (size_t i = 0; i < FORMATS; i++) {
        const enum kymo_pixel_format format = formats[i].format;
        const uint32_t stride = 1U << 16;
        const uint32_t rows = formats[i].planes == 2 ? limit / stride / 3 * 2 : limit / stride;

        cr_assert_eq(make(format, 16, rows, stride), 0, "%s", formats[i].name);
        cr_assert_eq(make(format, 16, rows + 2, stride), -EINVAL, "%s", formats[i].name);
        cr_assert_eq(make(format, UINT32_MAX - 1, UINT32_MAX - 1, 0), -EINVAL);
        cr_assert_eq(make(format, UINT32_MAX - 1, 2, 0), -EINVAL);
        cr_assert_eq(make(format, 2, UINT32_MAX - 1, 0), -EINVAL);
        cr_assert_eq(make(format, 2, UINT32_MAX - 1, UINT32_MAX), -EINVAL);
    }
}

/* Two planes have half as many rows again: these are 2^64 bytes and a few. */
Test(image, detects_overflow_of_64_bits)
{
    struct kymo_geometry geometry = {.width = 2,
                                     .height = UINT32_C(4294934524),
                                     .stride = UINT32_C(2863333379),
                                     .format = KYMO_NV12};
    const uint64_t rows = (uint64_t)geometry.height + geometry.height / 2;
    struct kymo_plane plane;

    cr_assert_lt(geometry.stride * rows, (uint64_t)KYMO_SIZE_LIMIT);
    cr_assert_eq(kymo_image_size(&geometry), 0U);
    cr_assert_eq(kymo_image_plane(&geometry, 1, &plane), -EINVAL);
    cr_assert_eq(make(KYMO_NV12, 2, geometry.height, geometry.stride), -EINVAL);
}

Test(image, has_no_size_for_invalid_geometry)
{
    struct kymo_geometry geometry = {.width = 6, .height = 4, .stride = 18, .format = KYMO_RGB8};
    struct kymo_plane plane;

    cr_assert_eq(kymo_image_size(&geometry), 72U);
    geometry.stride = 17;
    cr_assert_eq(kymo_image_size(&geometry), 0U);
    cr_assert_eq(kymo_image_plane(&geometry, 0, &plane), -EINVAL);
    geometry = (struct kymo_geometry){0};
    cr_assert_eq(kymo_image_size(&geometry), 0U);
    cr_assert_eq(kymo_image_planes(&geometry), -EINVAL);
    cr_assert_eq(kymo_image_plane(&geometry, 0, &plane), -EINVAL);
}

Test(image, planes_begin_behind_a_user_header)
{
    struct kymo_geometry geometry = {
        .width = 4, .height = 2, .stride = 4, .format = KYMO_NV12, .pixels_offset = 100};
    struct kymo_plane plane;

    cr_assert_eq(kymo_image_size(&geometry), 112U);
    cr_assert_eq(kymo_image_plane(&geometry, 0, &plane), 0);
    cr_assert_eq(plane.offset, 100U);
    cr_assert_eq(kymo_image_plane(&geometry, 1, &plane), 0);
    cr_assert_eq(plane.offset, 108U);
    geometry.pixels_offset = KYMO_SIZE_LIMIT;
    cr_assert_eq(kymo_image_size(&geometry), 0U);
    geometry.pixels_offset = UINT32_MAX;
    cr_assert_eq(kymo_image_size(&geometry), 0U);
}

Test(image, names_formats)
{
    enum kymo_pixel_format format;

    for (size_t i = 0; i < FORMATS; i++) {
        cr_assert_str_eq(kymo_format_text(formats[i].format), formats[i].name);
        cr_assert_eq(kymo_format_parse(formats[i].name, &format), 0);
        cr_assert_eq(format, formats[i].format);
    }
    cr_assert_str_eq(kymo_format_text((enum kymo_pixel_format)0), "?");
    cr_assert_str_eq(kymo_format_text((enum kymo_pixel_format)9), "?");
    cr_assert_str_eq(kymo_format_text((enum kymo_pixel_format) - 1), "?");
    cr_assert_eq(kymo_format_parse("", &format), -EINVAL);
    cr_assert_eq(kymo_format_parse("?", &format), -EINVAL);
    cr_assert_eq(kymo_format_parse("RGB8", &format), -EINVAL);
    cr_assert_eq(kymo_format_parse("rgb88", &format), -EINVAL);
}

/* ---- frames in rings ---- */

static unsigned char pixel(uint64_t pos, uint32_t plane, uint32_t row, uint32_t byte)
{
    return (unsigned char)(pos * 7 + plane * 5 + row * 3 + byte);
}

static void draw(const struct kymo_geometry *geometry, unsigned char *frame, uint64_t pos)
{
    for (int i = 0; i < kymo_image_planes(geometry); i++) {
        struct kymo_plane plane;

        cr_assert_eq(kymo_image_plane(geometry, i, &plane), 0);
        for (uint32_t row = 0; row < plane.rows; row++)
            for (uint32_t byte = 0; byte < plane.bytes; byte++)
                frame[plane.offset + row * plane.stride + byte] =
                    pixel(pos, (uint32_t)i, row, byte);
    }
}

static void expect_drawn(const struct kymo_geometry *geometry, const unsigned char *frame,
                         uint64_t pos)
{
    for (int i = 0; i < kymo_image_planes(geometry); i++) {
        struct kymo_plane plane;
        unsigned int wrong = 0;

        cr_assert_eq(kymo_image_plane(geometry, i, &plane), 0);
        for (uint32_t row = 0; row < plane.rows; row++)
            for (uint32_t byte = 0; byte < plane.bytes; byte++)
                wrong += frame[plane.offset + row * plane.stride + byte] !=
                         pixel(pos, (uint32_t)i, row, byte);
        cr_assert_eq(wrong, 0U);
    }
}

/* The example of image.h: written and read in place. */
static void pass_frames(const struct format *format)
{
    struct kymo_geometry geometry;
    struct kymo_options options = {.geometry = &geometry,
                                   .depth = 4,
                                   .alignment = 4096,
                                   .clock = KYMO_USER};
    struct kymo_writer *writer;
    struct kymo_reader *reader;
    struct kymo_view view;
    struct kymo_info info;
    void *frame;

    cr_assert_eq(kymo_image_geometry(format->format, 320, 240, 0, &geometry), 0);
    options.size = kymo_image_size(&geometry);
    writer = unit_writer(format->name, &options);
    reader = unit_reader(format->name);
    for (uint64_t pos = 0; pos < 6; pos++) {
        cr_assert_eq(kymo_ring_loan(writer, &frame), 0);
        cr_assert_eq((uintptr_t)frame % 4096, 0U);
        draw(&geometry, frame, pos);
        cr_assert_eq(kymo_ring_commit(writer, options.size, pos, 0), 0);
        cr_assert_eq(kymo_ring_view_latest(reader, &view), 0);
        cr_assert_eq(view.record.len, options.size);
        expect_drawn(&geometry, view.payload, pos);
        cr_assert_eq(kymo_ring_validate(reader, &view), 0);
    }
    info = unit_info(reader->segment);
    cr_assert_arr_eq(&info.geometry, &geometry, sizeof(geometry));
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

Test(image, writes_and_reads_frames_in_place)
{
    for (size_t i = 0; i < FORMATS; i++)
        pass_frames(&formats[i]);
}

/* The geometry belongs to the layout: another one is another generation. */
Test(image, starts_new_generation_for_another_geometry)
{
    struct kymo_geometry geometry;
    struct kymo_options options = {.geometry = &geometry, .clock = KYMO_USER, .size = 100};
    struct kymo_writer *writer;

    cr_assert_eq(kymo_image_geometry(KYMO_GRAY8, 10, 10, 0, &geometry), 0);
    kymo_writer_close(unit_writer("together", &options));
    cr_assert_eq(kymo_image_geometry(KYMO_GRAY8, 5, 10, 10, &geometry), 0);
    options.existing = KYMO_OPEN_EXISTING;
    cr_assert_eq(kymo_writer_open(&writer, "together", &options), -EEXIST);
    cr_assert_eq(kymo_segment_remove("together"), 0);
}
