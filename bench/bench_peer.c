/*
 * bench_peer.c - a store and a load through kymo, against other IPC: a shared file, a pipe, a Unix
 * socket, a POSIX message queue, an eventfd.
 *
 * One thread at both ends excludes the scheduler. A channel smaller than a record is filled and
 * emptied in turn.
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"
#include "rows.h"

enum channel { RAW, PIPE, SOCKET, QUEUE, EVENT };

/* Requested buffer of a pipe or socket, and bytes per write. */
#define BUFFER_SIZE 65536u
#define CHUNK       32768u

struct peer {
    struct bench_pair pair;
    enum channel channel;
    int ends[2];                /* written to, read from */
    uint64_t chunk;             /* bytes per write */
    unsigned char *shared;      /* RAW, EVENT: one record, the writer's mapping */
    unsigned char *reader_view; /* the reader's mapping */
};

/* ---- other IPC ---- */

static void share_file(struct peer *peer)
{
    char path[160];
    int file;

    snprintf(path, sizeof(path), "%s/raw", kymo_directory());
    file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bench_require(file < 0 ? -errno : 0, path);
    unlink(path);
    bench_require(-posix_fallocate(file, 0, (off_t)peer->pair.size), "allocating shared memory");
    peer->shared =
        mmap(NULL, peer->pair.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
    peer->reader_view = mmap(NULL, peer->pair.size, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
    bench_require(peer->shared == MAP_FAILED || peer->reader_view == MAP_FAILED ? -errno : 0,
                  "mapping shared memory");
    close(file);
}

static int open_pipe(struct peer *peer)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    fcntl(ends[1], F_SETPIPE_SZ, BUFFER_SIZE);
    peer->ends[0] = ends[1];
    peer->ends[1] = ends[0];
    peer->chunk = CHUNK;
    return 0;
}

static int open_socket(struct peer *peer)
{
    const int bytes = 4 * BUFFER_SIZE;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, peer->ends) != 0)
        return -errno;
    setsockopt(peer->ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    peer->chunk = CHUNK;
    return 0;
}

static int open_queue(struct peer *peer)
{
    struct mq_attr attributes = {.mq_maxmsg = 2, .mq_msgsize = 8192};
    char name[32];

    if (peer->pair.size < 8192)
        attributes.mq_msgsize = (long)peer->pair.size;
    snprintf(name, sizeof(name), "/kymo-bench-%d", (int)getpid());
    peer->ends[0] = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attributes);
    if (peer->ends[0] < 0)
        return bench_skip("no POSIX message queues here: %s", strerror(errno));
    mq_unlink(name);
    peer->ends[1] = -1;
    peer->chunk = (uint64_t)attributes.mq_msgsize;
    return 0;
}

/* The eventfd notifies; a shared file holds the record. */
static int open_event(struct peer *peer)
{
    peer->ends[0] = eventfd(0, EFD_CLOEXEC);
    peer->ends[1] = -1;
    share_file(peer);
    return peer->ends[0] < 0 ? -errno : 0;
}

static int open_channel(struct peer *peer)
{
    peer->ends[0] = peer->ends[1] = -1;
    switch (peer->channel) {
    case PIPE:
        return open_pipe(peer);
    case SOCKET:
        return open_socket(peer);
    case QUEUE:
        return open_queue(peer);
    case EVENT:
        return open_event(peer);
    case RAW:
        break;
    }
    share_file(peer);
    return 0;
}

static inline void whole(ssize_t done, uint64_t size)
{
    bench_require(done == (ssize_t)size ? 0 : done < 0 ? -errno : -EIO, "passing a record");
}

static void pass_stream(const struct peer *peer, const unsigned char *record)
{
    const struct bench_data *data = &peer->pair.data;

    for (uint64_t done = 0, part; done < data->size; done += part) {
        part = data->size - done < peer->chunk ? data->size - done : peer->chunk;
        whole(write(peer->ends[0], record + done, part), part);
        whole(read(peer->ends[1], data->copy + done, part), part);
    }
}

static void pass_queue(const struct peer *peer, const unsigned char *record)
{
    const struct bench_data *data = &peer->pair.data;
    unsigned char last[8192];

    for (uint64_t done = 0, part; done < data->size; done += part) {
        const int full = data->size - done >= peer->chunk;

        part = full ? peer->chunk : data->size - done;
        whole(mq_send(peer->ends[0], (const char *)record + done, part, 0), 0);
        whole(mq_receive(peer->ends[0], full ? (char *)data->copy + done : (char *)last,
                         peer->chunk, NULL),
              part);
        if (!full)
            memcpy(data->copy + done, last, part);
    }
}

static void pass_memory(const struct peer *peer, const unsigned char *record)
{
    const struct bench_data *data = &peer->pair.data;

    memcpy(peer->shared, record, bench_hidden(data->size));
    bench_barrier();
    memcpy(data->copy, peer->reader_view, bench_hidden(data->size));
}

static void pass_event(const struct peer *peer, const unsigned char *record)
{
    const struct bench_data *data = &peer->pair.data;
    uint64_t one = 1;

    memcpy(peer->shared, record, bench_hidden(data->size));
    whole(write(peer->ends[0], &one, sizeof(one)), sizeof(one));
    whole(read(peer->ends[0], &one, sizeof(one)), sizeof(one));
    memcpy(data->copy, peer->reader_view, bench_hidden(data->size));
}

static uint64_t run_peer(void *context, uint64_t count)
{
    static void (*const passes[])(const struct peer *,
                                  const unsigned char *) = {pass_memory, pass_stream, pass_stream,
                                                            pass_queue, pass_event};
    const struct peer *peer = context;
    const struct bench_data *data = &peer->pair.data;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        passes[peer->channel](peer, bench_record(data, i));
        sum += bench_marked(data->copy, data->size);
    }
    return sum;
}

/* ---- kymo ---- */

static uint64_t run_kymo(void *context, uint64_t count)
{
    struct bench_pair *pair = &((struct peer *)context)->pair;
    const struct bench_data *data = &pair->data;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_require(kymo_ring_publish(pair->writer, bench_record(data, i), data->size,
                                        ++pair->time, i),
                      "publishing");
        bench_require(kymo_ring_latest(pair->reader, data->copy, data->size, NULL), "reading");
        sum += bench_marked(data->copy, data->size);
    }
    return sum;
}

/* ---- rows ---- */

static void close_peer(void *context)
{
    struct peer *peer = context;

    for (int i = 0; i < 2; i++)
        if (peer->ends[i] >= 0)
            close(peer->ends[i]);
    if (peer->shared)
        bench_memory_free(peer->shared, peer->pair.size);
    if (peer->reader_view)
        bench_memory_free(peer->reader_view, peer->pair.size);
    bench_pair_close(&peer->pair);
    free(peer);
}

static int open_peer(const struct bench_row *row, void **context, enum channel channel)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    int status;

    bench_require(peer ? 0 : -ENOMEM, row->name);
    peer->channel = channel;
    status = bench_pair_open(row, &peer->pair);
    if (status) {
        free(peer);
        return status;
    }
    bench_pair_fill(&peer->pair, 1, 0);
    status = open_channel(peer);
    if (status)
        close_peer(peer);
    *context = peer;
    return status;
}

#define OPEN(function, channel)                                      \
    static int function(const struct bench_row *row, void **context) \
    {                                                                \
        return open_peer(row, context, channel);                     \
    }

OPEN(open_against_raw, RAW)
OPEN(open_against_pipe, PIPE)
OPEN(open_against_socket, SOCKET)
OPEN(open_against_queue, QUEUE)
OPEN(open_against_event, EVENT)

#define ROW(channel, what, bytes, slots)                                                         \
    {                                                                                            \
        .name = "store+load-against-" #channel, .against = what, .size = (bytes),                \
        .depth = (slots), .open = open_against_##channel, .run = run_kymo, .baseline = run_peer, \
        .close = close_peer, .same_sum = 1                                                       \
    }
#define SIZES(channel, what)                                                                \
    ROW(channel, what, 64, 2), ROW(channel, what, 4096, 2), ROW(channel, what, 1 << 20, 2), \
        ROW(channel, what, 6 << 20, 2)

const struct bench_row bench_peer_rows[] = {
    SIZES(raw, "shared memory without a protocol"),
    SIZES(pipe, "write and read of a pipe"),
    SIZES(socket, "write and read of a Unix socket"),
    SIZES(queue, "send and receive of a POSIX message queue"),
    SIZES(event, "shared memory and an eventfd"),
    {.name = NULL},
};
