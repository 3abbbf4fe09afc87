/*
 * loader.hpp - the newest large record, kept in private memory (loader.h).
 *
 *     #include <kymo/loader.hpp>
 *
 *     inline std::size_t newest_length(const kymo::loader &loader)
 *     {
 *         const kymo::snapshot frame = loader.pin().value();
 *
 *         return frame.payload().size();
 *     }
 *
 * Promises (A to K): kymo(7).
 */
#include <kymo/impl/compiler.h>

#if !defined(KYMO_LOADER_HPP) && KYMO_IMPL_CXX17
#define KYMO_LOADER_HPP

#include <kymo/bytes.hpp>

namespace kymo
{

/* A record in private memory, which does not change during the life of the snapshot. */
class snapshot
{
  public:
    snapshot(snapshot &&other) noexcept
        : loader_(std::exchange(other.loader_, nullptr)), pinned_(other.pinned_)
    {
    }
    snapshot &operator=(snapshot &&other) noexcept
    {
        std::swap(loader_, other.loader_);
        std::swap(pinned_, other.pinned_);
        return *this;
    }
    ~snapshot()
    {
        unpin();
    }

    const kymo_record &record() const noexcept
    {
        return pinned_.record;
    }
    /* The number of this load, for the next pin_wait. */
    std::uint64_t load() const noexcept
    {
        return pinned_.load;
    }
    bytes payload() const noexcept
    {
        return {static_cast<const std::byte *>(pinned_.payload), pinned_.record.len};
    }
    /* The payload as a T; NULL if its length is not that of T. */
    template <typename T> const T *as() const noexcept
    {
        static_assert(alignof(typename detail::record_type<T>::type) <= KYMO_CACHE_LINE,
                      "kymo: a loader aligns to the cache line");
        return pinned_.record.len == sizeof(T) ? static_cast<const T *>(pinned_.payload) : nullptr;
    }
    /* Releases it before the destructor does. */
    void unpin() noexcept
    {
        if (kymo_loader *loader = std::exchange(loader_, nullptr))
            kymo_loader_unpin(loader, &pinned_);
    }

  private:
    friend class loader;
    template <typename> friend class result;
    snapshot() noexcept = default;

    kymo_loader *loader_ = nullptr;
    kymo_snapshot pinned_{};
};

/* Loads each newest record of a segment. */
class loader
{
  public:
    loader() noexcept = default;
    explicit loader(const std::string &name, std::uint32_t max_buffers = 0)
        : loader(open(name, max_buffers).value())
    {
    }
    static opened<loader> open(const std::string &name, std::uint32_t max_buffers = 0) noexcept
    {
        return {name, [&](loader &made, kymo_diagnostic *cause) {
                    kymo_loader *handle = nullptr;
                    const int error =
                        kymo_loader_open_diagnosed(&handle, name.c_str(), max_buffers, cause);

                    made.handle_.reset(handle);
                    return error;
                }};
    }

    explicit operator bool() const noexcept
    {
        return handle_ != nullptr;
    }
    kymo_loader *raw() const noexcept
    {
        return handle_.get();
    }
    void close() noexcept
    {
        handle_.reset();
    }
    /* The newest. */
    result<snapshot> pin() const noexcept
    {
        return {detail::filled{}, [&](snapshot &pinned) {
                    const int error = kymo_loader_pin(raw(), &pinned.pinned_);

                    pinned.loader_ = error ? nullptr : raw();
                    return error;
                }};
    }
    /* The newest once it is a later load than `seen`: load() of the last one; 0: any. */
    result<snapshot> pin_wait(std::uint64_t seen,
                              deadline until = deadline::forever()) const noexcept
    {
        return {detail::filled{}, [&](snapshot &pinned) {
                    const int error =
                        kymo_loader_pin_wait(raw(), seen, until.time(), &pinned.pinned_);

                    pinned.loader_ = error ? nullptr : raw();
                    return error;
                }};
    }
    /* At least as new as the newest that was published when the call began. */
    result<snapshot> pin_current(deadline until = deadline::forever()) const noexcept
    {
        return {detail::filled{}, [&](snapshot &pinned) {
                    const int error = kymo_loader_pin_current(raw(), until.time(), &pinned.pinned_);

                    pinned.loader_ = error ? nullptr : raw();
                    return error;
                }};
    }
    kymo_loader_stats stats() const noexcept
    {
        kymo_loader_stats stats = {};

        kymo_loader_get_stats(raw(), &stats);
        return stats;
    }

  private:
    std::unique_ptr<kymo_loader, detail::closer> handle_;
};

} // namespace kymo

#endif
