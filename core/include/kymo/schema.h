/*
 * schema.h - what the bytes of a payload mean: named fields, so that anybody can read a segment.
 *
 * A schema comes from a C struct, field by field:
 *
 *     struct imu { float accel[3]; double temperature; };
 *     static const struct kymo_field imu_fields[] = {
 *         KYMO_FIELD(struct imu, accel, "m/s^2", "acceleration along x, y, z"),
 *         KYMO_FIELD(struct imu, temperature, "degC", "of the chip"),
 *     };
 *     static const struct kymo_schema imu_schema = KYMO_SCHEMA(struct imu, imu_fields);
 *
 * or from text: "accel:f32[3],temperature:f64".
 */
#ifndef KYMO_SCHEMA_H
#define KYMO_SCHEMA_H

#include <kymo/layout.h>

#ifdef __cplusplus
#include <type_traits>
extern "C" {
#endif

#ifndef KYMO_EXPORT
#define KYMO_EXPORT __attribute__((visibility("default")))
#endif

/* Without fields, payloads are bytes if size is 0, and pixels of that many bytes if it is not; never of
 * more than a record can have. */
struct kymo_schema {
    const struct kymo_field *fields; /* in order of offset */
    uint32_t count;                  /* fields; at most KYMO_FIELD_LIMIT */
    uint32_t size;                   /* bytes of payload that they describe, padding included */
};

/*
 * Reads "name:type[shape]:interp,..." with type one of u8 u16 u32 u64 i8 i16 i32 i64 f32 f64 char bool,
 * shape one to four numbers, [3] or [2][3], and interp one of linear (if it is absent) previous angle
 * none. Fields lie as a C compiler would lay them. The schema is the caller's, for kymo_schema_free.
 * -EINVAL: `where`, if not NULL, gets the offset in text of what could not be read. -ENOMEM.
 */
KYMO_EXPORT int kymo_schema_parse(struct kymo_schema **schema, const char *text, size_t *where);
KYMO_EXPORT void kymo_schema_free(struct kymo_schema *schema);

/* 0 where every field holds: names unique and well-formed, known types, no overlap, nothing beyond
 * size. Else -EINVAL, and `field`, if not NULL, gets the number of the first that does not. */
KYMO_EXPORT int kymo_schema_check(const struct kymo_schema *schema, uint32_t *field);

/* The cause of an error in one sentence: the option or field, its value, what is allowed. */
struct kymo_diagnostic {
    char text[256];
};

/* As kymo_schema_check, with the cause in *diagnostic; its text is "" if every field holds. */
KYMO_EXPORT int kymo_schema_diagnose(const struct kymo_schema *schema,
                                     struct kymo_diagnostic *diagnostic);

/* 1 if both describe the same payload: names, types, shapes, offsets, size, units, metrics and
 * interps. Only helps may differ. */
KYMO_EXPORT int kymo_schema_same(const struct kymo_schema *one, const struct kymo_schema *other);

/* The field of that name, or NULL. */
KYMO_EXPORT const struct kymo_field *kymo_schema_find(const struct kymo_schema *schema,
                                                      const char *name);

/* Bytes of one element, 0 for a type that does not exist. "f32" and the like, "?" likewise. */
KYMO_EXPORT uint32_t kymo_type_size(uint32_t type);
KYMO_EXPORT const char *kymo_type_text(uint32_t type);

/* "linear", "previous", "angle", "none"; "?" for any other number. */
KYMO_EXPORT const char *kymo_interp_text(uint32_t interp);

/* 1 where the type is a number: all but char. bool counts as 0 and 1. */
KYMO_EXPORT int kymo_type_is_numeric(uint32_t type);

#ifdef __cplusplus
} /* extern "C" */

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

/* clang-format off: one case a line reads better than what it makes of _Generic */
#ifdef __cplusplus

#define KYMO_IMPL_TYPE_OF(type, member) kymo_impl_type_of<decltype(((type *)nullptr)->member)>()
#define KYMO_IMPL_RANK_OF(type, member) \
    static_cast<uint32_t>(std::rank<decltype(((type *)nullptr)->member)>::value)

#else

/* An array decays to a pointer to its first element, so both cases name the element's type. */
#define KYMO_IMPL_TYPE_OF(type, member) \
    _Generic(((type *)0)->member,                                                      \
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
#define KYMO_IMPL_RANK_OF(type, member)                                                       \
    _Generic(((type *)0)->member, char : 0, _Bool : 0, signed char : 0, unsigned char : 0,    \
             short : 0, unsigned short : 0, int : 0, unsigned int : 0, long : 0,              \
             unsigned long : 0, long long : 0, unsigned long long : 0, float : 0, double : 0, \
             default : 1)

static_assert(sizeof(long) == 8, "KYMO_IMPL_TYPE_OF takes long for 64 bits");

#endif

/* Bytes of an element, as a constant; kymo_type_size is the checked one. */
#define KYMO_IMPL_TYPE_BYTES(id) \
    ((id) <= KYMO_I64 ? 1u << (((id)-1) & 3) : (id) == KYMO_F32 ? 4u : (id) == KYMO_F64 ? 8u : 1u)

#define KYMO_IMPL_SIZE_OF(type, member) (uint32_t)sizeof(((type *)0)->member)

#define KYMO_IMPL_COUNT_OF(type, member) \
    (KYMO_IMPL_SIZE_OF(type, member) / KYMO_IMPL_TYPE_BYTES(KYMO_IMPL_TYPE_OF(type, member)))

#define KYMO_IMPL_FIELD_OF(type, member, unit, help, metric, interp)                            \
    {                                                                                           \
#member, unit, help, KYMO_IMPL_TYPE_OF(type, member), metric,                           \
            (uint32_t)offsetof(type, member), KYMO_IMPL_COUNT_OF(type, member),                 \
            KYMO_IMPL_RANK_OF(type, member),                                                    \
            {KYMO_IMPL_RANK_OF(type, member) ? KYMO_IMPL_COUNT_OF(type, member) : 0, 0, 0, 0 }, \
             interp,                                                                            \
        {                                                                                       \
            0, 0                                                                                \
        }                                                                                       \
    }

/* A member that is a number, a char, a bool, or an array of them; unit and help are literals. */
#define KYMO_FIELD(type, member, unit, help) \
    KYMO_IMPL_FIELD_OF(type, member, unit, help, KYMO_GAUGE, KYMO_INTERP_LINEAR)

/* The same with one of enum kymo_interp, such as KYMO_INTERP_ANGLE. */
#define KYMO_FIELD_INTERP(type, member, unit, help, interp) \
    KYMO_IMPL_FIELD_OF(type, member, unit, help, KYMO_GAUGE, interp)

/* The same for a number that only grows. */
#define KYMO_FIELD_COUNTER(type, member, unit, help) \
    KYMO_IMPL_FIELD_OF(type, member, unit, help, KYMO_COUNTER, KYMO_INTERP_LINEAR)

/* A member that is an array of arrays. */
#define KYMO_FIELD_MATRIX(type, member, unit, help)                                              \
    {                                                                                            \
#member, unit, help, KYMO_IMPL_TYPE_OF(type, member[0][0]), KYMO_GAUGE,                  \
            (uint32_t)offsetof(type, member),                                                    \
            KYMO_IMPL_SIZE_OF(type, member) / KYMO_IMPL_SIZE_OF(type, member[0][0]), 2,          \
            {KYMO_IMPL_SIZE_OF(type, member) / KYMO_IMPL_SIZE_OF(type, member[0]),               \
             KYMO_IMPL_SIZE_OF(type, member[0]) / KYMO_IMPL_SIZE_OF(type, member[0][0]), 0, 0 }, \
             KYMO_INTERP_LINEAR,                                                                 \
        {                                                                                        \
            0, 0                                                                                 \
        }                                                                                        \
    }

/* The schema of a struct from its table of fields. */
#define KYMO_SCHEMA(type, table)                                                      \
    {                                                                                 \
        table, (uint32_t)(sizeof(table) / sizeof((table)[0])), (uint32_t)sizeof(type) \
    }
/* clang-format on */

#endif
