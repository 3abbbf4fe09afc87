/*
 * time.c - instants and durations as text, written and parsed: integers of nanoseconds throughout,
 * independent of locale and rounding.
 */
#include <errno.h>

#include "text_internal.h"

#define NS_PER_SECOND   UINT64_C(1000000000)
#define SECONDS_PER_DAY 86400

/* In ascending order. kymo_text_duration chooses from the same units. */
static const struct {
    char text[4];
    uint64_t ns;
} units[] = {
    {"ns", 1},
    {"us", 1000},
    {"ms", 1000000},
    {"s", NS_PER_SECOND},
    {"min", 60 * NS_PER_SECOND},
    {"h", 3600 * NS_PER_SECOND},
    {"d", SECONDS_PER_DAY *NS_PER_SECOND},
};

#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ---- the calendar ---- */

/*
 * Years start in March, so that a leap day is the last day of one; an era of 400 years has 146097
 * days. Month m of such a year starts on day (153 * m + 2) / 5. Days count from 1970-01-01, which
 * is day 719468 of the era that starts in March of the year 0.
 */
#define DAYS_PER_ERA     146097
#define DAYS_BEFORE_1970 719468

struct date {
    uint32_t year; /* from 0 */
    uint32_t month;
    uint32_t day;
};

static int64_t days_from_date(const struct date *date)
{
    /* One era more keeps January of the year 0 positive. */
    uint32_t year = date->year + 400 - (date->month <= 2);
    uint32_t month = (date->month + 9) % 12;
    uint32_t days = year * 365 + year / 4 - year / 100 + year / 400;

    days += (153 * month + 2) / 5 + date->day - 1;
    return (int64_t)days - DAYS_PER_ERA - DAYS_BEFORE_1970;
}

static struct date date_from_days(uint64_t days_since_1970)
{
    const uint64_t days = days_since_1970 + DAYS_BEFORE_1970;
    const uint32_t in_era = (uint32_t)(days % DAYS_PER_ERA);
    const uint32_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    const uint32_t in_year = in_era - (year * 365 + year / 4 - year / 100);
    const uint32_t month = (5 * in_year + 2) / 153;
    struct date date;

    date.day = in_year - (153 * month + 2) / 5 + 1;
    date.month = month < 10 ? month + 3 : month - 9;
    date.year = (uint32_t)(days / DAYS_PER_ERA) * 400 + year + (date.month <= 2);
    return date;
}

static uint32_t days_of_month(uint32_t year, uint32_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const int is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && is_leap ? 29 : days[month - 1];
}

/* ---- writing ---- */

void kymo_text_when(struct kymo_text *text, uint64_t realtime)
{
    const uint64_t seconds = realtime / NS_PER_SECOND;
    const uint32_t in_day = (uint32_t)(seconds % SECONDS_PER_DAY);
    const struct date date = date_from_days(seconds / SECONDS_PER_DAY);

    kymo_text_printf(text, "%04u-%02u-%02uT%02u:%02u:%02u.%09uZ", date.year, date.month, date.day,
                     in_day / 3600, in_day / 60 % 60, in_day % 60,
                     (uint32_t)(realtime % NS_PER_SECOND));
}

/* The number of decimals that make six digits with those of `whole`. */
static int decimals_for(uint64_t whole)
{
    int decimals = 6;

    for (; whole > 0 && decimals > 0; whole /= 10)
        decimals--;
    return decimals;
}

void kymo_text_duration(struct kymo_text *text, uint64_t ns)
{
    size_t unit = UNIT_COUNT - 1;
    uint64_t whole, fraction, power = 1;
    int decimals;

    while (unit > 0 && ns < units[unit].ns)
        unit--;
    whole = ns / units[unit].ns;
    decimals = decimals_for(whole);
    for (int i = 0; i < decimals; i++)
        power *= 10;
    /* The remainder of a day in ns times 10^5 still fits. */
    fraction = (ns % units[unit].ns * power + units[unit].ns / 2) / units[unit].ns;
    whole += fraction / power;
    fraction %= power;
    if (unit + 1 < UNIT_COUNT && whole * units[unit].ns == units[unit + 1].ns) {
        whole = 1;
        unit++;
    }
    for (; decimals > 0 && fraction % 10 == 0; decimals--)
        fraction /= 10;
    kymo_text_u64(text, whole);
    if (decimals > 0)
        kymo_text_printf(text, ".%0*u", decimals, (uint32_t)fraction);
    kymo_text_string(text, ns == 0 ? "s" : units[unit].text);
}

/* ---- parsing: the parse_ functions advance *at past what they parsed ---- */

/* A sum of ns that may exceed 64 bits: the overflow is recorded, and the rest of the text is still
 * parsed, since a syntax error takes precedence. */
struct instant {
    uint64_t ns;
    int is_out;
};

static void instant_add(struct instant *instant, uint64_t ns)
{
    instant->is_out |= __builtin_add_overflow(instant->ns, ns, &instant->ns);
}

static void instant_scale(struct instant *instant, uint64_t factor)
{
    instant->is_out |= __builtin_mul_overflow(instant->ns, factor, &instant->ns);
}

static int instant_result(const struct instant *instant, uint64_t *ns)
{
    if (instant->is_out)
        return -ERANGE;
    *ns = instant->ns;
    return 0;
}

/* One digit or more; sets the overflow flag if the number does not fit. */
static int parse_digits(const char **at, struct instant *number)
{
    *number = (struct instant){0};
    if (!is_digit(**at))
        return -EINVAL;
    for (; is_digit(**at); ++*at) {
        instant_scale(number, 10);
        instant_add(number, (uint64_t)(**at - '0'));
    }
    return 0;
}

/* The digits in [begin, end) after a decimal point, of a unit of that many ns, truncated to ns. */
static uint64_t fraction_of(const char *begin, const char *end, uint64_t unit)
{
    uint64_t ns = 0;

    /* From the last: truncation at each step equals one truncation at the end. */
    while (end > begin)
        ns = (ns + (uint64_t)(*--end - '0') * unit) / 10;
    return ns;
}

/* "." and digits, if there is a point; [*begin, *end) are the digits. */
static int parse_point(const char **at, const char **begin, const char **end)
{
    *begin = *end = *at;
    if (**at != '.')
        return 0;
    *begin = ++*at;
    while (is_digit(**at))
        ++*at;
    *end = *at;
    return *end > *begin ? 0 : -EINVAL;
}

/* The unit, which must be the rest of the text. */
static int parse_unit(const char *at, uint64_t *ns)
{
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (strcmp(at, units[i].text) == 0) {
            *ns = units[i].ns;
            return 0;
        }
    }
    return -EINVAL;
}

/* A number with a unit, or an integer of ns, up to the end of the text. */
static int parse_amount(const char *at, struct instant *amount)
{
    const char *begin, *end;
    uint64_t unit;

    if (parse_digits(&at, amount))
        return -EINVAL;
    if (*at == '\0')
        return 0;
    if (parse_point(&at, &begin, &end) || parse_unit(at, &unit))
        return -EINVAL;
    instant_scale(amount, unit);
    instant_add(amount, fraction_of(begin, end, unit));
    return 0;
}

int kymo_duration_parse(const char *text, uint64_t *ns)
{
    struct instant amount;

    if (parse_amount(text, &amount))
        return -EINVAL;
    return instant_result(&amount, ns);
}

/* A sign and an amount relative to now, but not before the clock's 0; or nothing: now. */
static int parse_relative(const char *at, uint64_t now, uint64_t *time)
{
    struct instant amount;
    struct instant instant = {.ns = now};

    if (*at == '\0') {
        *time = now;
        return 0;
    }
    if ((*at != '-' && *at != '+') || parse_amount(at + 1, &amount))
        return -EINVAL;
    if (*at == '-') {
        /* "-1h" is valid on a machine that has been up for a minute. */
        *time = amount.is_out || amount.ns > now ? 0 : now - amount.ns;
        return 0;
    }
    instant_add(&instant, amount.ns);
    instant.is_out |= amount.is_out;
    return instant_result(&instant, time);
}

/* ---- RFC 3339 ---- */

/* Exactly that many digits, then `behind`, unless that is 0. */
static int parse_part(const char **at, int digits, char behind, uint32_t *part)
{
    *part = 0;
    for (; digits > 0; digits--, ++*at) {
        if (!is_digit(**at))
            return -EINVAL;
        *part = *part * 10 + (uint32_t)(**at - '0');
    }
    if (behind && *(*at)++ != behind)
        return -EINVAL;
    return 0;
}

static int parse_date(const char **at, int64_t *days)
{
    struct date date;

    if (parse_part(at, 4, '-', &date.year) || parse_part(at, 2, '-', &date.month) ||
        parse_part(at, 2, 0, &date.day))
        return -EINVAL;
    if (date.month < 1 || date.month > 12 || date.day < 1 ||
        date.day > days_of_month(date.year, date.month))
        return -EINVAL;
    *days = days_from_date(&date);
    return 0;
}

/* Seconds since midnight. A leap second is allowed, and is the first second of the next minute, as
 * in POSIX. */
static int parse_clock(const char **at, int64_t *seconds)
{
    uint32_t hour, minute, second;

    if (parse_part(at, 2, ':', &hour) || parse_part(at, 2, ':', &minute) ||
        parse_part(at, 2, 0, &second))
        return -EINVAL;
    if (hour > 23 || minute > 59 || second > 60)
        return -EINVAL;
    *seconds = (int64_t)(hour * 3600 + minute * 60 + second);
    return second < 60 ? 0 : 1;
}

/* The offset of local time from UTC, seconds. */
static int parse_zone(const char **at, int64_t *seconds)
{
    const char sign = *(*at)++;
    uint32_t hours, minutes;

    *seconds = 0;
    if (sign == 'Z' || sign == 'z')
        return 0;
    if ((sign != '+' && sign != '-') || parse_part(at, 2, ':', &hours) ||
        parse_part(at, 2, 0, &minutes) || hours > 23 || minutes > 59)
        return -EINVAL;
    *seconds = (int64_t)(hours * 3600 + minutes * 60);
    if (sign == '-')
        *seconds = -*seconds;
    return 0;
}

static int parse_when(const char *at, uint64_t *time)
{
    const char *begin, *end;
    struct instant instant = {0};
    int64_t days, seconds, ahead;
    int leap;

    if (parse_date(&at, &days) || (*at != 'T' && *at != 't' && *at != ' '))
        return -EINVAL;
    at++;
    leap = parse_clock(&at, &seconds);
    if (leap < 0 || parse_point(&at, &begin, &end) || parse_zone(&at, &ahead) || *at != '\0')
        return -EINVAL;
    seconds += days * SECONDS_PER_DAY - ahead;
    /* Leap seconds are the last of a day in UTC. */
    if (leap && seconds % SECONDS_PER_DAY != 0)
        return -EINVAL;
    if (seconds < 0)
        return -ERANGE;
    instant_add(&instant, (uint64_t)seconds);
    instant_scale(&instant, NS_PER_SECOND);
    instant_add(&instant, fraction_of(begin, end, NS_PER_SECOND));
    return instant_result(&instant, time);
}

/* Only a date starts with "dddd-". */
static int is_when(const char *text)
{
    uint32_t year;

    return parse_part(&text, 4, '-', &year) == 0;
}

int kymo_time_parse(const char *text, enum kymo_clock clock, uint64_t now, uint64_t *time)
{
    const int is_now = strncmp(text, "now", 3) == 0;

    if (is_now || *text == '-' || *text == '+')
        return clock == KYMO_USER ? -EINVAL : parse_relative(text + (is_now ? 3 : 0), now, time);
    if (is_when(text))
        return clock == KYMO_REALTIME ? parse_when(text, time) : -EINVAL;
    return kymo_duration_parse(text, time);
}
