/*
 * compact.c - expands inputs to files, and repairs what a flipped bit breaks.
 */
#include "compact.h"

/* From the static library. */
int kymo_layout_plan(struct kymo_header *header);
uint64_t kymo_layout_checksum(const struct kymo_header *header, const struct kymo_field *fields);

static void compact_repair(struct compact *compact)
{
    struct kymo_header *header = &compact->header;

    if (compact->repairs & COMPACT_VERSION) {
        memcpy(header->magic, KYMO_MAGIC, sizeof(header->magic));
        header->byte_order = KYMO_BYTE_ORDER;
        header->layout_major = KYMO_LAYOUT_MAJOR;
        header->page_size = (uint32_t)sysconf(_SC_PAGESIZE);
        header->word_size = sizeof(void *);
        header->creator[sizeof(header->creator) - 1] = 0;
        header->boot_id[sizeof(header->boot_id) - 1] = 0;
        header->host[sizeof(header->host) - 1] = 0;
        header->origin.host[sizeof(header->origin.host) - 1] = 0;
    }
    if (compact->repairs & COMPACT_SMALL) {
        header->depth = UINT64_C(2) << header->depth % 6;
        header->size = header->size % 4096 + 1;
        header->field_count %= COMPACT_FIELDS + 1;
    }
    if (compact->repairs & COMPACT_PLAN)
        kymo_layout_plan(header);
    if (compact->repairs & COMPACT_SIGN && header->field_count <= COMPACT_FIELDS)
        header->checksum = kymo_layout_checksum(header, compact->fields);
}

/* Copies the next bytes of the input to the offset of the header, at any alignment, if it is within the file. */
static void *compact_place(struct compact *compact, struct fuzz_input *input, uint64_t offset,
                           size_t size)
{
    unsigned char unused[COMPACT_PAYLOAD + sizeof(struct kymo_control)];
    void *at = unused;

    if (offset <= COMPACT_LIMIT - size && offset + size <= compact->header.file_size)
        at = compact->file + offset;
    fuzz_take(input, at, size);
    return at == (void *)unused ? NULL : at;
}

static void compact_slots(struct compact *compact, struct fuzz_input *input, uint64_t head)
{
    const struct kymo_header *header = &compact->header;
    const uint64_t depth = header->depth;
    const uint32_t payload = header->size < COMPACT_PAYLOAD ? header->size : COMPACT_PAYLOAD;

    for (uint64_t i = 0; i < depth && i < COMPACT_SLOTS; i++)
        compact_place(compact, input, header->times_offset + 8 * i, 8);
    for (uint64_t i = 0; i < depth && i < COMPACT_SLOTS; i++) {
        unsigned char *slot =
            compact_place(compact, input, header->slots_offset + i * header->stride,
                          sizeof(struct kymo_slot) + payload);
        const uint64_t behind = (head - 1 - i) % depth;
        const uint64_t seq = 2 * (head - 1 - behind) + 2;

        if (slot && compact->repairs & COMPACT_SEQUENCE)
            memcpy(slot + offsetof(struct kymo_slot, seq), &seq, sizeof(seq));
    }
}

size_t compact_expand(struct compact *compact, struct fuzz_input *input)
{
    struct kymo_header *header = &compact->header;
    unsigned char *control;
    size_t size;

    compact->repairs = fuzz_u8(input);
    compact->excess = (int8_t)fuzz_u8(input);
    fuzz_take(input, header, sizeof(*header));
    compact->field_count = header->field_count % (COMPACT_FIELDS + 1);
    memset(compact->fields, 0, sizeof(compact->fields));
    fuzz_take(input, compact->fields, compact->field_count * sizeof(compact->fields[0]));
    compact_repair(compact);
    size = sizeof(*header) + compact->field_count * sizeof(compact->fields[0]);
    if (header->file_size > size && header->file_size <= COMPACT_LIMIT)
        size = header->file_size;
    memset(compact->file, 0, size);
    if (size == header->file_size) {
        uint64_t head = 0;

        control =
            compact_place(compact, input, header->control_offset, sizeof(struct kymo_control));
        if (control) {
            memcpy(&head, control + offsetof(struct kymo_control, head), sizeof(head));
            if (compact->repairs & COMPACT_STATE)
                memset(control + offsetof(struct kymo_control, state) + 1, 0, 3);
            if (compact->repairs & COMPACT_STATE)
                control[offsetof(struct kymo_control, state)] &= 1;
        }
        compact_place(compact, input, header->bell_offset, sizeof(struct kymo_bell));
        if (header->kind == KYMO_QUEUE) {
            compact_place(compact, input, header->consumer_offset,
                          sizeof(struct kymo_consumer_control));
            compact_place(compact, input, header->consumer_bell_offset, sizeof(struct kymo_bell));
        }
        if (header->depth > 0)
            compact_slots(compact, input, head);
    }
    memcpy(compact->file, header, sizeof(*header));
    memcpy(compact->file + sizeof(*header), compact->fields,
           compact->field_count * sizeof(compact->fields[0]));
    return size;
}

unsigned char *compact_from_file(const unsigned char *file, uint8_t repairs, size_t *size)
{
    struct kymo_header header;
    unsigned char *bytes = malloc(COMPACT_LIMIT);
    size_t len = 0;

    memcpy(&header, file, sizeof(header));
    cr_assert(bytes && header.file_size <= COMPACT_LIMIT);
#define COMPACT_ADD(offset, count)                     \
    do {                                               \
        memcpy(bytes + len, file + (offset), (count)); \
        len += (count);                                \
    } while (0)
    bytes[len++] = repairs;
    bytes[len++] = 0;
    COMPACT_ADD(0, header.header_size);
    COMPACT_ADD(header.control_offset, sizeof(struct kymo_control));
    COMPACT_ADD(header.bell_offset, sizeof(struct kymo_bell));
    if (header.kind == KYMO_QUEUE) {
        COMPACT_ADD(header.consumer_offset, sizeof(struct kymo_consumer_control));
        COMPACT_ADD(header.consumer_bell_offset, sizeof(struct kymo_bell));
    }
    COMPACT_ADD(header.times_offset, 8 * header.depth);
    for (uint64_t i = 0; i < header.depth; i++)
        COMPACT_ADD(header.slots_offset + i * header.stride,
                    sizeof(struct kymo_slot) +
                        (header.size < COMPACT_PAYLOAD ? header.size : COMPACT_PAYLOAD));
#undef COMPACT_ADD
    /* compact_repair restores these. */
    if (repairs & COMPACT_SMALL) {
        const uint64_t exponent = (uint64_t)__builtin_ctzll(header.depth) - 1;
        const uint32_t less = header.size - 1;

        memcpy(bytes + 2 + offsetof(struct kymo_header, depth), &exponent, sizeof(exponent));
        memcpy(bytes + 2 + offsetof(struct kymo_header, size), &less, sizeof(less));
    }
    *size = len;
    return bytes;
}
