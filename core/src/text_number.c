/*
 * text_number.c - numbers as text, the same in every locale: integers exactly, floating point in
 * the fewest digits that read back as the same value.
 *
 * Most numbers are between 0.0001 and a few million: these are converted here, exactly, as an
 * integer part and the digits of a fixed-point fraction, by the algorithm FP3 of Steele and White
 * 1990, "How to print floating-point numbers accurately". The others are printed with an increasing
 * number of digits until they read back.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "text_internal.h"

__extension__ typedef unsigned __int128 wide;

/* The longest number: a sign, 17 digits, a point, four zeros, an exponent; and a reserve. */
#define NUMBER_ROOM 40

/* Writes the digits backwards, ending at `end`; returns the first. */
static char *digits_before(char *end, uint64_t value)
{
    do {
        *--end = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return end;
}

void kymo_text_u64(struct kymo_text *text, uint64_t value)
{
    char digits[NUMBER_ROOM];
    char *end = digits + sizeof(digits);
    char *begin = digits_before(end, value);

    kymo_text_append(text, begin, (size_t)(end - begin));
}

void kymo_text_i64(struct kymo_text *text, int64_t value)
{
    if (value < 0)
        kymo_text_append(text, "-", 1);
    kymo_text_u64(text, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

/* ---- floating point in fixed-point range ---- */

/* A finite number above 0: mantissa / 2^scale. */
struct binary {
    uint64_t mantissa;
    int scale;
};

/* The digit that the rest is nearer to; the even one at half, as printf. */
static int is_nearer_up(wide rest, wide one, unsigned digit)
{
    return rest > one / 2 || (rest == one / 2 && digit % 2 == 1);
}

/*
 * Writes the fraction's digits, the fewest that are nearer to it than to its neighbours; returns
 * their end. The unit is half of the mantissa's last bit, so that half of the distance to a
 * neighbour is one. The bound is exclusive: a decimal exactly on it has more digits than the number
 * itself, which ends the loop earlier. Below a power of two the neighbour is at half the distance;
 * the powers in this range have so few digits that it makes no difference.
 */
static char *fraction_digits(char *at, const struct binary *number)
{
    const int scale = number->scale + 1;
    const wide one = (wide)1 << scale;
    wide rest = ((wide)number->mantissa << 1) & (one - 1);
    wide bound = 1;

    for (;;) {
        unsigned digit;
        int is_low, is_high;

        rest *= 10;
        bound *= 10;
        digit = (unsigned)(rest >> scale);
        rest &= one - 1;
        is_low = rest < bound;
        is_high = rest + bound > one;
        if (is_high && (!is_low || is_nearer_up(rest, one, digit)))
            digit++; /* never 10: the digit before would have been the last */
        *at++ = (char)('0' + digit);
        if (is_low || is_high)
            return at;
    }
}

static void text_fixed(struct kymo_text *text, const struct binary *number)
{
    const uint64_t whole = number->scale < 64 ? number->mantissa >> number->scale : 0;
    const int is_whole =
        number->scale < 64 && (number->mantissa & ((UINT64_C(1) << number->scale) - 1)) == 0;
    char *end;

    kymo_text_u64(text, whole);
    if (is_whole || kymo_text_reserve(text, NUMBER_ROOM))
        return;
    end = text->data + text->len;
    *end++ = '.';
    end = fraction_digits(end, number);
    *end = '\0';
    text->len = (size_t)(end - text->data);
}

/* ---- the others ---- */

/* 1 if those digits, in this thread's locale, read back as the value. */
static int reads_back(const char *digits, double value, int is_float)
{
    return is_float ? strtof(digits, NULL) == (float)value : strtod(digits, NULL) == value;
}

/* Appends printf's output. Anything but digits, signs and e is the locale's decimal point, which
 * may be several bytes. */
static void text_printed(struct kymo_text *text, const char *digits)
{
    size_t len;

    while (*digits) {
        len = strspn(digits, "0123456789+-e");
        kymo_text_append(text, digits, len);
        digits += len;
        if (*digits)
            kymo_text_append(text, ".", 1);
        digits += strcspn(digits, "0123456789+-e");
    }
}

/* The number of digits that any number of the type keeps when written and read; subnormal ones keep
 * fewer. */
static int least_digits(double value, int is_float)
{
    if (fabs(value) < (is_float ? (double)FLT_MIN : DBL_MIN))
        return 1;
    return is_float ? FLT_DIG : DBL_DIG;
}

/* A decimal of least_digits that reads back is also the shortest, since printf drops its zeros; one
 * of DECIMAL_DIG always reads back. */
static void text_shortest(struct kymo_text *text, double value, int is_float)
{
    const int most = is_float ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG;
    char digits[NUMBER_ROOM];

    for (int precision = least_digits(value, is_float); precision <= most; precision++) {
        snprintf(digits, sizeof(digits), "%.*g", precision, value);
        if (precision == most || reads_back(digits, value, is_float))
            break;
    }
    text_printed(text, digits);
}

void kymo_text_rounded(struct kymo_text *text, double value, int digits)
{
    char printed[NUMBER_ROOM];

    if (!isfinite(value)) {
        kymo_text_string(text, "null");
        return;
    }
    snprintf(printed, sizeof(printed), "%.*g", digits, value);
    text_printed(text, printed);
}

/* ---- both ---- */

#define FIXED_LEAST       1e-4     /* below, %g writes an exponent, and so does this file */
#define FIXED_LIMIT_F64   1e15     /* above, fewer digits than those of the integer may suffice */
#define FIXED_LIMIT_F32   16777216 /* 2^24, the same */
#define MANTISSA_BITS_F64 52
#define MANTISSA_BITS_F32 23

/* Zero, NaN and infinities: returns 1 if the value is one of them. JSON has no infinities: 1e999 is
 * one to every parser that reads numbers as double. */
static int text_special(struct kymo_text *text, double value)
{
    if (isnan(value))
        kymo_text_string(text, "null");
    else if (isinf(value))
        kymo_text_string(text, value < 0 ? "-1e999" : "1e999");
    else if (value == 0)
        kymo_text_string(text, signbit(value) ? "-0.0" : "0"); /* -0 would be read as an integer */
    else
        return 0;
    return 1;
}

void kymo_text_f64(struct kymo_text *text, double value)
{
    const double size = fabs(value);
    const uint64_t hidden = UINT64_C(1) << MANTISSA_BITS_F64;
    struct binary number;
    uint64_t bits;

    if (text_special(text, value))
        return;
    if (size < FIXED_LEAST || size >= FIXED_LIMIT_F64) {
        text_shortest(text, value, 0);
        return;
    }
    memcpy(&bits, &size, sizeof(bits));
    number.mantissa = (bits & (hidden - 1)) | hidden;
    number.scale = 1023 + MANTISSA_BITS_F64 - (int)(bits >> MANTISSA_BITS_F64);
    if (value < 0)
        kymo_text_append(text, "-", 1);
    text_fixed(text, &number);
}

void kymo_text_f32(struct kymo_text *text, float value)
{
    const float size = fabsf(value);
    const uint32_t hidden = UINT32_C(1) << MANTISSA_BITS_F32;
    struct binary number;
    uint32_t bits;

    if (text_special(text, (double)value))
        return;
    if (size < (float)FIXED_LEAST || size >= (float)FIXED_LIMIT_F32) {
        text_shortest(text, (double)value, 1);
        return;
    }
    memcpy(&bits, &size, sizeof(bits));
    number.mantissa = (bits & (hidden - 1)) | hidden;
    number.scale = 127 + MANTISSA_BITS_F32 - (int)(bits >> MANTISSA_BITS_F32);
    if (value < 0)
        kymo_text_append(text, "-", 1);
    text_fixed(text, &number);
}
