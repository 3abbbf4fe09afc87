/*
 * test_hostile.c - files that are not segments, are damaged, or change while mapped: each gives an error, without a crash, a hang or an out-of-bounds access (promise F: any content is handled safely).
 *
 * Each file that opens is read in every way, into buffers with a guard page.
 */
#include "hostile.h"
#include "unit.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

/* ---- files ---- */

static void write_file(const char *name, const void *bytes, size_t size)
{
    char path[UNIT_PATH];
    int fd = open(unit_path(name, path), O_CREAT | O_TRUNC | O_RDWR, 0644);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

/* FNV-1a, as in LAYOUT.md: the checksum of a hostile file is correct. */
static void sign(unsigned char *bytes, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    memset(bytes + offsetof(struct kymo_header, checksum), 0, sizeof(hash));
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    memcpy(bytes + offsetof(struct kymo_header, checksum), &hash, sizeof(hash));
}

/* A valid segment with a schema and some records, as bytes. */
static unsigned char *sound_segment(size_t *size, struct kymo_header *header)
{
    static const struct kymo_field fields[] = {
        {.name = "pos", .type = KYMO_U64, .count = 1},
        {.name = "inverse", .type = KYMO_U64, .offset = 8, .count = 1},
    };
    static const struct kymo_schema schema = {fields, 2, sizeof(struct unit_payload)};
    const struct kymo_options options = {.clock = KYMO_USER, .depth = 8, .schema = &schema};
    struct kymo_writer *writer = unit_writer("sound", &options);
    unsigned char *bytes;

    unit_publish(writer, 13);
    kymo_writer_close(writer);
    bytes = unit_file("sound", size);
    memcpy(header, bytes, sizeof(*header));
    cr_assert_eq(kymo_segment_remove("sound"), 0);
    return bytes;
}

/* The result of opening, after all other calls that take a name. */
static int try_name(const char *name)
{
    char reason[200] = "none";
    struct kymo_reader *reader;
    int error = kymo_reader_open(&reader, name);

    cr_assert_eq(kymo_segment_check(name, reason, sizeof(reason)), error == -EIDRM ? 0 : error);
    cr_assert_eq(kymo_segment_exists(name), error == 0 || error == -EIDRM ? 1 : error);
    if (error) {
        cr_assert(error == -EIDRM || strlen(reason) > 5, "%s: %s", name, reason);
        cr_assert_null(reader);
        return error;
    }
    cr_assert_str_eq(reason, "");
    read_everything(reader);
    kymo_reader_close(reader);
    return 0;
}

/* F: truncated at every page, and within each part. */
Test(hostile, truncated_segments_do_not_open)
{
    struct kymo_header header;
    size_t size;
    unsigned char *bytes = sound_segment(&size, &header);

    write_file("cut", bytes, size);
    cr_assert_eq(try_name("cut"), 0);
    for (size_t length = 0; length < size; length += length < 2000 ? 61 : 1021) {
        write_file("cut", bytes, length);
        cr_assert_eq(try_name("cut"), -EBADMSG, "%zu bytes", length);
    }
    write_file("cut", bytes, size - 1);
    cr_assert_eq(try_name("cut"), -EBADMSG);
    bytes[size] = 0;
    write_file("cut", bytes, size + 1);
    cr_assert_eq(try_name("cut"), -EBADMSG, "nor do longer ones");
    free(bytes);
}

/* F: any flipped bit of the header or the schema is detected; the rest of the page is unused. */
Test(hostile, flipped_bits_do_not_open)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct kymo_header header;
    size_t size;
    unsigned char *bytes = sound_segment(&size, &header);

    for (size_t bit = 0; bit < page * 8; bit++) {
        int error;

        /* Beyond the header, every 97th bit. */
        if (bit / 8 >= header.header_size && bit % 97)
            continue;
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        write_file("flipped", bytes, size);
        error = try_name("flipped");
        if (bit / 8 >= header.header_size)
            cr_assert_eq(error, 0, "bit %zu", bit);
        else
            cr_assert(error == -EBADMSG || error == -EPROTONOSUPPORT, "bit %zu: %d", bit, error);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    free(bytes);
}

/* F: with a correct checksum, the numbers of the header are checked against each other. */
Test(hostile, invalid_headers_with_valid_checksum_do_not_open)
{
    static const uint64_t numbers[] = {0,          1,          2,          3,
                                       7,          8,          64,         4095,
                                       4096,       4097,       1u << 20,   1u << 30,
                                       1u << 31,   0x7fffffff, 0xfffffff0, 0xffffffff,
                                       1ull << 32, 1ull << 40, 1ull << 41, 1ull << 61,
                                       1ull << 62, 1ull << 63, ~0ull,      ~0ull - 4095,
                                       ~0ull / 2};
    /* From byte_order on, all fields that determine offsets, the type id, the geometry, the origin. */
    const size_t from = offsetof(struct kymo_header, byte_order);
    const size_t to = offsetof(struct kymo_header, reserved);
    struct kymo_header header;
    size_t size, opened = 0;
    unsigned char *bytes = sound_segment(&size, &header);

    for (size_t width = 4; width <= 8; width += 4) {
        for (size_t offset = from; offset + width <= to; offset += 4) {
            if (offset >= offsetof(struct kymo_header, created_monotonic) &&
                offset < offsetof(struct kymo_header, origin))
                continue;
            for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
                unsigned char saved[sizeof(header)];

                memcpy(saved, bytes, sizeof(saved));
                memcpy(bytes + offset, &numbers[i], width);
                sign(bytes, header.header_size);
                write_file("nonsense", bytes, size);
                opened += try_name("nonsense") == 0;
                memcpy(bytes, saved, sizeof(saved));
            }
        }
    }
    cr_assert_gt(opened, 0, "another clock, policy, first position or origin is valid");
    free(bytes);
}

/* F: an image geometry larger than the records. */
Test(hostile, frames_larger_than_records_do_not_open)
{
    static const uint32_t sides[] = {1, 2, 3, 16, 64, 640, 4096, 32768, 1u << 30, 0xffffffff};
    const struct kymo_options options = {.depth = 4, .size = 48, .clock = KYMO_USER};
    const size_t count = sizeof(sides) / sizeof(sides[0]);
    struct kymo_writer *writer = unit_writer("frame", &options);
    size_t size, opened = 0;
    unsigned char *bytes;

    unit_publish(writer, 6);
    kymo_writer_close(writer);
    bytes = unit_file("frame", &size);
    for (size_t i = 0; i < count * count * 16; i++) {
        const struct kymo_geometry geometry = {.width = sides[i % count],
                                               .height = sides[i / count % count],
                                               .stride = sides[i % count] * (uint32_t)(i % 5),
                                               .format = 1 + (uint32_t)(i / count / count % 8),
                                               .pixels_offset = i % 16 < 8 ? 0 : sides[i % 7]};

        memcpy(bytes + offsetof(struct kymo_header, geometry), &geometry, sizeof(geometry));
        sign(bytes, sizeof(struct kymo_header));
        write_file("framed", bytes, size);
        opened += try_name("framed") == 0;
    }
    cr_assert_eq(opened, count * count * 16, "the content of a frame is not checked");
    free(bytes);
}

/* F: an invalid schema with a correct checksum. */
Test(hostile, invalid_schemas_with_valid_checksum_do_not_open)
{
    struct kymo_header header;
    size_t size;
    unsigned char *bytes = sound_segment(&size, &header);
    uint64_t random = 11;

    for (int round = 0; round < 3000; round++) {
        unsigned char *saved = malloc(header.header_size);
        const size_t room = header.header_size - sizeof(header);

        cr_assert_not_null(saved);
        memcpy(saved, bytes, header.header_size);
        for (uint64_t i = 1 + random_u64(&random) % 3; i > 0; i--) {
            /* Names and texts are most of a field: half of the changes are to the numbers. */
            size_t offset = random_u64(&random) % room;

            if (random_u64(&random) % 2)
                offset = offset / 256 * 256 + 208 + offset % 48;
            bytes[sizeof(header) + offset] = (unsigned char)random_u64(&random);
        }
        sign(bytes, header.header_size);
        write_file("schema", bytes, size);
        try_name("schema");
        memcpy(bytes, saved, header.header_size);
        free(saved);
    }
    free(bytes);
}

/* F: 500 files of random bytes: all of the file, after a valid header, and of a segment's size. */
Test(hostile, noise_does_not_open)
{
    struct kymo_header header;
    size_t size, sound_size;
    unsigned char *sound = sound_segment(&sound_size, &header);
    unsigned char *noise = malloc(1 << 17);
    uint64_t random = 23;

    cr_assert_not_null(noise);
    for (int file = 0; file < 500; file++) {
        char name[32];

        snprintf(name, sizeof(name), "noise-%d", file);
        size = file % 3 == 0 ? sound_size : random_u64(&random) % (1 << 17);
        for (size_t i = 0; i < size; i++)
            noise[i] = (unsigned char)random_u64(&random);
        if (file % 3 == 1 && size > 12)
            memcpy(noise, sound, 12 + random_u64(&random) % 480 % (size - 12));
        write_file(name, noise, size);
        cr_assert_lt(try_name(name), 0, "%s", name);
    }
    free(noise);
    free(sound);
}

/* F: a valid header, and random bytes in all other parts: each read ends, within bounds. */
Test(hostile, noise_after_valid_header_is_read_in_bounds)
{
    struct kymo_header header;
    size_t size;
    unsigned char *bytes = sound_segment(&size, &header);
    unsigned char *noise = malloc(size);
    uint64_t random = 37;

    cr_assert_not_null(noise);
    for (int round = 0; round < 1500; round++) {
        struct kymo_control *control = (void *)(noise + header.control_offset);
        struct kymo_writer *writer;
        int error;

        memcpy(noise, bytes, size);
        for (uint64_t i = 1 + random_u64(&random) % 200; i > 0; i--) {
            const size_t at =
                header.control_offset + random_u64(&random) % (size - header.control_offset);

            noise[at] = (unsigned char)random_u64(&random);
        }
        if (round % 2)
            control->head = random_u64(&random) >> (random_u64(&random) % 64);
        if (round % 3)
            control->state = KYMO_OPEN;
        for (uint64_t i = 0; i < header.depth; i++) {
            struct kymo_slot *slot = (void *)(noise + header.slots_offset + i * header.stride);

            slot->seq = 2 * (control->head - header.depth + i) + 2;
            if (random_u64(&random) % 2)
                slot->len = (uint32_t)random_u64(&random);
        }
        write_file("careful", noise, size);
        error = try_name("careful");
        cr_assert(error == 0 || error == -EIDRM);
        /* A writer that resumes it publishes, or gets an error. */
        error = kymo_writer_open(&writer, "careful", NULL);
        if (error == 0) {
            struct unit_payload payload = unit_payload(0);

            error = kymo_ring_publish(writer, &payload, sizeof(payload), UINT64_MAX, 0);
            cr_assert(error == 0 || error == -ENOSPC, "%d", error);
            cr_assert_eq(kymo_writer_remove(writer), 0);
        } else {
            char path[UNIT_PATH];

            cr_assert(error == -EBADMSG || error == -EEXIST, "%d", error);
            unlink(unit_path("careful", path));
        }
    }
    free(noise);
    free(bytes);
}

/* F: a record length larger than the slot is an error, for any size of the buffer. */
Test(hostile, length_beyond_slot_is_an_error)
{
    struct kymo_writer *writer = unit_writer_of_depth("long", 8);
    struct kymo_reader *reader = unit_reader("long");
    const uint32_t size = writer->ring.size;
    unsigned char buffer[256];
    struct kymo_cursor cursor;
    struct kymo_record record;
    struct kymo_view view;

    cr_assert_lt(size, sizeof(buffer));
    unit_publish(writer, 1);
    for (uint32_t len = size + 1; len < 2 * sizeof(buffer); len += 7) {
        kymo_store_relaxed32(&kymo_impl_ring_slot(&writer->ring, 0)->len, len);
        kymo_cursor_oldest(&cursor, reader);
        cr_assert_eq(kymo_ring_latest(reader, buffer, sizeof(buffer), &record), -EBADMSG);
        cr_assert_eq(kymo_ring_latest(reader, buffer, size, &record), -EBADMSG);
        cr_assert_eq(kymo_ring_at(reader, 0, buffer, len < sizeof(buffer) ? len : 1, &record),
                     -EBADMSG);
        cr_assert_eq(kymo_ring_view(reader, 0, &view), -EBADMSG);
        cr_assert_eq(kymo_cursor_next(&cursor, buffer, sizeof(buffer), &record, NULL), -EBADMSG);
        cr_assert_eq(kymo_series_closest(reader, 0, KYMO_ANY_DISTANCE, buffer, sizeof(buffer),
                                         &record),
                     -EBADMSG);
    }
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* ---- while it is mapped ---- */

struct corruptor {
    unsigned char *map;
    size_t size;
    uint64_t from;
    uint64_t random;
    int stop;
};

/* An intended race: not for the thread sanitizer. */
__attribute__((no_sanitize("thread"))) static void *corrupt(void *context)
{
    struct corruptor *corruptor = context;
    const size_t words = (corruptor->size - corruptor->from) / 8;

    while (!__atomic_load_n(&corruptor->stop, __ATOMIC_RELAXED)) {
        uint64_t *word = (uint64_t *)(void *)(corruptor->map + corruptor->from) +
                         random_u64(&corruptor->random) % words;
        uint64_t value = random_u64(&corruptor->random);

        /* Small numbers are the likeliest to pass a check. */
        __atomic_store_n(word, value >> (value % 64), __ATOMIC_RELAXED);
    }
    return NULL;
}

/* F: all bytes that readers do not assume constant change concurrently. */
Test(hostile, concurrent_corruption_changes_only_results)
{
    struct kymo_writer *writer = unit_writer_of_depth("vandal", 8);
    struct kymo_reader *reader = unit_reader("vandal");
    struct corruptor corruptor = {.random = 41};
    struct kymo_header header;
    char path[UNIT_PATH];
    pthread_t thread;
    int fd;

    unit_publish(writer, 13);
    fd = open(unit_path("vandal", path), O_RDWR);
    cr_assert_eq(pread(fd, &header, sizeof(header), 0), (ssize_t)sizeof(header));
    corruptor.size = header.file_size;
    corruptor.from = header.control_offset;
    corruptor.map = mmap(NULL, corruptor.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    cr_assert_neq((void *)corruptor.map, MAP_FAILED);
    close(fd);
    cr_assert_eq(pthread_create(&thread, NULL, corrupt, &corruptor), 0);
    for (int round = 0; round < 2000; round++)
        read_everything(reader);
    __atomic_store_n(&corruptor.stop, 1, __ATOMIC_RELAXED);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    munmap(corruptor.map, corruptor.size);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* The CPU time of this process, ns. */
static uint64_t worked(void)
{
    struct timespec time;

    cr_assert_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time), 0);
    return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

/* E, F: a corrupted head of a full queue causes no endless loop. */
Test(hostile, corrupted_head_causes_no_endless_push)
{
    const struct kymo_options options = {.kind = KYMO_QUEUE,
                                         .clock = KYMO_USER,
                                         .depth = 4,
                                         .size = 8};
    struct kymo_writer *writer = unit_writer("scribbled", &options);
    const uint64_t length = 300000000; /* ns */
    const uint64_t payload = 7;
    uint64_t before;

    while (kymo_ring_publish(writer, &payload, sizeof(payload), 0, 0) == 0)
        continue;
    cr_assert_eq(kymo_queue_push(writer, &payload, sizeof(payload), 0, 0, 0), -ETIMEDOUT);
    kymo_store_relaxed(&writer->ring.control->head, 1);
    cr_assert_eq(kymo_queue_push(writer, &payload, sizeof(payload), 0, 0, 0), -ETIMEDOUT);
    cr_assert_eq(kymo_queue_push(writer, &payload, sizeof(payload), 0, 0,
                                 kymo_clock_now(KYMO_MONOTONIC) + 1000000),
                 -ETIMEDOUT);
    before = worked();
    cr_assert_eq(kymo_queue_push(writer, &payload, sizeof(payload), 0, 0,
                                 kymo_clock_now(KYMO_MONOTONIC) + length),
                 -ETIMEDOUT);
    cr_assert_lt(worked() - before, length / 10, "it sleeps");
    kymo_writer_close(writer);
}
