/*
 * value_writer.c - stores one value repeatedly: the newest weather, for any number of readers.
 *
 * Run value_reader beside it, or: kymo watch weather
 */
#include "example.h"
#include "weather.h"

int main(void)
{
    const struct kymo_options options = {.kind = KYMO_VALUE, .schema = &weather_schema};
    struct kymo_writer *writer;
    int error = kymo_writer_open(&writer, "weather", &options);

    if (error)
        return example_fail("weather", error);
    for (int i = 0; i < 20 && !error; i++) {
        const struct weather now = {20.0 + i / 2.0, 1013.25, 7};

        /* No system call, unless a reader waits. */
        error = kymo_value_store(writer, &now, sizeof(now), kymo_clock_now(KYMO_MONOTONIC));
        example_sleep(20 * MILLISECOND);
    }
    /* The segment remains, with its last value; its state is now CLOSED. */
    kymo_writer_close(writer);
    return error ? example_fail("weather", error) : 0;
}
