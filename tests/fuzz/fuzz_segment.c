/*
 * fuzz_segment.c - a file of any bytes in place of a segment: every function with a name is called
 * for it. The input is one of compact.h.
 */
#include "compact.h"
#include "hostile.h"
#include "rendered.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct compact compact;

/* Replaces the file of that name by a new inode. */
static void put_file(const char *name, struct fuzz_input *input)
{
    const size_t size = compact_expand(&compact, input);
    uint64_t length = compact.header.file_size + (uint64_t)compact.excess;
    char path[512];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", kymo_directory(), name);
    unlink(path);
    fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0, "%s", path);
    cr_assert_eq(write(fd, compact.file, size), (ssize_t)size);
    if (length != size && length <= INT64_MAX && ftruncate(fd, (off_t)length) != 0)
        cr_assert(errno == EFBIG || errno == EINVAL);
    close(fd);
}

static void expect_one_of(int error, const int *known, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (error == -known[i])
            return;
    cr_assert(error >= 0, "a surprising error: %d", error);
}

#define EXPECT(error, ...) \
    expect_one_of(error, (const int[]){__VA_ARGS__}, sizeof((int[]){__VA_ARGS__}) / sizeof(int))

static void render(const struct kymo_reader *reader)
{
    const struct kymo_schema *schema = kymo_segment_schema(reader->segment);
    const enum kymo_clock clock = kymo_segment_clock(reader->segment);
    unsigned char *payload = malloc(2 * (size_t)reader->ring.size);
    unsigned char *after = payload + reader->ring.size;
    struct kymo_record record;
    struct kymo_bracket bracket;

    cr_assert_not_null(payload);
    rendered_schema(schema);
    rendered_info(reader);
    rendered_metrics(reader);
    if (kymo_ring_latest(reader, payload, reader->ring.size, &record) == 0) {
        rendered_record(schema, clock, &record, payload);
        rendered_csv(schema, &record, payload);
        if (kymo_series_bracket(reader, record.time - 1, payload, after, reader->ring.size,
                                &bracket) == 0)
            rendered_bracket(schema, clock, record.time - 1, &bracket, payload, after);
    }
    free(payload);
}

static void try_reader(const char *name)
{
    char reason[200];
    struct kymo_reader *reader;
    struct kymo_info info;
    int error = kymo_reader_open(&reader, name);

    EXPECT(error, EBADMSG, EPROTONOSUPPORT, EIDRM, ENOMEM);
    if (error != -ENOMEM) {
        cr_assert_eq(kymo_segment_check(name, reason, sizeof(reason)), error == -EIDRM ? 0 : error);
        cr_assert_eq(kymo_segment_exists(name), error == 0 || error == -EIDRM ? 1 : error);
        cr_assert_eq(reason[0] == '\0', error == 0 || error == -EIDRM);
    }
    if (error)
        return;
    if (compact.header.file_size <= COMPACT_LIMIT) {
        read_everything(reader);
        render(reader);
    } else {
        cr_assert_eq(kymo_segment_info(reader->segment, &info), 0);
        kymo_segment_liveness(reader->segment, 0);
    }
    kymo_reader_close(reader);
}

/* After popping, the number of free slots is the depth, or a push returns -EAGAIN. */
static void try_consumer(const char *name)
{
    unsigned char buffer[4096];
    struct kymo_consumer *consumer;
    struct kymo_record record;
    struct kymo_view view;
    int error = kymo_consumer_open(&consumer, name);

    EXPECT(error, EBADMSG, EPROTONOSUPPORT, EINVAL, ENOMEM, ETIMEDOUT);
    if (error)
        return;
    kymo_queue_waiting(consumer);
    error = kymo_queue_receive(consumer, buffer, sizeof(buffer), &record);
    EXPECT(error, ENODATA, EIDRM, EMSGSIZE, EINVAL, EBADMSG);
    error = kymo_queue_receive_view(consumer, &view);
    EXPECT(error, ENODATA, EIDRM, EINVAL, EBADMSG);
    if (!error)
        cr_assert_leq(view.record.len, consumer->ring.size);
    kymo_queue_acknowledge(consumer);
    for (int i = 0; i < 3; i++) {
        error = kymo_queue_pop(consumer, buffer, sizeof(buffer), &record, 0);
        EXPECT(error, ETIMEDOUT, EPIPE, EIDRM, EMSGSIZE, EBADMSG);
        if (!error)
            cr_assert_leq(record.len, sizeof(buffer));
    }
    kymo_consumer_close(consumer);
}

static void publish(struct kymo_writer *writer)
{
    static const unsigned char bytes[8] = "fuzzing";
    const size_t len = writer->ring.size < sizeof(bytes) ? writer->ring.size : sizeof(bytes);
    void *payload;
    int error;

    error = kymo_ring_publish(writer, bytes, len, writer->time, 1);
    EXPECT(error, ENOSPC, EAGAIN, EBADMSG, ETIMEDOUT, EINVAL);
    error = kymo_ring_loan(writer, &payload);
    EXPECT(error, ENOSPC, EAGAIN, EBADMSG, ETIMEDOUT);
    if (!error) {
        memcpy(payload, bytes, len);
        error = kymo_ring_commit(writer, len, UINT64_MAX, 2);
        EXPECT(error, EBADMSG);
    }
    if (kymo_ring_loan(writer, &payload) == 0)
        kymo_ring_abort(writer);
    error = kymo_queue_push(writer, bytes, len, UINT64_MAX, 3, 0);
    EXPECT(error, EINVAL, ENOSPC, EBADMSG, ETIMEDOUT, EPIPE);
    cr_assert_eq(kymo_writer_heartbeat(writer), 0);
}

/* A writer of the same layout, then one of another layout, which replaces the segment. */
static void try_writers(const char *name)
{
    struct kymo_options options = {.clock = KYMO_USER, .size = 8, .existing = KYMO_OPEN_EXISTING};
    struct kymo_reader *reader;
    struct kymo_writer *writer;
    int error = kymo_writer_open(&writer, name, NULL);

    EXPECT(error, EBADMSG, EPROTONOSUPPORT, EEXIST, ENOMEM, ETIMEDOUT);
    if (!error) {
        if (kymo_segment_clock(writer->segment) <= KYMO_USER &&
            compact.header.file_size <= COMPACT_LIMIT)
            publish(writer);
        kymo_writer_close(writer);
    }
    error = kymo_writer_open(&writer, name, &options);
    EXPECT(error, EBADMSG, EPROTONOSUPPORT, EEXIST, ENOMEM, ETIMEDOUT);
    if (!error) {
        kymo_writer_close(writer);
        return;
    }
    if (kymo_reader_open(&reader, name) != 0)
        reader = NULL;
    options.existing = KYMO_OPEN_OR_CREATE;
    error = kymo_writer_open(&writer, name, &options);
    EXPECT(error, EBADMSG, EPROTONOSUPPORT, ENOMEM, ENOTEMPTY);
    if (!error) {
        if (reader)
            cr_assert(kymo_ring_retired(&reader->ring));
        publish(writer);
        cr_assert_eq(kymo_writer_remove(writer), 0);
    }
    kymo_reader_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *name = fuzz_name();
    struct fuzz_input input = {data, size};
    struct fuzz_input again = {data, size};
    int error;

    put_file(name, &input);
    try_reader(name);
    try_consumer(name);
    try_writers(name);
    put_file(name, &again);
    error = kymo_segment_reap(name);
    EXPECT(error, EBADMSG, EPROTONOSUPPORT, ENOMEM);
    error = kymo_segment_remove(name);
    EXPECT(error, ENOENT, EBADMSG, EPROTONOSUPPORT, ENOMEM);
    fuzz_unlink(name);
    return 0;
}
