/*
 * render_fixture.c - the one registry of a test, and requests to it.
 */
#include "render_fixture.h"

#include <fcntl.h>

struct registry *registry;

static void ignore_change(void *context, const char *name)
{
    (void)context;
    (void)name;
}

void open_fixture(void)
{
    static const struct registry_listener listener = {NULL, ignore_change, NULL};

    private_directory_make();
    cr_assert_eq(registry_open(&registry, &listener), 0);
}

void close_fixture(void)
{
    registry_close(registry);
    private_directory_remove();
}

void publish_next(struct kymo_writer *writer, uint64_t count)
{
    static unsigned char payload[65536];

    for (uint64_t i = 0; i < count; i++) {
        const uint64_t n = writer->pos;

        memcpy(payload, &n, sizeof(n));
        cr_assert_eq(kymo_ring_publish(writer, payload, writer->ring.size, 10 * n, n), 0);
    }
}

struct kymo_writer *open_writer(const char *name, const char *fields, uint64_t depth)
{
    struct kymo_options options = {.clock = KYMO_USER, .depth = depth, .mode = 0644};
    struct kymo_schema *schema;
    struct kymo_writer *writer;

    cr_assert_eq(kymo_schema_parse(&schema, fields, NULL), 0);
    options.schema = schema;
    cr_assert_eq(kymo_writer_open(&writer, name, &options), 0);
    kymo_schema_free(schema);
    return writer;
}

void publish(const char *name, const char *fields, uint64_t count)
{
    struct kymo_writer *writer = open_writer(name, fields, 0);

    publish_next(writer, count);
    kymo_writer_close(writer);
}

void publish_at(const char *name, enum kymo_clock clock, uint64_t time)
{
    const struct kymo_options options = {.clock = clock, .size = 8, .mode = 0644};
    struct kymo_writer *writer;

    cr_assert_eq(kymo_writer_open(&writer, name, &options), 0);
    cr_assert_eq(kymo_ring_publish(writer, &time, sizeof(time), time, 0), 0);
    kymo_writer_close(writer);
}

void set_sequence(const char *name, uint64_t pos, uint64_t sequence)
{
    struct kymo_writer *writer;

    cr_assert_eq(kymo_writer_open(&writer, name, NULL), 0);
    kymo_store_relaxed(&kymo_impl_ring_slot(&writer->ring, pos)->seq, sequence);
    kymo_writer_close(writer);
}

void begin_request(struct request *request, const char *name)
{
    struct segment *segment;
    int error;

    *request = (struct request){.registry = registry};
    error = registry_find(registry, name, &segment, &request->status);
    cr_assert_eq(error, 0, "%s: %s", name, kymo_error_text(error));
    cr_assert_eq(segment_acquire(segment), 0);
    request->segment = segment;
    request->reader = segment->reader;
}

void end_request(struct request *request)
{
    credentials_free(&request->credentials);
    charge_release(&request->budget.charge);
    segment_release(request->segment);
    segment_drop(request->segment);
}

void set_instant(struct request *request, uint64_t time)
{
    request->has_instant = true;
    for (int clock = 0; clock < INSTANT_CLOCKS; clock++)
        request->instant.time[clock] = time;
}

int find_newest(const struct request *request, uint64_t *pos)
{
    const uint64_t head = kymo_ring_head(request_ring(request));

    *pos = head - 1;
    return head == request_ring(request)->first ? -ENODATA : 0;
}

int find_closest(const struct request *request, uint64_t *pos)
{
    return kymo_series_find_closest(request->reader, request->query.time, KYMO_FOREVER, pos);
}

void publish_sparse(const char *name, const char *fields, uint64_t depth, uint32_t size, size_t len)
{
    struct kymo_schema *schema = NULL;
    struct kymo_options options = {.clock = KYMO_USER, .depth = depth, .size = size, .mode = 0644};
    struct kymo_writer *writer;
    void *payload;

    if (fields)
        cr_assert_eq(kymo_schema_parse(&schema, fields, NULL), 0);
    options.schema = schema;
    is_sparse = true;
    cr_assert_eq(kymo_writer_open(&writer, name, &options), 0);
    is_sparse = false;
    cr_assert_eq(kymo_ring_loan(writer, &payload), 0);
    cr_assert_eq(kymo_ring_commit(writer, len, 10, 0), 0);
    kymo_writer_close(writer);
    kymo_schema_free(schema);
}

void set_head(const char *name, uint64_t head)
{
    struct kymo_header header;
    int fd = open(private_path(name), O_RDWR);

    cr_assert_eq(pread(fd, &header, sizeof(header), 0), (ssize_t)sizeof(header));
    cr_assert_eq(pwrite(fd, &head, sizeof(head), (off_t)header.control_offset), 8);
    close(fd);
}

uint64_t resident(void)
{
    unsigned long long pages = 0, shared = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    cr_assert_eq(fscanf(file, "%*u %llu %llu", &pages, &shared), 2);
    fclose(file);
    return (pages - shared) * 4096;
}
