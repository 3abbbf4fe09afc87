/*
 * queue_producer.c - hands jobs over to queue_consumer: none is lost, and a full queue makes the
 * producer wait.
 */
#include "example.h"
#include "job.h"

#define JOBS 100

int main(void)
{
    const struct kymo_options options = {.kind = KYMO_QUEUE, .depth = 8, .schema = &job_schema};
    struct kymo_writer *writer;
    int error = kymo_writer_open(&writer, "jobs", &options);

    if (error)
        return example_fail("jobs", error);
    for (uint32_t i = 0; i < JOBS && !error; i++) {
        const struct job job = {.number = i, .amount = 2.5 * i};
        const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);

        /* Waits for room. -EPIPE: full, and the consumer has died; what it did not acknowledge
         * waits for the next one. */
        error = kymo_queue_push(writer, &job, sizeof(job), now, 0, now + 10 * SECOND);
    }
    /* What is still in the queue stays there until it is consumed. */
    kymo_writer_close(writer);
    return error ? example_fail("jobs", error) : 0;
}
