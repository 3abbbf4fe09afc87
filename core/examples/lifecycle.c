/*
 * lifecycle.c - the states of a segment as a reader sees them: alive, stalled, dead, reaped, created
 * again, closed, replaced under the reader, removed.
 */
#include "example.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct kymo_options options = {.size = 8};

/* Prints a state or an error, and exits unless it is the expected one. */
static void expect(const char *what, int got, int expected)
{
    printf("%s: %s\n", what, got < 0 ? kymo_error_text(got) : kymo_liveness_text(got));
    if (got == expected)
        return;
    fprintf(stderr, "kymo: lifecycle: not as expected\n");
    exit(1);
}

static int liveness(const struct kymo_reader *reader, uint64_t limit)
{
    return kymo_segment_liveness(reader->segment, limit);
}

/* Starts a process that publishes once, reports this through the pipe, and then only sleeps. */
static pid_t start_writer(void)
{
    struct kymo_writer *writer;
    int ready[2];
    pid_t child;
    char byte;

    if (pipe(ready) != 0 || (child = fork()) < 0)
        exit(1);
    if (child == 0) {
        if (kymo_writer_open(&writer, "lifecycle", &options) == 0 &&
            kymo_ring_publish(writer, "12345678", 8, kymo_clock_now(KYMO_MONOTONIC), 0) == 0 &&
            write(ready[1], "!", 1) == 1)
            pause();
        _exit(1);
    }
    if (read(ready[0], &byte, 1) != 1)
        exit(1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static void live_and_die(void)
{
    const pid_t child = start_writer();
    struct kymo_reader *reader;

    if (kymo_reader_open(&reader, "lifecycle"))
        exit(1);
    /* ALIVE: a running process holds the writer's kernel lock. STALLED: it does, but has neither
     * published nor called kymo_writer_heartbeat within the limit. */
    expect("while it runs", liveness(reader, KYMO_FOREVER), KYMO_LIVE_ALIVE);
    example_sleep(50 * MILLISECOND);
    expect("silent for 50 ms", liveness(reader, 10 * MILLISECOND), KYMO_LIVE_STALLED);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    expect("killed", liveness(reader, KYMO_FOREVER), KYMO_LIVE_DEAD);
    /* The records of a dead writer remain readable. Reaping removes the segment: returns 1. */
    if (kymo_segment_reap("lifecycle") != 1)
        exit(1);
    expect("reaped", liveness(reader, KYMO_FOREVER), -EIDRM);
    kymo_reader_close(reader);
}

static void replace_and_remove(void)
{
    struct kymo_options again = options;
    struct kymo_writer *writer;
    struct kymo_reader *reader;
    char payload[8];

    again.existing = KYMO_REPLACE;
    if (kymo_writer_open(&writer, "lifecycle", &again) || kymo_reader_open(&reader, "lifecycle"))
        exit(1);
    kymo_writer_close(writer);
    expect("ended cleanly", liveness(reader, KYMO_FOREVER), KYMO_LIVE_CLOSED);
    /* A new generation takes the name; a reader of the old one gets -EIDRM. */
    if (kymo_writer_open(&writer, "lifecycle", &again))
        exit(1);
    expect("replaced", kymo_ring_latest(reader, payload, sizeof(payload), NULL), -EIDRM);
    kymo_reader_close(reader);
    if (kymo_reader_open(&reader, "lifecycle"))
        exit(1);
    expect("opened again", kymo_ring_latest(reader, payload, sizeof(payload), NULL), -ENODATA);
    if (kymo_writer_remove(writer) || kymo_segment_exists("lifecycle") != 0)
        exit(1);
    expect("removed", liveness(reader, KYMO_FOREVER), -EIDRM);
    kymo_reader_close(reader);
}

int main(void)
{
    live_and_die();
    replace_and_remove();
    return 0;
}
