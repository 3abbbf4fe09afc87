/*
 * picture.c - frames as PNG, encoded row by row: the memory needed beside the frame is one row.
 */
#include "picture.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>

/* Fast rather than small: the caller waits. */
#define COMPRESSION 1

/* Rows between two pauses. */
#define ROWS 4

struct picture {
    const struct kymo_geometry *geometry;
    const unsigned char *frame;
    struct kymo_plane planes[2];
    uint32_t width, height; /* of the picture */
    uint32_t step;          /* from one shown pixel of the frame to the next, in both directions */
    unsigned char *row;
    struct budget *budget;
    struct kymo_text *png;
    int *error; /* why the encoding ended early */
};

/* ---- rows ---- */

static unsigned char clamp(int value)
{
    return (unsigned char)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* ITU-R BT.601, in 256ths. */
static void put_yuv(unsigned char *out, int y, int u, int v)
{
    const int light = 298 * (y - 16) + 128;

    u -= 128;
    v -= 128;
    out[0] = clamp((light + 409 * v) / 256);
    out[1] = clamp((light - 100 * u - 208 * v) / 256);
    out[2] = clamp((light + 516 * u) / 256);
}

static const unsigned char *line_of(const struct picture *picture, int plane, uint32_t y)
{
    return picture->frame + picture->planes[plane].offset +
           (size_t)picture->planes[plane].stride * y;
}

static void row_yuyv(const struct picture *picture, uint32_t y)
{
    const unsigned char *line = line_of(picture, 0, y);

    for (uint32_t i = 0; i < picture->width; i++) {
        const uint32_t x = i * picture->step;
        const unsigned char *pair = line + (size_t)(x / 2) * 4;

        put_yuv(picture->row + (size_t)i * 3, pair[x % 2 * 2], pair[1], pair[3]);
    }
}

static void row_nv12(const struct picture *picture, uint32_t y)
{
    const unsigned char *light = line_of(picture, 0, y);
    const unsigned char *colour = line_of(picture, 1, y / 2);

    for (uint32_t i = 0; i < picture->width; i++) {
        const uint32_t x = i * picture->step;
        const unsigned char *pair = colour + (size_t)(x / 2) * 2;

        put_yuv(picture->row + (size_t)i * 3, light[x], pair[0], pair[1]);
    }
}

/* Pixels of `bytes` bytes, unchanged. */
static void row_plain(const struct picture *picture, uint32_t y, size_t bytes)
{
    const unsigned char *line = line_of(picture, 0, y);

    if (picture->step == 1) {
        memcpy(picture->row, line, picture->width * bytes);
        return;
    }
    for (uint32_t i = 0; i < picture->width; i++)
        memcpy(picture->row + i * bytes, line + (size_t)i * picture->step * bytes, bytes);
}

static void make_row(const struct picture *picture, uint32_t y)
{
    switch (picture->geometry->format) {
    case KYMO_YUYV:
        row_yuyv(picture, y);
        break;
    case KYMO_NV12:
        row_nv12(picture, y);
        break;
    case KYMO_GRAY8:
        row_plain(picture, y, 1);
        break;
    case KYMO_GRAY16:
        row_plain(picture, y, 2);
        break;
    case KYMO_RGBA8:
    case KYMO_BGRA8:
        row_plain(picture, y, 4);
        break;
    default:
        row_plain(picture, y, 3);
    }
}

/* ---- libpng ---- */

/* Ends the encoding by a jump to encode(). */
static void stop(const struct picture *picture, png_structp png, int error)
{
    *picture->error = error;
    png_error(png, "");
}

static void append_bytes(png_structp png, png_bytep bytes, size_t len)
{
    const struct picture *picture = png_get_io_ptr(png);
    struct kymo_text *text = picture->png;

    if (budget_grow(picture->budget, kymo_image_size(picture->geometry) + 2 * (text->len + len)))
        stop(picture, png, -ENOMEM);
    kymo_text_append(text, bytes, len);
    if (text->error)
        stop(picture, png, text->error);
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

/* Keeps libpng's messages off stderr: the errno is reported instead. */
static void fail(png_structp png, png_const_charp message)
{
    (void)message;
    longjmp(png_jmpbuf(png), 1);
}

static void ignore(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static int colour_of(uint32_t format)
{
    switch (format) {
    case KYMO_GRAY8:
    case KYMO_GRAY16:
        return PNG_COLOR_TYPE_GRAY;
    case KYMO_RGBA8:
    case KYMO_BGRA8:
        return PNG_COLOR_TYPE_RGB_ALPHA;
    default:
        return PNG_COLOR_TYPE_RGB;
    }
}

static void write_all(const struct picture *picture, png_structp png, png_infop info)
{
    const uint32_t format = picture->geometry->format;

    png_set_write_fn(png, (void *)(uintptr_t)picture, append_bytes, flush_nothing);
    png_set_IHDR(png, info, picture->width, picture->height, format == KYMO_GRAY16 ? 16 : 8,
                 colour_of(format), PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(png, COMPRESSION);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB);
    png_write_info(png, info);
    if (format == KYMO_GRAY16 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
        png_set_swap(png);
    if (format == KYMO_BGR8 || format == KYMO_BGRA8)
        png_set_bgr(png);
    for (uint32_t i = 0; i < picture->height; i++) {
        make_row(picture, i * picture->step);
        png_write_row(png, picture->row);
        if (i % ROWS == ROWS - 1 && budget_pause(picture->budget))
            stop(picture, png, -EINTR);
    }
    png_write_end(png, info);
}

/* No local variable changes between setjmp and the jump. */
static void encode(const struct picture *picture)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, fail, ignore);
    png_infop info = png ? png_create_info_struct(png) : NULL;

    if (info && setjmp(png_jmpbuf(png)) == 0) {
        write_all(picture, png, info);
        *picture->error = 0;
    }
    png_destroy_write_struct(&png, &info);
}

/* ---- a frame ---- */

/* Bounds the size of the picture, and with it the time to encode it. */
static void choose_step(struct picture *picture)
{
    const uint32_t width = picture->geometry->width;
    const uint32_t height = picture->geometry->height;
    const uint32_t side = width > height ? width : height;

    picture->step = (side - 1) / PICTURE_SIDE + 1;
    picture->width = (width - 1) / picture->step + 1;
    picture->height = (height - 1) / picture->step + 1;
}

int picture_encode(const struct kymo_geometry *geometry, const unsigned char *frame, size_t len,
                   struct budget *budget, struct kymo_text *png)
{
    const uint32_t size = kymo_image_size(geometry);
    int error = -ENOMEM;
    struct picture picture = {
        .geometry = geometry, .frame = frame, .budget = budget, .png = png, .error = &error};

    if (size == 0)
        return -EINVAL;
    if (len < size)
        return -ENODATA;
    for (int i = 0; i < kymo_image_planes(geometry); i++)
        kymo_image_plane(geometry, i, &picture.planes[i]);
    choose_step(&picture);
    picture.row = malloc((size_t)picture.width * 4);
    if (!picture.row)
        return -ENOMEM;
    encode(&picture);
    free(picture.row);
    return error;
}
