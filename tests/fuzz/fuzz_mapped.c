/*
 * fuzz_mapped.c - bytes that change while mapped: a segment is read, written and consumed while other stores corrupt it anywhere and its file is truncated.
 *
 * These stores occur before each operation on shared memory (sched/seam.h), controlled by the
 * input, so that a finding is repeatable. Its first byte selects the kind of segment; each further
 * byte is a number of steps without a change, or a change of the file.
 */
#include "fuzz.h"
#include "hostile.h"

#include <fcntl.h>
#include <sys/stat.h>

#define STEP_LIMIT 4000

static struct {
    struct fuzz_input input;
    struct kymo_header header;
    int fd;
    int steps; /* until the next byte */
    int total;
    int inside;
} corruptor;

static void store(uint64_t offset, const void *bytes, size_t size)
{
    cr_assert_eq(pwrite(corruptor.fd, bytes, size, (off_t)offset), (ssize_t)size);
}

/* A number of any magnitude: small ones pass more checks. */
static uint64_t likely_number(void)
{
    const uint8_t shift = fuzz_u8(&corruptor.input) % 64;

    return fuzz_u64(&corruptor.input) >> shift;
}

static uint64_t slot_offset(void)
{
    return corruptor.header.slots_offset +
           fuzz_u8(&corruptor.input) % corruptor.header.depth * corruptor.header.stride;
}

static void change(uint8_t what)
{
    const uint64_t pages = corruptor.header.file_size / corruptor.header.page_size;
    uint64_t number = likely_number();
    uint64_t offset = slot_offset();

    switch (what % 8) {
    case 0: /* any word outside of header and schema */
        offset = corruptor.header.control_offset +
                 fuzz_u16(&corruptor.input) * UINT64_C(8) %
                     (corruptor.header.file_size - corruptor.header.control_offset);
        store(offset, &number, sizeof(number));
        break;
    case 1:
        store(corruptor.header.control_offset, &number, sizeof(number));
        break;
    case 2:
        number = number % 2 + 2 * (number % 64);
        store(offset, &number, sizeof(number));
        break;
    case 3:
        store(offset + offsetof(struct kymo_slot, len), &number, sizeof(uint32_t));
        break;
    case 4:
        store(corruptor.header.times_offset + 8 * (number % corruptor.header.depth), &number,
              sizeof(number));
        break;
    case 5:
        number %= 3;
        store(corruptor.header.control_offset + offsetof(struct kymo_control, state), &number,
              sizeof(uint32_t));
        break;
    case 6:
        if (corruptor.header.consumer_offset)
            store(corruptor.header.consumer_offset, &number, sizeof(number));
        break;
    default: /* truncated, or enlarged */
        cr_assert_eq(ftruncate(corruptor.fd,
                               (off_t)(number % (pages + 1) * corruptor.header.page_size)),
                     0);
        break;
    }
}

/* May run within the handler of SIGBUS: it calls nothing but pwrite and ftruncate. */
static void step(void)
{
    uint8_t byte;

    if (corruptor.inside || corruptor.total > STEP_LIMIT || corruptor.input.left == 0)
        return;
    corruptor.total++;
    if (corruptor.steps > 0) {
        corruptor.steps--;
        return;
    }
    corruptor.inside = 1;
    byte = fuzz_u8(&corruptor.input);
    if (byte < 128)
        corruptor.steps = byte;
    else
        change(byte);
    corruptor.inside = 0;
}

/* ---- the segment ---- */

static struct kymo_writer *make_segment(const char *name, uint8_t kind)
{
    static const struct kymo_field fields[] = {
        {.name = "pos", .type = KYMO_U64, .count = 1},
        {.name = "inverse", .type = KYMO_U64, .offset = 8, .count = 1},
    };
    static const struct kymo_schema schema = {fields, 2, 16};
    const struct kymo_options options = {
        .kind = kind % 3 == 2 ? KYMO_QUEUE : KYMO_RING,
        .clock = kind & 64 ? KYMO_USER : KYMO_MONOTONIC,
        .time_policy = kind & 32 ? KYMO_CLAMP : KYMO_REJECT,
        .flags = kind % 3 == 1 ? KYMO_SHARED_WRITER : 0,
        .existing = KYMO_REPLACE,
        .depth = UINT64_C(2) << kind / 4 % 4,
        .schema = &schema,
    };
    struct kymo_writer *writer;
    char path[512];

    cr_assert_eq(kymo_writer_open(&writer, name, &options), 0);
    if (options.flags)
        kymo_writer_set_lock_timeout(writer, 0);
    for (uint64_t pos = 0; pos < 13; pos++)
        kymo_ring_publish(writer, (const uint64_t[]){pos, ~pos}, 16, 10 * pos, pos);
    snprintf(path, sizeof(path), "%s/%s", kymo_directory(), name);
    corruptor.fd = open(path, O_RDWR | O_CLOEXEC);
    cr_assert_geq(corruptor.fd, 0);
    cr_assert_eq(pread(corruptor.fd, &corruptor.header, sizeof(corruptor.header), 0),
                 (ssize_t)sizeof(corruptor.header));
    return writer;
}

static void render(const struct kymo_reader *reader)
{
    static struct kymo_metrics *metrics;
    struct kymo_text text = {0};
    int error;

    if (!metrics)
        cr_assert_eq(kymo_metrics_open(&metrics), 0);
    kymo_metrics_clear(metrics);
    error = kymo_text_info(&text, reader);
    cr_assert(error == 0 || error == -EIDRM || error == -EBADMSG || error == -EAGAIN, "%d", error);
    kymo_metrics_add(metrics, reader);
    kymo_metrics_write(metrics, &text);
    kymo_text_free(&text);
}

static void publish(struct kymo_writer *writer)
{
    const uint64_t bytes[2] = {writer->pos, ~writer->pos};
    void *payload;

    kymo_ring_publish(writer, bytes, sizeof(bytes), writer->time, 0);
    if (kymo_ring_loan(writer, &payload) == 0) {
        memcpy(payload, bytes, sizeof(bytes));
        if (kymo_ring_commit(writer, sizeof(bytes), writer->time, 0) != 0)
            kymo_ring_abort(writer);
    }
    kymo_queue_push(writer, bytes, sizeof(bytes), writer->time, 0, 0);
    kymo_writer_heartbeat(writer);
}

static void consume(struct kymo_consumer *consumer)
{
    uint64_t bytes[2];
    struct kymo_record record;
    struct kymo_view view;

    if (kymo_queue_receive(consumer, bytes, sizeof(bytes), &record) == 0)
        cr_assert_leq(record.len, sizeof(bytes));
    if (kymo_queue_receive_view(consumer, &view) == 0)
        cr_assert_leq(view.record.len, sizeof(bytes));
    kymo_queue_acknowledge(consumer);
    kymo_queue_pop(consumer, bytes, sizeof(bytes), &record, 0);
    kymo_queue_waiting(consumer);
}

static void load(struct kymo_reader *reader)
{
    uint64_t bytes[2];
    struct kymo_record record;

    expect_known(kymo_ring_latest(reader, bytes, sizeof(bytes), &record), &record, sizeof(bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int guarded;
    const char *name = fuzz_name();
    struct kymo_writer *writer;
    struct kymo_reader *reader;
    struct kymo_consumer *consumer;

    /* Installed after libFuzzer's handlers, which get all other faults. */
    if (!guarded++)
        cr_assert_eq(kymo_guard_install(), 0);
    corruptor.input = (struct fuzz_input){data, size};
    corruptor.total = corruptor.steps = 0;
    writer = make_segment(name, fuzz_u8(&corruptor.input));
    cr_assert_eq(kymo_reader_open(&reader, name), 0);
    if (kymo_consumer_open(&consumer, name) != 0)
        consumer = NULL;
    seam_hook = step;
    for (int round = 0; round < 3; round++) {
        load(reader);
        read_everything(reader);
        render(reader);
        publish(writer);
        if (consumer)
            consume(consumer);
    }
    kymo_consumer_close(consumer);
    kymo_writer_close(writer);
    load(reader);
    kymo_reader_close(reader);
    if (kymo_writer_open(&writer, name, NULL) == 0) {
        publish(writer);
        kymo_writer_close(writer);
    }
    kymo_segment_remove(name);
    seam_hook = NULL;
    close(corruptor.fd);
    fuzz_unlink(name);
    return 0;
}
