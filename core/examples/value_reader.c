/*
 * value_reader.c - waits for each new weather, without polling, until its writer has ended.
 */
#include "example.h"
#include "weather.h"

/* Whether more may come: the kernel's word, not a guess from silence. */
static int writer_lives(const struct kymo_reader *reader)
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
        /* Asked before the wait: what it stored before it ended is then still waited for. */
        const int lives = writer_lives(reader);
        const uint64_t deadline = kymo_clock_now(KYMO_MONOTONIC) + SECOND / 5;

        /* Sleeps until there is more than was seen. A value is what is newest: a reader that is
         * slower than the writer skips some, and record.pos says so. Who wants each record in
         * order moves a cursor along a ring instead. */
        error = kymo_value_load_wait(reader, seen, deadline, &weather, sizeof(weather), &record);
        if (error == -ETIMEDOUT && lives)
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
