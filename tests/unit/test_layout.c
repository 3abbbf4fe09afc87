/*
 * test_layout.c - LAYOUT.md agrees with layout.h, and a file with both.
 */
#include "unit.h"

struct member {
    const char *name;
    size_t offset;
    size_t size;
};

struct layout {
    const char *name;
    size_t size;
    const struct member *members;
    size_t count;
};

#define MEMBER(type, member)                                                       \
    {                                                                              \
#member, offsetof(struct type, member), sizeof(((struct type *)0)->member) \
    }
#define LAYOUT(type, members)                                                       \
    {                                                                               \
#type, sizeof(struct type), members, sizeof(members) / sizeof((members)[0]) \
    }

static const struct member header[] = {
    MEMBER(kymo_header, magic),
    MEMBER(kymo_header, byte_order),
    MEMBER(kymo_header, layout_major),
    MEMBER(kymo_header, layout_minor),
    MEMBER(kymo_header, header_size),
    MEMBER(kymo_header, page_size),
    MEMBER(kymo_header, word_size),
    MEMBER(kymo_header, kind),
    MEMBER(kymo_header, clock),
    MEMBER(kymo_header, wake_policy),
    MEMBER(kymo_header, flags),
    MEMBER(kymo_header, alignment),
    MEMBER(kymo_header, depth),
    MEMBER(kymo_header, stride),
    MEMBER(kymo_header, size),
    MEMBER(kymo_header, schema_size),
    MEMBER(kymo_header, first),
    MEMBER(kymo_header, file_size),
    MEMBER(kymo_header, control_offset),
    MEMBER(kymo_header, bell_offset),
    MEMBER(kymo_header, consumer_offset),
    MEMBER(kymo_header, consumer_bell_offset),
    MEMBER(kymo_header, times_offset),
    MEMBER(kymo_header, slots_offset),
    MEMBER(kymo_header, fields_offset),
    MEMBER(kymo_header, field_size),
    MEMBER(kymo_header, field_count),
    MEMBER(kymo_header, reserved0),
    MEMBER(kymo_header, type_id),
    MEMBER(kymo_header, geometry),
    MEMBER(kymo_header, created_monotonic),
    MEMBER(kymo_header, created_realtime),
    MEMBER(kymo_header, creator_pid),
    MEMBER(kymo_header, creator_uid),
    MEMBER(kymo_header, creator),
    MEMBER(kymo_header, uuid),
    MEMBER(kymo_header, boot_id),
    MEMBER(kymo_header, host),
    MEMBER(kymo_header, origin),
    MEMBER(kymo_header, reserved),
    MEMBER(kymo_header, checksum),
};

static const struct member geometry[] = {
    MEMBER(kymo_geometry, width),         MEMBER(kymo_geometry, height),
    MEMBER(kymo_geometry, stride),        MEMBER(kymo_geometry, format),
    MEMBER(kymo_geometry, pixels_offset), MEMBER(kymo_geometry, reserved),
};

static const struct member origin[] = {
    MEMBER(kymo_origin, uuid),     MEMBER(kymo_origin, first), MEMBER(kymo_origin, clock),
    MEMBER(kymo_origin, reserved), MEMBER(kymo_origin, host),
};

static const struct member field[] = {
    MEMBER(kymo_field, name),   MEMBER(kymo_field, unit),       MEMBER(kymo_field, help),
    MEMBER(kymo_field, type),   MEMBER(kymo_field, metric),     MEMBER(kymo_field, offset),
    MEMBER(kymo_field, count),  MEMBER(kymo_field, dimensions), MEMBER(kymo_field, shape),
    MEMBER(kymo_field, interp), MEMBER(kymo_field, reserved),
};

static const struct member control[] = {
    MEMBER(kymo_control, head),
    MEMBER(kymo_control, state),
    MEMBER(kymo_control, reserved0),
    MEMBER(kymo_control, heartbeat),
    MEMBER(kymo_control, opened),
    MEMBER(kymo_control, writer_pid),
    MEMBER(kymo_control, writers),
    MEMBER(kymo_control, time_policy),
    MEMBER(kymo_control, writer_pid_namespace),
    MEMBER(kymo_control, reserved1),
    MEMBER(kymo_control, rejected),
    MEMBER(kymo_control, clamped),
    MEMBER(kymo_control, aborted),
    MEMBER(kymo_control, wakes),
    MEMBER(kymo_control, adopted),
    MEMBER(kymo_control, reserved2),
    MEMBER(kymo_control, lock),
    MEMBER(kymo_control, reserved3),
    MEMBER(kymo_control, takeovers),
    MEMBER(kymo_control, reserved4),
    MEMBER(kymo_control, frozen_realtime),
    MEMBER(kymo_control, frozen_time),
    MEMBER(kymo_control, frozen_missing),
    MEMBER(kymo_control, reserved5),
};

static const struct member bell[] = {
    MEMBER(kymo_bell, word),
    MEMBER(kymo_bell, reserved),
};

static const struct member consumer[] = {
    MEMBER(kymo_consumer_control, tail),         MEMBER(kymo_consumer_control, state),
    MEMBER(kymo_consumer_control, consumer_pid), MEMBER(kymo_consumer_control, opened),
    MEMBER(kymo_consumer_control, lock),         MEMBER(kymo_consumer_control, reserved0),
    MEMBER(kymo_consumer_control, takeovers),    MEMBER(kymo_consumer_control, reserved1),
};

static const struct member slot[] = {
    MEMBER(kymo_slot, seq), MEMBER(kymo_slot, time),  MEMBER(kymo_slot, tag),
    MEMBER(kymo_slot, len), MEMBER(kymo_slot, flags),
};

static const struct layout layouts[] = {
    LAYOUT(kymo_header, header),
    LAYOUT(kymo_geometry, geometry),
    LAYOUT(kymo_origin, origin),
    LAYOUT(kymo_field, field),
    LAYOUT(kymo_control, control),
    LAYOUT(kymo_bell, bell),
    LAYOUT(kymo_consumer_control, consumer),
    LAYOUT(kymo_slot, slot),
};

#define LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

/* The tables above contain every member: they have no gap and end with the struct. */
Test(layout, names_every_byte)
{
    for (size_t i = 0; i < LAYOUTS; i++) {
        const struct layout *layout = &layouts[i];
        size_t end = 0;

        for (size_t j = 0; j < layout->count; j++) {
            cr_assert_eq(layout->members[j].offset, end, "%s.%s", layout->name,
                         layout->members[j].name);
            end += layout->members[j].size;
        }
        cr_assert_eq(end, layout->size, "%s", layout->name);
    }
}

/* ---- LAYOUT.md ---- */

static const struct layout *find_layout(const char *name)
{
    for (size_t i = 0; i < LAYOUTS; i++)
        if (strcmp(layouts[i].name, name) == 0)
            return &layouts[i];
    return NULL;
}

/* The text between the n-th pair of bars of a table's row, without blanks and backticks. */
static void read_cell(const char *line, int number, char cell[64])
{
    size_t len = 0;

    for (; number >= 0 && line; number--) {
        line = strchr(line, '|');
        line = line ? line + 1 : NULL;
    }
    for (; line && *line && *line != '|' && len < 63; line++)
        if (!strchr(" `\n", *line))
            cell[len++] = *line;
    cell[len] = 0;
}

static void expect_row(const struct layout *layout, size_t number, const char *line)
{
    const struct member *member = &layout->members[number];
    char offset[64], size[64], name[64];

    read_cell(line, 0, offset);
    read_cell(line, 1, size);
    read_cell(line, 2, name);
    cr_assert_lt(number, layout->count, "%s has no %s", layout->name, name);
    cr_assert_str_eq(name, member->name, "%s: after %zu members", layout->name, number);
    cr_assert_eq(strtoul(offset, NULL, 10), member->offset, "%s.%s is at %zu, not %s", layout->name,
                 name, member->offset, offset);
    cr_assert_eq(strtoul(size, NULL, 10), member->size, "%s.%s has %zu bytes, not %s", layout->name,
                 name, member->size, size);
}

Test(layout, equals_its_description)
{
    FILE *file = fopen(LAYOUT_FILE, "r");
    const struct layout *layout = NULL;
    size_t rows = 0, described = 0;
    char line[512], name[64];

    cr_assert_not_null(file, LAYOUT_FILE);
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "## %63s", name) == 1) {
            if (layout)
                cr_assert_eq(rows, layout->count, "%s: %zu rows", layout->name, rows);
            layout = find_layout(name);
            described += layout != NULL;
            rows = 0;
        } else if (layout && line[0] == '|' && line[2] >= '0' && line[2] <= '9') {
            expect_row(layout, rows++, line);
        }
    }
    fclose(file);
    cr_assert_eq(described, LAYOUTS, "a struct without a heading");
}

/* ---- a file ---- */

static uint64_t read_u64(const unsigned char *bytes, uint64_t offset)
{
    uint64_t number;

    memcpy(&number, bytes + offset, sizeof(number));
    return number;
}

/* FNV-1a, 64 bits, over the documented bytes, with 0 for the checksum. */
static uint64_t checksum_of(const unsigned char *bytes, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < size; i++) {
        const unsigned char byte = i >= 1016 && i < 1024 ? 0 : bytes[i];

        hash = (hash ^ byte) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static void expect_slots(const unsigned char *bytes, const struct kymo_header *head)
{
    for (uint64_t pos = 3; pos < 7; pos++) {
        const uint64_t index = pos & (head->depth - 1);
        const unsigned char *at = bytes + head->slots_offset + index * head->stride;
        const struct unit_payload payload = unit_payload(pos);
        struct kymo_slot found;

        memcpy(&found, at, sizeof(found));
        cr_assert_eq(found.seq, 2 * pos + 2);
        cr_assert_eq(found.time, 10 * pos);
        cr_assert_eq(found.tag, pos + 7);
        cr_assert_eq(found.len, sizeof(payload));
        cr_assert_eq(found.flags, 0);
        cr_assert_arr_eq(at + 32, &payload, sizeof(payload));
        cr_assert_eq(read_u64(bytes, head->times_offset + 8 * index), 10 * pos);
    }
}

static void expect_file(const unsigned char *bytes, size_t size, const struct kymo_header *head)
{
    const uint64_t offsets[] = {head->control_offset, head->bell_offset, head->times_offset};

    cr_assert_arr_eq(head->magic, "kymoseg", 8);
    cr_assert_eq(head->byte_order, 0x01020304);
    cr_assert_eq(head->layout_major, 2);
    cr_assert_eq(head->layout_minor, 0);
    cr_assert_eq(head->header_size, 1024 + 256 * head->field_count);
    cr_assert_eq(head->page_size, sysconf(_SC_PAGESIZE));
    cr_assert_eq(head->file_size, size);
    cr_assert_eq(head->checksum, checksum_of(bytes, head->header_size));
    for (int i = 0; i < 3; i++)
        cr_assert_eq(offsets[i] % head->page_size, 0);
    cr_assert_eq((head->slots_offset + 32) % head->alignment, 0);
    cr_assert_eq(head->stride % (head->alignment > 64 ? head->alignment : 64), 0);
    cr_assert_eq(read_u64(bytes, head->control_offset), 7, "head");
    expect_slots(bytes, head);
}

Test(layout, equals_the_bytes_of_a_file)
{
    for (uint32_t alignment = 8; alignment <= 4096; alignment *= 2) {
        const struct kymo_options options = {.clock = KYMO_USER,
                                             .depth = 4,
                                             .size = 40,
                                             .alignment = alignment};
        char name[32];
        struct kymo_writer *writer;
        struct kymo_header head;
        unsigned char *bytes;
        uint64_t planned = 0;
        size_t size;

        snprintf(name, sizeof(name), "file-%u", alignment);
        writer = unit_writer(name, &options);
        unit_publish(writer, 7);
        bytes = unit_file(name, &size);
        memcpy(&head, bytes, sizeof(head));
        expect_file(bytes, size, &head);
        cr_assert_eq(head.alignment, alignment);
        cr_assert_eq(kymo_segment_size(&options, &planned), 0);
        cr_assert_eq(planned, size);
        free(bytes);
        kymo_writer_close(writer);
    }
}

Test(layout, aligns_wide_records_to_cache_line_by_default)
{
    const struct kymo_options options[] = {{.size = 511},
                                           {.size = 512},
                                           {.size = 512, .alignment = 8},
                                           {.size = 8, .alignment = 64}};
    const uint32_t expected[] = {8, 64, 8, 64};

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        struct kymo_writer *writer = NULL;
        struct kymo_info info;

        cr_assert_eq(kymo_writer_open(&writer, "wide", &options[i]), 0);
        cr_assert_eq(kymo_segment_info(writer->segment, &info), 0);
        cr_assert_eq(info.alignment, expected[i], "%zu: %u", i, info.alignment);
        cr_assert_eq(kymo_writer_remove(writer), 0);
    }
}
