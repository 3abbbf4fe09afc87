/*
 * value.hpp - a ring used for its newest record only (value.h).
 *
 *     #include <kymo/value.hpp>
 *
 *     inline double load_setpoint()
 *     {
 *         return kymo::value_reader<double>("setpoint").load()->data;
 *     }
 *
 * Promises (A to K): kymo(7).
 */
#include <kymo/impl/compiler.h>

#if !defined(KYMO_VALUE_HPP) && KYMO_IMPL_CXX17
#define KYMO_VALUE_HPP

#include <kymo/ring.hpp>
#include <kymo/value.h>

namespace kymo
{

template <typename T> class value_writer : public writer<T>
{
  public:
    value_writer() noexcept = default;
    explicit value_writer(const std::string &name, const options &how = {})
        : value_writer(open(name, how).value())
    {
    }
    static opened<value_writer> open(const std::string &name, const options &how = {}) noexcept
    {
        return {name, [&](value_writer &made, kymo_diagnostic *cause) {
                    return made.open_kind(name, how, KYMO_VALUE, cause);
                }};
    }
    KYMO_IMPL_HOT status store(const T &data, std::uint64_t time) noexcept
    {
        return this->publish(data, time);
    }
};

template <typename T> class value_reader : public reader<T>
{
  public:
    value_reader() noexcept = default;
    explicit value_reader(const std::string &name) : value_reader(open(name).value())
    {
    }
    static opened<value_reader> open(const std::string &name) noexcept
    {
        return {name, [&](value_reader &made, kymo_diagnostic *cause) {
                    return made.open_typed(name, cause);
                }};
    }
    KYMO_IMPL_HOT result<record<T>> load() const noexcept
    {
        return this->latest();
    }
    /* The value once it was stored more than `seen` times: pos + 1 of the last one. */
    KYMO_IMPL_HOT result<record<T>> load_wait(std::uint64_t seen,
                                              deadline until = deadline::forever()) const noexcept
    {
        return this->read([&](record<T> &found) {
            return kymo_value_load_wait(this->raw(), seen, until.time(), &found.data, sizeof(T),
                                        &found);
        });
    }
};

template <typename T> struct value {
    using writer = kymo::value_writer<T>;
    using reader = kymo::value_reader<T>;
    using record = kymo::record<T>;
};

} // namespace kymo

#endif
