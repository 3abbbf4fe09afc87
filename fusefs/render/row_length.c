/*
 * row_length.c - counts the characters of a row as kymo/text.h writes it.
 */
#include "row_length.h"

#include <math.h>

__extension__ typedef unsigned __int128 wide;

/* The range in which kymo/text.h writes floating point without an exponent. */
#define FIXED_LEAST     1e-4
#define FIXED_LIMIT_F64 1e15
#define FIXED_LIMIT_F32 16777216.0

/* ---- numbers ---- */

#define E9 UINT64_C(1000000000)

/* clang-format off: it would put one on a line */
static const uint64_t tens[] = {
    1,         10,          100,         1000,         10000,         100000,
    1000000,   10000000,    100000000,   E9,           10 * E9,       100 * E9,
    1000 * E9, 10000 * E9,  100000 * E9, 1000000 * E9, 10000000 * E9, 100000000 * E9,
    E9 *E9,    10 * E9 *E9,
};
/* clang-format on */

static unsigned int count_digits(uint64_t value)
{
    const unsigned int bits = 64 - (unsigned int)__builtin_clzll(value | 1);
    const unsigned int digits = bits * 1233 >> 12; /* log10(2) */

    return digits + ((value | 1) >= tens[digits]);
}

static unsigned int count_signed(int64_t value)
{
    return value < 0 ? 1 + count_digits(-(uint64_t)value) : count_digits((uint64_t)value);
}

/* Up to 10^38. */
static wide power_of_ten(unsigned int exponent)
{
    return exponent < 20 ? tens[exponent] : (wide)tens[19] * tens[exponent - 19];
}

/*
 * The decimals of the shortest number that is nearer to mantissa / 2^scale than to its neighbours. All
 * counts in halves of the mantissa's last bit, so that half of the way to a neighbour is one. If a
 * number of N decimals is near enough, so is one of N + 1: a binary search.
 */
static unsigned int count_decimals(uint64_t mantissa, unsigned int scale)
{
    const wide one = (wide)1 << (scale + 1);
    const wide fraction = ((wide)mantissa << 1) & (one - 1);
    unsigned int low = 0, high = (scale + 1) * 1234 / 4096 + 1;

    while (high - low > 1) {
        const unsigned int middle = (low + high) / 2;
        const wide bound = power_of_ten(middle);
        const wide rest = fraction * bound & (one - 1);

        if (rest < bound || rest + bound > one)
            high = middle;
        else
            low = middle;
    }
    return high;
}

/* The value is |value| = mantissa / 2^scale, and in the fixed range. */
static unsigned int count_fixed(uint64_t mantissa, unsigned int scale)
{
    const uint64_t whole = scale < 64 ? mantissa >> scale : 0;
    const bool is_whole = scale < 64 && whole << scale == mantissa;

    return count_digits(whole) + (is_whole ? 0 : 1 + count_decimals(mantissa, scale));
}

/* 0: not usual. */
static unsigned int count_f64(const unsigned char *at)
{
    const uint64_t hidden = UINT64_C(1) << 52;
    uint64_t bits;
    double value;

    memcpy(&bits, at, sizeof(bits));
    memcpy(&value, at, sizeof(value));
    if (bits == 0)
        return 1;
    if (!(fabs(value) >= FIXED_LEAST && fabs(value) < FIXED_LIMIT_F64))
        return 0;
    return (unsigned int)(bits >> 63) + count_fixed((bits & (hidden - 1)) | hidden,
                                                    1023 + 52 - (unsigned int)(bits >> 52 & 0x7ff));
}

static unsigned int count_f32(const unsigned char *at)
{
    const uint32_t hidden = UINT32_C(1) << 23;
    uint32_t bits;
    float value;

    memcpy(&bits, at, sizeof(bits));
    memcpy(&value, at, sizeof(value));
    if (bits == 0)
        return 1;
    if (!(fabsf(value) >= (float)FIXED_LEAST && fabsf(value) < (float)FIXED_LIMIT_F32))
        return 0;
    return (bits >> 31) +
           count_fixed((bits & (hidden - 1)) | hidden, 127 + 23 - (bits >> 23 & 0xff));
}

static uint64_t load(const unsigned char *at, uint32_t size)
{
    uint64_t value = 0;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(&value, at, size);
#else
    memcpy((unsigned char *)&value + sizeof(value) - size, at, size);
#endif
    return value;
}

/* Bytes of one element; 0: not usual. */
static unsigned int count_element(uint32_t type, uint32_t size, const unsigned char *at)
{
    const unsigned int shift = 64 - 8 * size;

    switch (type) {
    case KYMO_U8:
    case KYMO_U16:
    case KYMO_U32:
    case KYMO_U64:
        return count_digits(load(at, size));
    case KYMO_I8:
    case KYMO_I16:
    case KYMO_I32:
    case KYMO_I64:
        return count_signed((int64_t)(load(at, size) << shift) >> shift);
    case KYMO_F32:
        return count_f32(at);
    case KYMO_F64:
        return count_f64(at);
    case KYMO_BOOL:
        return *at ? 4 : 5;
    default:
        return 0;
    }
}

/* ---- strings ---- */

/* Bytes of a string without its quotes, if it needs no escapes in either format; else SIZE_MAX. */
static size_t count_string(const unsigned char *at, size_t size)
{
    size_t len = 0;

    for (; len < size && at[len]; len++) {
        if (at[len] < ' ' || at[len] > '~' || at[len] == '"' || at[len] == '\\' || at[len] == ',')
            return SIZE_MAX;
    }
    return len;
}

static uint64_t count_strings(const struct kymo_field *field, const unsigned char *at)
{
    const uint32_t size = field->dimensions > 0 ? field->shape[field->dimensions - 1] : 1;
    uint64_t sum = 0;

    for (uint32_t i = 0; i + size <= field->count; i += size) {
        const size_t len = count_string(at + i, size);

        if (len == SIZE_MAX)
            return UINT64_MAX;
        sum += len;
    }
    return sum;
}

/* ---- rows ---- */

/* UINT64_MAX: not usual. */
static uint64_t count_field(const struct kymo_field *field, const unsigned char *payload)
{
    const uint32_t size = kymo_type_size(field->type);
    const unsigned char *at = payload + field->offset;
    uint64_t sum = 0;

    if (field->type == KYMO_CHAR)
        return count_strings(field, at);
    for (uint32_t i = 0; i < field->count; i++, at += size) {
        const unsigned int length = count_element(field->type, size, at);

        if (length == 0)
            return UINT64_MAX;
        sum += length;
    }
    return sum;
}

uint64_t row_length(const struct row_measure *measure, const struct kymo_record *record,
                    const unsigned char *payload)
{
    const struct kymo_schema *schema = measure->schema;
    uint64_t sum = measure->fixed + count_digits(record->pos) + count_digits(record->time) +
                   count_digits(record->tag);

    if (measure->fixed == 0 || (schema->count > 0 && record->len < schema->size))
        return 0;
    if (schema->count == 0 && schema->size == 0)
        sum += 2 * (uint64_t)record->len;
    for (uint32_t i = 0; i < schema->count; i++) {
        const uint64_t length = count_field(&schema->fields[i], payload);

        if (length == UINT64_MAX)
            return 0;
        sum += length;
    }
    return sum;
}

void row_measure_init(struct row_measure *measure, const struct kymo_schema *schema,
                      enum history_format format, const struct kymo_text *row)
{
    uint64_t numbers = 3;

    *measure = (struct row_measure){schema, format, 0};
    if (!row)
        return;
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct kymo_field *field = &schema->fields[i];

        if (field->type != KYMO_CHAR)
            numbers += field->count * (uint64_t)(field->type == KYMO_BOOL ? 5 : 1);
    }
    measure->fixed = row->len - numbers;
}
