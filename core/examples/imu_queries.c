/*
 * imu_queries.c - asks the IMU's history about instants. Each answer is exact for the window of
 * records that the question found, however fast the writer goes on; else it is an error.
 */
#include "example.h"
#include "imu.h"

static void ask_closest(struct imu_reader *reader, uint64_t time)
{
    struct imu_reading reading;
    struct kymo_record record;

    /* The limit catches times in the wrong unit or of another clock: nothing is that close. */
    if (imu_closest(reader, time, 10 * MILLISECOND, &reading, &record) == 0)
        printf("closest: pos %llu\n", (unsigned long long)record.pos);
    if (imu_closest(reader, time / 1000, 10 * MILLISECOND, &reading, &record) == -ERANGE)
        printf("closest to the same in microseconds: nothing within 10 ms\n");
}

static void ask_as_of(struct imu_reader *reader, uint64_t time)
{
    struct imu_reading reading;
    struct kymo_record record;

    /* What a program knew then: never a record from after that time. */
    if (imu_as_of(reader, time, &reading, &record) == 0)
        printf("as of: pos %llu\n", (unsigned long long)record.pos);
}

static void ask_bracket(struct imu_reader *reader, uint64_t time)
{
    struct imu_reading before, after;
    struct kymo_bracket bracket;

    /* -EDOM where it lies outside the history: that would not be interpolation. */
    if (imu_bracket(reader, time, &before, &after, &bracket))
        return;
    printf("bracket: pos %llu and %llu, alpha %.2f, temperature %.3f degC\n",
           (unsigned long long)bracket.before.pos, (unsigned long long)bracket.after.pos,
           bracket.alpha,
           before.temperature + bracket.alpha * (after.temperature - before.temperature));
}

static void ask_fresh(struct imu_reader *reader, uint64_t newest)
{
    struct imu_reading reading;
    struct kymo_record record;

    if (imu_fresh(reader, newest, &reading, &record) == 0)
        printf("fresh: pos %llu\n", (unsigned long long)record.pos);
    if (imu_fresh(reader, newest + 1, &reading, &record) == -ETIME)
        printf("fresher: not yet\n");
}

static void ask_range(struct imu_reader *reader, uint64_t from, uint64_t to)
{
    struct imu_reading reading;
    struct kymo_range range;
    double sum = 0;

    /* Positions: the records are then read one by one, and a busy writer may take the oldest of
     * them away meanwhile (-ESTALE). */
    if (kymo_series_range(&reader->untyped, from, to, &range))
        return;
    for (uint64_t pos = range.first; pos < range.first + range.count; pos++)
        if (imu_at(reader, pos, &reading, NULL) == 0)
            sum += reading.temperature;
    printf("range: %llu records, mean temperature %.3f degC\n", (unsigned long long)range.count,
           sum / (double)range.count);
}

int main(void)
{
    struct imu_reading reading;
    struct kymo_record newest;
    struct imu_reader *reader;
    int error = imu_reader_open(&reader, "imu");

    if (!error)
        error = imu_latest(reader, &reading, &newest);
    if (error)
        return example_fail("imu", error);
    ask_closest(reader, newest.time - 249 * MILLISECOND);
    ask_as_of(reader, newest.time - 249 * MILLISECOND);
    ask_bracket(reader, newest.time - 249 * MILLISECOND);
    ask_fresh(reader, newest.time);
    ask_range(reader, newest.time - 100 * MILLISECOND, newest.time);
    imu_reader_close(reader);
    return 0;
}
