/*
 * checked.c - the closed forms behind checked.h.
 */
#include "checked.h"

/* Times of the first period's records, relative to its start; [CHECKED_PERIOD] is its length. */
static uint64_t checked_pattern[CHECKED_PERIOD + 1];

uint64_t checked_mix(uint64_t value)
{
    value += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

static uint64_t checked_gap(uint64_t index)
{
    uint64_t dice = checked_mix(index);

    if (index == CHECKED_PERIOD / 2)
        return UINT64_C(100000000000);
    if (index % 1000 >= 960)
        return 0;
    switch (dice % 8) {
    case 0:
    case 1:
        return 0;
    case 2:
        return 1;
    case 3:
        return 2;
    case 4:
        return 1000 + (dice >> 8) % 1000000;
    default:
        return 10 + (dice >> 8) % 100;
    }
}

void checked_set_gaps(uint64_t (*gap)(uint64_t index))
{
    for (uint64_t index = 1; index <= CHECKED_PERIOD; index++)
        checked_pattern[index] = checked_pattern[index - 1] + gap(index);
}

__attribute__((constructor)) static void set_default_gaps(void)
{
    checked_set_gaps(checked_gap);
}

uint64_t checked_time(uint64_t pos)
{
    return CHECKED_ORIGIN + pos / CHECKED_PERIOD * checked_pattern[CHECKED_PERIOD] +
           checked_pattern[pos % CHECKED_PERIOD];
}

uint64_t checked_after(uint64_t time)
{
    const uint64_t length = checked_pattern[CHECKED_PERIOD];
    uint64_t low = 0, high = CHECKED_PERIOD;
    uint64_t rest;

    if (time < CHECKED_ORIGIN)
        return 0;
    rest = (time - CHECKED_ORIGIN) % length;
    while (low < high) {
        uint64_t middle = (low + high) / 2;

        if (checked_pattern[middle] <= rest)
            low = middle + 1;
        else
            high = middle;
    }
    return (time - CHECKED_ORIGIN) / length * CHECKED_PERIOD + low;
}

uint64_t checked_tag(uint64_t pos)
{
    return pos / 3 * 5 + (pos % 3 ? 2 : 0);
}

uint64_t checked_after_tag(uint64_t tag)
{
    return tag / 5 * 3 + (tag % 5 < 2 ? 1 : 3);
}

uint32_t checked_len(uint64_t pos, uint32_t size)
{
    return size - (uint32_t)(checked_mix(pos) % (size / 2 + 1));
}

static uint64_t checked_word(uint64_t pos, uint64_t index)
{
    return (pos + 1) * UINT64_C(0x9e3779b97f4a7c15) + index * UINT64_C(0xd1b54a32d192ed03);
}

void checked_fill(void *payload, uint64_t pos, uint32_t len)
{
    unsigned char *to = (unsigned char *)payload;
    uint64_t word;

    for (uint32_t done = 0; done < len; done += 8) {
        word = checked_word(pos, done / 8);
        memcpy(to + done, &word, len - done < 8 ? len - done : 8);
    }
}

const char *checked_fault(const struct kymo_record *record, const void *payload, uint32_t size)
{
    const unsigned char *from = (const unsigned char *)payload;
    uint64_t word;

    if (record->time != checked_time(record->pos))
        return "time";
    if (record->tag != checked_tag(record->pos))
        return "tag";
    if (record->len != checked_len(record->pos, size))
        return "len";
    if (record->flags != 0)
        return "flags";
    for (uint32_t done = 0; done < record->len; done += 8) {
        word = checked_word(record->pos, done / 8);
        if (memcmp(from + done, &word, record->len - done < 8 ? record->len - done : 8) != 0)
            return "payload";
    }
    return NULL;
}

int checked_publish(struct kymo_writer *writer, void *buffer)
{
    const uint64_t pos = writer->pos;
    const uint32_t len = checked_len(pos, writer->ring.size);

    checked_fill(buffer, pos, len);
    return kymo_ring_publish(writer, buffer, len, checked_time(pos), checked_tag(pos));
}

int checked_commit(struct kymo_writer *writer, void *buffer)
{
    const uint64_t pos = writer->pos;
    const uint32_t len = checked_len(pos, writer->ring.size);
    void *payload;
    int error = kymo_ring_loan(writer, &payload);

    if (error)
        return error;
    checked_fill(buffer, pos, len);
    kymo_copy_in(payload, buffer, len);
    return kymo_ring_commit(writer, len, checked_time(pos), checked_tag(pos));
}
