/*
 * publisher.c - publishes for syscalls.sh, which counts its system calls.
 *   publisher alone N     without a waiter
 *   publisher blocked N   a reader sleeps before each record
 */
#include <kymo/kymo.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int wait_for_each(uint64_t count)
{
    struct kymo_reader *reader;
    int error = kymo_reader_open(&reader, "publisher");

    for (uint64_t seen = 0; seen < count && !error; seen++)
        error = kymo_ring_wait(reader, seen, KYMO_FOREVER);
    return error ? 1 : 0;
}

static int publish(struct kymo_writer *writer, uint64_t count, int to_sleeper)
{
    uint64_t payload[8] = {0};
    int error = 0;

    for (uint64_t i = 0; i < count && !error; i++) {
        while (to_sleeper && !(kymo_load_relaxed32(&writer->bell->word) & KYMO_BELL_WAITING))
            sched_yield();
        payload[0] = i;
        error = kymo_ring_publish(writer, payload, sizeof(payload), i, 0);
    }
    return error ? 1 : 0;
}

int main(int argc, char **argv)
{
    const struct kymo_options options = {.clock = KYMO_USER, .size = 64, .depth = 64};
    const int to_sleeper = argc == 3 && strcmp(argv[1], "blocked") == 0;
    const uint64_t count = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
    struct kymo_writer *writer;
    int status = 0;
    pid_t child = 0;

    if (argc != 3 || kymo_writer_open(&writer, "publisher", &options) != 0)
        return 2;
    if (to_sleeper)
        child = fork();
    if (to_sleeper && child == 0)
        _exit(wait_for_each(count));
    if (publish(writer, count, to_sleeper) != 0)
        return 1;
    if (to_sleeper && (waitpid(child, &status, 0) != child || status != 0))
        return 1;
    return kymo_writer_remove(writer) ? 1 : 0;
}
