/*
 * queue_producer.c - passes jobs to queue_consumer: none is lost, and a full queue blocks the producer.
 */
#include "example.h"
#include "job.h"

#define JOBS 100

int main(void)
{
    const struct kymo_options options = {.depth = 8};
    struct job_writer *writer;
    int error = job_writer_open(&writer, "jobs", &options);

    if (error)
        return example_fail("jobs", error);
    for (uint32_t i = 0; i < JOBS && !error; i++) {
        const struct job job = {.number = i, .amount = 2.5 * i};
        const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);

        /* Waits for a free slot. -EPIPE: full, and the consumer has ended; the records that it did
         * not acknowledge are delivered to the next consumer. */
        error = job_push(writer, &job, now, 0, now + 10 * SECOND);
    }
    /* Records left in the queue stay there until a consumer acknowledges them. */
    job_writer_close(writer);
    return error ? example_fail("jobs", error) : 0;
}
