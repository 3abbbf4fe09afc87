/*
 * schema.h - the meaning of a payload's bytes: named fields, so that any program can decode a
 * segment.
 *
 *     #include <kymo/schema.h>
 *
 *     struct imu {
 *         float accel[3];
 *         double temperature;
 *     };
 *     const struct kymo_field imu_fields[] = {
 *         KYMO_FIELD(struct imu, accel, "m/s^2", "acceleration along x, y, z"),
 *         KYMO_FIELD(struct imu, temperature, "degC", "of the chip"),
 *     };
 *     const struct kymo_schema imu_schema = KYMO_SCHEMA(struct imu, imu_fields);
 *
 * The same from text: "accel:f32[3],temperature:f64" (kymo_schema_parse).
 *
 * Promises (A to K): kymo(7).
 */
#ifndef KYMO_SCHEMA_H
#define KYMO_SCHEMA_H

#include <kymo/layout.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Without fields, payloads are bytes if size is 0, else pixels of `size` bytes, at most
 * KYMO_SIZE_LIMIT. */
struct kymo_schema {
    const struct kymo_field *fields; /* in order of offset */
    uint32_t count;                  /* fields; at most KYMO_FIELD_LIMIT */
    uint32_t size;                   /* bytes of payload that they describe, padding included */
};

/*
 * Parses "name:type[shape]:interp,..." with type one of u8 u16 u32 u64 i8 i16 i32 i64 f32 f64 char
 * bool, shape one to four numbers, [3] or [2][3], and interp one of linear (if it is absent),
 * previous, angle, none. Fields are laid out as by a C compiler. Release the schema with
 * kymo_schema_free. -EINVAL (kymo_schema_parse_diagnosed): `where`, if not NULL, is set to the
 * offset in text of the error. -ENOMEM.
 */
KYMO_EXPORT int kymo_schema_parse(struct kymo_schema **schema, const char *text, size_t *where);
KYMO_EXPORT void kymo_schema_free(struct kymo_schema *schema);

/*
 * The cause of an error in one sentence: the option or field, its value, what is allowed. It is for
 * people: programs compare errors. `diagnostic` may be NULL.
 *
 * Every open, and every function whose -EINVAL has several causes, provides it on request:
 * - NAME_diagnosed does what NAME does, and writes the cause of its failure;
 * - NAME_diagnose writes why an argument is not valid, or why a writer's hot function failed.
 * Any other -EINVAL has the one cause that the comment and the page of the function state. The hot
 * functions write none themselves.
 */
struct kymo_diagnostic {
    char text[256];
};

/* As kymo_schema_parse, with the cause of a failure in *diagnostic. */
KYMO_EXPORT int kymo_schema_parse_diagnosed(struct kymo_schema **schema, const char *text,
                                            struct kymo_diagnostic *diagnostic);

/* 0 if every field is valid: names unique and well-formed, known types, no overlap, within size.
 * Else -EINVAL, and `field`, if not NULL, is set to the index of the first invalid one. */
KYMO_EXPORT int kymo_schema_check(const struct kymo_schema *schema, uint32_t *field);

/* As kymo_schema_check, with the cause in *diagnostic; its text is "" if every field is valid. */
KYMO_EXPORT int kymo_schema_diagnose(const struct kymo_schema *schema,
                                     struct kymo_diagnostic *diagnostic);

/* 1 if both describe the same payload: names, types, shapes, offsets, size, units, metrics and
 * interps. Only helps may differ. */
KYMO_EXPORT int kymo_schema_same(const struct kymo_schema *one, const struct kymo_schema *other);

/* The field of that name, or NULL. */
KYMO_EXPORT const struct kymo_field *kymo_schema_find(const struct kymo_schema *schema,
                                                      const char *name);

/* Bytes of one element, 0 for an unknown type; and the name of a type, "f32", "?" if unknown. */
KYMO_EXPORT uint32_t kymo_type_size(uint32_t type);
KYMO_EXPORT const char *kymo_type_text(uint32_t type);

/* "linear", "previous", "angle", "none"; "?" for any other number. */
KYMO_EXPORT const char *kymo_interp_text(uint32_t interp);

/* 1 for every type but char; bool counts as 0 and 1. */
KYMO_EXPORT int kymo_type_is_numeric(uint32_t type);

#ifdef __cplusplus
} /* extern "C" */
#endif

/* A member that is a number, a char, a bool, or an array of them; unit and help are string
 * literals. */
#define KYMO_FIELD(type, member, unit, help) \
    KYMO_IMPL_FIELD_OF(type, member, unit, help, KYMO_GAUGE, KYMO_INTERP_LINEAR)

/* The same with one of enum kymo_interp, such as KYMO_INTERP_ANGLE. */
#define KYMO_FIELD_INTERP(type, member, unit, help, interp) \
    KYMO_IMPL_FIELD_OF(type, member, unit, help, KYMO_GAUGE, interp)

/* The same for a number that never decreases. */
#define KYMO_FIELD_COUNTER(type, member, unit, help) \
    KYMO_IMPL_FIELD_OF(type, member, unit, help, KYMO_COUNTER, KYMO_INTERP_LINEAR)

/* A member that is an array of arrays. */
#define KYMO_FIELD_MATRIX(type, member, unit, help) KYMO_IMPL_FIELD_MATRIX(type, member, unit, help)

/* clang-format off: it does not format braces in macros readably */
/* The schema of a struct from its table of fields. */
#define KYMO_SCHEMA(type, table)                                             \
    {                                                                        \
        table, KYMO_IMPL_CAST(uint32_t, sizeof(table) / sizeof((table)[0])), \
            KYMO_IMPL_CAST(uint32_t, sizeof(type))                           \
    }
/* clang-format on */

#include <kymo/impl/schema.h>

#endif
