/*
 * key.hpp - times that somebody has checked (key.h): a type of its own for each policy.
 */
#ifndef KYMO_KEY_HPP
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

/* Not more than `past` before the clock's present time nor `ahead` after it. */
inline kymo_validator plausible(kymo_clock clock, std::chrono::nanoseconds past,
                                std::chrono::nanoseconds ahead) noexcept
{
    return kymo_validator_plausible(clock, detail::ns(past), detail::ns(ahead));
}

/* From low to high, both included. */
inline kymo_validator range(std::uint64_t low, std::uint64_t high) noexcept
{
    return kymo_validator_range(low, high);
}

inline kymo_validator proximity(std::uint64_t reference,
                                std::chrono::nanoseconds tolerance) noexcept
{
    return kymo_validator_proximity(reference, detail::ns(tolerance));
}

/* Holds a time against one rule: 0, or its error; -ERANGE for a plain false. */
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

/* All of them; the error of the first that does not hold. */
template <typename... Rules> auto all_of(Rules... rules)
{
    return [rules...](std::uint64_t time) -> int {
        int error = 0;

        ((error = error ? error : check(rules, time)), ...);
        return error;
    };
}

} // namespace validator

/* A time that held against the rules of its policy. A policy is any type; it need not be complete.
 * A key of one policy is neither an integer nor a key of another. */
template <typename Policy> class key
{
  public:
    /* The key of a time that holds against every rule, else the first one's error. */
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

/* The policy of readers that take bare numbers for times. */
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
