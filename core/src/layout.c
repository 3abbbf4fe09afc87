/*
 * layout.c - the bytes of the header: the layout that follows from the options, creator, checksum.
 *
 * kymo_layout_plan computes the layout from kind, depth, size, alignment and field count. The
 * header of a file is compared with the plan of its own values, so that no offset from a file is
 * trusted.
 */
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

/* Larger than any file; small enough that sums with it do not overflow. */
#define SIZE_CEILING (UINT64_C(1) << 62)

static uint64_t round_up(uint64_t bytes, uint64_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

static int is_power_of_two(uint64_t number)
{
    return number && !(number & (number - 1));
}

static int flags_hold(const struct kymo_header *header)
{
    const uint32_t known = KYMO_SHARED_WRITER | KYMO_SHARED_CONSUMER;

    return !(header->flags & ~known) &&
           (header->kind == KYMO_QUEUE || !(header->flags & KYMO_SHARED_CONSUMER));
}

static int origin_holds(const struct kymo_origin *origin)
{
    return origin->clock <= KYMO_USER && origin->first < KYMO_POSITION_LIMIT;
}

static int choices_hold(const struct kymo_header *header)
{
    return header->kind <= KYMO_QUEUE && header->clock <= KYMO_USER &&
           header->wake_policy <= KYMO_WAKE_ALWAYS && origin_holds(&header->origin) &&
           flags_hold(header) && is_power_of_two(header->depth) && header->depth >= 2 &&
           header->depth <= KYMO_DEPTH_LIMIT && header->size >= 1 &&
           header->size <= KYMO_SIZE_LIMIT && is_power_of_two(header->alignment) &&
           header->alignment >= 8 && header->alignment <= header->page_size &&
           header->first < KYMO_POSITION_LIMIT && header->field_count <= KYMO_FIELD_LIMIT &&
           header->schema_size <= header->size;
}

/* The slot's header of 32 bytes gives alignments up to 32. For larger ones it is directly before
 * the aligned payload, on a line of its own. */
static uint64_t plan_stride(const struct kymo_header *header)
{
    if (header->alignment <= KYMO_PAYLOAD_OFFSET)
        return round_up(KYMO_PAYLOAD_OFFSET + (uint64_t)header->size, KYMO_CACHE_LINE);
    return round_up(header->size, header->alignment) + header->alignment;
}

int kymo_layout_plan(struct kymo_header *header)
{
    const uint64_t page = header->page_size;
    uint64_t offset;
    uint64_t slots;

    if (!choices_hold(header))
        return -EINVAL;
    header->header_size =
        (uint32_t)(sizeof(*header) + header->field_count * sizeof(struct kymo_field));
    header->fields_offset = sizeof(*header);
    header->field_size = sizeof(struct kymo_field);
    header->stride = plan_stride(header);
    offset = round_up(header->header_size, page);
    header->control_offset = offset;
    header->bell_offset = offset += page;
    header->consumer_offset = header->consumer_bell_offset = 0;
    if (header->kind == KYMO_QUEUE) {
        header->consumer_offset = offset += page;
        header->consumer_bell_offset = offset += page;
    }
    header->times_offset = offset += page;
    /* depth <= 2^40, so times fit; the slots are the only product that may overflow. */
    offset = round_up(offset + header->depth * sizeof(uint64_t), page);
    if (header->alignment > KYMO_PAYLOAD_OFFSET)
        offset += header->alignment - KYMO_PAYLOAD_OFFSET;
    header->slots_offset = offset;
    if (__builtin_mul_overflow(header->depth, header->stride, &slots) ||
        slots > SIZE_CEILING - offset)
        return -EOVERFLOW;
    header->file_size = round_up(offset + slots, page);
    return 0;
}

/* Larger records are copied by wide moves, which take up to a quarter longer if each of them
 * crosses a cache line, as they do after the slot's header of 32 bytes. */
#define WIDE_RECORD 512u

static uint32_t plan_alignment(const struct kymo_header *header, uint32_t wanted)
{
    if (wanted)
        return wanted > 8 ? wanted : 8;
    return header->size < WIDE_RECORD ? 8 : KYMO_CACHE_LINE;
}

static uint32_t plan_size(const struct kymo_options *options)
{
    if (options->size)
        return options->size;
    if (options->schema)
        return options->schema->size;
    return options->geometry ? kymo_image_size(options->geometry) : 0;
}

int kymo_layout_from_options(struct kymo_header *header, const struct kymo_options *options,
                             struct kymo_diagnostic *diagnostic)
{
    const struct kymo_schema *schema = options->schema;
    int error = kymo_options_check(options, diagnostic);

    if (error)
        return error;
    memset(header, 0, sizeof(*header));
    memcpy(header->magic, KYMO_MAGIC, sizeof(header->magic));
    header->byte_order = KYMO_BYTE_ORDER;
    header->layout_major = KYMO_LAYOUT_MAJOR;
    header->layout_minor = KYMO_LAYOUT_MINOR;
    header->page_size = (uint32_t)sysconf(_SC_PAGESIZE);
    header->word_size = sizeof(void *);
    header->kind = options->kind;
    header->clock = options->clock;
    header->wake_policy = options->wake_policy;
    header->flags = options->flags;
    header->depth = options->depth ? options->depth : options->kind == KYMO_VALUE ? 2 : 64;
    header->size = plan_size(options);
    header->alignment = plan_alignment(header, options->alignment);
    header->first = options->first;
    header->field_count = schema ? schema->count : 0;
    header->schema_size = schema ? schema->size : 0;
    header->type_id = options->type_id;
    if (options->geometry)
        header->geometry = *options->geometry;
    if (options->origin)
        header->origin = *options->origin;
    if (header->size == 0)
        return kymo_report(
            diagnostic, -EINVAL,
            "size: missing: set size, schema or geometry to say how large a record is");
    error = kymo_layout_plan(header);
    if (error == -EOVERFLOW)
        kymo_report(diagnostic, error, "depth: %llu slots of %llu bytes are more than 2^62 bytes",
                    (unsigned long long)header->depth, (unsigned long long)header->stride);
    return error;
}

int kymo_segment_size(const struct kymo_options *options, uint64_t *bytes)
{
    struct kymo_header header;
    int error = kymo_layout_from_options(&header, options, NULL);

    if (!error)
        *bytes = header.file_size;
    return error;
}

int kymo_options_diagnose(const struct kymo_options *options, struct kymo_diagnostic *diagnostic)
{
    struct kymo_header header;

    kymo_report_begin(diagnostic);
    return kymo_layout_from_options(&header, options, diagnostic);
}

#define FNV1A_BASIS UINT64_C(0xcbf29ce484222325)

/* FNV-1a, 64 bits (Fowler, Noll, Vo): any single changed bit changes it. */
static uint64_t fnv1a(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *byte = bytes;

    while (len-- > 0)
        hash = (hash ^ *byte++) * UINT64_C(0x100000001b3);
    return hash;
}

uint64_t kymo_layout_checksum(const struct kymo_header *header, const struct kymo_field *fields)
{
    struct kymo_header blank = *header;
    uint64_t hash;

    blank.checksum = 0;
    hash = fnv1a(FNV1A_BASIS, &blank, sizeof(blank));
    return fnv1a(hash, fields, header->field_count * sizeof(*fields));
}

/* The name of a C type without its keyword, which C++ omits. */
static const char *bare_type(const char *name)
{
    static const char *const keywords[] = {"struct ", "union ", "enum "};

    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
        if (strncmp(name, keywords[i], strlen(keywords[i])) == 0)
            return name + strlen(keywords[i]);
    }
    return name;
}

uint64_t kymo_type_id(const char *name, uint32_t size, uint32_t alignment)
{
    /* Byte by byte: equal on machines of either byte order. */
    const unsigned char shape[] = {
        (unsigned char)size,         (unsigned char)(size >> 8), (unsigned char)(size >> 16),
        (unsigned char)(size >> 24), (unsigned char)alignment,   (unsigned char)(alignment >> 8),
    };
    uint64_t hash;

    name = bare_type(name);
    hash = fnv1a(FNV1A_BASIS, name, strlen(name) + 1);
    hash = fnv1a(hash, shape, sizeof(shape));
    return hash ? hash : 1;
}

/* The first line of a small file, truncated to fit; empty if it can't be read. */
static void read_line(const char *path, char *line, size_t size)
{
    int fd = kymo_descriptor(open(path, O_RDONLY | O_CLOEXEC));
    ssize_t len = fd >= 0 ? read(fd, line, size - 1) : 0;

    line[len > 0 ? len : 0] = 0;
    line[strcspn(line, "\n")] = 0;
    if (fd >= 0)
        close(fd);
}

static void make_uuid(uint8_t uuid[16])
{
    if (getrandom(uuid, 16, 0) != 16) {
        uint64_t now[2] = {kymo_clock_now(KYMO_MONOTONIC),
                           kymo_clock_now(KYMO_REALTIME) ^ (uint64_t)getpid() << 32};

        memcpy(uuid, now, sizeof(now));
    }
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

static void read_boot_id(char id[40])
{
    read_line("/proc/sys/kernel/random/boot_id", id, 40);
}

int kymo_layout_is_of_other_boot(const struct kymo_header *header)
{
    char boot_id[sizeof(header->boot_id)];

    read_boot_id(boot_id);
    return boot_id[0] && header->boot_id[0] && strcmp(boot_id, header->boot_id) != 0;
}

int kymo_clock_counts_from_boot(uint32_t clock)
{
    return clock == KYMO_MONOTONIC || clock == KYMO_BOOTTIME;
}

void kymo_layout_sign(struct kymo_header *header, const struct kymo_field *fields)
{
    header->created_monotonic = kymo_clock_now(KYMO_MONOTONIC);
    header->created_realtime = kymo_clock_now(KYMO_REALTIME);
    header->creator_pid = (uint32_t)getpid();
    header->creator_uid = (uint32_t)geteuid();
    read_line("/proc/self/comm", header->creator, sizeof(header->creator));
    read_boot_id(header->boot_id);
    if (gethostname(header->host, sizeof(header->host) - 1) != 0)
        header->host[0] = 0;
    make_uuid(header->uuid);
    header->checksum = kymo_layout_checksum(header, fields);
}
