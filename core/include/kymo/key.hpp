/*
 * key.hpp - validated times (key.h): a distinct type for each policy.
 *
 *     #include <kymo/key.hpp>
 *
 *     inline kymo::result<kymo::key<struct camera>> check(std::uint64_t time)
 *     {
 *         return kymo::key<struct camera>::make(time, kymo::validator::range(1000, 2000));
 *     }
 *
 * Promises (A to K): kymo(7).
 */
#include <kymo/impl/compiler.h>

#if !defined(KYMO_KEY_HPP) && KYMO_IMPL_CXX17
#define KYMO_KEY_HPP

#include <kymo/key.h>
#include <kymo/result.hpp>
#include <kymo/time.hpp>

#include <type_traits>

namespace kymo
{

/* Rules for key<Policy>::make: these, and any function of a time that returns bool, or 0 and a
 * negative errno. */
namespace validator
{

/* At most `past` before the present time of the clock and at most `ahead` after it. */
inline kymo_validator plausible(kymo_clock clock, std::chrono::nanoseconds past,
                                std::chrono::nanoseconds ahead) noexcept
{
    return kymo_validator_plausible(clock, detail::ns(past), detail::ns(ahead));
}

/* From low to high, inclusive. */
inline kymo_validator range(std::uint64_t low, std::uint64_t high) noexcept
{
    return kymo_validator_range(low, high);
}

inline kymo_validator proximity(std::uint64_t reference,
                                std::chrono::nanoseconds tolerance) noexcept
{
    return kymo_validator_proximity(reference, detail::ns(tolerance));
}

/* Checks a time: 0, or the error of the rule; -ERANGE if the rule returns false. */
inline int check(const kymo_validator &rule, std::uint64_t time)
{
    return kymo_validator_check(&rule, time);
}

template <typename Rule> int check(const Rule &rule, std::uint64_t time)
{
    if constexpr (std::is_same_v<std::invoke_result_t<const Rule &, std::uint64_t>, bool>)
        return rule(time) ? 0 : -ERANGE;
    else
        return rule(time);
}

/* All of the rules; the error of the first that fails. */
template <typename... Rules> auto all_of(Rules... rules)
{
    return [rules...](std::uint64_t time) -> int {
        int error = 0;

        ((error = error ? error : check(rules, time)), ...);
        return error;
    };
}

} // namespace validator

/* A time that passed the rules of its policy. A policy is any type, complete or not. A key of one
 * policy converts neither to an integer nor to a key of another. */
template <typename Policy> class key
{
  public:
    /* The key of a time that passes every rule, else the error of the first that fails. */
    template <typename... Rules> static result<key> make(std::uint64_t time, const Rules &...rules)
    {
        static_assert(sizeof...(Rules) > 0, "kymo: a key takes at least one rule");
        int error = 0;

        ((error = error ? error : validator::check(rules, time)), ...);
        if (error)
            return failure{error};
        return key(time);
    }
    std::uint64_t time() const noexcept
    {
        return time_;
    }

  private:
    template <typename> friend class result;
    key() noexcept = default;
    explicit key(std::uint64_t time) noexcept : time_(time)
    {
    }

    std::uint64_t time_ = 0;
};

/* The policy of readers that accept integers as times. */
struct unchecked;

namespace detail
{

template <typename Policy> struct instant {
    using type = key<Policy>;
};
template <> struct instant<unchecked> {
    using type = std::uint64_t;
};

inline std::uint64_t ns(std::uint64_t time) noexcept
{
    return time;
}
template <typename Policy> std::uint64_t ns(key<Policy> checked) noexcept
{
    return checked.time();
}

} // namespace detail

} // namespace kymo

#endif
