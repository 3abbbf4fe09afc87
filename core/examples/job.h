/*
 * job.h - the record that queue_producer passes to queue_consumer.
 */
#ifndef KYMO_EXAMPLE_JOB_H
#define KYMO_EXAMPLE_JOB_H

#include <kymo/kymo.h>

struct job {
    uint32_t number;
    double amount;
};

static const struct kymo_field job_fields[] = {
    KYMO_FIELD(struct job, number, "", "counts from 0"),
    KYMO_FIELD(struct job, amount, "EUR", "to be booked"),
};
static const struct kymo_schema job_schema = KYMO_SCHEMA(struct job, job_fields);

/* Defines struct job_writer, struct job_consumer, job_push(), job_receive() and so on. */
KYMO_QUEUE_TYPE_SCHEMA(job, struct job, job_schema);

#endif
