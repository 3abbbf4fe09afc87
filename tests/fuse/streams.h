/*
 * streams.h - what the cases of streams.c share: checks, segments, and reads of streams.
 */
#ifndef KYMO_TEST_STREAMS_H
#define KYMO_TEST_STREAMS_H

#include <stdint.h>
#include <sys/types.h>

#include <kymo/kymo.h>

void check(int holds, const char *format, ...);
_Noreturn void fail(const char *what, int error);
void pause_ms(long ms);

struct kymo_writer *writer_of(const char *name, uint64_t depth, uint32_t size, uint32_t mode,
                              enum kymo_existing existing);
/* Records of 8 bytes, mode 0644; replaces an existing segment. */
struct kymo_writer *new_writer(const char *name, uint64_t depth);
void publish(struct kymo_writer *writer, int count);
void remove_segment(struct kymo_writer *writer);

int open_stream(const char *name, int flags);

/* What has been read from a stream so far. */
struct received {
    uint64_t lines;
    uint64_t missed;
    uint64_t next;   /* the position after the last */
    uint64_t broken; /* lines that were incomplete, or out of order */
};

/* One line, without its "\n"; the position must be the expected one. */
void receive_line(struct received *received, const char *line);
void receive(struct received *received, char *text);
/* Reads once; the result must be complete lines, as the records are short. Returns the result of read(). */
ssize_t read_lines(int fd, struct received *received);
void read_to_the_end(int fd, struct received *received);
int is_empty(int fd);
/* The events of poll(), or 0. */
int readable(int fd, int timeout);

struct publishing {
    struct kymo_writer *writer;
    int count;
    int burst; /* records between two pauses of 200 us */
};

/* The start routine of a thread; its argument is a struct publishing. */
void *publish_slowly(void *context);

/* Cases: see streams.c. */
void case_order(void);
void case_missed(void);
void case_large(void);
void case_bytes(void);
void case_nonblock(void);
void case_seekable(void);
void case_polls(void);
void case_epoll_level(void);
void case_epoll_edge(void);
void case_signals(void);
void case_threads(void);
void case_killed(void);
void case_many(void);
void case_replaced(void);
void case_access_revoked(void);
void case_removed(void);
void case_truncated(void);
void many_readers(const char *daemon, int count);

#endif
