/*
 * imu_queries.c - searches the IMU's history by time. Each result is exact for the window of records
 * present at the query, even beside a running writer; otherwise the query returns an error.
 */
#include "example.h"
#include "imu.h"

static void query_closest(struct imu_reader *reader, uint64_t time)
{
    struct imu_reading reading;
    struct kymo_record record;

    /* The limit detects times in the wrong unit or of another clock: no record is that close. */
    if (imu_closest(reader, time, 10 * MILLISECOND, &reading, &record) == 0)
        printf("closest: pos %llu\n", (unsigned long long)record.pos);
    if (imu_closest(reader, time / 1000, 10 * MILLISECOND, &reading, &record) == -ERANGE)
        printf("closest, time in microseconds: no record within 10 ms\n");
}

static void query_as_of(struct imu_reader *reader, uint64_t time)
{
    struct imu_reading reading;
    struct kymo_record record;

    /* The newest record that existed at that time. */
    if (imu_as_of(reader, time, &reading, &record) == 0)
        printf("as of: pos %llu\n", (unsigned long long)record.pos);
}

static void query_bracket(struct imu_reader *reader, uint64_t time)
{
    struct imu_reading before, after;
    struct kymo_bracket bracket;

    /* -EDOM if the time is before the oldest record, or after the newest: no extrapolation. */
    if (imu_bracket(reader, time, &before, &after, &bracket))
        return;
    printf("bracket: pos %llu and %llu, alpha %.2f, temperature %.3f degC\n",
           (unsigned long long)bracket.before.pos, (unsigned long long)bracket.after.pos,
           bracket.alpha,
           before.temperature + bracket.alpha * (after.temperature - before.temperature));
}

static void query_fresh(struct imu_reader *reader, uint64_t newest)
{
    struct imu_reading reading;
    struct kymo_record record;

    if (imu_fresh(reader, newest, &reading, &record) == 0)
        printf("fresh: pos %llu\n", (unsigned long long)record.pos);
    if (imu_fresh(reader, newest + 1, &reading, &record) == -ETIME)
        printf("fresher: no record yet\n");
}

static void query_range(struct imu_reader *reader, uint64_t from, uint64_t to)
{
    struct imu_reading reading;
    struct kymo_range range;
    double sum = 0;

    /* The range is one of positions. The records are then read one by one; the writer may overwrite
     * the oldest of them concurrently (-ESTALE). */
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
    query_closest(reader, newest.time - 249 * MILLISECOND);
    query_as_of(reader, newest.time - 249 * MILLISECOND);
    query_bracket(reader, newest.time - 249 * MILLISECOND);
    query_fresh(reader, newest.time);
    query_range(reader, newest.time - 100 * MILLISECOND, newest.time);
    imu_reader_close(reader);
    return 0;
}
