/*
 * schema.h - the type, shape and size of a struct member, for the macros of <kymo/schema.h>.
 */
#ifndef KYMO_IMPL_SCHEMA_H
#define KYMO_IMPL_SCHEMA_H

#include <kymo/schema.h>

#ifdef __cplusplus

#include <type_traits>
#include <utility>

/* The type of a field, from that of a member. */
template <typename T> constexpr uint32_t kymo_impl_type_of()
{
    using Element = std::remove_cv_t<std::remove_all_extents_t<std::remove_reference_t<T>>>;
    static_assert(std::is_arithmetic<Element>::value && sizeof(Element) <= 8,
                  "a kymo field is a number, a char or a bool, or an array of them");
    if (std::is_same<Element, bool>::value)
        return KYMO_BOOL;
    if (std::is_same<Element, char>::value)
        return KYMO_CHAR;
    if (std::is_floating_point<Element>::value)
        return sizeof(Element) == 4 ? uint32_t{KYMO_F32} : uint32_t{KYMO_F64};
    const uint32_t first = std::is_signed<Element>::value ? KYMO_I8 : KYMO_U8;
    return first + (sizeof(Element) > 1) + (sizeof(Element) > 2) + (sizeof(Element) > 4);
}

#endif

/* clang-format off: it does not format _Generic and braces in macros readably */
#ifdef __cplusplus

#define KYMO_IMPL_MEMBER(type, member) std::declval<type &>().member
#define KYMO_IMPL_TYPE_OF(type, member) \
    kymo_impl_type_of<decltype(KYMO_IMPL_MEMBER(type, member))>()
#define KYMO_IMPL_RANK_OF(type, member) \
    static_cast<uint32_t>(std::rank<decltype(KYMO_IMPL_MEMBER(type, member))>::value)

#else

#define KYMO_IMPL_MEMBER(type, member) ((type *)0)->member

/* An array decays to a pointer to its first element, so both cases name the element's type. */
#define KYMO_IMPL_TYPE_OF(type, member) \
    _Generic(KYMO_IMPL_MEMBER(type, member),                                                      \
        char: KYMO_CHAR,                char *: KYMO_CHAR,                             \
        _Bool: KYMO_BOOL,               _Bool *: KYMO_BOOL,                            \
        signed char: KYMO_I8,           signed char *: KYMO_I8,                        \
        unsigned char: KYMO_U8,         unsigned char *: KYMO_U8,                      \
        short: KYMO_I16,                short *: KYMO_I16,                             \
        unsigned short: KYMO_U16,       unsigned short *: KYMO_U16,                    \
        int: KYMO_I32,                  int *: KYMO_I32,                               \
        unsigned int: KYMO_U32,         unsigned int *: KYMO_U32,                      \
        long: KYMO_I64,                 long *: KYMO_I64,                              \
        unsigned long: KYMO_U64,        unsigned long *: KYMO_U64,                     \
        long long: KYMO_I64,            long long *: KYMO_I64,                         \
        unsigned long long: KYMO_U64,   unsigned long long *: KYMO_U64,                \
        float: KYMO_F32,                float *: KYMO_F32,                             \
        double: KYMO_F64,               double *: KYMO_F64)

/* 0 for a scalar, 1 for an array. */
#define KYMO_IMPL_RANK_OF(type, member)                                                     \
    _Generic(KYMO_IMPL_MEMBER(type, member), char : 0, _Bool : 0, signed char : 0,          \
             unsigned char : 0, short : 0, unsigned short : 0, int : 0, unsigned int : 0,   \
             long : 0, unsigned long : 0, long long : 0, unsigned long long : 0, float : 0, \
             double : 0, default : 1)

static_assert(sizeof(long) == 8, "KYMO_IMPL_TYPE_OF assumes a 64-bit long");

#endif

/* Bytes of an element, as a constant; kymo_type_size is the checked one. */
#define KYMO_IMPL_TYPE_BYTES(id) \
    ((id) <= KYMO_I64 ? 1u << (((id)-1) & 3) : (id) == KYMO_F32 ? 4u : (id) == KYMO_F64 ? 8u : 1u)

#define KYMO_IMPL_SIZE_OF(type, member) \
    KYMO_IMPL_CAST(uint32_t, sizeof(KYMO_IMPL_MEMBER(type, member)))

#define KYMO_IMPL_COUNT_OF(type, member) \
    (KYMO_IMPL_SIZE_OF(type, member) / KYMO_IMPL_TYPE_BYTES(KYMO_IMPL_TYPE_OF(type, member)))

#define KYMO_IMPL_FIELD_OF(type, member, unit, help, metric, interp)                            \
    {                                                                                           \
#member, unit, help, KYMO_IMPL_TYPE_OF(type, member), metric,                           \
            KYMO_IMPL_CAST(uint32_t, offsetof(type, member)), KYMO_IMPL_COUNT_OF(type, member), \
            KYMO_IMPL_RANK_OF(type, member),                                                    \
            {KYMO_IMPL_RANK_OF(type, member) ? KYMO_IMPL_COUNT_OF(type, member) : 0, 0, 0, 0 }, \
             interp,                                                                            \
        {                                                                                       \
            0, 0                                                                                \
        }                                                                                       \
    }

#define KYMO_IMPL_FIELD_MATRIX(type, member, unit, help)                                         \
    {                                                                                            \
#member, unit, help, KYMO_IMPL_TYPE_OF(type, member[0][0]), KYMO_GAUGE,                  \
            KYMO_IMPL_CAST(uint32_t, offsetof(type, member)),                                    \
            KYMO_IMPL_SIZE_OF(type, member) / KYMO_IMPL_SIZE_OF(type, member[0][0]), 2,          \
            {KYMO_IMPL_SIZE_OF(type, member) / KYMO_IMPL_SIZE_OF(type, member[0]),               \
             KYMO_IMPL_SIZE_OF(type, member[0]) / KYMO_IMPL_SIZE_OF(type, member[0][0]), 0, 0 }, \
             KYMO_INTERP_LINEAR,                                                                 \
        {                                                                                        \
            0, 0                                                                                 \
        }                                                                                        \
    }
/* clang-format on */

#endif
