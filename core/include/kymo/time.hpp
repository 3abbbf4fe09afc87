/*
 * time.hpp - times and deadlines, from and to std::chrono.
 *
 *     #include <kymo/time.hpp>
 *
 *     inline kymo::deadline in_100_ms()
 *     {
 *         return std::chrono::milliseconds(100);
 *     }
 *
 * Promises (A to K): kymo(7).
 */
#include <kymo/impl/compiler.h>

#if !defined(KYMO_TIME_HPP) && KYMO_IMPL_CXX17
#define KYMO_TIME_HPP

#include <kymo/series.h>

#include <chrono>
#include <cstdint>

namespace kymo
{

/* The time now on that clock, ns; as kymo_clock_now. */
inline std::uint64_t now(kymo_clock clock = KYMO_MONOTONIC) noexcept
{
    return kymo_clock_now(clock);
}

/* Times of the C++ clocks: steady_clock is KYMO_MONOTONIC, system_clock is KYMO_REALTIME. Times
 * before the clock's 0 are 0. */
template <typename Duration>
std::uint64_t time_of(std::chrono::time_point<std::chrono::steady_clock, Duration> point) noexcept
{
    const auto since =
        std::chrono::duration_cast<std::chrono::nanoseconds>(point.time_since_epoch());

    return since.count() > 0 ? static_cast<std::uint64_t>(since.count()) : 0;
}

template <typename Duration>
std::uint64_t time_of(std::chrono::time_point<std::chrono::system_clock, Duration> point) noexcept
{
    const auto since =
        std::chrono::duration_cast<std::chrono::nanoseconds>(point.time_since_epoch());

    return since.count() > 0 ? static_cast<std::uint64_t>(since.count()) : 0;
}

/* The reverse: ns (since the clock's 0, or a difference) as a duration. */
inline std::chrono::nanoseconds duration_of(std::uint64_t ns) noexcept
{
    const auto most = static_cast<std::uint64_t>(std::chrono::nanoseconds::max().count());

    return std::chrono::nanoseconds(static_cast<std::int64_t>(ns < most ? ns : most));
}

inline std::chrono::steady_clock::time_point steady_time(std::uint64_t monotonic) noexcept
{
    using point = std::chrono::steady_clock::time_point;

    return point(std::chrono::duration_cast<point::duration>(duration_of(monotonic)));
}

inline std::chrono::system_clock::time_point system_time(std::uint64_t realtime) noexcept
{
    using point = std::chrono::system_clock::time_point;

    return point(std::chrono::duration_cast<point::duration>(duration_of(realtime)));
}

/* A distance or an age that excludes nothing. */
constexpr std::chrono::nanoseconds any_distance = std::chrono::nanoseconds::max();

namespace detail
{

inline std::uint64_t ns(std::chrono::nanoseconds distance) noexcept
{
    if (distance == any_distance)
        return KYMO_ANY_DISTANCE;
    return distance.count() > 0 ? static_cast<std::uint64_t>(distance.count()) : 0;
}

} // namespace detail

/* An absolute instant on CLOCK_MONOTONIC at which a wait ends. A duration starts when the
 * deadline is made from it: make one before a loop that waits several times. */
class deadline
{
  public:
    template <typename Duration>
    deadline(std::chrono::time_point<std::chrono::steady_clock, Duration> point) noexcept
        : ns_(time_of(point))
    {
    }
    template <typename Rep, typename Period>
    deadline(std::chrono::duration<Rep, Period> from_now) noexcept : ns_(after(from_now))
    {
    }

    static deadline forever() noexcept
    {
        return deadline(KYMO_FOREVER);
    }
    /* In the past: do not block. */
    static deadline past() noexcept
    {
        return deadline(std::uint64_t{0});
    }
    /* ns of CLOCK_MONOTONIC, for the C functions. */
    std::uint64_t time() const noexcept
    {
        return ns_;
    }

  private:
    explicit deadline(std::uint64_t ns) noexcept : ns_(ns)
    {
    }

    template <typename Rep, typename Period>
    static std::uint64_t after(std::chrono::duration<Rep, Period> wait) noexcept
    {
        /* Compared as floating point: hours::max() overflows ns. */
        if (std::chrono::duration<double>(wait) >= std::chrono::hours(1000000))
            return KYMO_FOREVER;
        const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(wait).count();
        return ns > 0 ? now() + static_cast<std::uint64_t>(ns) : 0;
    }

    std::uint64_t ns_;
};

} // namespace kymo

#endif
