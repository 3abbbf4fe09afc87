/*
 * align.hpp - records of several rings at one instant (series.h).
 *
 *     #include <kymo/align.hpp>
 *
 *     inline bool both_at(std::uint64_t time, const kymo::reader<double> &one,
 *                         const kymo::reader<double> &other)
 *     {
 *         kymo::aligned first(one), second(other, KYMO_ALIGN_AS_OF);
 *
 *         return kymo::align(time, first, second).value() == 2;
 *     }
 *
 * Promises (A to K): kymo(7).
 */
#include <kymo/impl/compiler.h>

#if !defined(KYMO_ALIGN_HPP) && KYMO_IMPL_CXX17
#define KYMO_ALIGN_HPP

#include <kymo/ring.hpp>

#include <array>

namespace kymo
{

/* One ring's row of an alignment: the reader and the mode, then the result. */
template <typename T, typename Policy = unchecked> class aligned
{
  public:
    explicit aligned(const reader<T, Policy> &from, kymo_align_mode mode = KYMO_ALIGN_CLOSEST,
                     std::chrono::nanoseconds max_distance = any_distance) noexcept
        : reader_(from.raw()), mode_(mode), max_distance_(max_distance)
    {
    }

    explicit operator bool() const noexcept
    {
        return error_ == 0;
    }
    int error() const noexcept
    {
        return error_;
    }
    const char *message() const noexcept
    {
        return kymo_error_text(error_);
    }
    /* The record; for a bracket the earlier one. */
    const record<T> *operator->() const noexcept
    {
        return &pair_.before;
    }
    const record<T> &operator*() const noexcept
    {
        return pair_.before;
    }
    const bracket<T> &pair() const noexcept
    {
        return pair_;
    }
    /* From the instant; for a bracket that of the farther record. */
    std::chrono::nanoseconds distance() const noexcept
    {
        return duration_of(distance_);
    }

    kymo_alignment input() noexcept
    {
        kymo_alignment row = {};

        row.reader = reader_;
        row.mode = mode_;
        row.max_distance = detail::ns(max_distance_);
        row.buffer = &pair_.before.data;
        row.after = &pair_.after.data;
        row.size = sizeof(T);
        return row;
    }
    void output(const kymo_alignment &row) noexcept
    {
        error_ = row.error;
        distance_ = row.distance;
        pair_.alpha = row.alpha;
        if (!error_)
            error_ = kymo_impl_typed_end(0, sizeof(T), &row.record, &pair_.before);
        if (!error_ && mode_ == KYMO_ALIGN_BRACKET)
            error_ = kymo_impl_typed_end(0, sizeof(T), &row.later, &pair_.after);
    }

  private:
    const kymo_reader *reader_;
    kymo_align_mode mode_;
    std::chrono::nanoseconds max_distance_;
    int error_ = -ENODATA;
    std::uint64_t distance_ = 0;
    bracket<T> pair_;
};

/*
 * Queries several rings for one instant, on the clock that all of them must have, and returns the
 * number of rows without an error; as kymo_series_align.
 *
 *     kymo::aligned motion(imu, KYMO_ALIGN_BRACKET, 20ms);
 *     kymo::aligned fix(gps, KYMO_ALIGN_AS_OF);
 *     if (kymo::align(frame_time, motion, fix).value() == 2)
 */
template <typename Policy, typename... T>
result<std::size_t> align(typename detail::instant<Policy>::type time,
                          aligned<T, Policy> &...parts) noexcept
{
    std::array<kymo_alignment, sizeof...(T)> rows = {parts.input()...};
    const int error = kymo_series_align(rows.data(), rows.size(), detail::ns(time));
    std::size_t row = 0, answered = 0;

    if (error < 0)
        return failure{error};
    ((parts.output(rows[row++]), answered += parts ? 1 : 0), ...);
    return answered;
}

} // namespace kymo

#endif
