/*
 * record.hpp - a record: a payload of type T, its fields beside the payload, and its schema.
 *
 *     #include <kymo/record.hpp>
 *
 *     struct imu {
 *         float accel[3];
 *         double temperature;
 *     };
 *     KYMO_SCHEMA_OF(imu, KYMO_FIELD(imu, accel, "m/s^2", "acceleration along x, y, z"),
 *                    KYMO_FIELD(imu, temperature, "degC", "of the chip"));
 *
 *     inline double temperature_of(const kymo::record<imu> &record)
 *     {
 *         return record.data.temperature;
 *     }
 *
 * Promises (A to K): kymo(7).
 */
#include <kymo/impl/compiler.h>

#if !defined(KYMO_RECORD_HPP) && KYMO_IMPL_CXX17
#define KYMO_RECORD_HPP

#include <kymo/text.h>
#include <kymo/typed.h>

#include <functional>
#include <string>
#include <type_traits>

namespace kymo
{

/* The schema of T, set by KYMO_SCHEMA_OF, or NULL: its segments are bytes. */
template <typename T> struct schema_of {
    static const kymo_schema *get() noexcept
    {
        return nullptr;
    }
};

/* Defines the fields of a type, outside of any namespace and before its first use. */
#define KYMO_SCHEMA_OF(type, ...)                                            \
    template <> struct kymo::schema_of<type> {                               \
        static const kymo_schema *get() noexcept                             \
        {                                                                    \
            static constexpr kymo_field fields[] = {__VA_ARGS__};            \
            static constexpr kymo_schema schema = KYMO_SCHEMA(type, fields); \
            return &schema;                                                  \
        }                                                                    \
    }

namespace detail
{

template <typename T> struct record_type {
    static_assert(std::is_trivially_copyable_v<T>,
                  "kymo: a record's type must be trivially copyable: it travels as its bytes");
    static_assert(std::is_standard_layout_v<T>,
                  "kymo: a record's type must be of standard layout: other programs read it");
    static_assert(!std::is_pointer_v<T>, "kymo: a pointer means nothing to another process");
    static_assert(!std::is_const_v<T> && !std::is_volatile_v<T>,
                  "kymo: a record's type must be neither const nor volatile");
    static_assert(sizeof(T) <= KYMO_SIZE_LIMIT, "kymo: a record has at most 2^30 bytes");
    using type = T;

    static kymo_impl_type typed() noexcept
    {
        return {sizeof(T), alignof(T), schema_of<T>::get(), nullptr, 0};
    }
};

} // namespace detail

/* A record: pos, time, tag, len and flags, and its payload in `data`. */
template <typename T> struct record : kymo_record {
    using type = typename detail::record_type<T>::type;

    /* A union, so that a read need not construct a T before it copies one. */
    union {
        T data;
    };

    /* Uninitialized until a record is read into it. */
    record() noexcept
    {
    }
    /* For value_or: data without a record. */
    explicit record(const T &instead) noexcept : kymo_record{0, 0, 0, sizeof(T), 0}, data(instead)
    {
    }
};

/* The two records around an instant. */
template <typename T> struct bracket {
    record<T> before;
    record<T> after;
    double alpha; /* 0 at before, 1 at after */

    /* A numeric member of the payload, interpolated: pair.interpolate(&imu::temperature); or the
     * result of a function of the payload. */
    template <typename Member> double interpolate(Member &&member) const
    {
        const auto from = static_cast<double>(std::invoke(member, before.data));

        return from + alpha * (static_cast<double>(std::invoke(member, after.data)) - from);
    }
};

/* A record as one JSON object, as kymo_text_record. */
template <typename T>
std::string to_json(const record<T> &record, kymo_clock clock = KYMO_MONOTONIC)
{
    kymo_text text = {};

    kymo_text_record(&text, schema_of<T>::get(), clock, &record, &record.data);
    const std::string json = text.data ? std::string(text.data, text.len) : std::string();
    kymo_text_free(&text);
    return json;
}

} // namespace kymo

#endif
