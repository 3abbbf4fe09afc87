/*
 * bytes.hpp - rings of bytes, of any length: read into a buffer, or in place.
 *
 *     #include <kymo/bytes.hpp>
 *
 *     inline std::size_t newest_length(const kymo::bytes_reader &reader)
 *     {
 *         return reader.view_latest()->payload().size();
 *     }
 *
 * Promises (A to K): kymo(7).
 */
#include <kymo/impl/compiler.h>

#if !defined(KYMO_BYTES_HPP) && KYMO_IMPL_CXX17
#define KYMO_BYTES_HPP

#include <kymo/ring.hpp>

#include <cstddef>

namespace kymo
{

/* A non-owning range of bytes: std::span for C++17. */
template <typename Byte> struct basic_span {
    Byte *data_ = nullptr;
    std::size_t size_ = 0;

    basic_span() noexcept = default;
    basic_span(Byte *data, std::size_t size) noexcept : data_(data), size_(size)
    {
    }
    /* The bytes of a contiguous container of plain elements. */
    template <typename Container, typename Element = std::remove_pointer_t<
                                      decltype(std::declval<Container &>().data())>>
    basic_span(Container &&container) noexcept
        : data_(reinterpret_cast<Byte *>(container.data())),
          size_(container.size() * sizeof(Element))
    {
        static_assert(std::is_trivially_copyable_v<Element>,
                      "kymo: only plain elements have bytes");
    }

    Byte *data() const noexcept
    {
        return data_;
    }
    std::size_t size() const noexcept
    {
        return size_;
    }
    bool empty() const noexcept
    {
        return size_ == 0;
    }
    Byte *begin() const noexcept
    {
        return data_;
    }
    Byte *end() const noexcept
    {
        return data_ + size_;
    }
    Byte &operator[](std::size_t i) const noexcept
    {
        assert(i < size_);
        return data_[i];
    }
    /* A part, limited to the end; empty if it begins beyond the end. */
    basic_span part(std::size_t from, std::size_t count) const noexcept
    {
        if (from > size_)
            return {};
        return {data_ + from, count < size_ - from ? count : size_ - from};
    }
};

using bytes = basic_span<const std::byte>;
using mutable_bytes = basic_span<std::byte>;

/* A loan of bytes: commit publishes the first `len` of them. */
class bytes_loan : public any_loan
{
  public:
    /* The slot's payload, to write to. */
    mutable_bytes room() const noexcept
    {
        return room_;
    }
    /* Publishes its first `len` bytes. The loan remains outstanding after an error. */
    KYMO_IMPL_HOT status commit(std::size_t len, std::uint64_t time, std::uint64_t tag = 0) noexcept
    {
        return publish(len, time, tag);
    }

  protected:
    friend class bytes_writer;
    template <typename> friend class result;
    bytes_loan() noexcept = default;

    int take_bytes(kymo_writer *writer) noexcept
    {
        const int error = take(writer);

        room_ = {static_cast<std::byte *>(payload_), error ? 0 : writer->ring.size};
        return error;
    }

    mutable_bytes room_;
};

/* Publishes records of bytes, at most as long as the slots. */
class bytes_writer : public any_writer
{
  public:
    bytes_writer() noexcept = default;
    bytes_writer(const std::string &name, const options &how)
        : bytes_writer(open(name, how).value())
    {
    }
    /* As kymo_writer_open; the options must have the size, or a schema. */
    static opened<bytes_writer> open(const std::string &name, const options &how) noexcept
    {
        return {name, [&](bytes_writer &made, kymo_diagnostic *cause) {
                    return made.open_raw(name, &how.raw(), cause);
                }};
    }
    static opened<bytes_writer> open_existing(const std::string &name) noexcept
    {
        return {name, [&](bytes_writer &made, kymo_diagnostic *cause) {
                    return made.open_raw(name, nullptr, cause);
                }};
    }
    KYMO_IMPL_HOT status publish(bytes data, std::uint64_t time, std::uint64_t tag = 0) noexcept
    {
        return failure{kymo_ring_publish(raw(), data.data(), data.size(), time, tag)};
    }
    KYMO_IMPL_HOT result<bytes_loan> loan() noexcept
    {
        return {detail::filled{}, [&](bytes_loan &lent) { return lent.take_bytes(raw()); }};
    }
};

class bytes_view : public any_view
{
  public:
    bytes payload() const noexcept
    {
        return {static_cast<const std::byte *>(view_.payload), view_.record.len};
    }

  private:
    friend class bytes_reader;
    template <typename> friend class result;
    bytes_view() noexcept = default;
};

/* Reads any segment as bytes. Copies go into the caller's buffer and return the record without the
 * payload; -EMSGSIZE if the buffer is too small. */
class bytes_reader : public any_reader
{
  public:
    bytes_reader() noexcept = default;
    explicit bytes_reader(const std::string &name) : bytes_reader(open(name).value())
    {
    }
    static opened<bytes_reader> open(const std::string &name) noexcept
    {
        return {name, [&](bytes_reader &made, kymo_diagnostic *cause) {
                    return made.open_raw(name, cause);
                }};
    }

    result<kymo_record> latest(mutable_bytes buffer) const noexcept
    {
        return back(0, buffer);
    }
    result<kymo_record> back(std::uint64_t behind, mutable_bytes buffer) const noexcept
    {
        return {detail::filled{}, [&](kymo_record &found) {
                    return kymo_ring_back(raw(), behind, buffer.data(), buffer.size(), &found);
                }};
    }
    result<kymo_record> at(std::uint64_t pos, mutable_bytes buffer) const noexcept
    {
        return {detail::filled{}, [&](kymo_record &found) {
                    return kymo_ring_at(raw(), pos, buffer.data(), buffer.size(), &found);
                }};
    }

    KYMO_IMPL_HOT result<bytes_view> view_latest() const noexcept
    {
        return view_back(0);
    }
    KYMO_IMPL_HOT result<bytes_view> view_back(std::uint64_t behind) const noexcept
    {
        return {detail::filled{}, [&](bytes_view &found) {
                    found.reader_ = raw();
                    return kymo_ring_view_back(raw(), behind, &found.view_);
                }};
    }
    KYMO_IMPL_HOT result<bytes_view> view_at(std::uint64_t pos) const noexcept
    {
        return {detail::filled{}, [&](bytes_view &found) {
                    found.reader_ = raw();
                    return kymo_ring_view(raw(), pos, &found.view_);
                }};
    }

    /* Positions of queries by time, for view_at and at. */
    result<std::uint64_t>
    find_closest(std::uint64_t time,
                 std::chrono::nanoseconds max_distance = any_distance) const noexcept
    {
        return {detail::filled{}, [&](std::uint64_t &pos) {
                    return kymo_series_find_closest(raw(), time, detail::ns(max_distance), &pos);
                }};
    }
    result<std::uint64_t> find_as_of(std::uint64_t time) const noexcept
    {
        return {detail::filled{},
                [&](std::uint64_t &pos) { return kymo_series_find_as_of(raw(), time, &pos); }};
    }
    result<std::uint64_t> find_tag(std::uint64_t tag) const noexcept
    {
        return {detail::filled{},
                [&](std::uint64_t &pos) { return kymo_series_find_tag(raw(), tag, &pos); }};
    }
    result<kymo_range> range(std::uint64_t from, std::uint64_t to) const noexcept
    {
        return {detail::filled{},
                [&](kymo_range &found) { return kymo_series_range(raw(), from, to, &found); }};
    }
};

} // namespace kymo

#endif
