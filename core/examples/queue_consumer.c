/*
 * queue_consumer.c - receives jobs, does each, and acknowledges it: a job whose consumer died before the
 * acknowledgement is delivered again, to the next consumer.
 */
#include "example.h"
#include "job.h"

/* The queue exists once its producer has opened it. */
static int open_queue(struct job_consumer **consumer)
{
    const uint64_t deadline = kymo_clock_now(KYMO_MONOTONIC) + 10 * SECOND;
    int error = job_consumer_open(consumer, "jobs");

    while (error == -ENOENT && kymo_clock_now(KYMO_MONOTONIC) < deadline) {
        example_sleep(10 * MILLISECOND);
        error = job_consumer_open(consumer, "jobs");
    }
    return error;
}

/* Waits for the next job. job_pop would also acknowledge it, before it is done. */
static int next_job(struct job_consumer *consumer, struct job *job)
{
    int error = job_wait(consumer, kymo_clock_now(KYMO_MONOTONIC) + 10 * SECOND);

    return error ? error : job_receive(consumer, job, NULL);
}

int main(void)
{
    struct job_consumer *consumer;
    double booked = 0;
    uint32_t done = 0;
    struct job job;
    int error = open_queue(&consumer);

    if (error)
        return example_fail("jobs", error);
    while ((error = next_job(consumer, &job)) == 0) {
        if (job.number != done)
            printf("job %u came after %u\n", job.number, done);
        booked += job.amount;
        done = job.number + 1;
        /* The job is done: its slot is free for the producer. */
        job_acknowledge(consumer);
    }
    job_consumer_close(consumer);
    /* -EPIPE: all jobs are consumed, and the producer has ended. */
    if (error != -EPIPE)
        return example_fail("jobs", error);
    printf("%u jobs, %.2f EUR\n", done, booked);
    return 0;
}
