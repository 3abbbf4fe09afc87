/*
 * image.hpp - rings of frames (image.h), written and read in place.
 *
 *     #include <kymo/image.hpp>
 *
 *     inline void publish_black(kymo::frame_writer &camera)
 *     {
 *         kymo::frame_loan loan = camera.loan().value();
 *
 *         for (std::byte &byte : loan.frame().pixels)
 *             byte = std::byte{0};
 *         loan.commit(kymo::now()).value();
 *     }
 *
 * Promises (A to K): kymo(7).
 */
#include <kymo/impl/compiler.h>

#if !defined(KYMO_IMAGE_HPP) && KYMO_IMPL_CXX17
#define KYMO_IMAGE_HPP

#include <kymo/bytes.hpp>
#include <kymo/image.h>

namespace kymo
{

/* The pixels of one image and their geometry. */
template <typename Byte> struct basic_frame {
    kymo_geometry geometry{};
    basic_span<Byte> pixels;

    int planes() const noexcept
    {
        return kymo_image_planes(&geometry);
    }
    /* The bytes of a plane's row that carry pixels; empty if there is no such row. */
    basic_span<Byte> row(std::uint32_t y, int plane = 0) const noexcept
    {
        kymo_plane found;

        if (kymo_image_plane(&geometry, plane, &found) || y >= found.rows)
            return {};
        return pixels.part(found.offset + std::size_t{y} * found.stride, found.bytes);
    }
};

using frame = basic_frame<const std::byte>;
using mutable_frame = basic_frame<std::byte>;

/* The geometry of an image: -EINVAL as kymo_image_geometry. */
inline result<kymo_geometry> geometry(kymo_pixel_format format, std::uint32_t width,
                                      std::uint32_t height, std::uint32_t stride = 0) noexcept
{
    return {detail::filled{}, [&](kymo_geometry &made) {
                return kymo_image_geometry(format, width, height, stride, &made);
            }};
}

/* A loan of one frame. */
class frame_loan : public any_loan
{
  public:
    /* The pixels, to write to. */
    const mutable_frame &frame() const noexcept
    {
        return frame_;
    }
    /* Publishes it. The loan remains outstanding after an error. */
    KYMO_IMPL_HOT status commit(std::uint64_t time, std::uint64_t tag = 0) noexcept
    {
        return publish(frame_.pixels.size(), time, tag);
    }

  private:
    friend class frame_writer;
    template <typename> friend class result;
    frame_loan() noexcept = default;

    mutable_frame frame_;
};

/* Publishes frames of one geometry. */
class frame_writer : public any_writer
{
  public:
    frame_writer() noexcept = default;
    frame_writer(const std::string &name, const kymo_geometry &geometry, const options &how = {})
        : frame_writer(open(name, geometry, how).value())
    {
    }
    /* Payloads are page-aligned unless the options have another alignment. */
    static opened<frame_writer> open(const std::string &name, const kymo_geometry &geometry,
                                     options how = {}) noexcept
    {
        how.raw().geometry = &geometry;
        how.raw().size = kymo_image_size(&geometry);
        if (!how.raw().alignment)
            how.alignment(4096);
        return {name, [&](frame_writer &made, kymo_diagnostic *cause) {
                    const int error = kymo_image_diagnose(&geometry, cause);

                    made.geometry_ = geometry;
                    made.size_ = how.raw().size;
                    return error ? error : made.open_raw(name, &how.raw(), cause);
                }};
    }
    KYMO_IMPL_HOT result<frame_loan> loan() noexcept
    {
        return {detail::filled{}, [&](frame_loan &lent) {
                    const int error = lent.take(raw());

                    lent.frame_ = {geometry_, {static_cast<std::byte *>(lent.payload_), size_}};
                    return error;
                }};
    }
    const kymo_geometry &geometry() const noexcept
    {
        return geometry_;
    }

  private:
    kymo_geometry geometry_{};
    std::size_t size_ = 0;
};

/* Reads images in place. -EPROTONOSUPPORT: a valid segment, but not of images. */
class frame_reader : public bytes_reader
{
  public:
    frame_reader() noexcept = default;
    explicit frame_reader(const std::string &name) : frame_reader(open(name).value())
    {
    }
    static opened<frame_reader> open(const std::string &name) noexcept
    {
        return {name, [&](frame_reader &made, kymo_diagnostic *cause) {
                    return made.open_frames(name, cause);
                }};
    }
    /* The pixels of a payload: of a view, a snapshot, or a copy. */
    frame frame_of(bytes payload) const noexcept
    {
        return {geometry_, payload};
    }
    const kymo_geometry &geometry() const noexcept
    {
        return geometry_;
    }

  private:
    int open_frames(const std::string &name, kymo_diagnostic *cause) noexcept
    {
        int error = open_raw(name, cause);
        kymo_info info;

        if (!error)
            error = kymo_segment_info(raw()->segment, &info);
        if (!error && kymo_image_diagnose(&info.geometry, cause))
            error = -EPROTONOSUPPORT;
        if (error)
            handle_.reset();
        else
            geometry_ = info.geometry;
        return error;
    }

    kymo_geometry geometry_{};
};

} // namespace kymo

#endif
