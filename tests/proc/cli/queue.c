/*
 * queue.c - a queue of u64 for the tests of the command line.
 *
 *     cli_queue make NAME DEPTH    creates an empty queue with the field n:u64
 *     cli_queue take NAME COUNT    prints and consumes COUNT records; waits for each
 */
#include <kymo/kymo.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct item {
    uint64_t n;
};

static const struct kymo_field fields[] = {KYMO_FIELD(struct item, n, "", "")};
static const struct kymo_schema schema = KYMO_SCHEMA(struct item, fields);

static int make(const char *name, uint64_t depth)
{
    const struct kymo_options options = {.kind = KYMO_QUEUE, .schema = &schema, .depth = depth};
    struct kymo_writer *writer;
    const int error = kymo_writer_open(&writer, name, &options);

    if (!error)
        kymo_writer_close(writer);
    return error;
}

static int take(const char *name, uint64_t count)
{
    struct kymo_consumer *consumer;
    struct item item;
    int error = kymo_consumer_open(&consumer, name);

    if (error)
        return error;
    for (; count && !error; count--) {
        error = kymo_queue_pop(consumer, &item, sizeof(item), NULL, KYMO_FOREVER);
        if (!error)
            printf("%" PRIu64 "\n", item.n);
    }
    kymo_consumer_close(consumer);
    return error;
}

int main(int argc, char **argv)
{
    const uint64_t number = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;
    int error = -1;

    if (argc == 4)
        error = strcmp(argv[1], "make") == 0 ? make(argv[2], number) : take(argv[2], number);
    if (error)
        fprintf(stderr, "cli_queue: %s\n", kymo_error_text(error));
    return error != 0;
}
