/*
 * value_reader.c - waits for each new value, without polling, until its writer has ended.
 */
#include "example.h"
#include "weather.h"

/* Whether the writer's process is running, from the kernel lock that only a running writer holds. */
static int writer_is_alive(const struct kymo_reader *reader)
{
    return kymo_segment_liveness(reader->segment, KYMO_FOREVER) == KYMO_LIVE_ALIVE;
}

int main(void)
{
    struct kymo_reader *reader;
    struct kymo_record record;
    struct weather weather;
    uint64_t seen = 0;
    int error = example_open(&reader, "weather");

    if (error)
        return example_fail("weather", error);
    for (;;) {
        /* Before the wait, so that a value stored just before the writer ended is not lost. */
        const int alive = writer_is_alive(reader);
        const uint64_t deadline = kymo_clock_now(KYMO_MONOTONIC) + SECOND / 5;

        /* Sleeps until a newer value is stored. A reader that is slower than the writer skips
         * values; the gaps in record.pos show how many. To read every record, use a ring and a
         * cursor. */
        error = kymo_value_load_wait(reader, seen, deadline, &weather, sizeof(weather), &record);
        if (error == -ETIMEDOUT && alive)
            continue;
        if (error)
            break;
        seen = record.pos + 1;
        printf("%llu: %.1f degC, %.2f hPa\n", (unsigned long long)record.pos, weather.temperature,
               weather.pressure);
    }
    kymo_reader_close(reader);
    if (error != -ETIMEDOUT)
        return example_fail("weather", error);
    printf("the writer has ended\n");
    return 0;
}
